"""Killed without warning, a run goes on to the very bits it would have had; signals save and go."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from run_tools import home, pair, start, torchrun, train_words, wait_for  # noqa: F401
from train_tools import metrics, packed  # noqa: F401

FILES = ("model.safetensors", "state.safetensors")


def same_bits(home: Path, one: str, other: str, steps: int) -> bool:  # noqa: F811
    """Return whether two runs ended with the same weights and moments, byte for byte."""
    folders = [home / "checkpoints" / run / f"step-{steps:08d}" for run in (one, other)]
    return all((folders[0] / f).read_bytes() == (folders[1] / f).read_bytes() for f in FILES)


@pytest.mark.parametrize(("arch", "steps"), [("dcgan", 200), ("fewshot", 40)])
def test_kill_9_half_way_changes_no_bit(
    home: Path,  # noqa: F811
    mapmaker: Callable,
    arch: str,
    steps: int,
) -> None:
    """N steps in one go, and N/2, kill -9, the same command again: the same weights and moments."""
    saves = steps // 2 * 4 / 1000
    whole = train_words(home, arch, steps, name="whole", save_kimg=saves)
    assert mapmaker(*whole, home=home).code == 0
    words = train_words(home, arch, steps, name="killed", save_kimg=saves)
    child = start(home, words)
    half = home / "checkpoints" / "killed" / f"step-{steps // 2:08d}"
    wait_for(half.is_dir, child)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    child.communicate()

    again = mapmaker(*words, home=home)

    assert (
        again.code == 0
        and "Going on" in again.err
        and f"Loaded step-{steps // 2:08d}" in (again.err)
    )
    assert same_bits(home, "whole", "killed", steps)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)]
)
def test_a_signal_saves_and_goes(home: Path, number: int, code: int) -> None:  # noqa: F811
    """SIGTERM, SIGUSR1 (a cluster's warning) and Ctrl-C leave a checkpoint and their exit code."""
    child = start(home, train_words(home, "dcgan", 10**6, name="run"))
    run = home / "checkpoints" / "run"
    wait_for((run / "step-00000010").is_dir, child)

    child.send_signal(number)
    _, said = child.communicate(timeout=60)

    assert child.returncode == code
    assert "Stopped and saved run at step" in said and "Error" not in said
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "stopped"
    assert (run / f"step-{status['step']:08d}" / "SHA256SUMS").is_file()


@pytest.mark.slow
def test_two_processes_are_killed_and_resumed_to_the_same_bits(home: Path) -> None:  # noqa: F811
    """N steps in one go, and N/2, kill -9 of one process, and N/2 again under torchrun.

    The other process does not hang: within ten seconds it says that its peer is gone, and ends.
    """
    steps = 20
    whole, second = pair(home, train_words(home, "fewshot", steps, name="whole"))
    out, said = whole.communicate(timeout=200)
    assert (whole.returncode, second.wait()) == (0, 0), said
    second.communicate()
    assert out.count("whole: 0.08 kimg") == 1 and said.count("Memory: batch 2") == 1

    words = train_words(home, "fewshot", steps, name="killed")
    leader, follower = pair(home, words)
    half = home / "checkpoints" / "killed" / f"step-{steps // 2:08d}"
    wait_for(half.is_dir, leader, follower)
    follower.kill()
    _, said = leader.communicate(timeout=10)
    follower.communicate()
    assert leader.returncode == 1 and "Another process of this run is gone" in said
    assert json.loads((half.parent / "status.json").read_text())["state"] == "failed"

    again = torchrun(home, words)
    _, said = again.communicate(timeout=200)
    assert again.returncode == 0 and "Going on with the run killed" in said
    assert same_bits(home, "whole", "killed", steps)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_together(home: Path, mapmaker: Callable) -> None:  # noqa: F811
    """SIGUSR1 to one of two: both save and go with exit code 75, and one alone can go on."""
    leader, follower = pair(home, train_words(home, "dcgan", 10**6, name="run"))
    run = home / "checkpoints" / "run"
    wait_for((run / "step-00000010").is_dir, leader, follower)

    follower.send_signal(signal.SIGUSR1)
    _, said = leader.communicate(timeout=60)
    _, quiet = follower.communicate(timeout=60)

    assert (leader.returncode, follower.returncode) == (75, 75)
    assert "Stopped and saved run at step" in said and not quiet
    step = json.loads((run / "status.json").read_text())["step"]
    assert (run / f"step-{step:08d}").is_dir()
    alone = mapmaker(
        "train", "--resume", "--name", "run", "--kimg", (step + 3) * 4 / 1000, home=home
    )
    assert alone.code == 0 and "It was trained by 2 and goes on with 1" in alone.err
    assert metrics(run)[-1]["step"] == step + 3
