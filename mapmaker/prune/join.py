"""All pairs of hashes at most `limit` bits apart, without comparing each with each.

Cut 64 bits into b bands: two hashes that differ in at most d bits agree in at least b - d of them.
So for every choice of b - d bands we put hashes into buckets by those bits and compare within a
bucket only. Exact for the limit; what chance lets meet in a bucket is few when its bits are many.
The pictures' seven other orientations are asked of the same buckets; only upright hashes are kept.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.buckets import BUCKET, HASH_BITS, KEY_BITS, Hashes, Table

# (pictures at most, bits at most). What is near is compared pixel by pixel, which costs as much as
# measuring four pictures, so chance pairs must stay rarer than pictures. Of 14,365 pairs of maps
# 15 are within 12 bits by chance, 7 within 10, none within 8; with ideal hashes, 8 orientations and
# both kinds (N^2 / 2 x 16 x P[d <= bits]) the last three lines allow 0.9, 1.4 and 0.3 pairs.
ALLOWED = ((500, 12), (1_000, 10), (20_000, 8), (200_000, 6), (1_000_000, 4))
BEYOND = 3  # two chance pairs at 10 million, 190 at 100 million

CROWD = 32  # so many equal hashes are compared with everything; the rest only follow the first
SPARSE = 4  # a hash with fewer bits set or unset says nothing: all such are near each other

_FEW = 2_048  # up to here each with each is quicker
_MOST = 1 << 27  # hashes: 134 million, by what a sorted pair leaves room for
_CHUNK = 1 << 16  # look-ups at once: half a megabyte, which stays in the cache
_MANY = 1 << 19  # pairs found, after which those found twice are put together: 10 MB
_TABLE_NS, _LOOK_NS, _COMPARE_NS = 80.0, 10.0, 20.0  # a hash: sorting, one look-up, one comparison


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs one < other (M,), each once, sorted: how many bits differ, and how the other is turned.

    warnings says in words what was left out, if anything was.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    bits: NDArray[np.uint8]
    orientation: NDArray[np.uint8]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.one)

    def some(self, which: NDArray) -> "Near":
        """Return some of the pairs."""
        one, other = self.one[which], self.other[which]
        return Near(one, other, self.bits[which], self.orientation[which], self.warnings)

    def __iter__(self) -> Iterator[tuple[int, int, int, int]]:
        columns = (self.one, self.other, self.bits, self.orientation)
        return zip(*(column.tolist() for column in columns), strict=True)


def allowed(limit: int, count: int) -> int:
    """Return the limit [bits] that may be asked of `count` pictures: it shrinks as they grow."""
    return min(limit, next((bits for most, bits in ALLOWED if count <= most), BEYOND))


def near_pairs(hashes: Hashes, limit: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (i, j, distance, orientation), i < j, of hashes (N,) or (N, 8) within `limit` bits.

    Of (N, 8), the upright hash of i is compared with every orientation of j; the best is given.
    """
    return iter(near([hashes], limit))


def near(
    kinds: Sequence[Hashes],
    limit: int,
    owners: NDArray[np.intp] | None = None,
    most: int | None = None,
) -> Near:
    """Return the pairs that one kind of hash at least puts within `limit` bits.

    Each kind is uint64 (N,) or (N, 8), column 0 upright. A pair's bits and orientation are those of
    its best kind. Takes some 60 bytes a picture beside the hashes, and 20 a pair found.
    owners (N,) says whose a hash is, where pictures have several: pairs of one owner are left out.
    most: hashes that share a bucket with more than so many are not looked up there at all. What so
    many have says nothing, and so pairs grow no faster than hashes.
    """
    assert all(len(kind) <= _MOST for kind in kinds)
    found, warnings = [], []
    for kind in kinds:
        turned = kind if kind.ndim == 2 else kind[:, None]
        telling = np.flatnonzero(_telling(turned[:, 0]))
        if len(turned) <= _FEW:
            few = _each_with_each(turned[telling], limit)
            parts, full = [(telling[i], telling[j], bits, o) for i, j, bits, o in few], 0
            parts = [_foreign(part, owners) for part in parts]
        else:
            parts, full = _banded(turned, telling, limit, owners, most)
        found += parts
        if full and most is None:
            warnings.append(
                f"{full} look-ups met more than {BUCKET} hashes that agree in many bits; copies "
                "among those may be missed."
            )
    return _merge(found, tuple(warnings))


