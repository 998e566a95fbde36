"""Scraping the replica: everything planted arrives, everything missing is named, nothing twice."""

import os
import re

import pytest
from grouping import agreement
from scrape_tools import NAME, gaps, on_site, pictures_on_disk, planted, run

from mapmaker.errors import BadConfig, MapmakerError, UnknownName
from mapmaker.events import finish
from mapmaker.files import read_lines, sha256_of
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.manifest import COLUMNS, GAP_COLUMNS, GAP_REASONS
from mapmaker.scrape.plan import describe, survey
from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.scrape import scrape
from mapmaker.scrape.source import read_source
from mapmaker.workspace import Workspace


@pytest.mark.parametrize("dpi", ["best", "all"])
def test_every_planted_file_arrives_and_every_gap_is_named(workspace, fresh, dpi):
    """Pictures are right by sha256, gaps by reason; nothing else is written."""
    done = run(workspace, fresh, dpi=dpi)

    assert planted(workspace) == fresh.expected(dpi)
    assert gaps(workspace) == fresh.expected_gaps(dpi)
    assert done.exit_code == 4
    assert len(pictures_on_disk(workspace)) == len(set(fresh.expected(dpi).values()))
    assert set(pictures_on_disk(workspace).values()) == set(fresh.expected(dpi).values())
    there = {p.name for p in workspace.dataset(NAME).root.iterdir()}
    assert there == {".lock", "fetch_log.jsonl", "gaps.jsonl", "index.html", "manifest.jsonl",
                     "pages.jsonl", "pictures"}  # fmt: skip


def test_a_second_run_asks_for_no_picture_and_changes_nothing(workspace, fresh):
    """Running again on an unchanged archive reads the pages and leaves every list as it was."""
    run(workspace, fresh)
    dataset = workspace.dataset(NAME)
    before = [p.read_bytes() for p in (dataset.manifest, dataset.gaps, dataset.fetch_log)]
    fresh.requests.clear()

    done = run(workspace, fresh)

    assert fresh.picture_requests() == []
    assert [p.read_bytes() for p in (dataset.manifest, dataset.gaps, dataset.fetch_log)] == before
    assert done.data["fetched"] == 0 and done.data["pictures"] > 0


def test_two_first_runs_give_equal_lists_and_folders(tmp_path, fresh):
    """The order in which threads finish shows nowhere."""
    results = []
    for name, jobs in (("one", 1), ("two", 8)):
        fresh.seen.clear()
        workspace = Workspace(tmp_path / name)
        run(workspace, fresh, jobs=jobs, dpi="all")
        dataset = workspace.dataset(NAME)
        lists = dataset.manifest.read_bytes(), dataset.gaps.read_bytes()
        results.append((*lists, pictures_on_disk(workspace)))

    assert results[0] == results[1]


def test_nothing_dangerous_and_nothing_useless_is_asked_for(workspace, fresh):
    """No request to the redirector, to strange hosts, for icons or for private addresses."""
    run(workspace, fresh, dpi="all")

    assert {r.host for r in fresh.requests} <= set(HOSTS)
    paths = [r.path for r in fresh.requests]
    assert not [p for p in paths if "leaving" in p or "meta-data" in p or "passwd" in p]
    assert not [p for p in paths if "symbol" in p or "thumbs" in p or "pf=true" in p]
    assert not list(workspace.home.parent.rglob("escape*"))


def test_politeness_shows_in_the_servers_log(workspace):
    """At most `jobs` requests in flight and connections open; robots.txt once a host; our name."""
    with Replica(maps=12, side_px=48, drawn=False, faults=False, latency_s=0.01) as archive:
        run(workspace, archive, jobs=3, contact="dm@example.org")

        assert max(r.in_flight for r in archive.requests) == 3
        assert len({r.connection for r in archive.requests}) <= 3
        robots = [r.host for r in archive.requests if r.path == "/robots.txt"]
        assert len(robots) == len(set(robots))
        assert {r.agent for r in archive.requests} == {"mapmaker/0.1.0 (+dm@example.org)"}


def test_the_rate_holds(workspace):
    """With --rate 50 the requests to one host take 20 ms each, however many threads ask."""
    with Replica(maps=12, side_px=48, drawn=False, faults=False) as archive:
        run(workspace, archive, rate=50.0)

        times = [r.at_s for r in archive.requests if r.host == HOSTS[0]]
        assert len(times) > 12
        # The server's clock may note one request late by what the machine was busy with.
        assert times[-1] - times[0] >= 0.02 * (len(times) - 1) - 0.02


