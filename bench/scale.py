"""How prune grows: seconds and memory of the join, of the whole stage, and of a picture at 750 px.

    python bench/scale.py join
    python bench/scale.py prune --counts 2000,10000,20000
    python bench/scale.py speed --count 300
    python bench/scale.py engines --count 300

Every line is measured in a process of its own: CPU seconds (of it and its children) and the
largest resident set as the operating system counts them. Pictures are drawn as they are needed,
kept under --folder, and differ in every hash; one in fifty is a copy pressed again.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from multiprocessing import forkserver
from pathlib import Path

import cv2
import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")
SEED = 7
PLANTED = 2_000
COPY_EVERY = 50


def draw(number: int, side_px: int) -> bytes:
    """Return a JPEG that looks like no other: rooms of noise on a tiled floor, and a grid."""
    copy = number % COPY_EVERY == COPY_EVERY - 1
    rng = np.random.default_rng((SEED, number - copy))
    rooms = rng.integers(40, 220, (9, 9, 3)).astype(np.uint8)
    picture = cv2.resize(rooms, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    tile = rng.integers(0, 24, (50, 50, 1)).astype(np.uint8)
    times = -(-side_px // 50)
    picture = cv2.subtract(picture, np.tile(tile, (times, times, 3))[:side_px, :side_px])
    picture[::50] //= 2
    picture[:, ::50] //= 2
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80 if copy else 92])[
        1
    ].tobytes()


def fill(root: Path, count: int, side_px: int) -> None:
    """Write pictures 0..count and their manifest, whatever is there already."""
    (root / "pictures").mkdir(parents=True, exist_ok=True)
    with (root / "manifest.jsonl").open("w") as manifest:
        for number in range(count):
            file = root / "pictures" / f"{number:06d}.jpg"
            data = file.read_bytes() if file.exists() else draw(number, side_px)
            if not file.exists():
                file.write_bytes(data)
            row = {"id": sha256(data).hexdigest(), "file": f"pictures/{file.name}"}
            row |= {"bytes": len(data), "title": "", "map_id": None, "dpi": None, "license": "CC0"}
            row |= {"source": "drawn", "picture_url": f"https://example.org/{file.name}"}
            manifest.write(json.dumps(row) + "\n")


def measured(work) -> dict:
    """Run `work` and return what it says with CPU seconds, wall seconds and megabytes."""
    began_s, before = time.monotonic(), cpu_s()
    found = work()
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    workers_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return found | {
        "cpu_s": round(cpu_s() - before, 2),
        "wall_s": round(time.monotonic() - began_s, 2),
        "rss_mb": round(mb),
        "worker_rss_mb": round(workers_mb),
    }


def cpu_s() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def one_join(count: int, kinds: int, orientations: int, limit: int) -> dict:
    """Plant pairs 0..limit bits apart in random hashes, and count those that are found."""
    from mapmaker.prune.join import near

    rng = np.random.default_rng(SEED)
    shape = (count, orientations) if orientations > 1 else (count,)
    hashes = [rng.integers(0, 2**64, shape, dtype=np.uint64) for _ in range(kinds)]
    pairs = rng.permutation(count)[: 2 * PLANTED].reshape(-1, 2)
    pairs.sort(axis=1)
    for n, (one, other) in enumerate(pairs.tolist()):
        bits = sum(1 << int(b) for b in rng.choice(64, n % (limit + 1), replace=False))
        upright = hashes[n % kinds].reshape(count, -1)
        upright[other, n % orientations] = upright[one, 0] ^ np.uint64(bits)
    wanted = set(map(tuple, pairs.tolist()))

    def work() -> dict:
        found = near(hashes, limit)
        here = set(zip(found.one.tolist(), found.other.tolist(), strict=True))
        return {"planted": len(wanted), "found": len(wanted & here), "pairs": len(here)}

    name = f"join {count:,} x {kinds} hash x {orientations} ways, d <= {limit}"
    return {"what": name} | measured(work)


def one_prune(root: Path, count: int, engine: str) -> dict:
    """Run the whole stage over the first `count` pictures of a folder, from nothing."""
    from mapmaker.events import finish
    from mapmaker.prune.config import PruneConfig
    from mapmaker.prune.prune import prune
    from mapmaker.workspace import Dataset

    for file in root.glob("*.db*"):
        file.unlink()
    config = PruneConfig(min_side_px=32, engine=engine, auto=True)

    def work() -> dict:
        data = finish(prune(Dataset(root), config)).data
        forkserver._forkserver._stop()  # waited for, its workers' seconds count as ours
        return {k: data[k] for k in ("pictures", "measured", "kept", "suggested", "to_look_at")}

    row = {"what": f"prune {count:,}, {engine}"} | measured(work)
    return row | {"per_cpu_s": round(row["measured"] / row["cpu_s"], 1)}


def apart(*words: object) -> dict:
    """Run one line of the table in a fresh process and return it."""
    command = [sys.executable, __file__, "one", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row = json.loads(done.stdout.splitlines()[-1])
    print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    return row


def one(words: list[str]) -> dict:
    if words[0] == "join":
        return one_join(*map(int, words[1:]))
    return one_prune(Path(words[1]), int(words[2]), words[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["join", "prune", "speed", "engines", "one"])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--counts", default="2000,10000,20000")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--engine", default="serial")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.what == "one":
        print(json.dumps(one(args.words)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = args.folder or Path(scratch) / "drawn"
        if args.what == "join":
            for words in ((1, 1, 3), (1, 1, 4), (1, 8, 3), (2, 8, 3), (2, 8, 4)):
                apart("join", 10**6, *words)
        elif args.what == "prune":
            for count in map(int, args.counts.split(",")):
                fill(root, count, args.side or 256)
                apart("prune", root, count, args.engine)
        else:
            fill(root, args.count, args.side or 750)
            engines = (
                ["serial"] if args.what == "speed" else ["serial", "processes:2", "auto", "dask"]
            )
            for engine in engines:
                apart("prune", root, args.count, engine)


if __name__ == "__main__":
    main()
