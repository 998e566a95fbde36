"""From kept pictures to shards: the same samples however, whenever and wherever they are made."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from shard_tools import (
    SMALL,
    add_pictures,
    contents,
    draw_map,
    kept_from_file,
    make_dataset,
    mark_corner,
    pack_all,
)

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, Stopped
from mapmaker.events import Note, Step
from mapmaker.shards.config import PackConfig
from mapmaker.shards.deal import held_out
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import open_shards
from mapmaker.shards.rows import check_whole
from mapmaker.shards.writer import group_number
from mapmaker.workspace import Workspace


@pytest.fixture(autouse=True)
def _kept(monkeypatch):
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)


def test_done_and_card_say_what_was_made(tmp_path):
    """Counts agree between Done, the card and the reader; every shard belongs to one split."""
    dataset = make_dataset(tmp_path, count=24)

    done, events = pack_all(dataset)
    shards = open_shards(dataset.shards(32))

    assert done.exit_code == 0
    assert done.data["count"] == len(shards) == 24
    assert (
        done.data["shards"] == len(shards.card["shards"]) == len(list(shards.folder.glob("*.h5")))
    )
    assert sum(s["count"] for s in shards.card["splits"].values()) == 24
    assert shards.card["licenses"] == {"CC0-1.0": 24}
    assert max(e.done for e in events if isinstance(e, Step)) == 24
    names = {p.name for p in shards.folder.iterdir()} - {".lock"}
    beside = {"card.json", "croissant.json", "README.md", "samples.jsonl"}
    assert names == beside | {line["file"] for line in shards.card["shards"]}


def test_packing_twice_changes_nothing_and_says_so(tmp_path):
    """The second run touches no file."""
    dataset = make_dataset(tmp_path)
    pack_all(dataset)
    before = {p: p.stat().st_mtime_ns for p in dataset.shards(32).iterdir() if p.suffix}

    done, events = pack_all(dataset)

    assert "nothing to do" in next(e.text for e in events if isinstance(e, Note))
    assert done.data["written"] == 0
    assert {p: p.stat().st_mtime_ns for p in dataset.shards(32).iterdir() if p.suffix} == before


def test_held_out_groups_stay_when_others_come():
    """A group's split depends on its name alone; ten groups hold out at least one."""
    groups = [f"map-{n}" for n in range(400)]

    all_held = held_out(groups, 0.1)

    assert 20 <= len(all_held) <= 60
    some = held_out(groups[:200], 0.1)
    assert some == all_held & set(groups[:200])
    assert held_out(groups[:9], 0.1) == set()
    assert len(held_out([f"g{n}" for n in range(10)], 1e-9)) == 1
    assert held_out(groups, 0.0) == set()


def test_no_group_is_in_two_splits(tmp_path):
    """All crops and views of one map, and its other floors, are on one side."""
    dataset = make_dataset(tmp_path, count=24, cells=(9, 8))

    pack_all(dataset, augment="mirror", held_out=0.3)
    shards = open_shards(dataset.shards(32))
    groups = shards.column("group")
    train, held = (set(groups[shards.indices(s)]) for s in ("train", "held-out"))

    assert train and held and not train & held
    assert train | held == {group_number(f"map-{n}") for n in range(12)}


def test_unknown_grid_is_packed_and_marked(tmp_path):
    """A picture without a grid has squares 0 and cell_px 0; one enlarged has its scale above 1."""
    dataset = Workspace(tmp_path).dataset("maps")
    add_pictures(dataset, [mark_corner(Image.new("RGB", (20, 20), "olive"))], None)

    _, events = pack_all(dataset, size=64)
    shards = open_shards(dataset.shards(64))

    assert shards.column("squares").tolist() == [0]
    assert shards.column("cell_px").tolist() == [0.0]
    assert shards.column("scale").tolist() == pytest.approx([64 / 20])
    said = next(e.text for e in events if isinstance(e, Note))
    assert "1 pictures have no known grid; 1 crops are enlarged more than twice" in said


