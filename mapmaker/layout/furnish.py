"""A hand that furnishes rooms and leaves the walkways free."""

import numpy as np

from mapmaker.layout.chance import pick
from mapmaker.layout.plan import Cell, Point
from mapmaker.layout.purposes import PURPOSES, SIDES, SIZES
from mapmaker.layout.site import Site


class Furnisher:
    """Places the things of one room on its free cells.

    cells: the room's squares; kept: squares before doors, that stay free and joined;
    steps: squares of stairs and water, that nothing covers.
    """

    def __init__(self, site: Site, cells: set[Cell], kept: set[Cell], steps: set[Cell]) -> None:
        self.site, self.rng = site, site.rng
        self.cells, self.kept, self.steps = cells, kept - steps, steps
        self.taken: set[Cell] = kept | steps
        columns, rows = zip(*sorted(cells), strict=True)
        self.left, self.right = min(columns), max(columns) + 1
        self.top, self.bottom = min(rows), max(rows) + 1

    @property
    def centre(self) -> Point:
        return ((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def furnish(self, purpose: str) -> None:
        """Put in the things of this purpose, and often a torch where nothing shines."""
        lit = len(self.site.lights)
        for kind, where, most, share in PURPOSES.get(purpose, ()):
            getattr(self, f"_{where}")(kind, most, share)
        if len(self.site.lights) == lit and self.rng.random() < 0.6:
            self._wall("torch", 1, 1.0)

    def _spots(self, walls: int) -> list[tuple[Cell, list[tuple[int, int, int]]]]:
        """Return free cells with exactly `walls` walled sides, shuffled."""
        found = []
        for column, row in sorted(self.cells - self.taken):
            sides = [s for s in SIDES if (column + s[0], row + s[1]) not in self.cells]
            if len(sides) == walls:
                found.append(((column, row), sides))
        order = self.rng.permutation(len(found))
        return [found[int(i)] for i in order]

    def _count(self, most: int, share: float) -> int:
        """Return how many to put: `most` in a room of twelve squares, more in larger ones."""
        tries = round(most * max(1.0, len(self.cells) / 12)) if most > 1 else most
        return sum(bool(self.rng.random() < share) for _ in range(tries))

    def _wall(self, kind: str, most: int, share: float) -> None:
        spots = self._spots(1) or self._spots(2)
        wide, deep = SIZES.get(kind, (0.8, 0.6))
        for (column, row), sides in spots[: max(self._count(most, share), int(share >= 1))]:
            dx, dy, angle = pick(self.rng, sides)
            inward = (column - dx, row - dy)
            if deep > 1 and (
                inward in self.taken or inward not in self.cells or not self._clear(inward)
            ):
                continue
            beside = {(column + dy, row + dx), (column - dy, row - dx)} if wide > 1 else set()
            if beside & self.taken or not beside <= self.cells or (column, row) in self.taken:
                continue
            gap = 0.5 - deep / 2 - 0.16
            self.site.put(
                kind, (column + 0.5 + dx * gap, row + 0.5 + dy * gap), (wide, deep), angle
            )
            self.taken |= {(column, row), *beside}
            if deep > 1:
                self.taken.add(inward)

    def _clear(self, cell: Cell) -> bool:
        """Tell whether putting something here leaves the kept cells joined."""
        free = self.cells - (self.taken - self.kept) - {cell}
        if not self.kept:
            return bool(free)
        todo = [min(self.kept & self.cells, default=min(free, default=cell))]
        seen = set(todo)
        while todo:
            column, row = todo.pop()
            for dx, dy, _ in SIDES:
                near = (column + dx, row + dy)
                if near in free and near not in seen:
                    seen.add(near)
                    todo.append(near)
        return (self.kept & self.cells) <= seen

    def _corner(self, kind: str, most: int, share: float) -> None:
        size = SIZES.get(kind, (0.8, 0.8))
        for (column, row), sides in self._spots(2)[: self._count(most, share)]:
            dx, dy = sides[0][0] + sides[1][0], sides[0][1] + sides[1][1]
            gap = max(0.0, 0.5 - max(size) / 2 - 0.17)
            angle = {(1, -1): 0, (1, 1): 90, (-1, 1): 180, (-1, -1): 270}.get((dx, dy), 0)
            self.site.put(kind, (column + 0.5 + dx * gap, row + 0.5 + dy * gap), size, angle)
            self.taken.add((column, row))

    def _middle(self, kind: str, most: int, share: float) -> None:
        spots = self._spots(0) or self._spots(1)
        for (column, row), _ in spots[: self._count(most, share)]:
            if not self._clear((column, row)):
                continue
            jitter = self.rng.uniform(-0.12, 0.12, 2)
            size = SIZES.get(kind, (0.9, 0.9))
            turn = 0 if kind == "crate" else int(self.rng.integers(360))
            self.site.put(kind, (column + 0.5 + jitter[0], row + 0.5 + jitter[1]), size, turn)
            self.taken.add((column, row))

    def _centre(self, kind: str, most: int, share: float) -> None:
        wide, high = self.right - self.left, self.bottom - self.top
        if self.rng.random() >= share or most < 1 or min(wide, high) < 3:
            return
        flat = kind in ("rug", "mosaic", "circle", "dais", "crack")
        size = SIZES.get(kind, (1.6, 1.6))
        angle = 0 if wide >= high else 90
        if kind in ("rug", "feast"):
            long, short = max(wide, high) - 1.7, min(wide, high) - 1.7
            size = (long, short) if kind == "rug" else (min(long - 0.6, 4.0), 0.9)
            if kind == "feast" and long < 2.2:
                return
        elif kind in ("mosaic", "circle", "dais", "crack"):
            size = (min(wide, high) - 1.3, min(wide, high) - 1.3)
        column, row = int(self.centre[0]), int(self.centre[1])
        if (column, row) not in self.cells:
            return
        cover = {(c, r) for c, r in self.cells | self.steps if self._covers(c, r, size, angle)}
        if cover & (self.steps if flat else self.taken):
            return
        self.taken |= set() if flat else cover
        self.site.put(kind, self.centre, size, angle)

    def _covers(self, column: int, row: int, size: Point, angle: int) -> bool:
        wide, high = size if angle == 0 else (size[1], size[0])
        return (
            abs(column + 0.5 - self.centre[0]) < (wide + 1) / 2 - 0.1
            and abs(row + 0.5 - self.centre[1]) < (high + 1) / 2 - 0.1
        )

    def _rows(self, kind: str, most: int, share: float) -> None:
        wide, high = self.right - self.left, self.bottom - self.top
        size = SIZES.get(kind, (1.0, 1.0))
        step_x, step_y = (2, 1) if kind == "pew" else (2, 2)
        xs = np.arange(
            self.left + 1.5 - (0.5 if kind != "sarcophagus" else 0), self.right - 0.6, step_x
        )
        ys = np.arange(
            self.top + 1.5 - (0.5 if kind == "tableset" else 0), self.bottom - 0.6, step_y
        )
        if min(wide, high) < 3:
            return
        put = 0
        for y in ys:
            for x in xs:
                cover = {
                    (c, r)
                    for c, r in self.cells
                    if abs(c + 0.5 - x) < (size[0] + 0.9) / 2
                    and abs(r + 0.5 - y) < (size[1] + 0.9) / 2
                }
                inside = self.left + 0.1 < x - size[0] / 2 and x + size[0] / 2 < self.right - 0.1
                inside &= self.top + 0.1 < y - size[1] / 2 and y + size[1] / 2 < self.bottom - 0.1
                if (
                    put < most
                    and inside
                    and cover
                    and not cover & self.taken
                    and self.rng.random() < share
                ):
                    self.site.put(kind, (x, y), size, 0)
                    self.taken |= cover
                    put += 1

    def _pillars(self, kind: str, most: int, share: float) -> None:
        wide, high = self.right - self.left, self.bottom - self.top
        if min(wide, high) < 4:
            return
        across = (self.left + 1, self.right - 1), (self.top + 1, self.bottom - 1)
        if wide >= high:
            spots = [
                (x, y)
                for x in np.arange(self.left + 1, self.right, 2 if wide > 4 else wide - 2)
                for y in across[1]
            ]
        else:
            spots = [
                (x, y)
                for y in np.arange(self.top + 1, self.bottom, 2 if high > 4 else high - 2)
                for x in across[0]
            ]
        for x, y in spots[: most if share else 0]:
            around = {(int(x) - a, int(y) - b) for a in (0, 1) for b in (0, 1)}
            if around <= self.cells and not around & self.steps:
                self.site.put(kind, (float(x), float(y)), SIZES[kind], 0)
