"""Two perceptual hashes in all eight orientations, from one shrunken picture and one DCT.

A map has no up: people turn and mirror them. Turning a picture only changes signs and the order
of its cosine coefficients, so the seven other hashes cost next to nothing and are exact.
pHash shrugs off brightness and gridlines, dHash shrugs off overlays and titles; we ask both.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.median import median
from mapmaker.prune.shot import MOST_SUMMED, halved, summed

ORIENTATIONS = 8  # bit 0: mirrored left-right, bit 1: top-bottom, bit 2: transposed first
THUMB_PX = 32
_LARGE_PX = 16 * THUMB_PX
_LOW = 8  # the hash keeps the 8 x 8 slowest waves
_FLAT = 1.0  # brightness steps below this [grey levels] are noise, not a gradient
_VISIBLE = 16  # a cell that differs by more [grey levels] shows something else
_LEAST_CELLS = 50  # of 1024: a nearly empty picture is judged as if so many were painted

# What mirroring makes of the waves: as they are, left-right, top-bottom, both.
_ODD = np.where(np.arange(_LOW) % 2, np.float32(-1), np.float32(1))
_ONES = np.ones((_LOW, _LOW), np.float32)
_MIRRORED = np.stack([_ONES, _ONES * _ODD, _ONES * _ODD[:, None], np.outer(_ODD, _ODD)])

Grey = NDArray[np.uint8]


def shrink(grey: Grey, sums: NDArray[np.int32] | None = None) -> NDArray[np.float32]:
    """Return a grey picture (H, W) of any size as 32 x 32 floats in 0..255, averaged by area.

    sums is `shot.summed` of it, of its half where it `halves`, if that is there already.
    """
    if sums is not None:
        return _averaged(sums)
    grey = halved(grey) if halves(grey) else grey
    if grey.size <= MOST_SUMMED:
        return _averaged(summed(grey))
    size = (THUMB_PX, THUMB_PX)
    small = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False)


def halves(grey: Grey) -> bool:
    """Return whether a picture is halved first: it is large and its sides are even.

    That is the same for all eight orientations, and changes fewer than one bit in a thousand of
    the hashes.
    """
    height, width = grey.shape
    return min(height, width) >= _LARGE_PX and height % 2 == width % 2 == 0


def _averaged(sums: NDArray[np.int32]) -> NDArray[np.float32]:
    # A pixel is uniform, so between its corners the sums grow evenly: parts of pixels count too.
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    corners = _between(_between(sums, height).T, width).T
    bands = corners[1:] - corners[:-1]
    area = height * width / THUMB_PX**2
    return ((bands[:, 1:] - bands[:, :-1]) / area).astype(np.float32)


def _between(sums: NDArray, side: int) -> NDArray[np.float64]:
    """Return the rows of sums at 33 even places from 0 to a side."""
    place = np.arange(THUMB_PX + 1) * (side / THUMB_PX)
    row = np.minimum(place.astype(np.intp), side - 1)
    rest = (place - row)[:, None]
    return sums[row] * (1 - rest) + sums[row + 1] * rest


def turn(array: NDArray, orientation: int) -> NDArray:
    """Return `array` seen in one of the eight orientations (0 is as it is)."""
    array = array.T if orientation & 4 else array
    array = array[::-1] if orientation & 2 else array
    return array[:, ::-1] if orientation & 1 else array


def phashes(thumb: NDArray[np.float32]) -> list[int]:
    """Return the 64-bit pHash of a 32 x 32 thumbnail in every orientation, from one DCT."""
    waves = cv2.dct(thumb)[:_LOW, :_LOW]
    turned = (np.stack([waves, waves.T])[:, None] * _MIRRORED).reshape(ORIENTATIONS, -1)
    bits = turned > median(turned[:, 1:])[:, None]
    bits[:, 0] = False  # the mean brightness says nothing about the shape
    return _as_ints(bits)


def dhashes(thumb: NDArray[np.float32]) -> list[int]:
    """Return the 64-bit dHash of a 32 x 32 thumbnail in every orientation."""
    # 8 rows of 9 for the upright four; its transpose for the other four is 9 rows of 8.
    wide = cv2.resize(thumb, (_LOW + 1, _LOW), interpolation=cv2.INTER_AREA)
    tall = cv2.resize(thumb, (_LOW, _LOW + 1), interpolation=cv2.INTER_AREA)
    turned = np.stack([turn(tall if k & 4 else wide, k) for k in range(ORIENTATIONS)])
    return _as_ints((turned[:, :, 1:] - turned[:, :, :-1] > _FLAT).reshape(ORIENTATIONS, -1))


def distances(
    one: Sequence[int] | NDArray[np.uint64], others: NDArray[np.uint64]
) -> NDArray[np.uint8]:
    """Return how many bits differ between one upright hash and (N, 8) hashes: (N, 8), 0..64."""
    return np.bitwise_count(np.uint64(one[0]) ^ others)


def near_pairs(
    phash: NDArray[np.uint64], dhash: NDArray[np.uint64], limit: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (i, j, distance, orientation) for every pair i < j within `limit` bits of each other.

    Both hashes are (N, 8); the distance is the smaller of the two, in the best orientation.
    Plain comparison of all pairs: 1e9 a second, so right up to some 100,000 pictures.
    """
    for i in range(len(phash) - 1):
        near = np.minimum(distances(phash[i], phash[i + 1 :]), distances(dhash[i], dhash[i + 1 :]))
        best = near.argmin(axis=1)
        least = near[np.arange(len(best)), best]
        for j in np.flatnonzero(least <= limit):
            yield i, i + 1 + int(j), int(least[j]), int(best[j])


def changed(one: NDArray, other: NDArray, orientation: int) -> float:
    """Return which share (0..1) of what is painted differs between two 32 x 32 thumbnails.

    The other one is turned first and its brightness and contrast are matched. Cells that show only
    the ground (the median) in both do not count: two floor plans on the same wide black surround
    hash alike and are still two plans.
    """
    a = one.astype(np.float64).ravel()
    b = turn(other, orientation).astype(np.float64).ravel()
    spread = a.std()
    gain = ((a - a.mean()) * (b - b.mean())).mean() / spread**2 if spread > 0 else 0.0
    wrong = np.abs(gain * (a - a.mean()) + b.mean() - b) > _VISIBLE
    painted = (np.abs(a - np.median(a)) > _VISIBLE) | (np.abs(b - np.median(b)) > _VISIBLE)
    return float(wrong.sum() / max(painted.sum(), _LEAST_CELLS))


def _as_ints(bits: NDArray[np.bool_]) -> list[int]:
    return np.packbits(bits, axis=1).view(">u8")[:, 0].tolist()
