"""One line, several commands: `scrape --via URL prune --auto train --size 64 sample -n 4`.

Click's own `chain=True` lets an optional argument swallow the next command's name and forbids
options after arguments. So the line is split first, at words that are command names and are not
the value an option still waits for; then every part is parsed as an ordinary command.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Part:
    """One command of the line and the words that belong to it."""

    command: str
    words: list[str]


def split_line(
    line: Sequence[str],
    group: click.Command,
    names: Sequence[str],
    command: Callable[[str], click.Command],
) -> tuple[list[str], list[Part]]:
    """Return the words before the first command, and the parts in order.

    A command's name is not a new part where an option waits for its value (`--name train`), when
    it is written `--name=train` or `./train`, or behind a lone `--`.
    """
    ahead: list[str] = []
    parts: list[Part] = []
    words, waits, literal = ahead, _values_wanted(group), False
    pending = 0
    for word in line:
        if pending:
            words.append(word)
            pending -= 1
        elif word in names and not literal:
            parts.append(Part(word, []))
            words, waits = parts[-1].words, _values_wanted(command(word))
        else:
            words.append(word)
            literal = literal or word == "--"
            pending = 0 if literal else waits.get(word, 0)
    return ahead, parts


def _values_wanted(command: click.Command) -> dict[str, int]:
    """Return how many words each option of `command` takes after itself."""
    return {
        name: param.nargs
        for param in command.params
        if isinstance(param, click.Option) and not param.is_flag and not param.count
        for name in [*param.opts, *param.secondary_opts]
    }
