"""What is exported: pictures with a key, their bytes and what is known of each, in fixed order."""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.files import read_json
from mapmaker.prune.kept import kept
from mapmaker.shards.card import CARD
from mapmaker.shards.config import PackConfig, digest
from mapmaker.shards.datacard import Facts, gather, split_name
from mapmaker.shards.deal import held_out
from mapmaker.shards.publish import day_of
from mapmaker.shards.reader import Shards, open_shards
from mapmaker.shards.source import Picture, read_bytes
from mapmaker.shards.terms import Terms
from mapmaker.shards.trace import marks_of, of_picture, sample_lines
from mapmaker.workspace import Dataset

KEY_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to export. `key` has no dot; `read` gives the bytes of the file key + suffix."""

    key: str
    suffix: str
    split: str
    expected_bytes: int
    columns: Mapping[str, Any]
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Stock:
    """All that one export writes; `contents` stands for the pixels, made is their day."""

    name: str
    contents: str
    count: int
    facts: Facts
    about: str
    made: date
    items: Callable[[], Iterator[Item]]
    expected_bytes: int

    def fingerprint(self) -> str:
        """Return the sha256 of all that is known of the items; reads none of them."""
        total = hashlib.sha256(self.contents.encode())
        for item in self.items():
            total.update(digest([item.key, item.suffix, item.split, dict(item.columns)]).encode())
        return total.hexdigest()


def of_samples(dataset: Dataset, size: int | None) -> Stock:
    """Return the samples of a data set's shards at `size`, or at the only size there is.

    Raises MapmakerError when there are none, or several sizes and none was named.
    """
    sizes = sorted(int(p.parent.name) for p in dataset.root.glob("shards/*/card.json"))
    if size is None and len(sizes) > 1:
        raise MapmakerError(
            f"{dataset.name} has shards at {', '.join(map(str, sizes))} px.",
            hint="Say which with --size.",
        )
    folder = dataset.shards(size or (sizes[0] if sizes else 750))
    shards = open_shards(folder)
    terms = Terms.of(dataset, kept(dataset))
    packed = {bytes(id).hex() for id in shards.column("sha256")}
    if gone := packed - terms.rows.keys():
        raise MapmakerError(
            f"{folder} holds samples of {len(gone)} pictures that are no longer kept.",
            hint="Run `mapmaker pack` again, then export.",
        )
    raw = shards.card["layout"] == "raw"
    pixels, marks = 3 * shards.size**2, marks_of(dataset)

    def items() -> Iterator[Item]:
        numbers = {line["file"]: n for n, line in enumerate(shards.card["shards"])}
        for line in sample_lines(folder, terms.rows, marks):
            key = f"{line['picture'][:KEY_DIGITS]}-{line['crop']:02d}-{line['variant']}"
            known = {k: v for k, v in line.items() if k not in ("image", "shard", "row", "split")}
            yield Item(
                key=key,
                suffix=".png" if raw else ".jpg",
                split=split_name(line["split"]),
                expected_bytes=pixels if raw else pixels // 3,
                columns=_typed({"key": key, **known}),
                read=_reader(shards, numbers[line["shard"]], line["row"]),
            )

    return Stock(
        name=f"{dataset.name}-{shards.size}",
        contents=digest(read_json(folder / CARD)["shards"]),
        count=len(shards),
        facts=gather(dataset, [terms.rows[id] for id in sorted(packed)], terms.refused),
        about=f"{len(shards)} samples of {shards.size} px.",
        made=day_of(folder / CARD),
        items=items,
        expected_bytes=len(shards) * (pixels if raw else pixels // 3),
    )


def of_pictures(dataset: Dataset) -> Stock:
    """Return the kept pictures as they came, byte for byte, split as `pack` splits them."""
    terms = Terms.of(dataset, kept(dataset))
    if not terms.rows:
        raise MapmakerError(
            f"No picture of {dataset.name} is kept.", hint="Keep some with `mapmaker prune`."
        )
    held = held_out([str(r["group"]) for r in terms.rows.values()], PackConfig().held_out)
    marks = marks_of(dataset)

    def items() -> Iterator[Item]:
        for id, row in terms.rows.items():
            picture = Picture.of(row, dataset.root)
            key = id[:KEY_DIGITS]
            known = {"key": key, "picture": id, **of_picture(row, marks.get(id))}
            grid = row.get("grid") or {}
            known |= {"cell_px": float(grid.get("cell_px") or 0), "grid_source": grid.get("source")}
            yield Item(
                key=key,
                suffix=Path(row["file"]).suffix.lower(),
                split="test" if picture.group in held else "train",
                expected_bytes=row.get("bytes") or Path(picture.path).stat().st_size,
                columns=_typed(known),
                read=_file(picture),
            )

    return Stock(
        name=f"{dataset.name}-whole",
        contents="whole",
        count=len(terms.rows),
        facts=gather(dataset, list(terms.rows.values()), terms.refused),
        about=f"{len(terms.rows)} pictures, as they came.",
        made=day_of(dataset.manifest),
        items=items,
        expected_bytes=sum(item.expected_bytes for item in items()),
    )


def _typed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns without nulls: loaders guess a type from each split, and these must agree."""
    return {name: "" if value is None else value for name, value in columns.items()}


def _reader(shards: Shards, shard: int, row: int) -> Callable[[], bytes]:
    def read() -> bytes:
        data, buffer = bytes(shards.stored(shard, row)), io.BytesIO()
        if hashlib.sha256(data).digest() != shards.array(shard, "digest")[row].tobytes():
            raise UnsafeInput(
                f"Row {row} of {shards.card['shards'][shard]['file']} is not what was packed.",
                hint="Run `mapmaker verify` to see all, and `mapmaker pack` to write it again.",
            )
        if shards.card["layout"] == "encoded":
            return data
        # The fastest level: on painted maps it is also smaller than the usual one.
        image = Image.frombytes("RGB", (shards.size, shards.size), data)
        image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    return read


def _file(picture: Picture) -> Callable[[], bytes]:
    def read() -> bytes:
        return read_bytes(picture)

    return read
