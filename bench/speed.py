"""Our nets beside others': pictures a second, peak memory, and how near the machine's own limits.

    OMP_NUM_THREADS=1 python bench/speed.py --size 128 --batch 8 --out speed.json

Each way has its own process; they step in turn, one at a time, on random pictures. On a CPU with
one thread the times are CPU seconds of the process, so other work disturbs them little.

The floor of a step is what its own operations would take at the machine's best: floating-point
operations of convolutions and products at the better of two measured rates (a product, a
convolution; in the number format that the way uses), and the bytes every other operation reads and
writes at the rate of a copy. The rates are measured in the same run, between the steps.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

OURS = {
    "notes": ("dcgan", "notes"),
    "recommended": ("dcgan", "recommended"),
    "pyramid": ("pyramid", "recommended"),
    "fewshot": ("fewshot", "recommended"),
}
WAYS = (*OURS, "lightweight-gan", "fastgan", "fastgan-32")
PICTURES = 16


def main() -> None:
    """Time the ways asked for and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args)
        return
    figures = beside(args.ways, args.size, args.batch, args.rounds, args.device)
    print(table(figures))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def beside(ways: list[str], size: int, batch: int, rounds: int, device: str) -> dict[str, Any]:
    """Return the figures of all ways at one size; a way that cannot be had gives its reason."""
    from train import ask

    workers: dict[str, subprocess.Popen[str]] = {}
    figures: dict[str, Any] = {"size": size, "batch": batch, "device": device, "ways": {}}
    try:
        for way in ("machine", *ways):
            command = [sys.executable, __file__, "--worker", way, "--size", str(size)]
            command += ["--batch", str(batch), "--device", device]
            pipe = subprocess.PIPE
            workers[way] = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
            reason = ask(workers[way], "ready").get("reason")
            if reason:
                figures["ways"][way] = {"reason": reason}
                _end(workers.pop(way))
        steps: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
        for _ in range(rounds + 2):  # the first two warm up
            for name, process in workers.items():
                steps[name].append(ask(process, "step"))
        machine = steps.pop("machine")
        rates = {name: max(row[name] for row in machine) for name in machine[0]}
        figures["rates"] = rates
        for name, rows in steps.items():
            count = ask(workers[name], "count")
            figures["ways"][name] = _figures(rows[2:], batch, count, rates)
    finally:
        for process in workers.values():
            _end(process)
    return figures


def _figures(
    rows: list[dict[str, Any]], batch: int, count: dict[str, Any], rates: dict[str, float]
) -> dict[str, Any]:
    seconds = statistics.median(row["seconds"] for row in rows)
    floor = count["flops"] / rates[count["format"]] + count["bytes"] / rates["copy"]
    return count | {
        "seconds": seconds,
        "wall_seconds": statistics.median(row["wall"] for row in rows),
        "img_per_s": batch / seconds,
        "peak_bytes": rows[-1]["peak_bytes"],
        "floor_seconds": floor,
        "share_of_floor": floor / seconds,
    }


def _end(process: subprocess.Popen[str]) -> None:
    process.stdin.close()  # type: ignore[union-attr]
    process.wait()


def worker(args: argparse.Namespace) -> None:
    """Answer "ready", "step" and "count" on standard input, a JSON line each."""
    import torch

    from mapmaker.errors import MapmakerError
    from mapmaker.train.device import peak_bytes, set_up

    device = torch.device(args.device)
    set_up(device)
    step: Callable[[], Any] | None = None
    for word in sys.stdin:
        answer: dict[str, Any] = {}
        if word.strip() == "ready":
            try:
                if args.worker != "machine":
                    step, form = make(args.worker, args.size, args.batch, device)
            except MapmakerError as error:
                answer = {"reason": f"{error} {error.hint}"}
        elif step is None:
            answer = rates(device)
        elif word.strip() == "count":
            answer = counted(step) | {"format": form}
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            alone = device.type == "cpu" and torch.get_num_threads() == 1
            answer = {"wall": wall, "seconds": cpu if alone else wall}
            answer["peak_bytes"] = peak_bytes(device)
        print(json.dumps(answer), flush=True)


