"""Reading shards: structure checked, then plain reads. Needs numpy, h5py and pillow only.

HDF5 says where the arrays lie; pixels are then read at their place, without HDF5, without a lock
and without a file position, so threads and forked processes may share a reader.
"""

import io
import json
import operator
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from PIL import Image

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.files import read_json
from mapmaker.shards.config import LAYOUTS, SCHEMA, SIDES_PX
from mapmaker.shards.scale import to_picture, to_tensor
from mapmaker.shards.structure import COLUMNS, REMEDY, Field, check_structure

__all__ = ["Shards", "open_shards", "to_picture", "to_tensor"]

SPLITS = ("train", "held-out", "all")
MANY_FILES = 256  # open at a time; many systems allow 1024 a process


@dataclass(frozen=True, slots=True)
class _Shard:
    path: Path
    split: str
    count: int
    fields: Mapping[str, Field]


class _File:
    """A file that stays open while anybody reads it, and not longer."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, into: memoryview, at: int) -> bool:
        """Fill `into` from byte `at` on; returns whether the file had so many."""
        while into and (got := os.preadv(self.number, [into], at)):
            into, at = into[got:], at + got
        return not into

    def __del__(self) -> None:
        os.close(self.number)


class Shards:
    """The samples of a data set at one size, in a fixed order over all its shard files.

    Indexing gives uint8 (H, W, 3). It pickles without any open file: what travels is the card's
    list of shards and where the arrays lie in each.
    """

    def __init__(self, folder: Path, card: Mapping[str, Any], shards: Sequence[_Shard]) -> None:
        self.folder, self.card = folder, dict(card)
        self.size: int = card["size"]
        self._shards = tuple(shards)
        self._starts = [0, *accumulate(s.count for s in shards)]
        self._files: dict[int, _File] = {}
        self._offsets: dict[tuple[int, str], np.ndarray] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: SupportsIndex) -> np.ndarray:
        """Return sample `index` as a new uint8 (H, W, 3). Raises as `load` does."""
        out = np.empty((self.size, self.size, 3), np.uint8)
        self._read(index, out)
        return out

    def load(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the samples at `indices`, in their order, as uint8 (N, H, W, 3).

        Raises IndexError outside -len..len-1, UnsafeInput for a sample that cannot be decoded.
        """
        out = np.empty((len(indices), self.size, self.size, 3), np.uint8)
        for place, index in enumerate(indices):
            self._read(index, out[place])
        return out

    def indices(self, split: str = "train") -> np.ndarray:
        """Return the sample numbers of `train`, `held-out` or `all`, ascending."""
        if split not in SPLITS:
            raise ValueError(f"a split is one of {SPLITS}, not {split!r}")
        spans = [
            np.arange(self._starts[n], self._starts[n + 1])
            for n, shard in enumerate(self._shards)
            if split in (shard.split, "all")
        ]
        return np.concatenate([np.empty(0, np.int64), *spans])

    def column(self, name: str) -> np.ndarray:
        """Return one value a sample: a name of `structure.COLUMNS`. map_id comes as text."""
        if name not in COLUMNS:
            raise KeyError(f"no column {name!r}; there are {', '.join(COLUMNS)}")
        parts = [self.array(n, name) for n in range(len(self._shards))]
        values = np.concatenate(parts)
        return np.char.decode(values, "utf-8", "replace") if name == "map_id" else values

    def walls(self, index: SupportsIndex) -> dict[str, Any] | None:
        """Return a sample's {squares, walls, doors, windows, lights}, or None where not known.

        In squares, from the sample's top left, cut and turned as its pixels are.
        """
        shard, row = self._place(index)
        text = self.stored_walls(shard, row)
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise self._torn(shard, row, f"its walls are not JSON ({error})") from error

    def stored(self, shard: int, row: int) -> bytearray:
        """Return a sample as it lies in its shard: pixels, or a JPEG. Raises UnsafeInput."""
        if self.card["layout"] == "encoded":
            return self._slice(shard, row, "bytes", "offsets")
        found = bytearray(self.size * self.size * 3)
        self._fill(
            shard, row, found, self._shards[shard].fields["images"].offset + row * len(found)
        )
        return found

    def stored_walls(self, shard: int, row: int) -> bytes:
        """Return the JSON of a sample's walls, b"" where it has none. Raises UnsafeInput."""
        known = "walls" in self._shards[shard].fields
        return bytes(self._slice(shard, row, "walls", "wall_offsets")) if known else b""

    @property
    def nbytes(self) -> int:
        """Bytes of all samples as uint8 pixels: what holding them in memory takes."""
        return len(self) * self.size * self.size * 3

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_offsets": {}, "_files": {}}

    def _file(self, shard: int) -> _File:
        found = self._files.get(shard)
        if found is None:
            if len(self._files) >= MANY_FILES:
                self._files.clear()
            path = self._shards[shard].path
            check_bytes(path, self.card["shards"][shard]["bytes"])
            self._files[shard] = found = _File(path)
        return found

    def array(self, shard: int, name: str) -> np.ndarray:
        """Return one array of a shard, counted as the card does. Raises UnsafeInput when torn."""
        field = self._shards[shard].fields[name]
        data = bytearray(field.nbytes)
        self._fill(shard, 0, data, field.offset)
        return np.frombuffer(data, field.dtype).reshape(field.shape)

    def _ends(self, shard: int, name: str) -> np.ndarray:
        """Return where a shard's samples or walls begin and end, read once."""
        found = self._offsets.get((shard, name))
        if found is None:
            if len(self._offsets) >= MANY_FILES:
                self._offsets.clear()
            self._offsets[shard, name] = found = self.array(shard, name)
        return found

    def _place(self, index: SupportsIndex) -> tuple[int, int]:
        """Return a sample's shard and the row in it."""
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there are {len(self)} samples, asked for number {number}")
        number %= len(self)
        shard = bisect_right(self._starts, number) - 1
        return shard, number - self._starts[shard]

    def _slice(self, shard: int, row: int, data: str, offsets: str) -> bytearray:
        """Return one row's bytes out of a flat array."""
        begin, end = (int(v) for v in self._ends(shard, offsets)[row : row + 2])
        field = self._shards[shard].fields[data]
        if not 0 <= begin <= end <= field.nbytes:
            raise self._torn(shard, row, "its offsets point nowhere")
        found = bytearray(end - begin)
        self._fill(shard, row, found, field.offset + begin)
        return found

    def _fill(self, shard: int, row: int, into: Any, at: int) -> None:
        """Fill a writable buffer from byte `at` of a shard on."""
        if not self._file(shard).read(memoryview(into).cast("B"), at):
            raise self._torn(shard, row, "the file has been cut short")

    def _read(self, index: SupportsIndex, out: np.ndarray) -> None:
        shard, row = self._place(index)
        if self.card["layout"] == "raw":
            at = self._shards[shard].fields["images"].offset + row * out.nbytes
            self._fill(shard, row, out, at)
            return
        data = self._slice(shard, row, "bytes", "offsets")
        try:
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
                if image.size != (self.size, self.size) or image.mode != "RGB":
                    raise self._torn(shard, row, f"a JPEG of {image.size} {image.mode}")
                out[...] = np.asarray(image)
        except (OSError, ValueError, SyntaxError) as error:
            raise self._torn(shard, row, str(error)) from error

    def _torn(self, shard: int, row: int, what: str) -> UnsafeInput:
        return UnsafeInput(f"{self._shards[shard].path}, row {row}: {what}.", hint=REMEDY)


