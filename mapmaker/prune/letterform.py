"""Finds what looks like writing: pieces of ink of a letter's shape, strung together on a line.

A tiny net (3169 weights of eight bits, see `letterweights`) tells letters from other pieces of ink
by their shape on a 12 x 8 raster. On pieces of maps it never saw it finds 88 % of the letters where
it takes 2 % of the rest for one; a string of them is far surer than each.
"""

import base64
import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.letterweights import PACKED, SCALES

LARGEST_PX = 400  # of a picture looked at. 16 bits number the pieces of 510 x 510 px at most
SLIM = 0.4  # a piece less wide for its height may be hatching
_RASTER = (8, 12)  # columns, rows a piece is shrunk to
_NEAR = np.ones((9, 9), np.uint8)
_MOST = 400  # pieces looked at; the tallest where there are more
_UNLIKELY = 0.1  # a piece that scores less is no letter and parts those beside it
_SHAPES = ((32, 97), (32,), (32,), (1,))

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Word:
    """Pieces of ink on one line: boxes (n, 4) as x, y, w, h [px]; scores (n,), 0..1 for letters."""

    boxes: NDArray[np.int32]
    scores: Floats

    @property
    def height(self) -> float:
        """Return the middle height of its letters [px]."""
        return float(np.median(self.boxes[:, 3]))

    @property
    def broad(self) -> Floats:
        """Return the scores of all but strokes as thin as hatching, which passes for l and i."""
        return self.scores[self.boxes[:, 2] >= SLIM * self.boxes[:, 3]]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom [px]."""
        low, high = self.boxes[:, :2].min(0), (self.boxes[:, :2] + self.boxes[:, 2:]).max(0)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def shrunk(grey: Bytes, side_px: int = LARGEST_PX) -> Bytes:
    """Return the picture (H, W) at most `side_px` px a side: blurred, then sampled, for speed."""
    height, width = grey.shape
    scale = side_px / max(height, width)
    if scale >= 1:
        return grey
    reach = int(1 / scale)
    smooth = cv2.blur(grey, (reach, reach)) if reach > 1 else grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return _bytes(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR))


def dark_ink(grey: Bytes, stroke_px: int = 9) -> Bytes:
    """Return how much darker each pixel is than what lies on both sides of its stroke."""
    return _bytes(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((stroke_px,) * 2, np.uint8)))


def light_ink(grey: Bytes, stroke_px: int = 9) -> Bytes:
    """Return how much lighter each pixel is than what lies on both sides of its stroke."""
    return _bytes(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((stroke_px,) * 2, np.uint8)))


def inked(ink: Bytes, least: int) -> Bytes:
    """Return where ink is at least `least` grey levels and half of the strongest beside it."""
    strongest = cv2.convertScaleAbs(cv2.dilate(ink, _NEAR), alpha=0.5)
    bold = cv2.threshold(ink, least, 255, cv2.THRESH_BINARY)[1]
    return _bytes(cv2.bitwise_and(cv2.compare(ink, strongest, cv2.CMP_GT), bold))


def words(ink: Bytes, least: int = 40, tall_px: tuple[float, float] | None = None) -> list[Word]:
    """Return the pieces of ink (H, W) that may be letters, strung into words of one or more.

    least [grey levels]: what counts as ink. tall_px: the lowest and the tallest letter, else 6 and
    a seventh of the side.
    """
    boxes = candidates(ink, least, tall_px)
    scores = letterlike(ink, boxes)
    likely = scores > _UNLIKELY
    boxes, scores = boxes[likely], scores[likely]
    return [Word(boxes[line], scores[line]) for line in _strung(boxes)] if len(boxes) else []


def candidates(
    ink: Bytes, least: int = 40, tall_px: tuple[float, float] | None = None
) -> NDArray[np.int32]:
    """Return the boxes (n, 4) of the pieces of ink of a letter's size, weight and free standing."""
    mask = inked(ink, least)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    return _candidates(
        pieces, cv2.integral(mask), len(mask), tall_px or (6, 0.14 * max(mask.shape))
    )


def letterlike(ink: Bytes, boxes: NDArray[np.int32]) -> Floats:
    """Return how much the ink in each box (n, 4) looks like a letter, 0..1 each."""
    weights, bias, last, offset = _net()
    hidden = np.maximum(as_seen(ink, boxes) @ weights.T + bias, 0)
    return 1 / (1 + np.exp(-(hidden @ last + offset[0])))


