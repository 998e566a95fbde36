"""Dungeons: rooms apart, corridors between them, doors where the two meet."""

import numpy as np
from numpy.random import Generator
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from mapmaker.layout import geometry
from mapmaker.layout.chance import pick
from mapmaker.layout.connect import pairs_to_join
from mapmaker.layout.digger import CORRIDOR, ROCK, Chamber, Digger
from mapmaker.layout.furnish import Furnisher
from mapmaker.layout.kinds import KINDS
from mapmaker.layout.plan import Cell, Door, Layout, Segment, Stairs
from mapmaker.layout.site import Site

THEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    # theme: purposes, floors of rooms, floor of corridors
    "crypt": (
        (
            "Crypt",
            "Crypt",
            "Shrine",
            "Statue chamber",
            "Collapsed room",
            "Empty room",
            "Pillared hall",
            "Treasury",
        ),
        ("flagstone", "slabs"),
        "flagstone",
    ),
    "keep": (
        (
            "Guard room",
            "Barracks",
            "Storeroom",
            "Throne hall",
            "Library",
            "Cells",
            "Well room",
            "Treasury",
        ),
        ("flagstone", "planks", "cobble"),
        "cobble",
    ),
    "temple": (
        (
            "Shrine",
            "Pillared hall",
            "Statue chamber",
            "Library",
            "Cistern",
            "Treasury",
            "Empty room",
            "Storeroom",
        ),
        ("tiles", "slabs", "tiles"),
        "slabs",
    ),
    "mage tower cellar": (
        ("Laboratory", "Library", "Storeroom", "Statue chamber", "Cistern", "Cells", "Guard room"),
        ("slabs", "planks", "tiles"),
        "flagstone",
    ),
    "ruin": (
        (
            "Collapsed room",
            "Empty room",
            "Collapsed room",
            "Cistern",
            "Statue chamber",
            "Shrine",
            "Crypt",
        ),
        ("cobble", "flagstone", "dirt"),
        "dirt",
    ),
}


def _place(rng: Generator, owner: np.ndarray) -> list[Chamber]:
    """Fill the grid with chambers one square apart, large ones first."""
    rows, columns = owner.shape
    wanted = max(1, round(columns * rows / 25))
    chambers: list[Chamber] = []
    for attempt in range(60 * wanted):
        if len(chambers) == wanted:
            break
        large = 7 if attempt < 6 * wanted and len(chambers) < 1 + wanted // 10 else 5
        large = large if attempt < 25 * wanted else 4
        w, h = (int(v) for v in rng.integers(2 if attempt > 25 * wanted else 3, large, 2))
        shape = pick(rng, ("box", "box", "box", "octagon", "round"))
        if shape == "round":
            w = h = max(3, max(w, h))
        if shape == "octagon" and min(w, h) < 4:
            shape = "box"
        w, h = min(w, columns - 2), min(h, rows - 2)
        if shape == "round" and w != h:
            shape = "box"
        x, y = int(rng.integers(1, columns - w)), int(rng.integers(1, rows - h))
        if (owner[y - 1 : y + h + 1, x - 1 : x + w + 1] == ROCK).all():
            owner[y : y + h, x : x + w] = len(chambers)
            chambers.append(Chamber(x, y, w, h, shape))
    return chambers


def _border(owner: np.ndarray, rng: Generator) -> dict[Cell, float]:
    """Return the border cells one may leave by, each with a price by chance so that sides vary."""
    rows, columns = owner.shape
    cells = [(c, r) for c in range(1, columns - 1) for r in (0, rows - 1)]
    cells += [(c, r) for r in range(1, rows - 1) for c in (0, columns - 1)]
    side_price = {key: float(rng.uniform(0, 20)) for key in "tblr"}

    def side(c: int, r: int) -> str:
        return "t" if r == 0 else "b" if r == rows - 1 else "l" if c == 0 else "r"

    return {cell: side_price[side(*cell)] for cell in cells}


def _exit_edge(cell: Cell, columns: int, rows: int) -> Segment:
    c, r = cell
    if r in (0, rows - 1):
        y = 0 if r == 0 else rows
        return ((c, y), (c + 1, y))
    x = 0 if c == 0 else columns
    return ((x, r), (x, r + 1))


def _doors(rng: Generator, digger: Digger, tree: int) -> tuple[list[Door], list[Segment]]:
    """Hang a door in most entries. Return the doors, and the entries left open."""
    optional = {s for _, _, used in digger.links[tree:] for s in used}
    optional -= {s for _, _, used in digger.links[:tree] for s in used}
    doors, open_ways = [], []
    short = {used[1] for a, b, used in digger.links if _near(used)}
    for segment in sorted(digger.entries):
        dice = float(rng.random())
        spot = (
            (float(segment[0][0]), float(segment[0][1])),
            (float(segment[1][0]), float(segment[1][1])),
        )
        if segment in short or dice < 0.16:
            open_ways.append(segment)
        elif segment in optional and dice < 0.5:
            doors.append(Door(spot, "secret"))
        elif dice < 0.28:
            doors.append(Door(spot, "locked"))
        else:
            doors.append(Door(spot, "door", open=bool(rng.random() < 0.18)))
    return doors, open_ways


