"""One shard file, whole or not at all: written beside, flushed, synced, read back, renamed."""

import errno
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from mapmaker import __version__
from mapmaker.errors import MapmakerError
from mapmaker.files import atomic_file, sha256_of, sync
from mapmaker.shards.config import digest
from mapmaker.shards.crops import Crop
from mapmaker.shards.source import Picture, cut, read_picture
from mapmaker.shards.structure import COLUMNS, MAP_ID_BYTES, check_structure

JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}  # 4:4:4 keeps coloured 1 px grid lines


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a shard: a crop of a picture under a symmetry."""

    picture: Picture
    crop: Crop
    view: int

    def key(self) -> list[Any]:
        crop = self.crop
        return [*self.picture.key(), crop.index, *crop.box, crop.squares, self.view]


@dataclass(frozen=True, slots=True)
class ShardJob:
    """Everything one process needs to write one shard file."""

    path: Path
    split: str
    recipe: Mapping[str, Any]
    samples: tuple[Sample, ...]

    @property
    def size(self) -> int:
        return self.recipe["size"]

    @property
    def expected_bytes(self) -> int:
        """About how much room the file will take; never much too little."""
        pixels = 3 * self.size**2 // (1 if self.recipe["layout"] == "raw" else 3)
        return 100_000 + len(self.samples) * (pixels + 400)

    @property
    def members(self) -> str:
        """The sha256 of all that decides this shard's contents."""
        rows = [sample.key() for sample in self.samples]
        return digest([__version__, self.recipe, self.split, rows])


def group_number(group: str) -> int:
    """Return a group's name as the int64 that stands for it in every shard."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big", signed=True)


def write_shard(job: ShardJob) -> dict[str, Any]:
    """Write one shard and return its line for the card.

    Raises MissingPart for a full disk or no permission, UnsafeInput for a picture gone bad.
    """
    with atomic_file(job.path) as beside:
        with _plain_errors(), h5py.File(beside, "w") as file:
            _attributes(file, job)
            digests = _raw(file, job) if job.recipe["layout"] == "raw" else _encoded(file, job)
            for name, values in _columns(job, digests).items():
                file.create_dataset(name, data=values)
            file.flush()
        sync(beside)
        _read_back(beside, job, digests)
        total = {"sha256": sha256_of(beside), "bytes": beside.stat().st_size}
    line = {"file": job.path.name, "split": job.split, "count": len(job.samples)}
    return line | total | {"members": job.members}


def _attributes(file: h5py.File, job: ShardJob) -> None:
    recipe = json.dumps(dict(job.recipe), sort_keys=True)
    file.attrs.update(
        schema=job.recipe["schema"],
        tool=f"mapmaker {__version__}",
        recipe=recipe,
        recipe_sha256=digest(job.recipe),
        members=job.members,
        seed=job.recipe["seed"],
        count=len(job.samples),
        split=job.split,
    )


def _render(job: ShardJob) -> Iterator[np.ndarray]:
    """Yield the samples in order; each picture is decoded once, each crop resampled once."""
    for picture, of_picture in groupby(job.samples, key=lambda s: s.picture):
        image = read_picture(picture)
        for crop, of_crop in groupby(of_picture, key=lambda s: s.crop):
            pixels = cut(image, crop, job.size)
            for sample in of_crop:
                yield pixels if sample.view == 0 else _turned(pixels, sample.view)


def _turned(pixels: np.ndarray, view: int) -> np.ndarray:
    from mapmaker.shards.augment import apply_view  # four seconds that a plain pack need not wait

    return apply_view(pixels, view)


def _raw(file: h5py.File, job: ShardJob) -> list[bytes]:
    shape = (len(job.samples), job.size, job.size, 3)
    images = file.create_dataset("images", shape, "u1", fill_time="never")
    digests = []
    for row, pixels in enumerate(_render(job)):
        images[row] = pixels
        digests.append(hashlib.sha256(np.ascontiguousarray(pixels)).digest())
    return digests


def _encoded(file: h5py.File, job: ShardJob) -> list[bytes]:
    """Store flat bytes and offsets: fetched 5 to 7 times as fast as variable-length arrays."""
    parts = []
    for pixels in _render(job):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, **JPEG)
        parts.append(buffer.getvalue())
    offsets = np.cumsum([0, *map(len, parts)], dtype="<i8")
    file.create_dataset("bytes", data=np.frombuffer(b"".join(parts), dtype="u1"))
    file.create_dataset("offsets", data=offsets)
    return [hashlib.sha256(part).digest() for part in parts]


def _columns(job: ShardJob, digests: list[bytes]) -> dict[str, np.ndarray]:
    samples, size = job.samples, job.size
    values: dict[str, list[Any]] = {
        "sha256": [list(bytes.fromhex(s.picture.id)) for s in samples],
        "digest": [list(d) for d in digests],
        "group": [group_number(s.picture.group) for s in samples],
        "crop": [s.crop.index for s in samples],
        "variant": [s.view for s in samples],
        "squares": [s.crop.squares for s in samples],
        "cell_px": [size / s.crop.squares if s.crop.squares else 0.0 for s in samples],
        "scale": [size / s.crop.side for s in samples],
        "box": [[s.crop.left, s.crop.top, s.crop.side] for s in samples],
    }
    columns = {name: np.array(v, dtype=COLUMNS[name][0]) for name, v in values.items()}
    names = [s.picture.map_id.encode()[:MAP_ID_BYTES] for s in samples]
    names = [n.decode(errors="ignore").encode() for n in names]  # no character cut in two
    return columns | {"map_id": np.array(names, dtype=f"S{max(1, *map(len, names), 1)}")}


def _read_back(path: Path, job: ShardJob, digests: list[bytes]) -> None:
    """Raise MapmakerError unless the file holds, where a reader will look, what was written."""
    layout, count = job.recipe["layout"], len(job.samples)
    fields = check_structure(path, layout=layout, count=count, size=job.size)
    data = fields["images" if layout == "raw" else "bytes"]
    if layout == "raw":
        ends = np.arange(count + 1, dtype=np.int64) * (data.nbytes // count)
    else:
        where = fields["offsets"]
        ends = np.memmap(path, np.int64, "r", where.offset, where.shape)
    whole = np.memmap(path, np.uint8, "r", data.offset, (data.nbytes,))
    for row, wanted in enumerate(digests):
        if hashlib.sha256(whole[ends[row] : ends[row + 1]]).digest() != wanted:
            raise MapmakerError(
                f"{path} does not hold what was written (row {row}).",
                hint="The disk or the memory is failing; check them before you go on.",
            )


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Give HDF5's errors the number the operating system gave: it hides it in the text."""
    try:
        yield
    except OSError as error:
        hidden = re.search(r"errno = (\d+)", str(error))
        if error.errno is None and hidden:
            raise OSError(int(hidden[1]), errno.errorcode.get(int(hidden[1]), "")) from error
        raise
