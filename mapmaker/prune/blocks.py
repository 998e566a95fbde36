"""Whether two pictures that were laid upon each other lie there: block by block, by their lines."""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.align import Fit
from mapmaker.prune.overlap import Overlap

_BLOCKS = 6  # a side
_LEAST_PX = 20  # of a block
_LINE_PX, _LIGHT_SIDE = 1.0, 19  # slower than this is light, not lines: sigma 8 of a Gauss
_EMPTY = 1.5  # levels: a block whose lines are fainter shows nothing
_SAME = 0.6  # blocks of one map correlate so
_STILL_PX = 0.35  # a block that is farther off than this does not lie in its place

Floats = NDArray[np.float32]


class Blocks(NamedTuple):
    """How many blocks show lines, the share found again near by, and the share in its place.

    at (n, 2): the middles x, y of those found, off (n, 2): how far the other shows them away, both
    in pixels of the overlap.
    """

    shown: int
    found: float
    still: float
    at: Floats
    off: Floats


def blocks(seen: Overlap, reach_px: int) -> Blocks:
    """Look for each block of the one in the other, at most `reach_px` of `Overlap.small` away."""
    a, b = map(_lines, seen.small)
    down, across = (max(1, min(_BLOCKS, (n - 2 * reach_px) // _LEAST_PX)) for n in a.shape)
    rows, columns = (
        np.linspace(reach_px, n - reach_px, parts + 1).astype(int).tolist()
        for n, parts in zip(a.shape, (down, across), strict=True)
    )
    count, at, off = 0, [], []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            block = a[top:bottom, left:right]
            around = b[top - reach_px : bottom + reach_px, left - reach_px : right + reach_px]
            if min(block.shape) < 2 or min(map(_spread, (block, around))) < _EMPTY:
                continue
            like = cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED)
            best = int(like.argmax())
            count += 1
            if like.flat[best] > _SAME:
                at.append(((left + right - 1) / 2, (top + bottom - 1) / 2))
                off.append(_off(like, *divmod(best, like.shape[1])))
    at, off = (np.array(p, np.float32).reshape(-1, 2) for p in (at, off))
    still = int((np.abs(off).max(axis=1, initial=0) < _STILL_PX).sum())
    part, times = 1 / max(1, count), round(len(seen.greys[0]) / len(a))
    at, off = (at + 0.5) * times - 0.5, off * times
    return Blocks(count, len(at) * part, still * part, at, off)


def moved(fit: Fit, seen: Overlap, found: Blocks) -> Fit:
    """Return the fit that lays the blocks where they were found; points is how many there were."""
    scale, shift = [], []
    for axis in (0, 1):
        at, off = found.at[:, axis], found.off[:, axis]
        slope, start = _line(at, at + off)
        # Pixel u of the overlap is at low + (u + 0.5) * px - 0.5 in the one.
        low = max(0.0, fit.shift[axis] + 0.5 - 0.5 * fit.scale[axis])
        px = seen.px[axis]
        place = ((fit.shift[axis] + 0.5 - low) / px - 0.5 - start) / slope
        scale.append(fit.scale[axis] / slope)
        shift.append(low + (place + 0.5) * px - 0.5)
    return Fit(fit.orientation, (scale[0], scale[1]), (shift[0], shift[1]), len(found.at))


def _line(here: Floats, there: Floats) -> tuple[float, float]:
    """Return slope and offset of there against here, the median where the blocks do not tell."""
    spread = here - here.mean()
    slope = 1 + float((spread * (there - here)).sum()) / max(float((spread * spread).sum()), 1.0)
    return slope, float(np.median(there - slope * here))


def _lines(grey: NDArray) -> Floats:
    # Light is blurred twice by a mean as broad, which is as good and takes a third of the time.
    light = cv2.blur(cv2.blur(grey, (_LIGHT_SIDE,) * 2), (_LIGHT_SIDE,) * 2)
    soft = cv2.GaussianBlur(grey, (0, 0), _LINE_PX)
    return cv2.subtract(soft, light).astype(np.float32, copy=False)


def _spread(grey: NDArray) -> float:
    return float(cv2.meanStdDev(grey)[1][0, 0])


def _off(like: NDArray, y: int, x: int) -> tuple[float, float]:
    """Return how far (x, y) from the middle the peak lies [px], between pixels as a parabola."""
    middle = like.shape[0] // 2
    off = [y - middle, x - middle]
    for axis, (line, at) in enumerate(((like[:, x], y), (like[y], x))):
        if 0 < at < len(line) - 1:
            before, here, after = line[at - 1 : at + 2].tolist()
            off[axis] += (before - after) / (2 * min(before - 2 * here + after, -1e-6))
    return off[1], off[0]
