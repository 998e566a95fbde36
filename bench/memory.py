"""The memory plan against what is measured, a fresh process for each row.

    python bench/memory.py --out memory.json                 all rows: three nets, four sizes
    python bench/memory.py --ways fewshot --sizes 256 512 --batches 1 2 4
    python bench/memory.py --given 1.5GB --home . --dataset maps --ways fewshot --sizes 256

A row is the peak that `plan_memory` gives for a net, a size and a batch, and the peak of as many
real steps, on random pictures held as in a run: the process's high-water mark on a CPU, torch's
allocated maximum on a GPU. With --given a row is a whole short run of `mapmaker train` under that
--memory, with its ticks, frames and saves: does the process stay below?
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

WAYS = {
    "notes": ("dcgan", "notes"),
    "recommended": ("dcgan", "recommended"),
    "fewshot": ("fewshot", "recommended"),
}
BATCHES = {256: (2, 4, 8), 512: (1, 2, 4), 750: (1, 2, 4), 1024: (1, 2, 3)}
PICTURES = 12
ASKED = 0.10


def main() -> None:
    """Measure every row asked for, printing each as it comes; write them all as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(BATCHES))
    parser.add_argument("--batches", nargs="*", type=int, help="the same for every size")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--given", nargs="*", default=[], help="measure whole runs under these")
    parser.add_argument("--home", type=Path, default=Path(), help="its datasets/, for whole runs")
    parser.add_argument("--dataset", default="maps", help="for whole runs")
    parser.add_argument("--images", type=int, default=64, help="a whole run trains on")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        row = json.loads(args.row)
        print(json.dumps(whole(row) if "given" in row else measure(row)))
        return
    if args.given:
        whole_runs(args)
        return
    rows: list[dict[str, Any]] = []
    print(HEAD)
    for size in args.sizes:
        for way in args.ways:
            for batch in args.batches or BATCHES.get(size, (1, 2, 4)):
                row = {"way": way, "size": size, "batch": batch, "steps": args.steps}
                row |= {"device": args.device, "precision": args.precision}
                rows.append(fresh(row))
                print(line(rows[-1]), flush=True)
                if args.out:
                    args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    worst = max(rows, key=lambda row: abs(row["off"]))
    print(f"{len(rows)} rows, worst {100 * worst['off']:+.1f} % (asked: {100 * ASKED:.0f} %)")


HEAD = "way           px  batch  planned  measured  off      [GiB]"


def line(row: dict[str, Any]) -> str:
    """Return a row as a line of the table."""
    return (
        f"{row['way']:12}{row['size']:5}{row['batch']:6}{row['planned_bytes'] / 2**30:10.2f}"
        f"{row['measured_bytes'] / 2**30:10.2f}{100 * row['off']:+7.1f} %"
    )


def fresh(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its figures, measured in a process of its own."""
    command = [sys.executable, __file__, "--row", json.dumps(row)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{row} ended with code {done.returncode}; its last words are above.")
    return json.loads(done.stdout)


def measure(row: dict[str, Any]) -> dict[str, Any]:
    """Plan, then step for real, in this process; the plan comes first, as in a run."""
    from dataclasses import asdict

    import torch

    from mapmaker.train.data import Pictures
    from mapmaker.train.device import choose_precision, peak_bytes, set_up
    from mapmaker.train.memory import plan_memory
    from mapmaker.train.recipes import find_recipe
    from mapmaker.train.state import new_state
    from mapmaker.train.step import Pace, train_step

    arch, recipe_name = WAYS[row["way"]]
    device = torch.device(row["device"])
    set_up(device)
    recipe = find_recipe(recipe_name, arch)
    precision = choose_precision(row["precision"], device)
    state = new_state(arch, row["size"], recipe, device, 0)
    began = time.perf_counter()
    plan = plan_memory(
        state.nets,
        batch=row["batch"],
        memory_bytes=1 << 45,
        precision=precision,
        ema=recipe.ema > 0,
        data_bytes=PICTURES * 3 * row["size"] ** 2,
        device=device,
        recipe=recipe,
    )
    planned_in = time.perf_counter() - began
    pictures = Pictures(
        Noise(row["size"]), device=device, seed=0, resident=True, symmetries=recipe.symmetries
    )
    pace, peaks = Pace(row["batch"], 1, precision), []
    for _ in range(row["steps"]):
        train_step(state, pictures, recipe, pace, seed=0, progress=0.0)
        peaks.append(peak_bytes(device))
    return row | {
        "precision": precision,
        "planned_bytes": plan.peak_bytes,
        "measured_bytes": peaks[-1],
        "off": plan.peak_bytes / peaks[-1] - 1,
        "plan": asdict(plan),
        "plan_seconds": round(planned_in, 2),
        "peaks": peaks,
    }


def whole_runs(args: argparse.Namespace) -> None:
    """Run and print a whole run for each way, size and memory given."""
    rows = []
    print("way           px    given  planned     room measured  [GiB]")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "datasets").symlink_to((args.home / "datasets").resolve())
        for way, size, given in itertools.product(args.ways, args.sizes, args.given):
            rows.append(
                row := fresh(
                    {"way": way, "size": size, "given": given, "home": folder}
                    | {"dataset": args.dataset, "device": args.device, "images": args.images}
                )
            )
            said = "" if row["measured_bytes"] <= row["given_bytes"] else "  MORE THAN GIVEN"
            sizes = ("given_bytes", "planned_bytes", "room_bytes", "measured_bytes")
            numbers = "".join(f"{row[name] / 2**30:9.2f}" for name in sizes)
            print(f"{way:12}{size:5}{numbers}{said}", flush=True)
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def whole(row: dict[str, Any]) -> dict[str, Any]:
    """Train as the command does, in this process, and return its peak beside its plan."""
    import torch

    from mapmaker.train import TrainConfig, train
    from mapmaker.train import job as setting_up
    from mapmaker.train.device import peak_bytes
    from mapmaker.train.memory import plan_memory
    from mapmaker.workspace import Workspace

    plans = []

    def remembering(*nets: Any, **asked: Any) -> Any:
        plans.append(plan_memory(*nets, **asked))
        return plans[-1]

    setting_up.plan_memory = remembering
    arch, recipe = WAYS[row["way"]]
    workspace = Workspace(Path(row["home"]))
    config = TrainConfig(
        arch=arch, size=row["size"], recipe=recipe, memory=row["given"], device=row["device"],
        kimg=row["images"] / 1000, tick_kimg=row["images"] / 2000,
    )  # fmt: skip
    for _ in train(workspace, workspace.dataset(row["dataset"]), config):
        pass
    plan, device = plans[-1], torch.device(row["device"])
    return row | {
        "given_bytes": plan.limit_bytes,
        "planned_bytes": plan.peak_bytes,
        "room_bytes": plan.room_bytes,
        "measured_bytes": peak_bytes(device),
        "plan": str(plan),
    }


class Noise:
    """Random pictures, uint8 (PICTURES, size, size, 3)."""

    def __init__(self, size: int) -> None:
        import numpy as np

        self._images = np.random.default_rng(0).integers(
            0, 256, (PICTURES, size, size, 3), dtype=np.uint8
        )

    def indices(self, split: str) -> Any:
        """Return every picture's number, whatever the split."""
        import numpy as np

        return np.arange(PICTURES)

    def load(self, indices: Any) -> Any:
        """Return pictures as uint8 (N, H, W, 3)."""
        return self._images[indices]


if __name__ == "__main__":
    main()
