"""A few threads that work through a list, and let go of it at once when told to."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from mapmaker.scrape.manners import Halted

T = TypeVar("T")
R = TypeVar("R")
_TICK_S = 0.1
_LEAVE_S = 1.0


def work_through(
    tasks: Iterable[T], do: Callable[[T], R], jobs: int, halt: threading.Event
) -> Iterator[tuple[int, R] | None]:
    """Yield (index, result) as tasks finish, in any order, and None now and then between them.

    `jobs` threads work; an exception in one of them is raised here, after the results that were
    there by then. When the caller stops reading or something is raised, `halt` is set; when it is
    set, the threads leave and this ends. They are waited for a second at most, so `do` must leave
    nothing half done wherever it is cut off.
    """
    todo: queue.SimpleQueue[tuple[int, T]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, R] | BaseException] = queue.SimpleQueue()
    count = 0
    for count, task in enumerate(tasks, 1):
        todo.put((count - 1, task))

    def worker() -> None:
        while not halt.is_set():
            try:
                n, task = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((n, do(task)))
            except Halted:
                return
            except BaseException as error:  # the main thread raises it
                done.put(error)
                return

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(min(jobs, count))]
    for thread in threads:
        thread.start()
    failed: BaseException | None = None
    try:
        while count and failed is None and not halt.is_set():
            try:
                result = done.get(timeout=_TICK_S)
            except queue.Empty:
                yield None
                continue
            if isinstance(result, BaseException):
                failed = result
            else:
                count -= 1
                yield result
    finally:
        if count:
            halt.set()
        ends_at = time.monotonic() + _LEAVE_S
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
    # What the others had done by then counts too.
    with suppress(queue.Empty):
        while count:
            result = done.get_nowait()
            if isinstance(result, BaseException):
                failed = failed or result
            else:
                count -= 1
                yield result
    if failed is not None:
        raise failed
