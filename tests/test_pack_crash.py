"""Killed, starved of room, damaged: running the same command again always finishes the work."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from shard_tools import contents, kept_from_file, make_dataset, pack_all

from mapmaker.errors import MissingPart
from mapmaker.events import Step
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import open_shards
from mapmaker.shards.rows import check_whole
from mapmaker.workspace import Dataset

RUN = """
import sys, json
from pathlib import Path
import mapmaker.shards.pack as stage
from mapmaker.errors import MapmakerError
from mapmaker.errors import MissingPart
from mapmaker.events import Step
from mapmaker.shards.config import PackConfig
from mapmaker.workspace import Dataset

if __name__ == "__main__":
    stage.kept = lambda dataset: json.loads((dataset.root / "kept.json").read_text())
    config = PackConfig(**json.loads(sys.argv[2]))
    print("ready", flush=True)
    try:
        for event in stage.pack(Dataset(Path(sys.argv[1])), config):
            print(event, flush=True)
    except MapmakerError as error:
        print(f"{type(error).__name__}: {error} {error.hint}", flush=True)
        sys.exit(error.exit_code)
"""
OPTIONS = {"size": 64, "squares": 4, "augment": "none", "shard_mb": 0.03, "engine": "serial"}


@pytest.fixture
def script(tmp_path) -> Path:
    path = tmp_path / "run_pack.py"
    path.write_text(RUN)
    return path


def start(script: Path, dataset: Dataset, **options) -> subprocess.Popen:
    words = [sys.executable, str(script), str(dataset.root), json.dumps(OPTIONS | options)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen, lines: int, wait_s: float) -> bool:
    """SIGKILL a run some time after it has said so many lines; returns whether it was alive.

    Waits until its workers have gone too.
    """
    for _ in range(lines):
        process.stdout.readline()
    time.sleep(wait_s)
    alive, workers = process.poll() is None, descendants(process.pid)
    process.kill()
    process.stdout.close()
    process.wait()
    assert gone(workers, 10.0)
    return alive


def gone(pids: Iterable[int], wait_s: float) -> bool:
    """Return whether processes end within `wait_s`; one that nobody has buried yet has ended."""
    until = time.monotonic() + wait_s
    while any(words_of(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(words_of(pid) for pid in pids)


@pytest.fixture
def whole(tmp_path, monkeypatch) -> dict[str, str]:
    """What an uninterrupted run leaves."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = make_dataset(tmp_path / "whole", count=30)
    pack_all(dataset, **OPTIONS)
    return contents(dataset.shards(64))


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "workers"), [("serial", 1), ("processes:2", 2)])
def test_kill_9_at_any_moment_loses_nothing(tmp_path, script, whole, engine, workers):
    """Five kills between the first look and the card; then one run ends as if none had been.

    After each, when its workers have gone, only whole files stand there, and at most one
    unfinished a worker. bench/kill.py kills as often as one likes, at any moment.
    """
    dataset = make_dataset(tmp_path / "killed", count=30)
    folder = dataset.shards(64)
    rng = random.Random(7)
    alive, stood = 0, {}
    for lines in (1, 12, 20, 4, 4):
        process = start(script, dataset, engine=engine)
        alive += kill_after(process, lines, rng.uniform(0, 0.02))
        found = contents(folder) if folder.exists() else {}  # the first kill may come before it
        shards = {name for name in found if name.endswith(".h5")}
        assert len([name for name in found if name.endswith(".tmp")]) <= workers
        assert {name: found[name] for name in shards} == {name: whole[name] for name in shards}
        files = {path: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
        assert stood.items() <= files.items()  # what was finished is not made again
        stood = files

    done, _ = pack_all(dataset, **OPTIONS)

    assert alive >= 3
    assert done.data["written"] < done.data["shards"]
    assert contents(folder) == whole


@pytest.mark.slow
def test_a_killed_worker_of_the_cluster_loses_nothing(tmp_path, whole, monkeypatch):
    """Two workers under Dask, one killed with SIGKILL amid the writing: the same shards."""
    monkeypatch.setattr("mapmaker.engine.cluster.cores", lambda: 2)
    dataset = make_dataset(tmp_path / "cluster", count=30)
    killed = []

    for event in pack(dataset, PackConfig(**OPTIONS | {"engine": "dask"})):
        if isinstance(event, Step) and event.note == "writing" and not killed:
            killed = [pid for pid in descendants(os.getpid()) if b"spawn_main" in words_of(pid)]
            os.kill(killed[0], signal.SIGKILL)

    assert len(killed) == 2
    assert contents(dataset.shards(64)) == whole


@pytest.mark.slow
def test_kill_9_while_replacing_keeps_the_old_shards(tmp_path, script, whole):
    """Whenever a re-pack with another recipe dies, the old card and its files are whole."""
    dataset = make_dataset(tmp_path / "killed", count=30)
    pack_all(dataset, **OPTIONS)
    for lines in (10, 36):
        process = start(script, dataset, squares=3)
        kill_after(process, lines, 0.002)
        shards = open_shards(dataset.shards(64))
        check_whole(shards)
        assert shards.card["squares"] == 4

    pack_all(dataset, **OPTIONS)

    assert contents(dataset.shards(64)) == whole


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path, script, whole):
    """No worker outlives a killed run, and the next run may begin at once."""
    dataset = make_dataset(tmp_path / "killed", count=30)
    process = start(script, dataset, engine="processes:2")
    children = set()
    for _ in range(12):
        process.stdout.readline()
        children |= set(descendants(process.pid))

    process.kill()
    process.wait()
    process.stdout.close()
    done, _ = pack_all(dataset, **OPTIONS)

    assert len(children) >= 2
    assert gone(children, 10.0)
    assert done.data["count"] == 30
    assert contents(dataset.shards(64)) == whole


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, from /proc."""
    below = []
    for path in Path("/proc").glob(f"{pid}/task/*/children"):
        for child in map(int, path.read_text().split()):
            below += [child, *descendants(child)]
    return below


def test_too_little_room_is_said_before_writing(tmp_path, monkeypatch):
    """The disk is asked first; what stood there still stands."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = make_dataset(tmp_path)
    pack_all(dataset)
    before = contents(dataset.shards(32))
    free = type("Usage", (), {"free": 5000})
    monkeypatch.setattr("mapmaker.files.shutil.disk_usage", lambda path: free)

    with pytest.raises(MissingPart, match="has 0 MB free") as caught:
        pack_all(dataset, seed=5)

    assert caught.value.exit_code == 5
    now = contents(dataset.shards(32))
    assert {name: now[name] for name in before} == before