def as_seen(ink: Bytes, boxes: NDArray[np.int32]) -> Floats:
    """Return what the net sees of each box (n, 97): its ink on the raster, then how wide it is."""
    if not len(boxes):
        return np.zeros((0, _RASTER[0] * _RASTER[1] + 1), np.float32)
    x, y, w, h = boxes.astype(np.float32).T[:, :, None]
    columns, rows = ((np.arange(n, dtype=np.float32) + 0.5) / n for n in _RASTER)
    across = np.repeat(x + w * columns - 0.5, len(rows), axis=0)
    down = (y + h * rows - 0.5).reshape(-1, 1) + np.zeros_like(columns)
    flat = cv2.remap(ink, across, down, cv2.INTER_LINEAR).reshape(len(boxes), -1)
    flat = flat.astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    return np.column_stack([flat * 4, (w / h - 0.6) * 2]).astype(np.float32)


@functools.cache
def _net() -> tuple[Floats, ...]:
    packed = np.frombuffer(base64.b85decode(PACKED.replace("\n", "")), np.int8)
    ends = np.cumsum([int(np.prod(shape)) for shape in _SHAPES])[:-1]
    parts = zip(np.split(packed, ends), _SHAPES, SCALES, strict=True)
    return tuple(np.float32(scale) * part.reshape(shape) for part, shape, scale in parts)


def _candidates(
    pieces: NDArray, ink: NDArray, height: int, tall_px: tuple[float, float]
) -> NDArray[np.int32]:
    # Of a letter's size and weight, with little ink above and below: text leaves its lines free.
    tall = pieces[:, cv2.CC_STAT_HEIGHT]
    sized = (tall >= tall_px[0]) & (tall <= tall_px[1])  # few are: the rest is asked of them alone
    sized[0] = False  # the ground
    pieces = pieces[sized]
    _, _, w, h, area = pieces.T
    fits = (w >= 2) & (w <= 1.7 * h)
    fits &= (area >= 0.16 * w * h) & ((area <= 0.85 * w * h) | (w < 0.45 * h))
    pieces = pieces[fits]
    x, y, w, h, area = pieces.T
    right, reach = x + w, np.maximum(2, h // 3)

    def count(top: NDArray, bottom: NDArray) -> NDArray:
        corners = ink[bottom, right] - ink[top, right] - ink[bottom, x] + ink[top, x]
        return corners / 255

    beside = count(np.maximum(y - reach, 0), np.maximum(y - 1, 0))
    beside += count(np.minimum(y + h + 1, height), np.minimum(y + h + reach, height))
    foreign = count(y, y + h) - area
    clear = (beside < 0.5 * w * (reach - 1)) & (foreign < 0.35 * w * h)
    boxes = pieces[clear][:, :4]
    return boxes if len(boxes) <= _MOST else boxes[np.argsort(-boxes[:, 3], kind="stable")[:_MOST]]


def _strung(boxes: NDArray[np.int32]) -> list[list[int]]:
    # Each piece is tied to the nearest one right of it of its size and on its line.
    one, other = _beside(boxes)
    x, y, w, h = boxes.astype(np.float32).T
    tall, short = np.maximum(h[one], h[other]), np.minimum(h[one], h[other])
    gap, bottom = x[other] - (x + w)[one], y + h
    level = np.minimum(abs(bottom[one] - bottom[other]), abs(y[one] - y[other])) < 0.16 * tall
    tied = level & (short > 0.55 * tall) & (gap > -0.25 * tall) & (gap < 0.9 * short)
    one, other, gap = one[tied], other[tied], gap[tied]
    order = np.lexsort((other, gap, one))[::-1]
    after = np.full(len(boxes), -1)
    after[one[order]] = other[order]  # the nearest comes last and stays
    firsts = np.ones(len(boxes), bool)
    firsts[after[after >= 0]] = False
    following, lines, taken = after.tolist(), [], set()
    for first in np.flatnonzero(firsts).tolist():
        line = [first]
        while (piece := following[line[-1]]) >= 0 and piece not in taken:
            taken.add(piece)
            line.append(piece)
        lines.append(line)
    return lines


def _beside(boxes: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    # All pairs whose second is right of the first (by their middles), and not out of its reach.
    x, _, w, h = boxes.T
    middle = 2 * x + w
    order = np.argsort(middle, kind="stable")
    begin = np.searchsorted(middle[order], middle, side="right")
    reach = middle + w + 5 * h  # of pieces as tall and broad as may be tied: see `_candidates`
    end = np.searchsorted(middle[order], reach, side="right")
    counts = end - begin
    one = np.repeat(np.arange(len(boxes)), counts)
    return one, order[np.arange(len(one)) + np.repeat(begin - np.cumsum(counts) + counts, counts)]


def _bytes(array: NDArray) -> Bytes:
    return array.astype(np.uint8, copy=False)
