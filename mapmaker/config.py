"""One frozen dataclass per stage is the only home of a default: `opt()` makes a field a flag too.

@dataclass(frozen=True, slots=True, kw_only=True)
class PackConfig:
    size: int = opt(750, "Side of a picture in a shard [px].")
    recipe_only: float = 0.5            # in TOML, but no flag
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from mapmaker.errors import BadConfig, UnsafeInput

C = TypeVar("C")


def opt(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    choices: Sequence[str] = (),
    metavar: str | None = None,
) -> Any:
    """Return a dataclass field that is also a command line flag.

    flag names it when it is not the field's own name (`"-n"`, `"--to"`); choices limit a string.
    """
    meta = {"help": help, "flag": flag, "choices": tuple(choices), "metavar": metavar}
    return field(default=default, metadata=meta)


def to_toml(config: Any) -> str:
    """Return a config as TOML text; fields that are None are left out."""
    return tomli_w.dumps(_plain(asdict(config)))


def from_toml(cls: type[C], path: Path) -> C:
    """Return the config of class `cls` that `path` holds; keys it lacks keep their defaults.

    Raises UnsafeInput when the file is no TOML, BadConfig for a key `cls` does not know.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnsafeInput(f"{path} is not readable as TOML: {error}.") from error
    return from_table(cls, table, str(path))


def from_table(cls: type[C], table: Mapping[str, Any], where: str) -> C:
    """Return a config of class `cls` from plain values. Raises BadConfig for odd keys or kinds."""
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    strange = sorted(set(table) - set(known))
    if strange:
        raise BadConfig(
            f"{where} sets {', '.join(strange)}, which {cls.__name__} does not have.",
            hint=f"It knows {', '.join(sorted(known))}.",
        )
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})
    except TypeError as error:  # a text where a number belongs
        raise BadConfig(f"{where} holds a value of the wrong kind: {error}.") from error


def fingerprint(config: Any) -> str:
    """Return the sha256 (hex) of a config's values, equal for equal configs on every machine."""
    text = json.dumps(_plain(asdict(config)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