def open_shards(folder: Path) -> Shards:
    """Return the shards in `datasets/<name>/shards/<size>`.

    Every file is there, has the size its card lists and the structure of a shard; `verify` also
    reads every byte. Raises MapmakerError when there are none, UnsafeInput when they are not ours
    or not whole.
    """
    card = open_card(folder)
    return Shards(folder, card, [open_shard(folder, card, line) for line in card["shards"]])


def open_card(folder: Path) -> dict[str, Any]:
    """Return the card of the shards in `folder`. Raises as `open_shards` does."""
    path = folder / "card.json"
    if not path.is_file():
        raise MapmakerError(f"{folder} holds no shards.", hint="Write them with `mapmaker pack`.")
    card = read_json(path)
    schema = card.get("schema") if isinstance(card, dict) else None
    if schema != SCHEMA and str(schema).startswith(SCHEMA.rpartition("/")[0]):
        raise UnsafeInput(
            f"{folder} holds shards of another version of mapmaker ({schema}, not {SCHEMA}).",
            hint=REMEDY,
        )
    if schema != SCHEMA:
        raise UnsafeInput(f"{path} is no card of ours ({SCHEMA}).", hint=REMEDY)
    low, high = SIDES_PX
    size, lines = card.get("size"), card.get("shards")
    good = isinstance(size, int) and low <= size <= high and card.get("layout") in LAYOUTS
    good = good and isinstance(lines, list) and bool(lines) and all(map(_good_line, lines))
    if not good:
        raise UnsafeInput(f"{path} is damaged: it lists no shards we could read.", hint=REMEDY)
    return card


def open_shard(folder: Path, card: Mapping[str, Any], line: Mapping[str, Any]) -> _Shard:
    """Return one shard of a card. Raises UnsafeInput when it is missing, cut short or no shard."""
    path = folder / line["file"]
    check_bytes(path, line["bytes"])
    fields = check_structure(path, layout=card["layout"], count=line["count"], size=card["size"])
    return _Shard(path, line["split"], line["count"], fields)


def _good_line(line: Any) -> bool:
    return (
        isinstance(line, dict)
        and isinstance(line.get("file"), str)
        and Path(line["file"]).name == line["file"]
        and line.get("split") in ("train", "held-out")
        and all(isinstance(line.get(key), int) and line[key] > 0 for key in ("count", "bytes"))
        and isinstance(line.get("sha256"), str)
    )


def check_bytes(path: Path, wanted: int) -> None:
    """Raise UnsafeInput unless the file is as long as listed: reading a map past its end kills."""
    if not path.is_file():
        raise UnsafeInput(f"{path} is missing, though the card lists it.", hint=REMEDY)
    if path.stat().st_size != wanted:
        raise UnsafeInput(
            f"{path} has {path.stat().st_size} bytes, its card lists {wanted}.", hint=REMEDY
        )
