"""kill -9 at random moments: the same command again must finish, and nothing may be lost.

    python bench/kill.py --times 10 --out kill.json

Each of scrape, prune, pack and train is run once undisturbed, then `--times` times with SIGKILL to
its whole process group at a moment drawn over the undisturbed run's length, then run again to its
end. What is left must equal what the undisturbed run left.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mapmaker.scrape.replica import Replica

ENV = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def start(home: Path, words: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "mapmaker", "--home", str(home), *words]
    return subprocess.Popen(
        command, start_new_session=True, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(home: Path, words: list[str]) -> tuple[int, str, float]:
    began_s = time.monotonic()
    child = start(home, words)
    out = child.communicate()[0].decode()
    return child.returncode, out, time.monotonic() - began_s


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scraped(home: Path) -> dict[str, str]:
    """Pictures, manifest and gaps of the data set, by content; nothing half-written."""
    root = home / "datasets/map-of-the-week"
    left = [p for p in root.rglob("*") if p.is_file() and p.suffix in (".part", ".tmp")]
    assert not left, f"half-written: {left}"
    files = [*root.glob("pictures/**/*"), root / "manifest.jsonl", root / "gaps.jsonl"]
    return {str(p.relative_to(root)): digest(p) for p in files if p.is_file()}


def pruned(home: Path) -> dict[str, str]:
    """Every picture's state; SQLite's own check must pass."""
    with sqlite3.connect(home / "datasets/map-of-the-week/decisions.db") as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    from mapmaker.prune.kept import kept
    from mapmaker.workspace import Workspace

    rows = kept(Workspace(home).dataset("map-of-the-week"))
    return {row["id"]: f"{row['group']} {row['grid']}" for row in rows}


def packed(home: Path) -> dict[str, str]:
    """The shards that the card lists, each whole; nothing half-written beside them."""
    from mapmaker.shards.reader import open_shards
    from mapmaker.shards.rows import check_whole

    folder = home / "datasets/map-of-the-week/shards/96"
    shards = open_shards(folder)
    check_whole(shards)
    rows = [hashlib.sha256(shards[i].tobytes()).hexdigest() for i in range(len(shards))]
    return {str(i): row for i, row in enumerate(rows)}


def trained(home: Path) -> dict[str, str]:
    """The finished run's last weights, sums checked on the way."""
    from mapmaker.train.load import load_generator

    run = home / "checkpoints/k"
    meta = load_generator(run)[1]
    steps = (run / "metrics.jsonl").read_text().splitlines()
    [json.loads(line) for line in steps]
    return {"generator": meta["sha256"]}


def stage(name: str, base: Path, words: list[str], look, times: int, rng: random.Random) -> dict:
    """Disturb one stage `times` times. Returns the counts and the moments."""
    lengths = []
    for warm in ("warm", "calm"):  # the first run also fills caches, the archive's pictures too
        calm = base.with_name(f"{name}-{warm}")
        shutil.copytree(base, calm)
        code, out, took_s = finish(calm, words)
        assert code in (0, 4), out
        lengths.append(took_s)
    wanted = look(calm)
    rows: list[dict] = []
    early: list[int] = []  # exit codes of runs that ended before their moment: drawn again
    while len(rows) < times and len(early) < 3 * times:
        home = base.with_name(f"{name}-{len(rows)}-{len(early)}")
        shutil.copytree(base, home)
        child = start(home, words)
        at_s = rng.uniform(0.1, 0.95) * lengths[-1]
        try:
            child.wait(timeout=at_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
        said = child.communicate()[0].decode()
        if child.returncode != -signal.SIGKILL:
            early.append(child.returncode)
            if child.returncode not in (0, 4):
                print(name, "ended by itself:", child.returncode, said, file=sys.stderr, flush=True)
            shutil.rmtree(home)
            continue
        again, out, _ = finish(home, words)
        try:
            same = look(home) == wanted
            trouble = "" if again in (0, 4) else out
        except Exception as error:
            same, trouble = False, repr(error)
        rows.append(
            {
                "at_s": round(at_s, 2),
                "exit_again": again,
                "same_as_calm": same,
                "trouble": trouble[-400:],
            }
        )
        print(name, len(rows), rows[-1], file=sys.stderr, flush=True)
        shutil.rmtree(home)
    good = sum(r["same_as_calm"] and r["exit_again"] in (0, 4) for r in rows)
    calm_s = round(lengths[-1], 2)
    return {
        "calm_s": calm_s,
        "killed": len(rows),
        "good": good,
        "of": times,
        "early": early,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", default="scrape,prune,pack,train")
    parser.add_argument("--out", type=Path, default=Path("kill.json"))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    results = {}
    with tempfile.TemporaryDirectory() as scratch, Replica(maps=16, latency_s=0.05) as archive:
        base = Path(scratch) / "base"
        base.mkdir()
        steps = {
            "scrape": (["scrape", "--via", archive.url], scraped),
            "prune": (["prune", "map-of-the-week", "--auto", "--size", "64"], pruned),
            "pack": (["pack", "map-of-the-week", "--size", "96"], packed),
            "train": (
                ["train", "map-of-the-week", "--size", "64", "--kimg", "0.4", "--batch", "8",
                 "--tick-kimg", "0.1", "--name", "k"],
                trained,
            ),
        }  # fmt: skip
        for name, (words, look) in steps.items():
            if name in args.stages.split(","):
                results[name] = stage(name, base, words, look, args.times, rng)
            code, out, _ = finish(base, words)  # the next stage starts from this one's result
            assert code in (0, 4), out
    args.out.write_text(json.dumps(results, indent=1))
    for name, r in results.items():
        print(
            f"{name:7} {r['good']} of {r['of']} good "
            f"({r['killed']} killed in flight, calm run {r['calm_s']} s)"
        )
    sys.exit(0 if all(r["good"] == r["of"] for r in results.values()) else 1)


if __name__ == "__main__":
    main()
