"""Bad input, through the command line: one clear line, the documented exit code, nothing lost."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_picture import bomb_png

from mapmaker import layout
from mapmaker.picture import open_picture

AS_ROOT = os.geteuid() == 0


def one_line(result, code: int, *words: str) -> None:
    """The result is an error of `code`, told in one line that holds every one of `words`."""
    errors = [line for line in result.err.splitlines() if line.startswith("Error:")]
    assert result.code == code, result.err
    assert len(errors) == 1 and "Traceback" not in result.err
    for word in words:
        assert word in errors[0], errors[0]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small maps, drawn by rule."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(12):
        layout.render(layout.plan("dungeon", seed), 10).save(folder / f"map-{seed}.png")
    return folder


@pytest.fixture(scope="module")
def trained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a data set, shards at 32 px and a short run; copied by those who harm it."""
    from mapmaker.cli.border import run_line

    home = tmp_path_factory.mktemp("home")
    line = f"--home {home} import {pictures} --name mine prune --auto --min-side-px 64 --size 32"
    code = run_line([*line.split(), "train", "--size", "32", "--kimg", "0.05", "--batch", "8"])
    assert code == 0
    return home


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "home"))


def flip_a_bit(path: Path) -> None:
    """Flip one bit in the middle of the file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_missing_folder(mapmaker, tmp_path):
    """A path that is not there: which."""
    one_line(mapmaker("import", tmp_path / "nowhere", "--name", "x"), 1, "nowhere")


def test_an_empty_folder(mapmaker, tmp_path):
    """A folder without a single picture: which, and what would do."""
    (tmp_path / "empty").mkdir()

    one_line(mapmaker("import", tmp_path / "empty", "--name", "x"), 1, "empty")


def test_odd_pictures_come_in_and_broken_ones_are_listed(mapmaker, tmp_path):
    """Every odd mode is imported and packed; text, half a picture and a bomb are named gaps."""
    folder = tmp_path / "in"
    folder.mkdir()
    base = layout.render(layout.plan("cave", 1), 10)
    base.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray((np.asarray(base.convert("L")).astype(np.uint16) * 257).T).save(
        folder / "deep.png"
    )
    layout.render(layout.plan("cave", 2), 10).convert("P").save(folder / "palette.png")
    frames = [layout.render(layout.plan("cave", s), 10) for s in (3, 4)]
    frames[0].save(folder / "moves.gif", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    layout.render(layout.plan("cave", 5), 10).save(folder / "turned.jpg", exif=exif)
    (folder / "text.jpg").write_text("not a picture")
    (folder / "bomb.png").write_bytes(bomb_png(30_000))
    whole = (folder / "turned.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])

    imported = mapmaker("import", folder, "--name", "odd")
    pruned = mapmaker("prune", "odd", "--auto", "--min-side-px", "64", "--size", "64")

    assert imported.code == 4
    gaps = (tmp_path / "datasets/odd/gaps.jsonl").read_text()
    assert all(name in gaps for name in ("text.jpg", "bomb.png", "half.jpg"))
    assert pruned.code == 0, pruned.err
    assert len((tmp_path / "datasets/odd/manifest.jsonl").read_text().splitlines()) == 5
    assert all(p.is_file() for p in folder.iterdir())


@pytest.mark.parametrize("stage", ["prune", "pack"])
def test_a_picture_that_broke_after_the_import_is_named(mapmaker, home, stage):
    """A file cut short on the disk: prune lists it and goes on; pack says which and what to do."""
    victim = sorted((home / "datasets/mine/pictures").rglob("*.png"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    (home / "datasets/mine/features.db").unlink() if stage == "prune" else None

    words = ["--auto", "--min-side-px", "64"] if stage == "prune" else []
    result = mapmaker(stage, "mine", *words, "--size", "48", home=home)

    assert result.code in ((0, 4) if stage == "prune" else (0, 3, 4)), result.err
    assert victim.name in result.err + result.out


def test_a_flipped_bit_in_a_shard(mapmaker, home):
    """The shard is named and the remedy is to pack again; which then works."""
    shard = sorted(home.glob("datasets/mine/shards/32/*.h5"))[0]
    flip_a_bit(shard)

    result = mapmaker("train", "mine", "--size", 32, "--kimg", 0.05, "--name", "again", home=home)

    one_line(result, 3, shard.name, "pack")
    assert mapmaker("pack", "mine", "--size", 32, home=home).code == 0
    words = ["--size", 32, "--kimg", 0.05, "--batch", 8, "--name", "again"]
    assert mapmaker("train", "mine", *words, home=home).code == 0


def test_a_flipped_bit_in_a_checkpoint(mapmaker, home):
    """No picture is drawn with weights that changed on the disk."""
    for path in home.glob("checkpoints/*/step-*/model.safetensors"):
        flip_a_bit(path)

    one_line(mapmaker("sample", "--seed", 1, home=home), 3, "model.safetensors")


def test_a_flipped_bit_in_the_shipped_checkpoint(mapmaker, tmp_path, monkeypatch):
    """The shelf's weights are checked against their card."""
    from mapmaker.shelf import shelf

    shutil.copytree(shelf("checkpoints") / "starter", tmp_path / "shelves/checkpoints/starter")
    monkeypatch.setenv("MAPMAKER_SHELVES", str(tmp_path / "shelves"))
    flip_a_bit(tmp_path / "shelves/checkpoints/starter/generator.safetensors")

    one_line(mapmaker("sample", "--seed", 1), 3, "generator.safetensors")


