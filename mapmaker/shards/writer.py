"""One shard file, whole or not at all: written beside, synced, read back, renamed.

HDF5 lays the arrays out and writes what describes them, a few kB; the values are then written at
their places with plain writes. A full disk is so an ordinary error: when HDF5 itself cannot write
what it holds, it cannot close the file either, and takes the process with it (HDF5 2.0).
"""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from mapmaker import __version__
from mapmaker.errors import MapmakerError
from mapmaker.files import atomic_file, need_room, sha256_of, sync
from mapmaker.shards.augment import Views
from mapmaker.shards.config import digest
from mapmaker.shards.crops import Crop
from mapmaker.shards.pipeline import symmetry
from mapmaker.shards.seal import seals
from mapmaker.shards.source import Picture, cut, read_picture
from mapmaker.shards.structure import COLUMNS, MAP_ID_BYTES, check_structure
from mapmaker.shards.walls import crop_walls, turned_light

PAGE = 4096  # large arrays begin on a page: they are read a tenth faster so
STRUCTURE_BYTES = 1_000_000  # far more than the description of twelve arrays takes
JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}  # 4:4:4 keeps coloured 1 px grid lines


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a shard: a view of a crop of a picture.

    view is an index into ELEMENTS, or of a person's own pipeline which of its draws, 0 none.
    """

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
    def turns(self) -> list[int | None]:
        """Which of ELEMENTS each sample is; None where squares, walls and shadows have moved."""
        return [symmetry(self.recipe, sample.view) for sample in self.samples]

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
    columns, walls = _columns(job), _walls(job)
    if any(walls):
        columns |= {"walls": np.frombuffer(b"".join(walls), "u1"), "wall_offsets": _ends(walls)}
    samples: Iterable[bytes] = (np.ascontiguousarray(p).tobytes() for p in _render(job))
    images = np.broadcast_to(np.uint8(0), (len(job.samples), job.size, job.size, 3))
    big = {"images": images}
    if job.recipe["layout"] == "encoded":
        samples = [_jpeg(pixels) for pixels in _render(job)]  # offsets need every length
        columns["offsets"] = _ends(samples)
        big = {"bytes": np.broadcast_to(np.uint8(0), int(columns["offsets"][-1]))}

    with atomic_file(job.path) as beside:
        need_room(job.path.parent, STRUCTURE_BYTES)
        places = _lay_out(beside, job, columns | big)
        with beside.open("r+b") as file:
            _reserve(file.fileno(), beside.stat().st_size)
            file.seek(places[next(iter(big))])
            digests = []
            for sample in samples:
                file.write(sample)
                digests.append(hashlib.sha256(sample).digest())
            columns["digest"] = np.frombuffer(b"".join(digests), "u1").reshape(-1, 32)
            columns["seal"] = seals(columns, walls)
            for name, values in columns.items():
                file.seek(places[name])
                file.write(values.tobytes())
        sync(beside)
        _read_back(beside, job, columns)
        total = {"sha256": sha256_of(beside), "bytes": beside.stat().st_size}
    line = {"file": job.path.name, "split": job.split, "count": len(job.samples)}
    return line | total | {"members": job.members}


def _lay_out(path: Path, job: ShardJob, arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Write a shard without its values; returns where in the file each array begins."""
    places = {}
    plain = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plain.set_layout(h5py.h5d.CONTIGUOUS)
    plain.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plain.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plain.set_obj_track_times(False)  # the same samples shall be the same bytes
    with h5py.File(path, "w", alignment_threshold=2**16, alignment_interval=PAGE) as file:
        file.attrs.update(
            schema=job.recipe["schema"],
            tool=f"mapmaker {__version__}",
            recipe=json.dumps(dict(job.recipe), sort_keys=True),
            recipe_sha256=digest(job.recipe),
            members=job.members,
            seed=job.recipe["seed"],
            count=len(job.samples),
            split=job.split,
        )
        for name, values in arrays.items():
            kind = h5py.h5t.py_create(values.dtype, logical=True)
            space = h5py.h5s.create_simple(values.shape)
            data = h5py.h5d.create(file.id, name.encode(), kind, space, plain)
            places[name] = data.get_offset()
        file.flush()
    return places


