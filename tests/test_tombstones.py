"""What somebody asked to be removed stays away: from the manifest, the shards and the next run."""

import json
import signal
import subprocess
import sys

import pytest
from consent_tools import encoded, site, write_card
from PIL import Image
from prune_pictures import painted

from mapmaker.errors import MapmakerError, UnknownName
from mapmaker.events import finish
from mapmaker.files import read_lines, sha256_of
from mapmaker.prune import quarantine
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.kept import kept, refused
from mapmaker.prune.prune import prune
from mapmaker.prune.tombstones import forget, restore
from mapmaker.scrape.config import ImportConfig, ScrapeConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.scrape.scrape import scrape
from mapmaker.scrape.tombstones import Tombstones, shared, standing
from mapmaker.shards.config import PackConfig
from mapmaker.shards.export.config import ExportConfig
from mapmaker.shards.export.export import export
from mapmaker.shards.pack import pack

SMALL = {"size": 32, "squares": 4, "augment": "none", "engine": "serial", "held_out": 0.0}
TURNS = [None, *Image.Transpose]


@pytest.fixture
def folder(tmp_path):
    """Four pictures of one's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for seed in range(4):
        painted(seed, 200).save(folder / f"m{seed}.png")
    return folder


def taken_in(workspace, folder, name="own"):
    return finish(import_pictures(workspace, [folder], ImportConfig(name=name)))


def look_at(dataset):
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))


def ids(dataset) -> dict[str, str]:
    return {row["map_id"]: row["id"] for row in dataset.rows()}


def gone(dataset) -> dict[str, str]:
    return {g["picture_url"]: g["reason"] for g in read_lines(dataset.gaps)}


def test_a_forgotten_picture_leaves_the_set_and_no_import_brings_it_back(workspace, folder):
    """Its file is in dropped/, its row is a gap; the same bytes, another name, are refused."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    file, id = dataset.rows()[1]["file"], dataset.rows()[1]["id"]

    done = finish(forget(workspace, dataset, [id[:12]], reason="the artist asked"))
    (folder / "m1.png").rename(folder / "other-name.png")
    again = taken_in(workspace, folder)

    assert done.data["removed"] == [id] and done.data["files"] == [file]
    assert (dataset.root / "dropped" / file).exists() and not (dataset.root / file).exists()
    assert set(ids(dataset)) == {"m0", "m2", "m3"}
    assert gone(dataset) == {"m1.png": "removed", "other-name.png": "removed"}
    assert again.data["gaps"] == {"removed": 1}
    assert again.exit_code == 0  # nothing went wrong: it was asked for


