"""Reading shards back: right, anywhere, and only when they are what they claim to be."""

import json
import os
import pickle
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from shard_tools import contents, kept_from_file, make_dataset, pack_all

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.shards.contact import contact_sheet
from mapmaker.shards.reader import Shards, open_shards
from mapmaker.shards.rows import check_whole


@pytest.fixture(params=["raw", "encoded"])
def folder(request, tmp_path, monkeypatch) -> Path:
    """Shards of 24 small maps in several files and both splits."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = make_dataset(tmp_path, count=24)
    pack_all(dataset, layout=request.param)
    return dataset.shards(32)


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    """One data set in the raw layout."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = make_dataset(tmp_path, count=24)
    pack_all(dataset)
    return dataset.shards(32)


def add_up(shards: Shards) -> int:
    return int(shards.load(shards.indices("all")).sum(dtype=np.int64))


def test_samples_are_contiguous_and_unfiltered(folder):
    """One run of bytes an array: no chunk is decoded twice, no plug-in is needed."""
    for path in folder.glob("*.h5"):
        with h5py.File(path) as file:
            for name, data in file.items():
                assert data.chunks is None and data.compression is None, name
                assert data.id.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS, name


def test_a_file_cut_short_while_it_is_read_is_an_error(folder):
    """Where a memory map would end the process, the sample is named instead."""
    shards = open_shards(folder)
    before = shards[0]
    path = folder / shards.card["shards"][0]["file"]
    os.truncate(path, 3000)

    with pytest.raises(UnsafeInput, match=r"row 0: the file has been cut short"):
        shards[0]
    assert before.any()


def test_more_shards_than_may_be_open(folder, monkeypatch):
    """Files are closed and opened again as they are needed."""
    monkeypatch.setattr("mapmaker.shards.reader.MANY_FILES", 1)
    shards = open_shards(folder)

    assert add_up(shards) == add_up(open_shards(folder))
    assert len(shards._files) == 1


def test_h5py_alone_reads_what_we_read(folder):
    """Each sample and column is a plain array anybody can open."""
    shards = open_shards(folder)

    found, ids = [], []
    for line in shards.card["shards"]:
        with h5py.File(folder / line["file"], "r") as file:
            assert file.attrs["split"] == line["split"]
            assert json.loads(file.attrs["recipe"]) == shards.card["recipe"]
            ids.append(file["sha256"][:])
            if "images" in file:
                found.append(file["images"][:])

    assert np.array_equal(np.concatenate(ids), shards.column("sha256"))
    assert not found or np.array_equal(np.concatenate(found), shards.load(shards.indices("all")))


def test_splits_share_no_group_and_leave_nothing_out(folder):
    """train and held-out are apart by map and together are all."""
    shards = open_shards(folder)

    train, held = shards.indices("train"), shards.indices("held-out")
    groups = shards.column("group")

    assert len(held) > 0
    assert sorted([*train, *held]) == list(range(len(shards)))
    assert not set(groups[train]) & set(groups[held])


def test_load_keeps_the_order_asked_for(folder):
    """Indices may repeat, run backwards and be negative."""
    shards = open_shards(folder)

    batch = shards.load([5, 0, 5, -1])

    assert batch.shape == (4, 32, 32, 3)
    assert np.array_equal(batch[0], batch[2])
    assert np.array_equal(batch[3], shards[len(shards) - 1])
    assert np.array_equal(batch[1], shards[0])


def test_an_index_outside_is_an_error(raw):
    """Nothing wraps around silently."""
    shards = open_shards(raw)

    with pytest.raises(IndexError, match="samples"):
        shards.load([0, len(shards)])


def test_it_pickles_small_and_without_a_file(folder):
    """Beside the list of shards under a kilobyte travels; the copy reads the same."""
    shards = open_shards(folder)
    before = add_up(shards)
    index = len(pickle.dumps([shards._shards, shards.card["shards"]]))

    packed = pickle.dumps(shards)

    assert len(packed) - index < 1000
    assert index < 1000 * len(shards.card["shards"])
    assert add_up(pickle.loads(packed)) == before


class Samples:
    """A data set as torch wants one, at the top of a module so that it can be sent."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, index: int):
        import torch

        return torch.from_numpy(self.shards[index])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # 3.12 on: that is the test
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # more than cores
@pytest.mark.parametrize(
    ("method", "workers"), [(None, 0), ("fork", 2), ("fork", 4), ("spawn", 1), ("forkserver", 1)]
)
def test_loaders_give_the_same_batches(raw, method, workers):
    """However many workers torch's DataLoader has and however they are started."""
    from torch.utils.data import DataLoader

    shards = open_shards(raw)
    first = shards[0]  # a file is open when the workers begin
    order = np.random.default_rng(0).permutation(len(shards)).tolist()
    loader = DataLoader(
        Samples(shards), 5, sampler=order, num_workers=workers, multiprocessing_context=method
    )

    batches = [batch.numpy() for batch in loader]

    assert np.array_equal(np.concatenate(batches), shards.load(order))
    assert np.array_equal(first, shards[0])


