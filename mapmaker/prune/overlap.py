"""What two pictures that lie upon each other both show, cut out of both at one size."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.align import Fit, Pixels, View, turned

SMALL_PX = 384
_LEAST_PX = 48  # what both show must be at least this large
_RIM_PX = 12  # left around a part before it is cut out
_WHOLE_TIMES = 1.06  # times that a whole factor may be off the one wanted
GREY = np.array([0.299, 0.587, 0.114], np.float32)

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]  # left, top, right, bottom, edges in pixels


@dataclass(frozen=True)
class Overlap:
    """What both pictures show of one ground: float32 (h, w, 3) each, 0..255.

    shares (0..1) say how much of the one's and of the other's area that is; px (x, y) how many
    pixels of the one are one of these.
    """

    a: Floats
    b: Floats
    shares: tuple[float, float]
    px: tuple[float, float] = (1.0, 1.0)

    @cached_property
    def greys(self) -> tuple[Floats, Floats]:
        """Their brightness, (h, w) each."""
        return _brightness(self.a), _brightness(self.b)

    @cached_property
    def small(self) -> tuple[Floats, Floats]:
        """Their brightness `lessened` to at most SMALL_PX a side."""
        one, other = (lessened(grey, SMALL_PX) for grey in self.greys)
        return one, other


def laid(one: View, other: View, fit: Fit, *, grey: bool = False) -> Overlap | None:
    """Return what both show, in the pixels of the coarser one; None for next to nothing.

    With grey only its brightness, (h, w) each, in a third of the time.
    """
    here, there = (view.grey if grey else view.rgb for view in (one, other))
    there = turned(there, fit.orientation)
    (sx, sy), (dx, dy) = fit.scale, fit.shift
    height, width = here.shape[:2]
    left, top = dx + 0.5 - 0.5 * sx, dy + 0.5 - 0.5 * sy
    right, bottom = left + sx * there.shape[1], top + sy * there.shape[0]
    x0, y0, x1, y1 = max(0.0, left), max(0.0, top), min(width, right), min(height, bottom)
    coarse = max(1.0, (sx * sy) ** 0.5)
    size = round((x1 - x0) / coarse), round((y1 - y0) / coarse)
    if min(size) < _LEAST_PX:
        return None
    area = (x1 - x0) * (y1 - y0)
    shares = area / (width * height), area / ((right - left) * (bottom - top))
    inside = ((x0 - left) / sx, (y0 - top) / sy, (x1 - left) / sx, (y1 - top) / sy)
    px = (x1 - x0) / size[0], (y1 - y0) / size[1]
    return Overlap(_cut(here, (x0, y0, x1, y1), size), _cut(there, inside, size), shares, px)


def lessened(picture: Floats, side_px: int) -> Floats:
    """Return a picture (h, w, ...) averaged by a whole factor, to at most `side_px` a side.

    Rows and columns left over are cut off: any other factor takes ten times as long.
    """
    height, width = picture.shape[:2]
    factor = min(-(-max(height, width) // side_px), height, width)
    if factor == 1:
        return picture
    size = (width // factor, height // factor)
    whole = picture[: size[1] * factor, : size[0] * factor]
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def _cut(picture: Pixels, box: Box, size: tuple[int, int]) -> Floats:
    """Return the part of a picture inside `box` at a size (width, height), averaged by area."""
    x0, y0, x1, y1 = box
    if (0, 0, *size) == box and size == picture.shape[1::-1]:
        return picture.astype(np.float32)
    kx, ky = (x1 - x0) / size[0], (y1 - y0) / size[1]
    high, wide = picture.shape[:2]
    left, top = max(0, int(x0) - _RIM_PX), max(0, int(y0) - _RIM_PX)
    source = picture[top : min(high, int(y1) + _RIM_PX), left : min(wide, int(x1) + _RIM_PX)]
    x0, y0 = x0 - left, y0 - top
    if max(kx, ky) > 1.2:
        high, wide = source.shape[:2]
        factor = max(1, round(min(kx, ky)))
        if max(kx, ky) / factor < _WHOLE_TIMES and min(kx, ky) / factor > 1 / _WHOLE_TIMES:
            high, wide = high - high % factor, wide - wide % factor  # a whole factor is far faster
            less = (wide // factor, high // factor)
        else:
            less = (max(1, round(wide / kx)), max(1, round(high / ky)))
        source = cv2.resize(source[:high, :wide], less, interpolation=cv2.INTER_AREA)
        fx, fy = less[0] / wide, less[1] / high
        x0, kx, y0, ky = x0 * fx, kx * fx, y0 * fy, ky * fy
    matrix = np.array([[kx, 0, x0 + 0.5 * kx - 0.5], [0, ky, y0 + 0.5 * ky - 0.5]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    source = source.astype(np.float32)
    part = cv2.warpAffine(source, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return part.astype(np.float32, copy=False)


def _brightness(rgb: Floats) -> Floats:
    if rgb.ndim == 2:
        return rgb
    return cv2.transform(rgb, GREY[None]).astype(np.float32, copy=False)
