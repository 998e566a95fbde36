"""What a card may say: every key with its help and its kind, checked with one line a mistake."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from mapmaker.errors import BadConfig


def key(help: str, default: Any = MISSING) -> Any:
    """Return a dataclass field that a card may set; without a default it must."""
    return field(default=default, metadata={"help": help})


def values_of(cls: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the fields of `cls` that a card's table sets. Raises BadConfig, the key in it.

    A text stands for a list of one; expressions are compiled; a table becomes its own dataclass.
    """
    hints = get_type_hints(cls)
    strange = [k for k in table if k not in hints]
    if strange:
        hint = f"It knows {', '.join(sorted(hints))}."
        raise BadConfig(f"{where} declares {strange[0]!r}, which no source has.", hint=hint)
    missing = [f.name for f in fields(cls) if f.default is MISSING and f.name not in table]
    if missing:
        raise BadConfig(f"{where} does not say {', '.join(missing)}.")
    return {k: _value(hints[k], value, where, k) for k, value in table.items()}


def explained(cls: type, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (key, what it defaults to, what it says) of everything a card may declare."""
    hints = get_type_hints(cls)
    for f in fields(cls):
        if "help" not in f.metadata:
            continue
        kind = _bare(hints[f.name])
        if _is_table(kind):
            yield from explained(kind, f"{f.name}.")
            continue
        default = f.default
        words = "must be said" if default is MISSING else _written(default)
        yield prefix + f.name, words, f.metadata["help"]


def _written(default: Any) -> str:
    if default is None or default in ((), ("",), ""):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    kind = _bare(hint)
    if _is_table(kind):
        _demand(isinstance(value, Mapping), where, name, "a table")
        return kind(**values_of(kind, value, f"{where} [{name}]"))
    if get_origin(kind) is tuple:
        value = [value] if isinstance(value, str) else value
        is_list = isinstance(value, list) and all(isinstance(v, str) for v in value)
        _demand(is_list, where, name, "a list of texts")
        if re.Pattern in (get_origin(get_args(kind)[0]), get_args(kind)[0]):
            return tuple(_pattern(text, f"{where}, {name}") for text in value)
        return tuple(value)
    if get_origin(kind) is Mapping:
        is_table = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        _demand(is_table, where, name, "a table of texts")
        for text in value.values():
            _pattern(text, f"{where}, {name}")
        return value
    words = {str: "a text", bool: "true or false", int: "a whole number"}[kind]
    _demand(type(value) is kind, where, name, words)
    return value


def _demand(good: bool, where: str, name: str, words: str) -> None:
    if not good:
        raise BadConfig(f"{where}: {name} is not {words}.", hint=f"Write {words} for {name}.")


def _pattern(text: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadConfig(f"{where}: {text!r} is no regular expression: {error}.") from error


def _is_table(kind: Any) -> bool:
    return is_dataclass(kind)


def _bare(hint: Any) -> Any:
    """Return int for `int | None`, and so on."""
    if get_origin(hint) in (Union, UnionType):
        return next(a for a in get_args(hint) if a is not NoneType)
    return hint
