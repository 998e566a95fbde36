"""The kinds of map there are, and `plan`, which draws one up."""

from collections.abc import Callable

from numpy.random import Generator

from mapmaker.errors import MapmakerError
from mapmaker.layout.chance import stream
from mapmaker.layout.connect import is_playable
from mapmaker.layout.plan import Layout
from mapmaker.registry import Registry

SMALLEST, LARGEST = 5, 60
TRIES = 8

#: A planner takes its chance, the seed, columns and rows.
Planner = Callable[[Generator, int, int, int], Layout]
KINDS: Registry[Planner] = Registry("kind of map")


def plan(kind: str, seed: int, columns: int = 15, rows: int = 15) -> Layout:
    """Return the floor plan of this kind and seed, columns x rows squares.

    Equal arguments give equal plans, in every process. A plan with a room nobody can reach is
    drawn again. Raises UnknownName for a kind that is not in KINDS, MapmakerError for a side
    outside 5 to 60 squares.
    """
    planner = KINDS.get(kind)
    for name, side in (("columns", columns), ("rows", rows)):
        if isinstance(side, bool) or not isinstance(side, int) or not SMALLEST <= side <= LARGEST:
            raise MapmakerError(
                f"A map cannot have {side} {name}.",
                hint=f"Take a whole number from {SMALLEST} to {LARGEST}.",
            )
    for attempt in range(TRIES):
        layout = planner(stream(kind, seed, columns, rows, attempt), seed, columns, rows)
        if is_playable(layout):
            return layout
    raise MapmakerError(
        f"No playable {kind} came of seed {seed} at {columns}x{rows} in {TRIES} tries.",
        hint="Take another seed, or a larger map.",
    )