def test_robots_are_obeyed(workspace):
    """A picture that robots.txt forbids is a gap and is never asked for."""
    with Replica(maps=4, side_px=48, drawn=False, faults=False, robots="no-pictures") as archive:
        run(workspace, archive)

        assert archive.picture_requests() == []
        assert set(gaps(workspace).values()) == {"robots"}
        assert workspace.dataset(NAME).rows() == []


@pytest.mark.parametrize("robots", ["closed", "broken"])
def test_a_site_that_wants_nobody_is_left_alone(workspace, robots):
    """Disallow: / and a robots.txt that cannot be read stop everything, with one clear line."""
    with Replica(maps=4, side_px=48, drawn=False, robots=robots) as archive:
        with pytest.raises(MapmakerError, match="archiveall could not be read"):
            run(workspace, archive, tries=2)

        assert {r.path for r in archive.requests} == {"/robots.txt"}


def test_a_site_without_robots_is_open(workspace):
    """404 for robots.txt allows everything."""
    with Replica(maps=4, side_px=48, drawn=False, faults=False, robots="missing") as archive:
        done = run(workspace, archive)

    assert done.exit_code == 0 and done.data["maps"] == 4


def test_a_removed_file_is_fetched_again_and_a_dropped_one_is_not(workspace, fresh):
    """What the person deleted comes back; what pruning moved aside stays there."""
    run(workspace, fresh)
    dataset = workspace.dataset(NAME)
    gone, dropped, bitten = dataset.rows()[:3]
    (dataset.root / gone["file"]).unlink()
    aside = dataset.root / "dropped" / dropped["file"]
    aside.parent.mkdir(parents=True)
    (dataset.root / dropped["file"]).rename(aside)
    path = dataset.root / bitten["file"]
    path.write_bytes(path.read_bytes()[:-10])
    before = dataset.manifest.read_bytes()
    fresh.requests.clear()

    run(workspace, fresh)

    asked = {r.path for r in fresh.picture_requests()}
    assert asked == {on_site(gone["picture_url"]), on_site(bitten["picture_url"])}
    assert dataset.manifest.read_bytes() == before
    assert aside.exists() and not (dataset.root / dropped["file"]).exists()
    assert sha256_of(path) == bitten["id"]


def test_a_flipped_bit_is_found_and_mended(workspace, fresh):
    """A changed file of the same size is hashed again: always with --verify, else if touched."""
    run(workspace, fresh)
    dataset = workspace.dataset(NAME)
    row = dataset.rows()[0]
    path = dataset.root / row["file"]
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    run(workspace, fresh, verify=True)

    assert sha256_of(path) == row["id"]


def test_limit_and_dpi_choose(workspace, fresh):
    """--limit counts maps, in the pages' order; --dpi 72 takes no other resolution."""
    run(workspace, fresh, limit=3, dpi="72")

    rows = workspace.dataset(NAME).rows()
    lost = [g for g in read_lines(workspace.dataset(NAME).gaps) if g["map_id"]]
    assert len({tuple(r["map_id"].split("_")[:2]) for r in [*rows, *lost]}) == 3
    assert {r["dpi"] for r in rows} <= {72, None}


@pytest.mark.parametrize(
    ("said", "came", "odd"),
    [(524, 524 * 1024 + 12_000, False), (524, 524 * 1000 - 500, False), (6317, 6_170_000, False),
     (524, 524 * 1024 + 20_000, True), (524, 490_000, True), (4, 3_700, False)],
)  # fmt: skip
def test_a_file_of_another_size_than_its_page_says_is_spoken_of(said, came, odd):
    """Three percent are nothing, nor is a k of 1000 bytes or a rounded one; more is a note."""
    from mapmaker.scrape.scrape import _surprises

    notes = list(_surprises([{"declared_bytes": said * 1024, "bytes": came}]))

    assert len(notes) == odd


def test_rows_and_gaps_have_every_column_in_order(workspace, fresh):
    """The lists keep their documented shape, and say whose the pictures are."""
    run(workspace, fresh)

    rows = workspace.dataset(NAME).rows()
    lost = read_lines(workspace.dataset(NAME).gaps)
    assert all(tuple(r) == COLUMNS for r in rows) and all(tuple(g) == GAP_COLUMNS for g in lost)
    assert {g["reason"] for g in lost} <= set(GAP_REASONS)
    assert all("Wizards" in r["attribution"] and r["ai_training"] == "unknown" for r in rows)
    twins = [r for r in rows if any("twin-" in u for u in r["aliases"])]
    assert len(twins) == 1 and "twin-" in twins[0]["picture_url"]


