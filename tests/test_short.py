"""Short of memory or of disk while a run is on its way: smaller, or stopped with nothing lost."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from run_tools import free_port, home, train_words  # noqa: F401
from train_tools import metrics, packed, small_state, weights_sha256  # noqa: F401

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.train import TrainConfig
from mapmaker.train.checkpoint import newest_good, save_checkpoint
from mapmaker.train.lacking import recall, remember
from mapmaker.train.recipes import RECOMMENDED
from mapmaker.train.recover import out_of_memory, smaller
from mapmaker.train.runs import Run
from mapmaker.train.step import Pace

# Run in a process of its own: once the plan is made, the process may grow by so much and no more,
# until so many allocations have failed: then it is as if another program had ended. Without oneDNN,
# so that it is torch's allocations that fail: oneDNN makes no kernel again after it lacked room.
SHORT = """
import resource, sys
from pathlib import Path
import torch
from mapmaker.errors import MapmakerError
from mapmaker.events import Note
from mapmaker.train import TrainConfig, train
from mapmaker.train.check import check_step
from mapmaker.workspace import Workspace

torch.backends.mkldnn.enabled = False
check_step("cpu")  # what torch loads and compiles at its first step shall not count
home, batch, kimg, room_mb, bear = Path(sys.argv[1]), *sys.argv[2:6]
failed = 0
config = TrainConfig(size=32, batch=batch, kimg=float(kimg), recipe=str(home / "wide.toml"),
                     device="cpu", precision="fp32", name="run", tick_kimg=float(kimg))
workspace = Workspace(home)
try:
    for event in train(workspace, workspace.dataset("maps"), config):
        if isinstance(event, Note):
            print(event.text, flush=True)
            if event.text.startswith("Memory:"):
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                limit = pages * resource.getpagesize() + int(room_mb) * 2**20
                resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            failed += event.text.startswith("Out of memory")
            if failed == int(bear):
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
except MapmakerError as error:
    print(error, error.hint)
    sys.exit(error.exit_code)
"""
WIDE = """
ema = 0.9
[options]
channels = {channels}
channels2 = {channels}
d_depth = 3
latent = "spatial"
"""


def short(home: Path, channels: int, batch: int, room_mb: int, bear: int) -> tuple[int, str]:  # noqa: F811
    """Train one step where memory is short till `bear` allocations failed; exit code and words."""
    return ended(begun(home, channels, batch, room_mb, bear))


def begun(home: Path, *numbers: int, **team: object) -> subprocess.Popen[str]:  # noqa: F811
    """Start such a step, as one process of a team where its environment says so."""
    channels, batch, room_mb, bear = numbers
    (home / "wide.toml").write_text(WIDE.format(channels=channels))
    env = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    env |= {"PYTHONPATH": os.pathsep.join(sys.path)} | {k: str(v) for k, v in team.items()}
    words = [sys.executable, "-c", SHORT, str(home), str(batch), str(batch / 1000)]
    words += [str(room_mb), str(bear)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, env=env, stdout=pipe, stderr=pipe, text=True)


def ended(child: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for it; return its exit code and words."""
    said = "".join(child.communicate(timeout=200))
    return child.returncode, said


def test_out_of_memory_is_answered_with_a_smaller_plan(home: Path) -> None:  # noqa: F811
    """Two real failed allocations: the batch stays, micro-batches shrink, the run ends well."""
    code, said = short(home, channels=32, batch=384, room_mb=150, bear=2)

    run = home / "checkpoints" / "run"
    assert code == 0, said
    assert "Out of memory at step 0: the run goes on from step 0 with" in said
    pace = json.loads((run / "step-00000001" / "state.json").read_text())["pace"]
    assert pace["micro_batch"] == 192 and pace["accumulate"] == 2
    rows = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert {row["event"] for row in rows} == {"out of memory"} and metrics(run)[-1]["step"] == 1


@pytest.mark.slow
def test_a_team_short_of_memory_begins_with_a_smaller_plan_next_time(home: Path) -> None:  # noqa: F811
    """The first of two processes cannot allocate: both end, and the same command then does less."""

    def team(room_mb: int) -> list[tuple[int, str]]:
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": 2}
        children = [
            begun(home, 32, 192, room_mb, 1, RANK=r, LOCAL_RANK=r, LOCAL_WORLD_SIZE=2, **common)
            for r in (0, 1)
        ]
        return [ended(child) for child in children]

    (code, said), (other, its_words) = team(room_mb=40)
    assert code == 5 and other != 0, said + its_words
    assert "in one of several processes" in said
    assert "The same command begins with a smaller plan" in said

    again = team(room_mb=100_000)
    assert [code for code, _ in again] == [0, 0], again
    assert "Memory was short before: 1 x 96 pictures a step in each process" in again[0][1]
    state = json.loads((home / "checkpoints/run/step-00000001/state.json").read_text())
    assert state["checkpointing"] is True and state["pace"]["micro_batch"] == 96


