"""How fast and how large a training step is, ours beside the plain way, in one run.

    python bench/train.py --size 750 --batch 8 --out bench.json

Each way has its own process; the processes step in turn, one at a time, so both see the same
machine. Then the memory plan is held against the measured peak, a fresh process for each batch.
Peaks are the process's high-water mark on a CPU, torch's allocated maximum on a GPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

PICTURES = 12
RATIO = 1.8
OFF_BY = {"cpu": 0.15, "cuda": 0.10}


def main() -> None:
    """Run the bench the command line asks for."""
    parser = argparse.ArgumentParser(description="Time a training step and measure its memory.")
    parser.add_argument("--size", type=int, default=750)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--batches", type=int, nargs="*", help="for the memory plan [batch/4 ..]")
    parser.add_argument("--rounds", type=int, default=8, help="timed steps of each way")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--recipe", default="notes", help="of our way, in the memory part")
    parser.add_argument("--arch", default="dcgan", help="in the memory part")
    parser.add_argument("--pictures", type=Path, help="folder of PNG files [layouts are drawn]")
    parser.add_argument("--skip", choices=("speed", "memory"), help="leave one part out")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--quick", action="store_true", help="64 px, one round: does it work?")
    parser.add_argument("--worker", choices=("plain", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.size, args.batch, args.rounds, args.batches = 64, 4, 1, [4]
    if args.worker:
        worker(args)
        return
    print(table(bench(args)))


def bench(args: argparse.Namespace) -> dict[str, Any]:
    """Return every figure, and write them to args.out."""
    with tempfile.TemporaryDirectory() as folder:
        if args.pictures is None:
            args.pictures = Path(folder)
            draw_pictures(args.pictures, args.size, args.batch if args.quick else PICTURES)
        figures: dict[str, Any] = {"size": args.size, "batch": args.batch, "device": args.device}
        if args.skip != "speed":
            figures["speed"] = speed(args)
        if args.skip != "memory":
            batches = args.batches or [max(1, args.batch // 4), max(2, args.batch // 2), args.batch]
            figures["memory"] = [memory(args, batch) for batch in batches]
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def speed(args: argparse.Namespace) -> dict[str, Any]:
    """Return seconds a step, pictures a second and peak memory of both ways, stepping in turn."""
    ways: dict[str, dict[str, Any]] = {}
    with started(args, "plain", args.batch) as plain, started(args, "ours", args.batch) as ours:
        workers = {"plain": plain, "ours": ours}
        replies: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
        for _ in range(args.rounds + 2):  # the first two warm up
            for name, process in workers.items():
                replies[name].append(ask(process, "step"))
    for name, rows in replies.items():
        seconds = [row["seconds"] for row in rows[2:]]
        ways[name] = {
            "seconds": seconds,
            "img_per_s": args.batch / statistics.median(seconds),
            "peak_bytes": rows[-1]["peak_bytes"],
            "setting": rows[-1].get("setting", "fp32"),
        }
    pairs = zip(ways["plain"]["seconds"], ways["ours"]["seconds"], strict=True)
    return {**ways, "ratio": statistics.median(p / o for p, o in pairs)}


def memory(args: argparse.Namespace, batch: int) -> dict[str, Any]:
    """Return the planned and the measured peak of our way at this batch, in a fresh process."""
    with started(args, "ours", batch) as process:
        plan = ask(process, "plan")
        for _ in range(4):
            last = ask(process, "step")
    off = plan["peak_bytes"] / last["peak_bytes"] - 1
    return {"batch": batch, "plan": plan, "measured_bytes": last["peak_bytes"], "off": off}


@contextmanager
def started(args: argparse.Namespace, way: str, batch: int) -> Iterator[subprocess.Popen[str]]:
    """Start a worker process, wait until its nets are ready, and end it afterwards."""
    command = [sys.executable, __file__, "--worker", way, "--batch", str(batch)]
    for name in ("size", "device", "precision", "recipe", "arch", "pictures"):
        command += [f"--{name}", str(getattr(args, name))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        ask(process, "ready")
        try:
            yield process
        finally:
            process.stdin.close()  # type: ignore[union-attr]


def ask(process: subprocess.Popen[str], word: str) -> dict[str, Any]:
    """Send one word to a worker and return its answer."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"A worker ended with code {process.wait()}; its last words are above.")
    return json.loads(line)


