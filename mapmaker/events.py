"""What a stage says while it works. Stages yield these; the CLI, the page and the tests draw them.

A stage is a generator: `Step` and `Note` as it goes, one `Done` at the end.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total` units are finished (total None: nobody knows); `note` is a few words."""

    stage: str
    done: float
    total: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One line a person wants to read now: a decision, a refusal, a warning."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A stage has finished. `--json` reports `data`; `exit_code` is 0, or 4 for known gaps."""

    stage: str
    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0


Event = Step | Note | Done


def finish(events: Iterable[Event]) -> Done:
    """Run a stage to its end without drawing it and return its Done: what a script wants."""
    tail = deque(events, maxlen=1)
    last = tail.pop() if tail else None
    if not isinstance(last, Done):
        raise TypeError("a stage must end with Done")
    return last
