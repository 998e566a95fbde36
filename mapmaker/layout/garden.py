"""What grows and stands out of doors: grounds, paths, trees by a density, things in a yard."""

from collections.abc import Callable

import numpy as np
import shapely
from numpy.random import Generator
from opensimplex import OpenSimplex
from shapely.geometry import LineString, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mapmaker.layout import geometry
from mapmaker.layout.chance import pick
from mapmaker.layout.furnish import Furniture
from mapmaker.layout.plan import Area, Cell, Point, Segment


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


def scatter(
    rng: Generator,
    columns: int,
    rows: int,
    tries: int,
    radius: Callable[[], float],
    welcome: Callable[[float, float], float],
    apart: float = 0.8,
) -> list[tuple[float, float, float]]:
    """Return (x, y, radius) of round things, strewn.

    A spot is taken with chance welcome(x, y) when it is `apart` times both radii from all others.
    """
    found: list[tuple[float, float, float]] = []
    known = np.zeros((0, 3))
    spots = rng.uniform((-0.4, -0.4), (columns + 0.4, rows + 0.4), (tries, 2))
    dice = rng.random(tries)
    for (x, y), chance in zip(spots.tolist(), dice.tolist(), strict=True):
        if chance >= welcome(min(max(x, 0.0), columns - 1e-6), min(max(y, 0.0), rows - 1e-6)):
            continue
        r = radius()
        if len(known) and bool(
            (np.hypot(known[:, 0] - x, known[:, 1] - y) < apart * (known[:, 2] + r)).any()
        ):
            continue
        found.append((x, y, r))
        known = np.asarray(found)
    return found


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
    rng: Generator,
    ground: str,
    footprint: BaseGeometry,
    fronts: list[tuple[Segment, Cell]],
    columns: int,
    rows: int,
    furniture: Furniture,
) -> list[Area]:
    """Return the grounds round a building, with paths to its doors, and plant them."""
    whole = box(0, 0, columns, rows)
    areas = geometry.areas(ground, whole)
    around = density(rng, columns, rows)
    if ground != "meadow":
        green = unary_union(
            [
                geometry.blob(rng, (x, y), float(rng.uniform(1.5, 3)), float(rng.uniform(1.5, 3)))
                for x, y in ((0, 0), (columns, 0), (0, rows), (columns, rows))
                if rng.random() < 0.7
            ]
        )
        areas += geometry.areas("meadow", green.intersection(whole)) if not green.is_empty else []
    paths = []
    for segment, (c, r) in fronts:
        line = _way_out(rng, (c + 0.5, r + 0.5), segment, columns, rows)
        paths.append(LineString(line).buffer(0.55, cap_style="flat"))
    way = unary_union(paths).intersection(whole)
    areas += geometry.areas("cobble" if ground == "meadow" and rng.random() < 0.4 else "path", way)

    # Trees, bushes, stones: never on walls, paths or the house
    off = keep_off(footprint.buffer(0.95).union(way.buffer(0.6)), columns, rows)
    near = keep_off(footprint.buffer(0.3).union(way.buffer(0.1)), columns, rows)
    plenty = 0.75 if ground == "meadow" else 0.4
    area = columns * rows
    kind = pick(rng, ("tree", "tree", "pine"))
    for x, y, r in scatter(
        rng,
        columns,
        rows,
        area // 2,
        lambda: float(rng.uniform(0.6, 1.15)),
        lambda x, y: plenty * off(x, y) * (around(x, y) > 0.4),
    ):
        furniture.put(rng, kind, (x, y), (2 * r, 2 * r), int(rng.integers(360)))
    for x, y, r in scatter(
        rng,
        columns,
        rows,
        area // 2,
        lambda: float(rng.uniform(0.22, 0.4)),
        lambda x, y: 0.3 * near(x, y),
    ):
        furniture.put(
            rng,
            pick(rng, ("bush", "bush", "rock", "tuft", "flowers")),
            (x, y),
            (2 * r, 2 * r),
            int(rng.integers(360)),
        )
    for x, y, r in scatter(
        rng, columns, rows, area // 4, lambda: 0.55, lambda x, y: 0.16 * off(x, y), 1.1
    ):
        if 1 < x < columns - 1 and 1 < y < rows - 1:
            thing = pick(rng, ("barrel", "crate", "logs", "cart", "well", "hay", "lantern"))
            size = {
                "cart": (1.6, 0.9),
                "well": (1.2, 1.2),
                "logs": (1.1, 0.7),
                "lantern": (0.3, 0.3),
            }.get(thing, (2 * r * 0.6, 2 * r * 0.6))
            furniture.put(rng, thing, (x, y), size, int(rng.integers(360)))
    return areas


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
