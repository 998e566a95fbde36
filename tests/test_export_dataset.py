"""Exports that other people's tools read: ImageFolder and WebDataset, whole or not at all."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile

import pytest
from PIL import Image
from prune_pictures import add, make_dataset, painted

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, Stopped
from mapmaker.events import Step, finish
from mapmaker.files import sha256_of
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.prune import prune
from mapmaker.prune.tombstones import forget
from mapmaker.shards.config import PackConfig
from mapmaker.shards.export.config import ExportConfig
from mapmaker.shards.export.export import export
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import open_shards
from mapmaker.workspace import Workspace

SMALL = {"size": 32, "squares": 4, "augment": "d4", "engine": "serial", "held_out": 0.2}


@pytest.fixture
def dataset(tmp_path):
    """Fourteen pictures, two of one map, packed at 32 px."""
    dataset = make_dataset(tmp_path)
    for seed in range(14):
        suffix = "jpg" if seed % 3 == 0 else "png"
        known = {"map_id": f"map-{seed // 2}" if seed < 4 else f"map-{seed}", "license": "CC0-1.0"}
        known |= {"picture_url": f"http://maps.example/{seed}", "title": f"Mâp {seed}"}
        add(dataset, f"m{seed}.{suffix}", painted(seed, 96), **known)
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))
    finish(pack(dataset, PackConfig(**SMALL)))
    return dataset


def exported(dataset, home, **options):
    done = finish(export(dataset, ExportConfig(**options), home))
    return done, home / done.data["out"]


def contents(folder):
    return {str(p.relative_to(folder)): sha256_of(p) for p in folder.rglob("*") if p.is_file()}


def metadata(folder, split):
    """Read a split as the format says: a folder of pictures, and a line for each of them."""
    lines = [json.loads(x) for x in (folder / split / "metadata.jsonl").read_text().splitlines()]
    names = {line["file_name"] for line in lines}
    pictures = {p.name for p in (folder / split).iterdir()} - {"metadata.jsonl"}
    assert names == pictures and len(names) == len(lines)
    # The same columns of the same types in every line: loaders guess them split by split.
    assert len({tuple((k, type(v)) for k, v in line.items()) for line in lines}) == 1
    assert {type(v) for line in lines for v in line.values()} <= {str, int, float}
    return lines


def test_imagefolder_holds_the_samples_bit_for_bit(dataset, tmp_path):
    """Every sample is a PNG with its pixels; the splits are those of the shards."""
    done, out = exported(dataset, tmp_path)
    shards = open_shards(dataset.shards(32))
    by_key = {}
    for n, id in enumerate(shards.column("sha256")):
        crop, view = shards.column("crop")[n], shards.column("variant")[n]
        by_key[f"{bytes(id).hex()[:16]}-{crop:02d}-{view}"] = n

    for split, ours in (("train", "train"), ("test", "held-out")):
        lines = metadata(out, split)
        numbers = [by_key[line["key"]] for line in lines]
        assert sorted(numbers) == shards.indices(ours).tolist()
        for number, line in zip(numbers, lines, strict=True):
            with Image.open(out / split / line["file_name"]) as image:
                assert image.mode == "RGB"
                assert image.tobytes() == shards[number].tobytes()
            assert line["license"] == "CC0-1.0" and line["decision"] == "undecided"
    groups = [{line["group"] for line in metadata(out, s)} for s in ("train", "test")]
    assert not groups[0] & groups[1]
    assert done.data["count"] == len(shards) == sum(done.data["splits"].values())


def test_jpeg_samples_are_not_saved_again(dataset, tmp_path):
    """From encoded shards the very bytes of each JPEG are exported."""
    finish(pack(dataset, PackConfig(**SMALL | {"layout": "encoded"})))
    _, out = exported(dataset, tmp_path)
    shards = open_shards(dataset.shards(32))

    files = [p.read_bytes() for p in out.rglob("*.jpg")]

    rows = [(n, r) for n, s in enumerate(shards.card["shards"]) for r in range(s["count"])]
    assert sorted(files) == sorted(bytes(shards.stored(*place)) for place in rows)


@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
def test_whole_pictures_go_as_they_came(dataset, tmp_path, form):
    """--whole: the kept files byte for byte, once each, split by map."""
    _, out = exported(dataset, tmp_path, to=form, whole=True)

    if form == "imagefolder":
        files = [p for s in ("train", "test") for p in (out / s).iterdir() if p.suffix != ".jsonl"]
        found = sorted(sha256_of(p) for p in files)
    else:
        members = [m for tar in out.rglob("*.tar") for m in pairs(tar)]
        found = sorted(json.loads(text)["picture"] for _, _, text in members)
    assert found == sorted(row["id"] for row in dataset.rows())


def pairs(path):
    """Read a tar as WebDataset does: consecutive members with one key are one sample."""
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        data = [tar.extractfile(m).read() for m in members]
    assert all(m.mtime == 0 and m.uid == m.gid == 0 and m.isfile() for m in members)
    keys = [m.name.split(".")[0] for m in members]
    assert keys[::2] == keys[1::2] and len(set(keys)) * 2 == len(keys)
    return list(zip(keys[::2], data[::2], data[1::2], strict=True))


def test_webdataset_pairs_each_picture_with_what_is_known(dataset, tmp_path):
    """key.png and key.json side by side, in tars no larger than asked for."""
    _, out = exported(dataset, tmp_path, to="webdataset", tar_mb=0.02)
    shards = open_shards(dataset.shards(32))

    tars = sorted(out.glob("*/*.tar"))
    samples = [sample for tar in tars for sample in pairs(tar)]

    assert len(tars) > 4 and tars[0].name == "00000.tar"
    assert len(samples) == len(shards)
    for key, picture, text in samples:
        assert json.loads(text)["key"] == key and json.loads(text)["title"].startswith("Mâp")
        with Image.open(io.BytesIO(picture)) as image:
            assert image.size == (32, 32)


@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
def test_two_exports_are_the_same_bytes(dataset, tmp_path, form):
    """Into another folder, and again into the same one: nothing differs, nothing is touched."""
    _, one = exported(dataset, tmp_path, to=form)
    _, two = exported(dataset, tmp_path, to=form, out=tmp_path / "elsewhere")
    times = {p: p.stat().st_mtime_ns for p in one.rglob("*")}
    again, _ = exported(dataset, tmp_path, to=form)

    assert contents(one) == contents(two)
    assert again.data["count"] == len(open_shards(dataset.shards(32)))
    assert {p: p.stat().st_mtime_ns for p in one.rglob("*")} == times


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, in mlcroissant
def test_croissant_loads_the_pictures_with_their_lines(dataset, tmp_path):
    """mlcroissant gives each picture of the export joined with its licence and address."""
    mlc = pytest.importorskip("mlcroissant")
    _, out = exported(dataset, tmp_path)

    records = list(mlc.Dataset(jsonld=out / "croissant.json").records("train"))

    lines = {line["file_name"]: line for line in metadata(out, "train")}
    assert len(records) == len(lines)
    for record in records:
        line = lines[record["train/file_name"].decode()]
        assert record["train/image"].size == (32, 32)
        assert record["train/source_url"].decode() == line["source_url"]
        assert record["train/license"] == b"CC0-1.0"


@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
def test_a_stopped_export_goes_on(dataset, tmp_path, form, monkeypatch):
    """Ctrl-C leaves no half export under its name; the same command makes the rest of the files."""
    _, whole = exported(dataset, tmp_path, to=form, out=tmp_path / "whole", tar_mb=0.02)
    config = ExportConfig(to=form, tar_mb=0.02)
    events = export(dataset, config, tmp_path)
    with pytest.raises(Stopped):
        for event in events:
            if isinstance(event, Step) and event.done == 9:
                signal.raise_signal(signal.SIGINT)
    out = tmp_path / "exports" / f"own-32-{form}"
    assert not out.exists()
    beside = out.with_name(f".{out.name}.partial")
    first = {p: p.stat().st_ino for p in beside.rglob("*.*") if p.suffix in (".png", ".tar")}

    finish(export(dataset, config, tmp_path))

    assert first and all(
        (out / p.relative_to(beside)).stat().st_ino == inode for p, inode in first.items()
    )
    assert contents(out) == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
@pytest.mark.parametrize("moment", [2, 6, 11, 17])
def test_kill_nine_leaves_nothing_half(dataset, tmp_path, form, moment):
    """SIGKILL at some file operation: no export has its name; the next run equals a whole one."""
    _, whole = exported(dataset, tmp_path, to=form, out=tmp_path / "whole", tar_mb=0.02)
    script = f"""
