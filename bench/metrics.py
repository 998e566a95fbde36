"""What each metric of `mapmaker evaluate` sees: known harm done to real maps.

    python bench/metrics.py HOME/datasets/NAME/shards/128 [--count 128]
    python bench/metrics.py --speed 64,128

The training maps are halved by source map. One half stands for the training set; pictures of the
other are harmed in a known way and measured as if a net had made them, beside the held-out maps.
`floor` is that half unharmed: what a perfect net would get. Prints a Markdown table. --speed prints
CPU seconds of one core and the largest resident set for 256 pictures of noise by 600 and 60 others.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from mapmaker.evaluate.measuring import measure
from mapmaker.evaluate.pictures import eight
from mapmaker.evaluate.stored import read_splits
from mapmaker.shards.reader import open_shards

SHOWN = {
    "swd_mean": "SWD",
    "swd_128": "SWD 128",
    "swd_16": "SWD 16",
    "swd_colour": "colour",
    "rkid": "rKID",
    "rkid_train": "to train",
    "precision": "prec",
    "recall": "recall",
    "density": "dens",
    "coverage": "cover",
    "ms_ssim": "MS-SSIM",
    "memorised_share": "copies",
    "nearest_ratio": "near",
    "lattice_2": "lat 2",
    "lattice_4": "lat 4",
    "lattice_16": "lat 16",
    "grid_phase": "grid",
    "grid_midway": "midway",
}


def blur(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(p, (0, 0), 1.0) for p in pictures])


def blocks(pictures: np.ndarray) -> np.ndarray:
    return pictures[:, ::2, ::2].repeat(2, 1).repeat(2, 2)


def raster(period: int, strength: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a harm: bright and dark tiles over everything, +-strength grey levels."""

    def harm(pictures: np.ndarray) -> np.ndarray:
        odd = (np.indices(pictures.shape[1:3]) // (period // 2)).sum(axis=0) % 2
        over = np.where(odd, strength, -strength)[None, ..., None]
        return (pictures + over).round().clip(0, 255).astype(np.uint8)

    return harm


def cast(pictures: np.ndarray) -> np.ndarray:
    return (pictures + np.array([25.5, 0, 0])).clip(0, 255).astype(np.uint8)


def noise(pictures: np.ndarray) -> np.ndarray:
    grain = np.random.default_rng(0).normal(0, 25.5, pictures.shape)
    return (pictures + grain).clip(0, 255).astype(np.uint8)


def dark_half(pictures: np.ndarray) -> np.ndarray:
    """Return the darker half, each twice: the bright modes are lost."""
    order = np.argsort(pictures.mean(axis=(1, 2, 3)), kind="stable")
    return pictures[order[: len(order) // 2]].repeat(2, 0)


def tiles(pictures: np.ndarray) -> np.ndarray:
    """Return each picture cut into 4x4 tiles in another order: texture without layout."""
    side = pictures.shape[1] // 4
    rng = np.random.default_rng(0)
    cut = pictures[:, : 4 * side, : 4 * side].reshape(-1, 4, side, 4, side, 3).swapaxes(2, 3)
    cut = cut.reshape(len(cut), 16, side, side, 3)
    mixed = np.stack([p[rng.permutation(16)] for p in cut]).reshape(-1, 4, 4, side, side, 3)
    whole = mixed.swapaxes(2, 3).reshape(-1, 4 * side, 4 * side, 3)
    edge = pictures.shape[1] - whole.shape[1]
    return np.pad(whole, ((0, 0), (0, edge), (0, edge), (0, 0)), mode="edge")


def speed(sides: list[int]) -> None:
    rng = np.random.default_rng(0)
    for side in sides:
        sets = [rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8) for n in (256, 600, 60)]
        before = time.process_time()
        measure(*sets)
        seconds = time.process_time() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{side} px: {seconds:.1f} CPU s, {peak:.2f} GiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shards", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--speed", metavar="SIDES", help="sides [px], with commas")
    given = parser.parse_args()
    if given.speed:
        return speed([int(side) for side in given.speed.split(",")])
    splits = read_splits(open_shards(given.shards))
    maps = np.unique(splits.groups)
    ours_maps = maps[np.random.default_rng(0).permutation(len(maps))[: len(maps) // 2]]
    mine = np.isin(splits.groups, ours_maps)
    rng = np.random.default_rng(1)
    chosen = rng.permutation(np.flatnonzero(mine))[: given.count]
    ours, train = splits.train[np.sort(chosen)], splits.train[np.flatnonzero(~mine)]
    held_out = splits.held_out[np.arange(len(splits.held_out))]
    cell = splits.cell_px or 8.0
    half = round(cell / 2)
    copies = train[rng.permutation(len(train))[: given.count]]
    rows: dict[str, Callable[[], np.ndarray]] = {
        "floor": lambda: ours,
        "copies of train, turned": lambda: np.stack([eight(p)[3] for p in copies]),
        "blur, sigma 1 px": lambda: blur(ours),
        "2x2 blocks": lambda: blocks(ours),
        "chequer 2 px, +-15": lambda: raster(2, 15)(ours),
        "raster 4 px, +-15": lambda: raster(4, 15)(ours),
        "raster 16 px, +-15": lambda: raster(16, 15)(ours),
        "red +25": lambda: cast(ours),
        "noise, sigma 25": lambda: noise(ours),
        "darker half only": lambda: dark_half(ours),
        "6 pictures, repeated": lambda: np.resize(ours[:6], ours.shape),
        "tiles shuffled": lambda: tiles(ours),
        "grid half a square off": lambda: np.roll(ours, (half, half), (1, 2)),
    }
    print(f"{len(ours)} pictures of {len(ours_maps)} maps; train {len(train)}, ", end="")
    print(f"held out {len(held_out)} of {splits.held_out_maps} maps; cell {cell:.2f} px\n")
    print("| harm | " + " | ".join(SHOWN.values()) + " | CPU s |")
    print("|---" * (len(SHOWN) + 2) + "|")
    for name, made in rows.items():
        before = time.process_time()
        found = measure(made(), train, held_out, cell_px=cell, groups=splits.groups[~mine])
        seconds = time.process_time() - before
        cells = [f"{found[key]:.3g}" for key in SHOWN]
        print(f"| {name} | " + " | ".join(cells) + f" | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