@pytest.mark.parametrize("turn", TURNS, ids=lambda t: t.name.lower() if t is not None else "same")
def test_a_copy_is_refused_however_it_is_turned_and_saved(workspace, folder, turn):
    """All eight orientations, shrunk, darkened and saved as a JPEG of quality 60."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    finish(forget(workspace, dataset, [f"m2_{ids(dataset)['m2'][:8]}.png"]))
    copy = painted(2, 200) if turn is None else painted(2, 200).transpose(turn)
    copies = folder.parent / "copies"
    copies.mkdir()
    copy.resize((140, 140)).point(lambda v: v * 3 // 4).save(
        copies / "found-elsewhere.jpg", quality=60
    )
    painted(9, 200).save(copies / "another.png")

    taken_in(workspace, copies)

    assert gone(dataset)["found-elsewhere.jpg"] == "removed"
    assert set(ids(dataset)) == {"m0", "m1", "m3", "another"}


def test_another_data_set_cannot_take_it_in_either(workspace, folder):
    """The list beside the data sets holds for all of them; what they have already is refused."""
    taken_in(workspace, folder)
    taken_in(workspace, folder, name="before")
    own, before = workspace.dataset("own"), workspace.dataset("before")
    id = ids(own)["m3"]

    done = finish(forget(workspace, own, [id]))
    taken_in(workspace, folder, name="after")
    look_at(before)

    assert "m3" not in ids(workspace.dataset("after"))
    assert done.data["held"] == ["data set before, whose pack refuses it"]
    assert refused(before)[id].startswith("removed")
    assert id not in {row["id"] for row in kept(before)}


def test_pack_leaves_out_copies_that_were_there_before(workspace, folder):
    """A copy in the same data set is named by `forget` and never packed, whatever was decided."""
    painted(1, 200).rotate(90).save(folder / "turned.jpg", quality=80)
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    known = ids(dataset)

    done = finish(forget(workspace, dataset, [known["m1"]]))
    look_at(dataset)

    assert [file.split("_")[0] for file in done.data["copies"]] == ["pictures/turned"]
    assert refused(dataset)[known["turned"]] == (
        f"removed: a copy of {known['m1'][:12]}, which was removed"
    )
    assert known["turned"] not in {row["id"] for row in kept(dataset)}


def test_a_scrape_does_not_ask_for_it_again(workspace, tmp_path):
    """By address no request is made; the same bytes or a copy at another address are a gap."""
    first = encoded(painted(1, 120))
    files = {"a.png": ({}, first), "b.png": ({}, encoded(painted(2, 120)))}
    card = str(write_card(tmp_path))
    with site(files) as origin:
        finish(scrape(workspace, card, ScrapeConfig(via=origin, tries=1)))
    dataset = workspace.dataset("anns-maps")
    finish(forget(workspace, dataset, ["http://maps.example/a.png"]))
    small = painted(1, 120).transpose(Image.Transpose.ROTATE_180)
    files |= {"same.png": ({}, first), "copy.jpg": ({}, encoded(small, "JPEG", quality=70))}

    with site(files) as origin:
        done = finish(scrape(workspace, card, ScrapeConfig(via=origin, tries=1)))
        again = finish(scrape(workspace, card, ScrapeConfig(via=origin, tries=1)))

    lost = {url.rsplit("/", 1)[-1]: why for url, why in gone(dataset).items()}
    assert lost == {"a.png": "removed", "same.png": "removed", "copy.jpg": "removed"}
    assert [row["picture_url"] for row in dataset.rows()] == ["http://maps.example/b.png"]
    assert done.data["pictures"] == again.data["pictures"] == 1
    assert again.data["requests"] == 2  # robots.txt and the page


def test_what_was_made_from_it_is_listed(workspace, folder):
    """Shards with the number of samples, exports, and runs by the card they were trained on."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    look_at(dataset)
    finish(pack(dataset, PackConfig(**SMALL)))
    known = ids(dataset)
    for run, card in (("one", sha256_of(dataset.shards(32) / "card.json")), ("two", "0" * 64)):
        data = {"dataset": "own", "size": 32, "card_sha256": card}
        (workspace.checkpoints / run).mkdir(parents=True)
        (workspace.checkpoints / run / "data.json").write_text(json.dumps(data))

    finish(export(dataset, ExportConfig(to="webdataset", out=folder.parent / "out"), folder))

    done = finish(forget(workspace, dataset, [known["m0"]]))
    finish(pack(dataset, PackConfig(**SMALL)))
    later = finish(forget(workspace, dataset, [known["m0"]]))

    assert done.data["held"] == [
        "own/shards/32/00000.h5 (1 samples)",
        f"the export {folder.parent / 'out'}",
        "run one, which was trained on it",
        "run two, perhaps: what its shards held was not written down",
    ]
    assert later.data["held"] == done.data["held"][1:]


def test_erase_leaves_no_byte_of_it(workspace, folder):
    """Picture, walls, thumbnail and measurements are gone; what keeps it out stays."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    look_at(dataset)
    row = next(r for r in dataset.rows() if r["map_id"] == "m1")
    (dataset.root / f"{row['file']}.layout.json").write_text("{}")
    finish(forget(workspace, dataset, [row["id"]]))

    done = finish(forget(workspace, dataset, [row["id"]], erase=True))
    taken_in(workspace, folder)

    left = [p for p in dataset.root.rglob("*") if p.is_file() and "m1_" in p.name]
    assert left == [] and len(done.data["files"]) == 2
    for name in ("features.db", "thumbs.db"):
        data = (dataset.root / name).read_bytes() + (
            (dataset.root / f"{name}-wal").read_bytes()
            if (dataset.root / f"{name}-wal").exists()
            else b""
        )
        assert row["id"].encode() not in data
    assert gone(dataset)["m1.png"] == "removed"
    with pytest.raises(UnknownName):
        finish(restore(dataset, ["nothing"]))


def test_restore_brings_back_the_file_the_row_and_the_right_to_come(workspace, folder):
    """Bit-exact, in its place; marks stand; importing it again is no gap any more."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    before, digest = dataset.rows(), sha256_of(dataset.root / dataset.rows()[2]["file"])
    finish(forget(workspace, dataset, [before[2]["id"]]))
    assert len(dataset.rows()) == 3

    done = finish(restore(dataset, [before[2]["id"][:10]]))

    assert done.data["restored"] == [before[2]["id"]] and done.data["erased"] == []
    assert dataset.rows() == before and gone(dataset) == {}
    assert sha256_of(dataset.root / before[2]["file"]) == digest
    assert taken_in(workspace, folder).data["gaps"] == {}
    assert len(Tombstones.of(dataset)) == 0
    assert len(read_lines(dataset.root / "tombstones.jsonl")) == 2


