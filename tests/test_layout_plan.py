"""Floor plans: playable, watertight, told again the same, and never more than asked for."""

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from shapely.geometry import LineString, MultiLineString, Point
from shapely.ops import unary_union

from mapmaker.errors import MapmakerError
from mapmaker.layout import KINDS, Layout, plan, walking_graph

KIND_NAMES = ("building", "cave", "dungeon", "wilderness")
SIZES = ((15, 15), (20, 30), (5, 5), (7, 12), (31, 9))
#: Pixels a square when walls are drawn to see whether they leak.
PX = 8


def some_plans(kind: str, count: int = 6) -> list[Layout]:
    """Return plans of many seeds at 15x15 and a few at other sizes."""
    plans = [plan(kind, seed) for seed in range(count)]
    return plans + [plan(kind, seed, *size) for seed in range(3) for size in SIZES[1:]]


def flooded(layout: Layout, start: tuple[float, float], doors: bool) -> np.ndarray:
    """Return what a flood from `start` (squares) reaches, bool (rows * 8, columns * 8)."""
    picture = Image.new("L", (layout.columns * PX, layout.rows * PX), 0)
    pen = ImageDraw.Draw(picture)
    lines = [*layout.walls, *layout.windows]
    lines += [door.segment for door in layout.doors] if doors else []
    for line in lines:
        pen.line([(x * PX, y * PX) for x, y in line], fill=255, width=2)
    spot = (int(start[0] * PX), int(start[1] * PX))
    ImageDraw.floodfill(picture, spot, 128)
    return np.asarray(picture) == 128


def test_four_kinds_are_registered() -> None:
    """The four kinds of map are known by name."""
    assert KINDS.names() == list(KIND_NAMES)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_room_is_reached_with_doors_open(kind: str) -> None:
    """From every room one can walk to every other room when all doors stand open."""
    for layout in some_plans(kind):
        graph = walking_graph(layout)

        parts = {node: k for k, part in enumerate(nx.connected_components(graph)) for node in part}
        reached = []
        for room in layout.rooms:
            nodes = [(2 * c + i, 2 * r + j) for c, r in room.cells for i in (0, 1) for j in (0, 1)]
            counts = np.bincount([parts[node] for node in nodes if node in parts])
            reached.append(int(counts.argmax()))

        assert len(set(reached)) == 1, (kind, layout.seed, layout.columns, layout.rows)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_rooms_are_at_least_two_by_two(kind: str) -> None:
    """Every room has a name, a ring of a polygon, and holds a block of two by two squares."""
    for layout in some_plans(kind):
        for room in layout.rooms:
            cells = set(room.cells)
            blocks = [(c, r) for c, r in cells if {(c + 1, r), (c, r + 1), (c + 1, r + 1)} <= cells]

            assert room.name
            assert len(room.polygon) >= 4
            assert blocks, (kind, layout.seed, layout.columns, layout.rows, room)


@pytest.mark.parametrize("kind", ("building", "dungeon"))
def test_doors_are_one_square_long_in_a_gap_of_the_wall(kind: str) -> None:
    """A door is exactly one square long, lies on the grid, and walls meet both its ends."""
    for layout in some_plans(kind):
        walls = MultiLineString(layout.walls)
        for door in layout.doors:
            (ax, ay), (bx, by) = door.segment

            assert abs(ax - bx) + abs(ay - by) == 1
            assert all(v == int(v) for v in (ax, ay, bx, by))
            assert door.kind in ("door", "secret", "locked")
            assert not (door.open and door.kind != "door")
            assert walls.intersection(LineString(door.segment)).length < 1e-6
            others = [d.segment for d in layout.doors if d != door] + list(layout.windows)
            posts = MultiLineString([*layout.walls, *others])
            assert all(posts.distance(Point(end)) == 0 for end in door.segment)


