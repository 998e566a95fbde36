"""Caves: chambers and passages worn out of rock, water in the low places."""

from collections.abc import Sequence
from math import dist

import numpy as np
import shapely
from numpy.random import Generator
from shapely.geometry import LineString, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mapmaker.layout import geometry
from mapmaker.layout.chance import pick
from mapmaker.layout.connect import pairs_to_join
from mapmaker.layout.garden import keep_off
from mapmaker.layout.kinds import KINDS
from mapmaker.layout.plan import Layout, Point, Segment
from mapmaker.layout.site import Site

#: What stands along the walls of each kind of cave.
ON_THE_RIM = {
    "dripstone cave": ("stalagmite", "stalagmite", "rock"),
    "crystal cave": ("crystals", "stalagmite", "rock"),
    "fungus cave": ("mushrooms", "mushrooms", "rock"),
    "flooded cave": ("stalagmite", "rock", "rock"),
    "lair": ("bones", "rock", "stalagmite"),
}
THEMES = tuple(ON_THE_RIM)
ON_THE_FLOOR = ("pebbles", "pebbles", "rock", "crack", "puddle", "bones", "rubble")
#: What dwellers leave, and how large it is.
TRACES = {
    "campfire": (0.8, 0.8),
    "chest": (0.7, 0.46),
    "tent": (1.6, 1.4),
    "straw": (0.9, 0.9),
    "coins": (0.9, 0.9),
    "crate": (0.62, 0.62),
}
NAMES = (
    "Entrance",
    "Long chamber",
    "Echo hall",
    "Den",
    "Grotto",
    "Low chamber",
    "Bone pit",
    "Dripping hall",
    "Hollow",
    "Gallery",
    "Nest",
    "Sinkhole",
)


def _chambers(rng: Generator, columns: int, rows: int) -> list[tuple[Point, float, float]]:
    """Return middles and half sizes of chambers that keep clear of each other and of the border."""
    wanted = max(1, round(columns * rows / 28))
    found: list[tuple[Point, float, float]] = []
    for attempt in range(60 * wanted):
        if len(found) == wanted:
            break
        most = 2.9 if attempt < 20 * wanted else 2.2
        rx, ry = (float(v) for v in rng.uniform(1.2, most, 2))
        rx, ry = min(rx, (columns - 1.4) / 2), min(ry, (rows - 1.4) / 2)
        x, y = (
            float(rng.uniform(rx + 0.7, columns - rx - 0.7)),
            float(rng.uniform(ry + 0.7, rows - ry - 0.7)),
        )
        if all(abs(x - a) > rx + u + 0.7 or abs(y - b) > ry + v + 0.7 for (a, b), u, v in found):
            found.append(((x, y), rx, ry))
    return found


def _hollow(rng: Generator, columns: int, rows: int) -> tuple[Polygon, list[BaseGeometry]]:
    """Return the floor and the chambers in it."""
    chambers = _chambers(rng, columns, rows)
    shapes = [geometry.blob(rng, middle, rx, ry, 0.22) for middle, rx, ry in chambers]
    tunnels: list[BaseGeometry] = []
    middles = [middle for middle, _, _ in chambers]
    for a, b in pairs_to_join(rng, middles, 0.25):
        line = geometry.winding(rng, middles[a], middles[b], 0.8, 3)
        tunnels.append(LineString(line).buffer(float(rng.uniform(0.62, 0.88))))
    ways = []
    for side in rng.permutation(4)[: 2 + int(rng.random() < 0.35)].tolist():
        x, y = columns * float(rng.uniform(0.25, 0.75)), rows * float(rng.uniform(0.25, 0.75))
        end = ((x, -0.6), (columns + 0.6, y), (x, rows + 0.6), (-0.6, y))[side]
        away = [float(np.hypot(a - end[0], b - end[1])) for a, b in middles]
        near = middles[int(np.argmin(away))]
        ways.append(LineString(geometry.winding(rng, near, end, 0.5, 2)).buffer(0.75))
    inner = box(0.3, 0.3, columns - 0.3, rows - 0.3)
    hollow = unary_union([*(s.intersection(inner) for s in (*shapes, *tunnels))])
    rough = _roughen(rng, geometry.rounded(unary_union([hollow, *ways]), 0.14))
    worn = rough.buffer(0.25).buffer(-0.25).simplify(0.035).buffer(0)
    floor = geometry.polygons(worn.intersection(box(0, 0, columns, rows)))[0]
    floor = Polygon(floor.exterior, [ring for ring in floor.interiors if Polygon(ring).area > 0.5])
    return floor, [s.intersection(floor) for s in shapes]


