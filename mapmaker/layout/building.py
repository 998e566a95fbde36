"""Buildings: a footprint of wings, rooms wall to wall, windows, the ground outside."""

from dataclasses import dataclass, field

import networkx as nx
from numpy.random import Generator
from shapely.geometry import box
from shapely.ops import unary_union

from mapmaker.layout import geometry
from mapmaker.layout.chance import pick
from mapmaker.layout.furnish import Furnisher
from mapmaker.layout.garden import plant_outside
from mapmaker.layout.kinds import KINDS
from mapmaker.layout.plan import Cell, Door, Layout, Segment, Stairs
from mapmaker.layout.site import Site, open_sides

Rect = tuple[int, int, int, int]
#: What the rooms are that a theme has no purpose for, and floors that go with a purpose.
SPARE_PURPOSES = ("Storeroom", "Hallway", "Bedroom", "Study")
OWN_FLOORS = {
    "Kitchen": "flagstone",
    "Stable": "dirt",
    "Workshop": "cobble",
    "Pantry": "flagstone",
}
#: A building larger than this is a street of smaller ones.
LARGEST_LOT = 22
THEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    # theme: purposes from the largest room down, floors, ground outside
    "tavern": (
        ("Common room", "Kitchen", "Bedroom", "Pantry", "Bedroom", "Bedroom", "Study"),
        ("planks", "planks", "flagstone"),
        "cobble",
    ),
    "manor": (
        ("Great hall", "Library", "Bedroom", "Kitchen", "Study", "Bedroom", "Pantry"),
        ("planks", "tiles", "tiles"),
        "meadow",
    ),
    "farmhouse": (
        ("Stable", "Kitchen", "Bedroom", "Pantry", "Bedroom"),
        ("planks", "dirt", "planks"),
        "meadow",
    ),
    "smithy": (
        ("Workshop", "Storeroom", "Bedroom", "Kitchen", "Pantry"),
        ("cobble", "planks", "flagstone"),
        "dirt",
    ),
    "chapel": (
        ("Chapel", "Study", "Library", "Bedroom", "Storeroom"),
        ("slabs", "tiles", "slabs"),
        "meadow",
    ),
    "guardhouse": (
        ("Guard room", "Barracks", "Cells", "Storeroom", "Kitchen", "Study"),
        ("flagstone", "planks", "flagstone"),
        "cobble",
    ),
}


@dataclass
class _House:
    """One building as it is drawn up. owner maps a cell to the number of its room."""

    rects: list[Rect]
    owner: dict[Cell, int] = field(default_factory=dict)
    doors: list[Door] = field(default_factory=list)
    windows: list[Segment] = field(default_factory=list)
    fronts: list[tuple[Segment, Cell]] = field(default_factory=list)
    steps: set[Cell] = field(default_factory=set)


def _split(rng: Generator, rect: Rect, goal: float) -> list[Rect]:
    """Cut a rectangle into rooms of about `goal` squares, no side under 2, rarely under 3."""
    x, y, w, h = rect
    least = 3 if max(w, h) >= 6 else 2
    if w * h <= goal * (0.8 + 0.7 * float(rng.random())) or max(w, h) < 2 * least:
        return [rect]
    if w > h or (w == h and rng.random() < 0.5):
        cut = int(rng.integers(least, w - least + 1))
        return _split(rng, (x, y, cut, h), goal) + _split(rng, (x + cut, y, w - cut, h), goal)
    cut = int(rng.integers(least, h - least + 1))
    return _split(rng, (x, y, w, cut), goal) + _split(rng, (x, y + cut, w, h - cut), goal)