def test_windows_look_outside() -> None:
    """A window has a room on one side and open ground on the other."""
    seen = 0
    for layout in some_plans("building"):
        indoors = {cell for room in layout.rooms for cell in room.cells}
        for (ax, ay), (bx, by) in layout.windows:
            here = (int(min(ax, bx)), int(min(ay, by)))
            there = (here[0], here[1] - 1) if ay == by else (here[0] - 1, here[1])

            assert (here in indoors) != (there in indoors)
            seen += 1
    assert seen > 20


@pytest.mark.parametrize("kind", ("dungeon", "building"))
def test_eight_rooms_and_more_have_a_loop(kind: str) -> None:
    """From eight rooms on there is a way round: more openings than a tree would have."""
    many = 0
    for seed in range(14):
        layout = plan(kind, seed, 20, 20)
        if len(layout.rooms) < 8:
            continue
        many += 1
        graph = nx.Graph()
        nodes = walking_graph(layout, doors_open=False)
        part = {n: k for k, p in enumerate(nx.connected_components(nodes)) for n in p}
        for a, b in walking_graph(layout).edges:
            if part[a] != part[b]:
                graph.add_edge(part[a], part[b])
        round_trips = graph.number_of_edges() - graph.number_of_nodes() + 1
        open_loops = len(nx.cycle_basis(nx.Graph(_coarse(layout))))

        assert round_trips + open_loops >= 1, (kind, seed)
    assert many >= 5


