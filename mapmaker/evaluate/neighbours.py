"""Precision, recall, density and coverage: whose neighbourhoods do the others fall into?"""

import numpy as np
from numpy.typing import NDArray

K_PRECISION = 3  # Kynkaanniemi et al., Improved precision and recall, NeurIPS 2019
K_DENSITY = 5  # Naeem et al., Reliable fidelity and diversity metrics, ICML 2020


def neighbourhoods(ours: NDArray[np.float64], reals: NDArray[np.float64]) -> dict[str, float]:
    """Return precision, recall, density and coverage of features ours (M, D) by reals (N, D).

    precision: share of ours inside the neighbourhood of a real one (its radius: the distance to
    its third neighbour); recall the same the other way round. density: how many neighbourhoods
    (of five) ours fall into, as a share of what reals do, may exceed 1; coverage: share of the
    reals with one of ours in their neighbourhood. All depend on M and N: compare equal counts
    only. Raises ValueError for a set of fewer than six.
    """
    if min(len(ours), len(reals)) <= K_DENSITY:
        raise ValueError(f"a set of fewer than {K_DENSITY + 1} has no neighbourhoods")
    across = _squares(reals, ours)
    among_reals, among_ours = _squares(reals, reals), _squares(ours, ours)
    near = across <= _radii(among_reals, K_PRECISION)[:, None]
    back = across <= _radii(among_ours, K_PRECISION)[None]
    inside = across <= _radii(among_reals, K_DENSITY)[:, None]
    return {
        "precision": float(near.any(axis=0).mean()),
        "recall": float(back.any(axis=1).mean()),
        "density": float(inside.sum() / (K_DENSITY * len(ours))),
        "coverage": float(inside.any(axis=1).mean()),
    }


def _squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distances (M, N)."""
    squared = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)[None] - 2 * x @ y.T
    return np.maximum(squared, 0.0)


def _radii(squared: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the squared distance of each to its k-th neighbour, itself not counted."""
    return np.partition(squared, k, axis=1)[:, k]
