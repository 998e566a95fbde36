"""All that is to be learnt of a GPU, in one run of a few minutes; nothing lost if a part fails.

    python bench/gpu.py --minutes 9 --home . --dataset maps --out gpu-run
    python bench/gpu.py --quick --out gpu-run          the same way on a CPU, small: does it work?

In turn, each as far as the time allows: one step against the CPU's; planned and measured memory;
speed, beside other projects where they are installed; torch.compile; then one training of the data
set for all the time that is left. `--out` holds report.json, written anew after every part, and the
run's checkpoint.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

TOLERANCE = 2e-3  # of the largest number, in float32 without TF32
TRAINING_SHARE = 0.5  # of the time, at least
NETS = (("dcgan", "recommended"), ("dcgan", "notes"), ("fewshot", "recommended"))
PEERS = ["lightweight-gan", "fastgan", "fastgan-32"]


@dataclass(frozen=True)
class Size:
    """What is measured at one size, as the ways and batches of it."""

    side_px: int
    batch: int
    ways: list[str] = field(default_factory=lambda: ["recommended", "fewshot"])


def main() -> None:
    """Run every part that there is time for, and say how each went."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="for everything together")
    parser.add_argument("--home", type=Path, help="the folder that holds datasets/ [no training]")
    parser.add_argument("--dataset", default="maps")
    parser.add_argument("--arch", default="fewshot", help="of the training")
    parser.add_argument("--size", type=int, default=256, help="of the training [px]")
    parser.add_argument("--recipe", default="recommended", help="of the training")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="on the CPU, tiny")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * args.minutes
    device = "cpu" if args.quick else "cuda"
    sizes = [Size(256, 16), Size(512, 16), Size(750, 16), Size(1024, 8)]
    if args.quick:
        sizes = [Size(32, 2, ["recommended"])]
    parts: dict[str, Callable[[], Any]] = {
        "machine": lambda: machine(device),
        "correctness": lambda: correctness(
            device, *((32, NETS[:1]) if args.quick else (128, NETS))
        ),
        "memory": lambda: memory(sizes, device, args.quick),
        "speed": lambda: speed(sizes, device, args.quick),
    }
    if not args.quick:
        parts["compile"] = lambda: compiled(device)
    report: dict[str, Any] = {}
    for name, part in parts.items():
        late = time.monotonic() > ends - 60 * TRAINING_SHARE * args.minutes
        run_part(report, name, (lambda: "no time was left") if late else part, args.out)
    if args.home is not None:
        left = ends - time.monotonic()
        run_part(report, "training", lambda: training(args, device, left), args.out)
    failed = [name for name, part in report.items() if "error" in part]
    raise SystemExit(f"These parts failed: {', '.join(failed)}." if failed else 0)


def run_part(report: dict[str, Any], name: str, part: Callable[[], Any], out: Path) -> None:
    """Run one part, keep its figures or its traceback, write the report, say how long it took."""
    began = time.monotonic()
    try:
        report[name] = {"figures": part()}
    except Exception:
        report[name] = {"error": traceback.format_exc()}
        print(report[name]["error"], file=sys.stderr)
    report[name]["seconds"] = round(time.monotonic() - began, 1)
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"== {name}: {report[name]['seconds']} s\n{report[name].get('figures', '')}", flush=True)


def machine(device: str) -> dict[str, Any]:
    """Return what the machine is, and its rates."""
    import torch
    from speed import rates

    from mapmaker.train.device import environment, set_up

    use = torch.device(device)
    set_up(use)
    return environment(use) | rates(use)


