"""Keys to the places in a picture, by which a part of a map is found beside the whole.

A key is a blob and what lies around it: the signs of 63 slow waves of that patch, less those that
every blob has. Turning or mirroring the picture only flips and transposes the signs, so one key
serves all eight orientations. Blobs are sought at eight sizes, so that a part finds its place in
a whole of another resolution. Pictures with a few keys in common that lie alike are worth a look
at their pixels; we judge nothing from keys alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.hashes import ORIENTATIONS
from mapmaker.prune.join import Near, near
from mapmaker.prune.keyturns import settled
from mapmaker.prune.shot import SMALL_PX, Shot
from mapmaker.prune.voting import MATCHES, STEP, Matches, Votes, vote

BUDGET = (48, 38, 29, 23, 17, 12, 8, 5)  # keys of each size, the smallest blobs first
PARTNERS = 8  # pictures that one is compared with because of its keys
VOTES = 3  # keys in common that lie alike (of 14,000 pairs of unlike maps 0.2 % have so many)

# (keys at most, bits at most): what the join can ask of so many in a minute.
_BITS = ((60_000, 6), (320_000, 5))
_MOST_KEYS, _LEAST_KEYS = 320_000, 16  # all together; of a picture
_MOST_MET = 4_000_000  # keys met, all together: what is more common than that allows says nothing
_ASKED = 64  # pairs a picture, those with most keys in common, whose keys vote
_REACH, _PATCH, _WAVES = 12, 16, 8  # half a patch [px of its level], its samples, waves a side
_CHOICE = 6  # times as many as we want, the strongest, are what the cells choose from
_CELLS = 6  # the picture is cut in 6 x 6, and each cell gives its strongest first
_WEAKEST = 8  # eighths of a grey level a blob stands out at least
_NEIGHBOURS = np.ones((5, 5), np.uint8)
_AT = ((np.arange(_PATCH) + 0.5) / _PATCH * 2 * _REACH - _REACH).astype(np.float32)
_ROW = np.dtype([("hash", "<u8"), ("x", "u1"), ("y", "u1"), ("level", "u1")])
_UNIT = SMALL_PX / 255  # x and y are stored in a byte each

# What a bright blob's patch shows on average, in its even waves (fitted on half of the real maps).
_BLOB = np.zeros((_WAVES, _WAVES), np.float32)
_BLOB[::2, ::2] = [
    [0.0, -0.158, 0.147, -0.09],
    [-0.158, 0.216, -0.171, 0.103],
    [0.147, -0.171, 0.099, -0.056],
    [-0.09, 0.103, -0.056, 0.033],
]


@dataclass(frozen=True)
class Met:
    """Pairs one < other (M,) of pictures that have keys in common, each once.

    The other, turned by `orientation`, would fill box (M, 4), left, top, right, bottom, in shares
    of the one's width and height: all of it is 0, 0, 1, 1.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    orientation: NDArray[np.uint8]
    box: NDArray[np.float32]
    warnings: tuple[str, ...] = ()


NONE = Met(
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.uint8),
    np.empty((0, 4), np.float32),
)


@dataclass(frozen=True)
class Lying:
    """How pictures would lie upon each other by the keys they share, some pairs in several ways.

    pairs (M, 2) are their numbers; sizes (M, 2, 2) width and height [px] of each, in which the
    other, turned, lies at one = scale * other + shift, and how many keys say so.
    """

    pairs: NDArray[np.int64]
    sizes: NDArray[np.float32]
    orientation: NDArray[np.uint8]
    votes: Votes

    def some(self, which: NDArray) -> "Lying":
        """Return those at some places."""
        pairs, sizes = self.pairs[which], self.sizes[which]
        return Lying(pairs, sizes, self.orientation[which], self.votes.some(which))

    def boxes(self) -> NDArray[np.float32]:
        """Return where the others lie, as `Met.box`."""
        there = np.where(
            (self.orientation & 4)[:, None] > 0, self.sizes[:, 1, ::-1], self.sizes[:, 1]
        )
        end = self.votes.shift + self.votes.scale[:, None] * there
        return np.concatenate([self.votes.shift / self.sizes[:, 0], end / self.sizes[:, 0]], axis=1)


def any_votes(lying: Lying) -> NDArray:
    """Return as likeness how many keys agree."""
    return lying.votes.count


