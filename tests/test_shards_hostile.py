"""Shards from strangers: whatever is wrong with one is seen in its structure, before its values."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from shard_tools import kept_from_file, make_dataset, pack_all

from mapmaker.errors import UnsafeInput
from mapmaker.shards.reader import open_shards


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    """One data set in the raw layout."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = make_dataset(tmp_path, count=12)
    pack_all(dataset)
    return dataset.shards(32)


def relist(folder: Path) -> None:
    """Let the card say what the first file has become, as somebody who means harm would."""
    card = json.loads((folder / "card.json").read_text())
    card["shards"][0]["bytes"] = (folder / "00000.h5").stat().st_size
    (folder / "card.json").write_text(json.dumps(card))


def _external(file: h5py.File) -> None:
    del file["images"]
    shape = (6, 32, 32, 3)
    file.create_dataset("images", shape, "u1", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _soft_link(file: h5py.File) -> None:
    file.move("images", "other")
    file["images"] = h5py.SoftLink("/other")


def _external_link(file: h5py.File) -> None:
    del file["images"]
    file["images"] = h5py.ExternalLink("/etc/passwd", "/images")


def _virtual(file: h5py.File) -> None:
    del file["images"]
    layout = h5py.VirtualLayout((6, 32, 32, 3), "u1")
    layout[:] = h5py.VirtualSource("gone.h5", "images", (6, 32, 32, 3))
    file.create_virtual_dataset("images", layout)


def _chunk_bomb(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset("images", (6, 32, 32, 3), "u1", chunks=(6, 32, 32, 3), compression=9)


def _shape(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset("images", (6, 32, 32, 4), "u1", data=np.zeros((6, 32, 32, 4), "u1"))


def _shape_bomb(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset("images", (2**20, 2**10, 2**10, 3), "u1")


def _dtype(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset("images", data=np.zeros((6, 32, 32, 3), "f4"))


def _group(file: h5py.File) -> None:
    del file["images"]
    file.create_group("images")


def _extra(file: h5py.File) -> None:
    file["more"] = np.zeros(3)


def _objects(file: h5py.File) -> None:
    del file["group"]
    file.create_dataset("group", (6,), h5py.string_dtype())


def _nested(file: h5py.File) -> None:
    file.create_group("more/and/more")


def _many(file: h5py.File) -> None:
    for number in range(2000):
        file[f"x{number}"] = h5py.SoftLink("/images")


def _circle(file: h5py.File) -> None:
    del file["images"]
    file["images"] = file["/"]


def _twice(file: h5py.File) -> None:
    del file["digest"]
    file["digest"] = file["sha256"]


def _huge_attribute(file: h5py.File) -> None:
    file.attrs["recipe"] = np.bytes_(b"x" * 60_000)


def _attribute_of_many(file: h5py.File) -> None:
    file.attrs["recipe"] = np.zeros(2000)


def _strange_attribute(file: h5py.File) -> None:
    file.attrs["more"] = 1


def _attribute_of_a_column(file: h5py.File) -> None:
    file["images"].attrs["CLASS"] = "IMAGE"


def _compound(file: h5py.File) -> None:
    del file["group"]
    kind = np.dtype([("text", h5py.string_dtype()), ("to", h5py.ref_dtype)])
    file.create_dataset("group", (6,), kind)


def _reference(file: h5py.File) -> None:
    del file["group"]
    file.create_dataset("group", (6,), h5py.ref_dtype)


def _lists(file: h5py.File) -> None:
    del file["group"]
    file.create_dataset("group", (6,), h5py.vlen_dtype(np.int64))


def _array_type(file: h5py.File) -> None:
    del file["group"]
    file.create_dataset("group", (6,), np.dtype(("<i8", (1000,))))


def _big_endian(file: h5py.File) -> None:
    del file["group"]
    file.create_dataset("group", data=np.zeros(6, ">i8"))


def _sum_checked(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset("images", (6, 32, 32, 3), "u1", chunks=(1, 32, 32, 3), fletcher32=True)


def _never_written(file: h5py.File) -> None:
    del file["images"]
    file.create_dataset("images", (6, 32, 32, 3), "u1")


def _compact(file: h5py.File) -> None:
    del file["group"]
    plain = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plain.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((6,))
    h5py.h5d.create(file.id, b"group", h5py.h5t.NATIVE_INT64, space, plain)


HOSTILE = [
    _external,
    _soft_link,
    _external_link,
    _virtual,
    _chunk_bomb,
    _shape,
    _shape_bomb,
    _dtype,
    _group,
    _extra,
    _objects,
    _nested,
    _many,
    _circle,
    _twice,
    _huge_attribute,
    _attribute_of_many,
    _strange_attribute,
    _attribute_of_a_column,
    _compound,
    _reference,
    _lists,
    _array_type,
    _big_endian,
    _sum_checked,
    _never_written,
    _compact,
]


@pytest.mark.parametrize("harm", HOSTILE, ids=lambda f: f.__name__.strip("_"))
def test_a_hostile_shard_is_refused_by_its_structure(raw, harm):
    """Links, storage elsewhere, chunks and odd shapes are named before a value is read."""
    path = raw / "00000.h5"
    with h5py.File(path, "r+") as file:
        assert len(file["images"]) == 6
        harm(file)
    relist(raw)

    with pytest.raises(UnsafeInput, match=r"00000\.h5 is no shard of ours: it \w+"):
        open_shards(raw)


def test_a_text_file_named_h5_is_refused(raw):
    """What is not HDF5 is said to be not HDF5."""
    path = raw / "00000.h5"
    path.write_bytes(b"x" * path.stat().st_size)

    with pytest.raises(UnsafeInput, match="cannot be opened as HDF5"):
        open_shards(raw)


def test_a_file_with_something_before_it_is_refused(raw):
    """A user block may hold a program, or another format altogether."""
    path = raw / "00000.h5"
    moved = raw / "moved.h5"
    with h5py.File(path) as file, h5py.File(moved, "w", userblock_size=512) as other:
        for name in file:
            file.copy(name, other)
        other.attrs.update(file.attrs)
    moved.replace(path)
    relist(raw)

    with pytest.raises(UnsafeInput, match="begins with 512 bytes of something else"):
        open_shards(raw)


def test_shards_of_an_older_version_say_what_to_do(raw):
    """They are not damaged; they are old."""
    card = json.loads((raw / "card.json").read_text())
    (raw / "card.json").write_text(json.dumps(card | {"schema": "mapmaker-shards/1"}))

    with pytest.raises(UnsafeInput, match="of another version of mapmaker") as caught:
        open_shards(raw)

    assert "mapmaker pack" in caught.value.hint
