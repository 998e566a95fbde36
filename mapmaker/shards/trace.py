"""From a sample back to its picture: address, licence, and who decided that it stays.

`samples.jsonl` beside the shards has a line a sample, in the order of the card, so that a row can
be traced even when its shard is damaged.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mapmaker.errors import MapmakerError
from mapmaker.files import atomic_file, read_json, sha256_of
from mapmaker.prune.decisions import Decisions, Mark
from mapmaker.prune.whereabouts import SAMPLES
from mapmaker.shards.reader import open_shards
from mapmaker.workspace import Dataset

Row = Mapping[str, Any]
FROM_0 = "Rows are counted from 0."


def trace(dataset: Dataset, size: int, row: int) -> dict[str, Any]:
    """Return where sample `row` (counted over all shards of the card) comes from.

    Keys: shard, row (in that shard), split, picture (sha256), file, map_id, group, crop, variant,
    squares, license, ai_training, source_url, page_url, creator, phash, decision, decided_by,
    reason. Raises MapmakerError when there is no such row or the shards were never listed.
    """
    for shard, first, count in _shards(dataset, size):
        if 0 <= row - first < count:
            return _line(dataset, size, shard, row - first, row)
    raise MapmakerError(f"{dataset.name} has no sample {row} at {size} px.", hint=FROM_0)


def trace_shard(dataset: Dataset, size: int, shard: str, row: int) -> dict[str, Any]:
    """Return where row `row` of the file `shard` (00000.h5) comes from. Raises as `trace` does."""
    for file, first, count in _shards(dataset, size):
        if file == shard and 0 <= row < count:
            return _line(dataset, size, shard, row, first + row)
    raise MapmakerError(f"The card lists no row {row} of {shard}.", hint=FROM_0)


def _shards(dataset: Dataset, size: int) -> Iterator[tuple[str, int, int]]:
    """Yield each shard of the card: its file, the number of its first sample, how many it has."""
    first = 0
    for line in read_json(dataset.shards(size) / "card.json")["shards"]:
        yield line["file"], first, line["count"]
        first += line["count"]


def _line(dataset: Dataset, size: int, shard: str, row: int, number: int) -> dict[str, Any]:
    path, found = dataset.shards(size) / SAMPLES, {}
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            found = json.loads(next(islice(lines, number, None), "{}"))
    if (found.get("shard"), found.get("row")) != (shard, row):
        what = "is older than its card" if path.is_file() else "is missing"
        raise MapmakerError(f"{path} {what}.", hint="Run `mapmaker pack` again; it is quick.")
    return found


def list_samples(dataset: Dataset, folder: Path, rows: Mapping[str, Row]) -> Path:
    """Write samples.jsonl for the shards in `folder`, from the rows of `prune.kept` by id.

    A file that says the same already is left alone.
    """
    path, marks = folder / SAMPLES, marks_of(dataset)
    digest = hashlib.sha256()
    for line in sample_lines(folder, rows, marks):
        digest.update(_encoded(line))
    if not path.is_file() or sha256_of(path) != digest.hexdigest():
        with atomic_file(path) as beside, beside.open("wb") as file:
            file.writelines(map(_encoded, sample_lines(folder, rows, marks)))
    return path


def sample_lines(
    folder: Path, rows: Mapping[str, Row], marks: Mapping[str, Mark]
) -> Iterator[dict[str, Any]]:
    """Yield what is told of each sample of the shards in `folder`, in their order."""
    shards = open_shards(folder)
    ids = shards.column("sha256")
    crops, views, squares = (shards.column(name) for name in ("crop", "variant", "squares"))
    at = 0
    for shard in shards.card["shards"]:
        for row in range(shard["count"]):
            id = np.ascontiguousarray(ids[at]).tobytes().hex()
            line = {"image": f"{shard['file']}#{row}", "shard": shard["file"], "row": row}
            line |= {"split": shard["split"], "picture": id, **of_picture(rows[id], marks.get(id))}
            line |= {"crop": int(crops[at]), "variant": int(views[at])}
            line |= {"squares": int(squares[at])}
            yield line
            at += 1


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def of_picture(row: Row, mark: Mark | None) -> dict[str, Any]:
    """Return what is told of a picture wherever it goes, every key there, text or None."""
    return {
        "file": row["file"],
        "map_id": row.get("map_id"),
        "title": row.get("title"),
        "group": str(row["group"]),
        "license": row.get("license") or "unknown",
        "ai_training": row.get("ai_training") or "unknown",
        "source_url": row.get("picture_url"),
        "page_url": row.get("page_url"),
        "creator": row.get("cartographer") or row.get("attribution"),
        "phash": row.get("phash"),
        "decision": mark.state if mark else "undecided",
        "decided_by": mark.by if mark else None,
        "reason": mark.reason if mark else None,
    }


def marks_of(dataset: Dataset) -> dict[str, Mark]:
    """Return the last mark of every picture; none where nobody has decided anything yet."""
    if not dataset.decisions.exists():
        return {}
    with Decisions(dataset.decisions) as decisions:
        return decisions.all()