@pytest.mark.parametrize("layout", ["raw", "encoded"])
def test_a_disk_that_fills_up_is_one_clear_error(tmp_path, monkeypatch, layout):
    """When the room is taken meanwhile the file is named, nothing torn stays, and it can go on."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = make_dataset(tmp_path, count=24)
    folder = dataset.shards(32)
    calls = []

    def third_is_one_too_many(handle, offset, length):
        calls.append(length)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mapmaker.shards.writer.os.posix_fallocate", third_is_one_too_many)
        with pytest.raises(MissingPart, match=r"disk is full; .*00002\.h5") as caught:
            pack_all(dataset, layout=layout, shard_mb=0.01)

    assert "run the same command again" in caught.value.hint
    assert sorted(p.name for p in folder.glob("*.h5")) == ["00000.h5", "00001.h5"]
    assert not list(folder.glob("*.tmp")) and not list(folder.glob(".*.tmp"))
    done, _ = pack_all(dataset, layout=layout, shard_mb=0.01)
    assert done.data["written"] == done.data["shards"] - 2


def words_of(pid: int) -> bytes:
    """Return the command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def may_mount() -> bool:
    unshare = shutil.which("unshare")
    words = [unshare or "false", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.name == "posix" and subprocess.run(words, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs a user namespace to mount a small disk")
def test_a_real_full_disk_is_one_line(tmp_path, script):
    """On a disk of 1.5 MB with shards for 1.3 MB and room taken meanwhile: the file, the remedy."""
    dataset = make_dataset(tmp_path / "home", count=12)
    small = dataset.root / "shards"
    small.mkdir()
    fill = "import mapmaker.files as f; f.need_room = lambda *a: None; "
    script.write_text(fill + script.read_text())
    options = json.dumps(OPTIONS | {"size": 256, "shard_mb": 1.0})

    mount = 'mount -t tmpfs -o size=1500k none "$1"; shift; exec "$@"'
    command = [sys.executable, script, dataset.root, options]
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", small, *command],
        capture_output=True,
        text=True,
        timeout=60,
    )

    last = run.stdout.splitlines()[-1]
    assert run.returncode == 5, run.stderr
    assert "The disk is full" in last and "00001.h5" in last and "what was finished is kept" in last
    assert "Traceback" not in run.stderr