def test_prune_restore_leaves_removed_pictures_where_they_are(workspace, folder):
    """Bringing dropped pictures back is no way around a removal."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    rows = dataset.rows()
    list(quarantine.set_aside(dataset, rows[:1], {}))
    finish(forget(workspace, dataset, [rows[0]["id"], rows[1]["id"]]))

    finish(prune(dataset, PruneConfig(restore=True)))

    assert not (dataset.root / rows[0]["file"]).exists()
    assert not (dataset.root / rows[1]["file"]).exists()


def test_a_word_must_mean_one_map(workspace, folder):
    """A title or page of several maps is a question back; of one map's sizes it means all."""
    (folder / "PROVENANCE.csv").write_text(
        "file,title,map_id,page_url\n"
        "m0.png,The Keep,keep,http://maps.example/all\n"
        "m1.png,The Keep,keep,http://maps.example/all\n"
        "m2.png,The Mine,mine,http://maps.example/all\n"
    )
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")

    with pytest.raises(MapmakerError, match="2 maps"):
        finish(forget(workspace, dataset, ["http://maps.example/all"]))
    with pytest.raises(UnknownName, match="kepe"):
        finish(forget(workspace, dataset, ["kepe"]))
    done = finish(forget(workspace, dataset, ["the keep"]))

    assert len(done.data["removed"]) == 2
    assert {row["map_id"] for row in dataset.rows()} == {"mine", "m3"}


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(8))
def test_kill_at_any_moment_and_the_same_command_goes_on(workspace, folder, moment):
    """SIGKILL after the n-th file operation: it never comes back, and running again finishes."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    look_at(dataset)
    id = ids(dataset)["m1"]
    script = f"""
import os, signal, pathlib
import mapmaker.files as files
from mapmaker.prune import tombstones
from mapmaker.events import finish
from mapmaker.workspace import Workspace
left = [{moment}]
def dying(real):
    def call(*a, **k):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(*a, **k)
    return call
os.fsync = dying(os.fsync)
pathlib.Path.rename = dying(pathlib.Path.rename)
pathlib.Path.replace = dying(pathlib.Path.replace)
w = Workspace(pathlib.Path({str(workspace.home)!r}))
finish(tombstones.forget(w, w.dataset("own"), [{id!r}]))
"""
    died = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr

    if moment > 0:  # the tombstone is on the disk: nothing may use the picture any more
        assert id in refused(dataset) or id not in ids(dataset).values()
    done = finish(forget(workspace, dataset, [id]))

    assert done.data["removed"] == [id]
    assert "m1" not in ids(dataset) and gone(dataset) == {"m1.png": "removed"}
    assert id in standing(shared(dataset)) and id in standing(dataset.root / "tombstones.jsonl")
    assert not list(dataset.pictures.glob("m1_*"))


def test_the_command_says_what_it_does(mapmaker, folder):
    """forget, --list, --restore, --dry-run and the questions it cannot answer."""
    mapmaker("import", folder)
    row = json.loads((folder.parent / "datasets/own/manifest.jsonl").read_text().splitlines()[0])
    name = row["file"].split("/")[-1]

    dry = mapmaker("forget", "own", name, "--dry-run")
    done = mapmaker("forget", "own", name, "--reason", "the artist asked", "--json")
    listed = mapmaker("forget", "--list")
    back = mapmaker("forget", "own", "--restore", row["id"][:12])
    empty = mapmaker("forget", "--list")

    assert "for good" in dry.out
    assert done.code == 0 and json.loads(done.out)["removed"] == [row["id"]]
    assert row["id"][:12] in listed.out and "the artist asked" in listed.out
    assert back.code == 0 and "1 removals taken back" in back.out
    assert empty.out == "No picture was removed.\n"
    assert mapmaker("forget").code == 2
    assert mapmaker("forget", "own").code == 2
    assert mapmaker("forget", "own", "nobody").code == 2
    assert mapmaker("forget", "nowhere", "x").code == 2