def components(count: int, links: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Return for each of `count` pictures the smallest index it hangs together with."""
    top = list(range(count))

    def find(i: int) -> int:
        while top[i] != i:
            top[i] = i = top[top[i]]
        return i

    for i, j in links:
        low, high = sorted((find(i), find(j)))
        top[high] = low
    for i in range(count):  # a top is never above what hangs from it
        top[i] = top[top[i]]
    return np.array(top, np.int64)


def diameter(kinds: Sequence[Hashes], members: Sequence[int], most: int = 200) -> int:
    """Return how many bits lie between the two members that are least alike.

    A chain of near pairs may join what is not alike: then this is far above the limit. Looks at
    `most` members, evenly taken.
    """
    some = np.asarray(members)[
        np.linspace(0, len(members) - 1, min(most, len(members))).astype(int)
    ]
    widest = 0
    for i in some:
        apart = [
            np.bitwise_count(kind[i].flat[0] ^ kind[some]).reshape(len(some), -1) for kind in kinds
        ]
        widest = max(widest, int(np.min([bits.min(axis=1) for bits in apart], axis=0).max()))
    return widest


def _telling(upright: Hashes) -> NDArray[np.bool_]:
    ones = np.bitwise_count(upright)
    return (ones >= SPARSE) & (ones <= HASH_BITS - SPARSE)


Part = tuple[NDArray, NDArray, NDArray, NDArray]  # i, j, bits, orientation


def _each_with_each(hashes: Hashes, limit: int) -> list[Part]:
    found = []
    for i in range(len(hashes) - 1):
        bits = np.bitwise_count(hashes[i, 0] ^ hashes[i + 1 :])
        j, orientation = np.nonzero(bits <= limit)
        if len(j):
            found.append((np.full(len(j), i), i + 1 + j, bits[j, orientation], orientation))
    return found


def _banded(
    hashes: Hashes,
    telling: NDArray[np.intp],
    limit: int,
    owners: NDArray[np.intp] | None,
    most: int | None,
) -> tuple[list[Part], int]:
    """Return the pairs of some rows, some more than once; how many look-ups met too full a bucket.

    The hashes themselves, most of the memory, are not copied.
    """
    crowd, first = (telling[found] for found in _crowds(hashes[telling, 0]))
    found: list[Part] = []
    if len(crowd):
        none = np.zeros(len(crowd), np.uint8)
        found.append((np.minimum(crowd, first), np.maximum(crowd, first), none, none))
    left = np.setdiff1d(telling, crowd, assume_unique=True)
    full, seen, enough = 0, 0, _MANY
    for mask in _plan(len(left), limit, hashes.shape[1]):
        for part, over in _near_by(Table(hashes[left, 0], mask), hashes, left, limit, most):
            full += over
            found.append(_foreign(part, owners))
            seen += len(found[-1][0])
            if seen > enough:
                once = _merge(found, ())
                found = [(once.one, once.other, once.bits, once.orientation)]
                seen, enough = len(once), max(_MANY, 2 * len(once))
    return found, full


def _near_by(
    table: Table, hashes: Hashes, rows: NDArray[np.intp], limit: int, most: int | None
) -> Iterator[tuple[Part, int]]:
    """Yield the pairs that share a bucket of a table, and how many of `rows` met too full a one."""
    for a, b, bits, over in table.beside(limit, most):
        i, j = rows[a], rows[b]
        yield (np.minimum(i, j), np.maximum(i, j), bits, np.zeros(len(i), np.uint8)), over
    turned = hashes.shape[1] - 1
    for begin in range(0, len(rows) if turned else 0, step := _CHUNK // max(1, turned)):
        some = rows[begin : begin + step]
        asked = hashes[some, 1:].ravel()  # all of a row lie beside each other
        for stored, query, bits, over in table.near(asked, limit, most):
            place, orientation = np.divmod(query, turned)
            i, j = rows[stored], some[place]
            later = i < j
            way = (orientation[later] + 1).astype(np.uint8)
            yield (i[later], j[later], bits[later], way), over


def _foreign(part: Part, owners: NDArray[np.intp] | None) -> Part:
    """Return the pairs that are not of one owner."""
    if owners is None:
        return part
    i, j, bits, orientation = part
    use = owners[i] != owners[j]
    return i[use], j[use], bits[use], orientation[use]


def _crowds(upright: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return who is beyond the first CROWD of many equal hashes, and the first of each."""
    order = np.argsort(upright, kind="stable")
    ordered = upright[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[begins, len(ordered)])
    place = np.arange(len(ordered)) - np.repeat(begins, lengths)
    beyond = place >= CROWD
    return order[beyond], order[np.repeat(begins, lengths)[beyond]]


def _plan(count: int, limit: int, orientations: int) -> list[int]:
    """Return the bits, as masks, that make the keys of the tables: the cheapest that miss none."""

    def cost(bands: int) -> float:
        agree = bands - limit
        key_bits = min(KEY_BITS, agree * (HASH_BITS // bands))
        meet = count / 2**key_bits
        each = _TABLE_NS + orientations * (_LOOK_NS + meet * _COMPARE_NS)
        return math.comb(bands, agree) * each

    bands = min(range(limit + 1, limit + 5), key=cost)
    edges = np.linspace(0, HASH_BITS, bands + 1).astype(int).tolist()
    cut = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return [sum(some) for some in combinations(cut, bands - limit)]


def _merge(parts: list[Part], warnings: tuple[str, ...]) -> Near:
    """Return each pair once, sorted, as it is nearest.

    Each is put into one number, because numbers alone are sorted ten times as fast as by columns.
    """
    numbers = [
        (one.astype(np.uint64) << np.uint64(37))
        | (other.astype(np.uint64) << np.uint64(10))
        | (bits.astype(np.uint64) << np.uint64(3))
        | orientation.astype(np.uint64)
        for one, other, bits, orientation in parts
    ]
    pairs = np.sort(np.concatenate([np.empty(0, np.uint64), *numbers]))
    pairs = pairs[np.diff(pairs >> np.uint64(10), prepend=np.uint64(2**54)) != 0]
    one, other = pairs >> np.uint64(37), (pairs >> np.uint64(10)) & np.uint64(_MOST - 1)
    bits, orientation = (pairs >> np.uint64(3)) & np.uint64(127), pairs & np.uint64(7)
    return Near(
        one.astype(np.int64),
        other.astype(np.int64),
        bits.astype(np.uint8),
        orientation.astype(np.uint8),
        warnings,
    )
