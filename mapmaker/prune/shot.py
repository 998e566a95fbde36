"""One decoded picture as every measurement wants it: shrunken once, looked at many times."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

SMALL_PX, TINY_PX = 384, 192
MOST_SUMMED = (2**31 - 1) // 255  # pixels, were all of them white


@dataclass(frozen=True)
class Shot:
    """An upright picture: rgb uint8 (H, W, 3). The rest is made when first asked for."""

    rgb: NDArray[np.uint8]

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Return the brightness as uint8 (H, W), native resolution."""
        return _bytes(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY))

    @cached_property
    def sums(self) -> NDArray[np.int32]:
        """Return the `summed` brightness."""
        return summed(self.grey)

    @cached_property
    def half_sums(self) -> NDArray[np.int32]:
        """Return the `summed` brightness of the halved picture."""
        return summed(halved(self.grey))

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """Return the picture averaged by area to at most 384 px a side, uint8 (h, w, 3).

        By a whole factor where both sides can be divided by it, which is five times as fast.
        """
        height, width = self.rgb.shape[:2]
        factor = -(-max(height, width) // SMALL_PX)
        if height % factor == 0 == width % factor:
            size = (width // factor, height // factor)
        else:
            scale = SMALL_PX / max(height, width)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return _bytes(cv2.resize(self.rgb, size, interpolation=cv2.INTER_AREA))

    @cached_property
    def tiny(self) -> NDArray[np.uint8]:
        """Return the picture at most 192 px a side, uint8 (h, w, 3): what is large is seen here."""
        height, width = self.small.shape[:2]
        scale = TINY_PX / max(height, width)
        if scale >= 1:
            return self.small
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        # Not quite halved: two pixels beside each other are area enough, and far faster.
        return _bytes(cv2.resize(self.small, size, interpolation=cv2.INTER_LINEAR))

    @cached_property
    def small_grey(self) -> NDArray[np.uint8]:
        """Return the brightness of `small`, uint8 (h, w)."""
        return _bytes(cv2.cvtColor(self.small, cv2.COLOR_RGB2GRAY))


def halved(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey picture (H, W) averaged by area to (H // 2, W // 2), at least 1 x 1."""
    size = (max(1, grey.shape[1] // 2), max(1, grey.shape[0] // 2))
    return _bytes(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def summed(grey: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the sums (H + 1, W + 1) of all that lies above and left of each corner of a pixel.

    grey (H, W) has at most MOST_SUMMED pixels: 31 bits hold no more.
    """
    return cv2.integral(grey, sdepth=cv2.CV_32S).astype(np.int32, copy=False)


def _bytes(array: NDArray) -> NDArray[np.uint8]:
    return array.astype(np.uint8, copy=False)