def _wings(rng: Generator, x: int, y: int, w: int, h: int) -> list[Rect]:
    """Return the footprint as one to three rectangles that touch: a block, an L or a T."""
    form = float(rng.random())
    if min(w, h) < 7 or form < 0.25:
        return [(x, y, w, h)]
    top = int(rng.integers(3, h - 2))
    wide = int(rng.integers(max(3, w // 2 - 1), w - 2))
    shift = (0 if rng.random() < 0.5 else w - wide) if form < 0.75 else (w - wide) // 2
    wings = [(x, y, w, top), (x + shift, y + top, wide, h - top)]
    if rng.random() < 0.5:
        wings = [(a, 2 * y + h - b - d, c, d) for a, b, c, d in wings]
    return wings


def _lots(rng: Generator, rect: Rect) -> list[Rect]:
    """Cut the map into lots, each for one building."""
    x, y, w, h = rect
    if max(w, h) <= LARGEST_LOT:
        return [rect]
    if w >= h:
        cut = w // 2 + int(rng.integers(-2, 3))
        return _lots(rng, (x, y, cut, h)) + _lots(rng, (x + cut, y, w - cut, h))
    cut = h // 2 + int(rng.integers(-2, 3))
    return _lots(rng, (x, y, w, cut)) + _lots(rng, (x, y + cut, w, h - cut))


def _house(rng: Generator, lot: Rect) -> _House:
    x, y, w, h = lot
    room = [int(rng.integers(1, 3)) if side >= 9 else 1 for side in (w, w, h, h)]
    if min(w, h) >= 12:
        room[int(rng.integers(4))] += 1
    wings = _wings(rng, x + room[0], y + room[2], w - room[0] - room[1], h - room[2] - room[3])
    goal = float(rng.uniform(10, 26))
    house = _House([part for wing in wings for part in _split(rng, wing, goal)])
    for k, (rx, ry, rw, rh) in enumerate(house.rects):
        house.owner.update({(rx + i, ry + j): k for i in range(rw) for j in range(rh)})
    _hang_doors(rng, house)
    _set_windows(rng, house)
    return house


def _edges(
    house: _House,
) -> tuple[dict[tuple[int, int], list[Segment]], dict[int, list[tuple[Segment, Cell]]]]:
    """Return the wall edges between two rooms, and those to the outside with the cell there."""
    between: dict[tuple[int, int], list[Segment]] = {}
    outside: dict[int, list[tuple[Segment, Cell]]] = {}
    for (c, r), k in sorted(house.owner.items()):
        sides = (
            ((c + 1, r), (c + 1, r + 1), (c + 1, r)),
            ((c, r + 1), (c + 1, r + 1), (c, r + 1)),
            ((c, r), (c, r + 1), (c - 1, r)),
            ((c, r), (c + 1, r), (c, r - 1)),
        )
        for i, (start, end, cell) in enumerate(sides):
            other = house.owner.get(cell)
            if other is None:
                outside.setdefault(k, []).append(((start, end), cell))
            elif other != k and i < 2:
                between.setdefault((min(k, other), max(k, other)), []).append((start, end))
    return between, outside


def _inner(segments: list[Segment]) -> list[Segment]:
    """Return the segments without the first and last of a run, when enough are left."""
    return segments[1:-1] if len(segments) >= 3 else segments


def _hang_doors(rng: Generator, house: _House) -> None:
    between, outside = _edges(house)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(house.rects)))
    for pair, segments in sorted(between.items()):
        graph.add_edge(*pair, weight=float(rng.random()) - 0.12 * len(segments))
    tree = nx.minimum_spanning_tree(graph)
    spare = sorted(tuple(sorted(edge)) for edge in graph.edges if not tree.has_edge(*edge))
    extra = max(1 if len(house.rects) > 3 and spare else 0, round(0.25 * len(spare)))
    chosen = [tuple(sorted(edge)) for edge in tree.edges]
    chosen += [spare[int(i)] for i in rng.permutation(len(spare))[:extra]]
    for a, b in sorted(chosen):
        dice = float(rng.random())
        kind = (
            "locked"
            if dice < 0.08
            else "secret"
            if dice < 0.2 and not tree.has_edge(a, b)
            else "door"
        )
        segment = pick(rng, _inner(between[a, b]))
        house.doors.append(Door(segment, kind, open=kind == "door" and bool(rng.random() < 0.2)))

    # Ways out: a front door on the largest room, a back door elsewhere
    size = {k: rect[2] * rect[3] for k, rect in enumerate(house.rects)}
    order = sorted(outside, key=lambda k: (-size[k], k))
    away: list[int] = [
        order[0],
        *(int(rng.permutation(order[1:])[0]) for _ in range(len(order) > 1)),
    ]
    for k in away:
        segment, cell = pick(rng, _inner_outside(outside[k]))
        house.fronts.append((segment, cell))
        house.doors.append(Door(segment, "door", open=bool(rng.random() < 0.2)))
    if len(away) == 1 and len(outside[away[0]]) > 5:
        far = [
            s for s in outside[away[0]] if s[0] != house.fronts[0][0] and s[1] != house.fronts[0][1]
        ]
        segment, cell = far[len(far) // 2]
        house.fronts.append((segment, cell))
        house.doors.append(Door(segment, "door"))


def _inner_outside(edges: list[tuple[Segment, Cell]]) -> list[tuple[Segment, Cell]]:
    """Return the outer edges that have a neighbour in line on both sides."""
    known = {segment for segment, _ in edges}

    def inner(segment: Segment) -> bool:
        (ax, ay), (bx, by) = segment
        dx, dy = bx - ax, by - ay
        return ((ax - dx, ay - dy), (ax, ay)) in known and ((bx, by), (bx + dx, by + dy)) in known

    return [edge for edge in edges if inner(edge[0])] or edges


def _set_windows(rng: Generator, house: _House) -> None:
    _, outside = _edges(house)
    taken = {door.segment for door in house.doors}
    for k in sorted(outside):
        for segment, _ in _inner_outside(outside[k]):
            (ax, ay), (bx, by) = segment
            dx, dy = bx - ax, by - ay
            near = {segment, ((ax - dx, ay - dy), (ax, ay)), ((bx, by), (bx + dx, by + dy))}
            if not near & taken and rng.random() < 0.62:
                taken.add(segment)
                house.windows.append(segment)


def _before(door: Door) -> set[Cell]:
    """Return the two cells a door joins."""
    (ax, ay), (_bx, by) = door.segment
    if ay == by:
        return {(int(ax), int(ay) - 1), (int(ax), int(ay))}
    return {(int(ax) - 1, int(ay)), (int(ax), int(ay))}


def _flight(rng: Generator, house: _House, k: int, kept: set[Cell]) -> Stairs | None:
    """Return stairs two squares long along the room's upper or left wall, off the doors."""
    x, y, w, h = house.rects[k]
    options = []
    if w >= 3 and h >= 3:
        options = [
            ((x, y), (2, 1), 0),
            ((x + w - 2, y), (2, 1), 180),
            ((x, y), (1, 2), 90),
            ((x + w - 1, y + h - 2), (1, 2), 270),
        ]
    options = [
        o
        for o in options
        if not {(o[0][0] + i, o[0][1] + j) for i in range(o[1][0]) for j in range(o[1][1])} & kept
    ]
    if not options:
        return None
    (sx, sy), (sw, sh), heading = pick(rng, options)
    return Stairs(
        (float(sx), float(sy)), (float(sw), float(sh)), heading, pick(rng, ("up", "down"))
    )


@KINDS.register("building")
def plan_building(rng: Generator, seed: int, columns: int, rows: int) -> Layout:
    """Return a house (on large maps several) with doors, windows, furniture and a garden."""
    site = Site("building", rng, seed, columns, rows)
    theme = pick(rng, sorted(THEMES))
    houses = [_house(rng, lot) for lot in _lots(rng, (0, 0, columns, rows))]

    # Walls: the rooms' outlines, broken at doors and windows
    site.doors = [door for house in houses for door in house.doors]
    site.windows = [segment for house in houses for segment in house.windows]
    shapes = [box(x, y, x + w, y + h) for house in houses for x, y, w, h in house.rects]
    openings = [*(door.segment for door in site.doors), *site.windows]
    site.walls = geometry.walls_round(shapes, openings)
    site.exits = open_sides(columns, rows)

    # Grounds, then rooms on them
    fronts = [front for house in houses for front in house.fronts]
    plant_outside(site, THEMES[theme][2], unary_union(shapes), fronts)
    for number, house in enumerate(houses):
        _fit_out(site, house, theme if number == 0 else pick(rng, sorted(THEMES)))
    return site.layout(theme)


def _fit_out(site: Site, house: _House, theme: str) -> None:
    """Give the rooms purposes from the largest down, floors, furniture, one of them stairs."""
    rng = site.rng
    purposes, floors, _ = THEMES[theme]
    order = sorted(
        range(len(house.rects)), key=lambda k: (-house.rects[k][2] * house.rects[k][3], k)
    )
    common = pick(rng, floors)
    for place, k in enumerate(order):
        x, y, w, h = house.rects[k]
        shape = box(x, y, x + w, y + h)
        name = purposes[place] if place < len(purposes) else pick(rng, SPARE_PURPOSES)
        name = "Hallway" if min(w, h) == 2 and max(w, h) >= 5 else name
        room = geometry.room_of(name, shape)
        site.rooms.append(room)
        floor = pick(rng, floors) if rng.random() < 0.25 else OWN_FLOORS.get(name, common)
        along = w >= h if rng.random() < 0.8 else w < h
        site.areas += geometry.areas(floor, shape, int(along))
        kept = {cell for door in house.doors for cell in _before(door)} & set(room.cells)
        flight = _flight(rng, house, k, kept) if place == min(1, len(order) - 1) else None
        steps: set[Cell] = set()
        if flight:
            site.stairs.append(flight)
            left, top, wide, high = (int(v) for v in (*flight.position, *flight.size))
            steps = {(left + i, top + j) for i in range(wide) for j in range(high)}
        Furnisher(site, set(room.cells), kept, steps).furnish(name)
