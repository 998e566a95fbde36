"""Whether a picture is as sharp as its size promises: judged at native resolution.

Painted maps are soft in places, so what is asked is how sharp the sharpest places are. A picture
that was blurred or enlarged is sharp nowhere, whatever it shows, and JPEG does not make it so.
"""

import math
from collections.abc import Mapping
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.finding import Finding, Level
from mapmaker.prune.median import median, quantile
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

NO_DETAIL = -6.0
_PATCH_PX, _PATCHES = 96, 4
_FINE, _COARSE = (0.3, 0.45), (0.1, 0.2)  # cycles a pixel: blur and enlarging lose the first
_LINES = 96  # rows and columns looked at, at most
_REACH = np.ones((1, 9), np.uint8)  # an edge is what rises within so many pixels
_PEAK = np.ones((1, 5), np.uint8)
_STRONG = 0.03  # share of a picture's steepest places that are looked at
_LEAST_RISE = 24  # grey levels: below it noise and JPEG draw their own edges
_LEAST_EDGES = 50
_SHARPEST = 0.98  # quantile
_LOUDEST = 32  # grey levels: no single wall outweighs the texture
_JPEG_PX = 8
_PIECE_PX = 48
_LIVELY = 0.3  # grey levels
_FLATTEST = -2.5  # less fineness than this says no more
_BEATS = ("sharp_beat2", "sharp_beat3", "sharp_beat4", "sharp_bend4")

Bytes = NDArray[np.uint8]


def sharpness(shot: Shot) -> dict[str, float]:
    """Return how sharp a picture is, from its brightness at native resolution.

    sharp_fine: `fineness`. sharp_edge: the share (0..1) of a strong edge's rise that happens from
    one pixel to the next, at the sharpest 2 % of them; 1 where the picture has no edge to tell by.
    The others, 0..1, are `beat`s, which only enlarging makes: sharp_beat2, 3, 4 of the differences
    between neighbours; sharp_bend4 of the differences between these.
    """
    grey = shot.grey
    found = [_along(grey, axis) for axis in (0, 1) if grey.shape[axis] > _REACH.size]
    if not found:
        return dict.fromkeys(_BEATS, 0.0) | {"sharp_fine": fineness(grey), "sharp_edge": 1.0}
    steep = np.concatenate([steep for steep, _ in found])
    edge = quantile(steep, _SHARPEST) if len(steep) >= _LEAST_EDGES else 1.0
    beats = np.min([beats for _, beats in found], axis=0)  # things in a row beat one way only
    signs = dict(zip(_BEATS, map(float, beats), strict=True))
    return signs | {"sharp_fine": fineness(grey), "sharp_edge": edge}


def crispness(signs: Mapping[str, float], limits: Limits) -> float:
    """Return how sharp a picture is, all things told: real maps have 0.4..1, spoilt ones less."""
    weights = limits["sharpness"]
    fine, beat = max(signs["sharp_fine"], _FLATTEST), signs["sharp_beat2"]
    return signs["sharp_edge"] + weights["fine_weight"] * fine + weights["beat_weight"] * beat


def findings(signs: Mapping[str, float], limits: Limits, side_px: int) -> list[Finding]:
    """Return whether a picture was enlarged or blurred: at most one of the two.

    side_px is its shorter side. It is to be dropped when so little is left of it that a picture
    with as much detail would be too small; a large one a person may want to shrink instead.
    """
    cuts = limits["sharpness"]
    for factor in (2, 3, 4):
        if signs[f"sharp_beat{factor}"] >= cuts[f"copies{factor}"]:
            left_px = side_px // factor
            reason = f"enlarged by {factor}, pixel by pixel, from {left_px} px"
            return [Finding("enlarged", _level(left_px, limits), reason)]
    crisp = crispness(signs, limits)
    if crisp >= cuts["soft"]:
        return []
    left_px = round(side_px * signs["sharp_edge"])
    level = _level(left_px, limits) if crisp < cuts["blurred"] else "look"
    by = any(signs[name] >= cuts[name.removeprefix("sharp_")] for name in _BEATS)
    rule, said = ("enlarged", "enlarged") if by else ("blurry", "out of focus, or enlarged")
    return [Finding(rule, level, f"{said}: as sharp as a picture of about {left_px} px would be")]


def _level(left_px: int, limits: Limits) -> Level:
    return "drop" if left_px < limits.min_side_px else "look"