def test_a_checkpoint_of_another_architecture(mapmaker, home):
    """Going on with a run as another net is refused; the run stays as it was."""
    run = next(home.glob("checkpoints/*/config.toml")).parent
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}

    words = ["--arch", "pyramid", "--resume", "--name", run.name, "--kimg", 0.1]
    result = mapmaker("train", "mine", "--size", 32, *words, home=home)

    one_line(result, 2, "dcgan")
    assert all(p.read_bytes() == data for p, data in before.items() if p.name != ".lock")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--size", 7], ["7", "32"]),
        (["--size", 2000], ["2000", "1024"]),
        (["--size", 32, "--memory", "1KB"], ["1KB"]),
        (["--size", 32, "--memory", "lots"], ["lots", "24GB"]),
        (["--size", 32, "--arch", "dcgn"], ["dcgn", "dcgan"]),
        (["--size", 32, "--recipe", "nots"], ["nots", "notes"]),
        (["--size", 32, "--kimg", 0], ["kimg"]),
        (["--size", 32, "--kimg", 1, "--minutes", 1], ["minutes", "kimg"]),
        (["--size", 32, "--batch", "many"], ["many"]),
    ],
)
def test_values_nobody_can_work_with(mapmaker, home, words, named):
    """`--size 7`, `--memory 1KB` and the like: exit 2, the value, what would do."""
    result = mapmaker("train", "mine", *words, "--name", "bad", home=home)

    one_line(result, 2, *named)


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Be nobody for a while: root may write everywhere, so permissions would not be tested."""
    if AS_ROOT:
        os.seteuid(65534)
    yield
    if AS_ROOT:
        os.seteuid(0)


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "--layout", "cave", "--seed", "1"],
        ["pack", "mine", "--size", "48"],
        ["train", "mine", "--size", "32", "--kimg", "0.05", "--batch", "8", "--name", "new"],
    ],
    ids=lambda w: w[0],
)
def test_no_write_permission(mapmaker, home, tmp_path, request, words):
    """A workspace that may only be read: exit 5, the folder, what to do; nothing is changed."""
    warm = Path(shutil.copytree(home, tmp_path / "warm"))
    assert mapmaker(*words, home=warm).code == 0  # every module is loaded while we still may
    for folder in [home, *home.rglob("*")]:
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    for parent in [home.parent, *home.parent.parents][:4]:
        parent.chmod(parent.stat().st_mode | 0o555)
    request.getfixturevalue("as_nobody")

    result = mapmaker(*words, home=home)

    one_line(result, 5, "permission")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 MB, mounted for the test."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if not AS_ROOT or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_while_importing(mapmaker, pictures, small_disk):
    """The disk fills up: exit 5, which file, and what is there is whole."""
    (small_disk / "filler").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 300_000))

    result = mapmaker("import", pictures, "--name", "mine", home=small_disk)

    one_line(result, 5, "disk")
    for path in small_disk.rglob("*.png"):
        open_picture(path)


def test_a_full_disk_while_training_keeps_the_last_good_checkpoint(mapmaker, home, small_disk):
    """A run on a disk that fills up stops with exit 5 and can still be sampled from."""
    run = next(home.glob("checkpoints/*/config.toml")).parent
    shutil.copytree(home, small_disk / "home")
    (small_disk / "filler").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 200_000))

    words = ["--resume", "--name", run.name, "--kimg", 0.2]
    result = mapmaker("train", "mine", "--size", 32, *words, home=small_disk / "home")
    (small_disk / "filler").unlink()

    one_line(result, 5, "disk")
    assert mapmaker("sample", run.name, "--seed", 1, home=small_disk / "home").code == 0
