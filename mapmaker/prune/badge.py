"""Finds a logo in a corner: a patch of one colour, round or square, found nowhere else."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.median import median

_REACH = 20  # levels of red, green and blue that count as one colour
_COLOURS = 2  # tried in each corner
_RARE = 0.7  # share of the colour that must lie in its corner
_GAP = 0.16  # of the shorter side: the farthest a logo stands from its corner's edges
_CONTRAST = 30  # levels between the patch and what lies around it

Picture = NDArray[np.uint8]


def badge(tiny: Picture) -> float:
    """Return how much like a logo the likeliest patch in a corner of the picture is, 0..1.

    tiny is uint8 (H, W, 3), some 192 px a side. A patch is 5 to 26 % of the shorter side high, up
    to half of it wide, disc or rectangle, of a colour that hardly occurs elsewhere, with a sharp
    edge.
    """
    height, width = tiny.shape[:2]
    side = min(height, width)
    if side < 48:
        return 0.0
    codes = _codes(tiny)
    everywhere = np.maximum(_counts(codes), 1)
    w, h = min(width // 2, int(0.55 * side)), int(0.36 * side)
    best = 0.0
    for down in (1, -1):
        for across in (1, -1):  # each corner seen as the top left one
            here = _counts(codes[::down, ::across][:h, :w])
            alone = np.square(np.square(here / everywhere))
            fits = (here >= 0.0012 * side * side) & (here <= 0.06 * side * side)
            worth = here * alone * fits
            corner = None
            for _ in range(_COLOURS):
                code = int(worth.argmax())
                if worth[code] <= 0.002 * side * side * _RARE**4 * 0.5:
                    break
                worth[code] = 0
                if corner is None:
                    corner = np.ascontiguousarray(tiny[::down, ::across][:h, :w])
                darkest = np.array([code >> 6, code >> 3 & 7, code & 7]) << 5
                alike = corner[cv2.inRange(corner, darkest, darkest + 31) > 0]
                colour = median(alike.T.astype(np.float32))
                best = max(best, _patch(tiny, corner, colour, side))
    return best


def _codes(picture: Picture) -> NDArray[np.uint16]:
    # Which of 512 colours each pixel has: eight levels of red, of green and of blue.
    red, green, blue = (picture >> 5).astype(np.uint16).transpose(2, 0, 1)
    return red << 6 | green << 3 | blue


def _counts(codes: NDArray[np.uint16]) -> NDArray[np.intp]:
    return np.bincount(codes.ravel(), minlength=512)


def _patch(small: Picture, corner: Picture, colour: NDArray[np.floating], side: int) -> float:
    low, high = np.maximum(colour - _REACH, 0), np.minimum(colour + _REACH, 255)
    mask = cv2.inRange(corner, low, high)
    rare = cv2.countNonZero(mask) / max(1, cv2.countNonZero(cv2.inRange(small, low, high)))
    if rare < _RARE:
        return 0.0
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len, default=None)
    if outline is None:
        return 0.0
    x, y, w, h = cv2.boundingRect(outline)
    if not (0.045 * side <= min(w, h) <= 0.26 * side and max(w, h) <= 0.5 * side):
        return 0.0
    if max(x, y) > _GAP * side:
        return 0.0
    full = min(1.0, (cv2.contourArea(outline) + len(outline) / 2) / (w * h))
    square = 1 - (1 - full) / 0.12 if 0.4 < w / h < 6 else 0.0
    disc = 1 - abs(full - np.pi / 4) / 0.085 if 0.75 < w / h < 1.33 else 0.0
    likeness = max(square, disc)
    own = cv2.countNonZero(mask[y : y + h, x : x + w]) / (w * h * full)
    if likeness <= 0 or own < 0.3 or _contrast(corner, outline, colour) < _CONTRAST:
        return 0.0
    return float(likeness * rare)


def _contrast(corner: Picture, outline: NDArray, colour: NDArray[np.floating]) -> float:
    # Between the colour and the ring two pixels outside the outline.
    inside = np.zeros(corner.shape[:2], np.uint8)
    cv2.drawContours(inside, [outline], -1, (255,), cv2.FILLED)
    near, far = (cv2.dilate(inside, np.ones((size, size), np.uint8)) for size in (3, 5))
    around = cv2.mean(corner, cv2.subtract(far, near).astype(np.uint8, copy=False))[:3]
    return float(np.abs(np.array(around) - colour).max())
