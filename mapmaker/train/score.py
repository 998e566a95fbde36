"""A cheap distance between two small sets of pictures, to tell a run's better checkpoints apart.

Not for papers: `evaluate` has the real metrics. This one costs a second and needs no weights.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

SIDES_PX = (64, 32, 16)
PATCH_PX = 5
DIRECTIONS = 64
PATCHES = 64  # a picture and level


def distance(ours: Sequence[Image.Image], reals: Sequence[Image.Image]) -> float:
    """Return the sliced Wasserstein distance (x1000) of small patches, averaged over three scales.

    Pixels are 0..1 and patches are not normalised, so a colour cast counts. The same two sets give
    the same number. Source: after Karras et al. 2018, section 5, simplified.
    """
    rng = np.random.Generator(np.random.Philox(key=5))
    levels = [s for s in SIDES_PX if s <= max(PATCH_PX, ours[0].width)]
    totals = []
    for side in levels:
        directions = rng.standard_normal((3 * PATCH_PX**2, DIRECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        sides = [
            np.quantile(_patches(p, side, rng) @ directions, np.linspace(0, 1, 257), axis=0)
            for p in (ours, reals)
        ]
        totals.append(np.abs(sides[0] - sides[1]).mean())
    return float(1000 * np.mean(totals))


def _patches(
    pictures: Sequence[Image.Image], side: int, rng: np.random.Generator
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    found = []
    for picture in pictures:
        small = (
            np.asarray(picture.resize((side, side), Image.Resampling.BOX), dtype=np.float32) / 255
        )
        windows = np.lib.stride_tricks.sliding_window_view(small, (PATCH_PX, PATCH_PX), (0, 1))
        flat = windows.reshape(-1, 3 * PATCH_PX**2)
        found.append(flat[rng.integers(0, len(flat), PATCHES)])
    return np.concatenate(found)
