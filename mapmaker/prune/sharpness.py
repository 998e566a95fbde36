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

from mapmaker.prune.finding import Finding
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

NO_DETAIL = -6.0
_PATCH_PX, _PATCHES = 128, 4
_FINE, _COARSE = (0.3, 0.45), (0.1, 0.2)  # cycles a pixel: blur and enlarging lose the first
_PEAK_PX = 5
_REACH_PX = 9  # an edge is what rises within so many pixels
_STRONG = 0.03  # share of a picture's steepest places that are looked at
_LEAST_RISE = 24  # grey levels: below it noise and JPEG draw their own edges
_LEAST_EDGES = 50
_SHARPEST = 0.98  # quantile
_LOUDEST = 32  # grey levels: no single wall outweighs the texture
_JPEG_PX = 8
_LEAST_BEAT = 0.003
_FACTORS = (2, 3, 4)


def sharpness(shot: Shot) -> dict[str, float]:
    """Return how sharp a picture is, from its brightness at native resolution.

    sharp_fine: `fineness`. sharp_edge: the share (0..1) of a strong edge's rise that happens from
    one pixel to the next, at the sharpest 2 % of them; 1 where the picture has no edge to tell by.
    sharp_beat: how much two neighbouring columns or rows differ by turns more and less (0..1), as
    they do after enlarging by two. sharp_steps: the same for copied pixels (`nearest`), for the
    factor in sharp_factor, in the direction where it is weaker; 1 is nothing but copies.
    """
    grey = shot.grey
    edges: list[NDArray[np.float32]] = []
    profiles: list[NDArray[np.float32]] = []
    for axis in (0, 1):
        if grey.shape[axis] > 1:
            step, rise = _steps(grey, axis)
            edges.append(_steepness(step, rise, axis))
            profiles.append(cv2.reduce(np.minimum(step, _LOUDEST), 1 - axis, cv2.REDUCE_AVG,
                                       dtype=cv2.CV_32F).ravel())  # fmt: skip
    steep = np.concatenate(edges) if edges else np.empty(0, np.float32)
    known = len(steep) >= _LEAST_EDGES
    steps, factor = max((_copied(profiles, factor), factor) for factor in _FACTORS)
    return {
        "sharp_fine": fineness(grey),
        "sharp_edge": float(np.quantile(steep, _SHARPEST)) if known else 1.0,
        "sharp_beat": float(np.mean([_beat(p) for p in profiles])) if profiles else 0.0,
        "sharp_steps": steps,
        "sharp_factor": float(factor),
    }


def crispness(signs: Mapping[str, float], limits: Limits) -> float:
    """Return how sharp a picture is, all things told: real maps have 0.65..1.3, soft ones less."""
    weights = limits["sharpness"]
    beat = math.log10(max(signs["sharp_beat"], _LEAST_BEAT))
    fine = weights["fine_weight"] * signs["sharp_fine"] + weights["beat_weight"] * beat
    return signs["sharp_edge"] + fine


