"""Which of two pictures bears what was laid over one of them.

What is drawn over a map ends along its own outline: the edge of a letter or a band runs across the
ground that goes on, undisturbed, in the clean one.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.compare import line
from mapmaker.prune.overlap import GREY, Floats, Overlap

# Log-odds for each difference between the two, fitted on overlays of eleven kinds planted on one
# half of the maps: right for 99 of 100 on the other half.
_ALONG, _STEP, _STRANGE, _CLOUDED = 6.2, 0.5, 4.1, 2.2
SURE = 1.5  # log-odds: less is a guess
_LEAST_RIM = 20  # pixels of outline that tell anything
_BINS = 16  # colours are counted in so many steps a channel

Mask = NDArray[np.bool_]


def bearer(seen: Overlap, spot: Mask) -> float:
    """Return the log-odds that b rather than a bears what differs in `spot`; 0: cannot be told.

    spot: (h, w), true where an overlay is. Four differences between the two
    count: how squarely their edges meet the outline, the step across it, how strange the colours
    inside are to those around it, and contrast lost under half-transparent paint.
    """
    across = _normals(spot)
    around = _grown(spot, 12) & ~_grown(spot, 2)
    if across is None or around.sum() < _LEAST_RIM:
        return 0.0
    one, other = (_signs(p, spot, around, *across) for p in (seen.a, seen.b))
    along, step, strange = other - one
    told = _ALONG * along + _STEP * step + _STRANGE * strange
    return float(told + _CLOUDED * _clouded(seen.a @ GREY, seen.b @ GREY, spot))


def _normals(spot: Mask) -> tuple[tuple[NDArray, NDArray], NDArray] | None:
    """Return where the outline runs (rows, columns) and the normals (n, 2) on it, or None."""
    rim = cv2.morphologyEx(spot.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    rim[:3], rim[-3:], rim[:, :3], rim[:, -3:] = 0, 0, 0, 0
    y, x = np.nonzero(rim)
    if len(y) < _LEAST_RIM:
        return None
    soft = cv2.GaussianBlur(spot.astype(np.float32), (0, 0), 1.5)
    normals = np.stack([cv2.Sobel(soft, cv2.CV_32F, *d)[y, x] for d in ((1, 0), (0, 1))], axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (y, x), normals / np.maximum(length, 1e-6)


def _signs(
    p: Floats, spot: Mask, around: Mask, at: tuple[NDArray, NDArray], normals: NDArray
) -> NDArray:
    """Return of one picture: how squarely edges meet the outline, the step, what is strange."""
    soft = cv2.GaussianBlur(p @ GREY, (0, 0), 1.0)
    slopes = np.stack([cv2.Sobel(soft, cv2.CV_32F, *d)[at] for d in ((1, 0), (0, 1))], axis=1)
    steep = np.linalg.norm(slopes, axis=1)
    along = np.abs((slopes * normals).sum(axis=1)).sum() / (steep + 1).sum()
    inside = spot.astype(np.float32)[..., None]
    means = []
    for weight in (inside, 1 - inside):
        total = cv2.blur(weight, (5, 5))[at]
        means.append(cv2.blur(p * weight, (5, 5))[at] / np.maximum(total, 1e-3)[:, None])
    step = math.log1p(float(np.abs(means[0] - means[1]).mean()))
    strange = -np.minimum(_colours(p[spot]), _colours(p[around])).sum()
    return np.array([along, step, strange])


def _colours(rgb: Floats) -> NDArray:
    """Return the softened shares of colours (n, 3) in _BINS steps a channel; they sum up to 1."""
    red, green, blue = (rgb / (256 / _BINS)).clip(0, _BINS - 1).astype(np.intp).T
    counts = np.bincount((red * _BINS + green) * _BINS + blue, minlength=_BINS**3)
    shares = counts.reshape(_BINS, _BINS, _BINS) / len(rgb)
    for axis in range(3):
        shares = (np.roll(shares, 1, axis) + 2 * shares + np.roll(shares, -1, axis)) / 4
    return shares


def _clouded(a: NDArray, b: NDArray, spot: Mask) -> float:
    """Return how much more contrast (as a logarithm) a has in the spots that b shows as well."""
    u, v = a[spot], b[spot]
    gain, offset = line(u, v)
    error = np.abs(gain * u + offset - v)
    clear = error <= np.percentile(error, 70)  # the rims of letters are half glass
    u, v = u[clear], v[clear]
    if min(u.std(), v.std()) <= 1:
        return 0.0
    through = max(0.0, float(np.corrcoef(u, v)[0, 1]))
    return through**2 * math.log((u.std() + 0.5) / (v.std() + 0.5))


def _grown(mask: Mask, px: int) -> Mask:
    side = 2 * px + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
