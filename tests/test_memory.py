"""The memory plan: what it promises, it keeps; what cannot be, it says."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from shard_tools import kept_from_file, make_dataset, pack_all

from mapmaker.errors import BadConfig
from mapmaker.models import Nets, build
from mapmaker.train.memory import GIB, MemoryPlan, parse_memory, plan_memory
from mapmaker.train.recipes import NOTES, RECOMMENDED
from mapmaker.train.rehearse import rehearse
from mapmaker.train.step import Pace

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def nets() -> Nets:
    """Return small nets that have a shape and no weights."""
    with torch.device("meta"):
        return build("dcgan", 128, {"channels": 16, "channels2": 16})


def plan(nets: Nets, limit: int | None, **changed: object) -> MemoryPlan:
    asked = {"batch": 8, "precision": "fp32", "ema": True, "data_bytes": 10**6, "device": CPU}
    return plan_memory(nets, memory_bytes=limit, **(asked | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GB", 24 * GIB), ("24 gib", 24 * GIB), ("800M", 800 * 2**20), ("1.5g", 3 * GIB // 2),
     ("1KB", 1024), ("4096", 4096), ("512 B", 512)],
)  # fmt: skip
def test_a_size_reads_as_people_write_it(text: str, size: int) -> None:
    """GB is 2**30 bytes, as on a graphics card; the B and the i may be left out."""
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0GB", "24GHz", "1e3MB", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Anything else is one clear line with an example."""
    with pytest.raises(BadConfig) as caught:
        parse_memory(text)

    assert repr(text) in str(caught.value) and "24GB" in caught.value.hint


def test_with_room_to_spare_a_step_is_one_micro_batch(nets: Nets) -> None:
    """The batch goes through whole, and the parts add up to the peak."""
    roomy = plan(nets, 64 * GIB)

    assert (roomy.batch, roomy.micro_batch, roomy.accumulate) == (8, 8, 1)
    assert not roomy.checkpointing
    parts = (roomy.weights_bytes, roomy.optimiser_bytes, roomy.activations_bytes)
    assert roomy.peak_bytes == sum(parts) + roomy.data_bytes + roomy.base_bytes
    assert all(part > 0 for part in parts)


def test_less_memory_keeps_the_batch_and_stays_below(nets: Nets) -> None:
    """Under a tighter limit the same batch is cut up or checkpointed, below the limit."""
    roomy = plan(nets, 64 * GIB)
    limit = roomy.room_bytes - 2**20

    tight = plan(nets, limit)

    assert tight.batch == tight.micro_batch * tight.accumulate == 8
    assert tight.checkpointing or tight.micro_batch < 8
    assert tight.room_bytes <= limit


