"""Whether pictures look alike where their keys lay them, from what is stored: no file is opened."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.hashes import ORIENTATIONS, THUMB_PX, turn
from mapmaker.prune.join import Near
from mapmaker.prune.localkeys import Lying

# Fitted on pairs with three votes that lie alike: of 170 real maps (55 of 181 related) and 200
# floor plans (10 of 872). The first look leaves all of the related and 74 others, the second 23.
_LEAST = ((3, 0.55), (4, 0.5), (6, 0.4), (9, 0.27))  # (votes at most, correlation at least)
_LEAST_BEYOND = 0.25
_FINE = 0.45  # correlation of the lines
_MANY, _WHOLLY = 8, 0.04  # votes for one picture on all of the other: another floor, words

# Hashes: up to 4 bits apart pairs are mostly copies; of 36 pairs 9 to 12 apart, by chance, lines
# correlate by 0.24 at most, of copies and variants by 0.66 at least.
_SURE_BITS, _LIKELY_BITS, _LITTLE, _MORE = 4, 8, 0.12, 0.25

_GRID = 16  # what both show is compared in 16 x 16 places
_AT_ONCE = 256  # pairs: 5 MB
_CELLS = np.arange(THUMB_PX, dtype=np.float32)
# Of a thumbnail of 192 px: what is slower than lines is left out (two means of 19 px blur by 8).
_LINE_PX, _LIGHT_SIDE = 1.0, 19
_LOOSE_PX = 3  # keys lay a picture so exactly
_LEAST_PX = 6
_LATELY = 256  # thumbnails a look remembers: 9 MB

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Place = tuple[float, float, float, float]  # left, top, right, bottom, edges in pixels


def likeness(
    lying: Lying,
    small: Callable[[NDArray[np.int64]], Bytes],
    page: Callable[[int], bytes | None],
) -> NDArray[np.float64]:
    """Return how alike (M,) pairs look, 0 when a look at the files would be for nothing.

    small gives the thumbnails (n, 32, 32) of sorted numbers; page the JPEG of one, or None: then
    what was seen in the small ones counts.
    """
    votes = lying.votes.count
    limits = np.select([votes <= most for most, _ in _LEAST], [b for _, b in _LEAST], _LEAST_BEYOND)
    numbers, at = np.unique(lying.pairs, return_inverse=True)
    coarse = correlations(small(numbers), at.reshape(-1, 2), lying)
    result = np.where(coarse > limits, coarse, 0).astype(np.float64)
    opened = lru_cache(_LATELY)(lambda number: _opened(page(number)))
    hopeful, boxes = np.flatnonzero(result), lying.boxes()
    for place in hopeful[np.lexsort(lying.pairs[hopeful].T[::-1])].tolist():
        one, other = (opened(number) for number in lying.pairs[place].tolist())
        if one is None or other is None:
            continue
        fine = lines_alike(one, other, lying.some(np.array([place])))
        whole = votes[place] >= _MANY and np.abs(boxes[place] - (0, 0, 1, 1)).max() < _WHOLLY
        result[place] = max(fine, _FINE) if fine > _FINE or whole else 0
    return result


def wholes_alike(near: Near, page: Callable[[int], bytes | None]) -> NDArray[np.bool_]:
    """Return which (M,) pairs of near hashes are worth a look at the files.

    Those a few bits apart are; of others the lines must be alike, a little at least. page gives the
    JPEG of a picture by its place among the hashes, or None: then the hashes count.
    """
    opened = lru_cache(_LATELY)(lambda number: _opened(page(number)))
    worth = np.ones(len(near), np.bool_)
    for place, (i, j, bits, way) in enumerate(near):
        if bits <= _SURE_BITS:
            continue
        one, other = opened(i), opened(j)
        if one is not None and other is not None:
            size = one.shape[1], one.shape[0]
            other = cv2.resize(turn(other, way), size, interpolation=cv2.INTER_AREA)
            least = _LITTLE if bits <= _LIKELY_BITS else _MORE
            worth[place] = _alike(*(_lines(p.astype(np.float32)) for p in (one, other))) > least
    return worth


def correlations(thumbs: Bytes, at: NDArray[np.intp], lying: Lying) -> Floats:
    """Return the correlation (M,), -1..1, of what thumbnails `at` (M, 2) show of one ground."""
    result = np.zeros(len(at), np.float32)
    for begin in range(0, len(at), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        here, there = lying.sizes[some, 0], lying.sizes[some, 1]
        orientation = lying.orientation[some]
        there = np.where((orientation & 4)[:, None] > 0, there[:, ::-1], there)
        shift, size = lying.votes.shift[some], lying.votes.scale[some, None] * there
        low, high = np.maximum(shift, 0), np.minimum(shift + size, here)
        a = _averaged(thumbs[at[some, 0]], low / here, high / here)
        other = _turned(thumbs[at[some, 1]], orientation)
        b = _averaged(other, (low - shift) / size, (high - shift) / size)
        a, b = (p - p.mean(axis=(1, 2), keepdims=True) for p in (a, b))
        both = np.sqrt((a * a).mean(axis=(1, 2)) * (b * b).mean(axis=(1, 2)))
        like = (a * b).mean(axis=(1, 2)) / np.maximum(both, 1)
        result[some] = np.where((low < high).all(axis=1), like, 0)
    return result


def lines_alike(one: Bytes, other: Bytes, lying: Lying) -> float:
    """Return the correlation, -1..1, of the lines that two grey thumbnails show of one ground.

    lying holds this one pair. The other is moved a little to where it fits best.
    """
    way = int(lying.orientation[0])
    other = np.ascontiguousarray(turn(other, way))
    (width, height), there = lying.sizes[0]
    there = there[::-1] if way & 4 else there
    here = np.divide(one.shape[1::-1], (width, height))  # pixels of the thumbnail for one of those
    scale = float(lying.votes.scale[0]) * here / np.divide(other.shape[1::-1], there)
    shift = lying.votes.shift[0] * here
    low = np.maximum(shift, 0)
    high = np.minimum(shift + scale * other.shape[1::-1], one.shape[1::-1])
    across, down = np.round((high - low) / max(1.0, *scale)).astype(int).tolist()
    if min(across, down) <= 2 * _LOOSE_PX:
        return 0.0
    a = _lines(_cut(one, (*low, *high), (across, down)))
    b = _lines(_cut(other, (*(low - shift) / scale, *(high - shift) / scale), (across, down)))
    return _alike(a, b)


def _alike(a: NDArray, b: NDArray) -> float:
    """Return the correlation of two pictures of one size, where it is best within a few pixels."""
    inner = b[_LOOSE_PX:-_LOOSE_PX, _LOOSE_PX:-_LOOSE_PX]
    if min(inner.shape) < _LEAST_PX:
        return 0.0
    return float(cv2.matchTemplate(a, inner, cv2.TM_CCOEFF_NORMED).max())


def _opened(jpeg: bytes | None) -> Bytes | None:
    if jpeg is None:
        return None
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if grey is None else grey.astype(np.uint8, copy=False)


def _cut(grey: Bytes, place: Place, size: tuple[int, int]) -> Floats:
    left, top, right, bottom = place
    kx, ky = (right - left) / size[0], (bottom - top) / size[1]
    source = grey.astype(np.float32)
    if max(kx, ky) > 1.3:
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * max(kx, ky))
    matrix = np.array([[kx, 0, left + 0.5 * kx - 0.5], [0, ky, top + 0.5 * ky - 0.5]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(source, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return part.astype(np.float32, copy=False)


def _lines(grey: NDArray) -> NDArray:
    light = cv2.blur(cv2.blur(grey, (_LIGHT_SIDE,) * 2), (_LIGHT_SIDE,) * 2)
    return cv2.subtract(cv2.GaussianBlur(grey, (0, 0), _LINE_PX), light)


def _turned(thumbs: Bytes, orientation: NDArray[np.uint8]) -> Bytes:
    """Return square thumbnails (n, h, h) as they are in their orientations (n,)."""
    seen = thumbs.copy()
    for way in range(1, ORIENTATIONS):
        for place in np.flatnonzero(orientation == way):
            seen[place] = turn(thumbs[place], way)
    return seen


def _averaged(thumbs: Bytes, low: NDArray, high: NDArray) -> NDArray:
    """Return the parts (n, 16, 16) of thumbnails between two corners (n, 2), 0..1, by area."""
    down, across = (_weights(low[:, axis], high[:, axis]) for axis in (1, 0))
    return down @ thumbs.astype(np.float32) @ across.transpose(0, 2, 1)


def _weights(low: NDArray, high: NDArray) -> NDArray:
    """Return how much each of 32 cells is of each of 16 even parts from low to high (n, 16, 32)."""
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID + 1, dtype=np.float32)
    edges = edges[..., None] * THUMB_PX
    begin, end = edges[:, :-1], edges[:, 1:]
    inside = np.minimum(end, _CELLS + 1) - np.maximum(begin, _CELLS)
    return np.maximum(inside, 0) / np.maximum(end - begin, 1e-6)