def worker(args: argparse.Namespace) -> None:
    """Answer "step", "plan" and "ready" on standard input, a JSON line each."""
    import torch

    from mapmaker.train.device import peak_bytes

    device = torch.device(args.device)
    way = make_way(args, device)
    for word in sys.stdin:
        answer: dict[str, Any] = {"setting": way.setting} if hasattr(way, "setting") else {}
        if word.strip() == "step":
            began = time.perf_counter()
            way.step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            answer["seconds"] = time.perf_counter() - began
            answer["peak_bytes"] = peak_bytes(device)
        elif word.strip() == "plan":
            answer = way.planned
        print(json.dumps(answer), flush=True)


def make_way(args: argparse.Namespace, device: Any) -> Any:
    """Return the worker's way to train: an object with step()."""
    if args.worker == "plain":
        from plain import Plain

        return Plain(args.pictures, args.size, args.batch, device)
    return Ours(args, device)


class Ours:
    """The step of `mapmaker train`, on the same pictures held as uint8."""

    def __init__(self, args: argparse.Namespace, device: Any) -> None:
        from mapmaker.train.data import Pictures
        from mapmaker.train.device import choose_precision, set_up
        from mapmaker.train.recipes import find_recipe
        from mapmaker.train.state import new_state
        from mapmaker.train.step import Pace

        set_up(device)
        self.recipe = find_recipe(args.recipe, args.arch)
        self.pace = Pace(args.batch, 1, choose_precision(args.precision, device))
        self.state = new_state(args.arch, args.size, self.recipe, device, 0)
        self.setting = self.pace.precision
        # The plan comes before the pictures, as in a run: what the process holds counts into it.
        self.data_bytes = len(list(args.pictures.glob("*.png"))) * 3 * args.size**2
        self.planned = self._plan()
        self.pictures = Pictures(
            Decoded(args.pictures, args.size), device=device, seed=0, resident=True,
            symmetries=self.recipe.symmetries,
        )  # fmt: skip

    def step(self) -> float:
        """Train D once and G once; return the generator's loss."""
        from mapmaker.train.step import train_step

        figures = train_step(
            self.state, self.pictures, self.recipe, self.pace, seed=0, progress=0.0
        )
        return figures["loss_g"].item()

    def _plan(self) -> dict[str, Any]:
        """Return what the memory plan says of this very setting."""
        from dataclasses import asdict

        from mapmaker.train.memory import plan_memory

        plan = plan_memory(
            self.state.nets,
            batch=self.pace.batch,
            memory_bytes=1 << 45,
            precision=self.pace.precision,
            ema=self.state.ema is not None,
            data_bytes=self.data_bytes,
            device=self.state.device,
            recipe=self.recipe,
        )
        return {**asdict(plan), "peak_bytes": plan.peak_bytes}


class Decoded:
    """A folder of PNG files, decoded once: what our way has in its shards."""

    def __init__(self, folder: Path, size: int) -> None:
        import numpy as np
        from PIL import Image

        found = []
        for file in sorted(folder.glob("*.png")):
            with Image.open(file) as picture:
                found.append(np.asarray(picture.convert("RGB").resize((size, size))))
        self._images = np.stack(found)

    def indices(self, split: str) -> Any:
        """Return every picture's number, whatever the split."""
        import numpy as np

        return np.arange(len(self._images))

    def load(self, indices: Any) -> Any:
        """Return pictures as uint8 (N, H, W, 3)."""
        return self._images[indices]


def draw_pictures(folder: Path, size: int, count: int) -> None:
    """Draw `count` floor plans as PNG files of size x size px."""
    from mapmaker.layout import KINDS, plan, render

    kinds = KINDS.names()
    for number in range(count):
        picture = render(plan(kinds[number % len(kinds)], number // len(kinds)))
        picture.convert("RGB").resize((size, size)).save(folder / f"{number:02d}.png")


def table(figures: dict[str, Any]) -> str:
    """Return the figures as a small table, each beside what is asked of it."""
    lines = [f"dcgan {figures['size']} px, batch {figures['batch']}, {figures['device']}"]
    if "speed" in figures:
        speeds = figures["speed"]
        for name in ("plain", "ours"):
            way = speeds[name]
            peak = way["peak_bytes"] / 2**30
            lines.append(f"  {name:6} {way['img_per_s']:8.2f} img/s   peak {peak:6.2f} GiB")
        lines.append(f"  ratio  {speeds['ratio']:8.2f} (asked: {RATIO})")
    for row in figures.get("memory", []):
        lines.append(
            f"  batch {row['batch']:3}: planned {row['plan']['peak_bytes'] / 2**30:6.2f} GiB,"
            f" measured {row['measured_bytes'] / 2**30:6.2f} GiB, off {100 * row['off']:+5.1f} %"
            f" (asked: {100 * OFF_BY[figures['device']]:.0f} %)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