import os, signal, pathlib
from mapmaker.events import finish
from mapmaker.shards.export.config import ExportConfig
from mapmaker.shards.export.export import export
from mapmaker.workspace import Workspace
home, left, real = pathlib.Path({str(tmp_path)!r}), [{moment}], os.fsync
def dying(handle):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(handle)
os.fsync = dying
config = ExportConfig(to={form!r}, tar_mb=0.02)
finish(export(Workspace(home).dataset("own"), config, home))
"""
    died = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    out = tmp_path / "exports" / f"own-32-{form}"
    assert not out.exists()

    finish(export(dataset, ExportConfig(to=form, tar_mb=0.02), tmp_path))

    assert contents(out) == contents(whole)


def test_what_stands_in_the_way_is_never_overwritten(dataset, tmp_path):
    """A folder with somebody's files, or an older export, is left alone with a hint."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")

    with pytest.raises(MapmakerError, match="something else"):
        exported(dataset, tmp_path, out=mine)
    exported(dataset, tmp_path, out=tmp_path / "empty")
    (dataset.root / "PROVENANCE.csv").write_text("file,license\nm1.png,MIT\n")
    finish(pack(dataset, PackConfig(**SMALL)))
    with pytest.raises(MapmakerError) as older:
        exported(dataset, tmp_path, out=tmp_path / "empty")

    assert "--out" in older.value.hint
    assert (mine / "notes.txt").read_text() == "mine" and len(list(mine.iterdir())) == 1