def _roughen(rng: Generator, shape: BaseGeometry) -> BaseGeometry:
    """Return the shape with its outline pushed in and out, as water leaves rock."""
    waves = [
        (rng.uniform(0.9, 3.4), rng.uniform(0.9, 3.4), rng.uniform(0, 6.28, 2), 0.05)
        for _ in range(3)
    ]
    waves += [
        (rng.uniform(3.5, 6.5), rng.uniform(3.5, 6.5), rng.uniform(0, 6.28, 2), 0.035)
        for _ in range(2)
    ]

    def push(xy: np.ndarray) -> np.ndarray:
        out = xy.copy()
        for fx, fy, (p, q), size in waves:
            out[:, 0] += size * np.sin(fx * xy[:, 0] + fy * xy[:, 1] + p)
            out[:, 1] += size * np.sin(fy * xy[:, 0] - fx * xy[:, 1] + q)
        return out

    return shapely.transform(shape.segmentize(0.2), push).buffer(0)


def _openings(floor: Polygon, columns: int, rows: int) -> list[Segment]:
    """Return where the floor reaches the border."""
    touch = floor.boundary.intersection(box(0, 0, columns, rows).boundary)
    lines = [part for part in shapely.get_parts(touch).tolist() if part.length > 0.3]
    merged = shapely.line_merge(unary_union(lines)) if lines else None
    out: list[Segment] = []
    for line in shapely.get_parts(merged).tolist() if merged is not None else []:
        ends = geometry.snap([line.coords[0], line.coords[-1]])
        if len(ends) == 2:
            out.append((ends[0], ends[1]))
    return sorted(out)


def _walls(floor: Polygon, columns: int, rows: int) -> tuple[tuple[Point, ...], ...]:
    """Return the rock's face as polylines, open at the border, vertices 0.36 squares apart."""
    frame = box(0, 0, columns, rows).boundary.buffer(1e-6)
    return geometry.as_walls(floor.boundary.difference(frame), 0.36)


def _simple_floor(floor: Polygon, columns: int, rows: int) -> Polygon:
    """Return the floor with vertices as far apart as walls want, so that both agree.

    Vertices on the border stay: there the cave opens.
    """
    rings = []
    for ring in (floor.exterior, *floor.interiors):
        points = geometry.snap(LineString(ring.coords).simplify(0.05).coords)
        fixed = [x in (0, columns) or y in (0, rows) for x, y in points]
        rings.append(_spaced_ring(points[:-1], fixed[:-1], 0.38))
    plain = Polygon(rings[0], [ring for ring in rings[1:] if len(ring) > 3])
    return plain if plain.is_valid else geometry.polygons(plain.buffer(0))[0]


def _spaced_ring(points: Sequence[Point], fixed: Sequence[bool], apart: float) -> list[Point]:
    """Return the ring without the loose points that are nearer than `apart` to the one before."""
    turn = fixed.index(True) if True in fixed else 0
    kept: list[tuple[Point, bool]] = []
    for point, stays in zip(
        [*points[turn:], *points[:turn]], [*fixed[turn:], *fixed[:turn]], strict=True
    ):
        while stays and kept and not kept[-1][1] and dist(kept[-1][0], point) < apart:
            kept.pop()
        if stays or not kept or dist(kept[-1][0], point) >= apart:
            kept.append((point, stays))
    while len(kept) > 3 and not kept[-1][1] and dist(kept[-1][0], kept[0][0]) < apart:
        kept.pop()
    return [point for point, _ in kept]


