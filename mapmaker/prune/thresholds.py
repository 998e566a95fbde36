"""The thresholds of prune, from one versioned TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mapmaker.errors import BadConfig, UnsafeInput
from mapmaker.prune.config import PruneConfig

SHIPPED = Path(__file__).with_name("thresholds.toml")
Table = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """What `findings` compares with: `limits["dark"]["bright_part"]`, and the smallest side [px].

    version stands in the `by` of every decision these limits made.
    """

    version: int
    tables: Mapping[str, Table]
    min_side_px: int

    def __getitem__(self, theme: str) -> Table:
        return self.tables[theme]

    def by(self, rule: str) -> str:
        """Return the author of a decision: the rule and the version of the limits."""
        return f"{rule}@{self.version}"


def limits(path: Path | None = None, *, min_side_px: int | None = None) -> Limits:
    """Return the shipped limits, changed by those in `path` if given.

    A file of one's own holds only what it changes, and a version of its own. Raises UnsafeInput
    when it is no TOML, BadConfig for a table or a key we do not know or a value that is no number.
    """
    version, tables = _read(SHIPPED)
    if path is not None:
        version, own = _read(path)
        tables = _changed(tables, own, path)
    side = PruneConfig().min_side_px if min_side_px is None else min_side_px
    return Limits(version, tables, side)


@cache
def _read(path: Path) -> tuple[int, dict[str, dict[str, float]]]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnsafeInput(f"{path} is not readable as TOML: {error}.") from error
    version = values.pop("version", None)
    if type(version) is not int:
        raise BadConfig(f"{path} has no version.", hint="Begin it with `version = 3`, or higher.")
    tables: dict[str, dict[str, float]] = {}
    for theme, table in values.items():
        if not isinstance(table, dict):
            raise BadConfig(f"{path}: {theme} stands in no table.", hint="Put it below a [theme].")
        for name, value in table.items():
            if type(value) not in (int, float):
                raise BadConfig(f"{path}: {theme}.{name} is {value!r}.", hint="Give a number.")
        tables[theme] = {name: float(value) for name, value in table.items()}
    return version, tables


def _changed(
    shipped: dict[str, dict[str, float]], own: dict[str, dict[str, float]], path: Path
) -> dict[str, dict[str, float]]:
    for theme, table in own.items():
        if strange := sorted(set(table) - set(shipped.get(theme, {}))):
            known = ", ".join(shipped.get(theme) or shipped)
            raise BadConfig(
                f"{path}: there is no threshold {theme}.{strange[0]}.", hint=f"Known: {known}."
            )
    return {theme: table | own.get(theme, {}) for theme, table in shipped.items()}
