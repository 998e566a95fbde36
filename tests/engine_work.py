"""Work for the tests of engines: functions that workers can import."""

import os
import signal
import sys
import time
from pathlib import Path

from mapmaker.engine import open_engine
from mapmaker.errors import UnsafeInput


def square(number: int) -> int:
    if number == 13:
        raise UnsafeInput("13 is no good.", hint="Take another.")
    return number * number


def divide(number: int) -> float:
    return 1 / (number - 3)


def slow_pid(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def die_once(path: Path) -> str:
    """End this process when the file is there, having removed it; else say so."""
    time.sleep(0.02)
    if path.exists():
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def note_down(path: Path) -> None:
    """Take a while, then leave a file."""
    time.sleep(0.5)
    path.touch()


if __name__ == "__main__":  # a run to be interrupted: ENGINE FOLDER
    # Where a shell ran the tests in its background, Ctrl-C is ignored from birth.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open_engine(sys.argv[1], reach=Path(sys.argv[2])) as engine:
        for item, _, _ in engine.imap(note_down, (Path(sys.argv[2], str(n)) for n in range(99))):
            print(item, flush=True)
