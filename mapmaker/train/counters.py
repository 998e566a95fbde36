"""What a checkpoint's state.json holds, and what it must look like to be believed.

A checkpoint may come from a stranger and its sums be right all the same: every value is checked for
kind and range before anything is built or computed from it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mapmaker.errors import UnsafeInput
from mapmaker.files import read_plain_json
from mapmaker.train.step import Pace

COUNTERS = "state.json"
MOST_STEPS = 10**12
MOST_OPTIONS, MOST_IN_A_LIST = 64, 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """The numbers of a checkpoint.

    pace: how its last step was cut up, checkpointing included. post: whether a run may be rolled
    back to it (see --save-kimg). rate, attempt: what earlier rollbacks left. watch: watch.py's.
    """

    arch: str
    size: int
    options: Mapping[str, Any]
    generator: str
    ema: bool
    step: int
    images: int
    seconds: float
    best: float
    pace: Pace
    checkpointing: bool = False
    rate: float = 1.0
    attempt: int = 0
    post: bool = True
    watch: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the counters as plain values, as state.json has them."""
        return asdict(self)


def read_counters(folder: Path) -> Counters:
    """Return what state.json in a step folder says. Raises UnsafeInput for what cannot be true."""
    path = folder / COUNTERS
    table = read_plain_json(path)
    try:
        _check(table)
        return Counters(**table | {"pace": Pace(**table["pace"])})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnsafeInput(
            f"{path} is no checkpoint's state: {_words(error)}.",
            hint="Delete that step's folder, or restore it from a copy.",
        ) from error


def _words(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)[:200]


def _check(table: Any) -> None:
    if not isinstance(table, dict):
        raise ValueError("it is not a table")
    for name in ("arch", "generator"):
        _is(name, table[name], str)
    for name, most in (("size", 2**16), ("step", MOST_STEPS), ("images", MOST_STEPS)):
        _whole(name, table[name], most)
    _whole("attempt", table.get("attempt", 0), 10**6)
    for name in ("seconds", "best", "rate"):
        value = table.get(name, 1.0) if name == "rate" else table[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ValueError(f"{name} is {value!r}")
    if not (math.isfinite(table["seconds"]) and 0 < table.get("rate", 1.0) <= 1):
        raise ValueError("its seconds or its rate are out of range")
    for name in ("ema", "checkpointing", "post"):
        _is(name, table.get(name, False), bool)
    _is("ema", table["ema"], bool)
    _check_pace(table["pace"])
    _check_options(table["options"])
    _check_watch(table.get("watch", {}))


def _check_pace(pace: Any) -> None:
    _is("pace", pace, dict)
    for name in ("micro_batch", "accumulate", "world"):
        value = pace.get(name, 1) if name == "world" else pace[name]
        _whole(f"pace.{name}", value, 2**20, least=1)
    if pace["precision"] not in ("bf16", "fp32"):
        raise ValueError(f"pace.precision is {pace['precision']!r}")


def _check_options(options: Any) -> None:
    _is("options", options, dict)
    if len(options) > MOST_OPTIONS:
        raise ValueError(f"it has {len(options)} options")
    for name, value in options.items():
        items = value if isinstance(value, list) else [value]
        plain = all(isinstance(item, str | bool | int | float) for item in items)
        if not plain or len(items) > MOST_IN_A_LIST:
            raise ValueError(f"the option {name[:40]!r} is no plain value")


def _check_watch(watch: Any) -> None:
    """Check what watch.py remembers; the lists are short, see watch.MEMORY."""
    _is("watch", watch, dict)
    if not set(watch) <= {"past", "streak", "won", "lost", "alive", "spread"}:
        raise ValueError("watch holds what no watch remembers")
    for name in ("streak", "won", "lost"):
        _whole(f"watch.{name}", watch.get(name, 0), MOST_STEPS)
    _is("watch.alive", watch.get("alive", False), bool)
    past = watch.get("past", {"grad_d": [], "grad_g": []})
    numbers = [watch.get("spread", 0.0)]
    if not isinstance(past, dict) or set(past) != {"grad_d", "grad_g"}:
        raise ValueError("watch.past is not the past of two gradients")
    for values in past.values():
        _is("watch.past", values, list)
        numbers += values[: MOST_IN_A_LIST + 1]
        if len(values) > MOST_IN_A_LIST:
            raise ValueError("watch.past is too long")
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
        raise ValueError("watch holds what is no number")


def _is(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {str(value)[:40]!r}, no {kind.__name__}")


def _whole(name: str, value: Any, most: int, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} is {str(value)[:40]!r}")
