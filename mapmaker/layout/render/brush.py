"""A brush for things: shapes in a thing's own frame, on a clear layer, with their shadows."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mapmaker.layout.chance import stream
from mapmaker.layout.palettes import Colour, tint
from mapmaker.layout.plan import Prop, Segment
from mapmaker.layout.render.sheet import Sheet, colour


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Return a with this share of b."""
    return (
        int(a[0] + (b[0] - a[0]) * share),
        int(a[1] + (b[1] - a[1]) * share),
        int(a[2] + (b[2] - a[2]) * share),
    )


def lighter(a: Colour, share: float = 0.25) -> Colour:
    return mixed(a, (255, 250, 235), share)


def darker(a: Colour, share: float = 0.25) -> Colour:
    return mixed(a, (18, 14, 24), share)


class Brush:
    """Draws things one after another on one layer; `lay()` puts the layer on the sheet.

    Coordinates are squares in the frame of the thing last placed: its middle at 0, 0, turned by
    its angle.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.palette = sheet, sheet.palette
        self.ink: Colour = tint(sheet.palette.ink)
        s = sheet.scale
        self._k = sheet.cell_px * s
        self.layer = Image.new("RGBA", (sheet.width * s, sheet.height * s), (*self.ink, 0))
        self._pen = ImageDraw.Draw(self.layer)
        self._shadow = sheet.stencil()
        self._origin, self._turn = np.zeros(2), np.eye(2)
        self._used = False
        self.rng = stream("brush")
        self.w = self.h = 1.0

    def place(self, x: float, y: float, w: float, h: float, angle: float) -> None:
        """Set the frame that the next shapes are drawn in."""
        t = np.radians(angle)
        self._origin = np.array([x, y])
        self._turn = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
        self.w, self.h = w, h
        self._used = True

    def fit(self, segment: Segment) -> None:
        """Set the frame along a segment one square long, where the hand drew it."""
        (ax, ay), (bx, by) = self.sheet.unsteady(np.asarray(segment, float))
        self.place(
            (ax + bx) / 2, (ay + by) / 2, 1.0, 1.0, float(np.degrees(np.arctan2(by - ay, bx - ax)))
        )

    def thing(self, prop: Prop) -> None:
        """Set the frame and the chance of this thing."""
        self.place(*prop.position, *prop.size, prop.angle)
        self.rng = stream(prop.kind, prop.variant)

    @property
    def sun(self) -> tuple[float, float]:
        """Return the direction the light comes from (upper left), in the thing's own frame."""
        x, y = np.array([-0.7, -0.7]) @ self._turn.T
        return float(x), float(y)

    def _at(self, points: Any) -> Any:
        return np.asarray(points, float) @ self._turn + self._origin

    def poly(self, points: Any, fill: Colour, ink: float = 0.04, cast: float = 0.0) -> None:
        """Fill a polygon and ink its outline; cast is its height in quarter squares."""
        spots = self._at(points)
        flat = (spots * self._k).ravel().tolist()
        if cast:
            for share in (0.5, 1.0):
                self._shadow.polygon(spots + np.array([0.16, 0.2]) * cast * share)
        self._pen.polygon(flat, fill=(*fill, 255))
        if ink:
            self._pen.line(
                [*flat, *flat[:4]],
                fill=(*self.ink, 255),
                width=max(1, round(ink * self._k)),
                joint="curve",
            )

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        fill: Colour,
        ink: float = 0.04,
        cast: float = 0.0,
    ) -> None:
        self.poly([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], fill, ink, cast)

    def disc(
        self, x: float, y: float, r: float, fill: Colour, ink: float = 0.04, cast: float = 0.0
    ) -> None:
        self.oval(x, y, r, r, fill, ink, cast)

    def oval(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: Colour,
        ink: float = 0.04,
        cast: float = 0.0,
    ) -> None:
        t = np.linspace(0, 2 * np.pi, 12 + int(14 * min(1.0, max(rx, ry))), endpoint=False)
        self.poly(np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], -1), fill, ink, cast)

    def lump(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: Colour,
        ink: float = 0.04,
        cast: float = 0.0,
        rough: float = 0.2,
        points: int = 9,
    ) -> None:
        """Fill an uneven angular shape: a stone, a sack."""
        t = np.linspace(0, 2 * np.pi, points, endpoint=False) + self.rng.uniform(-0.2, 0.2, points)
        r = 1 + self.rng.uniform(-rough, rough, points)
        self.poly(np.stack([x + rx * r * np.cos(t), y + ry * r * np.sin(t)], -1), fill, ink, cast)

    def line(self, points: Any, width: float, fill: Colour | None = None) -> None:
        flat = (self._at(points) * self._k).ravel().tolist()
        self._pen.line(
            flat,
            fill=(*(fill or self.ink), 255),
            width=max(1, round(width * self._k)),
            joint="curve",
        )

    def lay(self, strength: float = 0.5) -> None:
        """Put the shadows and the layer on the sheet."""
        if not self._used:
            return
        sheet = self.sheet
        shade = sheet.blur(self._shadow.mask(), 0.05)
        sheet.darken(sheet.whole, strength * shade, colour(self.palette.shade))
        picture = np.asarray(self.layer.reduce(sheet.scale), np.float32) / 255
        grain = (
            1
            + 0.045 * sheet.noise("fine", sheet.whole, 3.0, 30.0, 0.5)
            + 0.03 * sheet.noise("broad", sheet.whole, 0.08, 3.0, 1.3)
        )
        sheet.lay(sheet.whole, picture[..., 3], picture[..., :3] * grain[..., None])