def _coarse(layout: Layout) -> list[tuple[int, int]]:
    """Return which regions (rooms, corridor cells) touch through a passage, doors open."""
    owner = {cell: k for k, room in enumerate(layout.rooms) for cell in room.cells}
    names: dict[tuple[int, int], int] = {}

    def region(node: tuple[int, int]) -> int:
        cell = (node[0] // 2, node[1] // 2)
        return owner.get(cell, 1000 + names.setdefault(cell, len(names)))

    pairs = {(region(a), region(b)) for a, b in walking_graph(layout).edges}
    return [(a, b) for a, b in pairs if a != b]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_there_are_two_ways_out(kind: str) -> None:
    """At 15x15 and above one can leave in two places at least: exits and stairs."""
    for layout in [plan(kind, seed, *size) for seed in range(8) for size in ((15, 15), (30, 20))]:
        assert len(layout.exits) + len(layout.stairs) >= 2, (kind, layout.seed)


@pytest.mark.parametrize("kind", ("dungeon", "building", "cave"))
def test_walls_hold_water(kind: str) -> None:
    """A flood from a room, doors shut, stays where one can walk with doors shut."""
    for layout in some_plans(kind, 5):
        shut = walking_graph(layout, doors_open=False)
        floor = unary_union([area.shape() for area in layout.areas]).buffer(0.35)
        solid = Image.new("L", (layout.columns * PX, layout.rows * PX), 0)
        for part in getattr(floor, "geoms", [floor]):
            pen = ImageDraw.Draw(solid)
            pen.polygon([(x * PX, y * PX) for x, y in part.exterior.coords], fill=255)
            for ring in part.interiors:
                pen.polygon([(x * PX, y * PX) for x, y in ring.coords], fill=0)
        ground = np.asarray(solid) > 0
        for room in layout.rooms:
            column, row = next(c for c in room.cells if (2 * c[0], 2 * c[1]) in shut)
            wet = flooded(layout, (column + 0.25, row + 0.25), doors=True)

            allowed = nx.node_connected_component(shut, (2 * column, 2 * row))
            far = [(i, j) for i, j in shut if (i, j) not in allowed]
            leaks = [n for n in far if wet[n[1] * PX // 2 + 2, n[0] * PX // 2 + 2]]
            if kind != "cave":
                assert not leaks, (kind, layout.seed, room.name, leaks[:3])
            assert not (wet & ~ground).any(), (kind, layout.seed, room.name)


def test_a_flood_escapes_when_a_wall_is_missing() -> None:
    """The flood test can fail: without one wall the water reaches the rock."""
    layout = plan("dungeon", 3)
    broken = Layout.from_json({**layout.to_json(), "walls": layout.to_json()["walls"][1:]})
    room = layout.rooms[0]
    column, row = room.cells[0]

    spots = (column + 0.5, row + 0.5)
    most = max(
        int(flooded(broken, (r.cells[0][0] + 0.5, r.cells[0][1] + 0.5), True).sum())
        for r in layout.rooms
    )

    assert most > int(flooded(layout, spots, True).sum())


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_walls_lie_on_a_lattice_and_inside_the_map(kind: str) -> None:
    """Wall points are whole pixels at 50 and 100 px a square, inside the map, cave ones apart."""
    for layout in some_plans(kind):
        for wall in layout.walls:
            xy = np.asarray(wall) * 50

            assert np.abs(xy - np.round(xy)).max() < 1e-6
            assert xy.min() >= 0
            assert (xy.max(0) <= np.array([layout.columns, layout.rows]) * 50).all()
            if kind == "cave" and len(wall) > 2:
                steps = np.hypot(*np.diff(np.asarray(wall), axis=0).T)
                assert steps[1:-1].min(initial=1) >= 0.35, (layout.seed, steps.min())


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_json_round_trip(kind: str) -> None:
    """What to_json writes, json keeps and from_json reads back: the very same plan."""
    for seed in range(4):
        layout = plan(kind, seed, 15, 11)

        data = json.loads(json.dumps(layout.to_json()))

        assert Layout.from_json(data) == layout
        assert data["squares"] == [15, 11]
        assert len(layout.cells) == 11
        assert {len(row) for row in layout.cells} == {15}


@given(
    kind=st.sampled_from(KIND_NAMES),
    seed=st.integers(0, 2**63),
    columns=st.integers(5, 24),
    rows=st.integers(5, 24),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_seed_and_size_gives_a_plan(kind: str, seed: int, columns: int, rows: int) -> None:
    """Whatever seed and size: a plan comes, the same twice, with lamps and things in the map."""
    layout = plan(kind, seed, columns, rows)

    assert layout == plan(kind, seed, columns, rows)
    assert layout.rooms
    for light in layout.lights:
        assert -0.5 <= light.position[0] <= columns + 0.5
        assert -0.5 <= light.position[1] <= rows + 0.5


def test_seeds_differ() -> None:
    """Twenty seeds of a kind give twenty different plans."""
    for kind in KIND_NAMES:
        assert len({json.dumps(plan(kind, s).to_json()["walls"]) for s in range(20)}) >= (
            20 if kind != "wilderness" else 1
        )
        assert len({json.dumps(plan(kind, s).to_json()["props"]) for s in range(20)}) == 20


def test_an_unknown_kind_names_its_neighbour() -> None:
    """A slip of the finger is answered with the nearest name."""
    with pytest.raises(MapmakerError) as caught:
        plan("dungen", 1)

    assert "dungen" in str(caught.value)
    assert "dungeon" in caught.value.hint


@pytest.mark.parametrize(("columns", "rows"), [(4, 15), (15, 61), (0, 0), (-3, 15)])
def test_a_size_out_of_bounds_is_refused(columns: int, rows: int) -> None:
    """Fewer than 5 or more than 60 squares a side is one clear error that says the bounds."""
    with pytest.raises(MapmakerError) as caught:
        plan("cave", 1, columns, rows)

    assert "5" in caught.value.hint
    assert "60" in caught.value.hint


@pytest.mark.parametrize("key", ["squares", "walls", "rooms", "doors", "cells", "seed"])
def test_a_layout_with_a_part_missing_is_refused_by_name(key: str) -> None:
    """A layout.json without a key is refused with that key in the message."""
    data = plan("dungeon", 1).to_json()
    del data[key]

    with pytest.raises(MapmakerError, match=key):
        Layout.from_json(data)
