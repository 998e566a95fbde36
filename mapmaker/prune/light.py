"""How much light there is in a picture, and how much of it is nothing but ground around the map."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.finding import Finding
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

_NEAR = 14  # a pixel is of the ground's colour when no channel differs by more [grey levels]
_FLAT = 2  # nor does it differ from its neighbours by more, where the ground is one flat colour
_BIN_BITS = 4  # the ground is looked for among colours this coarse
_RIM_SHARE = 0.02  # of the shorter side
_RIM_STEP = 3  # every third pixel of the rim will do
_FLOODED = 128
_LEAST_GROUND = 0.4  # of the picture: a ground that is less is not looked for
_INK = 24  # a block with a wider range of brightness shows a line [grey levels]
_BLOCK_PX = 6
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_QUANTILES = (0.01, 0.5, 0.95, 0.99, 0.998)


def light(shot: Shot) -> dict[str, float]:
    """Return how light and how empty a picture is, from the picture shrunk to 384 px.

    light_low, light_mid, light_high, light_bright, light_top: the brightness [grey levels] below
    which 1, 50, 95, 99 and 99.8 % of it lie. light_ink: share of small blocks that hold a line.
    light_ground: share of one colour that reaches in from the rim, 0 when there is less of it than
    0.4; light_ground_level: its brightness; light_ground_flat: share of this ground that is as flat
    as if it had been poured.
    """
    grey = shot.small_grey
    counts = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256]))
    levels = np.searchsorted(counts, np.array(_QUANTILES) * counts[-1])
    names = ("light_low", "light_mid", "light_high", "light_bright", "light_top")
    signs = {name: float(level) for name, level in zip(names, levels, strict=True)}
    return signs | {"light_ink": _ink(grey)} | _ground(shot.small, grey)


def findings(signs: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return what is wrong with a picture's light: blank, dark, bright, surround.

    Only an empty sheet is to be dropped. Night scenes, line art on paper and plans on a wide black
    ground are pictures somebody may want: a person decides.
    """
    found = []
    spans = signs["light_bright"] - signs["light_low"]
    if spans < limits["blank"]["span"] and signs["light_ink"] < limits["blank"]["ink"]:
        reason = f"nearly one colour: its brightness spans {spans:.0f} of 255"
        found.append(Finding("blank", "drop", reason))
    if signs["light_high"] < limits["dark"]["high"]:
        reason = f"dark: 95 % of it is below {signs['light_high']:.0f} of 255"
        found.append(Finding("dark", "look", reason))
    if signs["light_low"] > limits["bright"]["low"]:
        reason = f"pale: 99 % of it is above {signs['light_low']:.0f} of 255"
        found.append(Finding("bright", "look", reason))
    return [*found, *_surround(signs, limits["surround"])]


def _surround(signs: Mapping[str, float], limits: Mapping[str, float]) -> list[Finding]:
    share, flat = signs["light_ground"], signs["light_ground_flat"]
    is_black = signs["light_ground_level"] <= limits["black_level"]
    least, flattest = ("black_share", "black_flat") if is_black else ("share", "flat")
    if share < limits[least] or flat < limits[flattest]:
        return []
    colour = "black" if is_black else "one flat colour"
    return [Finding("surround", "look", f"{share:.0%} of it is {colour} around the map")]


def _ink(grey: NDArray[np.uint8]) -> float:
    kernel = np.ones((_BLOCK_PX, _BLOCK_PX), np.uint8)
    spread = cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel))
    return float(np.mean(spread[::_BLOCK_PX, ::_BLOCK_PX] > _INK))


def _ground(small: NDArray[np.uint8], grey: NDArray[np.uint8]) -> dict[str, float]:
    """Find the commonest colour of the rim, and how much of the picture has it without a break."""
    height, width = grey.shape
    deep = max(1, round(_RIM_SHARE * min(height, width)))
    sides = (slice(0, deep), slice(-deep, None))
    rim = np.concatenate([*(small[s].reshape(-1, 3) for s in sides),
                          *(small[:, s].reshape(-1, 3) for s in sides)])[::_RIM_STEP]  # fmt: skip
    red, green, blue = (rim >> _BIN_BITS).astype(np.int32).T
    coarse = (red << 8) | (green << 4) | blue
    colour = rim[coarse == np.bincount(coarse).argmax()].mean(axis=0)
    low, high = np.maximum(colour - _NEAR, 0), np.minimum(colour + _NEAR, 255)
    same = cv2.inRange(small, low.astype(np.uint8), high.astype(np.uint8))
    level = float(colour @ [0.299, 0.587, 0.114])
    if cv2.countNonZero(same) < _LEAST_GROUND * height * width:  # so no surround: see thresholds
        return {"light_ground": 0.0, "light_ground_level": level, "light_ground_flat": 0.0}
    framed = cv2.copyMakeBorder(same, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=[255])
    cv2.floodFill(framed, None, (0, 0), (_FLOODED,))
    ground = framed[1:-1, 1:-1] == _FLOODED
    area = np.count_nonzero(ground)
    spread = cv2.subtract(cv2.dilate(grey, _CROSS), cv2.erode(grey, _CROSS))
    flat = np.count_nonzero(ground & (spread <= _FLAT))
    return {
        "light_ground": area / (height * width),
        "light_ground_level": level,
        "light_ground_flat": flat / area if area else 0.0,
    }
