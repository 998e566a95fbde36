"""Moving dropped pictures away and back: recorded first, renamed second, never deleted."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mapmaker.files import append_line, read_lines, sha256_of, speaking_of, sync
from mapmaker.scrape.tombstones import Tombstones
from mapmaker.workspace import Dataset

_SIDECARS = ("", ".layout.json")


def record_of(dataset: Dataset) -> Path:
    """Return the file that lists every picture ever moved, and from where."""
    return dataset.root / "dropped" / "record.jsonl"


def locate(dataset: Dataset, row: Mapping[str, Any]) -> Path:
    """Return where a picture lies now: in its place, or among the dropped ones."""
    place = dataset.root / row["file"]
    if place.exists():
        return place
    for moved in moves(dataset).get(row["file"], []):
        if moved["id"] == row["id"] and (dataset.root / moved["to"]).exists():
            return dataset.root / moved["to"]
    return place


def moves(dataset: Dataset) -> dict[str, list[dict[str, Any]]]:
    """Return what the record says, newest first, by the place each file came from."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in read_lines(record_of(dataset)):
        found.setdefault(line["from"], []).insert(0, line)
    return found


def set_aside(
    dataset: Dataset, rows: Iterable[Mapping[str, Any]], why: Mapping[str, str]
) -> Iterator[str]:
    """Move each row's picture (and its layout) under dropped/, yielding its file name.

    The record is on the disk before the file moves, so a crash between the two is harmless: the
    same call later moves what is left. why is the reason by picture id.
    """
    for row in rows:
        moved = False
        for suffix in _SIDECARS:
            source = dataset.root / (row["file"] + suffix)
            if source.is_file():
                target = _free_name(dataset.root / "dropped" / (row["file"] + suffix))
                _record(dataset, row["id"], source, target, why.get(row["id"], ""))
                _move(source, target)
                moved = True
        if moved:
            yield row["file"]


def put_back(dataset: Dataset, only: Container[str] = ()) -> Iterator[tuple[str, str]]:
    """Move every file of the record back to its place, yielding (file, what is wrong or "").

    A place that is taken is left alone, and so is the file among the dropped ones. What somebody
    asked to be removed stays away, unless `only` names its id.
    """
    removed = Tombstones.of(dataset)
    for place, lines in moves(dataset).items():
        for line in lines:
            if line["id"] not in only if only else line["id"] in removed:
                continue
            source, target = dataset.root / line["to"], dataset.root / place
            if not source.is_file():
                continue
            if target.exists():
                yield place, "its place is taken again; the dropped copy stays in dropped/"
                continue
            is_picture = not place.endswith(_SIDECARS[1])
            wrong = is_picture and sha256_of(source) != line["id"]
            _move(source, target)
            yield place, "its bytes changed while it was in dropped/" if wrong else ""


def _record(dataset: Dataset, id: str, source: Path, target: Path, reason: str) -> None:
    record = record_of(dataset)
    append_line(
        record,
        {
            "id": id,
            "from": source.relative_to(dataset.root).as_posix(),
            "to": target.relative_to(dataset.root).as_posix(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "reason": reason,
        },
    )
    sync(record)
    sync(record.parent)


def _move(source: Path, target: Path) -> None:
    with speaking_of(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        sync(target.parent)
        sync(source.parent)


def _free_name(path: Path) -> Path:
    """Return `path`, or it with a number when a file of that name was dropped before."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return free
