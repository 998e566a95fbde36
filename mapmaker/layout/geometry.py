"""Shapes by rule: blobs, soft lines, walls round regions. Coordinates in squares."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import linemerge, unary_union

from mapmaker.layout.plan import Area, Cell, Point, Room, Segment

#: Walls lie on a lattice of 1/50 square: whole pixels at 50, 100 and 150 px a square.
LATTICE = 50


def snap(points: Iterable[Sequence[float]], lattice: int = LATTICE) -> tuple[Point, ...]:
    """Return the points on the lattice, as plain floats, without neighbours that fell together."""
    out: list[Point] = []
    for point in points:
        spot = (
            round(float(point[0]) * lattice) / lattice,
            round(float(point[1]) * lattice) / lattice,
        )
        if not out or spot != out[-1]:
            out.append(spot)
    return tuple(out)


def polygons(shape: BaseGeometry) -> list[Polygon]:
    """Return the polygons of a shape, largest first, crumbs left out."""
    parts = shapely.get_parts(shape).tolist() if not isinstance(shape, Polygon) else [shape]
    found = [part for part in parts if isinstance(part, Polygon) and part.area > 1e-3]
    return sorted(found, key=lambda part: (-part.area, part.bounds))


def areas(kind: str, shape: BaseGeometry, turn: int = 0) -> list[Area]:
    """Return the shape as ground of one kind."""
    return [
        Area(kind, tuple(snap(ring.coords, 100) for ring in (part.exterior, *part.interiors)), turn)
        for part in polygons(shape)
        if part.area > 0.02
    ]


def cells_shape(cells: Iterable[Cell]) -> BaseGeometry:
    """Return the union of these squares."""
    return unary_union([box(c, r, c + 1, r + 1) for c, r in sorted(cells)])


def cells_in(shape: BaseGeometry) -> tuple[Cell, ...]:
    """Return the squares whose middle lies inside the shape, by row."""
    left, top, right, bottom = (int(v) for v in shape.bounds)
    c, r = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    inside = shapely.contains_xy(shape, c + 0.5, r + 0.5)
    return tuple((int(a), int(b)) for a, b in zip(c[inside], r[inside], strict=True))


def is_roomy(cells: Iterable[Cell]) -> bool:
    """Tell whether two by two of these squares lie together: the least that is called a room."""
    held = set(cells)
    return any({(c + 1, r), (c, r + 1), (c + 1, r + 1)} <= held for c, r in held)


def room_of(name: str, shape: BaseGeometry) -> Room:
    """Return the shape's largest part as a room of this name."""
    part = polygons(shape)[0]
    return Room(name, snap(part.exterior.coords), cells_in(part))


def walls_round(
    regions: Iterable[BaseGeometry], openings: Iterable[Segment]
) -> tuple[tuple[Point, ...], ...]:
    """Return walls along every region's outline, broken at the openings that lie on it."""
    lines = unary_union([region.boundary for region in regions])
    gaps = unary_union([LineString(gap) for gap in openings])
    return as_walls(lines.difference(gaps) if not gaps.is_empty else lines)


def as_walls(lines: BaseGeometry, apart: float = 0.0) -> tuple[tuple[Point, ...], ...]:
    """Return the lines as merged, sorted polylines on the lattice.

    Vertices within a polyline are at least `apart` squares apart.
    """
    merged = linemerge(lines) if isinstance(lines, MultiLineString) else lines
    walls = []
    for line in shapely.get_parts(merged).tolist():
        if isinstance(line, LineString) and line.length > 0.05:
            wall = snap(spaced(snap(line.simplify(0.005).coords), apart))
            if len(wall) > 1:
                walls.append(wall)
    return tuple(sorted(walls))


def spaced(points: Sequence[Point], apart: float) -> list[Point]:
    """Return the points without those nearer than `apart` to the one before; both ends stay."""
    if apart <= 0:
        return list(points)
    kept = [points[0]]
    for point in points[1:-1]:
        if np.hypot(point[0] - kept[-1][0], point[1] - kept[-1][1]) >= apart:
            kept.append(point)
    while (
        len(kept) > 2 and np.hypot(points[-1][0] - kept[-1][0], points[-1][1] - kept[-1][1]) < apart
    ):
        kept.pop()
    return [*kept, points[-1]]


def blob(
    rng: Generator, middle: Point, rx: float, ry: float, rough: float = 0.18, points: int = 36
) -> Polygon:
    """Return an uneven round shape: an ellipse whose radius swings by about `rough`."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = np.ones(points)
    for wave in range(2, 7):
        radius += (
            rough
            / wave**0.7
            * rng.uniform(-1, 1)
            * np.sin(wave * angle + rng.uniform(0, 2 * np.pi))
        )
    xy = np.stack(
        [middle[0] + rx * radius * np.cos(angle), middle[1] + ry * radius * np.sin(angle)], -1
    )
    shape = Polygon(xy)
    return shape if shape.is_valid else polygons(shape.buffer(0))[0]


def soft_line(points: Sequence[Point], rounds: int = 3) -> NDArray[Any]:
    """Return the line with its corners cut `rounds` times (Chaikin), ends kept: float (N, 2)."""
    line = np.asarray(points, dtype=float)
    for _ in range(rounds):
        if len(line) < 3:
            break
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.concatenate([line[:1], np.stack([near, far], 1).reshape(-1, 2)[1:-1], line[-1:]])
    return line


def winding(rng: Generator, start: Point, end: Point, swing: float, bends: int = 4) -> NDArray[Any]:
    """Return a soft line from start to end that swings to either side by up to `swing` squares."""
    along = np.linspace(0, 1, bends + 2)[1:-1]
    a, b = np.asarray(start, float), np.asarray(end, float)
    side = np.array([a[1] - b[1], b[0] - a[0]])
    side /= max(float(np.hypot(*side)), 1e-9)
    middle = [a + (b - a) * t + side * rng.uniform(-swing, swing) for t in along]
    return soft_line([tuple(a), *(tuple(p) for p in middle), tuple(b)], 4)


def rounded(shape: BaseGeometry, radius: float) -> BaseGeometry:
    """Return the shape with corners rounded from inside and outside."""
    return shape.buffer(radius).buffer(-2 * radius).buffer(radius)


def ring_lines(shape: BaseGeometry) -> BaseGeometry:
    """Return every ring of the shape as lines."""
    whole = MultiPolygon(polygons(shape))
    return whole.boundary
