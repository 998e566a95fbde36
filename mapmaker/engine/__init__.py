"""One loop for one process, many processes or a cluster: same results, whichever is chosen.

    with open_engine("processes:4") as engine:
        for item, result, error in engine.imap(measure, paths, batch=8):
            ...

Functions are module-level and take keys, not pixels; items and results are small. An item with a
MapmakerError is an outcome like any other; a bug raises here, wherever it happened.
"""

import concurrent.futures as cf
import multiprocessing as mp
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

from mapmaker.errors import BadConfig, MapmakerError, MissingPart

T = TypeVar("T")
Outcome = tuple[T, Any, MapmakerError | None]  # item, result, or what was wrong with it

NAMES = "auto, serial, processes:N, dask or dask:ADDRESS"
AHEAD = 3  # batches a worker may have waiting: enough to keep it busy, few enough to stay small
FEW_ITEMS = 24  # below this a second process costs more than it brings
WORTH_CORES = 2  # serial packs 61 samples a second, two processes 87, their start included

_THREADS = ("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_KNOWN = re.compile(r"auto|serial|processes:[1-9]\d{0,3}|dask(:(\w+://)?[^\s/]+:\d{1,5})?")


class Engine:
    """Does the work here and now."""

    workers = 1

    def imap(
        self, fn: Callable[[T], Any], items: Iterable[T], *, batch: int = 1
    ) -> Iterator[Outcome[T]]:
        """Yield (item, result, error) for every item, in whatever order the work is done.

        batch items travel together, so that short work is worth the way. At most AHEAD batches a
        worker are under way: memory does not grow with the number of items.
        """
        return ((item, *_try(fn, item)) for item in items)


class Futures(Engine):
    """Any `concurrent.futures` executor."""

    def __init__(self, executor: cf.Executor, workers: int) -> None:
        self.executor, self.workers = executor, workers

    def imap(
        self, fn: Callable[[T], Any], items: Iterable[T], *, batch: int = 1
    ) -> Iterator[Outcome[T]]:
        rest, live = iter(items), dict[cf.Future, tuple[T, ...]]()
        try:
            while True:
                while len(live) < AHEAD * self.workers and (some := tuple(islice(rest, batch))):
                    live[self.submit(fn, some)] = some
                if not live:
                    return
                for future in cf.wait(live, return_when=cf.FIRST_COMPLETED).done:
                    some = live.pop(future)
                    for item, (result, error) in zip(some, future.result(), strict=True):
                        yield item, result, error
        except Exception as error:
            raise self.explain(error) from error
        finally:
            self.drop(live)

    def submit(self, fn: Callable[[T], Any], some: tuple[T, ...]) -> cf.Future:
        return self.executor.submit(run_batch, fn, some)

    def drop(self, live: Iterable[cf.Future]) -> None:
        """Give up what nobody waits for any more."""
        for future in live:
            future.cancel()

    def explain(self, error: Exception) -> Exception:
        """Return what to say of an error that is the engine's own; else the error itself."""
        if not isinstance(error, cf.BrokenExecutor):
            return error
        return MissingPart(
            "A worker process was killed because the memory ran out, or ended at once because the "
            "script that asks for it started itself again in it.",
            hint="Run the same command again, with --engine serial; put a script's call under "
            "`if __name__ == '__main__':`.",
        )


@contextmanager
def open_engine(
    name: str, preload: Iterable[str] = (), *, reach: Path | None = None
) -> Iterator[Engine]:
    """Give the engine `serial`, `processes:N`, `dask` (all cores here) or `dask:ADDRESS`.

    preload names the modules workers need; reach is a folder that workers on other machines must
    see. Raises BadConfig for another name, MissingPart when a part or the cluster is not there.
    """
    kind, _, rest = check_name(name).partition(":")
    if kind == "processes":
        with _pool(int(rest), preload) as executor:
            yield Futures(executor, int(rest))
    elif kind == "dask":
        from mapmaker.engine.cluster import open_cluster  # a second that others need not wait

        with open_cluster(rest, reach) as cluster:
            yield cluster
    else:
        yield Engine()


def check_name(name: str) -> str:
    """Return `name` when it names an engine. Raises BadConfig when not; opens nothing."""
    if not _KNOWN.fullmatch(name):
        raise BadConfig(
            f"{name!r} is no engine.",
            hint=f"Say {NAMES}; an address looks like tcp://10.0.0.5:8786.",
        )
    return name


def resolve(name: str, count: int) -> str:
    """Return the engine that `auto` means for `count` items; any other name as it is."""
    if check_name(name) != "auto":
        return name
    few = count < FEW_ITEMS or cores() < WORTH_CORES
    return "serial" if few else f"processes:{cores()}"


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run_batch(fn: Callable[[T], Any], some: Iterable[T]) -> list[tuple[Any, MapmakerError | None]]:
    """Return (result, error) of every item: a bad one does not take its batch with it."""
    return [_try(fn, item) for item in some]


def _try(fn: Callable[[T], Any], item: T) -> tuple[Any, MapmakerError | None]:
    try:
        return fn(item), None
    except MapmakerError as error:
        return None, error


@contextmanager
def _pool(count: int, preload: Iterable[str]) -> Iterator[cf.Executor]:
    # Fork after threads have started is unsafe; the fork server imports once, then forks.
    context = mp.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload(list(preload))
        with _variables(dict.fromkeys(_THREADS, "1")):  # numpy heeds them when it is loaded
            forkserver.ensure_running()
    executor = cf.ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _variables(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for what is started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({name: value} if value is not None else {})


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def one_thread() -> None:
    """Keep OpenCV in this worker from starting a thread a core: the workers are the threads."""
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)


def _end_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
