"""How prune grows: seconds and memory of the join, of the whole stage, and of a picture at 750 px.

    python bench/scale.py join
    python bench/scale.py prune --counts 2000,10000,20000
    python bench/scale.py judge --counts 2000,20000,200000
    python bench/scale.py speed --count 300 [--maps FOLDER]
    python bench/scale.py engines --count 300

Every line is measured in a process of its own: CPU seconds (of it and its children) and the
largest resident set as the operating system counts them. Pictures are drawn as they are needed and
kept under --folder. For `prune` they are noise in rooms, quickly drawn, all with a grid of 50 px;
one in fifty is a copy pressed again. `judge` is the whole stage but for looking at pictures: what
is measured of them is written as if it had been, hashes by chance and keys of one set of tiles, one
in fifty a copy; what two are to each other is answered without opening them. For `speed` and
`engines` they are our floor plans, of every kind and palette, in squares of 30 to 110 px, cut to
750 px; one in twenty is a copy or a variant of the one before it, of all the kinds of
`planted.VARIANTS`. --maps takes the pictures of a folder instead. A serial run also says what its
time went into.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from hashlib import sha256
from inspect import isgeneratorfunction
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

os.environ.setdefault("OMP_NUM_THREADS", "1")
SEED = 7
PLANTED = 2_000
TILES = 20_000  # different keys that the tiles of feigned pictures have
ENGINES = ("serial", "processes:2", "auto", "dask")
COPY_EVERY = 50
PRESSED = [cv2.IMWRITE_JPEG_QUALITY, 90]
Draw = Callable[[int, int], bytes]


def draw_map(number: int, side_px: int) -> bytes:
    """Return a JPEG of a floor plan of our own; one in twenty is of the one before it.

    It is a copy or a variant, all that `planted` knows by turns, cut to `side_px` where larger.
    """
    from planted import VARIANTS

    from mapmaker.layout import KINDS, PALETTES, plan, render

    copy = number % 20 == 19
    rng = np.random.default_rng((SEED, number - copy))
    kinds, palettes = KINDS.names(), PALETTES.names()
    cell_px = int(rng.integers(30, 111))
    squares = -(-side_px // cell_px) + 1
    layout = plan(str(rng.choice(kinds)), number - copy, max(squares, 8), max(squares, 8))
    whole = np.asarray(render(layout, cell_px, str(rng.choice(palettes)), rng.random() < 0.7))
    y, x = rng.integers(0, cell_px, 2)
    picture = Image.fromarray(whole[y : y + side_px, x : x + side_px])
    if copy:
        change, _, _ = list(VARIANTS.values())[number // 20 % len(VARIANTS)]
        picture = change(picture, rng, cell_px)
    rgb = np.asarray(picture.convert("RGB"))
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), PRESSED)[1].tobytes()


def shrunk(files: list[Path]) -> Draw:
    """Return what gives the pictures of some files, as JPEG, their longer side `side_px`."""

    def draw_file(number: int, side_px: int) -> bytes:
        picture = cv2.imread(str(files[number]), cv2.IMREAD_COLOR)
        assert picture is not None
        scale = min(1.0, side_px / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, PRESSED)[1].tobytes()

    return draw_file


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


def fill(root: Path, count: int, side_px: int, draw: Draw = draw) -> None:
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
    # What getrusage says of this process may be the peak of the one that started it.
    own_kb = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert own_kb
    mb = int(own_kb[1]) / 1024
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


def one_prune(root: Path, count: int, engine: str, afresh: bool = True) -> dict:
    """Run the whole stage over the first `count` pictures of a folder, from nothing."""
    from mapmaker.events import Done
    from mapmaker.prune import measuring, weighing
    from mapmaker.prune import prune as stage
    from mapmaker.prune.config import PruneConfig
    from mapmaker.workspace import Dataset

    for file in root.glob("*.db*") if afresh else ():
        file.unlink()
    config = PruneConfig(min_side_px=32, engine=engine, auto=True)

    spent = dict.fromkeys(("measuring_s", "pairing_s", "comparing_s", "judging_s"), 0.0)
    timed(measuring, "measure_new", spent, "measuring_s")
    timed(weighing, "candidates", spent, "pairing_s")
    timed(weighing, "relate_new", spent, "comparing_s")
    timed(stage, "_judge", spent, "judging_s")
    stage.measure_new = measuring.measure_new
    pairs = 0

    def work() -> dict:
        nonlocal pairs
        done = None
        for done in stage.prune(Dataset(root), config):
            pairs += getattr(done, "unit", "") == "pairs"
        assert isinstance(done, Done)
        forkserver._forkserver._stop()  # waited for, its workers' seconds count as ours
        said = ("pictures", "measured", "kept", "suggested", "to_look_at")
        return {k: done.data[k] for k in said} | {"pairs": pairs}

    row = {"what": f"prune {count:,}, {engine}"} | measured(work)
    row |= {"per_cpu_s": round(row["measured"] / row["cpu_s"], 1)}
    return row | {k: round(v, 2) for k, v in spent.items()} if engine == "serial" else row


def feign(root: Path, count: int) -> None:
    """Write a manifest and the features of pictures that are not there."""
    from mapmaker.prune.features import measure
    from mapmaker.prune.localkeys import BUDGET
    from mapmaker.prune.store import FeatureStore

    root.mkdir(parents=True, exist_ok=True)
    sample = root / "sample.jpg"
    sample.write_bytes(draw_map(1, 400))
    like = measure(sample, sha256(sample.read_bytes()).hexdigest()).features
    rng = np.random.default_rng(SEED)
    tiles = rng.integers(0, 2**63, TILES, dtype=np.uint64)
    store = FeatureStore(root / "features.db")

    def hashes(number: int) -> list[list[str]]:
        chance = np.random.default_rng((SEED, number - (number % COPY_EVERY == 1)))
        return [[f"{h:016x}" for h in kind] for kind in chance.integers(0, 2**63, (2, 8)).tolist()]

    def one(number: int) -> Any:
        keys = np.empty((sum(BUDGET), 11), np.uint8)  # as in `localkeys.keys`
        chosen = tiles[rng.integers(0, TILES, len(keys))]
        keys[:, :8] = chosen.view(np.uint8).reshape(-1, 8)
        keys[:, 8:10] = rng.integers(0, 256, (len(keys), 2))
        keys[:, 10] = rng.integers(0, len(BUDGET), len(keys))
        p, d = map(tuple, hashes(number))
        data = bytes([192, 192]) + keys.tobytes()
        id = sha256(str(number).encode()).hexdigest()
        return replace(like, id=id, pixels=id, phash=p, dhash=d, keys=data)

    with (root / "manifest.jsonl").open("w") as manifest:
        for begin in range(0, count, 500):
            page = [one(number) for number in range(begin, min(begin + 500, count))]
            store.keep_all((features, True) for features in page)
            for f in page:
                row = {"id": f.id, "file": f"pictures/{f.id}.jpg", "bytes": 9, "title": ""}
                row |= {"map_id": None, "dpi": None, "license": "CC0", "source": "feigned"}
                manifest.write(json.dumps(row) + "\n")
    store.close()


def answer(pair: Any) -> Any:
    """Say without looking what two pictures are: copies when every bit of a hash agrees."""
    from mapmaker.prune.variants import Relation

    return Relation(pair.one, pair.other, "reencode", bits=0) if pair.bits == 0 else None


def one_judge(root: Path, count: int) -> dict:
    """Run the stage over pictures that are not there."""
    from mapmaker.prune import relating

    relating.relate = answer
    row = one_prune(root, count, "serial", afresh=False)
    row.pop("per_cpu_s")
    return row | {"what": f"judge {count:,}"}


def timed(place: Any, name: str, spent: dict[str, float], as_name: str) -> None:
    """Have the CPU seconds of a function, or of what a generator does between yields, added up."""
    inner = getattr(place, name)

    def plain(*words: object) -> object:
        began_s = time.process_time()
        try:
            return inner(*words)
        finally:
            spent[as_name] += time.process_time() - began_s

    def stepwise(*words: object) -> Generator[object, None, object]:
        steps = inner(*words)
        while True:
            began_s = time.process_time()
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            finally:
                spent[as_name] += time.process_time() - began_s
            yield step

    setattr(place, name, stepwise if isgeneratorfunction(inner) else plain)


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
    if words[0] == "judge":
        return one_judge(Path(words[1]), int(words[2]))
    return one_prune(Path(words[1]), int(words[2]), words[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["join", "prune", "judge", "speed", "engines", "one"])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--counts", default="2000,10000,20000")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--side", type=int, default=0)
    parser.add_argument("--engine", default="serial")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--maps", type=Path)
    args = parser.parse_args()
    if args.what == "one":
        print(json.dumps(one(args.words)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = args.folder or Path(scratch) / "drawn"
        if args.what == "join":
            for words in ((1, 1, 3), (1, 1, 4), (1, 8, 3), (2, 8, 3), (2, 8, 4)):
                apart("join", 10**6, *words)
        elif args.what == "judge":
            for count in map(int, args.counts.split(",")):
                feign(root / str(count), count)
                apart("judge", root / str(count), count)
        elif args.what == "prune":
            for count in map(int, args.counts.split(",")):
                fill(root, count, args.side or 256)
                apart("prune", root, count, args.engine)
        else:
            files = (
                sorted(p for p in args.maps.iterdir() if cv2.haveImageReader(str(p)))
                if args.maps
                else []
            )
            count = len(files) or args.count
            fill(root, count, args.side or 750, shrunk(files) if files else draw_map)
            for engine in ENGINES[: 1 if args.what == "speed" else None]:
                apart("prune", root, count, engine)


if __name__ == "__main__":
    main()