def make(way: str, size: int, batch: int, device: Any) -> tuple[Callable[[], Any], str]:
    """Return what steps the way once, and the number format it computes in."""
    import torch
    from memory import Noise

    if way not in OURS:
        from peers import Peer

        peer = Peer(way, size, batch, device)
        reals = torch.rand(batch, 3, size, size, device=device) * 2 - 1
        return lambda: peer.step(reals), "fp32"
    from mapmaker.train.data import Pictures
    from mapmaker.train.device import choose_precision
    from mapmaker.train.recipes import find_recipe
    from mapmaker.train.state import new_state
    from mapmaker.train.step import Pace, train_step

    arch, name = OURS[way]
    recipe = find_recipe(name, arch)
    state = new_state(arch, size, recipe, device, 0)
    pictures = Pictures(
        Noise(size), device=device, seed=0, resident=True, symmetries=recipe.symmetries
    )
    pace = Pace(batch, 1, choose_precision("auto", device))
    return (
        lambda: train_step(state, pictures, recipe, pace, seed=0, progress=0.0),
        pace.precision,
    )


def counted(step: Callable[[], Any]) -> dict[str, float]:
    """Return the floating-point operations of a step's convolutions and products, and the bytes
    that its other operations read and write."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry

    total = {"flops": 0.0, "bytes": 0.0}

    class Count(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            packet = func._overloadpacket
            if packet in flop_registry:
                total["flops"] += flop_registry[packet](*args, **(kwargs or {}), out_val=out)
            elif not func.is_view and "empty" not in packet.__name__:
                moved = tree_leaves([args, kwargs, out])
                total["bytes"] += sum(t.nbytes for t in moved if hasattr(t, "nbytes"))
            return out

    with Count():
        step()
    return total


def rates(device: Any) -> dict[str, float]:
    """Return the machine's best now: flop/s in fp32 and bf16, bytes/s of a copy, in and out."""
    import torch
    import torch.nn.functional as F

    def best(work: Callable[[], Any]) -> float:
        seconds = []
        for _ in range(4):
            if device.type == "cuda":
                torch.cuda.synchronize()
            began = time.process_time() if device.type == "cpu" else time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            ended = time.process_time() if device.type == "cpu" else time.perf_counter()
            seconds.append(ended - began)
        return min(seconds)

    n, big = (1024, 1) if device.type == "cpu" else (8192, 16)
    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.randn(n, n, device=device).to(kind)
        x = torch.randn(4 * big, 64, 96, 96, device=device).to(kind)
        x = x.contiguous(memory_format=torch.channels_last)
        w = torch.randn(64, 64, 3, 3, device=device).to(kind)
        w = w.contiguous(memory_format=torch.channels_last)
        convolved = 2 * len(x) * 64 * 64 * 9 * 96 * 96
        with torch.no_grad():
            product = best(lambda a=a: a @ a)
            convolution = best(lambda x=x, w=w: F.conv2d(x, w, padding=1))
        found[name] = max(2 * n**3 / product, convolved / convolution)
    source = torch.zeros(big * 2**24, device=device)
    target = torch.zeros_like(source)
    found["copy"] = 2 * source.nbytes / best(lambda: target.copy_(source))
    return found


def table(figures: dict[str, Any]) -> str:
    """Return the figures as a table."""
    bf16, fp32, copy = (figures["rates"][name] / 1e9 for name in ("bf16", "fp32", "copy"))
    lines = [
        f"{figures['size']} px, batch {figures['batch']}, {figures['device']}; the machine: "
        f"{bf16:.0f} Gflop/s in bf16, {fp32:.0f} in fp32, copies {copy:.1f} GB/s",
        "way              img/s  peak GiB  Gflop/img  GB/img  share of the floor",
    ]
    for name, way in figures["ways"].items():
        if "reason" in way:
            lines.append(f"{name:16} {way['reason']}")
            continue
        batch = figures["batch"]
        lines.append(
            f"{name:15}{way['img_per_s']:7.2f}{way['peak_bytes'] / 2**30:10.2f}"
            f"{way['flops'] / batch / 1e9:11.1f}{way['bytes'] / batch / 1e9:8.2f}"
            f"{100 * way['share_of_floor']:8.0f} %"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
