"""PROVENANCE.csv: a list beside pictures that says whose they are and which belong together."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Self

from mapmaker.picture import SUFFIXES

NAME = "PROVENANCE.csv"
_MAX_BYTES = 50_000_000
# column of the manifest -> columns of the list, the first that is filled wins
_COLUMNS = {
    "license": ("license", "licence"),
    "map_id": ("map_id", "source_map"),
    "title": ("title",),
    "description": ("description",),
    "theme": ("theme", "kind"),
    "cartographer": ("cartographer", "artist"),
    "attribution": ("attribution", "author", "artist", "repo"),
    "page_url": ("page_url", "source_url", "url"),
    "ai_training": ("ai_training",),
    "date": ("date",),
}


@dataclass(slots=True)
class Provenance:
    """What the lists say, by the file they speak of; `problems` are lines for the person."""

    rows: dict[Path, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Self:
        """Read every PROVENANCE.csv in the folders `paths`, and beside the files among them."""
        lists = set()
        for path in paths:
            lists |= set(path.rglob(NAME)) if path.is_dir() else {path.parent / NAME}
        found = cls()
        for path in sorted(p for p in lists if p.is_file()):
            found._add(path)
        return found

    def of(self, path: Path) -> dict[str, Any]:
        """Return the manifest's columns that are known of the picture `path`."""
        said = self.rows.get(path.resolve(), {})
        known: dict[str, Any] = {}
        for column, names in _COLUMNS.items():
            value = next((said[n] for n in names if said.get(n)), None)
            if value is not None:
                known[column] = value
        if known.get("ai_training") not in ("yes", "no", "unknown"):
            known.pop("ai_training", None)
        if "date" in known and not _is_date(known["date"]):
            del known["date"]
        return known

    def names(self, path: Path) -> list[str]:
        """Return the stems, lower case, that a picture goes by: its own, and its original's."""
        said = self.rows.get(path.resolve(), {})
        original = said.get("original_path") or said.get("original path") or ""
        found = [Path(original)] if original.lower().endswith(SUFFIXES) else []
        return [p.stem.lower() for p in (path, *found)]

    def _add(self, path: Path) -> None:
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("it is too large")
            with path.open(encoding="utf-8-sig", newline="") as file:
                for line in csv.DictReader(file):
                    row = {
                        k.strip().lower(): v.strip()
                        for k, v in line.items()
                        if isinstance(k, str) and isinstance(v, str)
                    }
                    if row.get("file"):
                        self.rows[(path.parent / row["file"]).resolve()] = row
        except (OSError, ValueError, csv.Error) as error:
            self.problems.append(f"{path} was not used: {error}.")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