def _near(used: list[Segment]) -> bool:
    (a, b), (c, d) = used
    return abs(a[0] + b[0] - c[0] - d[0]) + abs(a[1] + b[1] - c[1] - d[1]) <= 3


@KINDS.register("dungeon")
def plan_dungeon(rng: Generator, seed: int, columns: int, rows: int) -> Layout:
    """Return a dungeon: chambers, corridors with loops, doors of three kinds, stairs, ways out."""
    site = Site("dungeon", rng, seed, columns, rows)
    theme = pick(rng, sorted(THEMES))
    owner = np.full((rows, columns), ROCK)
    chambers = _place(rng, owner)

    # Corridors: tree and loops, then ways out
    digger = Digger(owner, chambers)
    for a, b in pairs_to_join(rng, [chamber.middle for chamber in chambers]):
        digger.join(a, b)
    for _ in range(1 + int(rng.random() < 0.5) + (len(chambers) < 2)):
        cell = digger.leave(int(rng.integers(len(chambers))), _border(owner, rng))
        if cell and _exit_edge(cell, columns, rows) not in site.exits:
            site.exits.append(_exit_edge(cell, columns, rows))

    # Walls and doors
    site.doors, open_ways = _doors(rng, digger, len(chambers) - 1)
    tunnels = [(int(c), int(r)) for r, c in np.argwhere(owner == CORRIDOR)]
    corridors = geometry.cells_shape(tunnels)
    shapes = [chamber.outline() for chamber in chambers]
    openings = [*(door.segment for door in site.doors), *open_ways, *site.exits]
    site.walls = geometry.walls_round([*shapes, corridors], openings)

    # Floors, stairs, furniture
    site.areas = geometry.areas(THEMES[theme][2], corridors)
    _fit_out(site, theme, chambers, shapes)
    _litter(site, tunnels)
    return site.layout(theme)


def _fit_out(site: Site, theme: str, chambers: list[Chamber], shapes: list[BaseGeometry]) -> None:
    """Give every chamber a purpose, a floor, its things; some a flight of stairs or a pool."""
    rng = site.rng
    purposes, floors, _ = THEMES[theme]
    names = [purposes[int(i)] for i in rng.permutation(len(purposes))]
    for k, (chamber, shape) in enumerate(zip(chambers, shapes, strict=True)):
        name = names[k % len(names)]
        site.areas += geometry.areas(pick(rng, floors), shape, int(rng.integers(4)))
        room = geometry.room_of(name, shape)
        site.rooms.append(room)
        kept, steps = set(chamber.doors.values()), set[Cell]()
        flight = _flight(rng, chamber, kept) if k < 1 + (len(chambers) > 3) else None
        if flight:
            site.stairs.append(Stairs(*flight, goes="up" if k else "down"))
            steps |= _under(site.stairs[-1])
        if name == "Cistern" and min(chamber.w, chamber.h) >= 4 and not flight:
            pool = shape.buffer(-1.0).buffer(-0.05, join_style="mitre")
            if pool.area > 1:
                site.areas += geometry.areas("water", pool)
                steps |= set(geometry.cells_in(pool))
        roomy = {(c, r) for c, r in room.cells if shape.covers(box(c, r, c + 1, r + 1))}
        Furnisher(site, roomy or set(room.cells), kept, steps).furnish(name)


def _under(flight: Stairs) -> set[Cell]:
    (x, y), (w, h) = flight.position, flight.size
    return {(int(x) + i, int(y) + j) for i in range(int(w)) for j in range(int(h))}


def _flight(
    rng: Generator, chamber: Chamber, kept: set[Cell]
) -> tuple[tuple[float, float], tuple[float, float], int] | None:
    """Return position, size and heading of stairs along a wall of the chamber, off its doors."""
    inset = 1 if chamber.shape != "box" else 0
    options = []
    right, low = chamber.x + chamber.w, chamber.y + chamber.h
    if chamber.w - 2 * inset >= 2 and chamber.h > 2:
        for x in range(chamber.x + inset, right - inset - 1):
            options += [((x, chamber.y), (2, 1), 0), ((x, low - 1), (2, 1), 180)]
    if chamber.h - 2 * inset >= 2 and chamber.w > 2:
        for y in range(chamber.y + inset, low - inset - 1):
            options += [((chamber.x, y), (1, 2), 90), ((right - 1, y), (1, 2), 270)]
    free = [
        o
        for o in options
        if not {(o[0][0] + i, o[0][1] + j) for i in range(o[1][0]) for j in range(o[1][1])} & kept
    ]
    if not free:
        return None
    (x, y), (w, h), heading = pick(rng, free)
    return (float(x), float(y)), (float(w), float(h)), heading


def _litter(site: Site, cells: list[Cell]) -> None:
    """Strew a little rubble and bone into the corridors."""
    for c, r in cells:
        dice = site.rng.random()
        if dice < 0.07:
            kind = pick(site.rng, ("bones", "pebbles", "pebbles", "crack"))
            site.put(kind, (c + 0.5, r + 0.5), (0.7, 0.7))
        elif dice < 0.1:
            site.put("puddle", (c + 0.5, r + 0.5), (0.8, 0.6))
