"""Has the C library keep what was freed, so that each picture need not ask for its memory anew.

A picture takes and frees some thirty blocks of a megabyte. By default they go back to the system,
whose fresh pages then cost 7 % of measuring (900 page faults of a 750 px picture).
"""

import ctypes
import sys
from functools import cache

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of glibc's malloc.h
_KEPT_BYTES = 48_000_000  # free memory a process keeps at most
_LARGE_BYTES = 16_000_000  # a block from here on goes back at once: that of a very large picture


@cache
def keep_freed() -> None:
    """Set it for this process, once. Other C libraries than glibc are left as they are."""
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:  # musl has none
        set_option(_TRIM, _KEPT_BYTES)
        set_option(_MMAP, _LARGE_BYTES)