@KINDS.register("cave")
def plan_cave(rng: Generator, seed: int, columns: int, rows: int) -> Layout:
    """Return a cave: uneven chambers, winding passages with loops, pools or a stream, ways out."""
    site = Site("cave", rng, seed, columns, rows)
    theme = pick(rng, THEMES)
    hollow, shapes = _hollow(rng, columns, rows)
    floor = _simple_floor(hollow, columns, rows)
    names = [NAMES[int(i)] for i in rng.permutation(len(NAMES))]
    for k, shape in enumerate(shapes):
        parts = geometry.polygons(shape.intersection(floor))
        if parts and geometry.is_roomy(geometry.cells_in(parts[0])):
            site.rooms.append(geometry.room_of(names[k % len(names)], parts[0]))
    site.walls = _walls(floor, columns, rows)
    site.exits = _openings(floor, columns, rows)
    site.areas = geometry.areas("cave", floor)
    _flood(site, theme, floor)
    _dress(site, theme, floor)
    return site.layout(theme)


def _flood(site: Site, theme: str, floor: Polygon) -> None:
    """Lead a stream with fords through, or lay pools and now and then a chasm."""
    rng, columns, rows = site.rng, site.columns, site.rows
    if theme == "flooded cave" or rng.random() < 0.25:
        x0, x1 = (columns * float(v) for v in rng.uniform(0.25, 0.75, 2))
        y0, y1 = (rows * float(v) for v in rng.uniform(0.25, 0.75, 2))
        across = rng.random() < 0.5
        a, b = ((-0.5, y0), (columns + 0.5, y1)) if across else ((x0, -0.5), (x1, rows + 0.5))
        line = geometry.winding(rng, a, b, 1.6)
        stream = LineString(line).buffer(0.55).intersection(floor)
        site.areas += geometry.areas("water", stream)
        places = [tuple(line[i].tolist()) for i in range(4, len(line), 14)]
        fords = unary_union([geometry.blob(rng, place, 0.95, 0.95, 0.1) for place in places])
        site.areas += geometry.areas("ford", fords.intersection(stream.buffer(0.02) & floor))
        return
    for room in site.rooms:
        shape = Polygon(room.polygon).buffer(0)
        if rng.random() < 0.4 and shape.area > 9:
            x, y = shape.representative_point().coords[0]
            dx, dy = rng.uniform(-0.6, 0.6, 2).tolist()
            size = 0.3 * float(np.sqrt(shape.area))
            pool = geometry.blob(rng, (x + dx, y + dy), size, size * 0.8, 0.2)
            kind = "chasm" if rng.random() < 0.22 else "water"
            site.areas += geometry.areas(kind, pool.intersection(floor.buffer(-0.75)))


def _dress(site: Site, theme: str, floor: Polygon) -> None:
    """Put stone, growth and traces of dwellers on the dry floor."""
    rng, columns, rows = site.rng, site.columns, site.rows
    wet = unary_union([area.shape() for area in site.areas if area.kind != "cave"])
    dry = floor.difference(wet.buffer(0.25))
    rim = dry.difference(floor.buffer(-0.75)).intersection(floor.buffer(-0.22))
    middle = dry.intersection(floor.buffer(-0.8))
    off_rim, off_middle = keep_off(rim, columns, rows), keep_off(middle, columns, rows)
    area = columns * rows
    for at, r in site.strew(area * 2, (0.16, 0.34), lambda x, y: 0.3 - 0.3 * off_rim(x, y), 1.1):
        site.put(pick(rng, ON_THE_RIM[theme]), at, (2 * r, 2 * r))
    for at, r in site.strew(area, (0.25, 0.45), lambda x, y: 0.2 - 0.2 * off_middle(x, y), 1.2):
        site.put(pick(rng, ON_THE_FLOOR), at, (2 * r, 2 * r))
    for room in site.rooms:
        shape = Polygon(room.polygon).buffer(0).intersection(middle)
        if shape.area > 3 and rng.random() < (0.6 if theme == "lair" else 0.3):
            thing = pick(rng, tuple(TRACES))
            spot = shape.representative_point()
            site.put(thing, (spot.x, spot.y), TRACES[thing])