def test_the_least_that_is_named_is_enough(nets: Nets) -> None:
    """--memory 1KB is refused with a figure, and that figure works."""
    with pytest.raises(BadConfig) as caught:
        plan(nets, parse_memory("1KB"), batch=2)
    named = caught.value.hint.split("--memory ")[1].split(",")[0]

    # The process may have grown a little since: give it a tenth of a GB.
    enough = plan(nets, parse_memory(named) + GIB // 10, batch=2)

    assert "1KB" in str(caught.value) and "128 px" in str(caught.value)
    assert enough.peak_bytes <= parse_memory(named) + GIB // 10


def test_auto_batch_is_eight_on_a_cpu(nets: Nets) -> None:
    """Without a batch given, a CPU trains eight pictures a step."""
    assert plan(nets, 64 * GIB, batch=None).batch == 8


def test_the_plan_reads_as_a_table(nets: Nets) -> None:
    """Every part has its line, in GB, and the batch its sentence."""
    text = str(plan(nets, 64 * GIB))

    assert text.startswith("Memory: batch 8 = 1 x 8")
    for name in ("weights", "optimiser", "activations", "pictures", "process", "peak", "given"):
        assert f"  {name}" in text


def test_weights_and_moments_are_counted_to_the_byte(nets: Nets) -> None:
    """Weights: both nets and the average. Optimiser: two moments a weight and a counter each."""
    need = rehearse(nets, replace(NOTES, ema=0.999), Pace(2, 1, "fp32"), False)

    g, d = (
        sum(t.nbytes for t in n.state_dict().values()) for n in (nets.generator, nets.discriminator)
    )
    parameters = [*nets.generator.parameters(), *nets.discriminator.parameters()]
    assert need.weights == 2 * g + d
    assert need.optimiser == 2 * sum(p.nbytes for p in parameters) + 4 * len(parameters)


@pytest.mark.parametrize("changed", ["batch", "bf16", "checkpointing", "accumulate"])
def test_each_way_to_save_memory_saves_it(nets: Nets, changed: str) -> None:
    """A smaller batch, bf16, checkpointing and accumulation each lower the peak of the step."""
    if changed == "checkpointing":  # dcgan has too few steps for it to matter much
        with torch.device("meta"):
            nets = build("pyramid", 128)
    recipe, whole = NOTES, Pace(16, 1, "fp32")
    peak = rehearse(nets, recipe, whole, False).step
    pace = {
        "batch": Pace(8, 1, "fp32"),
        "bf16": Pace(16, 1, "bf16"),
        "accumulate": Pace(4, 4, "fp32"),
    }

    less = rehearse(nets, recipe, pace.get(changed, whole), changed == "checkpointing").step

    assert less < 0.9 * peak


def test_what_grows_during_a_run_is_planned_for_at_its_most(nets: Nets) -> None:
    """Augmentation that eases in takes nothing at first; the plan is for the end of the run."""
    at_once, eased = (replace(RECOMMENDED, ease=ease) for ease in (0.0, 8.0))
    pace = Pace(4, 1, "fp32")

    assert rehearse(nets, eased, pace, False) == rehearse(nets, at_once, pace, False)


def test_a_rehearsal_leaves_the_nets_and_the_dice_alone() -> None:
    """Planning moves no weight, no gradient and no random number of the run."""
    nets = build("dcgan", 32, {"channels": 4, "channels2": 4})
    before = {k: v.clone() for k, v in nets.generator.state_dict().items()}
    dice = torch.get_rng_state()

    rehearse(nets, NOTES, Pace(2, 1, "bf16"), False)

    assert torch.equal(dice, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in nets.generator.state_dict().items())
    assert all(p.grad is None for p in nets.generator.parameters())


def test_the_bench_runs_and_the_plan_meets_the_measured_peak(tmp_path: Path) -> None:
    """In one short run: both ways are timed, and planned memory is within 15 % of what was used."""
    out = tmp_path / "bench.json"
    line = [sys.executable, "bench/train.py", "--quick", "--out", str(out)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["speed"]["ratio"] > 0
    assert all(figures["speed"][way]["img_per_s"] > 0 for way in ("plain", "ours"))
    assert figures["memory"] and all(abs(row["off"]) < 0.15 for row in figures["memory"])
    assert "ratio" in done.stdout


def test_a_whole_run_stays_below_the_memory_it_is_given(tmp_path: Path) -> None:
    """At 256 px in 1.4 GB: steps, ticks, frames and a checkpoint, and the process peaks below."""
    dataset = make_dataset(tmp_path, 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mapmaker.shards.pack.kept", kept_from_file)
        pack_all(dataset, size=256, squares=4)
    out = tmp_path / "runs.json"
    line = [sys.executable, "bench/memory.py", "--given", "1.4GB", "--home", str(tmp_path)]
    line += ["--ways", "recommended", "--sizes", "256", "--images", "16", "--out", str(out)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stderr
    row = json.loads(out.read_text())[0]
    assert row["room_bytes"] <= row["given_bytes"] == parse_memory("1.4GB")
    assert GIB // 2 < row["measured_bytes"] <= row["given_bytes"]
