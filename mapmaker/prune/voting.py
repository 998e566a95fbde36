"""Whether keys that two pictures share lie alike, and how the one then lies on the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP = 2 ** (1 / 3)  # from one size of blobs to the next

MATCHES = 64  # of two pictures, to vote on: the most that count
_ROOM = 1 << 18  # pairs of matches held against each other at once: 10 MB
_NEAR_PX, _LOOSE = 4.0, 0.15  # a match may lie so far off, and so much of its distance
_STEADY = 1.3  # times: a scale that the places give may be off the one that the sizes give

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Matches:
    """Keys (M,) that two pictures share, those of one pair of pictures beside each other.

    here, there: (M, 2) places x, y [px] in the one and in the other, turned as the one is; steps:
    (M,) how many sizes the blob here is larger; level: (M,) its size here.
    """

    here: Floats
    there: Floats
    steps: NDArray[np.int8]
    level: NDArray[np.uint8]


@dataclass(frozen=True)
class Votes:
    """For each pair of pictures how many keys agree, and on what: here = scale * there + shift."""

    count: NDArray[np.int64]
    scale: Floats
    shift: Floats

    def some(self, which: NDArray) -> "Votes":
        """Return those of some pairs."""
        return Votes(self.count[which], self.scale[which], self.shift[which])


def vote(found: Matches, starts: NDArray[np.intp], counts: NDArray[np.intp]) -> Votes:
    """Return the votes of pairs (P,) of pictures, whose matches begin at `starts`.

    Every match proposes the place and scale of its own; a key has one vote. Pairs with about as
    many matches are counted at once.
    """
    votes = Votes(
        np.zeros(len(starts), np.int64),
        np.ones(len(starts), np.float32),
        np.zeros((len(starts), 2), np.float32),
    )
    least, width = 0, 4
    while least < MATCHES:
        about = np.flatnonzero((counts > least) & (counts <= width))
        for begin in range(0, len(about), step := max(1, _ROOM // width**2)):
            some = about[begin : begin + step]
            valid = np.arange(width) < counts[some, None]
            at = starts[some, None] + np.where(valid, np.arange(width), 0)
            votes.count[some], votes.scale[some], votes.shift[some] = _counted(found, at, valid)
        least, width = width, 2 * width
    return votes


def _counted(
    found: Matches, at: NDArray[np.intp], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return votes (P,), scale (P,) and shift (P, 2) of the matches `at` (P, K) that are valid."""
    here, there, steps = found.here[at], found.there[at], found.steps[at]
    scale = np.float32(STEP) ** steps.astype(np.float32)
    reach = np.float32(_NEAR_PX) * np.float32(STEP) ** found.level[at].astype(np.float32)
    off = np.zeros((*at.shape, at.shape[1]), np.float32)  # [pair, who proposes, who votes]
    away = np.zeros_like(off)
    for axis in (0, 1):
        h, t = here[..., axis], there[..., axis]
        apart = t[:, None, :] - t[:, :, None]
        shift = h[:, None, :] - h[:, :, None] - scale[:, :, None] * apart
        np.maximum(off, np.abs(shift), out=off)
        away += apart * apart
    agree = off < reach[:, None, :] + np.float32(_LOOSE) * scale[:, :, None] * np.sqrt(away)
    agree &= np.abs(steps[:, None, :] - steps[:, :, None]) <= 1
    agree &= valid[:, None, :]
    agree &= valid[:, :, None]
    pair = np.arange(len(at))
    best = agree.sum(axis=2).argmax(axis=1)
    on = agree[pair, best]
    count = np.minimum(_different(here, on), _different(there, on))
    return (count, *_fitted(here, there, on, scale[pair, best]))


def _different(points: Floats, on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many different points (P, K, 2) are on."""
    same = (points[:, None, :, :] == points[:, :, None, :]).all(axis=3)
    earlier = np.tri(points.shape[1], k=-1, dtype=np.bool_)
    again = (same & on[:, None, :] & earlier).any(axis=2)
    return (on & ~again).sum(axis=1)


def _fitted(
    here: Floats, there: Floats, on: NDArray[np.bool_], proposed: Floats
) -> tuple[Floats, Floats]:
    """Return scale (P,) and shift (P, 2) that lay the points on each other, in least squares."""
    weight = on[..., None].astype(np.float32)
    total = np.maximum(weight.sum(axis=1), 1)
    mid_here, mid_there = ((p * weight).sum(axis=1) / total for p in (here, there))
    a, b = (here - mid_here[:, None]) * weight, (there - mid_there[:, None]) * weight
    spread = (b * b).sum(axis=(1, 2))
    times = (a * b).sum(axis=(1, 2)) / np.maximum(spread, 1e-6) / proposed
    scale = np.where((times > 1 / _STEADY) & (times < _STEADY), times, 1) * proposed
    return scale, mid_here - scale[:, None] * mid_there
