"""Checkpoints: whole or not there, checked before they are believed, drawn from by anyone."""

import os
import shutil
import tomllib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from train_tools import packed, run_all, small_state, workspace  # noqa: F401

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, UnsafeInput
from mapmaker.events import Note
from mapmaker.train.checkpoint import (
    load_checkpoint,
    newest_good,
    save_checkpoint,
    step_folders,
)
from mapmaker.train.load import load_generator, publish
from mapmaker.train.recipes import NOTES
from mapmaker.train.step import Pace
from mapmaker.workspace import Workspace

PACE = Pace(4, 1, "fp32")


def flip(file: Path) -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def save_steps(run: Path, *steps: int) -> None:
    """Save checkpoints of a small state at these steps."""
    run.mkdir()
    state = small_state()
    for step in steps:
        state.step = step
        save_checkpoint(run, state, PACE)


@pytest.mark.parametrize("file", ["model.safetensors", "state.safetensors", "state.json"])
def test_flipped_bit_falls_back_to_the_step_before(tmp_path: Path, file: str) -> None:
    """A flipped bit in the newest checkpoint is named, and the one before it is used."""
    save_steps(tmp_path / "run", 1, 2)
    flip(tmp_path / "run" / "step-00000002" / file)

    folder, warnings = newest_good(tmp_path / "run")

    assert folder.name == "step-00000001"
    assert len(warnings) == 1 and f"step-00000002/{file}" in warnings[0]


def test_no_good_step_is_refused(tmp_path: Path) -> None:
    """With every checkpoint corrupt the newest is refused by name, with a remedy."""
    save_steps(tmp_path / "run", 1, 2)
    for folder in step_folders(tmp_path / "run"):
        flip(folder / "model.safetensors")

    with pytest.raises(UnsafeInput, match=r"step-00000002/model\.safetensors is corrupt") as error:
        load_generator(tmp_path / "run")

    assert error.value.hint


@pytest.mark.parametrize("damage", ["cut", "missing", "no sums", "strange sums"])
def test_damaged_folders_are_refused(tmp_path: Path, damage: str) -> None:
    """A cut or missing file, missing sums, and sums that point elsewhere are all refused."""
    save_steps(tmp_path / "run", 1)
    folder = tmp_path / "run" / "step-00000001"
    model, sums = folder / "model.safetensors", folder / "SHA256SUMS"
    if damage == "cut":
        model.write_bytes(model.read_bytes()[:-1])
    elif damage == "missing":
        model.unlink()
    elif damage == "no sums":
        sums.unlink()
    else:
        sums.write_text(sums.read_text() + f"{'0' * 64}  ../../passwd\n")

    with pytest.raises(UnsafeInput):
        newest_good(tmp_path / "run")


def test_resume_says_that_a_checkpoint_was_corrupt(workspace: Workspace) -> None:  # noqa: F811
    """A run goes on from the step before a corrupt one, says so, and replaces the corrupt one."""
    fields = {"tick_kimg": 0.004, "save_every_s": 0.0, "kimg": 0.02}
    run_all(workspace, **fields)
    run = workspace.run("run")
    names = [f.name for f in step_folders(run)]
    flip(run / names[0] / "model.safetensors")

    said = run_all(workspace, **fields | {"resume": True})

    assert any("corrupt" in e.text for e in said if isinstance(e, Note))
    assert newest_good(run) == (run / names[0], [])


def test_another_net_is_one_clear_refusal(tmp_path: Path) -> None:
    """A checkpoint of another size, architecture or layer plan is BadConfig naming both."""
    from mapmaker.train.recipes import RECOMMENDED
    from mapmaker.train.state import new_state

    save_steps(tmp_path / "run", 1)
    folder = tmp_path / "run" / "step-00000001"
    cpu = torch.device("cpu")

    with pytest.raises(BadConfig, match="dcgan at 32 px, not a dcgan at 40 px"):
        load_checkpoint(folder, new_state("dcgan", 40, NOTES, cpu, 0))
    with pytest.raises(BadConfig, match="not a pyramid"):
        from mapmaker.train.recipes import find_recipe

        load_checkpoint(
            folder, new_state("pyramid", 32, find_recipe("recommended", "pyramid"), cpu, 0)
        )
    with pytest.raises(BadConfig, match="layers differ"):
        load_checkpoint(folder, new_state("dcgan", 32, RECOMMENDED, cpu, 0))


def test_newest_two_and_the_best_stay(tmp_path: Path) -> None:
    """Older checkpoints go, except the one the run calls its best."""
    run = tmp_path / "run"
    save_steps(run, 1)
    (run / "best").write_text("step-00000001\n")
    state = small_state()

    for step in (2, 3, 4):
        state.step = step
        save_checkpoint(run, state, PACE, keep=2)

    assert [f.name for f in step_folders(run)] == [
        "step-00000004",
        "step-00000003",
        "step-00000001",
    ]
    assert (run / "latest").read_text() == "step-00000004\n"


