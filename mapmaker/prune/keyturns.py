"""The one of its eight turns by which a key is looked up, so that two look-ups stand for all."""

import numpy as np
from numpy.typing import NDArray

# Bits of a key, row by row from the highest: the slowest wave across and down, and the odd ones.
_SLOWEST = np.uint64(1 << 62), np.uint64(1 << 55)
_ODD = np.uint64(0x5555555555555555), np.uint64(0x00FF00FF00FF00FF)
_SWAPS = tuple(
    (np.uint64(shift), np.uint64(mask))
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0xCCCC0000CCCC), (28, 0xF0F0F0F0))
)


def settled(upright: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return keys (n,) mirrored until both of their slowest waves rise, and how (n, 2) they were.

    The first of two columns is of the picture as it is, the second of the transposed one: these two
    stand for all eight orientations. Between copies these waves' signs differ in 1 to 5 of 100.
    """
    both = np.stack([upright, _transposed(upright)], axis=1)
    falls = [(both & wave == 0) for wave in _SLOWEST]
    for fall, odd in zip(falls, _ODD, strict=True):
        both ^= np.where(fall, odd, np.uint64(0))
    return both, (falls[0] + np.uint8(2) * falls[1]).astype(np.uint8)


def _transposed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return keys whose 8 x 8 bits are transposed (Warren, Hacker's Delight, 7-3)."""
    for shift, mask in _SWAPS:
        swap = (keys ^ keys >> shift) & mask
        keys = keys ^ swap ^ swap << shift
    return keys