def test_titles_are_exact_in_windows_1252(workspace, fresh):
    """Curly quotes, dashes and accents arrive as written, wrong charset headers or not."""
    run(workspace, fresh)

    titles = {r["title"] for r in workspace.dataset(NAME).rows()}
    wanted = {e.title for e, f in fresh.truth.wanted() if f.reason is None}
    assert wanted <= titles | {"Oddity of the twin"}
    assert "The Dragon\u2019s Temple 2" in titles and "Old Keep \u2013 Level One 3" in titles


@pytest.mark.parametrize(
    "bad",
    [{"dpi": "96"}, {"jobs": 0}, {"rate": 0.0}, {"via": "127.0.0.1:8000"}, {"limit": 0},
     {"via": "a=http://h,b="}, {"via": "http://h,"},
     {"via": "file:///etc"}, {"via": "http://h/path"}, {"timeout_s": 0}, {"tries": 0}],
)  # fmt: skip
def test_a_bad_value_is_refused_before_anything_happens(bad):
    """Values nobody can work with are BadConfig with a hint."""
    with pytest.raises(BadConfig) as error:
        ScrapeConfig(**bad)

    assert error.value.hint


def test_an_unknown_source_names_the_near_ones(workspace):
    """A typo in the source's name is answered with what there is."""
    with pytest.raises(UnknownName) as error:
        finish(scrape(workspace, "map-of-the-weak", ScrapeConfig()))

    assert NAME in error.value.hint


def test_the_plan_reads_the_pages_and_asks_for_no_picture(workspace, fresh):
    """`describe` says place, files, bytes, requests and time, and writes nothing."""
    lines = describe(workspace, NAME, ScrapeConfig(via=fresh.url, rate=50.0))

    text = "\n".join(lines)
    assert str(workspace.datasets) in text and "MB" in text and "requests" in text
    assert re.search(r"that takes 0 min \d+ s at least", text)
    assert fresh.requests and fresh.picture_requests() == []
    assert not workspace.datasets.exists()


def test_the_plan_knows_how_much_is_still_to_come(workspace):
    """As many files and bytes as the scrape then fetches; of those that are here none."""
    with Replica(maps=12, side_px=64, drawn=False, faults=False) as archive:
        source, config = read_source(NAME), ScrapeConfig(via=archive.url, dpi="72")
        dataset = workspace.dataset(NAME)
        before = survey(source, dataset, config)
        done = run(workspace, archive, dpi="72")
        after = survey(source, dataset, config)

    assert (before.files, before.maps, before.here) == (done.data["fetched"], 12, 0)
    assert before.bytes == pytest.approx(done.data["bytes"], rel=0.05)
    assert (after.files, after.here) == (0, before.files)


def test_the_plan_without_a_network_says_what_it_does_not_know(workspace):
    """A chain's --dry-run goes on: a site that cannot be asked is one more line."""
    lines = describe(workspace, NAME, ScrapeConfig(via="http://127.0.0.1:9", tries=1))

    assert "how much that is cannot be said" in lines[-1]


def test_the_whole_archive_arrives_with_all_that_is_known_of_it(workspace):
    """900 files of 360 maps: each file right or named, each map one group with its facts."""
    with Replica(full=True, sizes=0.02, side_px=48, drawn=False) as archive:
        run(workspace, archive, dpi="all", jobs=8)
        groups = agreement(archive, workspace.dataset(NAME))
        truth = {file.path: (entry, file) for entry, file in archive.truth.files()}

        assert planted(workspace) == archive.expected("all")
        assert gaps(workspace) == archive.expected_gaps("all")

    assert (groups.maps, groups.precision, groups.recall) == (360, 1.0, 1.0)
    maps = {}
    for row in workspace.dataset(NAME).rows():
        path, _, member = row["picture_url"].partition("#")
        entry, file = truth[on_site(path)]
        said = row["date"], row["title"], row["theme"], row["cartographer"]
        assert said == (entry.date.isoformat(), entry.title, entry.theme, entry.cartographer)
        assert member or (row["dpi"], row["variant"]) == (file.dpi, file.variant)
        maps.setdefault(said[:2], set()).add(row["map_id"])
    assert all(len(ids) == 1 for ids in maps.values()) and len(maps) > 350