def keys(shot: Shot) -> bytes:
    """Return the keys of a picture, at most 1,982 bytes; b"" when it shows too little.

    Two bytes for the size it was looked at in (half the width and height), then 11 a key, the ones
    to keep when there is no room for all first.
    """
    grey = np.left_shift(shot.small_grey, 4, dtype=np.int16)
    height, width = grey.shape
    found, level = [], grey
    for size, budget in enumerate(BUDGET):
        scale = STEP**size
        w, h = round(width / scale), round(height / scale)
        if min(w, h) < 2 * _REACH + 8:
            break
        if size:
            smaller = cv2.resize(level, (w, h), interpolation=cv2.INTER_LINEAR)
            level = smaller.astype(np.int16, copy=False)
        found.append(_level(level, budget))
    many = [len(blobs.at) for blobs in found]
    if not sum(many):
        return b""
    x, y = (np.concatenate([blobs.at[:, axis] for blobs in found]) for axis in (0, 1))
    near = np.concatenate([blobs.near for blobs in found], axis=1)
    x, y = x + _top(near[1], near[0], near[2]), y + _top(near[3], near[0], near[4])
    sizes = np.array([blobs.soft.shape for blobs in found])
    order = np.concatenate([np.arange(n) / budget for n, budget in zip(many, BUDGET, strict=False)])
    rows = np.empty(len(x), _ROW)
    for name, at, whole, side in (("x", x, width, sizes[:, 1]), ("y", y, height, sizes[:, 0])):
        here = np.round((at + 0.5) * np.repeat(whole / side, many) / _UNIT)
        rows[name] = np.minimum(np.maximum(here, 0), 255)
    rows["level"] = np.repeat(np.arange(len(many)), many)
    rows["hash"] = _hashes(_patches([blobs.soft for blobs in found], many, x, y), np.sign(near[0]))
    return bytes([width // 2, height // 2]) + rows[np.argsort(order, kind="stable")].tobytes()


def meet(
    pictures: Iterable[tuple[int, bytes]], count: int, look: Callable[[Lying], NDArray] = any_votes
) -> Met:
    """Return the pairs of pictures (number, keys) with at least VOTES keys that lie alike.

    Numbers ascend. count is how many pictures there may be; the more, the fewer keys of each are
    held. look says how alike (M,) pairs are, laid upon each other: those not above 0 are left out.
    """
    each = _MOST_KEYS // max(1, count)
    if each < _LEAST_KEYS:
        return replace(NONE, warnings=(f"Parts are not looked for among {count} pictures.",))
    seen = [(number, data[: 2 + each * _ROW.itemsize]) for number, data in pictures if data]
    numbers = np.array([number for number, _ in seen], np.int64)
    sizes = np.array([(2 * data[0], 2 * data[1]) for _, data in seen], np.float32).reshape(-1, 2)
    rows = [np.frombuffer(data, _ROW, offset=2)[:each] for _, data in seen]
    if len(rows) < 2:
        return NONE
    of = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    table = np.concatenate(rows)
    limit = next(bits for most, bits in _BITS if len(table) <= most)
    both, flips = settled(table["hash"].astype(np.uint64))
    close = near([both], limit, of, max(_LEAST_KEYS, _MOST_MET // len(table)))
    way = close.orientation
    turn = way << 2 | flips[close.one, 0] ^ flips[close.other, way]
    close = replace(close, orientation=turn.astype(np.uint8))
    matches, starts, counts = _shared(close, of, len(rows))
    votes = vote(_places(table, close, matches, sizes[of]), starts, counts)
    use = np.flatnonzero(votes.count >= VOTES)
    first = matches[starts[use]]
    pairs = np.stack([of[close.one[first]], of[close.other[first]]], axis=1)
    lying = Lying(numbers[pairs], sizes[pairs], close.orientation[first], votes.some(use))
    lying = lying.some(_best_way(lying.pairs, look(lying)))
    lying = lying.some(_best(lying.votes.count, lying.pairs))
    cut = max(len(r) for r in rows) >= each or limit < _BITS[0][1]
    few = (f"Parts are looked for by {each} keys a picture at most, {limit} bits apart.",)
    warnings = (*close.warnings, *(few if cut else ()))
    one, other = lying.pairs[:, 0], lying.pairs[:, 1]
    return Met(one, other, lying.orientation, lying.boxes(), warnings)


def _shared(close: Near, of: NDArray[np.intp], count: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return which keys are near, VOTES at least of two pictures in one turn, beside each other;
    where those of each two begin, and how many they are."""
    pair = (of[close.one] * count + of[close.other]) * ORIENTATIONS + close.orientation
    pair[of[close.one] == of[close.other]] = -1  # only in crowds: the join has seen to the others
    order = np.argsort(pair, kind="stable")
    order = order[np.searchsorted(pair[order], 0) :]
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    counts = np.diff(np.r_[starts, len(order)])
    hopeful = np.flatnonzero(counts >= VOTES)
    hopeful = hopeful[np.argsort(-counts[hopeful], kind="stable")][: _ASKED * count]
    starts, counts = starts[hopeful], counts[hopeful]
    some = np.minimum(counts, MATCHES)  # of more, some evenly taken
    ends = np.cumsum(some)
    place = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - some, some)
    step = np.repeat(counts / np.maximum(some, 1), some)
    return order[np.repeat(starts, some) + (place * step).astype(np.intp)], ends - some, some


def _places(table: NDArray, close: Near, order: NDArray, sizes: NDArray) -> Matches:
    """Return where keys that are near lie, the other's as its picture is turned."""
    a, b = table[close.one[order]], table[close.other[order]]
    turn = close.orientation[order]
    x, y = (b[axis].astype(np.float32) * np.float32(_UNIT) for axis in ("x", "y"))
    width, height = sizes[close.other[order]].T
    across = (turn & 4) > 0
    x, y = np.where(across, y, x), np.where(across, x, y)
    width, height = np.where(across, height, width), np.where(across, width, height)
    there = np.stack([np.where(turn & 1, width - x, x), np.where(turn & 2, height - y, y)], axis=1)
    here = np.stack([a["x"], a["y"]], axis=1).astype(np.float32) * np.float32(_UNIT)
    steps = a["level"].astype(np.int8) - b["level"].astype(np.int8)
    return Matches(here, there, steps, a["level"])


def _best_way(pairs: NDArray[np.int64], likeness: NDArray) -> NDArray[np.intp]:
    """Return of each pair that is alike at all (above 0) the way in which it is most."""
    order = np.lexsort((-likeness, pairs[:, 1], pairs[:, 0]))
    order = order[likeness[order] > 0]
    first = (np.diff(pairs[order], axis=0, prepend=-1) != 0).any(axis=1)
    return order[first]


def _best(votes: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the pairs with most votes, PARTNERS a picture: maps drawn with one set of tiles share
    keys with each other, all of them, and comparing each with each would never end.

    A pair stays while one of its two has room, so a whole keeps all of its parts.
    """
    partners: Counter[int] = Counter()
    kept = []
    for place in np.lexsort((pairs[:, 1], pairs[:, 0], -votes)).tolist():
        pair = pairs[place].tolist()
        if min(partners[i] for i in pair) < PARTNERS:
            partners.update(pair)
            kept.append(place)
    return np.array(kept, np.intp)


class _Blobs(NamedTuple):
    """What stands out at one size: soft is the picture (h, w) it was seen in; at (n, 2) are places
    x, y, the strongest of each cell first; near (5, n) how much it and its neighbours left, right,
    above and below differ from what is around."""

    soft: NDArray[np.int16]
    at: NDArray[np.int64]
    near: NDArray[np.float32]


def _level(grey: NDArray[np.int16], budget: int) -> _Blobs:
    """Return at most `budget` blobs of one size; grey is in sixteenths of a level.

    Whole numbers and a plain mean for what is around: the same blobs in two thirds of the time.
    """
    soft = cv2.GaussianBlur(grey, (7, 7), 1.2).astype(np.int16, copy=False)
    blobs = cv2.subtract(soft, cv2.blur(soft, (5, 5))).astype(np.int16, copy=False)
    strong = cv2.convertScaleAbs(blobs, alpha=0.5)
    bold = cv2.threshold(strong, _WEAKEST, 255, cv2.THRESH_BINARY)[1]
    highest = cv2.compare(strong, cv2.dilate(strong, _NEIGHBOURS), cv2.CMP_EQ)
    peaks = cv2.bitwise_and(highest, bold) > 0
    peaks[:_REACH] = peaks[-_REACH:] = False
    peaks[:, :_REACH] = peaks[:, -_REACH:] = False
    places = np.flatnonzero(peaks)
    if len(places) > _CHOICE * budget:
        weak = -strong.ravel()[places].astype(np.int16)
        places = places[np.argpartition(weak, _CHOICE * budget)[: _CHOICE * budget]]
    flat, width = blobs.ravel(), grey.shape[1]
    y, x = np.divmod(places, width)
    rank = _ranks(y, x, np.abs(flat[places]), grey.shape)
    pick = np.argsort(rank, kind="stable")[:budget]
    places = places[pick]
    near = flat[places + np.array([[0], [-1], [1], [-width], [width]])].astype(np.float32)
    return _Blobs(soft, np.stack([x[pick], y[pick]], axis=1), near)


def _ranks(y: NDArray, x: NDArray, strength: NDArray, shape: tuple[int, int]) -> NDArray:
    """Return for each blob its rank in its cell, the strongest 0, between equals by strength."""
    cell = (y * _CELLS // shape[0]) * _CELLS + x * _CELLS // shape[1]
    order = np.argsort(cell - strength / (1.001 * strength.max(initial=1e-6)), kind="stable")
    many = np.bincount(cell, minlength=_CELLS * _CELLS)
    rank = np.empty(len(y))
    rank[order] = np.arange(len(y)) - np.repeat(np.cumsum(many) - many, many)
    return rank - 0.5 * strength / strength.max(initial=1e-6)


def _top(before: NDArray, at: NDArray, after: NDArray) -> NDArray:
    """Return where between its neighbours a peak is highest, -0.5..0.5 px."""
    bend = before - 2 * at + after
    offset = (before - after) / (2 * np.where(bend == 0, 1, bend))
    return np.minimum(np.maximum(offset, -0.5), 0.5)


def _waves() -> NDArray[np.float32]:
    """Return the (8, 16) cosines of a patch's rows, under a window that fades to its edge."""
    at = np.arange(_PATCH)
    cosines = np.cos(np.pi * (at + 0.5) * np.arange(_WAVES)[:, None] / _PATCH)
    return (cosines * np.hanning(_PATCH + 2)[1:-1]).astype(np.float32)


_COSINES = _waves()
_NORMS = np.full((_WAVES, _WAVES), 2 / _PATCH, np.float32)
_NORMS[0], _NORMS[:, 0] = _NORMS[0] / 2**0.5, _NORMS[:, 0] / 2**0.5


def _patches(softs: list[NDArray], many: list[int], x: NDArray, y: NDArray) -> NDArray[np.float32]:
    """Return what lies around points (n,), so many of each picture: (n, 16, 16)."""
    maps = np.empty((2, len(x), _PATCH, _PATCH), np.float32)
    maps[0] = (x[:, None] + _AT)[:, None, :]
    maps[1] = (y[:, None] + _AT)[:, :, None]
    across, down = maps.reshape(2, -1, _PATCH)
    ends = np.cumsum(many) * _PATCH
    patches = [
        cv2.remap(
            soft.view(np.uint16),  # none is below 0, and signed ones take twice as long
            across[a:b],
            down[a:b],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for soft, a, b in zip(softs, [0, *ends], ends, strict=False)
        if b > a
    ]
    return np.concatenate(patches).reshape(maps[0].shape).astype(np.float32, copy=False)


def _hashes(patches: NDArray[np.float32], bright: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return 64 bits (n,) of patches (n, 16, 16) around blobs, bright (1) or dark: the first is 0.

    Two products of many rows with 16 columns, not many small ones.
    """
    count = len(patches)
    flat = patches.reshape(count, -1)
    level = flat - flat.mean(axis=1, keepdims=True)
    across = level.reshape(-1, _PATCH) @ _COSINES.T
    waves = np.matmul(_COSINES, across.reshape(count, _PATCH, _WAVES)) * _NORMS
    waves[:, 0, 0] = 0
    size = np.sqrt(np.square(waves).sum(axis=(1, 2), keepdims=True))
    bits = waves > _BLOB * size * bright[:, None, None]
    bits[:, 0, 0] = False
    return np.packbits(bits.reshape(count, 64), axis=1).view(">u8")[:, 0].astype(np.uint64)
