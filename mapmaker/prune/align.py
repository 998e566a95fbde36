"""Where one picture lies in another: turned by quarters or mirrored, larger or smaller, a part."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.picture import open_picture

CENTRE_PX = 512
SIDE_PX = 768  # pictures are compared at most this large
_FIND_PX = 448  # and searched for each other's points at most this large
_POINTS = 700
_SIFT_SHIFT_PX = 0.25  # OpenCV's SIFT says so much too much (measured on turned pictures)
_RATIO = 0.9  # a match must be nearer than this times the second best
_LEAST_MATCHES = 6
_NEAR_PX = 3.0  # how far from the fit a point may lie
_QUARTER = 12.0  # degrees a match may lie off a quarter turn
_SCALES = (1 / 8, 8.0)
_TRIES = 600
_VOTERS = 150  # pairs of points that every try is held against

# `hashes.turn` for 0..3 quarter turns counter-clockwise, of a picture as it is and mirrored.
_TURNS = ((0, 6, 3, 5), (1, 4, 2, 7))

Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """A picture at most SIDE_PX a side: rgb uint8 (h, w, 3); size (width, height) of the file.

    centre is the grey middle of the picture as the file has it, at most CENTRE_PX a side.
    """

    rgb: Pixels
    size: tuple[int, int]
    centre: Pixels

    @cached_property
    def grey(self) -> Pixels:
        """Its brightness (h, w)."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)

    @cached_property
    def points(self) -> tuple[Points, NDArray[np.float32]]:
        """What `find` knows it by: (n, 3) x, y [px], angle [degrees], and (n, 128) signs."""
        return _points(self.rgb)


@dataclass(frozen=True)
class Fit:
    """The other picture, turned by `orientation`, lies at one = scale * other + shift [px].

    scale and shift are (x, y), in pixels of the two views; points is how many agreed on it.
    """

    orientation: int
    scale: tuple[float, float]
    shift: tuple[float, float]
    points: int = 0


def view(path: Path) -> View:
    """Open a picture to compare it. Raises as `open_picture` does."""
    return seen(np.asarray(open_picture(path)))


