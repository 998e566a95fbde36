"""One decoded picture as every measurement wants it: shrunken once, looked at many times."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

SMALL_PX = 384


@dataclass(frozen=True)
class Shot:
    """An upright picture: rgb uint8 (H, W, 3). grey and small are made when first asked for."""

    rgb: NDArray[np.uint8]

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Return the brightness as uint8 (H, W), native resolution."""
        return _bytes(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY))

    @cached_property
    def half(self) -> NDArray[np.uint8]:
        """Return `grey` averaged by area to half of its sides, rounded down; 1 px at least."""
        height, width = self.grey.shape
        return halved(self.grey) if min(height, width) > 1 else self.grey

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
    def small_grey(self) -> NDArray[np.uint8]:
        """Return the brightness of `small`, uint8 (h, w)."""
        return _bytes(cv2.cvtColor(self.small, cv2.COLOR_RGB2GRAY))


def halved(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey picture (H, W) averaged by area to (H // 2, W // 2)."""
    height, width = grey.shape
    return _bytes(cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA))


def _bytes(array: NDArray) -> NDArray[np.uint8]:
    return array.astype(np.uint8, copy=False)
