"""What a site has lost comes from the archives, checked, or the list has what each of them said."""

import pytest
from scrape_tools import NAME, gaps, on_site, planted, run

from mapmaker.files import read_lines
from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.replica.captures import FAR, KEPT, OLDER, SECOND, SECOND_WRONG, STAMP


@pytest.fixture(scope="module")
def archive():
    with Replica(maps=6, side_px=64, drawn=False, wayback=True) as replica:
        yield replica


def test_every_lost_file_comes_from_where_it_still_is(workspace, fresh):
    """All that any archive has whole arrives; what it came by and the capture are written down."""
    run(workspace, fresh, wayback=True)

    assert planted(workspace) == fresh.expected(archives=True)
    assert gaps(workspace) == fresh.expected_gaps(archives=True)
    rows = {on_site(r["picture_url"]): r for r in workspace.dataset(NAME).rows()}
    by_name = {n: rows.get(p) for n, p in fresh.truth.oddities.items() if p in rows}
    came = {n: (r["served_by"], r["capture"]) for n, r in by_name.items() if n[:4] == "kept"}
    second = ("wayback.archive-it.org", OLDER)
    assert came == {
        f"kept-{name}": second if name in SECOND else ("wayback", {
            "near": "20160422000000", "lost-flag": "20160422000000", "one-of-two": OLDER,
        }.get(name, STAMP))
        for name, reason in KEPT.items() if reason is None or name in SECOND
    }  # fmt: skip
    assert by_name["404"]["served_by"] == "wayback" and by_name["cmyk"]["served_by"] == "live"


def test_a_gap_says_what_each_archive_answered(workspace, fresh):
    """The reason is the site's own; `mirrors` has the reason of every archive that was asked."""
    run(workspace, fresh, wayback=True)

    lost = read_lines(workspace.dataset(NAME).gaps)
    said = {on_site(g["picture_url"]): g["mirrors"] for g in lost}
    for name, reason in KEPT.items():
        if reason and name not in SECOND:
            told = said[fresh.truth.oddities[f"kept-{name}"]]
            second = "digest" if name == SECOND_WRONG else "not-found"
            assert told == f"wayback {reason}, wayback.archive-it.org {second}", name


def test_the_index_is_asked_once_a_host_and_no_file_is_asked_for_twice(workspace, fresh):
    """Two calls for all the pictures of two hosts, whatever is missing; no index of pages."""
    run(workspace, fresh, wayback=True)

    calls = [r.path for r in fresh.requests if r.path.startswith("/cdx/")]
    assert len(calls) == 2 and all("mapofweek" in path for path in calls)
    others = [r.path for r in fresh.requests if r.path.startswith("/1213/timemap/cdx?")]
    assert len(others) == 2 and all("mapofweek" in path for path in others)
    second = [r.path for r in fresh.requests if r.host == "wayback.archive-it.org"]
    assert len(second) == len(others) + len({*SECOND, SECOND_WRONG}) + 1, "and its robots.txt"
    plays = [r.path for r in fresh.requests if r.path.startswith("/web/")]
    twice = {p for p in plays if plays.count(p) > 1}
    assert all("circular" in p for p in twice) and max(map(plays.count, plays)) == 2
    assert not [p for p in plays if "id_/" not in p]


def test_an_index_in_pieces_is_read_to_its_end(workspace):
    """A server that gives 40 rows at a time is asked again with its resume key."""
    with Replica(maps=6, side_px=64, drawn=False, wayback=True, most_rows=20) as archive:
        run(workspace, archive, wayback=True)

        assert planted(workspace) == archive.expected(archives=True)
        calls = [r.path for r in archive.requests if r.path.startswith("/cdx/")]
        assert len(calls) > 4 and len(calls) == len(set(calls))


def test_a_site_that_is_gone_comes_from_its_newest_captures(workspace):
    """Nobody listens at any host: pages and pictures come from the archive, in four calls."""
    with Replica(maps=12, side_px=64, drawn=False, faults=False, wayback=True) as archive:
        done = run(workspace, archive, wayback=True, via=archive.via(live=False))

        assert planted(workspace) == archive.expected()
        rows = workspace.dataset(NAME).rows()
        assert done.exit_code == 0 and {r["served_by"] for r in rows} == {"wayback"}
        assert not [r for r in archive.requests if r.host in HOSTS]
        assert len([r for r in archive.requests if r.path.startswith("/cdx/")]) == 4
        index = (workspace.dataset(NAME).root / "index.html").read_bytes()
        assert b"Map-A-Week Archives" in index and b"TOOLBAR" not in index
        # The first captures of a month's page have one map; ours is the last that was whole.
        newest = next(m for m in reversed(archive.truth.months) if len(m.entries) > 1)
        assert {r["title"] for r in rows} >= {e.title for e in newest.entries}


def test_the_drift_is_a_choice(workspace, fresh):
    """With --drift 2000 a capture four years away will do."""
    run(workspace, fresh, wayback=True, drift=2000)

    far = fresh.truth.oddities["kept-far"]
    rows = {on_site(r["picture_url"]): r for r in workspace.dataset(NAME).rows()}
    assert rows[far]["capture"] == FAR


def test_too_many_requests_are_waited_out(workspace, fresh):
    """429 without Retry-After, for robots.txt and for the index: asked again, and all is well."""
    fresh.wayback.busy = 2

    run(workspace, fresh, wayback=True)

    assert gaps(workspace) == fresh.expected_gaps(archives=True)
    assert [r.status for r in fresh.requests if r.host == "web.archive.org"][:2] == [429, 429]


def test_a_wrong_body_of_the_second_archive_is_refused(workspace, fresh):
    """Whole pictures that are not those its index has the SHA-1 of: gaps, and nothing is kept."""
    run(workspace, fresh, wayback=True)

    wrong = fresh.truth.oddities[f"kept-{SECOND_WRONG}"]
    assert [r.status for r in fresh.requests if r.path.endswith(wrong) and "/1213/" in r.path] == [
        200
    ]
    assert gaps(workspace)[wrong] == "not-found" and wrong not in planted(workspace)


def test_a_second_archive_without_an_index_is_asked_by_its_year(workspace, fresh, monkeypatch):
    """What it leads to counts, with no SHA-1 to be held to; a gap says what it answered."""
    monkeypatch.setattr(fresh.wayback, "second_is_unlisted", True)

    run(workspace, fresh, wayback=True)

    came = planted(workspace)
    assert all(fresh.truth.oddities[f"kept-{name}"] in came for name in {*SECOND, SECOND_WRONG})
    said = {on_site(g["picture_url"]): g["mirrors"] for g in
            read_lines(workspace.dataset(NAME).gaps)}  # fmt: skip
    nowhere = fresh.truth.oddities["kept-nowhere"]
    assert said[nowhere] == "wayback not-found, wayback.archive-it.org not-found"


def test_archives_are_left_alone_unless_wanted(workspace, fresh):
    """With --via they are not asked by themselves, nor with --no-wayback."""
    run(workspace, fresh)

    assert {r.host for r in fresh.requests} <= set(HOSTS)
    assert all(g["mirrors"] is None for g in read_lines(workspace.dataset(NAME).gaps))
