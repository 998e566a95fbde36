"""The log of what was fetched: many threads hand in files, each is on the disk when it returns."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mapmaker.errors import MissingPart
from mapmaker.files import read_lines
from mapmaker.scrape import ledger
from mapmaker.scrape.ledger import Ledger


@pytest.fixture
def book(workspace):
    dataset = workspace.dataset("x")
    dataset.pictures.mkdir(parents=True)
    return Ledger(dataset)


def finished(book, n: int, sha: str) -> tuple:
    """Return the arguments of `place` for one more finished part."""
    part = book.dataset.root / f"{n}.part"
    part.write_bytes(sha.encode())
    return part, f"2003/{n}", {"key": f"/{n}.jpg", "sha256": sha, "bytes": 1, "format": "JPEG"}


def all_at_once(book, jobs: list[tuple]) -> list:
    """Hand in every job while the disk is busy, then let go of it; return what came of each."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        with book._lock:
            futures = [pool.submit(book.place, *job) for job in jobs]
            while len(book._waiting) < len(jobs):
                time.sleep(0.001)
        return [future.exception() or future.result() for future in futures]


def test_who_waits_for_the_disk_is_served_with_the_others(book, monkeypatch):
    """Eight files handed in meanwhile cost one wait for the log and one for their folder."""
    waits = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (waits.append(handle), sync(handle)))

    records = all_at_once(book, [finished(book, n, str(n)) for n in range(8)])

    assert [(book.dataset.root / r["file"]).read_text() for r in records] == list("01234567")
    assert len(read_lines(book.dataset.fetch_log)) == 8
    assert len(waits) == 2


def test_equal_bytes_that_come_together_are_kept_once(book):
    """Four files of two kinds at the same moment: two files, and four records that name them."""
    records = all_at_once(book, [finished(book, n, "ab"[n % 2]) for n in range(4)])

    assert len({r["file"] for r in records}) == 2
    assert all((book.dataset.root / r["file"]).read_text() == r["sha256"] for r in records)
    assert len(list(book.dataset.root.rglob("*.jpg"))) == 2 and not list(
        book.dataset.root.glob("*.part")
    )


def test_one_file_without_a_place_does_not_keep_the_others(book, monkeypatch):
    """The disk is full for one of three: that one is told, the others are where they belong."""
    move = ledger.move_inside

    def full(here, root, file):
        if "/1." in file:
            raise OSError(28, "No space left on device")
        move(here, root, file)

    monkeypatch.setattr(ledger, "move_inside", full)

    came = all_at_once(book, [finished(book, n, str(n)) for n in range(3)])

    assert isinstance(came[1], MissingPart)
    assert sorted(p.name for p in book.dataset.root.rglob("*.jpg")) == ["0.jpg", "2.jpg"]
    assert book.good("/0.jpg") and book.good("/2.jpg") and not book.good("/1.jpg")


def test_records_of_many_threads_are_whole_lines(book):
    """Sixteen threads, a hundred refusals each: 1,600 lines that can be read."""

    def refuse(thread: int) -> None:
        for n in range(100):
            book.add({"key": f"/{thread}-{n}", "reason": "not-found", "again": False})

    threads = [threading.Thread(target=refuse, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({row["key"] for row in read_lines(book.dataset.fetch_log)}) == 1600
