"""The verify stage: are the shards what their card lists, down to the last bit?"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.events import Done, Event, Note, Step
from mapmaker.shards.card import CARD
from mapmaker.shards.config import ELEMENTS, digest
from mapmaker.shards.reader import Shards, open_card, open_shard
from mapmaker.shards.rows import Damage, damage
from mapmaker.shards.trace import trace_shard
from mapmaker.workspace import Dataset

REFUSED = 3  # the exit code for files that are not what they should be


@dataclass(slots=True)
class _Tally:
    """What the rows of all shards of one card come to."""

    splits: Counter[str] = field(default_factory=Counter)
    groups: dict[str, set[int]] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)

    def add(self, shards: Shards) -> None:
        split = shards.card["shards"][0]["split"]
        self.splits[split] += len(shards)
        self.groups.setdefault(split, set()).update(shards.column("group").tolist())
        self.ids.update(row.tobytes() for row in shards.column("sha256"))

    def trouble(self, card: Mapping[str, Any]) -> Iterator[str]:
        """Yield where the card says other than the shards."""
        both = self.groups.get("train", set()) & self.groups.get("held-out", set())
        if both:
            yield f"{len(both)} maps are both in train and held out"
        told = {split: about["count"] for split, about in card["splits"].items()}
        if Counter(told) != self.splits or card["count"] != self.splits.total():
            yield f"it counts {card['count']} samples, the shards hold {self.splits.total()}"
        if card["pictures"] != len(self.ids):
            yield f"it counts {card['pictures']} pictures, the shards hold {len(self.ids)}"
        if card["recipe_sha256"] != digest(card["recipe"]):
            yield "its recipe has been changed"


def verify(dataset: Dataset, size: int | None = None) -> Iterator[Event]:
    """Read every byte of a data set's shards, at one size or at all, and yield what is wrong.

    Done.data has dataset, sizes, shards, samples, bytes and damage: a list of {size, shard, row,
    what, picture, file, source_url}, row None when it is the file as such. Exit code 3 when there
    is any. Raises MapmakerError when there are no shards.
    """
    sizes = [size] if size else _sizes(dataset)
    data: dict[str, Any] = {"dataset": dataset.name, "sizes": sizes}
    data |= {"shards": 0, "samples": 0, "bytes": 0, "damage": []}
    for px in sizes:
        for found in _verify_size(dataset, px, data):
            if isinstance(found, Step):
                yield found
            else:
                data["damage"].append(found)
                yield Note(_sentence(found))
    bad = data["damage"]
    seen = f"{data['samples']} samples in {data['shards']} shards ({data['bytes'] / 1e6:.0f} MB)"
    files = len({(row["size"], row["shard"]) for row in bad})
    end = f"{len(bad)} faults in {files} files. Write them again with `mapmaker pack`."
    text = f"{dataset.name}: {seen}, {end if bad else 'every bit as written.'}"
    yield Done("verify", text, data, exit_code=REFUSED if bad else 0)


def _sizes(dataset: Dataset) -> list[int]:
    root = dataset.root / "shards"
    sizes = sorted(int(p.parent.name) for p in root.glob(f"*/{CARD}") if p.parent.name.isdigit())
    if not sizes:
        raise MapmakerError(f"{root} holds no shards.", hint="Write them with `mapmaker pack`.")
    return sizes


def _verify_size(
    dataset: Dataset, size: int, data: dict[str, Any]
) -> Iterator[Step | dict[str, Any]]:
    """Yield progress and faults of one card's shards, adding to the sums of `data`."""
    folder, tally, torn = dataset.shards(size), _Tally(), False
    try:
        card = open_card(folder)
    except UnsafeInput as error:
        yield _fault(size, CARD, Damage(None, str(error)))
        return
    total = sum(line["count"] for line in card["shards"])
    done = 0
    for line in card["shards"]:
        for fault in _faults(folder, card, line, tally):
            torn = True
            yield _fault(size, line["file"], fault) | _source(dataset, size, line["file"], fault)
        done += line["count"]
        data["shards"] += 1
        data["samples"] += line["count"]
        data["bytes"] += line["bytes"]
        yield Step("verify", done, total, "sample", f"{size} px, {line['file']}")
    if not torn:  # sums over damaged shards would only say it again
        for what in tally.trouble(card):
            yield _fault(size, CARD, Damage(None, what))
    for path in sorted(folder.glob("*.h5")):
        if path.name not in {line["file"] for line in card["shards"]}:
            yield _fault(size, path.name, Damage(None, "no card lists it"))


def _faults(
    folder: Path, card: dict[str, Any], line: Mapping[str, Any], tally: _Tally
) -> Iterator[Damage]:
    """Yield what is wrong with one shard."""
    try:
        shards = Shards(folder, card | {"shards": [line]}, [open_shard(folder, card, line)])
    except UnsafeInput as error:
        yield Damage(None, str(error))
        return
    found = damage(shards, 0)
    yield from found
    if not found:
        yield from _nonsense(shards)
        tally.add(shards)


def _nonsense(shards: Shards) -> Iterator[Damage]:
    """Yield rows whose values no pack would write, though they are the bytes that were written."""
    squares, cell_px = shards.column("squares"), shards.column("cell_px")
    wrong = np.abs(squares * cell_px - np.where(squares > 0, shards.size, 0)) > 0.01
    wrong |= (shards.column("variant") >= len(ELEMENTS)) | (shards.column("light") >= 360)
    for row in np.flatnonzero(wrong).tolist():
        yield Damage(row, "its squares, its symmetry or its light make no sense")
    for row in range(len(shards)):
        try:
            shards.walls(row)
        except UnsafeInput:
            yield Damage(row, "its walls are not JSON")


def _fault(size: int, shard: str, fault: Damage) -> dict[str, Any]:
    place = {"size": size, "shard": shard, "row": fault.row, "what": fault.what}
    return place | {"picture": None, "file": None, "source_url": None}


def _source(dataset: Dataset, size: int, shard: str, fault: Damage) -> dict[str, Any]:
    """Return whose picture a damaged row shows, as far as that is known."""
    if fault.row is None:
        return {}
    try:
        known = trace_shard(dataset, size, shard, fault.row)
    except MapmakerError:
        return {}
    return {key: known.get(key) for key in ("picture", "file", "source_url")}


def _sentence(fault: Mapping[str, Any]) -> str:
    row = "" if fault["row"] is None else f", row {fault['row']}"
    source = fault["source_url"] or fault["file"]
    end = f" ({source})" if source else ""
    return f"{fault['size']}/{fault['shard']}{row}: {fault['what']}{end}"
