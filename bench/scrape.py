"""mapmaker scrape beside the network's limit and beside gallery-dl, Scrapy and img2dataset.

    python bench/scrape.py [--peers DIR] [--json OUT]     360 files, 134 MB, 50 ms, 2 MB/s each
    python bench/scrape.py --raw [--peers DIR]            the same without latency and limit
    python bench/scrape.py --second                       a second run: its requests and seconds
    python bench/scrape.py --kill 50                      kill -9 at random moments, then run again

The archive is served by a process of its own (bench/scrape_archive.py), which also says what was
asked of it. The bound is what its settings allow 8 connections that never idle: bytes / rate +
requests x latency, over 8. DIR holds virtual environments venv-gallery-dl, venv-scrapy and
venv-img2dataset (`python -m venv DIR/venv-X; DIR/venv-X/bin/pip install X`); who is not there is
left out. Every tool gets the same list of files, in the same order; every file that it leaves is
hashed. Exit code 1 when a file of ours is not right.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from scrape_peers import SPIDER, peers

HERE = Path(__file__).parent
JOBS = 8
ENV = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


class Served:
    """The archive in its own process, as a context manager."""

    def __init__(self, files: int, mb: float, latency_ms: float, rate_mb: float) -> None:
        self.latency_s, self.rate = latency_ms / 1000, rate_mb * 1e6
        words = ["--files", files, "--mb", mb, "--latency-ms", latency_ms, "--rate-mb", rate_mb]
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "scrape_archive.py"), *map(str, words)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENV,
        )  # fmt: skip
        said = json.loads(self._out.readline())
        self.url: str = said["url"]
        self.files: dict[str, tuple[int, str]] = said["files"]

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=20)

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def log(self) -> dict[str, Any]:
        """Return what was asked since the last time."""
        assert self.process.stdin is not None
        self.process.stdin.write("log\n")
        self.process.stdin.flush()
        return json.loads(self._out.readline())

    def bound_s(self, requests: int | None = None) -> float | None:
        """Return the seconds that JOBS connections that never idle need for all files."""
        if not self.rate:
            return None
        size = sum(size for size, _ in self.files.values())
        asked = len(self.files) if requests is None else requests
        return (size / self.rate + asked * self.latency_s) / JOBS


@dataclass(slots=True)
class Row:
    """One tool's run. `right` counts files by sha256; in_flight and requests are the server's."""

    name: str
    wall_s: float
    user_s: float
    system_s: float
    rss_mb: float
    pss_mb: float
    exit_code: int
    of_bound: float | None = None
    right: int = 0
    wrong: int = 0
    requests: int = 0
    picture_requests: int = 0
    max_in_flight: int = 0
    connections: int = 0
    first_request_s: float | None = None
    said: str = field(default="", repr=False)


class Watched:
    """A command in a session of its own, its processes' memory added up every 50 ms."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self.began_s = time.monotonic()
        self.log = (cwd / "said.txt").open("wb+")
        self.process = subprocess.Popen(
            command, cwd=cwd, env=ENV, stdout=self.log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self.peak_kb = self.peak_own_kb = 0
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def _watch(self) -> None:
        while not self.over.wait(0.05):
            all_kb, own_kb = resident_kb(self.process.pid)
            self.peak_kb, self.peak_own_kb = (
                max(self.peak_kb, all_kb),
                max(self.peak_own_kb, own_kb),
            )

    def end(self) -> tuple[int, float, float, float]:
        """Wait for the end; return exit code, wall, user and system seconds of all processes."""
        _, status, used = os.wait4(self.process.pid, 0)
        wall_s = time.monotonic() - self.began_s
        self.over.set()
        self.watcher.join()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_kb = max(self.peak_kb, used.ru_maxrss)
        return self.process.returncode, wall_s, used.ru_utime, used.ru_stime

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")[-2000:]


def resident_kb(session: int) -> tuple[int, int]:
    """Return what all processes of a session hold: as top says it, and shared pages shared out."""
    totals = [0, 0]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(") ")[2].split()[3]) == session:
                words = (folder / "smaps_rollup").read_text().split()
                for n, key in enumerate(("Rss:", "Pss:")):
                    totals[n] += int(words[words.index(key) + 1])
        except (OSError, IndexError, ValueError):  # it has ended
            continue
    return totals[0], totals[1]


def measure(name: str, served: Served, command: list[str], cwd: Path, results: Path) -> Row:
    """Run one tool to its end, and look at what it left in `results` and asked of the server."""
    served.log()
    run = Watched(command, cwd)
    code, wall_s, user_s, system_s = run.end()
    held_mb = run.peak_kb / 1024, run.peak_own_kb / 1024
    row = Row(name, wall_s, user_s, system_s, *held_mb, code, said=run.said())
    log = served.log()
    for key in ("requests", "picture_requests", "max_in_flight", "connections"):
        setattr(row, key, log[key])
    if log["first_at_s"] is not None:
        row.first_request_s = log["first_at_s"] - run.began_s
    if bound_s := served.bound_s(max(row.requests, len(served.files))):
        row.of_bound = wall_s / bound_s
    wanted = {sha for _, sha in served.files.values()}
    found = [digest(p) for p in results.rglob("*") if is_picture(p)]
    row.right = len(wanted & set(found))
    row.wrong = sum(sha not in wanted for sha in found)
    return row


def is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix in (".jpg", ".jpeg", ".part", "")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ours(home: Path, served: Served) -> list[str]:
    """The whole site: pages read, files found, fetched, checked and listed."""
    words = ["scrape", "--via", served.url, "--jobs", str(JOBS), "--dpi", "72"]
    return [sys.executable, "-m", "mapmaker", "--home", str(home), *words]


def run_ours(served: Served, scratch: Path) -> Row:
    home = scratch / "ours"
    home.mkdir()
    pictures = home / "datasets/map-of-the-week/pictures"
    return measure("mapmaker, the whole site", served, ours(home, served), home, pictures)


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
        rows = [run_ours(served, scratch)]
        show(rows[0])
        rows += run_peers(served, scratch, args.peers) if args.peers else []
    good = rows[0].right == len(served.files) and rows[0].wrong == 0
    return {"good": good, "bound_s": bound_s, "bytes": size, "rows": [asdict(r) for r in rows]}


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
    print(
        f"{row.name:26} {row.wall_s:7.2f} s,{bound} user {row.user_s:6.2f} s, "
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
    parser.add_argument("--second", action="store_true")
    parser.add_argument("--kill", type=int, default=0, metavar="N")
    parser.add_argument("--kill-files", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT")
    args = parser.parse_args()
    mode = kill if args.kill else second if args.second else compare
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