def test_a_changed_recipe_replaces_the_shards_at_the_end(tmp_path):
    """Until the new card stands the old shards are whole; afterwards only the new ones are left."""
    dataset = make_dataset(tmp_path, count=24)
    folder = dataset.shards(32)
    pack_all(dataset)
    old = contents(folder)

    for event in pack(dataset, PackConfig(**SMALL | {"squares": 3})):
        if (folder / "card.json").read_bytes() and isinstance(event, Step):
            now = contents(folder)
            assert {name: now[name] for name in old} == old
            check_whole(open_shards(folder))

    shards = open_shards(folder)
    check_whole(shards)
    assert set(shards.column("squares")) == {3}
    assert {p.name for p in folder.glob("*.h5")} == {s["file"] for s in shards.card["shards"]}


def test_a_damaged_shard_alone_is_written_again(tmp_path):
    """After a flipped bit `pack` repairs one file and leaves the others as they were."""
    dataset = make_dataset(tmp_path, count=24)
    folder = dataset.shards(32)
    pack_all(dataset)
    before = contents(folder)
    data = bytearray((folder / "00001.h5").read_bytes())
    data[-5] ^= 1
    (folder / "00001.h5").write_bytes(data)

    done, _ = pack_all(dataset)

    assert done.data["written"] == 1
    assert contents(folder) == before


def test_finished_shards_without_a_card_are_used_again_if_whole(tmp_path):
    """A run killed before its card leaves shards that say what they hold; a damaged one is remade,
    and so are those of another recipe."""
    dataset = make_dataset(tmp_path, count=24)
    folder = dataset.shards(32)
    pack_all(dataset)
    before = contents(folder)
    (folder / "card.json").unlink()
    data = bytearray((folder / "00001.h5").read_bytes())
    data[-5] ^= 1
    (folder / "00001.h5").write_bytes(data)

    done, _ = pack_all(dataset)

    assert done.data["written"] == 1
    assert contents(folder) == before
    (folder / "card.json").unlink()
    other = pack_all(dataset, squares=3)[0].data
    assert other["written"] == other["shards"]


def test_encoded_is_close_and_smaller(tmp_path):
    """JPEG shards hold the same samples within a few levels in a fraction of the bytes."""
    plain, small = make_dataset(tmp_path / "1"), make_dataset(tmp_path / "2")

    raw, _ = pack_all(plain, size=128)
    encoded, _ = pack_all(small, size=128, layout="encoded")
    one, two = (open_shards(d.shards(128)) for d in (plain, small))
    every = one.indices("all")
    off = np.abs(one.load(every).astype(int) - two.load(every)).mean()

    assert len(one) == len(two)
    assert np.array_equal(one.column("sha256"), two.column("sha256"))
    assert off < 4
    assert encoded.data["bytes"] < raw.data["bytes"] / 2


def test_a_picture_that_changed_is_left_out_and_named(tmp_path):
    """Bytes other than those that were kept, or none, cost that picture only: exit code 4."""
    dataset = make_dataset(tmp_path)
    rows = kept_from_file(dataset)
    Image.new("RGB", (50, 50)).save(dataset.root / rows[0]["file"])
    (dataset.root / rows[1]["file"]).unlink()

    done, events = pack_all(dataset)
    said = " ".join(e.text for e in events if isinstance(e, Note))

    assert done.exit_code == 4
    assert done.data["left_out"] == 2 and done.data["pictures"] == 10
    assert "map-00.png is not the file the manifest lists" in said
    assert "map-01.png is gone" in said
    assert [r["id"] for r in open_shards(dataset.shards(32)).card["left_out"]] == sorted(
        r["id"] for r in rows[:2]
    )


