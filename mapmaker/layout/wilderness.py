"""Out of doors: woods and clearings, rivers, roads, lakes, camps, stone rings and ruins."""

import numpy as np
from numpy.random import Generator
from shapely.geometry import LineString, Polygon, box
from shapely.geometry import Point as Spot
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mapmaker.layout import geometry
from mapmaker.layout.chance import pick
from mapmaker.layout.garden import density, keep_off
from mapmaker.layout.kinds import KINDS
from mapmaker.layout.plan import Layout, Point
from mapmaker.layout.site import Site, open_sides

THEMES = (
    "forest clearing",
    "river crossing",
    "road",
    "lake shore",
    "camp",
    "standing stones",
    "ruin",
    "marsh",
)

#: What grows and lies between the trees, as often as it shall come up.
UNDERGROWTH = ("bush",) * 4 + ("tuft",) * 7 + ("rock",) * 5 + ("flowers",) * 3 + ("stump", "log")
WOODS = (
    ("tree",),
    ("tree", "tree", "pine"),
    ("pine",),
    ("pine", "pine", "tree"),
    ("tree", "tree", "deadtree"),
)
MARSH_TREES = ("deadtree", "tree", "tree")
CAMP_SIZES = {"tent": (1.7, 1.4), "logs": (1.1, 0.7), "cart": (1.6, 0.9), "crate": (0.62, 0.62)}