def correctness(device: str, side_px: int, nets: tuple[tuple[str, str], ...]) -> dict[str, float]:
    """Return how far the device's pictures, logits and gradients are from the CPU's, by net.

    The same weights and inputs in float32; the difference as a share of the CPU's largest number.
    Raises AssertionError above TOLERANCE.
    """
    import torch

    from mapmaker.train.recipes import find_recipe
    from mapmaker.train.state import new_state

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found = {}
    for arch, name in nets:
        seen = []
        for use in ("cpu", device):
            recipe = find_recipe(name, arch)
            state = new_state(arch, side_px, recipe, torch.device(use), 0)
            fixed = torch.Generator().manual_seed(1)
            z = torch.randn(4, *state.nets.latent_shape, generator=fixed).to(use)
            torch.manual_seed(0)
            pictures = state.nets.generator(z)
            whole = getattr(state.nets.discriminator, "local", None)
            if whole is not None:  # its windows lie where the device's own generator says
                state.nets.discriminator.local = None
            logits = state.nets.discriminator(pictures)
            logits.square().mean().backward()
            weights = [*state.nets.generator.parameters(), *state.nets.discriminator.parameters()]
            grads = [p.grad for p in weights if p.grad is not None]
            seen.append([t.detach().cpu() for t in (pictures, logits, *grads)])
        off = max(
            float((a - b).abs().max() / a.abs().max().clamp_min(1e-6))
            for a, b in zip(*seen, strict=True)
        )
        found[f"{arch}/{name}"] = off
        assert off < TOLERANCE, f"{arch}/{name} is {off:.2g} off."
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return found


def memory(sizes: list[Size], device: str, quick: bool) -> list[dict[str, Any]]:
    """Return planned and measured peaks, a fresh process each."""
    from memory import HEAD, fresh, line

    rows = []
    print(HEAD)
    for size in sizes:
        for way in [*size.ways, *([] if quick else ["notes"])]:
            row = {"way": way, "size": size.side_px, "batch": size.batch, "steps": 3}
            rows.append(fresh(row | {"device": device, "precision": "auto"}))
            print(line(rows[-1]), flush=True)
    return rows


def speed(sizes: list[Size], device: str, quick: bool) -> list[dict[str, Any]]:
    """Return pictures a second and the share of the floor; with others' nets at the first size."""
    from speed import beside, table

    found = []
    for number, size in enumerate(sizes):
        peers = PEERS if number == 0 and not quick else []
        ways = [*size.ways, *peers]
        found.append(beside(ways, size.side_px, size.batch, 1 if quick else 10, device))
        print(table(found[-1]), flush=True)
    return found


def compiled(device: str) -> dict[str, float]:
    """Return milliseconds a step of fewshot at 256 px, as it is and with torch.compile."""
    import torch
    from memory import Noise

    from mapmaker.train.data import Pictures
    from mapmaker.train.recipes import find_recipe
    from mapmaker.train.state import new_state
    from mapmaker.train.step import Pace, train_step

    use, recipe = torch.device(device), find_recipe("recommended", "fewshot")
    found = {}
    for name in ("eager", "compiled"):
        state = new_state("fewshot", 256, recipe, use, 0)
        pictures = Pictures(Noise(256), device=use, seed=0, resident=True, symmetries=True)
        if name == "compiled":
            state.nets.generator.compile()
            state.nets.discriminator.compile()
        pace = Pace(16, 1, "bf16")
        times = []
        for _ in range(25):
            began = time.perf_counter()
            train_step(state, pictures, recipe, pace, seed=0, progress=0.0)
            torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
        found[f"{name}_first_s"] = times[0]
        found[f"{name}_ms"] = 1000 * sorted(times[5:])[10]
    return found


def training(args: argparse.Namespace, device: str, left_s: float) -> dict[str, Any]:
    """Train the data set for the time that is left and return how its metrics began and ended."""
    from mapmaker.files import read_lines
    from mapmaker.train import TrainConfig, train
    from mapmaker.workspace import Workspace

    home = args.out / "home"
    home.mkdir(exist_ok=True)
    if not (home / "datasets").exists():
        (home / "datasets").symlink_to((args.home / "datasets").resolve())
    minutes = max(0.02, (left_s - 30) / 60)  # the last save and frame take some of it
    budget = {"kimg": 0.004, "batch": "2"} if args.quick else {"minutes": minutes}
    config = TrainConfig(
        arch=args.arch, size=args.size, recipe=args.recipe, device=device, name="gpu", **budget
    )  # fmt: skip
    workspace = Workspace(home)
    for event in train(workspace, workspace.dataset(args.dataset), config):
        print(event, flush=True)
    rows = read_lines(home / "checkpoints" / "gpu" / "metrics.jsonl")
    return {"ticks": len(rows), "first": rows[0], "last": rows[-1]}


if __name__ == "__main__":
    main()
