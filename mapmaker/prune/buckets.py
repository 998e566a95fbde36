"""Hashes in buckets by some of their bits, so that only those of one bucket need be compared."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64
KEY_BITS = 22  # a table of 4 million places, 20 MB
BUCKET = 4_096  # more in one bucket are not all compared, and we say so

_MEET = 1 << 17  # hashes compared at once: 4 MB
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd (Knuth, TAOCP 3, 6.4)
_EIGHTHS, _LAST = np.uint8(1) << np.arange(8, dtype=np.uint8), np.uint64(7)

Hashes = NDArray[np.uint64]
Found = tuple[NDArray, NDArray, NDArray]  # places in a table, places of what was asked, bits


class Table:
    """Upright hashes (N,) in buckets by some of their bits, which a product mixes into a number."""

    def __init__(self, upright: Hashes, mask: int) -> None:
        self._mask, bits = np.uint64(mask), min(KEY_BITS, mask.bit_count())
        self._drop = np.uint64(HASH_BITS - bits - 3)
        keyed = self._keys(upright) << np.uint64(32) | np.arange(len(upright), dtype=np.uint64)
        keyed.sort()  # of whole numbers: in a quarter of the time of argsort
        self.order = (keyed & np.uint64(2**32 - 1)).astype(np.int32)
        self.ordered = upright[self.order]
        keyed >>= np.uint64(32)
        keys = (keyed >> np.uint64(3)).astype(np.int64)
        begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else keys
        self.begins = np.r_[begins, len(keys)].astype(np.int32)
        self.rank = np.empty(1 << bits, np.int32)  # of the buckets that hold something
        self.rank[keys[begins]] = np.arange(len(begins), dtype=np.int32)
        # Three more bits of the key say, for an eighth of a bucket, whether it holds anything: a
        # look-up ends here mostly, in a table small enough for the cache.
        self.filled = np.zeros(1 << bits, np.uint8)
        if len(keys):
            self.filled[keys[begins]] = np.bitwise_or.reduceat(_EIGHTHS[keyed & _LAST], begins)

    def beside(self, limit: int, most: int | None) -> Iterator[tuple[*Found, int]]:
        """Yield (a, b, bits) of the near ones among its own, each pair once; the rest as `near`.

        They lie beside each other: nothing is looked up.
        """
        end = np.repeat(self.begins[1:], sizes := np.diff(self.begins))
        here = np.arange(len(end), dtype=np.int32)
        live = np.flatnonzero(here + 1 < end)
        size = np.repeat(sizes, sizes)[live]
        met = self._met(self.ordered, live, here[live] + 1, end[live], size, limit, most)
        for stored, place, bits, over in met:
            yield stored, self.order[place], bits, over

    def near(self, asked: Hashes, limit: int, most: int | None) -> Iterator[tuple[*Found, int]]:
        """Yield (stored, asked, bits) of the near ones, and how many met too full a bucket.

        They are compared with BUCKET of it, or with none when `most` says how full is too full.
        """
        fine = self._keys(asked)
        keys = (fine >> np.uint64(3)).view(np.int64)
        fine &= _LAST
        live = np.flatnonzero(self.filled[keys] & _EIGHTHS[fine.view(np.int64)])
        rank = self.rank[keys[live]]
        at, end = self.begins[rank], self.begins[rank + 1]
        return self._met(asked, live, at, end, end - at, limit, most)

    def _met(
        self,
        asked: Hashes,
        live: NDArray,
        at: NDArray,
        end: NDArray,
        size: NDArray,
        limit: int,
        most: int | None,
    ) -> Iterator[tuple[*Found, int]]:
        """Yield as `near` what `live` meets from `at` to `end` of a bucket of some size."""
        full = size > (BUCKET if most is None else most)
        over = int(full.sum())
        if over:
            end = np.where(full, np.minimum(end, at + (BUCKET if most is None else 0)), end)
            some = np.flatnonzero(at < end)
            live, at, end = live[some], at[some], end[some]
        meet = np.cumsum(end - at, dtype=np.int64)
        cuts = np.searchsorted(meet, np.arange(_MEET, meet[-1] if len(meet) else 0, _MEET))
        for begin, stop in pairwise([0, *cuts.tolist(), len(live)]):
            some = slice(begin, stop)
            yield *self._compared(asked, live[some], at[some], end[some], limit), over
            over = 0

    def _compared(
        self, asked: Hashes, live: NDArray, at: NDArray, end: NDArray, limit: int
    ) -> Found:
        """Return (stored, asked, bits) of what `live` meets near it from `at` to `end`."""
        many = end - at
        ends = np.cumsum(many)
        meet = np.arange(ends[-1] if len(ends) else 0) + np.repeat(at - ends + many, many)
        bits = np.bitwise_count(self.ordered[meet] ^ np.repeat(asked[live], many))
        hit = np.flatnonzero(bits <= limit)
        return self.order[meet[hit]], live[np.searchsorted(ends, hit, side="right")], bits[hit]

    def _keys(self, hashes: Hashes) -> Hashes:
        """Return numbers of eighths of buckets, one for all hashes that agree in the mask."""
        keys = hashes & self._mask
        keys *= _MIX
        keys >>= self._drop
        return keys