class _Land(Site):
    """The land while it is being shaped: where it is bare of trees, wet, and where roads run."""

    def __init__(self, rng: Generator, seed: int, columns: int, rows: int) -> None:
        super().__init__("wilderness", rng, seed, columns, rows)
        self.areas = geometry.areas("grass", self.whole)
        self.exits = open_sides(columns, rows)
        self.bare: list[BaseGeometry] = []
        self.water: list[BaseGeometry] = []
        self.roads: list[BaseGeometry] = []
        self.across = bool(rng.random() < 0.5)

    def side_to_side(self, across: bool, swing: float) -> np.ndarray:
        """Return a winding line from one side of the map to the other."""
        a, b = self.rng.uniform(0.25, 0.75, 2)
        if across:
            return geometry.winding(
                self.rng,
                (-1.0, a * self.rows),
                (self.columns + 1.0, b * self.rows),
                swing * self.rows,
            )
        return geometry.winding(
            self.rng,
            (a * self.columns, -1.0),
            (b * self.columns, self.rows + 1.0),
            swing * self.columns,
        )

    def meadows(self) -> None:
        """Lay lighter grass in patches."""
        for _ in range(max(2, self.columns * self.rows // 50)):
            x, y = self.rng.uniform((0, 0), (self.columns, self.rows))
            rx, ry = self.rng.uniform(1.2, 3.4, 2)
            self.areas += geometry.areas(
                "meadow", geometry.blob(self.rng, (x, y), rx, ry, 0.3).intersection(self.whole)
            )

    def clearing(self, name: str, at: Point, size: float, kind: str = "meadow") -> BaseGeometry:
        """Open a named clearing."""
        at = (
            min(max(at[0], size * 0.8), self.columns - size * 0.8),
            min(max(at[1], size * 0.8), self.rows - size * 0.8),
        )
        round_ = size * float(self.rng.uniform(0.8, 1.1))
        shape = geometry.blob(self.rng, at, size, round_, 0.2).intersection(self.whole)
        dry = shape.difference(unary_union([*self.water, *self.roads]).buffer(0.45))
        self.areas += geometry.areas(kind, dry)
        if self.rng.random() < 0.3 and kind == "meadow" and not self.roads and not self.water:
            self.put("campfire", at, (0.9, 0.9))
        parts = geometry.polygons(dry)
        if parts and geometry.is_roomy(geometry.cells_in(parts[0])):
            self.rooms.append(geometry.room_of(name, parts[0]))
        self.bare.append(shape)
        return shape

    def river(self, wide: float) -> np.ndarray:
        """Let a river run through, with sandy banks."""
        line = self.side_to_side(self.across, 0.12)
        course = LineString(line)
        bank, bed = course.buffer(wide + 0.5), course.buffer(wide)
        self.areas += geometry.areas("sand", bank.intersection(self.whole))
        self.areas += geometry.areas("water", bed.intersection(self.whole))
        self.water.append(bed)
        self.bare.append(bank)
        return line

    def road(self, wide: float = 0.7) -> BaseGeometry:
        """Lead a road through, across any river."""
        line = LineString(self.side_to_side(not self.across, 0.07))
        track = line.buffer(wide)
        dry = track.difference(unary_union(self.water)) if self.water else track
        self.areas += geometry.areas("path", dry.intersection(self.whole))
        self.bare.append(track)
        self.roads.append(track.buffer(-0.45))
        for bed in self.water:
            for part in geometry.polygons(
                track.intersection(bed.buffer(0.35)).intersection(self.whole)
            ):
                self._bridge(line, part)
        return track

    def _bridge(self, road: LineString, crossing: BaseGeometry) -> None:
        over = road.intersection(crossing)
        if over.length < 0.5:
            return
        ends = np.asarray(max(getattr(over, "geoms", [over]), key=lambda g: g.length).coords)[
            [0, -1]
        ]
        deck = LineString(ends).buffer(0.75, cap_style="flat")
        angle = float(np.degrees(np.arctan2(*(ends[1] - ends[0])[::-1])))
        self.areas += geometry.areas("bridge", deck.intersection(self.whole), round(angle) % 180)

    def lake(self, at: Point, size: float) -> None:
        """Lay a lake with a beach."""
        shape = geometry.blob(self.rng, at, size, size * float(self.rng.uniform(0.7, 1.0)), 0.28)
        beach = shape.buffer(0.55)
        self.areas += geometry.areas("sand", beach.intersection(self.whole))
        self.areas += geometry.areas("water", shape.intersection(self.whole))
        self.water.append(shape)
        self.bare.append(beach)


def _middle(land: _Land, spread: float = 0.18) -> Point:
    x, y = land.rng.uniform(0.5 - spread, 0.5 + spread, 2)
    return (float(x) * land.columns, float(y) * land.rows)


def _scene(land: _Land, theme: str) -> None:
    """Shape water, roads and places by the theme."""
    rng, small = land.rng, min(land.columns, land.rows)
    if theme in ("river crossing", "marsh"):
        land.river(float(rng.uniform(0.8, 1.5)) if small > 8 else 0.5)
        if theme == "marsh":
            _pools(land)
        land.road()
    if theme == "lake shore":
        corner = (float(rng.integers(2)) * land.columns, float(rng.uniform(0.1, 0.9)) * land.rows)
        land.lake(corner, small * float(rng.uniform(0.35, 0.5)))
    if theme in ("road", "ruin", "camp") and rng.random() < 0.8:
        land.road(0.7)
    for k in range(max(1, land.columns * land.rows // 130)):
        at = _middle(land, 0.3 if land.water else 0.15)
        size = float(rng.uniform(1.9, 3.1)) if small > 8 else small * 0.35
        if k == 0 and theme == "standing stones":
            ring = land.clearing("Stone ring", at, size + 0.5)
            _stones(land, (ring.centroid.x, ring.centroid.y), size * 0.8)
        elif k == 0 and theme == "ruin":
            _ruin(land, at)
        elif k == 0 and theme == "camp":
            place = land.clearing("Camp", at, size + 0.4, "dirt")
            _camp(land, (place.centroid.x, place.centroid.y), size)
        else:
            land.clearing(pick(rng, ("Clearing", "Glade", "Hollow", "Meadow", "Dell")), at, size)
    if not land.rooms:
        _driest(land)
    if not land.lights and rng.random() < 0.5:
        place = Polygon(land.rooms[0].polygon).representative_point()
        land.put("campfire", (place.x, place.y), (0.9, 0.9))


def _pools(land: _Land) -> None:
    """Lay small pools where no other water is."""
    for _ in range(max(1, land.columns * land.rows // 40)):
        x, y = land.rng.uniform((0, 0), (land.columns, land.rows)).tolist()
        size = float(land.rng.uniform(0.6, 1.3))
        if unary_union(land.water).distance(Spot(x, y)) > size * 1.3 + 0.6:
            land.lake((x, y), size)


def _driest(land: _Land) -> None:
    """Open a clearing on the driest of some spots."""
    wet = unary_union(land.water)
    spots = [
        (float(x), float(y))
        for x, y in land.rng.uniform((1.2, 1.2), (land.columns - 1.2, land.rows - 1.2), (40, 2))
    ]
    best = max(spots, key=lambda p: wet.distance(Spot(p)))
    land.clearing("Clearing", best, 1.6)
    if not land.rooms:
        shore = geometry.polygons(land.whole.difference(wet.buffer(0.05)))[0]
        land.rooms.append(geometry.room_of("Shore" if land.water else "Clearing", shore))


def _stones(land: _Land, at: Point, radius: float) -> None:
    count = int(land.rng.integers(6, 10))
    for k in range(count):
        angle = 2 * np.pi * k / count
        spot = (at[0] + radius * np.cos(angle), at[1] + radius * np.sin(angle))
        land.put("menhir", spot, (0.62, 0.5), np.degrees(angle))
    land.put(pick(land.rng, ("altar", "campfire", "circle")), at, (1.2, 0.8))


def _camp(land: _Land, at: Point, size: float) -> None:
    land.put("campfire", at, (0.9, 0.9))
    turn = float(land.rng.uniform(0, 360))
    for k in range(int(land.rng.integers(2, 5))):
        angle = np.radians(turn + 95 * k)
        spot = (at[0] + size * 0.78 * np.cos(angle), at[1] + size * 0.78 * np.sin(angle))
        thing = pick(land.rng, ("tent", "tent", "logs", "cart", "crate"))
        land.put(thing, spot, CAMP_SIZES[thing], np.degrees(angle) + 90)


def _ruin(land: _Land, at: Point) -> None:
    """Raise the broken walls of a house on grid lines, with gaps to walk through."""
    rng = land.rng
    w = min(int(rng.integers(4, 7)), land.columns - 2)
    h = min(int(rng.integers(3, 6)), land.rows - 2)
    x = int(np.clip(round(at[0] - w / 2), 1, land.columns - w - 1))
    y = int(np.clip(round(at[1] - h / 2), 1, land.rows - h - 1))
    shape = box(x, y, x + w, y + h)
    land.areas += geometry.areas("slabs", shape)
    land.rooms.append(geometry.room_of("Ruin", shape))
    land.bare.append(shape.buffer(0.5))
    edges = [((x + i, v), (x + i + 1, v)) for i in range(w) for v in (y, y + h)]
    edges += [((u, y + j), (u, y + j + 1)) for j in range(h) for u in (x, x + w)]
    gone = rng.random(len(edges)) < 0.3
    gone[int(rng.integers(len(edges)))] = True
    standing = unary_union(
        [LineString(edge) for edge, out in zip(edges, gone.tolist(), strict=True) if not out]
    )
    land.walls = geometry.as_walls(standing)
    for _ in range(5):
        spot = rng.uniform((x, y), (x + w, y + h))
        thing = pick(rng, ("rubble", "rubble", "tuft", "pebbles", "bush"))
        land.put(thing, (float(spot[0]), float(spot[1])), (0.7, 0.7))


def _grow(land: _Land, theme: str) -> None:
    """Plant trees thickly where nothing is kept bare, small things between, reeds by the water."""
    rng, columns, rows = land.rng, land.columns, land.rows
    area = columns * rows
    woods, thick = density(rng, columns, rows, 0.16), float(rng.uniform(0.30, 0.62))
    bare = unary_union(land.bare)
    off, near = keep_off(bare.buffer(0.35), columns, rows), keep_off(bare, columns, rows)
    trees = MARSH_TREES if theme == "marsh" else pick(rng, WOODS)

    def wooded(x: float, y: float) -> float:
        return off(x, y) * float(woods(x, y) > thick)

    for at, r in land.strew(area // 12, (0.45, 0.9), lambda x, y: 0.35 * off(x, y), 1.2):
        land.put("rock", at, (2 * r, 2 * r))
    for at, r in land.strew(area * 3, (0.55, 1.25), wooded, 0.72):
        land.put(pick(rng, trees), at, (2 * r, 2 * r))
    for at, r in land.strew(area, (0.15, 0.42), lambda x, y: 0.5 * near(x, y)):
        thing = pick(rng, UNDERGROWTH)
        land.put(thing, at, (4.2 * r, 1.5 * r) if thing == "log" else (2 * r, 2 * r))
    if land.water:
        water = unary_union(land.water)
        rim = water.buffer(0.25).difference(water.buffer(-0.35))
        off_rim = keep_off(rim.difference(unary_union(land.roads).buffer(0.75)), columns, rows)
        for at, r in land.strew(area * 2, (0.12, 0.3), lambda x, y: 0.3 - 0.3 * off_rim(x, y)):
            land.put(pick(rng, ("reeds", "rock", "rock", "lily")), at, (2 * r, 2 * r))


@KINDS.register("wilderness")
def plan_wilderness(rng: Generator, seed: int, columns: int, rows: int) -> Layout:
    """Return a piece of country: one theme, named clearings, trees that leave paths free."""
    theme = pick(rng, THEMES)
    land = _Land(rng, seed, columns, rows)
    land.meadows()
    _scene(land, theme)
    _grow(land, theme)
    return land.layout(theme)
