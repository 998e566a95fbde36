"""Short trainings beside each other: the same pictures, the same minutes of one core, many seeds.

A trial is a net, a recipe, a seed and a budget in CPU minutes of one thread, so that what else the
machine does changes no result. Each runs in a process of its own and leaves a folder:

    trial.json  log.jsonl  samples.npz (256 pictures)  result.json (last: done means it exists)
    figures.json (what `mapmaker.evaluate.measure` says of the samples)

`bench/ablate.py` and `bench/compare.py` say which trials; running them again does what is missing.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from learners import Ours, Theirs
from trial_data import BATCH, Trial, read_data

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SAMPLES = 256
LOOKS = 10  # times a trial is looked at on its way
SPREAD = 0.25  # pictures nearer to each other than this share of the real ones' have collapsed


def run_trial(trial: Trial, home: Path, dataset: str, folder: Path) -> dict[str, Any]:
    """Train, looking LOOKS times on the way, sample, write the folder; return the result."""
    import numpy as np
    import torch

    from mapmaker.train.device import peak_bytes, set_up

    set_up(torch.device("cpu"))
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    data = read_data(home, dataset, trial)
    learner = (Theirs if trial.arch.startswith("peer-") else Ours)(trial, data)
    real_spread, log, bad = spread(data.train), [], ""
    budget, looked, steps = 60 * trial.minutes, 0, 0
    spent, began = 0.0, time.process_time()
    while spent < budget and not bad:
        figures = learner.step(spent / budget)
        steps += 1
        spent = time.process_time() - began
        if not all(np.isfinite(list(figures.values()))):
            bad = "not finite"
        elif spent >= budget * (looked + 1) / LOOKS:
            looked += 1
            pause = time.process_time()
            try:
                share = spread(learner.sample(32)) / real_spread
            except Exception as error:  # a net that diverged between two looks draws no picture
                share, bad = 0.0, type(error).__name__
            log.append({"minutes": spent / 60, "steps": steps, "spread": share, **figures})
            began += time.process_time() - pause
    result: dict[str, Any] = {
        "trial": asdict(trial),
        "steps": steps,
        "kimg": steps * BATCH / 1000,
        "img_per_s": steps * BATCH / max(spent, 1e-9),
        "peak_bytes": peak_bytes(torch.device("cpu")),
        "bad": bad or collapse(log),
    }
    if result["bad"] in ("", "collapsed"):
        samples = learner.sample(SAMPLES)
        np.savez_compressed(folder / "samples.npz", samples=samples)
        result["spread"] = spread(samples) / real_spread
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    beside = folder / "result.tmp"
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(folder / "result.json")
    return result


def collapse(log: Sequence[Mapping[str, float]]) -> str:
    """Return "collapsed" when the pictures of the last two looks were nearly one, else ""."""
    last = [row["spread"] for row in log[-2:]]
    return "collapsed" if last and max(last) < SPREAD else ""


def spread(pictures: Any) -> float:
    """Return the mean distance of pairs of pictures at 16 px: RMS over pixels, 0..255."""
    import cv2
    import numpy as np

    some = pictures[np.linspace(0, len(pictures) - 1, min(64, len(pictures))).astype(int)]
    small = np.stack([cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA) for p in some])
    flat = small.reshape(len(small), -1).astype(np.float32)
    apart = np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(axis=2))
    return float(apart[np.triu_indices(len(flat), 1)].mean())


def judge(trial: Trial, home: Path, dataset: str, folder: Path) -> dict[str, float]:
    """Return what `mapmaker.evaluate.measure` says of a trial's samples, measuring them once.

    Nothing is said ({}) of a net that left no samples.
    """
    import numpy as np

    from mapmaker.evaluate import measure

    path = folder / "figures.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    if not (folder / "samples.npz").exists():
        return {}
    data, side = read_data(home, dataset, trial), trial.judge or trial.size
    with np.load(folder / "samples.npz") as file:
        sets = [shrunk(a, side) for a in (file["samples"], data.train, data.held_out)]
    cell = data.cell_px * side / trial.size
    figures = measure(*sets, cell_px=cell or None, groups=data.groups)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def shrunk(pictures: Any, side: int) -> Any:
    """Return pictures averaged by area to side x side px."""
    import cv2
    import numpy as np

    if pictures.shape[1] == side:
        return pictures
    return np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures])


def run_all(
    trials: Iterable[Trial], out: Path, home: Path, dataset: str, cores: Sequence[int]
) -> Iterator[tuple[Trial, dict[str, Any]]]:
    """Run what has no result yet, one process a core, and yield every trial with its result."""
    waiting = list(trials)
    missing = [t for t in waiting if not (out / t.folder / "result.json").exists()]
    running: dict[int, tuple[Trial, subprocess.Popen[bytes]]] = {}
    while missing or running:
        for core in [c for c in cores if c not in running][: len(missing)]:
            trial = missing.pop(0)
            print(time.strftime("%H:%M:%S"), trial.folder, file=sys.stderr, flush=True)
            running[core] = trial, start(trial, out, home, dataset, core)
        time.sleep(0.5)
        for core, (trial, process) in list(running.items()):
            if process.poll() is not None:
                del running[core]
                if process.returncode:
                    print(f"{trial.folder} failed: see its err.txt", file=sys.stderr)
    for trial in waiting:
        path = out / trial.folder / "result.json"
        if path.exists():
            yield trial, json.loads(path.read_text(encoding="utf-8"))


def start(
    trial: Trial, out: Path, home: Path, dataset: str, core: int
) -> "subprocess.Popen[bytes]":
    """Start the worker of one trial on one core."""
    folder = out / trial.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trial.json").write_text(json.dumps(asdict(trial)) + "\n", encoding="utf-8")
    command = [sys.executable, __file__, str(folder), "--home", str(home), "--dataset", dataset]
    env = os.environ | {"OMP_NUM_THREADS": "1", "THP_MEM_ALLOC_ENABLE": "1"}
    pin: Callable[[], None] | None = None
    if hasattr(os, "sched_setaffinity"):
        pin = lambda: os.sched_setaffinity(0, {core})  # noqa: E731
    with (folder / "err.txt").open("wb") as err:
        return subprocess.Popen(command, env=env, stderr=err, preexec_fn=pin)


def main() -> None:
    """Run the one trial whose folder is given."""
    parser = argparse.ArgumentParser(description="Run one trial: see bench/ablate.py.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--dataset", default="maps")
    args = parser.parse_args()
    row = json.loads((args.folder / "trial.json").read_text(encoding="utf-8"))
    trial = Trial(**row | {"kinds": tuple(row["kinds"])})
    run_trial(trial, args.home, args.dataset, args.folder)


if __name__ == "__main__":
    main()
