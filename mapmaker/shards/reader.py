"""Reading shards: structure checked, then memory maps. Needs numpy, h5py and pillow only."""

import hashlib
import io
import json
import operator
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from PIL import Image

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.files import read_json, sha256_of
from mapmaker.shards.config import LAYOUTS, SCHEMA, SIDES_PX
from mapmaker.shards.scale import to_picture, to_tensor
from mapmaker.shards.structure import COLUMNS, REMEDY, Field, check_structure

__all__ = ["Shards", "open_shards", "to_picture", "to_tensor"]

SPLITS = ("train", "held-out", "all")
MAPPED_BYTES = 64_000_000  # read through a map before it is let go
MANY_MAPS = 512  # open memory maps at a time: each holds a file handle


@dataclass(frozen=True, slots=True)
class _Shard:
    path: Path
    split: str
    count: int
    fields: Mapping[str, Field]


class Shards:
    """The samples of a data set at one size, in a fixed order over all its shard files.

    Indexing gives uint8 (H, W, 3). It pickles without any open handle, and the maps it opens when
    first asked are the kernel's, so threads and forked processes may share one.
    """

    def __init__(self, folder: Path, card: Mapping[str, Any], shards: Sequence[_Shard]) -> None:
        self.folder, self.card = folder, dict(card)
        self.size: int = card["size"]
        self._shards = tuple(shards)
        self._starts = [0, *accumulate(s.count for s in shards)]
        self._maps: dict[tuple[int, str], np.ndarray] = {}

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
        often = max(1, MAPPED_BYTES // out[:1].nbytes) if len(out) else 1
        for place, index in enumerate(indices, 1):
            self._read(index, out[place - 1])
            if place % often == 0:
                self._maps.clear()  # mapped pages count as our memory until they are let go
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
        parts = [np.array(self._map(n, name)) for n in range(len(self._shards))]
        values = np.concatenate(parts)
        return np.char.decode(values, "utf-8", "replace") if name == "map_id" else values

    def walls(self, index: SupportsIndex) -> dict[str, Any] | None:
        """Return a sample's {squares, walls, doors, windows, lights}, or None where not known.

        In squares, from the sample's top left, cut and turned as its pixels are.
        """
        shard, row = self._place(index)
        if "walls" not in self._shards[shard].fields:
            return None
        text = self._slice(shard, row, "walls", "wall_offsets")
        try:
            return json.loads(text.tobytes()) if len(text) else None
        except ValueError as error:
            raise self._torn(shard, row, f"its walls are not JSON ({error})") from error

    @property
    def nbytes(self) -> int:
        """Bytes of all samples as uint8 pixels: what holding them in memory takes."""
        return len(self) * self.size * self.size * 3

    def verify(self) -> None:
        """Read every byte. Raises UnsafeInput naming the first file that is not what was listed."""
        for number, (shard, line) in enumerate(zip(self._shards, self.card["shards"], strict=True)):
            if sha256_of(shard.path) != line["sha256"]:
                raise UnsafeInput(
                    f"{shard.path} is not what its card lists: {self._damage(number)}.",
                    hint=REMEDY,
                )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}

    def _map(self, shard: int, name: str) -> np.ndarray:
        """Return an array of a shard as a read-only memory map."""
        found = self._maps.get((shard, name))
        if found is None:
            if len(self._maps) >= MANY_MAPS:
                self._maps.clear()
            path, field = self._shards[shard].path, self._shards[shard].fields[name]
            _check_bytes(path, self.card["shards"][shard]["bytes"])
            found = np.memmap(path, field.dtype, "r", field.offset, field.shape)
            self._maps[shard, name] = found = found.view(np.ndarray)
        return found

    def _place(self, index: SupportsIndex) -> tuple[int, int]:
        """Return a sample's shard and the row in it."""
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there are {len(self)} samples, asked for number {number}")
        number %= len(self)
        shard = bisect_right(self._starts, number) - 1
        return shard, number - self._starts[shard]

    def _slice(self, shard: int, row: int, data: str, offsets: str) -> np.ndarray:
        """Return one row's bytes out of a flat array."""
        begin, end = (int(v) for v in self._map(shard, offsets)[row : row + 2])
        if not 0 <= begin <= end <= len(self._map(shard, data)):
            raise self._torn(shard, row, "its offsets point nowhere")
        return self._map(shard, data)[begin:end]

    def _read(self, index: SupportsIndex, out: np.ndarray) -> None:
        shard, row = self._place(index)
        if self.card["layout"] == "raw":
            out[...] = self._map(shard, "images")[row]
            return
        data = self._slice(shard, row, "bytes", "offsets")
        try:
            with Image.open(io.BytesIO(data.tobytes()), formats=["JPEG"]) as image:
                if image.size != (self.size, self.size) or image.mode != "RGB":
                    raise self._torn(shard, row, f"a JPEG of {image.size} {image.mode}")
                out[...] = np.asarray(image)
        except (OSError, ValueError, SyntaxError) as error:
            raise self._torn(shard, row, str(error)) from error

    def _torn(self, shard: int, row: int, what: str) -> UnsafeInput:
        return UnsafeInput(f"{self._shards[shard].path}, row {row}: {what}.", hint=REMEDY)

    def _damage(self, shard: int) -> str:
        """Say which rows of a shard differ from the digests beside them."""
        digests, bad = self._map(shard, "digest"), []
        for row in range(self._shards[shard].count):
            if self.card["layout"] == "raw":
                data = np.ascontiguousarray(self._map(shard, "images")[row])
            else:
                data = self._slice(shard, row, "bytes", "offsets")
            if hashlib.sha256(data.data).digest() != digests[row].tobytes():
                bad.append(row)
        if not bad:
            return "its pixels are whole, what describes them is not"
        name = bytes(self._map(shard, "map_id")[bad[0]]).decode("utf-8", "replace")
        return f"row {bad[0]} (of {name}) has changed, {len(bad)} rows in all"


