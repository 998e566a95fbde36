"""Running again: unchanged pages are answered in a line, changed ones are read, nothing is lost."""

import json
import time
from collections import Counter

import pytest
from scrape_tools import NAME, planted, run
from web_tools import served

from mapmaker.events import Note, finish
from mapmaker.files import read_lines, write_json
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.parts import part_name
from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.replica.pages import EMPTY_PAGE
from mapmaker.scrape.replica.plan import weeks_of
from mapmaker.scrape.scrape import scrape


def page_requests(archive):
    return [r for r in archive.requests if "default.asp" in r.path]


def lists(workspace):
    dataset = workspace.dataset(NAME)
    kept = (dataset.manifest, dataset.gaps, dataset.fetch_log, dataset.root / "pages.jsonl")
    return [p.read_bytes() for p in kept]


def test_an_unchanged_archive_costs_a_line_a_page(workspace):
    """One conditional GET a page (304, no body), no picture, every list as it was, in no time."""
    with Replica(maps=100, side_px=48, drawn=False, faults=False) as archive:
        run(workspace, archive, dpi="all")
        before, first = lists(workspace), len(page_requests(archive))
        archive.requests.clear()
        began_s = time.process_time()

        done = run(workspace, archive, dpi="all")

        took_s = time.process_time() - began_s
    requests = page_requests(archive)
    assert len(requests) == first == len({r.path for r in requests})
    assert {r.status for r in requests} == {304} and sum(r.sent_bytes for r in requests) == 0
    assert archive.picture_requests() == []
    assert lists(workspace) == before and done.exit_code == 0
    assert took_s < 1  # of processor time, the server's included; a machine in use takes longer


