"""What was laid over a picture: half-transparent words across it, a name or a logo in a corner."""

import math
from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.badge import badge
from mapmaker.prune.finding import Finding
from mapmaker.prune.letterform import SLIM, Word, dark_ink, light_ink, shrunk, words
from mapmaker.prune.median import median
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

_STROKE_PX = 7  # of letters across a picture: they are large, `Shot.tiny` shows them well enough
_LOWEST_PX = 7  # of a letter
_TURNS = (-45, -36, -27, -18, -9, 9, 18, 27, 36, 45)  # degrees words are slanted by
_SHARPER = 1.45  # times as level as turns in general; of 97 slanted marks one is less
_SLANT_PX = 96  # the picture's side when the slant is looked for
_TITLE = 0.17  # of the height, at the top and at the bottom, where titles stand
_BUSY = 0.9  # share of the picture that is fainter than the ink of a mark
_FAINTEST, _BOLDEST = 14, 90  # grey levels a mark stands out by
_CORNER_PX = (200, 56)  # of each corner, at most, at native resolution
_CORNER_INK = 24  # grey levels a name stands out by
_NATIVE_PX = 1100  # larger pictures are halved before their corners are read

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def overlay(shot: Shot) -> dict[str, float]:
    """Return the signs of a watermark or a logo, 0 when there is none.

    mark_letters: summed scores (less 0.7 each) of light letters of one height in one row across
    the picture, in any slant up to 45 degrees. corner_letters: summed scores (less 0.4 each) of
    letters strung together in one corner; corner_height: theirs over the picture's shorter side.
    badge: how much like a logo the likeliest patch in a corner is, 0..1.
    """
    letters, height = _corner_words(shot.grey)
    return {
        "mark_letters": round(_across(shot.tiny), 2),
        "corner_letters": round(letters, 2),
        "corner_height": round(height, 4),
        "badge": round(badge(shot.tiny), 2),
    }


def findings(signs: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return a watermark finding, for a person to look at, else nothing."""
    table, seen = limits["overlay"], []
    if signs.get("mark_letters", 0.0) >= table["mark"]:
        seen.append("words across it")
    tall = signs.get("corner_height", 0.0) > table["corner_tall"]
    if signs.get("corner_letters", 0.0) >= table["corner"] and not tall:
        seen.append("a name in a corner")
    if signs.get("badge", 0.0) >= table["badge"]:
        seen.append("a logo in a corner")
    return [Finding("watermark", "look", " and ".join(seen))] if seen else []


def _across(tiny: NDArray[np.uint8]) -> float:
    # White over colours lifts the least of the three: letters stand out there, shadows do not.
    red, green, blue = cv2.split(tiny)
    ink = light_ink(cv2.min(cv2.min(red, green), blue).astype(np.uint8, copy=False), _STROKE_PX)
    title = round(_TITLE * len(ink))  # letters along the top or the bottom are no mark
    ink[:title], ink[len(ink) - title :] = 0, 0
    middle = ink[title : len(ink) - title : 3, ::3]
    counts = np.bincount(middle.ravel(), minlength=256).cumsum()
    least = int(np.clip(np.searchsorted(counts, _BUSY * counts[-1]), _FAINTEST, _BOLDEST))
    turn, sharper = _slant(ink, least)
    if sharper < _SHARPER:
        return _row(words(ink, least, (_LOWEST_PX, 60)))
    slanted = _turned(ink, turn)
    width = max(ink.shape[1], slanted.shape[1])
    both = np.zeros((len(ink) + len(slanted), width), np.uint8)  # one below the other: done at once
    both[: len(ink), : ink.shape[1]] = ink
    both[len(ink) :, : slanted.shape[1]] = slanted
    return _row(words(both, least, (_LOWEST_PX, 60)))


def _slant(ink: Bytes, least: int) -> tuple[int, float]:
    # The turn that makes lines of letters level: they make the sharpest steps in the sums of the
    # rows. How much sharper than turns in general.
    mask = cv2.threshold(ink, least, 255, cv2.THRESH_BINARY)[1]
    coarse = shrunk(mask.astype(np.uint8, copy=False), _SLANT_PX).ravel()
    height, rows, lower = _rows_turned(*_coarse_shape(ink.shape))
    inked = np.flatnonzero(coarse)
    places, below = rows[:, inked], lower[:, inked] * coarse[inked]
    weights = np.concatenate([coarse[inked] - below, below])
    sums = np.bincount(np.concatenate([places, places + 1]).ravel(), weights.ravel())
    sums = np.append(sums, np.zeros(len(_TURNS) * height - len(sums))).reshape(-1, height)
    sharp = np.square(sums[:, 3:] - sums[:, :-3]).sum(axis=1)
    best = int(sharp.argmax())
    return _TURNS[best], float(sharp[best] / (median(sharp) + 1))


def _coarse_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, _SLANT_PX / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


@lru_cache(maxsize=64)
def _rows_turned(height: int, width: int) -> tuple[int, NDArray[np.intp], Floats]:
    """Return how many rows each turn has, and in which (turns, pixels) each pixel lies, counted
    through all turns, and how far (0..1) in the next."""
    y, x = np.divmod(np.arange(height * width), width)
    turns = np.radians(_TURNS)[:, None]
    down = (y - height / 2) * np.cos(turns) - (x - width / 2) * np.sin(turns)
    down += np.hypot(height, width) / 2 + 1
    rows = np.floor(down).astype(np.intp)
    count = int(rows.max()) + 2
    return count, rows + np.arange(len(_TURNS))[:, None] * count, (down - rows).astype(np.float32)


def _turned(ink: Bytes, degrees: int) -> Bytes:
    height, width = ink.shape
    c, s = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    size = (int(width * c + height * s), int(height * c + width * s))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(ink, turn, size, flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _row(found: list[Word]) -> float:
    # Letters a busy map has broken are not strung; those of one height in one row still count.
    if not found:
        return 0.0
    boxes = np.concatenate([word.boxes for word in found]).astype(np.float32)
    sure = np.concatenate([word.scores for word in found]) - 0.7
    asked = (sure > 0) & (boxes[:, 2] >= SLIM * boxes[:, 3])
    boxes, sure = boxes[asked], sure[asked]
    if not len(sure):
        return 0.0
    tall = boxes[:, 3]
    middle = boxes[:, 1] + tall / 2
    near = np.abs(middle[:, None] - middle) < 0.3 * tall[:, None]
    near &= np.abs(tall[:, None] - tall) < 0.35 * tall[:, None]
    return float((near @ sure).max())


def _corner_words(grey: Bytes) -> tuple[float, float]:
    step = -(-max(grey.shape) // _NATIVE_PX)
    if step > 1:
        size = (max(1, grey.shape[1] // step), max(1, grey.shape[0] // step))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    height, width = grey.shape
    w, h = min(_CORNER_PX[0], width // 2), min(_CORNER_PX[1], height // 4)
    if w < 40 or h < 16:
        return 0.0, 0.0
    corners = np.vstack([grey[:h, :w], grey[:h, -w:], grey[-h:, :w], grey[-h:, -w:]])
    best = (0.0, 0.0)
    inks = np.vstack([light_ink(corners), dark_ink(corners)])
    for word in words(inks, _CORNER_INK, (_LOWEST_PX, 0.8 * h)):
        if (
            len(word.scores) >= 3
            and len(word.broad) >= 2
            and word.box[1] // h == (word.box[3] - 1) // h
        ):
            best = max(best, (float((word.broad - 0.4).sum()), word.height / min(grey.shape)))
    return best
