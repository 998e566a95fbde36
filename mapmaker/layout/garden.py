"""What grows and stands out of doors: grounds, paths, trees by a density, things in a yard."""

from collections.abc import Callable

import numpy as np
import shapely
from numpy.random import Generator
from opensimplex import OpenSimplex
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mapmaker.layout import geometry
from mapmaker.layout.chance import pick
from mapmaker.layout.plan import Cell, Point, Segment
from mapmaker.layout.site import Site

#: Sizes of what stands in a yard.
YARD = {"cart": (1.6, 0.9), "well": (1.2, 1.2), "logs": (1.1, 0.7), "lantern": (0.3, 0.3)}


def density(
    rng: Generator, columns: int, rows: int, scale: float = 0.22
) -> Callable[[float, float], float]:
    """Return soft noise over the map: from about 0 to 1, hills about 1/scale squares apart."""
    noise = OpenSimplex(int(rng.integers(1 << 31)))
    xs, ys = np.arange(columns + 1, dtype=float), np.arange(rows + 1, dtype=float)
    values = 0.5 + 0.5 * noise.noise2array(xs * scale, ys * scale)

    def at(x: float, y: float) -> float:
        column, row = min(int(x), columns - 1), min(int(y), rows - 1)
        fx, fy = x - column, y - row
        top = values[row, column] * (1 - fx) + values[row, column + 1] * fx
        low = values[row + 1, column] * (1 - fx) + values[row + 1, column + 1] * fx
        return float(top * (1 - fy) + low * fy)

    return at


def keep_off(
    shape: BaseGeometry, columns: int, rows: int, per: int = 4
) -> Callable[[float, float], float]:
    """Return 0 on the shape and 1 off it, looked up on a lattice of `per` points a square."""
    x, y = np.meshgrid((np.arange(columns * per) + 0.5) / per, (np.arange(rows * per) + 0.5) / per)
    shapely.prepare(shape)
    inside = shapely.contains_xy(shape, x, y)

    def at(px: float, py: float) -> float:
        return (
            0.0
            if inside[min(int(py * per), rows * per - 1), min(int(px * per), columns * per - 1)]
            else 1.0
        )

    return at


def plant_outside(
    site: Site, ground: str, footprint: BaseGeometry, fronts: list[tuple[Segment, Cell]]
) -> None:
    """Lay the grounds round buildings, with a path to every door, and plant them."""
    rng, columns, rows = site.rng, site.columns, site.rows
    site.areas += geometry.areas(ground, site.whole)
    if ground != "meadow":
        corners = ((0, 0), (columns, 0), (0, rows), (columns, rows))
        green = [
            geometry.blob(rng, corner, float(rng.uniform(1.5, 3)), float(rng.uniform(1.5, 3)))
            for corner in corners
            if rng.random() < 0.7
        ]
        site.areas += geometry.areas("meadow", unary_union(green).intersection(site.whole))
    paths = [
        LineString(_way_out(rng, (c + 0.5, r + 0.5), segment, columns, rows))
        for segment, (c, r) in fronts
    ]
    way = unary_union([path.buffer(0.55, cap_style="flat") for path in paths])
    paving = "cobble" if ground == "meadow" and rng.random() < 0.4 else "path"
    site.areas += geometry.areas(paving, way.intersection(site.whole))
    _plant(site, 0.75 if ground == "meadow" else 0.4, footprint, way)


def _plant(site: Site, plenty: float, footprint: BaseGeometry, way: BaseGeometry) -> None:
    """Put trees, bushes and the things of a yard where neither house nor path is."""
    rng, columns, rows = site.rng, site.columns, site.rows
    around = density(rng, columns, rows)
    off = keep_off(footprint.buffer(0.95).union(way.buffer(0.6)), columns, rows)
    near = keep_off(footprint.buffer(0.3).union(way.buffer(0.1)), columns, rows)
    area = columns * rows
    tree = pick(rng, ("tree", "tree", "pine"))

    def wooded(x: float, y: float) -> float:
        return plenty * off(x, y) * (around(x, y) > 0.4)

    for at, r in site.strew(area // 2, (0.6, 1.15), wooded):
        site.put(tree, at, (2 * r, 2 * r))
    for at, r in site.strew(area // 2, (0.22, 0.4), lambda x, y: 0.3 * near(x, y)):
        thing = pick(rng, ("bush", "bush", "rock", "tuft", "flowers"))
        site.put(thing, at, (2 * r, 2 * r))
    for at, _ in site.strew(area // 4, (0.55, 0.55), lambda x, y: 0.16 * off(x, y), 1.1):
        if 1 < at[0] < columns - 1 and 1 < at[1] < rows - 1:
            thing = pick(rng, ("barrel", "crate", "logs", "cart", "well", "hay", "lantern"))
            site.put(thing, at, YARD.get(thing, (0.66, 0.66)))


def _way_out(rng: Generator, start: Point, segment: Segment, columns: int, rows: int) -> np.ndarray:
    """Return a soft line from before a door to the nearest side it faces."""
    (ax, ay), (bx, by) = segment
    middle = ((ax + bx) / 2, (ay + by) / 2)
    dx, dy = start[0] - middle[0], start[1] - middle[1]
    drift = float(rng.uniform(-1.2, 1.2))
    if abs(dx) > abs(dy):
        end = (-0.5 if dx < 0 else columns + 0.5, start[1] + drift)
    else:
        end = (start[0] + drift, -0.5 if dy < 0 else rows + 0.5)
    bend = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    return geometry.soft_line([middle, start, bend, end], 3)
