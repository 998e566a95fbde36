"""Drawing events: a rich bar on a terminal, else a line now and then. Always on stderr."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict

from mapmaker.cli.plan import logs_json, say, tell
from mapmaker.events import Done, Event, Note, Step

QUIET_S = 5.0  # without a terminal: at most one progress line in so many seconds


def draw(events: Iterable[Event]) -> Done:
    """Run a stage while drawing what it says, and return its Done."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    canvas = _Json() if logs_json() else _Bar() if terminal else _Lines()
    try:
        for event in events:
            if isinstance(event, Done):
                canvas.close()
                if logs_json():
                    tell("done", stage=event.stage, exit_code=event.exit_code, data=event.data)
                return event
            canvas.show(event)
    finally:
        canvas.close()
    raise TypeError("a stage must end with Done")


class _Clock:
    """Rate and end time of one run of steps."""

    def __init__(self) -> None:
        self.stage, self.began_s, self.began_at = "", 0.0, 0.0

    def read(self, step: Step) -> str:
        """Return '12 pictures/s, 0:42 left' for what has been done since this stage began here."""
        now = time.monotonic()
        if step.stage != self.stage:
            self.stage, self.began_s, self.began_at = step.stage, now, step.done
        passed_s, gained = now - self.began_s, step.done - self.began_at
        if passed_s < 0.5 or gained <= 0:
            return ""
        rate = gained / passed_s
        speed = f"{rate:.1f} {step.unit}/s" if rate >= 1 else f"{1 / rate:.1f} s/{step.unit}"
        left = f"{_clock_time((step.total - step.done) / rate)} left" if step.total else ""
        # A budget of minutes has no speed worth telling.
        return ", ".join(part for part in ("" if step.unit == "min" else speed, left) if part)


class _Lines:
    def __init__(self) -> None:
        self.clock, self.last_s, self.last_stage = _Clock(), 0.0, ""

    def show(self, event: Step | Note) -> None:
        if isinstance(event, Note):
            say(event.text)
            return
        speed, now = self.clock.read(event), time.monotonic()
        if event.stage == self.last_stage and now - self.last_s < QUIET_S:
            return
        self.last_s, self.last_stage = now, event.stage
        of = "" if event.total is None else f"/{_amount(event.total)}"
        say(
            ", ".join(
                p
                for p in (
                    f"{event.stage} {_amount(event.done)}{of} {event.unit}",
                    speed,
                    event.note,
                )
                if p
            )
        )

    def close(self) -> None:
        pass


class _Json:
    """Every event, and none left out: a program reads them."""

    def show(self, event: Step | Note) -> None:
        if isinstance(event, Note):
            tell("note", text=event.text)
        else:
            tell("step", **asdict(event))

    def close(self) -> None:
        pass


class _Bar:
    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self.clock = _Clock()
        self.console = Console(stderr=True, highlight=False, markup=False)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(min_width=6)),
            BarColumn(bar_width=24 if self.console.width >= 120 else 6),
            TextColumn("{task.fields[words]}", markup=False),
            console=self.console,
            transient=True,
            refresh_per_second=4,
        )
        self.task = None
        self.stage = ""

    def show(self, event: Step | Note) -> None:
        if isinstance(event, Note):
            self.console.print(event.text, soft_wrap=True)
            return
        if self.task is None:
            self.progress.start()
        if self.task is None or event.stage != self.stage:
            if self.task is not None:
                self.progress.remove_task(self.task)
            self.task = self.progress.add_task(event.stage, total=event.total, words="")
            self.stage = event.stage
        of = "" if event.total is None else f"/{_amount(event.total)}"
        speed = self.clock.read(event)
        words = ", ".join(
            p for p in (f"{_amount(event.done)}{of} {event.unit}", speed, event.note) if p
        )
        self.progress.update(self.task, completed=event.done, total=event.total, words=words)

    def close(self) -> None:
        if self.task is not None:
            self.progress.stop()
            self.task = None


def _amount(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.2f}"


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