def test_what_is_refused_is_not_exported(dataset, tmp_path):
    """After a removal the old shards are no source any more; whole pictures leave it out."""
    gone = dataset.rows()[5]["id"]
    finish(forget(Workspace(tmp_path), dataset, [gone]))

    with pytest.raises(MapmakerError, match="no longer kept"):
        exported(dataset, tmp_path)
    _, out = exported(dataset, tmp_path, whole=True)

    told = [line for s in ("train", "test") for line in metadata(out, s)]
    assert len(told) == 13 and gone not in {line["picture"] for line in told}


def test_a_picture_gone_bad_is_left_out_and_said(dataset, tmp_path):
    """Exit code 4, a reason; the others are exported."""
    row = dataset.rows()[4]
    (dataset.root / row["file"]).write_bytes(b"no picture any more")

    done, out = exported(dataset, tmp_path, whole=True)

    assert done.exit_code == 4 and len(done.data["left_out"]) == 1
    assert "bytes have changed" in done.data["left_out"][0]["reason"]
    assert sum(len(metadata(out, s)) for s in ("train", "test")) == done.data["count"] == 13


def test_a_full_disk_is_one_clear_line(dataset, tmp_path, monkeypatch):
    """Room is asked for before the first file is written."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: os.statvfs_result([0] * 10) and Full())

    with pytest.raises(MissingPart, match="MB free"):
        exported(dataset, tmp_path)


class Full:
    free = 10


def test_the_command(mapmaker, dataset, tmp_path):
    """export writes, says where, and asks when it must be told more."""
    done = mapmaker("export", "own", "--to", "webdataset", "--json")
    dry = mapmaker("export", "own", "--to", "imagefolder", "--dry-run")
    finish(pack(dataset, PackConfig(**SMALL | {"size": 64})))
    which = mapmaker("export", "own", "--to", "imagefolder")

    assert done.code == 0
    assert json.loads(done.out)["out"] == str(tmp_path / "exports" / "own-32-webdataset")
    assert "imagefolder" in dry.out and not (tmp_path / "exports/own-32-imagefolder").exists()
    assert which.code == 1 and "32, 64 px" in which.err and "--size" in which.err
    assert mapmaker("export", "own", "--to", "parquet").code == 2
    with pytest.raises(BadConfig):
        ExportConfig(whole=True, size=32)


def test_a_sample_that_changed_is_left_out_and_named(dataset, tmp_path):
    """A flipped bit in a shard does not travel on under a good name."""
    shards = open_shards(dataset.shards(32))
    path = dataset.shards(32) / shards.card["shards"][0]["file"]
    data = bytearray(path.read_bytes())
    at = data.index(bytes(shards.stored(0, 5)))
    data[at + 40] ^= 1
    path.write_bytes(data)

    done, _ = exported(dataset, tmp_path, to="imagefolder")

    assert done.exit_code == 4 and done.data["count"] == len(shards) - 1
    assert "Row 5 of 00000.h5" in done.data["left_out"][0]["reason"]


def test_a_place_that_takes_no_folders_is_one_clear_line(dataset, mapmaker, tmp_path):
    """/proc is no place to export to, and the answer says so."""
    done = mapmaker("export", "own", "--to", "imagefolder", "--out", "/proc/x")

    assert done.code == 5 and "cannot be made" in done.err and "Traceback" not in done.err
