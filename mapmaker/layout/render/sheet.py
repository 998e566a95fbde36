"""The sheet being painted: colour in floats, stencils drawn larger, one unsteady hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from shapely.geometry.base import BaseGeometry

from mapmaker.layout.chance import stream
from mapmaker.layout.geometry import polygons
from mapmaker.layout.palettes import Palette, tint
from mapmaker.layout.plan import Layout
from mapmaker.layout.render.noise import TILE_PX, Field, cloud, tiled

Window = tuple[slice, slice]
#: How far the hand strays from the true line, in squares: about 1 px at 50 px a square.
UNSTEADY = 0.012
#: Above this many drawn pixels stencils are drawn 2 times instead of 3 times larger.
MANY_PX = 40_000_000


def colour(code: str) -> NDArray[np.float32]:
    """Return "#rrggbb" as three floats from 0 to 1."""
    return np.asarray(tint(code), np.float32) / np.float32(255)


class Sheet:
    """The picture in the making. pixels: float32 (height, width, 3), 0..1."""

    def __init__(self, layout: Layout, cell_px: int, palette: Palette) -> None:
        self.layout, self.cell_px, self.palette = layout, cell_px, palette
        self.width, self.height = layout.columns * cell_px, layout.rows * cell_px
        self.rng = stream("render", layout.kind, layout.seed)
        self.scale = 3 if self.width * self.height * 9 <= MANY_PX else 2
        self.pixels = np.empty((self.height, self.width, 3), np.float32)
        self.pixels[:] = colour(palette.paper)
        self._waves = self.rng.uniform((0.5, 0.5, 0, 0), (2.6, 2.6, 6.28, 6.28), (4, 4))
        self._shift = (int(self.rng.integers(TILE_PX)), int(self.rng.integers(TILE_PX)))

    @property
    def whole(self) -> Window:
        return slice(0, self.height), slice(0, self.width)

    def unsteady(self, xy: NDArray[Any]) -> NDArray[Any]:
        """Return points (N, 2) in squares as the hand draws them: equal points stray equally."""
        out = np.array(xy, dtype=float)
        for fx, fy, p, q in self._waves:
            out[:, 0] += UNSTEADY / 2 * np.sin(fx * xy[:, 0] * 1.7 + fy * xy[:, 1] + p)
            out[:, 1] += UNSTEADY / 2 * np.sin(fy * xy[:, 0] - fx * xy[:, 1] * 1.7 + q)
        return out

    def drawn(self, shape: BaseGeometry, step: float = 0.25) -> BaseGeometry:
        """Return the shape as the hand draws it; a cave's corners are worn round."""
        if self.layout.kind == "cave":
            frame = shapely.box(0, 0, self.layout.columns, self.layout.rows)
            worn = shape.buffer(0.22).buffer(-0.44).buffer(0.22)
            shape = worn.intersection(frame) if not worn.is_empty else shape
        return shapely.transform(shape.segmentize(step), self.unsteady)

    def window(self, bounds: Sequence[float], margin: float = 0.0) -> Window:
        """Return the pixels these bounds in squares touch, `margin` squares more on each side."""
        left, top, right, bottom = bounds
        px = self.cell_px
        return (
            slice(
                max(0, int((top - margin) * px)), min(self.height, int((bottom + margin) * px) + 1)
            ),
            slice(
                max(0, int((left - margin) * px)), min(self.width, int((right + margin) * px) + 1)
            ),
        )

    def noise(
        self,
        name: str,
        window: Window,
        low: float,
        high: float,
        slope: float = 1.0,
        stretch: float = 1.0,
    ) -> Field:
        """Return named noise for these pixels (see noise.cloud), at a place of the map's own."""
        return tiled(cloud(name, self.cell_px, low, high, slope, stretch), *window, self._shift)

    def stencil(self, window: Window | None = None) -> Stencil:
        return Stencil(self, window or self.whole)

    def lay(self, window: Window, mask: Field, paint: Any) -> None:
        """Cover with paint (a colour, or one for each pixel) as far as the mask says."""
        part = self.pixels[window]
        part += (paint - part) * mask[..., None]

    def darken(self, window: Window, amount: Field, shade: Any = 0.0) -> None:
        """Multiply with a shade as far as amount (0..1) says: a wash over dry paint."""
        self.pixels[window] *= 1 - amount[..., None] * (1 - np.asarray(shade, np.float32))

    def blur(self, mask: Field, radius: float) -> Field:
        """Return the mask blurred by `radius` squares; wide blurs work at a third of the size."""
        px = radius * self.cell_px
        picture = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
        if px >= 6 and min(picture.size) > 24:
            small = picture.reduce(3).filter(ImageFilter.GaussianBlur(px / 3))
            picture = small.resize(picture.size, Image.Resampling.BILINEAR)
        else:
            picture = picture.filter(ImageFilter.GaussianBlur(px))
        return np.asarray(picture, np.float32) / 255

    def shifted(self, mask: Field, dx: float, dy: float) -> Field:
        """Return the mask moved right and down by squares >= 0; edges are stretched."""
        x, y = round(dx * self.cell_px), round(dy * self.cell_px)
        return np.pad(mask, ((y, 0), (x, 0)), mode="edge")[: mask.shape[0], : mask.shape[1]]


class Stencil:
    """A grey picture drawn larger than the sheet, in squares; `mask()` is what it came to, 0..1."""

    def __init__(self, sheet: Sheet, window: Window) -> None:
        self.sheet, self.window, s = sheet, window, sheet.scale
        rows, columns = window
        self.size = (max(1, columns.stop - columns.start), max(1, rows.stop - rows.start))
        self.image = Image.new("L", (self.size[0] * s, self.size[1] * s), 0)
        self.pen = ImageDraw.Draw(self.image)
        self._k = sheet.cell_px * s
        self._origin = np.array([columns.start * s, rows.start * s], float)

    def at(self, xy: Any) -> list[float]:
        """Return points in squares as the flat list of pixels that Pillow draws fastest."""
        return (np.asarray(xy, float) * self._k - self._origin).ravel().tolist()

    def fill(self, shape: BaseGeometry, value: int = 255, hole: int = 0) -> Stencil:
        """Fill every polygon of the shape, then its holes."""
        for part in polygons(shape):
            self.pen.polygon(self.at(part.exterior.coords), fill=value)
            for ring in part.interiors:
                self.pen.polygon(self.at(ring.coords), fill=hole)
        return self

    def polygon(self, xy: Any, value: int = 255) -> None:
        self.pen.polygon(self.at(xy), fill=value)

    def line(self, xy: Any, width: float, value: int = 255) -> None:
        """Draw a line `width` squares wide with round joints."""
        self.pen.line(self.at(xy), fill=value, width=max(1, round(width * self._k)), joint="curve")

    def lines(self, shapes: Iterable[BaseGeometry], width: float, value: int = 255) -> Stencil:
        """Draw the rings and lines of these shapes."""
        for shape in shapes:
            for line in shapely.get_parts(
                shape.boundary if shape.geom_type.endswith("Polygon") else shape
            ).tolist():
                if line.length > 0:
                    self.line(line.coords, width, value)
        return self

    def disc(self, x: float, y: float, radius: float, value: int = 255) -> None:
        left, top, right, bottom = self.at([(x - radius, y - radius), (x + radius, y + radius)])
        self.pen.ellipse((left, top, right, bottom), fill=value)

    def mask(self) -> Field:
        """Return the stencil reduced to the sheet's pixels, float32 0..1."""
        return np.asarray(self.image.reduce(self.sheet.scale), np.float32) / 255
