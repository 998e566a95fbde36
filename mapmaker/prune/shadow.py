"""Where the shadows in a picture fall: light from one side is not to be mirrored or turned away.

An object ends sharply where its shadow begins, and the shadow ends softly; and beside the dark
outline of a thing the ground is darker on one side than on the other. Both are summed as vectors
over the whole picture: without a common light they cancel.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.finding import Finding
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

_TILES = 6  # a side: how well the parts of a picture agree is judged between them
_VOID = 12  # grey levels: ground that is nearly black is no shadow
_STEEPEST = 50.0  # grey levels a pixel: steeper edges count no more
_OUTLINE = np.ones((5, 5), np.uint8)  # dark lines narrower than this are outlines
_HARDLY = 1.2  # strength: with less the outlines are not asked
_FAINT, _BOLD = 12, 60  # grey levels of an outline

Floats = NDArray[np.float32]


def shadow(shot: Shot) -> dict[str, float]:
    """Return the signs of light from one side.

    shadow_degrees: where shadows fall, clockwise from the right, 0..360. shadow_strength: the sum
    of the picture's 36 parts over what parts of no common direction would add up to, 1 by chance.
    shadow_apart: degrees between what edges say and what outlines say, 0..180; 180 where edges
    say hardly anything.
    """
    grey = shot.small_grey
    if min(grey.shape) < 4 * _TILES:
        return _signs(0.0, 0.0, 180.0)
    lit = cv2.threshold(cv2.erode(grey, _OUTLINE), _VOID - 1, 255, cv2.THRESH_BINARY)[1]
    across, down = _slopes(grey, 0.8)
    steep = cv2.accumulateSquare(down, cv2.multiply(across, across))
    steep = cv2.threshold(steep, _STEEPEST**2, 0, cv2.THRESH_TRUNC)[1]
    edges, strength = _sum(across, down, cv2.copyTo(steep, lit))
    if strength < _HARDLY:
        return _signs(edges, strength, 180.0)
    closed = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, _OUTLINE)
    outlines = cv2.threshold(cv2.subtract(closed, grey), _FAINT, 0, cv2.THRESH_TOZERO)[1]
    outlines = cv2.threshold(outlines, _BOLD, 0, cv2.THRESH_TRUNC)[1]
    # The ground beside an outline is broad: half of the pixels a side say the same of it.
    weight, ground = (_halved(p) for p in (cv2.copyTo(outlines, lit), closed))
    beside, _ = _sum(*_slopes(ground, 1.0), weight)
    return _signs(edges, strength, _apart(edges, beside))


def _signs(degrees: float, strength: float, apart: float) -> dict[str, float]:
    return {
        "shadow_degrees": round(degrees, 1),
        "shadow_strength": round(strength, 3),
        "shadow_apart": round(apart, 1),
    }


def findings(signs: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return nothing: light from one side is no fault."""
    return []


def direction(signs: Mapping[str, float], limits: Limits) -> float | None:
    """Return where the shadows fall [degrees clockwise from the right], None when unsure."""
    table = limits["shadow"]
    sure = signs.get("shadow_strength", 0.0) >= table["strength"]
    agreed = signs.get("shadow_apart", 180.0) <= table["apart"]
    return signs["shadow_degrees"] if sure and agreed else None


def _slopes(grey: NDArray, sigma: float) -> tuple[Floats, Floats]:
    reach = 2 * round(2.5 * sigma) + 1
    smooth = cv2.GaussianBlur(grey, (reach, reach), sigma)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *axes, scale=1 / 8) for axes in ((1, 0), (0, 1)))
    return across.astype(np.float32, copy=False), down.astype(np.float32, copy=False)


def _halved(grey: NDArray) -> Floats:
    high, wide = (n // 2 for n in grey.shape)  # an odd last row would make it ten times as slow
    half = cv2.resize(grey[: 2 * high, : 2 * wide], (wide, high), interpolation=cv2.INTER_AREA)
    return half.astype(np.float32)


def _sum(across: Floats, down: Floats, weight: NDArray) -> tuple[float, float]:
    # Darkness grows against the slopes of brightness.
    parts = [_tiled(cv2.multiply(weight, slope)) for slope in (across, down)]
    x, y = (-float(part.sum()) for part in parts)
    by_chance = float(np.sqrt(sum((part**2).sum() for part in parts)))
    return float(np.degrees(np.arctan2(y, x))) % 360, float(np.hypot(x, y)) / (by_chance + 1e-9)


def _tiled(values: NDArray) -> Floats:
    """Return the mean of each of 6 x 6 parts; rows and columns that are left over do not count."""
    high, wide = (n // _TILES for n in values.shape)
    bands = values[: _TILES * high].reshape(_TILES, high, -1).sum(axis=1)
    return bands[:, : _TILES * wide].reshape(_TILES, _TILES, wide).sum(axis=2) / (high * wide)


def _apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)
