"""A training step with nearest x2 and convolution in one, beside the plain way.

    OMP_NUM_THREADS=1 python bench/doubled.py

Both ways step the same nets in turn in one process; CPU seconds, the median of the rounds.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

STEPS = (("fewshot", 64, 8), ("fewshot", 128, 8), ("fewshot", 256, 4), ("pyramid", 128, 8))


def main() -> None:
    """Print a line for each net and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds

    import torch
    from speed import make

    from mapmaker.models import doubled
    from mapmaker.train.device import set_up

    device = torch.device("cpu")
    set_up(device)
    ways = {"plain": 1 << 30, "in one": doubled.LEAST_PX}
    for name, size, batch in STEPS:
        step, precision = make(name, size, batch, device)
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds + 1):  # the first warms up
            for way, least_px in ways.items():
                doubled.LEAST_PX = least_px
                begun = time.process_time()
                step()
                seconds[way].append(time.process_time() - begun)
        plain, one = (statistics.median(s[1:]) for s in seconds.values())
        print(f"{name} {size} px, batch {batch}, {precision}: {plain:.3f} -> {one:.3f} s", end="")
        print(f", {plain / one:.2f} times", flush=True)


if __name__ == "__main__":
    main()
