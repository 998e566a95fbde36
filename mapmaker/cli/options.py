"""Flags made from a stage's config, and the options every command shares."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import click


def config_options(cls: type, *, but: tuple[str, ...] = (), into: str = "config") -> Callable:
    """Give a command one option per `opt()` field of the dataclass `cls`, passed in as `into`.

    Fields without help are TOML only. `but` leaves fields out: the command sets those itself.
    """
    flagged = [f for f in fields(cls) if f.metadata.get("help") and f.name not in but]

    def decorate(command: Callable) -> Callable:
        hints = get_type_hints(cls)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            given = {f.name: kwargs.pop(f"{into}_{f.name}") for f in flagged}
            given = {k: v for k, v in given.items() if v is not None}
            return command(*args, **{into: cls(**given)}, **kwargs)

        wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
        wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        for f in reversed(flagged):
            wrapped = _option(f, hints[f.name], into)(wrapped)
        return wrapped

    return decorate


def _option(f: Field, hint: Any, into: str) -> Callable:
    kind = _bare(hint)
    flag = f.metadata.get("flag") or "--" + f.name.replace("_", "-")
    name = f"{flag}/--no-{flag.lstrip('-')}" if kind is bool else flag
    choices = f.metadata.get("choices")
    default = None if f.default is MISSING else f.default
    return click.option(
        name,
        f"{into}_{f.name}",
        type=click.Choice(choices) if choices else (None if kind is bool else kind),
        default=default,
        show_default=default is not None,
        required=f.default is MISSING and f.default_factory is MISSING,
        help=f.metadata["help"],
        metavar=f.metadata.get("metavar"),
    )


def _bare(hint: Any) -> Any:
    """Return int for `int | None`, and so on."""
    if get_origin(hint) in (Union, UnionType):
        return next(a for a in get_args(hint) if a is not NoneType)
    return hint


def dry_run_option(command: Callable) -> Callable:
    """Give a command that writes its `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")(
        command
    )


def json_option(command: Callable) -> Callable:
    """Give a command that reports its `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(
        command
    )
