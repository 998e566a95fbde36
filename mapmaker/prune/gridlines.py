"""Where the squares of a map are, as far as the picture itself shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.gridwaves import (
    Floats,
    Profile,
    fits,
    line_heights,
    profiles,
    refine,
    scores,
    shrunk,
    strengths,
)
from mapmaker.prune.median import quantile
from mapmaker.prune.shot import halved, summed

LEAST_CELL_PX = 12
# Of pictures without squares (170 maps turned by 13 to 33 degrees or stretched unevenly) 2 % score
# above 13.4, 1 % above 14.5, the highest 23.
SURE = 16.0  # for squares that begin at the edges and fill the picture: chance does not do that
SURE_INSIDE = 30.0  # for any others
SURE_OF_SIZE = 60.0  # from here on half and double squares are told apart without a doubt
USUAL_PX = (50, 64, 70, 72, 75, 100, 128, 140, 150, 200, 256)
MOST_PX = 2048  # larger pictures are measured at this side
_LEAST_SQUARES = 4  # fewer across are no grid but furniture
_SOME_SQUARES = 12  # fewer across must score higher: chance fits them sooner
_FEW_SQUARES = 8  # fewer across are not made out of smaller ones
_AGREE = 0.25  # of the stronger direction, that the weaker must reach
_LEFT_OVER = 0.2  # of a square: what a picture of whole squares may seem to have too many
_WHOLE_FIT = 0.92  # and what whole squares must reach of the best fit
_EDGE_PX = 1.6  # a line that close to the edge is at the edge
_EDGE_FIT = 0.45  # squares of a picture of whole ones begin at the edge at this share of the fit
_COARSE_PX, _FINE_PX = 0.25, 0.1  # to which a first line is placed
_STEP_PX = 0.2  # drift over the whole picture between two distances tried


def find_grid(
    grey: NDArray[np.uint8], sums: tuple[NDArray, NDArray] | None = None
) -> dict[str, Any] | None:
    """Return {cell_px, phase [x, y], score, sure} of the squares a grey picture shows, or None.

    grey is (H, W); sums are `shot.summed` of it and of its half, if they are there already and it
    has at most MOST_PX a side. cell_px is to about 0.02 px, phase the place [px] of the first line
    or seam from the left and the top edge. score is that of `gridwaves.scores`, both directions
    together; sure is 0.5 where it just suffices, and goes to 1. None also when there are lines,
    but half or double squares would do as well.
    """
    if min(grey.shape) <= _LEAST_SQUARES * LEAST_CELL_PX:
        return None
    scale = max(1.0, max(grey.shape) / MOST_PX)
    if scale > 1:
        size = (round(grey.shape[1] / scale), round(grey.shape[0] / scale))
        grey, sums = shrunk(grey, size), None
    search = _Search.of(profiles(*(sums or (summed(grey), summed(halved(grey))))))
    found = search.size()
    if found is None:
        return None
    whole = _whole(search.profiles, found)
    at_edge = [_at_edge(p, whole) for p in search.profiles] if whole else [0.0, 0.0]
    cell_px, phase = (whole, [0.0, 0.0]) if min(at_edge) > _EDGE_FIT else (found, None)
    phase = phase or [_first(p, cell_px) for p in search.profiles]
    few = max(1.0, _SOME_SQUARES * found / max(map(len, search.profiles)))
    score, needed = search.score(found), few * (SURE if min(at_edge) == 1 else SURE_INSIDE)
    if score < needed:
        return None
    return {
        "cell_px": round(cell_px * scale, 3),
        "phase": [round(place * scale, 2) for place in phase],
        "score": round(score, 1),
        "sure": round(score / (score + needed), 3),
    }


@dataclass(frozen=True, slots=True)
class _Search:
    """Every distance there could be between lines [px], and how well it fits."""

    profiles: tuple[Profile, Profile]
    cells: Floats
    across: Floats
    down: Floats
    joint: Floats
    step: float

    @classmethod
    def of(cls, profiled: tuple[Profile, Profile]) -> "_Search":
        longest, shortest = max(map(len, profiled)), min(map(len, profiled))
        step = _STEP_PX * LEAST_CELL_PX / longest
        cells = np.exp(np.arange(np.log(LEAST_CELL_PX), np.log(shortest / _LEAST_SQUARES), step))
        across, down = (scores(p, cells) for p in profiled)
        joint = (across + down) / 2 + np.sqrt(across * down)  # squares show in both directions
        return cls(profiled, cells, across, down, joint / (longest / 768) ** 0.3, step)

    def _near(self, cell_px: float) -> int | None:
        near = np.flatnonzero(np.abs(np.log(self.cells / cell_px)) < 3 * self.step)
        return int(near[self.joint[near].argmax()]) if len(near) else None

    def score(self, cell_px: float) -> float:
        place = self._near(cell_px)
        return 0.0 if place is None else float(self.joint[place])

    def agrees(self, cell_px: float) -> bool:
        """True when both directions show squares of this size."""
        place = self._near(cell_px)
        if place is None:
            return False
        weak, strong = sorted((self.across[place], self.down[place]))
        return bool(weak >= _AGREE * strong)

    def size(self) -> float | None:
        """Return the side of the squares [px]; None without squares, or when two sizes would do."""
        best = int(self.joint.argmax())
        if self.joint[best] < SURE:
            return None
        first = refine(self.profiles, float(self.cells[best]), self.step)
        cell_px = self._larger(first)
        cell_px, rival = self._smaller(cell_px)
        if rival and self.score(cell_px) < SURE_OF_SIZE:
            usual = [c for c in (cell_px, rival) if _is_usual(c, self.profiles)]
            if len(usual) != 1:
                return None
            cell_px = usual[0]
        if not self.agrees(cell_px):
            return None
        return first if cell_px == first else refine(self.profiles, cell_px, self.step)

    def _larger(self, cell_px: float) -> float:
        """Return a multiple of `cell_px` when only every second, third or fifth line is a line."""
        for _ in range(2):
            lines = _lines(self.profiles, cell_px)
            for times in (2, 3, 5):
                whole = cell_px * times
                if whole * _FEW_SQUARES > min(map(len, self.profiles)):
                    continue
                share, sure = _every(lines, times)
                alone = share < 0.6 and min(sure) > 1 and sum(sure) > 4.6
                if alone and self.score(whole) > 0.7 * self.score(cell_px):
                    cell_px *= times
                    break
            else:
                break
        return cell_px

    def _smaller(self, cell_px: float) -> tuple[float, float | None]:
        """Return half or a third of `cell_px` when lines between are lines as well, and the doubt.

        The second value is the size that would do as well, None when there is no doubt.
        """
        rival = None
        for parts in (2, 3):
            part = cell_px / parts
            if part < LEAST_CELL_PX:
                continue
            share, sure = _every(_lines(self.profiles, part), parts)
            if share > 0.6 and sum(sure) < 3 and self.score(part) > 0.6 * self.score(cell_px):
                return part, None
            if share > 0.4 and sum(sure) < 4:
                rival = part
        return cell_px, rival


def _lines(profiled: Sequence[Profile], cell_px: float) -> list[Floats]:
    """Return how much each line stands out, for the columns and for the rows."""
    lines = []
    for profile in profiled:
        places, fit = fits(profile.signal, cell_px, _COARSE_PX)
        heights = line_heights(profile, cell_px, float(places[fit.argmax()]))
        lines.append(np.minimum(heights, quantile(heights, 0.9)))  # a wall is one line
    return lines


def _every(lines: Sequence[Floats], times: int) -> tuple[float, tuple[float, ...]]:
    """Return how weak the next strongest lines are beside every `times`-th one, and how sure.

    First their share of the strongest's height, then for each direction the difference in standard
    errors (Welch's t). Of 72 real maps whose squares were found: half, a third and a fifth of their
    squares give a share of 0.57 at most and t together 4.6 at least in 138 of 142 cases; their own
    squares never both (0.48 at least, 4.3 at most; the walls of rooms of even size).
    """
    top, rest, sure = 0.0, 0.0, []
    for heights in lines:
        classes = [heights[k::times] for k in range(times)]
        if min(map(len, classes)) < 2:
            return 1.0, (0.0, 0.0)
        second, first = sorted(classes, key=np.mean)[-2:]
        error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
        gap = float(first.mean() - second.mean())
        top, rest = top + float(first.mean()), rest + float(second.mean())
        sure.append(gap / (float(error) + 1e-6))
    return (rest / top if top > 0 else 1.0), tuple(sure)


def _is_usual(cell_px: float, profiled: Sequence[Profile]) -> bool:
    """True for a size maps are drawn at that divides both sides of the picture."""
    return any(
        abs(cell_px - usual) < 0.005 * usual and all(len(p) % usual == 0 for p in profiled)
        for usual in USUAL_PX
    )


def _whole(profiled: Sequence[Profile], cell_px: float) -> float:
    """Return the side at which squares fill the picture, when they so nearly do both ways, or 0."""
    counts = [len(p) / cell_px for p in profiled]
    if max(abs(n - round(n)) for n in counts) >= _LEFT_OVER:
        return 0.0
    sides = [len(p) / round(n) for p, n in zip(profiled, counts, strict=True)]
    if abs(sides[0] - sides[1]) > 0.01 * cell_px:
        return 0.0
    whole = float(np.mean(sides))
    own, filled = strengths(profiled, np.array([cell_px, whole]))
    return whole if filled >= _WHOLE_FIT * own else 0.0


def _at_edge(profile: Profile, cell_px: float) -> float:
    """Return how well lines fit that begin at the edge, as a share of the best: 1 is the best."""
    places, fit = fits(profile.signal, cell_px, _FINE_PX)
    return float(fit[np.minimum(places, cell_px - places) <= _EDGE_PX].max() / fit.max())


def _first(profile: Profile, cell_px: float) -> float:
    """Return where the first line lies, 0 <= place < cell_px."""
    places, fit = fits(profile.fine, cell_px, _FINE_PX)
    return float(places[fit.argmax()])
