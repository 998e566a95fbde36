"""What bench/scrape.py runs: the archive and a tool, each in its own process; their figures."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
JOBS = 8
# As after an installation: the modules are compiled, and stay so.
ENV = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
ENV |= {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


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