def seen(rgb: Pixels) -> View:
    """Return the view of decoded pixels (H, W, 3)."""
    height, width = rgb.shape[:2]
    top, left = (max(0, (side - CENTRE_PX) // 2) for side in (height, width))
    middle = np.ascontiguousarray(rgb[top : top + CENTRE_PX, left : left + CENTRE_PX])
    grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    return View(reduced(rgb, SIDE_PX), (width, height), grey)


def reduced(pixels: Pixels, side_px: int) -> Pixels:
    """Return an array (H, W, ...) averaged by area to at most `side_px` a side."""
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def turned(rgb: Pixels, orientation: int) -> Pixels:
    """Return pixels (h, w, ...) in one of the eight orientations."""
    rgb = rgb.swapaxes(0, 1) if orientation & 4 else rgb
    rgb = rgb[::-1] if orientation & 2 else rgb
    return np.ascontiguousarray(rgb[:, ::-1] if orientation & 1 else rgb)


def whole(one: View, other: View, orientation: int) -> Fit:
    """Return the fit that lays all of the other over all of the one."""
    height, width = one.rgb.shape[:2]
    other_height, other_width = turned(other.rgb, orientation).shape[:2]
    scale = (width / other_width, height / other_height)
    return Fit(orientation, scale, (0.5 * scale[0] - 0.5, 0.5 * scale[1] - 0.5))


def find(one: View, other: View, orientation: int | None = None) -> Fit | None:
    """Return where the other lies in the one by the points they share, or None."""
    points, signs = one.points
    others = other.points
    height, width = other.rgb.shape[:2]
    best: Fit | None = None
    for mirrored in (0, 1) if orientation is None else (orientation in _TURNS[1],):
        other_points, other_signs = _mirrored(*others, width) if mirrored else others
        pairs = _matches(signs, other_signs)
        if len(pairs) < _LEAST_MATCHES:
            continue
        here, there = points[pairs[:, 0]], other_points[pairs[:, 1]]
        # SIFT angles grow clockwise; a match turned by +90 needs the other turned clockwise.
        angle = here[:, 2] - there[:, 2]
        off = (angle + 90 * np.arange(4)[:, None] + 180) % 360 - 180
        agrees = np.abs(off) < _QUARTER
        counts = agrees.sum(axis=1)
        for quarter in np.flatnonzero(counts >= max(_LEAST_MATCHES, counts.max() / 2)).tolist():
            agree, code = agrees[quarter], _TURNS[int(mirrored)][quarter]
            if orientation is not None and code != orientation:
                continue
            fit = _fit(here[agree, :2], _quarters(there[agree, :2], quarter, width, height), code)
            if fit and (best is None or fit.points > best.points):
                best = fit
    return best


def _points(rgb: Pixels) -> tuple[Points, NDArray[np.float32]]:
    """Return (n, 3) x, y [px of the view], angle [degrees] of its points, and (n, 128) signs."""
    small = reduced(rgb, _FIND_PX)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    found, signs = cv2.SIFT.create(nfeatures=_POINTS, contrastThreshold=0.02).detectAndCompute(
        grey, None
    )
    if signs is None or not found:
        return np.empty((0, 3)), np.empty((0, 128), np.float32)
    scale = np.divide(rgb.shape[1::-1], small.shape[1::-1])
    points = np.array([(*p.pt, p.angle) for p in found])
    points[:, :2] = (points[:, :2] + 0.5 - _SIFT_SHIFT_PX) * scale - 0.5
    signs = np.sqrt(signs / np.maximum(signs.sum(axis=1, keepdims=True), 1e-6))
    return points, signs.astype(np.float32)


def _mirrored(
    points: Points, signs: NDArray[np.float32], width: int
) -> tuple[Points, NDArray[np.float32]]:
    """Return what `_points` gives of the picture seen in a mirror, left for right.

    A sign is 4 x 4 places of 8 directions, along and across the point's own: a mirror flips the
    places across and turns the directions the other way round.
    """
    x, y, angle = points.T
    places = signs.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8]
    return np.stack([width - 1 - x, y, 180 - angle], axis=1), places.reshape(-1, 128)


def _matches(signs: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return (n, 2) indices of points that are each other's nearest, and clearly so."""
    if len(signs) < 2 or len(others) < 2:
        return np.empty((0, 2), np.intp)
    like = signs @ others.T
    there, back = like.argmax(axis=1), like.argmax(axis=0)
    second = np.partition(like, -2, axis=1)[:, -2]
    here = np.arange(len(signs))
    best = like[here, there]
    apart = (2 - 2 * best) < _RATIO**2 * (2 - 2 * second) + 1e-9
    chosen = here[(back[there] == here) & apart]
    return np.stack([chosen, there[chosen]], axis=1)


def _quarters(points: Points, quarter: int, width: int, height: int) -> Points:
    """Return where points (x, y) of a width x height picture are after quarter turns (np.rot90)."""
    x, y = points[:, 0], points[:, 1]
    if quarter == 1:
        x, y = y, width - 1 - x
    elif quarter == 2:
        x, y = width - 1 - x, height - 1 - y
    elif quarter == 3:
        x, y = height - 1 - y, x
    return np.stack([x, y], axis=1)


def _fit(here: Points, there: Points, orientation: int) -> Fit | None:
    """Return the scale and shift most of the pairs of points agree on, or None."""
    rng = np.random.Generator(np.random.Philox(len(here)))
    a, b = rng.integers(0, len(here), (2, _TRIES))
    away, far = (np.linalg.norm(p[a] - p[b], axis=1) for p in (here, there))
    scale = away / np.maximum(far, 1e-6)
    use = (away > 10) & (far > 10) & (scale > _SCALES[0]) & (scale < _SCALES[1])
    a, scale = a[use], scale[use]
    if not len(a):
        return None
    shift = here[a] - scale[:, None] * there[a]
    limit = _NEAR_PX * np.maximum(1.0, scale)
    some = slice(None, None, max(1, len(here) // _VOTERS))
    counts = _near(here[some], there[some], scale, shift, limit).sum(axis=1)
    best = [int(counts.argmax())]
    near = _near(here, there, scale[best], shift[best], limit[best])[0]
    if near.sum() < _LEAST_MATCHES:
        return None
    x, y = (_line(there[near, axis], here[near, axis], float(scale[best[0]])) for axis in (0, 1))
    return Fit(orientation, (x[0], y[0]), (x[1], y[1]), int(near.sum()))


def _near(
    here: Points, there: Points, scale: NDArray, shift: Points, limit: NDArray
) -> NDArray[np.bool_]:
    """Return (tries, n) which points lie where each try says, within its limit."""
    off = [np.abs(here[:, k] - scale[:, None] * there[:, k] - shift[:, k, None]) for k in (0, 1)]
    return np.maximum(*off) < limit[:, None]


def _line(there: NDArray, here: NDArray, scale: float) -> tuple[float, float]:
    """Return slope and offset, the slope as given where the points do not tell."""
    spread = there.std()
    slope = np.cov(there, here)[0, 1] / np.var(there, ddof=1) if spread > 15 else scale
    if abs(slope / scale - 1) > 0.03:
        slope = scale
    return float(slope), float(np.median(here - slope * there))
