"""ImageFolder: train/ and test/ with the pictures, and metadata.jsonl that says all about each."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.files import atomic_file, sha256_of, speaking_of, sync
from mapmaker.shards.croissant import COLUMNS, column, file_object
from mapmaker.shards.export.config import ExportConfig
from mapmaker.shards.export.items import Item

METADATA = "metadata.jsonl"
ABOUT = (
    "Hugging Face ImageFolder: a folder a split, and in it `metadata.jsonl` with a line a picture; "
    "`file_name` names the picture.",
)
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp")
_ALSO = ("title", "map_id", "page_url", "reason")

Items = Callable[[], Iterator[Item]]


def write(
    items: Items, folder: Path, config: ExportConfig
) -> Iterator[tuple[str, MapmakerError | None]]:
    """Write every picture that is not there yet, yielding its key and what was wrong with it."""
    for item in items():
        path = folder / item.split / f"{item.key}{item.suffix}"
        trouble = None
        if not path.exists():
            try:
                _put(path, item.read())
            except MapmakerError as error:
                trouble = error
        yield item.key, trouble


def tell(
    items: Items, folder: Path
) -> tuple[dict[str, int], dict[str, list[str]], list[dict], list[dict]]:
    """Write metadata.jsonl of each split; return counts, files, and Croissant's two lists."""
    counts: Counter[str] = Counter()
    for split in ("train", "test"):
        there = (i for i in items() if i.split == split)
        lines = (_line(i) for i in there if (folder / split / f"{i.key}{i.suffix}").is_file())
        if (folder / split).is_dir():
            with atomic_file(folder / split / METADATA) as beside, beside.open("w") as file:
                for line in lines:
                    file.write(json.dumps(line, ensure_ascii=True) + "\n")
                    counts[split] += 1
            sync(folder / split)
    distribution, records = [], []
    for split in counts:
        distribution += _distribution(folder, split)
        records.append(_records(split))
    return dict(counts), {split: [f"{split}/**"] for split in counts}, distribution, records


def _put(path: Path, data: bytes) -> None:
    """Write one file, whole or not at all; its folder is synced when all of them are there."""
    with speaking_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.tmp")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)


def _line(item: Item) -> dict[str, Any]:
    return {"file_name": f"{item.key}{item.suffix}", **item.columns}


def _distribution(folder: Path, split: str) -> list[dict[str, Any]]:
    listing = folder / split / METADATA
    name = f"{split}/{METADATA}"
    size, digest = listing.stat().st_size, sha256_of(listing)
    there = sorted({p.suffix for p in (folder / split).iterdir()} & set(_SUFFIXES))
    pictures = {
        "@type": "cr:FileSet",
        "@id": f"{split}-pictures",
        "name": f"{split}-pictures",
        "description": f"The pictures of the split {split}.",
        "encodingFormat": "image/png",
        "includes": [f"{split}/*{suffix}" for suffix in there],
    }
    return [file_object(name, "application/jsonlines", size, digest), pictures]


def _records(split: str) -> dict[str, Any]:
    """Return the records of a split: a picture and its line, joined by the file's name."""
    listing, pictures = f"{split}/{METADATA}", {"@id": f"{split}-pictures"}
    name = column(split, listing, "file_name", "Name of the picture's file.", "sc:Text")
    name["references"] = {"fileSet": pictures, "extract": {"fileProperty": "filename"}}
    image = {
        "@type": "cr:Field",
        "@id": f"{split}/image",
        "name": "image",
        "description": "The picture.",
        "dataType": "sc:ImageObject",
        "source": {"fileSet": pictures, "extract": {"fileProperty": "content"}},
    }
    known = {k: v for k, v in COLUMNS.items() if k not in ("split", "crop", "variant", "squares")}
    fields = [column(split, listing, k, *v) for k, v in known.items()]
    fields += [column(split, listing, k, f"{k} of the picture.", "sc:Text") for k in _ALSO]
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"One record a picture of the split {split}.",
        "key": {"@id": f"{split}/file_name"},
        "field": [name, image, *fields],
    }
