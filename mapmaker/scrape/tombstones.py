"""Pictures somebody asked us to remove: what must not come back, by bytes, address or looks.

`tombstones.jsonl` in a data set and beside the data sets is only ever added to, and every line is
on the disk before anything is moved. The hashes are this file's own and never change: what was
erased cannot be measured again.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

from mapmaker.errors import MapmakerError
from mapmaker.files import read_lines, speaking_of, sync
from mapmaker.picture import open_picture
from mapmaker.scrape.check import phash
from mapmaker.workspace import Dataset

if TYPE_CHECKING:  # 50 ms, for which no run without tombstones has to wait
    import numpy as np
    from numpy.typing import NDArray

NAME = "tombstones.jsonl"
# Of 128, both hashes together, in one of eight orientations. Of 14,164 pairs of different real maps
# the nearest two differ in 18; copies saved anew, shrunk, greyed or darkened in at most 9.
NEAR_BITS = 12
_GRADIENT = 1  # [grey levels] a smaller step between two cells is noise


@dataclass(frozen=True, slots=True)
class Looks:
    """What a picture looks like: pixels is the sha256 of its upright RGB values, phash and dhash
    are 64 bits in each of the eight orientations, as hex."""

    pixels: str
    phash: tuple[str, ...]
    dhash: tuple[str, ...]


def looks_of(path: Path) -> Looks:
    """Return the looks of a picture file. Raises UnsafeInput when it is no whole picture."""
    image = open_picture(path)
    pixels = hashlib.sha256(f"{image.width}x{image.height}".encode() + image.tobytes()).hexdigest()
    grey = image.convert("L")
    turned = [_turn(grey.resize((32, 32), Image.Resampling.BOX), o) for o in range(8)]
    wide = grey.resize((9, 8), Image.Resampling.BOX)
    tall = grey.resize((8, 9), Image.Resampling.BOX)
    steps = [_turn(tall if o & 4 else wide, o) for o in range(8)]
    return Looks(pixels, tuple(phash(t) for t in turned), tuple(_dhash(s) for s in steps))


class Tombstones:
    """The removed pictures a data set must not have: its own, and those of the whole workspace."""

    def __init__(self, stones: Iterable[Mapping[str, Any]]) -> None:
        self.stones = {stone["id"]: dict(stone) for stone in stones}
        self._urls = {url: id for id, stone in self.stones.items() for url in stone["urls"]}
        self._seen = [stone for stone in self.stones.values() if stone.get("phash")]

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Read both lists. Raises UnsafeInput when one is damaged: better to stop than to forget
        what was to be forgotten."""
        found: dict[str, dict[str, Any]] = {}
        for path in (shared(dataset), dataset.root / NAME):
            found |= standing(path)
        return cls(found.values())

    def __len__(self) -> int:
        return len(self.stones)

    def __contains__(self, id: object) -> bool:
        return id in self.stones

    def of_url(self, *urls: str) -> str | None:
        """Return the id of the removed picture that was at one of these addresses, or None."""
        return next((self._urls[url] for url in urls if url in self._urls), None)

    def addresses(self) -> Iterable[str]:
        """Return every address a removed picture was at."""
        return self._urls

    def refuses(self, id: str, path: Path) -> str | None:
        """Return the id of the removed picture that the file is, or is a near-identical copy of.

        Reads the file only when something was removed. A file that is no picture is none of them.
        """
        if not self.stones or id in self.stones:
            return id if id in self.stones else None
        try:
            looks = looks_of(path)
        except MapmakerError:
            return None
        return self.resembles(looks.phash[0], looks.dhash[0])

    def resembles(self, phash: str, dhash: str | None = None) -> str | None:
        """Return the id of a removed picture with these hashes in some orientation, or None.

        Without the dHash, phash is the manifest's, and the answer only says what is worth a look.
        """
        import numpy as np

        one = np.uint64(int(phash, 16))
        phashes, dhashes, listed = self._hashes
        bits = np.bitwise_count(phashes ^ one)
        if dhash is not None:
            bits = bits + np.bitwise_count(dhashes ^ np.uint64(int(dhash, 16)))
        else:
            bits = np.minimum(bits, np.bitwise_count(listed ^ one))
        hits = np.flatnonzero((bits <= NEAR_BITS).any(axis=1))
        return self._seen[int(hits[0])]["id"] if len(hits) else None

    @cached_property
    def _hashes(self) -> "tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]":
        """pHashes and dHashes in eight orientations, and the pHash as the manifest has it."""
        phashes = _numbers([stone["phash"] for stone in self._seen]).reshape(-1, 8)
        dhashes = _numbers([stone["dhash"] for stone in self._seen]).reshape(-1, 8)
        # The manifest's own hash differs from ours where a picture has transparent parts.
        listed = _numbers([[s.get("listed") or s["phash"][0]] for s in self._seen])
        return phashes, dhashes, listed.reshape(-1, 1)


def shared(dataset: Dataset) -> Path:
    """Return the list that holds for every data set of the workspace."""
    return dataset.root.parent / NAME


def standing(path: Path) -> dict[str, dict[str, Any]]:
    """Return the removals of one list that were not taken back, by picture id."""
    found: dict[str, dict[str, Any]] = {}
    for line in read_lines(path):
        if "restored" in line:
            found.pop(line["restored"], None)
        else:
            found[line["id"]] = line
    return found


def bury(dataset: Dataset, line: Mapping[str, Any]) -> None:
    """Add a line to the data set's list and to the workspace's; both are on the disk after."""
    line = {**line, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    _append(dataset.root / NAME, line)
    # What the row said of the picture stays with the data set it was in.
    _append(shared(dataset), {k: v for k, v in line.items() if k != "row"})


def _append(path: Path, line: Mapping[str, Any]) -> None:
    """Add one whole line, or none; a line that a killed process left torn goes first."""
    with speaking_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            data = file.read()
            if data and not data.endswith(b"\n"):
                file.truncate(data.rfind(b"\n") + 1)
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync(path.parent)


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    """Return a small picture in one of the eight orientations (0 is as it is)."""
    steps = {4: Image.Transpose.TRANSPOSE, 2: Image.Transpose.FLIP_TOP_BOTTOM}
    steps[1] = Image.Transpose.FLIP_LEFT_RIGHT
    for bit, step in steps.items():
        image = image.transpose(step) if orientation & bit else image
    return image


def _dhash(small: Image.Image) -> str:
    """Return whether each of 8 x 9 cells is darker than the one to its right, as hex."""
    import numpy as np

    values = np.asarray(small, dtype=np.int16)
    return np.packbits(np.diff(values, axis=1) > _GRADIENT).tobytes().hex()


def _numbers(hashes: list[list[str]]) -> "NDArray[np.uint64]":
    import numpy as np

    return np.array([[int(h, 16) for h in eight] for eight in hashes], dtype=np.uint64)
