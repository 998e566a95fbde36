"""Running again: unchanged pages are answered in a line, changed ones are read, nothing is lost."""

import time

import pytest
from scrape_tools import NAME, planted, run
from web_tools import served

from mapmaker.events import finish
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.replica import Replica
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
    assert asked == [("/", same), ("/week1", same), ("/week2", 200), ("/3.jpg", 200)]
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