def test_a_remembered_plan_counts_for_the_same_memory_and_batch(home: Path) -> None:  # noqa: F811
    """Another --memory, batch or number of processes begins as planned; nonsense is refused."""
    run = Run(home / "checkpoints" / "run", TrainConfig(memory="8GB"), RECOMMENDED)
    remember(run, Pace(4, 3, "bf16"), True)

    assert recall(run, Pace(12, 1, "bf16"), False) == (Pace(4, 3, "bf16"), True)
    assert recall(run, Pace(2, 6, "bf16"), False) == (Pace(2, 6, "bf16"), False)
    for other in (Pace(8, 1, "bf16"), Pace(12, 1, "fp32"), Pace(6, 1, "bf16", world=2)):
        assert recall(run, other, False) == (other, False)
    more = replace(run, config=TrainConfig(memory="16GB"))
    assert recall(more, Pace(12, 1, "bf16"), False) == (Pace(12, 1, "bf16"), False)
    (run.root / "smaller.json").write_text('{"micro_batch": -1}')
    with pytest.raises(UnsafeInput, match="is not a plan as we write it"):
        recall(run, Pace(12, 1, "bf16"), False)


def test_no_smaller_plan_is_exit_code_5(home: Path) -> None:  # noqa: F811
    """When one picture at a time is too much, the run ends with exit code 5 and a remedy."""
    code, said = short(home, channels=256, batch=1, room_mb=24, bear=99)

    assert code == 5, said
    assert "no smaller plan would do" in said and "smaller --memory, --batch or --size" in said
    assert "There was no checkpoint yet." in said and "is kept" not in said


def test_a_plan_shrinks_step_by_step() -> None:
    """First activations are computed twice, then the micro-batch falls to the next divisor."""
    pace, twice = Pace(6, 2, "bf16"), False
    seen = []
    while (found := smaller(pace, twice)) is not None:
        pace, twice = found
        seen.append((pace.micro_batch, pace.accumulate, twice))

    assert seen == [(6, 2, True), (4, 3, True), (3, 4, True), (2, 6, True), (1, 12, True)]


def test_only_memory_is_taken_for_memory() -> None:
    """The allocators' own errors are known; any other RuntimeError stays a bug."""
    with pytest.raises(RuntimeError) as real:
        torch.empty(2**60)

    assert "allocate" in out_of_memory(real.value)
    assert out_of_memory(MemoryError()) and out_of_memory(torch.OutOfMemoryError("CUDA out of"))
    aligned = "posix_memalign failed:Cannot allocate memory (12)"  # seen in a convolution
    assert out_of_memory(RuntimeError(aligned)) == aligned
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB. Skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root and a system that lets it mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_the_last_good_checkpoint(small_disk: Path, tmp_path: Path) -> None:
    """On a disk that is really full, a save ends with exit code 5 and leaves the last one whole."""
    run, state = small_disk / "run", small_state()
    run.mkdir()
    state.step = 1
    save_checkpoint(run, state, Pace(4, 1, "fp32"))
    before = weights_sha256(run)
    with pytest.raises(OSError), (small_disk / "ballast").open("wb") as ballast:
        while True:
            ballast.write(bytes(2**16))
            ballast.flush()
    state.step = 2

    with pytest.raises(MissingPart) as error:
        save_checkpoint(run, state, Pace(4, 1, "fp32"))

    assert error.value.exit_code == 5 and error.value.hint
    assert weights_sha256(run) == before and newest_good(run)[0].name == "step-00000001"
    assert not list(run.glob(".step*"))


def test_a_file_that_may_not_grow_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    """The same where the system refuses in the middle of the weights' file (ulimit -f)."""
    run, state = tmp_path / "run", small_state()
    run.mkdir()
    state.step = 1
    save_checkpoint(run, state, Pace(4, 1, "fp32"))
    before, least = weights_sha256(run), resource.getrlimit(resource.RLIMIT_FSIZE)
    state.step = 2

    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, least[1]))
    try:
        with pytest.raises(MissingPart, match=r"larger than files may be|disk is full") as error:
            save_checkpoint(run, state, Pace(4, 1, "fp32"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, least)

    assert error.value.exit_code == 5
    assert weights_sha256(run) == before and newest_good(run)[0].name == "step-00000001"
    assert not list(run.glob(".step*"))
