"""Several processes on one run: the same pictures, the same step, the same bits in each of them."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from run_tools import free_port
from safetensors.torch import load_file
from team_work import trained
from torch import Tensor
from train_tools import packed, pictures, small_state, workspace  # noqa: F401 - fixtures

from mapmaker.errors import BadConfig
from mapmaker.train import TrainConfig
from mapmaker.train.chance import REALS, Dice
from mapmaker.train.data import Pictures
from mapmaker.train.recipes import RECOMMENDED
from mapmaker.train.state import State, model_tensors
from mapmaker.train.step import Pace, train_step
from mapmaker.train.team import ALONE


def far(state: State, other: dict[str, Tensor]) -> float:
    """Return how far two sets of weights are apart, as a share of their size.

    Running statistics are left out: a second micro-batch moves them a second time.
    """
    ours = {k: v for k, v in model_tensors(state).items() if v.ndim and "running" not in k}
    apart = sum(float((v - other[k]).square().sum()) for k, v in ours.items())
    return (apart / sum(float(v.square().sum()) for v in ours.values())) ** 0.5


@pytest.mark.slow
def test_two_processes_equal_one(packed: Path, tmp_path: Path) -> None:  # noqa: F811
    """Twenty steps of two processes by torchrun, four pictures each, against one with all eight.

    Without batch norm the weights are within 1e-5 of one batch of eight; with it they are within
    1e-5 of two micro-batches of four, for each process measures the statistics of its own. The two
    processes hold the same bits.
    """
    work = Path(__file__).parent / "team_work.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(free_port()), str(work), str(packed), str(tmp_path)]
    child = subprocess.run([*command, "none", "batch"], capture_output=True, text=True, timeout=200)
    assert child.returncode == 0, child.stderr

    found = {p.name: load_file(p) for p in tmp_path.glob("*.safetensors")}
    for norm in ("none", "batch"):
        one, other = found[f"{norm}.0.safetensors"], found[f"{norm}.1.safetensors"]
        assert all(torch.equal(one[k], other[k]) for k in one)
    alone = trained(packed, Pace(8, 1, "fp32"), "none", ALONE)
    assert far(alone, found["none.0.safetensors"]) < 1e-5
    cut = trained(packed, Pace(4, 2, "fp32"), "batch", ALONE)
    assert far(cut, found["batch.0.safetensors"]) < 1e-5
    whole = trained(packed, Pace(8, 1, "fp32"), "batch", ALONE)
    assert far(whole, found["batch.0.safetensors"]) > 1e-4  # so the measure can tell


def test_how_a_step_is_cut_changes_no_random_number(pictures: Pictures) -> None:  # noqa: F811
    """Latents, pictures, orientations, augmentation and margins are those of the whole batch."""
    seen: dict[int, list[Tensor]] = {}
    for micro in (8, 2):
        state = small_state()
        shown = seen.setdefault(micro, [])

        def note(net: object, given: tuple[Tensor], shown: list[Tensor] = shown) -> None:
            shown.append(given[0].detach())

        state.nets.discriminator.register_forward_pre_hook(note)
        train_step(
            state, pictures, RECOMMENDED, Pace(micro, 8 // micro, "fp32"), seed=0, progress=0.0
        )

    reals = [torch.cat(part) for part in (seen[8][:1], seen[2][:8:2])]
    assert torch.equal(*reals)


def test_a_micro_batch_gets_its_own_draws() -> None:
    """The draws of two halves are those of the whole, in order."""
    dice = Dice(seed=1, step=2, attempt=0, whole=6)

    whole = dice.of(REALS, slice(0, 6)).uniform(0, 1, 6).tolist()
    halves = [dice.of(REALS, part).uniform(0, 1, 3).tolist() for part in (slice(0, 3), slice(3, 6))]

    assert halves[0] + halves[1] == whole and len(set(whole)) == 6


def test_processes_share_a_step_between_them() -> None:
    """Over all processes and micro-batches every picture of the batch is computed once."""
    pace = Pace(micro_batch=3, accumulate=2, precision="fp32", world=2)

    parts = [part for rank in (0, 1) for part in pace.of(rank)]

    assert pace.batch == 12 and pace.parts == 4
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(12))


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    """Nine pictures for two processes is one clear line, with a number that works."""
    from mapmaker.train.job import _batch_of_each

    cpu = torch.device("cpu")
    with pytest.raises(BadConfig, match="batch of 9 cannot be shared by 2") as error:
        _batch_of_each(TrainConfig(batch="9"), cpu, 2)

    assert "--batch 8" in error.value.hint
    assert _batch_of_each(TrainConfig(batch="8"), cpu, 2) == 4
    assert _batch_of_each(TrainConfig(), cpu, 2) == 4
