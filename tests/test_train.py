"""A run from shards to checkpoint: what it leaves, how it stops, how it goes on."""

import json
import math
import os
import signal
from pathlib import Path

import pytest
from PIL import Image
from shard_tools import kept_from_file
from train_tools import (  # noqa: F401 - fixtures
    NAME,
    config,
    done,
    events,
    metrics,
    packed,
    run_all,
    weights_sha256,
    workspace,
)

from mapmaker.errors import BadConfig, MissingPart, NotFinite, Stopped
from mapmaker.events import Note, Step
from mapmaker.train import TrainConfig
from mapmaker.train.load import load_generator
from mapmaker.workspace import Workspace


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 7},
        {"size": 31},
        {"size": 1025},
        {"kimg": 1.0, "minutes": 1.0},
        {"epochs": 0.0},
        {"minutes": -1.0},
        {"batch": "many"},
        {"batch": "0"},
        {"device": "toaster"},
        {"precision": "fp8"},
        {"seed": -1},
        {"tick_kimg": 0.0},
        {"keep": 0},
    ],
)
def test_config_refuses_what_cannot_be_trained(fields: dict) -> None:
    """A value nobody can train with is refused with a remedy before anything is written."""
    with pytest.raises(BadConfig) as error:
        TrainConfig(**fields)

    assert error.value.hint


def test_train_leaves_a_whole_run(workspace: Workspace) -> None:  # noqa: F811
    """A run leaves its config, data, environment, figures, frames and a checkpoint behind."""
    said = run_all(workspace)

    run = workspace.run("run")
    assert done(said).data["run"] == "run"
    assert {p.name for p in run.iterdir()} == {
        ".lock", "best", "config.toml", "data.json", "env.json", "frames", "latest", "losses.png",
        "metrics.jsonl", "reals.webp", "recipe.toml", "status.json", "step-00000008",
    }  # fmt: skip
    assert sorted(p.name for p in (run / "frames").iterdir()) == [
        "kimg000000_016.webp",
        "kimg000000_032.webp",
    ]
    assert {p.name for p in (run / "step-00000008").iterdir()} == {
        "model.safetensors",
        "state.safetensors",
        "state.json",
        "SHA256SUMS",
    }
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    with Image.open(run / "losses.png") as plot:
        assert plot.size == (960, 750)


def test_train_says_how_it_goes(workspace: Workspace) -> None:  # noqa: F811
    """The memory plan comes first, then steps that count up to their total, with speed and loss."""
    said = run_all(workspace)

    steps = [event for event in said if isinstance(event, Step) and event.stage == "train"]
    assert any("activations" in note.text for note in said if isinstance(note, Note))
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert steps[-1].done == steps[-1].total == 0.032
    for word in ("kimg", "s/kimg", "img/s", "loss G", "D ", "GB"):
        assert word in steps[-1].note


def test_metrics_hold_a_line_a_tick(workspace: Workspace) -> None:  # noqa: F811
    """Each tick is one line of figures, all of them finite numbers."""
    run_all(workspace)

    rows = metrics(workspace.run("run"))
    assert [row["kimg"] for row in rows] == [0.016, 0.032]
    assert [row["step"] for row in rows] == [4, 8]
    for name in (
        "seconds loss_g loss_d logit_real logit_fake grad_g grad_d img_per_s sec_per_kimg"
        " peak_bytes distance"
    ).split():
        assert all(math.isfinite(row[name]) for row in rows), name


def test_epochs_and_minutes_are_budgets_too(workspace: Workspace) -> None:  # noqa: F811
    """An epoch is one pass over the training split; minutes end a run by the clock."""
    epoch = done(run_all(workspace, epochs=1.0, name="epoch"))
    minute = done(run_all(workspace, minutes=0.01, name="minute"))

    pictures = json.loads((workspace.run("epoch") / "data.json").read_text())["train_pictures"]
    assert epoch.data["kimg"] == pytest.approx(math.ceil(pictures / 4) * 4 / 1000)
    assert 0.6 <= minute.data["seconds"] < 5


