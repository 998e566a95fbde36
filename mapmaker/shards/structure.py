"""What a shard file must look like, and the look at its structure before any value is read.

A shard is plain: a few contiguous arrays in the root group, nothing else. So a reader needs HDF5
only to learn where each array begins; the bytes are then read as a memory map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mapmaker.errors import UnsafeInput

REMEDY = "Write it again with `mapmaker pack`."

# name -> (dtype, shape after the row axis); every one has a value for each sample
COLUMNS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "sha256": ("u1", (32,)),  # the source picture's id
    "digest": ("u1", (32,)),  # sha256 of the sample as stored: names the row when a bit has flipped
    "seal": ("u1", (8,)),  # begin of the sha256 of the row's other values, its walls among them
    "group": ("<i8", ()),  # all views of one map, its floors and duplicates
    "crop": ("<i2", ()),  # which candidate crop of the picture
    "variant": ("u1", ()),  # view: an index into config.ELEMENTS, or an own draw; 0 is as it was
    "light": ("<f4", ()),  # where shadows fall [degrees clockwise from the right]; -1 unknown
    "upright": ("u1", ()),  # 1: has writing, or light to be kept; not to be turned or mirrored
    "squares": ("<i2", ()),  # grid squares along a side; 0 unknown
    "cell_px": ("<f4", ()),  # side of a square in the sample [px]; 0 unknown
    "scale": ("<f4", ()),  # sample px per picture px; above 1 enlarged
    "box": ("<f4", (3,)),  # left, top, side in the picture [px]
    "map_id": ("S", ()),  # UTF-8, as wide as the longest
}
MAP_ID_BYTES = 200
WALLS = ("walls", "wall_offsets")  # JSON of each sample's walls; only where some sample has any
ATTRIBUTES = frozenset("schema tool recipe recipe_sha256 members seed count split".split())
ATTRIBUTE_BYTES = 1024  # in the file's head; a text of ours takes 16, and lies elsewhere
_KINDS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)


@dataclass(frozen=True, slots=True)
class Field:
    """Where one array lies in a shard file."""

    offset: int
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=object)) * np.dtype(self.dtype).itemsize


def check_structure(path: Path, *, layout: str, count: int, size: int) -> dict[str, Field]:
    """Return where each array of a shard lies, having read its structure only.

    Raises UnsafeInput for links, external or virtual storage, chunks, filters, odd types and
    attributes, another dtype or shape than `count` samples of `size` px have, or arrays that do
    not fit into the file.
    """
    try:
        with _open(path) as file:
            _check_root(file, path, layout)
            fields = {name: _field(file, name, path) for name in sorted(file)}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise _unsafe(path, f"cannot be opened as HDF5 ({str(error).splitlines()[0]})") from error
    for name, field in fields.items():
        _check_field(path, name, field, layout=layout, count=count, size=size)
    _check_extents(path, fields)
    return fields


def _open(path: Path) -> h5py.File:
    """Open read-only, without a lock where locks are not to be had (NFS, Lustre, a busy file)."""
    try:
        return h5py.File(path, "r", rdcc_nbytes=0)
    except OSError:
        return h5py.File(path, "r", rdcc_nbytes=0, locking=False)


def _check_root(file: h5py.File, path: Path, layout: str) -> None:
    """Raise unless the root holds our names, our attributes and nothing before itself."""
    if file.userblock_size:
        raise _unsafe(path, f"begins with {file.userblock_size} bytes of something else")
    wanted = set(COLUMNS) | ({"images"} if layout == "raw" else {"bytes", "offsets"})
    if len(file) > len(wanted) + len(WALLS):
        raise _unsafe(path, f"holds {len(file)} things where {len(wanted)} belong")
    found = set(file)
    wanted |= set(WALLS) if WALLS[0] in found else set()
    if found != wanted:
        raise _unsafe(path, f"has or lacks {', '.join(sorted(found ^ wanted)[:5])}")
    if h5py.h5a.get_num_attrs(file.id) != len(ATTRIBUTES) or set(file.attrs) != ATTRIBUTES:
        raise _unsafe(path, "has other attributes than ours")
    for name in ATTRIBUTES:
        attribute = h5py.h5a.open(file.id, name.encode())
        plain = attribute.get_space().get_simple_extent_type() == h5py.h5s.SCALAR
        kind = attribute.get_type().get_class()
        if not plain or kind not in _KINDS or attribute.get_storage_size() > ATTRIBUTE_BYTES:
            raise _unsafe(path, f"has a strange attribute {name}")


def _field(file: h5py.File, name: str, path: Path) -> Field:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise _unsafe(path, f"holds {name} behind a link")
    data = file[name]
    if not isinstance(data, h5py.Dataset):
        raise _unsafe(path, f"holds {name} as something other than an array")
    kind = data.id.get_type()
    if kind.get_class() not in _KINDS or _is_text_of_any_length(kind):
        raise _unsafe(path, f"has values of another kind in {name}")
    plist = data.id.get_create_plist()
    if plist.get_external_count():
        raise _unsafe(path, f"keeps {name} in another file")
    if plist.get_layout() != h5py.h5d.CONTIGUOUS:
        raise _unsafe(path, f"stores {name} virtual, compact or in chunks")
    if plist.get_nfilters():
        raise _unsafe(path, f"passes {name} through a filter")
    if h5py.h5a.get_num_attrs(data.id):
        raise _unsafe(path, f"says more of {name} than we ever do")
    offset = data.id.get_offset()
    if offset is None:
        raise _unsafe(path, f"has no bytes for {name}")
    return Field(int(offset), data.dtype.str, tuple(map(int, data.shape)))


def _is_text_of_any_length(kind: h5py.h5t.TypeID) -> bool:
    return isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()


def _check_field(
    path: Path, name: str, field: Field, *, layout: str, count: int, size: int
) -> None:
    if name == "images":
        dtype, shape = "|u1", (count, size, size, 3)
    elif name in ("bytes", "walls"):
        dtype, shape = "|u1", field.shape[:1]
    elif name in ("offsets", "wall_offsets"):
        dtype, shape = "<i8", (count + 1,)
    elif name == "map_id":
        dtype, shape = field.dtype, (count,)
        if not 1 <= np.dtype(dtype).itemsize <= MAP_ID_BYTES or dtype[:2] != "|S":
            raise _unsafe(path, f"has map ids of type {dtype}")
    else:
        dtype, tail = COLUMNS[name]
        dtype, shape = np.dtype(dtype).str, (count, *tail)
    if field.dtype != dtype or field.shape != shape:
        raise _unsafe(
            path, f"has {name} as {field.dtype} {field.shape} where {dtype} {shape} belongs"
        )


def _check_extents(path: Path, fields: Mapping[str, Field]) -> None:
    """Every array lies within the file and none overlaps another."""
    end = path.stat().st_size
    before = 0
    for name, field in sorted(fields.items(), key=lambda item: item[1].offset):
        if field.offset < before or field.offset + field.nbytes > end:
            raise _unsafe(path, f"has {name} where the file has other bytes or none")
        before = field.offset + field.nbytes


def _unsafe(path: Path, what: str) -> UnsafeInput:
    return UnsafeInput(f"{path} is no shard of ours: it {what}.", hint=REMEDY)