@pytest.mark.parametrize("call", ["sync", "write_sums", "write_atomic", "_save_tensors"])
def test_crash_while_saving_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Cut off at any point of a save, the run still loads: the old checkpoint or the new one."""
    run = tmp_path / "run"
    save_steps(run, 1)

    class Killed(BaseException):
        pass

    def die(*args: object) -> None:
        raise Killed

    state = small_state()
    state.step = 2
    monkeypatch.setattr(f"mapmaker.train.checkpoint.{call}", die)
    with pytest.raises(Killed):
        save_checkpoint(run, state, PACE)
    monkeypatch.undo()

    folder, warnings = newest_good(run)
    assert folder.name in ("step-00000001", "step-00000002") and not warnings
    save_checkpoint(run, state, PACE)
    assert newest_good(run)[0].name == "step-00000002"
    assert not list(run.glob(".step*"))


def test_full_disk_while_saving_leaves_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills up in the middle of a save, the half written folder is taken away."""
    import errno

    run = tmp_path / "run"
    save_steps(run, 1)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mapmaker.train.checkpoint.sync", full)
    state = small_state()
    state.step = 2

    with pytest.raises(MissingPart, match="disk is full"):
        save_checkpoint(run, state, PACE)

    assert newest_good(run)[0].name == "step-00000001"
    assert not list(run.glob(".step*"))


def test_sums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    """SHA256SUMS can be checked without mapmaker, and nothing in the folder is a pickle."""
    import subprocess

    save_steps(tmp_path / "run", 1)
    folder = tmp_path / "run" / "step-00000001"

    check = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True)

    assert check.returncode == 0
    assert {p.suffix for p in folder.iterdir()} == {".safetensors", ".json", ""}
    assert not any(p.read_bytes()[:2] in (b"PK", b"\x80\x02") for p in folder.iterdir())


def test_generator_loads_with_its_averaged_weights(workspace: Workspace) -> None:  # noqa: F811
    """load_generator gives the averaged generator in eval mode, with what sample needs to know."""
    run_all(workspace)
    run = workspace.run("run")

    generator, facts = load_generator(run)

    saved = load_file(run / "step-00000008" / "model.safetensors")
    for key, value in generator.state_dict().items():
        assert torch.equal(value, saved[f"G_ema.{key}"]), key
    assert not generator.training
    assert (facts["arch"], facts["size"], facts["step"], facts["name"]) == ("dcgan", 32, 8, "run")
    assert (facts["dataset"], facts["kimg"], facts["warnings"]) == ("maps", 0.032, [])
    picture = generator(torch.randn(2, *facts["latent_shape"]))
    assert picture.shape == (2, 3, 32, 32) and float(picture.detach().abs().max()) <= 1


def test_published_generator_draws_the_same(workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    """A shelf checkpoint is a card, fp16 weights and samples; its pictures are the run's."""
    run_all(workspace)
    run, shelf = workspace.run("run"), tmp_path / "shelf" / "tiny"

    card = publish(run, shelf, {"title": "Tiny", "license": "CC0-1.0"})

    facts = tomllib.loads(card.read_text())
    assert {p.name for p in shelf.iterdir()} == {
        "card.toml",
        "generator.safetensors",
        "samples.webp",
    }
    assert (facts["title"], facts["arch"], facts["size"], facts["name"]) == (
        "Tiny",
        "dcgan",
        32,
        "tiny",
    )
    ours, theirs = load_generator(run)[0], load_generator(shelf)[0]
    latents = torch.randn(4, *facts["latent_shape"])
    assert float((ours(latents) - theirs(latents)).abs().max()) < 0.02
    half = sum(p.numel() * 2 for p in ours.parameters())
    assert half <= (shelf / "generator.safetensors").stat().st_size < 1.2 * half + 16384


@pytest.mark.parametrize("damage", ["bit", "missing", "card", "size"])
def test_damaged_shelf_checkpoint_is_refused(
    workspace: Workspace,  # noqa: F811
    tmp_path: Path,
    damage: str,
) -> None:
    """A shelf checkpoint whose weights or card are not what was published is refused."""
    run_all(workspace, kimg=0.004)
    shelf = tmp_path / "tiny"
    card = publish(workspace.run("run"), shelf)
    if damage == "bit":
        flip(shelf / "generator.safetensors")
    elif damage == "missing":
        (shelf / "generator.safetensors").unlink()
    elif damage == "card":
        card.write_text("arch = \n")
    else:
        card.write_text(card.read_text().replace("size = 32", "size = 64"))

    with pytest.raises(BadConfig if damage == "size" else UnsafeInput):
        load_generator(shelf)


def test_nothing_to_load_says_what_to_do(tmp_path: Path) -> None:
    """A folder that is not there, or a run without a checkpoint yet, says how to get one."""
    (tmp_path / "empty").mkdir()

    for name in ("none", "empty"):
        with pytest.raises(MapmakerError) as error:
            load_generator(tmp_path / name)
        assert error.value.hint
    shutil.rmtree(tmp_path / "empty")
