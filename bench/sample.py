"""How long until the first map, and how many a second after it: each engine in its own process.

    python bench/sample.py [--size 750] [--threads 1 2] [--rounds 5] [--home FOLDER]

Makes a `fewshot` with random weights as a run in FOLDER, exports it as ONNX, then measures side by
side: from starting `mapmaker sample` to its end (cold), and one picture after another in a process
that has loaded (steady, without resizing and PNG). On a shared machine the ratios hold, the seconds
do not: each figure is the best of the rounds, which alternate between the engines.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = {
    "torch, as trained": ("plain", "fp32"),
    "torch fp32": ("torch", "fp32"),
    "torch bf16": ("torch", "bf16"),
    "onnxruntime fp32": ("onnx", "fp32"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=750)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--steady", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as beside:
        home = args.home or Path(beside)
        if args.steady:
            print(json.dumps(steady(home, args.steady, args.rounds)))
            return
        if not (home / "checkpoints/random").is_dir():
            random_run(home, args.size)
        for threads in args.threads:
            report(home, threads, args.rounds)


def random_run(home: Path, size: int) -> None:
    """Leave checkpoints/random: a fewshot nobody trained, with its .onnx."""
    import torch

    from mapmaker.cli.border import run_line
    from mapmaker.train.checkpoint import save_checkpoint
    from mapmaker.train.recipes import find_recipe
    from mapmaker.train.state import new_state
    from mapmaker.train.step import Pace

    recipe = find_recipe("recommended", "fewshot")
    state = new_state("fewshot", size, recipe, torch.device("cpu"), 0)
    run = home / "checkpoints/random"
    run.mkdir(parents=True)
    save_checkpoint(run, state, Pace(1, 1, "fp32"))
    (run / "config.toml").write_text(f'arch = "fewshot"\nsize = {size}\n[run]\ndataset = "none"\n')
    assert run_line(["--home", str(home), "export", "random", "--to", "onnx"]) == 0


def report(home: Path, threads: int, rounds: int) -> None:
    """Print one table for so many threads."""
    cold: dict[str, float] = {}
    for _ in range(min(rounds, 3)):
        for way, (engine, precision) in WAYS.items():
            if engine != "plain":
                cold[way] = min(cold.get(way, 1e9), first_map(home, engine, precision, threads))
    warm: dict[str, dict[str, float]] = {way: {} for way in WAYS}
    for _ in range(3):
        for way in WAYS:
            command = [sys.executable, __file__, "--steady", way, "--home", str(home)]
            command += ["--rounds", str(rounds)]
            said = subprocess.run(
                command, capture_output=True, text=True, check=True, env=env(threads)
            )
            for name, value in json.loads(said.stdout).items():
                warm[way][name] = min(warm[way].get(name, 1e9), value)
    print(f"\n{threads} thread{'s' * (threads > 1)}, load {os.getloadavg()[0]:.1f}\n")
    print("| engine | first map, cold [s] | a picture [ms] | processor [ms] |\n|---|---|---|---|")
    for way in WAYS:
        first = f"{cold[way]:.2f}" if way in cold else ""
        print(f"| {way} | {first} | {warm[way]['wall']:.0f} | {warm[way]['cpu']:.0f} |", flush=True)


def first_map(home: Path, engine: str, precision: str, threads: int) -> float:
    """Return the seconds from starting a new process to the PNG on the disk."""
    words = ["--engine", engine, "--precision", precision, "--seed", "7"]
    command = [sys.executable, "-m", "mapmaker", "--home", str(home), "sample", "random", *words]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=env(threads))
    return time.perf_counter() - began


def steady(home: Path, way: str, rounds: int) -> dict[str, float]:
    """Return the best milliseconds of a picture, by the clock and of the processor."""
    from mapmaker.sample.config import SampleConfig
    from mapmaker.sample.latents import latent
    from mapmaker.sample.painters import open_painter
    from mapmaker.workspace import Workspace

    engine, precision = WAYS[way]
    config = SampleConfig(engine=engine, precision=precision)
    painter = open_painter(Workspace(home), home / "checkpoints/random", config)
    shape = tuple(painter.facts["latent_shape"])
    best = {"wall": 1e9, "cpu": 1e9}
    for seed in range(rounds + 1):
        z, began, busy = latent(seed, shape), time.perf_counter(), time.process_time()
        painter.paint(z)
        if seed:  # the first one warms up
            best["wall"] = min(best["wall"], 1000 * (time.perf_counter() - began))
            best["cpu"] = min(best["cpu"], 1000 * (time.process_time() - busy))
    return best


def env(threads: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


if __name__ == "__main__":
    main()
