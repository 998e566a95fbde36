"""WebDataset: tar files in train/ and test/, in each key.png (or .jpg) beside key.json."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.files import atomic_file, sha256_of
from mapmaker.shards.croissant import file_object
from mapmaker.shards.export.config import ExportConfig
from mapmaker.shards.export.items import Item

ABOUT = (
    "WebDataset: tar files, in each a picture `key.png` (or `.jpg`) and `key.json` with all that "
    "is known of it. The order of members is fixed and their times are 0.",
)

Items = Callable[[], Iterator[Item]]
Result = tuple[str, MapmakerError | None]


def write(items: Items, folder: Path, config: ExportConfig) -> Iterator[Result]:
    """Write every tar that is not there yet, yielding each picture's key and what was wrong.

    Which pictures a tar holds depends on them alone, so one that is there is the right one.
    """
    for split in ("train", "test"):
        number, batch, size = 0, [], 0
        for item in items():
            if item.split != split:
                continue
            if batch and size + item.expected_bytes > config.tar_mb * 1e6:
                yield from _tar(folder / split / f"{number:05d}.tar", batch)
                number, batch, size = number + 1, [], 0
            batch.append(item)
            size += item.expected_bytes
        if batch:
            yield from _tar(folder / split / f"{number:05d}.tar", batch)


def tell(
    items: Items, folder: Path
) -> tuple[dict[str, int], dict[str, list[str]], list[dict], list[dict]]:
    """Return counts, files, and Croissant's two lists (it has no records: tars tell themselves)."""
    counts, files, distribution = {}, {}, []
    for split in ("train", "test"):
        tars = sorted((folder / split).glob("*.tar"))
        if tars:
            files[split] = [f"{split}/*.tar"]
            counts[split] = sum(_members(tar) for tar in tars)
        distribution += [
            file_object(
                f"{split}/{tar.name}", "application/x-tar", tar.stat().st_size, sha256_of(tar)
            )
            for tar in tars
        ]
    return counts, files, distribution, []


def _tar(path: Path, batch: list[Item]) -> Iterator[Result]:
    if path.exists():
        yield from ((item.key, None) for item in batch)
        return
    with (
        atomic_file(path) as beside,
        tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for item in batch:
            try:
                data = item.read()
            except MapmakerError as error:
                yield item.key, error
                continue
            _add(tar, item.key + item.suffix, data)
            _add(tar, f"{item.key}.json", _text(dict(item.columns)))
            yield item.key, None


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode, about.mtime = len(data), 0o644, 0
    tar.addfile(about, io.BytesIO(data))


def _text(columns: dict[str, Any]) -> bytes:
    return json.dumps(columns, sort_keys=True, ensure_ascii=False).encode()


def _members(path: Path) -> int:
    with tarfile.open(path) as tar:
        return sum(name.endswith(".json") for name in tar.getnames())
