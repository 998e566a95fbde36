"""Which pictures under one date and title show one map, told once all of them are here.

A page says what belongs together, and now and then it is wrong: a handout, a detail, a copy of
another week's map stand under the same head. What shows the same is one map, in whatever size,
dress or encoding; what does not is a map of its own.
"""

import base64
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import mul
from pathlib import Path
from typing import TypeVar

from PIL import Image

from mapmaker.errors import UnsafeInput
from mapmaker.picture import FORMATS, open_picture

# Figures of `bench/grouping.py --margins`, 121 real maps. Bits of 64 by which the pHashes of one
# map in two sizes or encodings may differ: JPEGs of quality 40 differ in 4 at most; of 7,260 pairs
# of real maps one differs in less than 10 (two decks of a boat), a map from its middle in 22.
SAME_BITS = 6
# How far outlines agree, as a correlation. One plan in two of eight palettes: 0.71 at least, where
# the pHashes differ in up to 42 bits. Two plans: 0.42 at most; two real maps 0.51, but for two in
# one room's shape and for floors of one house (0.63 to 0.95); a map and its middle 0.50 at most.
SAME_OUTLINES = 0.6
# A copy under another map's head must be like its original in both: JPEGs of quality 40 agree to
# 0.93 at least.
COPY_OUTLINES = 0.9
_SIDE = 32
NO_OUTLINES = base64.b64encode(bytes(_SIDE * _SIDE // 2)).decode()
_FURTHER = re.compile(r"([^_]+_[^_]+)_[0-9a-f]{8}")  # how `maps_of` calls a map of its own

_DIGITS = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))
_MANY = 50  # pieces of one entry from which numpy's tenth of a second is the shorter way

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outlines:
    """1024 levels from 0 to 15. `@` is the correlation of two; 0 with one that has no outlines.

    Without numpy, whose import takes longer than all that a second run has to compare.
    """

    levels: bytes
    mean: float
    length: float

    def __matmul__(self, other: "Outlines") -> float:
        product = sum(map(mul, self.levels, other.levels))
        product -= len(self.levels) * self.mean * other.mean
        return product / max(self.length * other.length, 1e-9)


@dataclass(frozen=True, slots=True)
class Member:
    """A picture as one page lists it. entry: the date and title it stands under; rank: the best
    picture of a map has the lowest."""

    entry: str
    sha256: str
    phash: int
    pixels: int
    rank: tuple[bool, bool, int, str]


def maps_of(
    members: Iterable[Member], outlines_of: Callable[[str], Outlines]
) -> dict[str, tuple[str, str]]:
    """Return sha256 -> (entry, map_id) for every picture.

    The order of members decides nothing but where bytes belong that are listed twice, see below.

    Within an entry pictures are one map when their pHashes differ by SAME_BITS at most, or their
    outlines agree; so are all that hang together by such pairs. The map of the best picture has the
    entry's name, every other one the name and the first digits of its best picture's sha256.
    Bytes listed under several entries belong where most pictures are like them, else to the first;
    what is like nothing else in its entry, and a copy of another entry's map, belongs to that map.
    outlines_of is asked only where the hashes leave an entry in pieces.
    """
    entries: dict[str, dict[str, Member]] = {}
    for member in members:
        own = entries.setdefault(member.entry, {})
        own[member.sha256] = min(member, own.get(member.sha256, member), key=lambda m: m.rank)
    found = {entry: _maps(list(own.values()), outlines_of) for entry, own in entries.items()}
    homes: dict[str, list[tuple[int, str]]] = {}
    for entry, maps in found.items():
        for one in maps:
            for member in one:
                homes.setdefault(member.sha256, []).append((len(one), entry))
    home = {sha: max(at, key=lambda place: place[0])[1] for sha, at in homes.items()}
    parted = {}
    for entry, maps in found.items():
        parted[entry] = [
            own for one in maps if (own := [m for m in one if home[m.sha256] == entry])
        ]
    everywhere = _Copies((one for maps in parted.values() for one in maps), outlines_of)
    for maps in parted.values():
        if len(maps) > 1:  # what has more of its like elsewhere does not speak for its entry
            maps.sort(key=lambda one: (everywhere.original(one, len(one)) is not None, _rank(one)))
    copies = _Copies((maps[0] for maps in parted.values() if maps), outlines_of)
    decided = {}
    for entry, maps in parted.items():
        for n, one in enumerate(maps):
            best = min(one, key=lambda m: m.rank)
            further = n and (copies.original(one) or f"{entry}_{best.sha256[:8]}")
            decided |= {m.sha256: (entry, further or entry) for m in one}
    return decided


def _rank(one: list[Member]) -> tuple[bool, bool, int, str]:
    return min(m.rank for m in one)


def head_of(map_id: str) -> str:
    """Return the entry's own name of a map_id: date and title, as its head on the page says."""
    further = _FURTHER.fullmatch(map_id)
    return further[1] if further else map_id


