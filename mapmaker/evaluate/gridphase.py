"""Do the pictures carry the grid where packing put it: lines every cell, the first at the edge?

The pitch is known here. Finding one, as pruning does in scans, leaves out the 8 px of JPEG's blocks
and squares below 12 px: samples of 64 or 128 px have just these.
"""

import numpy as np
from numpy.typing import NDArray

from mapmaker.evaluate.pictures import Images

LEAST_CELL_PX = 4.0
_LEAST_SQUARES = 4
_GREY = np.array([0.299, 0.587, 0.114], np.float32)

Profiles = NDArray[np.float64]


def line_profiles(images: Images) -> Profiles:
    """Return how line-like each column and each row is: (N, 2, S), mean 1 in each profile.

    The mean along it of how much a pixel differs from the middle of its two neighbours.
    """
    found = np.empty((len(images), 2, images.shape[1]))
    for number, image in enumerate(images):
        grey = image.astype(np.float32) @ _GREY
        for axis, turned in enumerate((grey, grey.T)):
            bend = np.abs(turned[:, 1:-1] - (turned[:, :-2] + turned[:, 2:]) / 2).mean(axis=0)
            found[number, axis] = np.pad(bend, 1, mode="edge")
    return found / np.maximum(found.mean(axis=2, keepdims=True), 1e-6)


def comb(profiles: Profiles, cell_px: float, phase: float = 0.0) -> float:
    """Return how much more line-like the grid's lines are than the mean: 0 is no grid.

    phase is in cells: 0 lies where packing puts lines, 0.5 midway. A line that lies between two
    pixels counts as both of them do on average.
    """
    side = profiles.shape[2]
    count = round(side / cell_px)
    lines = (np.arange(1, count) + phase) * cell_px - 0.5
    before = np.floor(lines).astype(int).clip(0, side - 2)
    share = lines - before
    heights = profiles[..., before] * (1 - share) + profiles[..., before + 1] * share
    return float(heights.mean() - 1)


def likely_cell_px(profiles: Profiles) -> float:
    """Return the side of a square [px] at which the lines of these pictures fit best.

    Half a square has a line that is none every second time, two squares miss every second line:
    the fit times the root of the number of lines is best at the squares themselves.
    """
    side = profiles.shape[2]
    counts = range(_LEAST_SQUARES, int(side / LEAST_CELL_PX) + 1)
    return max((side / n for n in counts), key=lambda c: comb(profiles, c) * (side / c - 1) ** 0.5)
