"""What a command line means before anything runs: one Plan a command, all of them checked."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mapmaker.events import Done, Event
from mapmaker.workspace import Dataset, Workspace, check_name

_style = {"log": "text"}  # of this process, as stderr is


@dataclass(slots=True)
class Chain:
    """What the stages of one line hand on: the data set, run and maps the last one left."""

    workspace: Workspace
    alone: bool = True
    size: int | None = None
    dataset: str | None = None
    run: str | None = None
    maps: list[Path] = field(default_factory=list)

    def pick_dataset(self, name: str | None) -> Dataset:
        """Return the data set meant by `name`, the stage before, or the newest (saying which)."""
        if name or self.dataset:
            return self.workspace.existing_dataset(name or self.dataset)
        found = self.workspace.existing_dataset(None)
        say(f"Using data set {found.name}.")
        return found

    def take(self, done: Done) -> None:
        """Remember what a finished stage left."""
        self.dataset = done.data.get("dataset", self.dataset)
        self.run = done.data.get("run", self.run)
        if done.stage == "sample":
            self.maps = [Path(m) for m in done.data["maps"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One command, understood but not run.

    describe tells what it would do (a line each); run does it. needs names the data set or run it
    was told to read; leaves names the data set it will leave. size is the picture size it works at.
    """

    command: str
    describe: Callable[[Chain], Sequence[str]]
    run: Callable[[Chain], Iterator[Event]]
    dry_run: bool = False
    as_json: bool = False
    needs_dataset: str | None = None
    leaves_dataset: str | None = None
    size: int | None = None


def check(plans: Sequence[Plan], workspace: Workspace) -> None:
    """Raise for a data set that is named, does not exist, and no earlier stage will leave."""
    coming: set[str] = set()
    for plan in plans:
        if plan.needs_dataset:
            check_name("data set", plan.needs_dataset)
            if plan.needs_dataset not in coming:
                workspace.existing_dataset(plan.needs_dataset)
        if plan.leaves_dataset:
            coming.add(plan.leaves_dataset)


def say(text: str) -> None:
    """Tell the person something on stderr: as it is, or as a JSON line after `--log json`."""
    if _style["log"] == "json":
        tell("note", text=text)
    else:
        print(text, file=sys.stderr, flush=True)


def tell(event: str, **about: Any) -> None:
    """Write one event on stderr as a line of JSON, with the time (UTC)."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"at": at, "event": event, **about}, ensure_ascii=False, default=str)
    print(line, file=sys.stderr, flush=True)


def log_as(style: str) -> None:
    """Choose how what happens is told: "text" for people, "json" for programs."""
    _style["log"] = style


def logs_json() -> bool:
    """True after `--log json`."""
    return _style["log"] == "json"
