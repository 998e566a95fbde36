"""Kernel distance between two sets of features: the K of KID, without bias at any count."""

import numpy as np
from numpy.typing import NDArray


def kernel_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the squared maximum mean discrepancy of x (M, D) and y (N, D), x1000.

    Unbiased: 0 in the mean for two samples of one thing, a little below or above each time; for
    a set and itself below 0. Kernel (x.y / D + 1)^3. Source: Binkowski et al., Demystifying MMD
    GANs, ICLR 2018. Raises ValueError for a set of fewer than two.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError("a set of fewer than two has no spread")
    within = [_kernel(s, s) for s in (x, y)]
    apart = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in within]
    return float(1000 * (sum(apart) - 2 * _kernel(x, y).mean()))


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x @ y.T / x.shape[1] + 1) ** 3