def test_resume_is_bit_for_bit(workspace: Workspace) -> None:  # noqa: F811
    """Sixteen steps at once and eight, a stop, and eight more give the same weights and moments."""
    run_all(workspace, kimg=0.064, name="whole")
    run_all(workspace, kimg=0.032, name="halves")
    run_all(workspace, kimg=0.064, name="halves", resume=True)

    whole, halves = workspace.run("whole"), workspace.run("halves")
    assert weights_sha256(whole) == weights_sha256(halves)
    for file in ("model.safetensors", "state.safetensors"):
        one, other = whole / "step-00000016" / file, halves / "step-00000016" / file
        assert one.read_bytes() == other.read_bytes()


def test_seed_decides_the_weights(workspace: Workspace) -> None:  # noqa: F811
    """The same seed gives the same weights, another seed gives others."""
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        run_all(workspace, name=name, seed=seed, kimg=0.008)

    sums = {name: weights_sha256(workspace.run(name)) for name in ("one", "same", "other")}
    assert sums["one"] == sums["same"] != sums["other"]


def test_same_command_goes_on_with_its_unfinished_run(
    workspace: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run without a name that was cut short is finished by the same command, not begun again."""
    monkeypatch.setattr("mapmaker.train.loop.PULSE_S", 0.0)
    stage = events(workspace, name=None, save_every_s=0.0)
    for event in stage:
        if isinstance(event, Step) and event.done > 0.016:
            break
    stage.close()

    said = run_all(workspace, name=None, save_every_s=0.0)

    assert done(said).data["run"] == "maps-32-1"
    assert [p.name for p in workspace.checkpoints.iterdir()] == ["maps-32-1"]
    assert any("Going on" in e.text for e in said if isinstance(e, Note))
    assert any("Loaded step-0000000" in e.text for e in said if isinstance(e, Note))
    steps = [row["step"] for row in metrics(workspace.run("maps-32-1"))]
    assert steps == sorted(set(steps)) and steps[-1] == 8


def test_a_finished_run_is_left_alone(workspace: Workspace) -> None:  # noqa: F811
    """The same command again leaves a finished run as it is; without a name it begins the next."""
    run_all(workspace, name="once")
    before = weights_sha256(workspace.run("once"))

    said = run_all(workspace, name="once")
    run_all(workspace, name=None)

    assert any("is finished" in e.text for e in said if isinstance(e, Note))
    assert done(said).data["run"] == "once"
    assert weights_sha256(workspace.run("once")) == before
    assert sorted(p.name for p in workspace.checkpoints.iterdir()) == ["maps-32-1", "once"]
    with pytest.raises(BadConfig, match="another configuration"):
        run_all(workspace, name="once", kimg=0.012)


@pytest.mark.parametrize("field", [{"size": 64}, {"seed": 5}, {"arch": "pyramid"}])
def test_resume_refuses_another_net(workspace: Workspace, field: dict) -> None:  # noqa: F811
    """--resume with another size, seed or architecture is one clear refusal."""
    run_all(workspace, kimg=0.008)

    with pytest.raises(BadConfig, match=r"has (size|seed|arch)"):
        run_all(workspace, kimg=0.016, resume=True, **field)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_signals_save_and_stop(workspace: Workspace, number: int, code: int) -> None:  # noqa: F811
    """SIGTERM and Ctrl-C save at the step after, and the run goes on to the same weights."""
    run_all(workspace, name="whole")
    stage = events(workspace)
    with pytest.raises(Stopped) as stop:
        while not isinstance(next(stage), Step):
            pass
        os.kill(os.getpid(), number)
        list(stage)

    run_all(workspace)

    assert stop.value.exit_code == code
    assert (workspace.run("run") / "step-00000002").is_dir()
    assert weights_sha256(workspace.run("run")) == weights_sha256(workspace.run("whole"))


def test_divergence_keeps_the_last_good_checkpoint(workspace: Workspace) -> None:  # noqa: F811
    """A rate that blows the nets up ends in NotFinite, which says where; the last step stays."""
    run_all(workspace, kimg=0.008)
    recipe = workspace.run("run") / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("lr_g = 0.0002", "lr_g = 1e37"))

    with pytest.raises(NotFinite, match=r"at step \d+"):
        run_all(workspace, kimg=0.064, resume=True)

    run = workspace.run("run")
    assert (run / "latest").read_text().strip() == "step-00000002"
    assert json.loads((run / "status.json").read_text())["state"] == "failed"
    assert load_generator(run)[1]["step"] == 2


def test_full_disk_keeps_the_last_good_checkpoint(
    workspace: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without room for a checkpoint the run ends with exit code 5 and keeps the last one."""
    run_all(workspace, kimg=0.008)
    before = weights_sha256(workspace.run("run"))
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())

    with pytest.raises(MissingPart, match="free") as error:
        run_all(workspace, kimg=0.016, resume=True)

    assert error.value.exit_code == 5
    assert weights_sha256(workspace.run("run")) == before


