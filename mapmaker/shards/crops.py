"""Where the crops of a picture lie: whole squares of its grid, evenly over what is not surround."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

MIN_CELL_PX = 4.0  # below this a grid cannot be told from texture
SLACK_PX, SLACK = 0.5, 0.015  # a square cut short by this little, px and share of it, is whole
DARK = 16  # a pixel whose brightest channel is below this is surround
OTHER = 16  # levels by which a colour differs clearly in one channel
BRIGHT = 160  # what the brightest parts of a picture come to, if it is not a dark one
THUMB_PX = 256


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the upright picture: left, top and side in its pixels, `squares` cells wide.

    squares is 0 where the grid is unknown. index numbers the candidates of one picture.
    """

    index: int
    left: float
    top: float
    side: float
    squares: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.left + self.side, self.top + self.side


def place(
    image: Image.Image,
    grid: Mapping[str, Any] | None,
    *,
    squares: int,
    limit: int,
    max_dark: float,
    min_detail: float = 0.0,
) -> tuple[list[Crop], int]:
    """Return up to `limit` crops of an upright picture, and how many more were nearly empty.

    With a grid {"cell_px", "phase"} every crop is whole squares at phase 0: `squares` of them a
    side, or as many as a smaller map has. None is mostly black surround, but the least dark may
    stay when all are. One is nearly empty when less than `min_detail` of it has another colour
    than most of it; of a picture that is empty all over nothing is left.
    """
    small = _small(image)
    dark = small.max(axis=2) < DARK
    area = _content(dark, image.size)
    found = _on_grid(image.size, area, grid, squares, limit) or _anywhere(image.size, area, limit)
    full = [crop for crop in found if detail(small, crop, image.size) >= min_detail]
    shares = [float(_part(dark, crop, image.size).mean()) for crop in full]
    bright = [crop for crop, share in zip(full, shares, strict=True) if share <= max_dark]
    least = [full[int(np.argmin(shares))]] if full else []
    return bright or least, len(found) - len(full)


def _on_grid(
    size: tuple[int, int],
    area: tuple[float, float, float, float],
    grid: Mapping[str, Any] | None,
    squares: int,
    limit: int,
) -> list[Crop]:
    if not grid or not MIN_CELL_PX <= grid["cell_px"] <= min(size):
        return []
    cell = float(grid["cell_px"])
    phases = [float(p) % cell for p in grid["phase"]]
    slack = min(SLACK_PX, SLACK * cell)  # what a crop may slip: under a pixel of a sample
    phases = [p - cell if cell - p < slack else p for p in phases]
    spans = []
    for axis in (0, 1):
        cells = math.floor((size[axis] - phases[axis] + slack) / cell)
        first = math.floor((area[axis] - phases[axis]) / cell)
        last = math.ceil((area[axis + 2] - phases[axis]) / cell)
        spans.append((cells, max(0, first), min(cells, last)))
    side = min(squares, spans[0][0], spans[1][0])
    if side < 1:
        return []
    columns, rows = (_widen(first, last, side, cells) for cells, first, last in spans)
    counts = _counts(columns[1] - columns[0], rows[1] - rows[0], side, limit)
    px = min(side * cell, *size)
    places = [
        (_inside(phases[0] + x * cell, px, size[0]), _inside(phases[1] + y * cell, px, size[1]))
        for y in _offsets(*rows, side, counts[1])
        for x in _offsets(*columns, side, counts[0])
    ]
    return [Crop(i, x, y, px, side) for i, (x, y) in enumerate(places)]


def _anywhere(
    size: tuple[int, int], area: tuple[float, float, float, float], limit: int
) -> list[Crop]:
    """Return the largest squares of a picture whose grid nobody knows."""
    inner = min(area[2] - area[0], area[3] - area[1])
    side = math.floor(min(max(inner, min(size) / 2), *size))
    columns = _widen(math.floor(area[0]), math.ceil(area[2]), side, size[0])
    rows = _widen(math.floor(area[1]), math.ceil(area[3]), side, size[1])
    counts = _counts(columns[1] - columns[0], rows[1] - rows[0], side, limit)
    places = [
        (x, y)
        for y in _offsets(*rows, side, counts[1])
        for x in _offsets(*columns, side, counts[0])
    ]
    return [Crop(i, x, y, side, 0) for i, (x, y) in enumerate(places)]


def _widen(first: int, last: int, side: int, length: int) -> tuple[int, int]:
    """Return a span around [first, last) that holds one crop and stays within 0..length."""
    missing = max(0, side - (last - first))
    first = min(max(0, first - missing // 2), length - side)
    return first, min(length, max(last, first + side))


def _counts(width: int, height: int, side: int, limit: int) -> tuple[int, int]:
    """Return how many crops to lay along x and y: covering most, each at least a third new."""

    def most(length: int) -> int:
        return min(math.ceil(length / side), 1 + (length - side) // math.ceil(side / 3))

    def covered(pair: tuple[int, int]) -> tuple[float, int, int]:
        x, y = pair
        return min(width, x * side) * min(height, y * side), -x * y, -abs(x - y)

    pairs = [
        (x, y)
        for x in range(1, min(most(width), limit) + 1)
        for y in range(1, min(most(height), limit // x) + 1)
    ]
    return max(pairs, key=covered)


def _offsets(first: int, last: int, side: int, count: int) -> list[int]:
    room = last - first - side
    if count == 1:
        return [first + room // 2]
    return [first + round(room * i / (count - 1)) for i in range(count)]


def _inside(start: float, side: float, length: float) -> float:
    return min(max(0.0, start), length - side)


def detail(small: np.ndarray, crop: Crop, size: tuple[int, int]) -> float:
    """Return the share of a crop, 0..1, that has clearly another colour than most of it.

    small is the whole picture, shrunk: thin grid lines and paper's grain are gone from it. In a
    dark picture smaller differences are clear.
    """
    part = _part(small, crop, size).reshape(-1, 3)
    clear = min(OTHER, OTHER * float(np.percentile(small, 99)) / BRIGHT)
    return float((np.abs(part - np.median(part, axis=0)).max(axis=1) > clear).mean())


def _small(image: Image.Image) -> np.ndarray:
    """Return the picture as uint8 (h, w, 3), at most THUMB_PX a side."""
    scale = min(1.0, THUMB_PX / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def _content(dark: np.ndarray, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom [px of the picture] of all that is not black border."""
    height, width = dark.shape
    xs = np.flatnonzero(dark.mean(axis=0) < 0.97)
    ys = np.flatnonzero(dark.mean(axis=1) < 0.97)
    if not len(xs) or not len(ys):
        return 0.0, 0.0, float(size[0]), float(size[1])
    kx, ky = size[0] / width, size[1] / height
    return xs[0] * kx, ys[0] * ky, (xs[-1] + 1) * kx, (ys[-1] + 1) * ky


def _part(small: np.ndarray, crop: Crop, size: tuple[int, int]) -> np.ndarray:
    """Return what of a shrunk picture lies in a crop, at least a pixel."""
    ky, kx = small.shape[0] / size[1], small.shape[1] / size[0]
    left, top, right, bottom = crop.box
    return small[
        math.floor(top * ky) : max(math.ceil(bottom * ky), math.floor(top * ky) + 1),
        math.floor(left * kx) : max(math.ceil(right * kx), math.floor(left * kx) + 1),
    ]
