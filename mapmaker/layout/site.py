"""The site a planner works on: its size, its chance, and all that has been put there so far."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from shapely.geometry import Polygon, box

from mapmaker.layout.palettes import palette_for
from mapmaker.layout.plan import (
    Area,
    Door,
    Layout,
    Light,
    Point,
    Prop,
    Room,
    Segment,
    Stairs,
    cells_of,
)
from mapmaker.layout.purposes import SHINES


@dataclass
class Site:
    """What a planner fills, and `layout()` closes. Coordinates in squares."""

    kind: str
    rng: Generator
    seed: int
    columns: int
    rows: int
    rooms: list[Room] = field(default_factory=list)
    walls: tuple[tuple[Point, ...], ...] = ()
    doors: list[Door] = field(default_factory=list)
    windows: list[Segment] = field(default_factory=list)
    stairs: list[Stairs] = field(default_factory=list)
    exits: list[Segment] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    props: list[Prop] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)

    @property
    def whole(self) -> Polygon:
        return box(0, 0, self.columns, self.rows)

    def put(self, kind: str, at: Point, size: Point, angle: float | None = None) -> None:
        """Put a thing down, with its light; turned by chance when no angle is given."""
        turned = float(self.rng.integers(360)) if angle is None else round(float(angle) % 360, 1)
        spot = (round(float(at[0]), 3), round(float(at[1]), 3))
        variant = int(self.rng.integers(1 << 16))
        self.props.append(Prop(kind, spot, (round(size[0], 3), round(size[1], 3)), turned, variant))
        inside = 0 <= spot[0] <= self.columns and 0 <= spot[1] <= self.rows
        if kind in SHINES and inside:
            reach, colour = SHINES[kind]
            self.lights.append(Light(spot, reach, colour))

    def strew(
        self,
        tries: int,
        radius: tuple[float, float],
        welcome: Callable[[float, float], float],
        apart: float = 0.8,
    ) -> list[tuple[Point, float]]:
        """Return middles and radii of round things, for the caller to put.

        A spot is taken with chance welcome(x, y) when it is `apart` times both radii from all
        others; radii are drawn between the two bounds.
        """
        found: list[tuple[Point, float]] = []
        known = np.zeros((tries, 3))
        spots = self.rng.uniform(-0.4, (self.columns + 0.4, self.rows + 0.4), (tries, 2)).tolist()
        for (x, y), dice in zip(spots, self.rng.random(tries).tolist(), strict=True):
            inside = min(max(x, 0.0), self.columns - 1e-6), min(max(y, 0.0), self.rows - 1e-6)
            if dice >= welcome(*inside):
                continue
            r = float(self.rng.uniform(*radius))
            near = known[: len(found)]
            if (np.hypot(near[:, 0] - x, near[:, 1] - y) < apart * (near[:, 2] + r)).any():
                continue
            known[len(found)] = (x, y, r)
            found.append(((x, y), r))
        return found

    def layout(self, theme: str) -> Layout:
        """Return what stands here as a finished plan."""
        areas = tuple(self.areas)
        return Layout(
            kind=self.kind,
            seed=self.seed,
            columns=self.columns,
            rows=self.rows,
            theme=theme,
            palette=palette_for(self.kind, self.seed),
            cells=cells_of(areas, self.columns, self.rows),
            rooms=tuple(self.rooms),
            walls=self.walls,
            doors=tuple(Door(_floats(door.segment), door.kind, door.open) for door in self.doors),
            windows=tuple(_floats(window) for window in self.windows),
            lights=tuple(self.lights),
            stairs=tuple(self.stairs),
            exits=tuple(_floats(way) for way in self.exits),
            areas=areas,
            props=tuple(self.props),
        )


def open_sides(columns: int, rows: int) -> list[Segment]:
    """Return the four sides of the picture: outdoors one may leave anywhere."""
    c, r = float(columns), float(rows)
    return [((0.0, 0.0), (c, 0.0)), ((c, 0.0), (c, r)), ((0.0, r), (c, r)), ((0.0, 0.0), (0.0, r))]


def _floats(segment: Segment) -> Segment:
    (ax, ay), (bx, by) = segment
    return ((float(ax), float(ay)), (float(bx), float(by)))
