"""What a floor plan is: frozen pieces in squares, origin at the picture's top left."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from mapmaker.errors import MapmakerError

Point = tuple[float, float]
Segment = tuple[Point, Point]
Cell = tuple[int, int]

#: What stands in `Layout.cells` for each kind of ground; anything not named here is floor (".").
CODES = {"rock": "#", "water": "~", "chasm": ":", "grass": ",", "bridge": "=", "ford": "="}
#: Ground that nobody walks on.
BLOCKED = frozenset("#~:")


@dataclass(frozen=True, slots=True)
class Room:
    """A named place: its outline, and the cells whose middle lies inside it."""

    name: str
    polygon: tuple[Point, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Door:
    """A door one square long. kind is door, secret or locked."""

    segment: Segment
    kind: str = "door"
    open: bool = False


@dataclass(frozen=True, slots=True)
class Light:
    """A lamp: its reach in squares and its colour as #rrggbb."""

    position: Point
    range: float
    colour: str = "#ffb45a"


@dataclass(frozen=True, slots=True)
class Stairs:
    """A flight: top left corner, size, degrees clockwise from east that one walks, up or down."""

    position: Point
    size: Point
    heading: int
    goes: str = "down"


@dataclass(frozen=True, slots=True)
class Area:
    """Ground of one material: the outer ring, then its holes. Later areas lie on earlier ones."""

    kind: str
    rings: tuple[tuple[Point, ...], ...]
    turn: int = 0

    def shape(self) -> BaseGeometry:
        """Return the ground as a valid polygon, even where rounding made a ring cross itself."""
        shape = Polygon(self.rings[0], self.rings[1:])
        return shape if shape.is_valid else shape.buffer(0)


@dataclass(frozen=True, slots=True)
class Prop:
    """A thing to draw: middle, size in squares, degrees clockwise, a number that varies it."""

    kind: str
    position: Point
    size: Point = (1.0, 1.0)
    angle: float = 0.0
    variant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One floor plan. `walls` are broken where doors, windows and exits stand.

    cells holds one text a row, one character a square (see CODES). exits are openings on the
    picture's edge; stairs are ways out too. Everything is in squares.
    """

    kind: str
    seed: int
    columns: int
    rows: int
    theme: str
    palette: str
    cells: tuple[str, ...]
    rooms: tuple[Room, ...] = ()
    walls: tuple[tuple[Point, ...], ...] = ()
    doors: tuple[Door, ...] = ()
    windows: tuple[Segment, ...] = ()
    lights: tuple[Light, ...] = ()
    stairs: tuple[Stairs, ...] = ()
    exits: tuple[Segment, ...] = ()
    areas: tuple[Area, ...] = ()
    props: tuple[Prop, ...] = ()
    cell_px: float = 50  # of an imported picture any, of a drawn one whole
    source: str = field(default="mapmaker.layout")

    def to_json(self) -> dict[str, Any]:
        """Return the layout as `<slug>.layout.json` holds it: plain lists, numbers and texts."""
        data = _plain(asdict(self))
        data["squares"] = [data.pop("columns"), data.pop("rows")]
        return {"schema": 1, **data}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        """Read what `to_json` wrote. Raises MapmakerError, naming the key, when a part is odd."""
        key = "squares"
        try:
            columns, rows = (int(side) for side in data["squares"])
            parts: dict[str, Any] = {}
            for key, read in _READERS.items():
                parts[key] = read(data[key])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MapmakerError(
                f"This layout cannot be read: {key!r} is missing or not as expected ({error}).",
                hint="A layout.json has the keys " + ", ".join(["squares", *_READERS]) + ".",
            ) from error
        return cls(columns=columns, rows=rows, **parts)


def ground(areas: tuple[Area, ...], x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.str_]:
    """Return the code of the ground (see CODES) under each point; rock where no area lies."""
    codes = np.full(np.shape(x), CODES["rock"])
    for area in areas:
        shape = area.shape()
        shapely.prepare(shape)
        codes[shapely.contains_xy(shape, x, y)] = CODES.get(area.kind, ".")
    return codes


def cells_of(areas: tuple[Area, ...], columns: int, rows: int) -> tuple[str, ...]:
    """Return the ground under the middle of every square, a text a row."""
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    return tuple("".join(row) for row in ground(areas, x, y))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _point(pair: Any) -> Point:
    x, y = pair
    return (float(x), float(y))


def _line(points: Any) -> tuple[Point, ...]:
    return tuple(_point(pair) for pair in points)


def _segment(points: Any) -> Segment:
    start, end = points
    return (_point(start), _point(end))


def _cells(cells: Any) -> tuple[Cell, ...]:
    return tuple((int(column), int(row)) for column, row in cells)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise ValueError(f"{value!r} is no size")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


_READERS: dict[str, Any] = {
    "kind": _text,
    "seed": _whole,
    "theme": _text,
    "palette": _text,
    "cells": lambda rows: tuple(_text(row) for row in rows),
    "rooms": lambda rooms: tuple(
        Room(_text(r["name"]), _line(r["polygon"]), _cells(r["cells"])) for r in rooms
    ),
    "walls": lambda walls: tuple(_line(wall) for wall in walls),
    "doors": lambda doors: tuple(
        Door(_segment(d["segment"]), _text(d["kind"]), bool(d["open"])) for d in doors
    ),
    "windows": lambda windows: tuple(_segment(w) for w in windows),
    "lights": lambda lights: tuple(
        Light(_point(p["position"]), float(p["range"]), _text(p["colour"])) for p in lights
    ),
    "stairs": lambda stairs: tuple(
        Stairs(_point(s["position"]), _point(s["size"]), _whole(s["heading"]), _text(s["goes"]))
        for s in stairs
    ),
    "exits": lambda exits: tuple(_segment(e) for e in exits),
    "areas": lambda areas: tuple(
        Area(_text(a["kind"]), tuple(_line(ring) for ring in a["rings"]), _whole(a["turn"]))
        for a in areas
    ),
    "props": lambda props: tuple(
        Prop(
            _text(p["kind"]),
            _point(p["position"]),
            _point(p["size"]),
            float(p["angle"]),
            _whole(p["variant"]),
        )
        for p in props
    ),
    "cell_px": _number,
    "source": _text,
}
