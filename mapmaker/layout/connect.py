"""Who can walk where: spanning trees for planners, a walking graph for checks."""

from collections import Counter
from itertools import combinations

import networkx as nx
import numpy as np
import shapely
from numpy.random import Generator
from shapely.geometry import MultiLineString

from mapmaker.layout.plan import BLOCKED, Cell, Layout, Point, ground

Node = tuple[int, int]
#: Lattice points a square and side in the walking graph.
PER_SQUARE = 2


def pairs_to_join(rng: Generator, places: list[Point], loops: float = 0.3) -> list[tuple[int, int]]:
    """Return which places to join: the shortest tree, then short extra pairs that close loops.

    loops is the number of extra pairs for each place; from four places on there is at least one.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(len(places)))
    for a, b in combinations(range(len(places)), 2):
        graph.add_edge(a, b, weight=float(np.hypot(*np.subtract(places[a], places[b]))))
    tree = nx.minimum_spanning_tree(graph)
    wanted = max(1, round(loops * len(places))) if len(places) > 3 else 0
    rest = [
        (data["weight"] * (0.8 + 0.5 * float(rng.random())), a, b)
        for a, b, data in graph.edges(data=True)
        if not tree.has_edge(a, b)
    ]
    extra: list[tuple[int, int]] = []
    for weight, a, b in sorted(rest):
        if len(extra) == wanted:
            break
        if weight < 0.75 * nx.shortest_path_length(tree, a, b, weight="weight"):
            extra.append((a, b))
            tree.add_edge(a, b, weight=weight)
    if wanted and not extra and rest:
        _, a, b = min(rest)
        extra.append((a, b))
    joined = {frozenset(pair) for pair in extra}
    return [(a, b) for a, b in tree.edges if frozenset((a, b)) not in joined] + extra


def walking_graph(layout: Layout, doors_open: bool = True) -> nx.Graph:
    """Return where one can stand and step: node (i, j) is the point ((i + .5) / 2, (j + .5) / 2).

    Walls and windows stop a step; doors only when doors_open is false. Nobody stands on water, in
    chasms or in rock.
    """
    n = PER_SQUARE
    i, j = np.meshgrid(np.arange(layout.columns * n), np.arange(layout.rows * n), indexing="ij")
    x, y = (i + 0.5) / n, (j + 0.5) / n
    stands = ~np.isin(ground(layout.areas, x, y), list(BLOCKED))
    lines = [wall for wall in layout.walls if len(wall) > 1] + list(layout.windows)
    if not doors_open:
        lines += [door.segment for door in layout.doors]
    barrier = MultiLineString(lines)
    shapely.prepare(barrier)
    graph = nx.Graph()
    graph.add_nodes_from(zip(i[stands].tolist(), j[stands].tolist(), strict=True))
    for di, dj in ((1, 0), (0, 1)):
        both = stands[: i.shape[0] - di, : i.shape[1] - dj] & stands[di:, dj:]
        a, b = np.nonzero(both)
        ends = np.stack(
            [
                np.stack([x[a, b], y[a, b]], -1),
                np.stack([x[a + di, b + dj], y[a + di, b + dj]], -1),
            ],
            1,
        )
        free = ~shapely.intersects(barrier, shapely.linestrings(ends))
        a, b = a[free].tolist(), b[free].tolist()
        graph.add_edges_from(((p, q), (p + di, q + dj)) for p, q in zip(a, b, strict=True))
    return graph


def is_playable(layout: Layout) -> bool:
    """Tell whether one can walk between all rooms, doors open, and leave in two places.

    A map less than ten squares wide or high may have a single way out.
    """
    graph = walking_graph(layout)
    where = {node: k for k, part in enumerate(nx.connected_components(graph)) for node in part}
    parts = {_part_of(room.cells, where) for room in layout.rooms}
    ways_out = len(layout.exits) + len(layout.stairs)
    enough = ways_out >= 2 or min(layout.columns, layout.rows) < 10
    return len(parts) == 1 and None not in parts and enough


def _part_of(cells: tuple[Cell, ...], where: dict[Node, int]) -> int | None:
    """Return the part of the graph that most of these cells belong to; none when all is blocked."""
    n = PER_SQUARE
    nodes = [(c * n + i, r * n + j) for c, r in cells for i in range(n) for j in range(n)]
    counts = Counter(where[node] for node in nodes if node in where)
    return max(counts, key=lambda part: (counts[part], -part)) if counts else None