def test_threads_read_the_same(folder):
    """Eight threads on one fresh reader agree."""
    shards, sums = open_shards(folder), []

    threads = [threading.Thread(target=lambda: sums.append(add_up(shards))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sums == [add_up(open_shards(folder))] * 8


def test_columns_say_where_each_sample_comes_from(raw):
    """Cell size, squares, scale and origin belong to the sample beside them."""
    shards = open_shards(raw)

    assert set(shards.column("squares")) == {4}
    assert set(shards.column("cell_px")) == {8.0}
    assert np.allclose(shards.column("scale"), 32 / 40)
    assert set(shards.column("map_id")) == {f"map-{n}" for n in range(12)}
    assert shards.nbytes == len(shards) * 32 * 32 * 3


def test_verify_names_the_row_of_a_flipped_bit(folder):
    """One bit of one pixel: the file, the row and its map are named, and the remedy."""
    shards = open_shards(folder)
    check_whole(shards)
    path = folder / "00001.h5"
    data = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        name = "images" if "images" in file else "bytes"
        end = file[name].id.get_offset() + file[name].nbytes
        owner = file["map_id"][-1].decode()
    data[end - 10] ^= 4
    path.write_bytes(data)

    with pytest.raises(
        UnsafeInput, match=rf"00001\.h5 .*row \d+: the sample .*, of {owner}"
    ) as caught:
        check_whole(open_shards(folder))

    assert "mapmaker pack" in caught.value.hint


def test_verify_sees_a_flipped_bit_in_a_column(raw):
    """A changed label counts as damage too."""
    path = raw / "00000.h5"
    with h5py.File(path) as file:
        where = file["group"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)

    with pytest.raises(UnsafeInput, match="row 0: what describes the sample"):
        check_whole(open_shards(raw))


def test_a_missing_or_shortened_shard_is_an_error_at_once(raw):
    """Opening looks at every file: no fill values, no bus error later."""
    first, second = sorted(raw.glob("*.h5"))[:2]
    first.write_bytes(first.read_bytes()[:-1])

    with pytest.raises(UnsafeInput, match=r"00000\.h5 has \d+ bytes"):
        open_shards(raw)
    first.unlink()
    with pytest.raises(UnsafeInput, match=r"00000\.h5 is missing"):
        open_shards(raw)
    assert second.exists()


def test_no_shards_says_what_to_run(tmp_path):
    """An empty folder is no traceback."""
    with pytest.raises(MapmakerError, match="holds no shards") as caught:
        open_shards(tmp_path)

    assert "mapmaker pack" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"size": 10**9},
        {"size": "32"},
        {"layout": "pickle"},
        {"schema": "other/1"},
        {"shards": []},
        {"shards": [{"file": "../../etc/passwd", "split": "train", "count": 1, "bytes": 1}]},
        {"shards": [None]},
    ],
)
def test_a_hostile_card_is_refused(raw, change):
    """The card is read as a stranger's: sizes, names and types are checked first."""
    card = json.loads((raw / "card.json").read_text())
    (raw / "card.json").write_text(json.dumps(card | change))

    with pytest.raises(UnsafeInput, match=r"card\.json"):
        open_shards(raw)


def test_reading_changes_nothing(folder):
    """Opening, loading and verifying leave every byte as it was."""
    before = contents(folder)

    shards = open_shards(folder)
    check_whole(shards)
    add_up(shards)

    assert contents(folder) == before


def test_contact_sheet_shows_samples_of_all_shards(folder):
    """Asking for more pictures than there are gives all of them."""
    page = contact_sheet(folder, 99, columns=8, cell_px=32)

    rows = -(-len(open_shards(folder)) // 8)
    assert page.width == 8 * 36 + 4
    assert page.height == rows * 52 + 4


def test_somebody_else_may_have_the_file_open(raw):
    """A notebook that holds a shard open with h5py, for reading or even writing, is no obstacle."""
    wanted = add_up(open_shards(raw))
    for mode in ("r", "r+"):
        with h5py.File(raw / "00000.h5", mode):
            assert add_up(open_shards(raw)) == wanted