@pytest.mark.parametrize("how", ["gone", "torn", "of another kind", "of another reading"])
def test_without_a_memory_everything_is_asked_for_and_nothing_changes(workspace, fresh, how):
    """pages.jsonl is a memory and no more: any state of it gives the same lists."""
    run(workspace, fresh)
    before = lists(workspace)
    path = workspace.dataset(NAME).root / "pages.jsonl"
    text = path.read_text()
    if how == "gone":
        path.unlink()
    elif how == "torn":
        path.write_text(text[: len(text) // 2])
    elif how == "of another kind":
        path.write_text('{"url": 3, "reading": []}\n[]\n"x"\n')
    else:
        path.write_text(text.replace('"reading": "', '"reading": "0'))
    fresh.requests.clear()

    run(workspace, fresh)

    assert lists(workspace) == before
    if how != "torn":
        assert {r.status for r in page_requests(fresh)} == {200}


def test_the_first_page_is_fetched_again_when_its_copy_is_gone(workspace, fresh):
    """index.html is there after every run."""
    run(workspace, fresh)
    path = workspace.dataset(NAME).root / "index.html"
    before = path.read_bytes()
    path.unlink()

    run(workspace, fresh)

    assert path.read_bytes() == before


ADDRESSES = ("page_url", "wrapper_url", "aliases")


@pytest.mark.parametrize("begins", [False, True], ids=["within a month", "a new month's"])
def test_a_week_later_that_week_s_files_are_asked_for_and_no_other(workspace, begins):
    """Pages that speak of it are sent, all others are a line, once each; no old line changes."""
    with Replica(maps=18, side_px=48, drawn=False) as archive:
        last = archive.truth.months[-1]
        left = len(weeks_of(last.year, last.month)) - len(last.entries)
        for _ in range(left if begins else 0):
            archive.add_week()
        run(workspace, archive, dpi="all")
        dataset = workspace.dataset(NAME)
        kept = (dataset.manifest, dataset.gaps, dataset.fetch_log)
        before = [path.read_bytes() for path in kept]
        known = {r.path for r in page_requests(archive)}
        archive.requests.clear()

        week = archive.add_week()
        done = run(workspace, archive, dpi="all")

    newest = archive.truth.months[-1]
    page = f"/default.asp?x=dnd/mw/{newest.name}"
    tops = [f"/default.asp?x=dnd/mwa/archive{name}" for name in ("all", newest.year)]
    pages = Counter((r.path, r.status) for r in page_requests(archive))
    assert left > 0 and (len(newest.entries) == 1) == begins
    assert {path for (path, status) in pages if status == 200} == {page, *(tops if begins else ())}
    assert {path for path, _ in pages} == known | {page} and set(pages.values()) == {1}
    assert {status for _, status in pages} == {200, 304}
    asked = Counter(r.path for r in archive.picture_requests())
    assert asked == Counter(file.path for file in week.files)
    others = [r.path for r in archive.requests if r.path not in asked and "default" not in r.path]
    assert set(others) == {"/robots.txt"} and len(others) <= len(HOSTS)

    # A month that is over is on the archive's own pages, too: its files have more addresses now.
    over = {f"{e.date}" for e in archive.truth.months[-2].entries} if begins else set()
    rows = [row for row in dataset.rows() if row["title"] != week.title]
    assert len(dataset.rows()) - len(rows) == done.data["fetched"] == len(week.files)
    for old, row in zip(map(json.loads, before[0].splitlines()), rows, strict=True):
        more = ADDRESSES if row["date"] in over else ()
        assert {k: v for k, v in row.items() if k not in more} == {
            k: v for k, v in old.items() if k not in more
        }
        assert all(url.count("http://") == 1 for url in row["aliases"])
    assert dataset.gaps.read_bytes() == before[1]
    assert dataset.fetch_log.read_bytes().startswith(before[2])


CARD = """
title = "A guild"
homepage = "http://127.0.0.1/"
start = ["http://127.0.0.1/"]
hosts = ["127.0.0.1"]
pictures = ['jpg$']
follow = ['week']
license = "CC0-1.0"
[entry]
head = ['^(?P<title>[A-Z][a-z]+)$']
download = ['(?P<format>JPG)']
"""


@pytest.mark.parametrize("marks", [True, False], ids=["with validators", "without"])
def test_a_new_week_brings_that_weeks_files_and_no_other(workspace, tmp_path, marks):
    """The changed page is read, the other not; only what is new is fetched."""
    import io

    import numpy as np
    from PIL import Image

    pages = {
        "/": ['<a href="/week1">1</a> <a href="/week2">2</a>'],
        "/week1": ["<h2>Keep</h2><a href='/1.jpg'>JPG</a>"],
        "/week2": ["<h2>Hall</h2><a href='/2.jpg'>JPG</a>"],
    }

    def answer(reply, tries):
        if reply.path.endswith("jpg"):
            seed = int(reply.path[1:-4])
            noise = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
            out = io.BytesIO()
            Image.fromarray(noise).save(out, "JPEG")
            reply.say(200, out.getvalue())
        else:
            said = pages[reply.path]
            tag = {"ETag": f'"{len(said)}"'} if marks else {}
            reply.say_file("".join(said).encode(), {"Content-Type": "text/html", **tag})

    card = tmp_path / "guild.toml"
    card.write_text(CARD)
    with served(answer) as server:
        config = ScrapeConfig(via=server.url)
        finish(scrape(workspace, str(card), config))
        pages["/week2"].append("<h2>Tower</h2><a href='/3.jpg'>JPG</a>")
        server.log.requests.clear()
        done = finish(scrape(workspace, str(card), config))
        asked = [(r.path, r.status) for r in server.log.requests if r.path != "/robots.txt"]

    same = 304 if marks else 200
    assert sorted(asked[1:3]) == [("/week1", same), ("/week2", 200)]  # two threads ask for them
    assert asked[:1] + asked[3:] == [("/", same), ("/3.jpg", 200)]
    assert done.data["fetched"] == 1 and done.data["maps"] == 3


def test_another_reading_is_made_of_unchanged_pages(workspace, tmp_path, fresh):
    """A card that was mended finds on the same pages what it did not find before."""
    from mapmaker.shelf import read_card

    path, _ = read_card("scrapers", NAME)
    text = path.read_text()
    card = tmp_path / f"{NAME}.toml"
    card.write_text(text.replace("jpe?g|tiff?|gif|png|zip", "gif"))
    finish(scrape(workspace, str(card), ScrapeConfig(via=fresh.url, max_file_bytes=400_000)))
    few = planted(workspace)
    card.write_text(text)

    finish(scrape(workspace, str(card), ScrapeConfig(via=fresh.url, max_file_bytes=400_000)))

    assert len(few) < len(planted(workspace))
    assert planted(workspace) == fresh.expected()


def beginning(workspace, address: str):
    """Leave what a broken connection leaves of the file at `address`; return the part's path."""
    part = workspace.dataset(NAME).root / "parts" / part_name(address)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(b"half a map")
    note = {"url": address, "total": 900_000, "etag": '"one"', "last_modified": None}
    write_json(part.with_name(f"{part.name}.json"), note)
    return part


def test_a_beginning_that_no_page_lists_any_more_is_put_away(workspace, fresh):
    """What a run of today can ask for stays, and is spoken of when this run did not want it."""
    run(workspace, fresh, dpi="72")
    listed = next(f.path for _, f in fresh.truth.files() if f.dpi == 300 and not f.reason)
    kept, gone = beginning(workspace, listed), beginning(workspace, "/dnd/images/no-longer.jpg")

    config = ScrapeConfig(via=fresh.url, dpi="72", max_file_bytes=400_000)
    said = [e.text for e in scrape(workspace, NAME, config) if isinstance(e, Note)]

    assert kept.exists() and not gone.exists()
    assert [line for line in said if line.startswith("1 unfinished files")]
    run(workspace, fresh, dpi="all")
    assert not kept.exists()


def test_a_page_that_cannot_be_read_costs_no_beginning(workspace, fresh, monkeypatch):
    """Nobody knows what it would have listed: every part stays."""
    run(workspace, fresh)
    part = beginning(workspace, "/dnd/images/perhaps-on-that-page.jpg")
    answer = fresh._live.answer

    def torn(reply, tries):
        if "x=dnd/mw/20031002a" in reply.path:
            reply.say(404, b"")
        else:
            answer(reply, tries)

    monkeypatch.setattr(fresh._live, "answer", torn)

    run(workspace, fresh)

    assert part.exists()


def test_a_page_without_maps_says_how_often_it_was_asked_for(workspace, fresh, monkeypatch):
    """Busy twice before it came: three attempts, also when the page is not sent again."""
    answer = fresh._live.answer

    def busy(reply, tries):
        if reply.path == EMPTY_PAGE and tries < 3:
            reply.say(503, b"", {"Retry-After": "0"})
        else:
            answer(reply, tries)

    monkeypatch.setattr(fresh._live, "answer", busy)
    run(workspace, fresh)
    dataset = workspace.dataset(NAME)
    before = dataset.gaps.read_bytes()

    run(workspace, fresh)

    (lost,) = (g for g in read_lines(dataset.gaps) if g["reason"] == "no-entries")
    assert (lost["attempts"], lost["last_status"]) == (3, 200)
    assert dataset.gaps.read_bytes() == before


def test_a_file_that_is_sent_from_http_to_https_and_back_is_a_gap(workspace, tmp_path):
    """The first address a second time is a circle: two requests, and the reason is written down."""

    def answer(reply, tries):
        if reply.path == "/1.jpg":
            scheme = "https" if tries % 2 else "http"
            reply.say(302, b"", {"Location": f"{scheme}://127.0.0.1/1.jpg"})
        else:
            page = b"<h2>Keep</h2><a href='/1.jpg'>JPG</a>"
            reply.say(200, page, {"Content-Type": "text/html"})

    card = tmp_path / "guild.toml"
    card.write_text(CARD)
    with served(answer) as server:
        done = finish(scrape(workspace, str(card), ScrapeConfig(via=server.url)))
        asked = [r.path for r in server.log.requests if r.path == "/1.jpg"]

    gaps = read_lines(workspace.dataset("guild").gaps)
    assert [gap["reason"] for gap in gaps] == ["redirected"] and done.exit_code == 4
    assert len(asked) == 2
