"""Whether every row of a shard is what was written: each carries a digest and a seal.

`digest` is the sha256 of the sample as stored, pixels or JPEG; `seal` is the begin of the sha256
of all else in the row. So a flipped bit names its row, whatever it hit.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from mapmaker.errors import UnsafeInput
from mapmaker.files import sha256_of
from mapmaker.shards.reader import Shards, open_shard
from mapmaker.shards.seal import seals
from mapmaker.shards.structure import COLUMNS, REMEDY

if TYPE_CHECKING:
    from mapmaker.shards.writer import ShardJob


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a row of a shard, or with the file as such (row None)."""

    row: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.row is None else f"row {self.row}: {self.what}"


def check_whole(shards: Shards) -> None:
    """Read every byte. Raises UnsafeInput naming the first file that is not what was listed.

    Half the work of `mapmaker verify`, which also holds every row of a whole file to its sums.
    """
    for number, line in enumerate(shards.card["shards"]):
        path = shards.folder / line["file"]
        if sha256_of(path) != line["sha256"]:
            what = damage(shards, number)[0]
            raise UnsafeInput(f"{path} is not what its card lists: {what}.", hint=REMEDY)


def damage(shards: Shards, number: int) -> list[Damage]:
    """Read every byte of a shard, counted as the card does, and return all that has changed."""
    line = shards.card["shards"][number]
    whole = sha256_of(shards.folder / line["file"]) == line["sha256"]
    columns = {name: shards.array(number, name) for name in COLUMNS}
    found = []
    for row in range(line["count"]):
        if what := _changed(shards, number, row, columns):
            found.append(Damage(row, f"{what}, of {_name(columns['map_id'][row])}"))
    if not whole and not found:
        found.append(Damage(None, "every row is whole, what describes the file is not"))
    return found


def written_before(job: "ShardJob") -> dict[str, Any] | None:
    """Return the card's line of a shard that a run which was ended had finished, None if none is.

    A shard gets its name when it is whole, and says what it was made from; every bit is read.
    """
    path, folder = job.path, job.path.parent
    if not path.is_file():
        return None
    line = {"file": path.name, "split": job.split, "count": len(job.samples)}
    line |= {"bytes": path.stat().st_size, "members": job.members}
    card = {"size": job.size, "layout": job.recipe["layout"], "shards": [line]}
    try:
        shards = Shards(folder, card, [open_shard(folder, card, line)])
        with h5py.File(path, "r") as file:
            same = file.attrs["members"] == job.members
        line["sha256"] = sha256_of(path)
        return line if same and not damage(shards, 0) else None
    except (UnsafeInput, OSError, LookupError, ValueError):
        return None


def _changed(shards: Shards, number: int, row: int, columns: Mapping[str, np.ndarray]) -> str:
    """Return what of a row is not as it was written, "" when all is."""
    try:
        stored, walls = shards.stored(number, row), shards.stored_walls(number, row)
    except UnsafeInput:
        return "its bytes cannot be found"
    pixels = hashlib.sha256(stored).digest() == columns["digest"][row].tobytes()
    alone = {name: values[row : row + 1] for name, values in columns.items()}
    sealed = np.array_equal(seals(alone, [walls])[0], columns["seal"][row])
    if pixels:
        return "" if sealed else "what describes the sample has changed"
    return "the sample has changed" if sealed else "the sample or its digest has changed"


def _name(map_id: bytes) -> str:
    return bytes(map_id).decode("utf-8", "replace")
