"""Chambers of a dungeon, and the digger that joins them by corridors."""

from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np
from shapely.geometry import Point as Spot
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mapmaker.layout.plan import Cell, Segment
from mapmaker.layout.purposes import SIDES

#: What the grid holds where no room is (a room is its number).
ROCK, CORRIDOR = -1, -2


@dataclass
class Chamber:
    x: int
    y: int
    w: int
    h: int
    shape: str
    doors: dict[Segment, Cell] = field(default_factory=dict)

    @property
    def middle(self) -> tuple[float, float]:
        return (self.x + self.w / 2, self.y + self.h / 2)

    def outline(self) -> BaseGeometry:
        """Return the floor: a box, one with cut corners, or a disc with a landing a door."""
        whole = box(self.x, self.y, self.x + self.w, self.y + self.h)
        if self.shape == "round":
            disc = Spot(self.middle).buffer(self.w / 2, quad_segs=5)
            return unary_union([disc, *(box(c, r, c + 1, r + 1) for c, r in self.doors.values())])
        if self.shape == "octagon":
            x, y, right, low = self.x, self.y, self.x + self.w, self.y + self.h
            cut = 1
            return Polygon(
                [
                    (x + cut, y),
                    (right - cut, y),
                    (right, y + cut),
                    (right, low - cut),
                    (right - cut, low),
                    (x + cut, low),
                    (x, low - cut),
                    (x, y + cut),
                ]
            )
        return whole

    def doorways(self) -> list[tuple[Segment, Cell, Cell]]:
        """Return where a door may stand: its segment, the cell inside, the cell outside."""
        inset = {"round": (self.w - 1) // 2, "octagon": 1}.get(self.shape, 0)
        found = []
        for i in range(inset, self.w - inset):
            c, low = self.x + i, self.y + self.h
            found.append((((c, self.y), (c + 1, self.y)), (c, self.y), (c, self.y - 1)))
            found.append((((c, low), (c + 1, low)), (c, low - 1), (c, low)))
        for i in range(inset, self.h - inset):
            r, right = self.y + i, self.x + self.w
            found.append((((self.x, r), (self.x, r + 1)), (self.x, r), (self.x - 1, r)))
            found.append((((right, r), (right, r + 1)), (right - 1, r), (right, r)))
        return found


class Digger:
    """Digs corridors and remembers where they enter rooms."""

    def __init__(self, owner: np.ndarray, chambers: list[Chamber]) -> None:
        self.owner, self.chambers = owner, chambers
        self.entries: dict[Segment, tuple[int, Cell]] = {}
        self.links: list[tuple[int, int, list[Segment]]] = []

    def _entry_cost(self, room: int, segment: Segment) -> float:
        if segment in self.chambers[room].doors:
            return 0.0
        (ax, ay), (bx, by) = segment
        crowd = any(
            abs(ax + bx - c - e) + abs(ay + by - d - f) <= 2.01
            for (c, d), (e, f) in self.chambers[room].doors
        )
        return 14.0 if crowd else 5.0

    def _doorsteps(self, room: int) -> dict[Cell, tuple[float, Segment, Cell]]:
        """Return for each cell outside the room the cheapest way in."""
        rows, columns = self.owner.shape
        steps: dict[Cell, tuple[float, Segment, Cell]] = {}
        for segment, inside, (c, r) in self.chambers[room].doorways():
            if 0 < c < columns - 1 and 0 < r < rows - 1 and self.owner[r, c] < 0:
                cost = self._entry_cost(room, segment)
                if (c, r) not in steps or cost < steps[c, r][0]:
                    steps[c, r] = (cost, segment, inside)
        return steps

    def join(self, a: int, b: int) -> bool:
        """Dig from room a to room b; tell whether there was a way."""
        starts, goals = self._doorsteps(a), self._doorsteps(b)
        path = self._path(starts, {cell: step[0] for cell, step in goals.items()})
        if not path:
            return False
        used = []
        for room, steps, cell in ((a, starts, path[0]), (b, goals, path[-1])):
            _, segment, inside = steps[cell]
            self.chambers[room].doors[segment] = inside
            self.entries[segment] = (room, inside)
            used.append(segment)
        self._dig(path)
        self.links.append((a, b, used))
        return True

    def leave(self, room: int, border: dict[Cell, float]) -> Cell | None:
        """Dig from the room to the cheapest cell of the border; return that cell."""
        starts = self._doorsteps(room)
        path = self._path(starts, border)
        if not path:
            return None
        _, segment, inside = starts[path[0]]
        self.chambers[room].doors[segment] = inside
        self.entries[segment] = (room, inside)
        self._dig(path)
        return path[-1]

    def _dig(self, path: list[Cell]) -> None:
        for c, r in path:
            self.owner[r, c] = CORRIDOR

    def _path(
        self, starts: dict[Cell, tuple[float, Segment, Cell]], goals: dict[Cell, float]
    ) -> list[Cell]:
        """Return the cheapest path of cells (Dijkstra; old corridors are cheap, turns cost)."""
        rows, columns = self.owner.shape
        queue: list[tuple[float, int, Cell, int, Cell | None, int]] = []
        tick = 0
        for cell, (cost, segment, _) in sorted(starts.items()):
            way = 0 if segment[0][1] == segment[1][1] else 1
            heappush(queue, (cost, tick, cell, way, None, -1))
            tick += 1
        came: dict[tuple[Cell, int], tuple[Cell | None, int]] = {}
        while queue:
            cost, _, cell, way, before, before_way = heappop(queue)
            if cell == (-1, -1):
                path = [before] if before else []
                while path and (link := came[path[-1], before_way])[0] is not None:
                    before_way = link[1]
                    path.append(link[0])
                return path[::-1]
            if (cell, way) in came:
                continue
            came[cell, way] = (before, before_way)
            if cell in goals:
                heappush(queue, (cost + goals[cell], tick, (-1, -1), way, cell, way))
                tick += 1
            for dx, dy, angle in SIDES:
                c, r = cell[0] + dx, cell[1] + dy
                edge = not (0 < c < columns - 1 and 0 < r < rows - 1)
                if (
                    (edge and (c, r) not in goals)
                    or not (0 <= c < columns and 0 <= r < rows)
                    or self.owner[r, c] >= 0
                ):
                    continue
                new_way = 0 if angle % 180 == 0 else 1
                step = 0.6 if self.owner[r, c] == CORRIDOR else 2.0
                tick += 1
                heappush(
                    queue,
                    (
                        cost + step + (1.5 if new_way != way else 0),
                        tick,
                        (c, r),
                        new_way,
                        cell,
                        way,
                    ),
                )
        return []