def findings(signs: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return whether a picture was enlarged or blurred: at most one of the two."""
    cuts = limits["sharpness"]
    if signs["sharp_steps"] >= cuts["steps"]:
        factor = f"{signs['sharp_factor']:.0f}x{signs['sharp_factor']:.0f}"
        return [Finding("enlarged", "drop", f"enlarged: its pixels are copies, {factor} of each")]
    crisp = crispness(signs, limits)
    if crisp >= cuts["soft"]:
        return []
    level = "drop" if crisp < cuts["blurred"] else "look"
    measured = f"its sharpest edges spread over {1 / max(signs['sharp_edge'], 0.05):.1f} pixels"
    if signs["sharp_beat"] >= cuts["beat"]:
        return [Finding("enlarged", level, f"enlarged from fewer pixels: {measured}")]
    return [Finding("blurry", level, f"blurred or enlarged: {measured}")]


def fineness(grey: NDArray[np.uint8]) -> float:
    """Return log10 of the energy at 0.3-0.45 cycles a pixel over that at 0.1-0.2; -6 at least.

    From sixteen patches spread over the picture (H, W), at native resolution. Painted maps have
    -1.2..0.1, also when scaled down; enlarged twice -1.9..-1.4, blurred by a pixel -2.7..-1.5.
    """
    side = min(_PATCH_PX, *grey.shape)
    window, is_fine, is_coarse = _waves(side)
    energy = np.zeros((side, side), np.float32)
    for top in np.unique(np.linspace(0, grey.shape[0] - side, _PATCHES).astype(int)):
        for left in np.unique(np.linspace(0, grey.shape[1] - side, _PATCHES).astype(int)):
            patch = grey[top : top + side, left : left + side].astype(np.float32)
            waves = cv2.dft((patch - patch.mean()) * window, flags=cv2.DFT_COMPLEX_OUTPUT)
            energy += waves[..., 0] ** 2 + waves[..., 1] ** 2
    fine, coarse = float(energy[is_fine].sum()), float(energy[is_coarse].sum())
    return max(NO_DETAIL, math.log10(max(fine / coarse, 1e-6))) if coarse > 0 else NO_DETAIL


@cache
def _waves(side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    frequency = np.abs(np.fft.fftfreq(side))
    waves = np.maximum(frequency[:, None], frequency[None, :])
    is_fine, is_coarse = ((waves > low) & (waves < high) for low, high in (_FINE, _COARSE))
    return window, is_fine, is_coarse


def _steps(grey: NDArray[np.uint8], axis: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return each pixel's difference to the next one along `axis`, and the rise around it."""
    step = cv2.absdiff(grey[1:], grey[:-1]) if axis == 0 else cv2.absdiff(grey[:, 1:], grey[:, :-1])
    kernel = np.ones((_REACH_PX, 1) if axis == 0 else (1, _REACH_PX), np.uint8)
    rise = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    return step.astype(np.uint8), (rise[1:] if axis == 0 else rise[:, 1:]).astype(np.uint8)


def _steepness(step: NDArray[np.uint8], rise: NDArray[np.uint8], axis: int) -> NDArray[np.float32]:
    """Return step over rise at the steepest pixel of each strong edge."""
    counts = np.cumsum(cv2.calcHist([rise], [0], None, [256], [0, 256]))
    strong = max(_LEAST_RISE, int(np.searchsorted(counts, (1 - _STRONG) * counts[-1])))
    kernel = np.ones((_PEAK_PX, 1) if axis == 0 else (1, _PEAK_PX), np.uint8)
    peak = cv2.compare(step, cv2.dilate(step, kernel), cv2.CMP_EQ)
    places = np.flatnonzero((peak > 0) & (rise >= strong))
    return step.ravel()[places].astype(np.float32) / rise.ravel()[places]


def _beat(profile: NDArray[np.float32]) -> float:
    """Return how much the odd and even places of a profile differ, 0..1, less JPEG's lattice."""
    whole = len(profile) // _JPEG_PX * _JPEG_PX
    if whole < 4 * _JPEG_PX:
        return 0.0
    places = np.median(profile[:whole].reshape(-1, _JPEG_PX), axis=0)
    odd, even = places[1:-1:2].mean(), places[::2].mean()  # 7 lies between two blocks
    return float(abs(odd - even) / (odd + even + 1e-6))


def _copied(profiles: list[NDArray[np.float32]], factor: int) -> float:
    """Return how much of all difference lies at every `factor`-th place: 0 evenly, 1 all of it."""
    shares = []
    for profile in profiles:
        whole = len(profile) // factor * factor
        if whole < 4 * factor:
            return 0.0
        sums = profile[:whole].reshape(-1, factor).sum(axis=0)
        most = float(sums.max() / max(float(sums.sum()), 1e-6))
        shares.append((most * factor - 1) / (factor - 1))
    return max(0.0, min(shares, default=0.0))
