"""Sliced Wasserstein distance: do small patches look alike, scale by scale?

Source: Karras et al., Progressive Growing of GANs, ICLR 2018, section 5, from its description.
Blind to where things are, and each channel is normalised, so to colour casts as well: hence
`swd_colour`, the coarsest scale as it is.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mapmaker.evaluate.pictures import Floats, Images, random

COARSEST_PX = 16
PATCH_PX = 7
PATCHES = 128  # a picture and scale
DIRECTIONS = 512  # in the paper 4 times 128
MOST = 256  # pictures a set: 32,768 patches a scale
_VALUES = 3 * PATCH_PX**2
_PLACES, _DIRECTIONS = 1, 2  # purposes of random numbers


def sides(side_px: int) -> list[int]:
    """Return the sides [px] of the pyramid's scales: halved, rounded up, while 16 px remain."""
    found = [side_px]
    while (found[-1] + 1) // 2 >= COARSEST_PX:
        found.append((found[-1] + 1) // 2)
    return found


def patches(images: Images, seed: int) -> list[Floats]:
    """Return for each scale, finest first, the patches of all pictures: (N * 128, 147), 0..1.

    Picture i is cut at the same places in every set, so two equal sets give equal patches.
    """
    levels = sides(images.shape[1])
    found = [np.empty((len(images), PATCHES, _VALUES), np.float32) for _ in levels]
    places = [
        random(seed, _PLACES, level).integers(0, side - PATCH_PX + 1, (len(images), PATCHES, 2))
        for level, side in enumerate(levels)
    ]
    for number, image in enumerate(images):
        for level, scale in enumerate(_pyramid(image, len(levels))):
            windows = np.lib.stride_tricks.sliding_window_view(scale, (PATCH_PX, PATCH_PX), (0, 1))
            y, x = places[level][number].T
            found[level][number] = windows[y, x].reshape(PATCHES, _VALUES)
    return [level.reshape(-1, _VALUES) for level in found]


def _pyramid(image: Images, count: int) -> list[Floats]:
    """Return what each scale adds to the next coarser one, and the coarsest whole."""
    scale: Floats = image.astype(np.float32) / np.float32(255)
    scales: list[Floats] = []
    for _ in range(count - 1):
        coarse = cv2.pyrDown(scale)
        size = (scale.shape[1], scale.shape[0])
        scales.append((scale - cv2.pyrUp(coarse, dstsize=size)).astype(np.float32, copy=False))
        scale = coarse.astype(np.float32, copy=False)
    return [*scales, scale]


def distances(
    sets: Sequence[list[Floats]], reals: list[Floats], side_px: int, seed: int
) -> list[dict[str, float]]:
    """Return for each of `sets` swd_<side> of each scale, swd_mean and swd_colour, all x1000.

    Each is what `patches` gave for as many pictures of side_px as `reals` are. 0 for equal sets.
    """
    found: list[dict[str, float]] = [{} for _ in sets]
    scales = sides(side_px)
    for level, side in enumerate(scales):
        known = _sorted(_normal(reals[level]), seed, level)
        for row, ours in zip(found, sets, strict=True):
            row[f"swd_{side}"] = _distance(_sorted(_normal(ours[level]), seed, level), known)
    known = _sorted(reals[-1], seed, len(scales))
    for row, ours in zip(found, sets, strict=True):
        row["swd_mean"] = float(np.mean(list(row.values())))
        row["swd_colour"] = _distance(_sorted(ours[-1], seed, len(scales)), known)
    return found


def sliced_wasserstein(ours: Images, reals: Images, *, seed: int = 0) -> dict[str, float]:
    """Return `distances` between two sets of pictures; of the larger one the first are taken."""
    count = min(len(ours), len(reals), MOST)
    one, other = (patches(images[:count], seed) for images in (ours, reals))
    return distances([one], other, ours.shape[1], seed)[0]


def _normal(flat: Floats) -> Floats:
    """Return the patches with mean 0 and deviation 1 in each channel."""
    channels = flat.reshape(len(flat), 3, -1)
    mean = channels.mean(axis=(0, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    deviation = channels.std(axis=(0, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    return ((channels - mean) / np.maximum(deviation, 1e-6)).reshape(flat.shape)


def _sorted(flat: Floats, seed: int, level: int) -> Floats:
    """Return the patches seen along each random direction, sorted: (directions, patches)."""
    draw = random(seed, _DIRECTIONS, level)
    directions = draw.standard_normal((DIRECTIONS, _VALUES), dtype=np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    seen = directions @ flat.T
    seen.sort(axis=1)
    return seen


def _distance(ours: Floats, reals: Floats) -> float:
    return 1000 * float(np.abs(ours - reals).mean(dtype=np.float64))
