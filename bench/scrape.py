"""mapmaker scrape beside the network's limit and beside gallery-dl, Scrapy and img2dataset.

    python bench/scrape.py [--peers DIR] [--json OUT]     360 files, 134 MB, 50 ms, 2 MB/s each
    python bench/scrape.py --raw [--peers DIR]            the same without latency and limit
    python bench/scrape.py --one 5 --files 60 --mb 22     --jobs 1 beside plain requests, in turn
    python bench/scrape.py --second                       a second run: its requests and seconds
    python bench/scrape.py --kill 50                      kill -9 at random moments, then run again

The archive is served by a process of its own (bench/scrape_archive.py), which also says what was
asked of it. The bound is what its settings allow 8 connections that never idle: bytes / rate +
requests x latency, over 8. DIR holds virtual environments venv-gallery-dl, venv-scrapy and
venv-img2dataset (`python -m venv DIR/venv-X; DIR/venv-X/bin/pip install X`); who is not there is
left out. Every tool gets the same list of files, in the same order; every file that it leaves is
hashed. Beside ours stands the floor: the same files read, hashed, synced and decoded by a script
that does nothing else (bench/scrape_plain.py). Exit code 1 when a file of ours is not right.
"""

import argparse
import compileall
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scrape_peers import SPIDER, peers
from scrape_runs import HERE, JOBS, Row, Served, Watched, digest, measure

import mapmaker


def ours(home: Path, served: Served) -> list[str]:
    """The whole site: pages read, files found, fetched, checked and listed."""
    words = ["scrape", "--via", served.url, "--jobs", str(JOBS), "--dpi", "72"]
    return [sys.executable, "-m", "mapmaker", "--home", str(home), *words]


def run_ours(served: Served, scratch: Path) -> Row:
    home = scratch / "ours"
    home.mkdir()
    pictures = home / "datasets/map-of-the-week/pictures"
    return measure("mapmaker, the whole site", served, ours(home, served), home, pictures)


def run_list(served: Served, home: Path, jobs: int = JOBS) -> Row:
    """The same list of addresses that the others get."""
    home.mkdir()
    text = "".join(f"http://archive.wizards.com{path}\n" for path in served.files)
    (home / "urls.txt").write_text(text)
    words = ["scrape", "urls.txt", "--via", served.url, "--jobs", str(jobs)]
    command = [sys.executable, "-m", "mapmaker", "--home", str(home), *words]
    return measure("mapmaker, the list", served, command, home, home / "datasets/urls/pictures")


def run_plain(served: Served, home: Path, what: str) -> Row:
    """bench/scrape_plain.py: `requests`, one file after the other, or the `floor`."""
    home.mkdir()
    (home / "urls.txt").write_text("".join(f"{served.url}{path}\n" for path in served.files))
    command = [sys.executable, str(HERE / "scrape_plain.py"), what, "urls.txt", "out"]
    return measure(what, served, command, home, home / "out")


def run_peers(served: Served, scratch: Path, folder: Path) -> list[Row]:
    rows = []
    for name, command in peers(folder, JOBS).items():
        home = scratch / name
        home.mkdir()
        (home / "urls.txt").write_text("".join(f"{served.url}{p}\n" for p in served.files))
        (home / "spider.py").write_text(SPIDER % {"jobs": JOBS})
        rows.append(measure(name, served, command, home, home / "out"))
        show(rows[-1])
    return rows


