"""How good is a net, by numbers that each see something else, always beside what is real.

Nothing heavy is imported until something is measured, so that the command line stays quick.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["measure"]


def measure(
    ours: "NDArray[np.uint8]",
    train: "NDArray[np.uint8]",
    held_out: "NDArray[np.uint8]",
    *,
    seed: int = 0,
    cell_px: float | None = None,
    groups: "NDArray[np.int64] | None" = None,
) -> dict[str, float]:
    """Return every metric of generated pictures: `measuring.measure`, which says the rest."""
    from mapmaker.evaluate import measuring

    return measuring.measure(ours, train, held_out, seed=seed, cell_px=cell_px, groups=groups)
