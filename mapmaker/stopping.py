"""Stopping at a good moment: signals set a flag, the stage looks at it between two steps.

    with stoppable() as stop:
        for step in ...:
            ...
            if stop:
                save()
                raise stop.error("Saved step 1200.")

Outside such a block Ctrl-C is KeyboardInterrupt as ever, and the CLI turns SIGTERM into Stopped.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mapmaker.errors import Stopped

_SIGNALS = [signal.SIGINT, signal.SIGTERM] + (
    [signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []
)


class StopFlag:
    """True once a signal has come (or `request` was called)."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._asked = False

    def __bool__(self) -> bool:
        return self._asked

    def request(self, signum: int | None = None) -> None:
        """Ask for a stop."""
        self._asked, self.signal = True, signum

    def error(self, message: str, hint: str = "") -> Stopped:
        """Return what to raise once everything is saved."""
        return Stopped(message, by_keyboard=self.signal == signal.SIGINT, hint=hint)


@contextmanager
def stoppable() -> Iterator[StopFlag]:
    """Give a flag that SIGINT, SIGTERM and SIGUSR1 set. A second Ctrl-C interrupts at once.

    In a thread other than the main one no signal can be caught; the flag then waits for `request`.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def note(signum: int, frame: FrameType | None) -> None:
        if flag and signum == signal.SIGINT:
            raise KeyboardInterrupt
        flag.request(signum)

    before = {s: signal.signal(s, note) for s in _SIGNALS}
    try:
        yield flag
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