def _reserve(handle: int, size: int) -> None:
    """Take the room now, so that a full disk shows before the work and not amid it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)


def _render(job: ShardJob) -> Iterator[np.ndarray]:
    """Yield the samples in order; each picture is decoded once, each crop resampled once."""
    views = Views(job.recipe)
    for picture, of_picture in groupby(job.samples, key=lambda s: s.picture):
        image = read_picture(picture)
        for crop, of_crop in groupby(of_picture, key=lambda s: s.crop):
            pixels = cut(image, crop, job.size)
            for sample in of_crop:
                yield views.make(pixels, sample.view, sha256=picture.id, crop=crop.index)


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, **JPEG)
    return buffer.getvalue()


def _ends(parts: Sequence[bytes]) -> np.ndarray:
    """Return where each of the joined parts begins, and where the last one ends."""
    return np.cumsum([0, *map(len, parts)], dtype="<i8")


def _columns(job: ShardJob) -> dict[str, np.ndarray]:
    """Return every column; digests and seals are still empty."""
    samples, size, keeps = job.samples, job.size, job.recipe["light"] == "keep"
    squares = [0 if t is None else s.crop.squares for s, t in zip(samples, job.turns, strict=True)]
    values: dict[str, list[Any]] = {
        "sha256": [list(bytes.fromhex(s.picture.id)) for s in samples],
        "digest": [[0] * 32 for _ in samples],
        "seal": [[0] * 8 for _ in samples],
        "group": [group_number(s.picture.group) for s in samples],
        "crop": [s.crop.index for s in samples],
        "variant": [s.view for s in samples],
        "light": [
            turned_light(s.picture.light, t) for s, t in zip(samples, job.turns, strict=True)
        ],
        "upright": [s.picture.upright or (keeps and s.picture.light is not None) for s in samples],
        "squares": squares,
        "cell_px": [size / count if count else 0.0 for count in squares],
        "scale": [size / s.crop.side for s in samples],
        "box": [[s.crop.left, s.crop.top, s.crop.side] for s in samples],
    }
    columns = {name: np.array(v, dtype=COLUMNS[name][0]) for name, v in values.items()}
    names = [s.picture.map_id.encode()[:MAP_ID_BYTES] for s in samples]
    names = [n.decode(errors="ignore").encode() for n in names]  # no character cut in two
    columns["map_id"] = np.array(names, dtype=f"S{max(1, *map(len, names), 1)}")
    return columns


def _walls(job: ShardJob) -> list[bytes]:
    """Return each sample's walls; b"" too where they may have moved, nobody knows whereto."""
    return [
        b"" if t is None else crop_walls(Path(s.picture.path), s.crop, t)
        for s, t in zip(job.samples, job.turns, strict=True)
    ]


def _read_back(path: Path, job: ShardJob, columns: Mapping[str, np.ndarray]) -> None:
    """Raise MapmakerError unless the file holds, where a reader will look, what was written."""
    layout, count = job.recipe["layout"], len(job.samples)
    fields = check_structure(path, layout=layout, count=count, size=job.size)
    maps = {n: np.memmap(path, f.dtype, "r", f.offset, f.shape) for n, f in fields.items()}
    wrong = [name for name, values in columns.items() if not np.array_equal(maps[name], values)]
    for row, wanted in enumerate(columns["digest"]):
        if layout == "raw":
            sample = maps["images"][row]
        else:
            sample = maps["bytes"][maps["offsets"][row] : maps["offsets"][row + 1]]
        if hashlib.sha256(sample.data).digest() != wanted.tobytes():
            wrong.append(f"row {row}")
    if wrong:
        raise MapmakerError(
            f"{path} does not hold what was written ({', '.join(wrong[:3])}).",
            hint="The disk or the memory is failing; check them before you go on.",
        )
