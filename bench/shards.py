"""How fast shards are written and read, beside the plainest way to do each. Prints JSON.

    python bench/shards.py --pictures 24 --size 750

Reading is measured in turns (ours, np.memmap, h5py, ours, ...) in one process, in random order,
from a warm page cache, by the processor's time; each rate is the best of the rounds, which is what
a machine that nobody else uses would give. Every sample is copied into a new array, as training
does. `reader_share` is our rate over the plain one's: at least 0.8 raw and 0.9 encoded are wanted,
and the exit code is 1 when they are missed.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from mapmaker.events import finish
from mapmaker.layout import KINDS, plan, render
from mapmaker.shards import pack as stage
from mapmaker.shards.config import PackConfig
from mapmaker.shards.reader import Shards, open_shards
from mapmaker.workspace import Dataset, Workspace


def main() -> int:
    """Run every measurement and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--size", type=int, default=750)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--engines", nargs="*", default=["serial", "processes:2"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = draw(Workspace(Path(folder)).dataset("bench"), options.pictures)
        report = {
            "machine": {"cpu": platform.processor(), "cores": os.cpu_count(), "size": options.size},
            "pack": [
                pack_rate(dataset, options.size, layout, engine)
                for layout in ("raw", "encoded")
                for engine in options.engines
            ],
        }
        make(dataset, options.size, "raw", "serial")
        report["read_raw"] = read_raw(dataset.shards(options.size), options.rounds)
        make(dataset, options.size, "encoded", "serial")
        report["read_encoded"] = read_encoded(dataset.shards(options.size), options.rounds)
    json.dump(report, sys.stdout, indent=1)
    print()
    shares = [
        report["read_raw"]["reader_share"] / 0.8,
        report["read_raw"]["batch_of_64"]["reader_share"] / 0.8,
        report["read_encoded"]["reader_share"] / 0.9,
    ]
    return int(min(shares) < 1)


def draw(dataset: Dataset, count: int) -> Dataset:
    """Write `count` maps of 22 x 22 squares of 68 px (1496 px, JPEG) and say all are kept."""
    dataset.pictures.mkdir(parents=True)
    kinds, rows = KINDS.names(), []
    for number in range(count):
        path = dataset.pictures / f"{number:03d}.jpg"
        layout = plan(kinds[number % len(kinds)], number // len(kinds), 22, 22)
        render(layout, 34).resize((1496, 1496)).save(path, quality=92)
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        grid = {"cell_px": 68.0, "phase": [0.0, 0.0]}
        row = {"id": key, "file": f"pictures/{path.name}", "map_id": path.stem, "group": path.stem}
        rows.append(row | {"grid": grid})
    stage.kept = lambda _: rows
    return dataset


def make(dataset: Dataset, size: int, layout: str, engine: str) -> dict:
    """Pack from nothing; returns what Done reports."""
    for path in dataset.shards(size).glob("*.*"):
        path.unlink()
    config = PackConfig(size=size, layout=layout, engine=engine, shard_mb=64)
    return dict(finish(stage.pack(dataset, config)).data)


def pack_rate(dataset: Dataset, size: int, layout: str, engine: str) -> dict:
    """Time one pack, reading back and the start of workers included."""
    start, cpu = time.perf_counter(), time.process_time()
    done = make(dataset, size, layout, engine)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {
        "layout": layout,
        "engine": engine,
        "samples": done["count"],
        "megabytes": round(done["bytes"] / 1e6, 1),
        "wall_s": round(wall, 2),
        "samples_per_s": round(done["count"] / wall, 1),
        "samples_per_cpu_s": round(done["count"] / cpu, 1) if engine == "serial" else None,
    }


def read_raw(folder: Path, rounds: int) -> dict:
    """Compare the reader with np.memmap over one flat file and with h5py itself."""
    shards = open_shards(folder)
    flat = folder / "flat.npy"
    np.save(flat, shards.load(shards.indices("all")))
    plain = np.load(flat, mmap_mode="r")
    files = [h5py.File(folder / line["file"], "r") for line in shards.card["shards"]]
    owner = [(f["images"], i) for f in files for i in range(len(f["images"]))]
    ways = {
        "memmap": lambda i: plain[i].copy(),
        "reader": lambda i: shards[i],
        "h5py": lambda i: owner[i][0][owner[i][1]],
    }
    result = compare(ways, len(shards), rounds)
    batch = np.random.default_rng(0).integers(0, len(shards), 64)
    whole = {"memmap": lambda i: plain[batch], "reader": lambda i: shards.load(batch)}
    result["batch_of_64"] = compare(whole, 4, rounds, each=64)
    result["open_ms"] = round(1e3 * seconds(lambda i: open_shards(folder), range(5)) / 5, 2)
    for file in files:
        file.close()
    flat.unlink()
    return result


def read_encoded(folder: Path, rounds: int) -> dict:
    """Compare the reader with decoding the same JPEGs from memory."""
    shards = open_shards(folder)
    parts = jpegs(shards)

    def bare(i: int) -> np.ndarray:
        return np.array(Image.open(io.BytesIO(parts[i])))

    return compare({"memmap": bare, "reader": lambda i: shards[i]}, len(shards), rounds) | {
        "note": "memmap here is Pillow decoding bytes that are already in memory",
        "bytes_per_sample": round(sum(map(len, parts)) / len(parts)),
    }


def jpegs(shards: Shards) -> list[bytes]:
    parts = []
    for line in shards.card["shards"]:
        with h5py.File(shards.folder / line["file"], "r") as file:
            data, ends = file["bytes"][:], file["offsets"][:]
        parts += [data[a:b].tobytes() for a, b in pairwise(ends)]
    return parts


def compare(ways: dict[str, Callable], count: int, rounds: int, each: int = 1) -> dict:
    """Return the best samples per second of each way, and the reader's share of the plain one's."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        order = np.random.default_rng(turn).permutation(count).tolist()
        for name, way in ways.items():
            rates[name].append(count * each / seconds(way, order))
    best = {name: max(found) for name, found in rates.items()}
    per_s = {f"{name}_per_s": round(rate) for name, rate in best.items()}
    return per_s | {"reader_share": round(best["reader"] / best["memmap"], 3)}


def seconds(way: Callable, order: Iterable[int]) -> float:
    start = time.process_time()
    for index in order:
        way(index)
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