def open_shards(folder: Path) -> Shards:
    """Return the shards in `datasets/<name>/shards/<size>`.

    Every file is there, has the size its card lists and the structure of a shard; `verify` also
    reads every byte. Raises MapmakerError when there are none, UnsafeInput when they are not ours
    or not whole.
    """
    path = folder / "card.json"
    if not path.is_file():
        raise MapmakerError(f"{folder} holds no shards.", hint="Write them with `mapmaker pack`.")
    card = read_json(path)
    _check_card(path, card)
    shards = []
    for line in card["shards"]:
        file = folder / line["file"]
        _check_bytes(file, line["bytes"])
        fields = check_structure(
            file, layout=card["layout"], count=line["count"], size=card["size"]
        )
        shards.append(_Shard(file, line["split"], line["count"], fields))
    return Shards(folder, card, shards)


def _check_card(path: Path, card: Any) -> None:
    """Raise UnsafeInput unless the card says what a reader relies on."""
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        raise UnsafeInput(f"{path} is no card of ours ({SCHEMA}).", hint=REMEDY)
    low, high = SIDES_PX
    size, lines = card.get("size"), card.get("shards")
    good = isinstance(size, int) and low <= size <= high and card.get("layout") in LAYOUTS
    good = good and isinstance(lines, list) and bool(lines) and all(map(_good_line, lines))
    if not good:
        raise UnsafeInput(f"{path} is damaged: it lists no shards we could read.", hint=REMEDY)


def _good_line(line: Any) -> bool:
    return (
        isinstance(line, dict)
        and isinstance(line.get("file"), str)
        and Path(line["file"]).name == line["file"]
        and line.get("split") in ("train", "held-out")
        and all(isinstance(line.get(key), int) and line[key] > 0 for key in ("count", "bytes"))
        and isinstance(line.get("sha256"), str)
    )


def _check_bytes(path: Path, wanted: int) -> None:
    """Raise UnsafeInput unless the file is as long as listed: reading a map past its end kills."""
    if not path.is_file():
        raise UnsafeInput(f"{path} is missing, though the card lists it.", hint=REMEDY)
    if path.stat().st_size != wanted:
        raise UnsafeInput(
            f"{path} has {path.stat().st_size} bytes, its card lists {wanted}.", hint=REMEDY
        )
