"""Scraping is killed, stopped, starved of disk and of network; it keeps what it has."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest
from scrape_tools import NAME, gaps, pictures_on_disk, planted, run

from mapmaker.errors import MapmakerError, MissingPart, Stopped
from mapmaker.events import Step, finish
from mapmaker.files import read_lines
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.scrape import scrape
from mapmaker.workspace import Workspace, locked


def test_a_kill_at_any_moment_loses_nothing(tmp_path):
    """kill -9 again and again: the end is the same folder, and no finished file is asked for."""
    with Replica(maps=8, side_px=48, drawn=False, faults=False, latency_s=0.02) as archive:
        whole = Workspace(tmp_path / "whole")
        run(whole, archive, dpi="all")
        torn = Workspace(tmp_path / "torn")
        root = torn.dataset(NAME).root
        code = (
            "import sys; from pathlib import Path; from mapmaker.events import finish;"
            "from mapmaker.scrape.config import ScrapeConfig;"
            "from mapmaker.workspace import Workspace;"
            "from mapmaker.scrape.scrape import scrape;"
            "finish(scrape(Workspace(Path(sys.argv[1])), 'map-of-the-week',"
            "ScrapeConfig(via=sys.argv[2], dpi='all')))"
        )
        for count in (1, 6, 12):
            archive.requests.clear()
            had = _finished(root)
            process = subprocess.Popen([sys.executable, "-c", code, torn.home, archive.url])
            while len(archive.picture_requests()) < count and process.poll() is None:
                time.sleep(0.002)
            process.kill()
            process.wait()
            assert not had & {r.path for r in archive.picture_requests()}
        had = _finished(root)
        archive.requests.clear()

        run(torn, archive, dpi="all")

        assert len(had) >= 6
        assert not had & {r.path for r in archive.picture_requests()}
        assert pictures_on_disk(torn) == pictures_on_disk(whole)
        for name in ("manifest.jsonl", "gaps.jsonl"):
            same = (root / name).read_bytes() == (whole.dataset(NAME).root / name).read_bytes()
            assert same, name


def _finished(root) -> set[str]:
    """Return the paths whose files are on the disk under their names."""
    log = root / "fetch_log.jsonl"
    text = log.read_text() if log.exists() else ""
    lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    return {r["key"] for r in lines if "file" in r and (root / r["file"]).exists()}


def test_a_torn_last_line_of_the_log_is_mended(workspace, fresh):
    """Half a line, as a power cut leaves it, costs that line and no other."""
    run(workspace, fresh, jobs=1)  # in order: no file is moved at the end
    log = workspace.dataset(NAME).fetch_log
    lines = log.read_bytes().splitlines(keepends=True)
    fetched = [line for line in lines if b'"outlines"' not in line]  # those are noted at the end
    log.write_bytes(b"".join(fetched)[:-40])
    fresh.requests.clear()

    run(workspace, fresh)

    assert len({r.path for r in fresh.picture_requests()}) == 1
    assert len(read_lines(log)) == len(lines)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_within_two_seconds_with_all_lists_written(workspace, signum):
    """The manifest lists what is here; running again goes on from there."""
    with Replica(maps=8, side_px=48, drawn=False, faults=False, latency_s=0.05) as archive:
        config = ScrapeConfig(via=archive.url, dpi="all", jobs=2)
        events = scrape(workspace, NAME, config)
        sent_s = None
        with pytest.raises(Stopped) as stopped:
            for event in events:
                if isinstance(event, Step) and event.unit == "maps" and sent_s is None:
                    sent_s = time.monotonic()
                    signal.raise_signal(signum)
        took_s = time.monotonic() - sent_s
        listed = planted(workspace)
        archive.requests.clear()
        done = run(workspace, archive, dpi="all")

    assert took_s < 2
    assert stopped.value.exit_code == (130 if signum == signal.SIGINT else 75)
    assert 0 < len(listed) < done.data["pictures"]
    assert not set(listed) & {r.path for r in archive.picture_requests()}
    assert planted(workspace) == archive.expected("all")


def test_a_signal_does_not_wait_for_a_slow_server(workspace):
    """While the first page takes its time, SIGTERM still stops within two seconds."""
    with Replica(maps=1, side_px=48, drawn=False, latency_s=8) as archive:
        events = scrape(workspace, NAME, ScrapeConfig(via=archive.url))
        threading.Timer(0.3, signal.raise_signal, [signal.SIGTERM]).start()
        began_s = time.monotonic()
        with pytest.raises(Stopped):
            list(events)

    assert time.monotonic() - began_s < 2.3


def fill_the_disk(monkeypatch, full) -> list[str]:
    """Let no file come to its place once `full(file, placed)`; returns the files placed so far."""
    from mapmaker.scrape import ledger

    placed = []
    move = ledger.move_inside

    def put(here, root, file):
        if full(file, placed):
            raise OSError(28, "No space left on device")
        placed.append(file)
        move(here, root, file)

    monkeypatch.setattr(ledger, "move_inside", put)
    return placed


def test_a_full_disk_is_said_once_and_keeps_what_is_there(workspace, fresh, monkeypatch):
    """No room for the third file: MissingPart, the first two listed, no torn file."""
    fill_the_disk(monkeypatch, lambda file, placed: len(placed) == 2)
    with pytest.raises(MissingPart, match="disk is full"):
        run(workspace, fresh, jobs=1)
    monkeypatch.undo()

    assert len(planted(workspace)) == 2
    run(workspace, fresh)
    assert planted(workspace) == fresh.expected()


def test_of_an_archive_cut_off_midway_the_pictures_that_are_here_are_listed(
    workspace, fresh, monkeypatch
):
    """No room for the second picture of a ZIP file: its first one is in the manifest."""
    placed = fill_the_disk(
        monkeypatch, lambda file, placed: "zip" in file and any("zip" in p for p in placed)
    )
    with pytest.raises(MissingPart, match="disk is full"):
        run(workspace, fresh, jobs=1)

    assert any("zip" in file for file in placed)
    assert {row["file"] for row in workspace.dataset(NAME).rows()} == set(placed)


def test_no_permission_is_one_clear_line(workspace, fresh, monkeypatch):
    """A folder that may not be written is MissingPart with a remedy."""
    target = workspace.datasets
    target.write_text("a file where the folder should be")

    with pytest.raises(MissingPart) as error:
        run(workspace, fresh)

    assert error.value.hint


def test_two_scrapes_of_one_folder_do_not_meet(workspace, fresh):
    """The second finds the folder taken and says so."""
    with locked(workspace.dataset(NAME).root), pytest.raises(MissingPart, match="at work"):
        run(workspace, fresh)


def test_a_server_that_is_not_there_is_one_clear_line(workspace):
    """Nobody listens: three refused connections, then the reason and a remedy."""
    config = ScrapeConfig(via="http://127.0.0.1:9")

    with pytest.raises(MapmakerError, match="unreachable") as error:
        finish(scrape(workspace, NAME, config))

    assert "--via" in error.value.hint


def test_a_host_that_refuses_three_times_is_asked_no_more(workspace):
    """Each host has its own way: where nobody listens, nothing is asked for once a file."""
    with Replica(maps=8, side_px=48, drawn=False, faults=False) as archive:
        origins = ",".join(f"{host}=http://127.0.0.1:9" for host in HOSTS[1:])
        finish(scrape(workspace, NAME, ScrapeConfig(via=f"{archive.url},{origins}", jobs=1)))

        assert {r.host for r in archive.requests} == {HOSTS[0]}
        assert set(gaps(workspace).values()) == {"unreachable"}
        assert {r.path for r in archive.picture_requests()} <= set(planted(workspace))
