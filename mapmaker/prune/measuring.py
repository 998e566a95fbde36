"""Looking at pictures on any engine: those nobody has measured, and pairs nobody has compared."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from mapmaker.engine import Engine, Outcome, cores, open_engine
from mapmaker.events import Event, Step
from mapmaker.prune.catalogue import Catalogue
from mapmaker.prune.database import Closing
from mapmaker.prune.features import Measured, measure
from mapmaker.prune.quarantine import moves
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.thumbs import ThumbStore
from mapmaker.stopping import stoppable
from mapmaker.workspace import Dataset

T = TypeVar("T")

BATCH = 16  # pictures that travel together: half a second's work at 750 px
BATCH_BYTES = 4_000_000  # fewer when they are large, so that Ctrl-C need not wait for them
KEEP, KEEP_S = 64, 1.0  # results are written when so many wait, or the oldest so long
TRY_S, WORTH_S = 1.5, 3.0  # auto: work so long alone; ask for help that saves at least so much


class Task(NamedTuple):
    """A picture to measure: its id, and where it lies (absolute, so that any machine finds it)."""

    id: str
    path: str


def look(task: Task) -> Measured:
    """Return what is measured of a picture. Never raises for what is in the file."""
    return measure(Path(task.path), task.id)


class Workers(Closing):
    """The engine of a config, opened when there is enough for it to do.

    `auto` begins here and now, and takes a process a core once what is left is worth their start:
    how long a picture takes is measured, not guessed. Results are the same for every engine.
    """

    def __init__(self, name: str, dataset: Dataset) -> None:
        self._name, self._dataset = name, dataset
        self._stack, self._engine = ExitStack(), None

    def close(self) -> None:
        """End the engine."""
        self._stack.close()

    def imap(
        self, fn: Callable[[T], Any], items: Iterable[T], count: int, batch: int
    ) -> Generator[Outcome[T]]:
        """Yield as `Engine.imap` does, for `count` items."""
        rest = iter(items)
        if self._name == "auto" and self._engine is None:
            began_s, done = time.monotonic(), 0
            while (spent_s := time.monotonic() - began_s) < TRY_S:
                for outcome in Engine().imap(fn, islice(rest, 1)):
                    done += 1
                    yield outcome
                if done == count:
                    return
            saved_s = (count - done) * spent_s / max(1, done) * (1 - 1 / cores())
            self._open(f"processes:{cores()}" if saved_s > WORTH_S else "serial")
        engine = self._engine or self._open(self._name)
        with closing(engine.imap(fn, rest, batch=batch)) as outcomes:  # type: ignore[arg-type]
            yield from outcomes

    def _open(self, name: str) -> Engine:
        opened = open_engine(name, preload=(__name__,), reach=self._dataset.root.absolute())
        engine = self._stack.enter_context(opened)
        self._engine = None if self._name == "auto" and name == "serial" else engine
        return engine


def measure_new(
    dataset: Dataset,
    catalogue: Catalogue,
    store: FeatureStore,
    thumbs: ThumbStore,
    workers: Workers,
) -> Iterator[Event]:
    """Measure the pictures nobody has measured, yielding a step each; return how many there were.

    What was measured is kept, however this ends: at most the last second's is lost to kill -9.
    Raises Stopped.
    """
    new = np.flatnonzero(~np.isin(catalogue.ids, store.known_ids())).tolist()
    done, began_s, kept_s = 0, time.monotonic(), time.monotonic()
    waiting: list[Measured] = []

    def keep() -> None:
        # The thumbnail first: whoever finds the features finds it too.
        thumbs.put_all((m.features.id, m.thumb) for m in waiting)
        store.keep_all((m.features, m.lasting) for m in waiting)
        waiting.clear()

    tasks = places(dataset, catalogue, new)
    batch = _batch(catalogue, new)
    with stoppable() as stop, closing(workers.imap(look, tasks, len(new), batch)) as outcomes:
        try:
            for _, measured, error in outcomes:
                if error:
                    raise error
                waiting.append(measured)
                done += 1
                now_s = time.monotonic()
                if len(waiting) >= KEEP or now_s - kept_s > KEEP_S:
                    keep()
                    kept_s = now_s
                rate = f"{done / max(now_s - began_s, 1e-3):.3g} a second"
                yield Step("prune", done, len(new), "pictures", measured.features.problem or rate)
                if stop:
                    raise stop.error(
                        f"{done} of {len(new)} pictures are measured.",
                        hint="Run the same command again; it goes on with the rest.",
                    )
        finally:
            keep()
    return len(new)


def places(dataset: Dataset, catalogue: Catalogue, indices: list[int]) -> Iterator[Task]:
    """Yield where pictures lie: in their place, or where pruning moved them."""
    root, moved = dataset.root.absolute(), None
    for _, row in catalogue.rows(indices):
        place = root / row["file"]
        if not place.exists():
            moved = moves(dataset) if moved is None else moved
            gone = (m for m in moved.get(row["file"], []) if m["id"] == row["id"])
            place = next((p for m in gone if (p := root / m["to"]).exists()), place)
        yield Task(row["id"], str(place))


def _batch(catalogue: Catalogue, indices: list[int]) -> int:
    """Return how many pictures make a task, from the size of a few of their files."""
    some = indices[:: max(1, len(indices) // 20)]
    sizes = [row.get("bytes") or 0 for _, row in catalogue.rows(some)]
    mean = sum(sizes) / max(1, len(sizes))
    return max(1, min(BATCH, int(BATCH_BYTES / max(1.0, mean))))
