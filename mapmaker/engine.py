"""One loop for one process or many: functions are module-level, items and results are small."""

import concurrent.futures as cf
import multiprocessing as mp
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from mapmaker.errors import MapmakerError, MissingPart

T = TypeVar("T")
Outcome = tuple[T, Any, MapmakerError | None]  # item, result, or what was wrong with it


class Serial:
    """Does the work here and now."""

    workers = 1

    def imap(self, fn: Callable[[T], Any], items: Iterable[T]) -> Iterator[Outcome[T]]:
        """Yield every item with its result or its MapmakerError; a bug raises."""
        return (_run(fn, item) for item in items)


class Futures:
    """Any `concurrent.futures` executor, with a bounded number of items in flight."""

    def __init__(self, executor: cf.Executor, workers: int) -> None:
        self.executor, self.workers = executor, workers

    def imap(self, fn: Callable[[T], Any], items: Iterable[T]) -> Iterator[Outcome[T]]:
        """Yield as `Serial.imap` does, in whatever order the work is done."""
        rest = iter(items)
        live = {self.executor.submit(_run, fn, i) for i in islice(rest, 3 * self.workers)}
        try:
            while live:
                done, live = cf.wait(live, return_when=cf.FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    live |= {self.executor.submit(_run, fn, i) for i in islice(rest, 1)}
        except cf.BrokenExecutor as error:
            raise MissingPart(
                "A worker process was killed; most likely the memory ran out.",
                hint="Run the same command again, with --engine serial. (A script that calls this "
                "needs `if __name__ == '__main__':` around the call.)",
            ) from error


@contextmanager
def open_engine(name: str, preload: Iterable[str] = ()) -> Iterator[Serial | Futures]:
    """Give the engine `serial` or `processes:N`; preload names the modules workers need."""
    if name == "serial":
        yield Serial()
        return
    count = int(name.partition(":")[2])
    # Fork after threads have started is unsafe; the fork server imports once, then forks.
    context = mp.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload(list(preload))
    executor = cf.ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        yield Futures(executor, count)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _run(fn: Callable[[T], Any], item: T) -> Outcome[T]:
    try:
        return item, fn(item), None
    except MapmakerError as error:
        return item, None, error


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