@pytest.mark.parametrize("rows", ["[]", "all broken"])
def test_nothing_to_pack_is_one_clear_error(tmp_path, rows):
    """No kept picture, or none that can be read, names the data set and the remedy."""
    dataset = make_dataset(tmp_path, count=3)
    if rows == "[]":
        (dataset.root / "kept.json").write_text(rows)
    else:
        for path in dataset.pictures.iterdir():
            path.write_text("not a picture")

    with pytest.raises(MapmakerError, match=r"[Nn]o(ne)? .*pictures?") as caught:
        pack_all(dataset)

    assert "mport" in caught.value.hint
    assert not (dataset.shards(32) / "card.json").exists()


def test_a_file_where_the_folder_belongs_is_named(tmp_path):
    """Not a traceback but the path and what to do."""
    dataset = make_dataset(tmp_path, count=3)
    (dataset.root / "shards").write_text("in the way")

    with pytest.raises(MissingPart, match="shards"):
        pack_all(dataset)


def test_a_second_pack_of_the_same_folder_waits_its_turn(tmp_path):
    """Two writers never share a folder."""
    dataset = make_dataset(tmp_path)
    first = pack(dataset, PackConfig(**SMALL))
    next(first)

    with pytest.raises(MissingPart, match="Another mapmaker"):
        pack_all(dataset)

    first.close()
    assert pack_all(dataset)[0].data["count"] == 12


def test_a_signal_stops_between_shards_and_keeps_them(tmp_path, monkeypatch):
    """Ctrl-C ends with what to do next; the shards that were done are not made again."""
    import signal

    dataset = make_dataset(tmp_path, count=24)
    running = pack(dataset, PackConfig(**SMALL))

    with pytest.raises(Stopped, match=r"1 of \d shards") as caught:
        for event in running:
            if isinstance(event, Step) and event.note == "writing":
                signal.raise_signal(signal.SIGINT)

    assert caught.value.exit_code == 130
    again = pack_all(dataset)[0].data
    assert again["written"] == again["shards"] - 1 > 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 7},
        {"size": 5000},
        {"squares": 0},
        {"crops": 0},
        {"views": 9},
        {"augment": "elastic"},
        {"layout": "gzip"},
        {"held_out": 1.0},
        {"engine": "dusk"},
        {"engine": "processes:0"},
        {"engine": "dask:nowhere"},
        {"light": "dim"},
        {"min_detail": 2.0},
        {"seed": -1},
    ],
)
def test_values_nobody_can_work_with(wrong):
    """Each is refused when the config is made, with what would do."""
    with pytest.raises(BadConfig) as caught:
        PackConfig(**wrong)

    assert caught.value.hint


def test_the_recipe_leaves_out_only_who_works_and_which_pictures_come():
    """How the work is shared out is not part of what comes out; the pictures are counted apart."""
    assert replace(PackConfig(), engine="serial").recipe() == PackConfig().recipe()
    apart = ("engine", "licenses", "pipeline")
    assert set(PackConfig().recipe()) == {
        "schema",
        *(f for f in PackConfig.__dataclass_fields__ if f not in apart),
    }


def test_pruned_pictures_reach_the_shards(tmp_path, monkeypatch):
    """The real thing once: what prune keeps, and only that, is packed."""
    from mapmaker.prune.config import PruneConfig
    from mapmaker.prune.decisions import Decisions
    from mapmaker.prune.kept import kept
    from mapmaker.prune.prune import prune

    monkeypatch.setattr("mapmaker.shards.pack.kept", kept)
    dataset = Workspace(tmp_path).dataset("maps")
    add_pictures(dataset, [draw_map(n, (16, 16), 40) for n in range(4)], None, per_group=1)
    rows = [
        {k: r.get(k) for k in ("id", "file", "map_id", "license", "title")}
        for r in kept_from_file(dataset)
    ]
    dataset.manifest.write_text("".join(json.dumps(r) + "\n" for r in rows))
    list(prune(dataset, PruneConfig()))
    decisions = Decisions(dataset.decisions)
    decisions.mark(rows[0]["id"], "drop", "test", "a test")
    decisions.close()

    pack_all(dataset, squares=15)
    ids = {bytes(row).hex() for row in open_shards(dataset.shards(32)).column("sha256")}

    assert ids == {row["id"] for row in rows[1:]}