def test_missing_shards_are_packed_first(
    workspace: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A size that was not packed yet is packed by train itself, which says so."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)

    said = run_all(workspace, size=40, kimg=0.004, recipe=str(workspace.home / "small.toml"))

    assert any("packing" in e.text for e in said if isinstance(e, Note))
    assert (workspace.dataset(NAME).shards(40) / "card.json").exists()


def test_a_smaller_plan_wins_on_resume() -> None:
    """A run keeps its pace unless the batch, the precision or less memory says otherwise."""
    from mapmaker.train.job import _keep_pace
    from mapmaker.train.step import Pace

    before, more, less = Pace(4, 2, "bf16"), Pace(8, 1, "bf16"), Pace(2, 4, "bf16")

    assert _keep_pace(before, more) == before
    assert _keep_pace(before, less) == less
    assert _keep_pace(before, Pace(8, 2, "bf16")) == Pace(8, 2, "bf16")
    assert _keep_pace(before, Pace(8, 1, "fp32")) == Pace(8, 1, "fp32")


def test_cuda_in_vain_is_said(workspace: Workspace) -> None:  # noqa: F811
    """Asking for a GPU that is not there ends with exit code 5, not on the CPU unknowingly."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")

    with pytest.raises(MissingPart, match="CUDA"):
        run_all(workspace, device="cuda")


def test_too_little_memory_names_what_would_do(workspace: Workspace) -> None:  # noqa: F811
    """--memory 1KB is refused, and the message says how much is needed."""
    from mapmaker.train.job import plan_run
    from mapmaker.train.recipes import NOTES

    with pytest.raises(BadConfig, match="too little") as error:
        plan_run(config(workspace, size=64, memory="1KB"), NOTES, pictures=10)

    assert "MB" in error.value.hint or "GB" in error.value.hint


def test_config_of_a_run_can_be_run_again(workspace: Workspace) -> None:  # noqa: F811
    """The config a run saves reads back as the config it was given."""
    from mapmaker.train.runs import read_config

    run_all(workspace, kimg=0.004)

    assert read_config(workspace.run("run")) == config(workspace, kimg=0.004)


def test_kill_9_leaves_a_run_that_finishes(workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    """Killed without warning at any moment, the same command finishes with the same weights."""
    import subprocess
    import sys
    import time

    fields = {"kimg": 0.12, "save_every_s": 0.0, "tick_kimg": 0.12}
    run_all(workspace, name="whole", **fields)
    code = (
        "from pathlib import Path; from train_tools import *; import mapmaker.train.meter as m;"
        "m.Rhythm.due = lambda self: True;"  # save after every step
        f"print(*run_all(Workspace(Path({str(workspace.home)!r})), **{fields!r}))"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    child = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.DEVNULL)
    run = workspace.run("run")
    deadline = time.monotonic() + 60
    while len(list(run.glob("step-*"))) < 2 and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.13)
    child.kill()
    assert child.wait() == -9
    assert json.loads((run / "status.json").read_text())["state"] == "running"
    assert load_generator(run)[1]["step"] >= 1

    run_all(workspace, **fields)

    assert weights_sha256(run) == weights_sha256(workspace.run("whole"))
    assert not list(run.glob(".*.tmp"))
    steps = [row["step"] for row in metrics(run)]
    assert steps == sorted(set(steps))