def compare(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Ours and the peers on the same files, in turn."""
    latency_ms, rate_mb = (0.0, 0.0) if args.raw else (args.latency_ms, args.rate_mb)
    with Served(args.files, args.mb, latency_ms, rate_mb) as served:
        size = sum(size for size, _ in served.files.values())
        bound_s = served.bound_s()
        print(f"{len(served.files)} files, {size / 1e6:.1f} MB", end="")
        print(f"; bound of {JOBS} connections {bound_s:.2f} s" if bound_s else "; no limit")
        rows = [run_list(served, scratch / "list")]
        show(rows[0])
        rows.append(run_ours(served, scratch))
        show(rows[1])
        floor = run_plain(served, scratch / "floor", "floor")
        show(floor)
        of_floor = {
            "user": rows[0].user_s / floor.user_s, "wall": rows[0].wall_s / floor.wall_s,
            "cpu_s": json.loads(floor.said),
        }  # fmt: skip
        print(f"the list: {of_floor['user']:.2f} of the floor's user CPU, ", end="")
        print(f"{of_floor['wall']:.2f} of its time; the floor's CPU: {floor.said.strip()}")
        rows += run_peers(served, scratch, args.peers) if args.peers else []
    good = all(r.right == len(served.files) and r.wrong == 0 for r in rows[:2])
    told = {"rows": [asdict(r) for r in rows], "floor": asdict(floor), "of_floor": of_floor}
    return {"good": good, "bound_s": bound_s, "bytes": size, **told}


def one(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """--jobs 1 and a plain loop over requests, in turn, each first in every other round."""
    rounds: list[dict[str, Any]] = []
    with Served(args.files, args.mb, args.latency_ms, args.rate_mb) as served:
        for n in range(args.one):
            rows: dict[str, Row] = {}
            for name in ("requests", "ours") if n % 2 else ("ours", "requests"):
                home = scratch / f"{name}{n}"
                is_ours = name == "ours"
                rows[name] = run_list(served, home, 1) if is_ours else run_plain(served, home, name)
                show(rows[name])
            ratio = rows["ours"].wall_s / rows["requests"].wall_s
            print(f"round {n + 1}: {ratio:.4f}", flush=True)
            rounds.append({"ratio": ratio, **{name: asdict(row) for name, row in rows.items()}})
    ratios = sorted(r["ratio"] for r in rounds)
    print(f"--jobs 1 takes {statistics.median(ratios):.4f} of plain requests' time, ", end="")
    print(f"{ratios[0]:.4f} to {ratios[-1]:.4f} in {len(ratios)} rounds")
    good = all(r["ours"]["right"] == args.files and r["ours"]["max_in_flight"] == 1 for r in rounds)
    return {"good": good, "ratios": ratios, "rounds": rounds}


def second(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """A first run, then one on the unchanged archive."""
    with Served(args.files, args.mb, 0.0, 0.0) as served:
        first = run_ours(served, scratch)
        home = scratch / "ours"
        root = home / "datasets/map-of-the-week"
        before = everything(root)
        again = measure("mapmaker, second run", served, ours(home, served), home, root / "pictures")
        same = everything(root) == before
    show(first)
    show(again)
    print(f"folder and lists {'as they were' if same else 'CHANGED'}")
    good = same and again.picture_requests == 0 and again.right == len(served.files)
    return {"good": good, "rows": [asdict(first), asdict(again)], "same": same}


def kill(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """SIGKILL at random moments; the same command again must leave what a calm run leaves."""
    chance = random.Random(args.seed)
    rows: list[dict[str, Any]] = []
    with Served(args.kill_files, args.kill_files * 0.2, 10.0, 4.0) as served:
        calm = scratch / "calm"
        calm.mkdir()
        code, calm_s, _, _ = Watched(ours(calm, served), calm).end()
        assert code == 0, (calm / "said.txt").read_text()
        wanted = everything(calm / "datasets/map-of-the-week")
        early = 0
        while len(rows) < args.kill and early < 3 * args.kill:
            row = killed_once(
                served, scratch / f"k{len(rows)}-{early}", chance.uniform(0.1, 0.98) * calm_s
            )
            if row is None:
                early += 1
                continue
            row["same"] = row.pop("left") == wanted
            rows.append(row)
            print(f"kill at {row['at_s']:.2f} s: {row}", flush=True)
    totals = {
        "runs": len(rows), "calm_s": calm_s, "ended_before": early,
        "differ": sum(not r["same"] for r in rows),
        "finished_asked_again": sum(r["finished_asked_again"] for r in rows),
        "most_extra_requests": max(r["extra_requests"] for r in rows),
    }  # fmt: skip
    good = not totals["differ"] and not totals["finished_asked_again"]
    print(totals)
    return {"good": good and len(rows) == args.kill, **totals, "rows": rows}


def killed_once(served: Served, home: Path, at_s: float) -> dict[str, Any] | None:
    """Kill one run at a moment, then finish it. None when it ended before."""
    home.mkdir()
    root = home / "datasets/map-of-the-week"
    served.log()
    run = Watched(ours(home, served), home)
    time.sleep(at_s)
    os.killpg(run.process.pid, signal.SIGKILL)
    if run.end()[0] != -signal.SIGKILL:
        return None
    shas = {digest(p) for p in root.glob("pictures/**/*") if p.is_file()}
    paths = {p: "mapofweek" + p.rpartition("mapofweek")[2] for p in served.files}
    finished = {paths[p] for p, (_, sha) in served.files.items() if sha in shas}
    first = served.log()
    code, _, _, _ = Watched(ours(home, served), home).end()
    again = served.log()
    asked = [*first["picture_paths"], *again["picture_paths"]]
    row = {
        "at_s": round(at_s, 3), "finished_then": len(finished), "exit": code,
        "finished_asked_again": len(finished & set(again["picture_paths"])),
        "extra_requests": len(asked) - len(served.files), "left": everything(root),
    }  # fmt: skip
    shutil.rmtree(home)
    return row


def everything(root: Path) -> dict[str, str]:
    """Return path -> sha256 of all that a data set holds, but the log of when what was asked."""
    left = (
        p for p in root.rglob("*") if p.is_file() and p.name not in (".lock", "fetch_log.jsonl")
    )
    return {str(p.relative_to(root)): digest(p) for p in left}


def show(row: Row) -> None:
    bound = f" {row.of_bound:5.2f} x bound," if row.of_bound else ""
    first = f" first request at {row.first_request_s:.2f} s," if row.first_request_s else ""
    print(
        f"{row.name:26} {row.wall_s:7.2f} s,{bound}{first} user {row.user_s:6.2f} s, "
        f"{row.rss_mb:4.0f} MB ({row.pss_mb:.0f}), {row.max_in_flight:3} in flight, "
        f"{row.connections:3} connections, {row.requests} requests, "
        f"{row.right} right, {row.wrong} wrong, exit {row.exit_code}",
        flush=True,
    )
    if row.exit_code not in (0, 4):
        print(row.said, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--files", type=int, default=360)
    parser.add_argument("--mb", type=float, default=134.3)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--rate-mb", type=float, default=2.0, help="a connection")
    parser.add_argument("--peers", type=Path, help="folder of the peers' virtual environments")
    parser.add_argument("--raw", action="store_true", help="no latency, no limit")
    parser.add_argument("--one", type=int, default=0, metavar="ROUNDS", help="beside requests")
    parser.add_argument("--second", action="store_true")
    parser.add_argument("--kill", type=int, default=0, metavar="N")
    parser.add_argument("--kill-files", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT")
    args = parser.parse_args()
    mode = kill if args.kill else second if args.second else one if args.one else compare
    compileall.compile_dir(str(Path(mapmaker.__file__).parent), quiet=1)
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as scratch:
        report = mode(args, Path(scratch))
    report["load"] = {"before": load, "after": os.getloadavg(), "cores": os.cpu_count()}
    print(f"load {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    sys.exit(0 if report["good"] else 1)


if __name__ == "__main__":
    main()