def outlines_in(path: Path) -> str:
    """Return the outlines of a picture as text: 32 x 32 levels from 0 to 15, in base64.

    A level says how much the greys change within its part of the picture: the walls of a map,
    whatever its colours. A file that cannot be read has none: all zero, which is like nothing.
    """
    import numpy as np

    try:
        grey = np.asarray(_grey(path).resize((4 * _SIDE, 4 * _SIDE), Image.Resampling.BOX), float)
    except (OSError, UnsafeInput, ValueError, SyntaxError, TypeError, EOFError, MemoryError):
        grey = np.zeros((4 * _SIDE, 4 * _SIDE))
    steps = np.hypot(*np.gradient(grey)).reshape(_SIDE, 4, _SIDE, 4).mean((1, 3))
    levels = np.rint(15 * np.sqrt(steps / max(steps.max(), 1e-9))).astype(np.uint8).ravel()
    return base64.b64encode((levels[::2] << 4 | levels[1::2]).tobytes()).decode()


def outlines_from(text: str) -> Outlines:
    """Return the outlines that `outlines_in` has written."""
    levels = base64.b64decode(text).hex().encode().translate(_DIGITS)
    mean = sum(levels) / len(levels)
    length = math.sqrt(max(0.0, sum(map(mul, levels, levels)) - len(levels) * mean * mean))
    return Outlines(levels, mean, length)


def _maps(members: Sequence[Member], outlines_of: Callable[[str], Outlines]) -> list[list[Member]]:
    """Return the members of one entry, those of one map together."""
    maps = _together(members, lambda i, j: _bits_apart(members[i], members[j]) <= SAME_BITS)
    if len(maps) == 1:
        return maps
    # The smallest picture speaks for its map: it is the quickest to open.
    speakers = [min(one, key=lambda m: (m.pixels, m.sha256)) for one in maps]
    joined = _together(maps, _alike([outlines_of(m.sha256) for m in speakers]))
    return [[m for one in several for m in one] for several in joined]


def _alike(drawn: Sequence[Outlines]) -> Callable[[int, int], bool]:
    """Return whether the outlines of two numbers agree."""
    if len(drawn) < _MANY:
        return lambda i, j: drawn[i] @ drawn[j] >= SAME_OUTLINES
    import numpy as np

    levels = np.array([list(one.levels) for one in drawn], float)
    levels -= levels.mean(1, keepdims=True)
    levels /= np.maximum(np.linalg.norm(levels, axis=1, keepdims=True), 1e-9)
    table = (levels @ levels.T >= SAME_OUTLINES).tolist()
    return lambda i, j: table[i][j]


class _Copies:
    """Maps of all entries, to find the one of which a picture under another head is a copy."""

    def __init__(
        self, maps: Iterable[list[Member]], outlines_of: Callable[[str], Outlines]
    ) -> None:
        self.maps, self.outlines_of = list(maps), outlines_of

    @cached_property
    def _by_band(self) -> dict[tuple[int, int], list[tuple[Member, int]]]:
        """Each member and the number of its map's, by the bytes of its hash."""
        found: dict[tuple[int, int], list[tuple[Member, int]]] = {}
        for one in self.maps:
            for member in one:
                for band in _bands(member.phash):
                    found.setdefault(band, []).append((member, len(one)))
        return found

    def original(self, one: list[Member], more_than: int = 0) -> str | None:
        """Return the entry of the nearest map of which one of these pictures is a copy, or None.

        Only maps of more than so many pictures count.
        """
        near = {
            (_bits_apart(member, other), other.entry, other.sha256, member.sha256)
            for member in one
            for band in _bands(member.phash)
            for other, count in self._by_band.get(band, ())
            if other.entry != member.entry and count > more_than
            and _bits_apart(member, other) <= SAME_BITS
        }  # fmt: skip
        for _, entry, other, own in sorted(near):
            if self.outlines_of(own) @ self.outlines_of(other) >= COPY_OUTLINES:
                return entry
        return None


def _bands(phash: int) -> list[tuple[int, int]]:
    """Return the eight bytes of a hash: two hashes with SAME_BITS between them share one or two."""
    return [(n, phash >> 8 * n & 255) for n in range(8)]


def _bits_apart(one: Member, other: Member) -> int:
    return (one.phash ^ other.phash).bit_count()


def _together(things: Sequence[T], alike: Callable[[int, int], bool]) -> list[list[T]]:
    """Return the things in groups that hang together by pairs (of their numbers) that are alike."""
    left = set(range(len(things)))
    groups = []
    while left:
        group: set[int] = set()
        new = {min(left)}
        while new:
            group |= new
            left -= new
            new = {j for j in left if any(alike(i, j) for i in new)}
        groups.append([things[n] for n in sorted(group)])
    return groups


def _grey(path: Path) -> Image.Image:
    with Image.open(path, formats=FORMATS) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft("L", (8 * _SIDE, 8 * _SIDE))
            return image.convert("L")
    return open_picture(path).convert("L")