def fineness(grey: Bytes) -> float:
    """Return log10 of the energy at 0.3-0.45 cycles a pixel over that at 0.1-0.2; -6 at least.

    From sixteen patches spread over the picture (H, W), at native resolution. Painted maps have
    -1.2..0.1, also when scaled down; enlarged twice -1.9..-1.4, blurred by a pixel -2.7..-1.5.
    """
    side = min(_PATCH_PX, *grey.shape)
    window, is_fine, is_coarse = _waves(side)
    energy = np.zeros((side, side), np.float32)
    for top in _spread(grey.shape[0] - side):
        for left in _spread(grey.shape[1] - side):
            patch = grey[top : top + side, left : left + side]
            level = np.float32(cv2.mean(patch)[0])
            cv2.accumulateSquare(cv2.dft((patch - level) * window), energy)
    fine, coarse = float(energy[is_fine].sum()), float(energy[is_coarse].sum())
    return max(NO_DETAIL, math.log10(max(fine / coarse, 1e-6))) if coarse > 0 else NO_DETAIL


def _spread(last: int) -> list[int]:
    """Return where patches begin along a side, evenly from 0 to the last place, each place once."""
    return sorted({int(last * n / (_PATCHES - 1)) for n in range(_PATCHES)})


@cache
def _waves(side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a window, and where cv2.dft puts the fine and the coarse waves of a patch.

    It packs real and imaginary parts side by side; its first and last column are packed otherwise
    and left out.
    """
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    down = np.abs(np.fft.fftfreq(side))
    across = (np.arange(side) + 1) // 2 / side
    waves = np.maximum(down[:, None], across[None, :])
    waves[:, [0, -1]] = np.nan
    is_fine, is_coarse = ((waves > low) & (waves < high) for low, high in (_FINE, _COARSE))
    return window, is_fine, is_coarse


def _along(grey: Bytes, axis: int) -> tuple[NDArray[np.float32], list[float]]:
    """Return how steep the strong edges along one axis are, and the beats named in _BEATS."""
    every = -(-grey.shape[1 - axis] // _LINES)
    lines = grey[::every] if axis else cv2.transpose(np.ascontiguousarray(grey[:, ::every]))
    lines = np.ascontiguousarray(lines, np.uint8)
    step = cv2.absdiff(lines[:, 1:], lines[:, :-1])
    bend = cv2.absdiff(step[:, 1:], step[:, :-1])
    rise = cv2.subtract(cv2.dilate(lines, _REACH), cv2.erode(lines, _REACH))[:, 1:]
    counts = np.cumsum(cv2.calcHist([rise[::4]], [0], None, [256], [0, 256]))
    strong = max(_LEAST_RISE, int(np.searchsorted(counts, (1 - _STRONG) * counts[-1])))
    peak = cv2.compare(step, cv2.dilate(step, _PEAK), cv2.CMP_EQ)
    edges = cv2.bitwise_and(peak, cv2.compare(rise, np.array([strong]), cv2.CMP_GE))
    places = np.flatnonzero(edges > 0)
    steep = step.ravel()[places].astype(np.float32) / rise.ravel()[places]
    steps, bends = _profile(step), _profile(bend)
    eights = _pieces(steps, _JPEG_PX)
    found = (eights, 2), (_pieces(steps, 6), 3), (eights, 4), (_pieces(bends, _JPEG_PX), 4)
    return steep, [_beat(pieces, factor) for pieces, factor in found]


def _profile(values: NDArray) -> NDArray[np.float32]:
    clipped = cv2.min(values, np.array([_LOUDEST]))
    return cv2.reduce(clipped, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel().astype(np.float32)


def beat(profile: NDArray[np.float32], factor: int) -> float:
    """Return how much more every `factor`-th place of a profile holds than those between, 0..1.

    A picture enlarged by a whole factor has it all along: even the least of these places is more
    than the mean of the others, which neither JPEG's blocks nor a map's own squares of 8 or 16 px
    bring about. Judged in pieces, so that a factor that is not quite whole shows it too, by the
    piece in the middle; pieces where nothing happens are left out.
    """
    return _beat(_pieces(profile, _JPEG_PX if _JPEG_PX % factor == 0 else 2 * factor), factor)


def _pieces(profile: NDArray[np.float32], period: int) -> NDArray[np.float32]:
    """Return what is usual at each place of a period, for each lively piece (n, period)."""
    pieces = len(profile) // _PIECE_PX
    if not pieces:
        return np.empty((0, period), np.float32)
    places = profile[: pieces * _PIECE_PX].reshape(pieces, -1, period)
    places = median(places.transpose(0, 2, 1))
    return places[places.max(axis=1) > _LIVELY]


def _beat(places: NDArray[np.float32], factor: int) -> float:
    if not len(places):
        return 0.0
    period = places.shape[1]
    phases = places.reshape(len(places), -1, factor)
    least, sums = phases.min(axis=1), phases.sum(axis=1)
    rest = (places.sum(axis=1)[:, None] - sums) / (period - period // factor)
    beats = ((least - rest) / (least + rest + 1e-6)).max(axis=1)
    return max(0.0, float(median(beats)))
