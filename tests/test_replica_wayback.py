"""The replica's archives answer as the real ones do, and as dirtily."""

import base64
import hashlib
import itertools
import json
import re
from contextlib import nullcontext

import pytest
import requests

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.archives import WAYBACK, ToCapture
from mapmaker.scrape.captures import Capture, prefix_of, read_index
from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.replica.captures import KEPT, OLDER, STAMP, key_of
from mapmaker.scrape.source import read_source, source_from

CDX = "/cdx/search/cdx?"
PICTURES = "url=archive.wizards.com/dnd/images/mapofweek/*"


@pytest.fixture(scope="module")
def archive():
    with Replica(maps=12, side_px=64, drawn=False, wayback=True) as replica:
        yield replica


def get(archive, path, host="web.archive.org"):
    return requests.get(
        archive.url + path, headers={"Host": host}, allow_redirects=False, timeout=5
    )


def rows(archive, query):
    return [line.split(" ") for line in get(archive, CDX + query).text.splitlines()]


def captured(archive, name: str) -> str:
    """Return the address under which the file of that name was captured."""
    path = archive.truth.oddities[f"kept-{name}"]
    groups = archive.wayback.captures("/web").values()
    return next(c.url for g in groups for c in g if c.path == path and c.stamp == STAMP)


def test_the_index_has_seven_fields_sorted_and_every_kind_of_dirt(archive):
    """Repeated rows, port 80, mail addresses, data:, repetitions with "-", failures of old."""
    found = rows(archive, PICTURES) + rows(archive, PICTURES.replace("archive.", "www."))

    assert all(len(row) == 7 for row in found)
    assert [r[:2] for r in rows(archive, PICTURES)] == sorted(
        r[:2] for r in rows(archive, PICTURES)
    )
    words = " ".join(r[2] for r in found)
    assert ":80/" in words and "mailto:" in words and "data:" in words
    assert any(a == b for a, b in itertools.pairwise(found))
    assert {"-", "200", "302", "404", "503"} <= {r[4] for r in found}


def test_the_digest_is_the_sha1_of_what_was_captured(archive):
    """Base32, and the length is the body's."""
    file = archive.files[archive.truth.oddities["kept-good"]]
    found = rows(archive, f"url={captured(archive, 'good')}")
    (row,) = {tuple(r) for r in found if r[1] == STAMP and r[2] == captured(archive, "good")}

    data = archive.bytes_of(file)
    assert row[5] == base64.b32encode(hashlib.sha1(data).digest()).decode()
    assert int(row[6]) == len(data)


@pytest.mark.parametrize("output", ["", "&output=json"])
def test_the_index_goes_on_where_its_key_says(archive, output):
    """Pieces of nine rows make up the same list, in text and in JSON; the key ends it or not."""
    whole, _ = read_index(get(archive, f"{CDX}{PICTURES}&fl={FL}").content)
    pieces, key = [], ""
    for _ in range(100):
        query = f"{PICTURES}&fl={FL}&limit=9&showResumeKey=true{output}"
        answer = get(archive, CDX + query + (f"&resumeKey={key}" if key else ""))
        assert not output or isinstance(answer.json(), list)
        found, key = read_index(answer.content)
        pieces += found
        if not key:
            break

    assert pieces == whole and len(whole) > 20


FL = "timestamp,original,mimetype,statuscode,digest"


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("&filter=statuscode:200", lambda r: r[4] == "200"),
        ("&filter=!statuscode:200", lambda r: r[4] != "200"),
        ("&filter=statuscode:20.*&filter=mimetype:image/.*", lambda r: r[3] == "image/jpeg"),
        ("&filter=~original:kept_", lambda r: "kept_" in r[2]),
        ("&from=2016", lambda r: r[1] >= "2016"),
        ("&to=2010", lambda r: r[1] < "2011"),
        ("&fl=timestamp", lambda r: len(r) == 1),
    ],
)
def test_the_index_filters(archive, query, holds):
    """Whole-value expressions, parts with ~, denial with !, spans of time, chosen fields."""
    found = rows(archive, PICTURES + query)

    assert len(found) > 0 and all(holds(r) for r in found)
    assert len(found) <= len(rows(archive, PICTURES))


def test_the_index_collapses_neighbours_and_counts_from_either_end(archive):
    """collapse=urlkey leaves one row an address; limit=-3 the last three."""
    every = rows(archive, PICTURES)

    one_each = [r[0] for r in rows(archive, PICTURES + "&collapse=urlkey")]
    assert one_each == sorted({r[0] for r in every})
    assert rows(archive, PICTURES + "&limit=-3") == every[-3:]
    assert rows(archive, PICTURES + "&offset=2") == every[2:]
    years = [r[1][:4] for r in rows(archive, PICTURES + "&collapse=timestamp:4")]
    assert all(a != b for a, b in itertools.pairwise(years))


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        ("url=www.wizards.com/default.asp*", "com,wizards)/default.asp"),
        ("url=wizards.com/default.asp&matchType=prefix", "com,wizards)/default.asp"),
        ("url=archive.wizards.com&matchType=host", "com,wizards,archive)/"),
        ("url=*.wizards.com", "com,wizards"),
    ],
)
def test_the_index_knows_its_scopes(archive, scope, keys):
    """Prefix, host and domain; www. and the bare host are one."""
    found = rows(archive, scope)

    assert found and all(r[0].startswith(keys) for r in found)
    assert get(archive, f"{CDX}matchType=host").status_code == 400


def test_a_month_s_page_has_a_capture_for_each_week(archive):
    """Revisions hold one map, then two, up to all; the last visit found the site dead."""
    month = next(m for m in archive.truth.months if m.name == "20031002a")
    page = f"www.wizards.com/default.asp?x=dnd/mw/{month.name}"
    seen = {
        tuple(r[:5])
        for r in rows(archive, f"url={page}")
        if "mailto" not in r[2] and "data" not in r[2]
    }

    heads = []
    for _, stamp, _, _, status in sorted(seen):
        text = get(archive, f"/web/{stamp}id_/http://{page}").text
        heads.append((status, len(re.findall(r"<P>\d+/\d+ <B>", text))))
    whole = len(month.entries)
    assert heads == [("200", n + 1) for n in range(whole)] + [("404", 0)]


def test_a_time_in_part_leads_to_the_nearest_capture(archive):
    """A year is answered 302 to fourteen digits, with the same flag."""
    url = captured(archive, "good")

    answer = get(archive, f"/web/2016id_/{url}")

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/web/{STAMP}id_/{url}"
    assert get(archive, "/web/2016id_/http://www.wizards.com/nothing.jpg").status_code == 404


def test_without_id_a_page_wears_the_toolbar(archive):
    """id_ gives the bytes of the old site, windows-1252 and all; without it people get a page."""
    url = f"/http://{HOSTS[0]}/default.asp?x=dnd/mwa/archiveall"

    raw, dressed = get(archive, f"/web/{STAMP}id_{url}"), get(archive, f"/web/{STAMP}{url}")

    assert b"TOOLBAR" not in raw.content and b"\x92" in raw.content
    assert b"BEGIN WAYBACK TOOLBAR INSERT" in dressed.content
    assert "Memento-Datetime" in raw.headers and 'rel="original"' in raw.headers["Link"]


@pytest.mark.parametrize("kept", [k for k in KEPT if k[:6] != "second" and k != "nowhere"])
def test_every_way_of_keeping_a_file_is_played(archive, kept):
    """What the table promises is what playback does at the first step."""
    path = archive.truth.oddities[f"kept-{kept}"]
    url = captured(archive, kept)
    with requests.get(
        f"{archive.url}/web/{STAMP}id_/{url}", headers={"Host": "web.archive.org"}, stream=True,
        allow_redirects=False, timeout=5,
    ) as answer:  # fmt: skip
        body = answer.raw.read(decode_content=False)
    good = body == archive.bytes_of(archive.files[path])
    leads = answer.headers.get("Location", "")
    shows = {
        "good": good, "revisit": good, "one-of-two": not good and body[:2] == b"\xff\xd8",
        "near": "/20160422000000id_/" in leads, "far": "/20120101000000id_/" in leads,
        "moved": "/moved/" in leads and "Memento-Datetime" in answer.headers,
        "view-redirect": b"Got an HTTP 302 response at crawl time" in body,
        "double-encoding": answer.raw.headers.getlist("Content-Encoding") == ["", "gzip"],
        "lost-flag": "/20160422000000/http" in leads, "circular": "/20160422000000id_/" in leads,
        "circular-once": "/20160422000000id_/" in leads, "toolbar": b"WAYBACK TOOLBAR" in body,
        "other-bytes": not good and body[:2] == b"\xff\xd8",
        "no-memento": good and "Memento-Datetime" not in answer.headers,
        "other-original": "symbol/x.gif" in answer.headers.get("Link", ""),
        "blocked": answer.status_code == 403 and b"AdministrativeAccessControl" in body,
        "gone-then-too": answer.status_code == 404 and "Memento-Datetime" in answer.headers,
    }  # fmt: skip
    assert shows[kept]


@pytest.mark.parametrize(("kept", "same"), [("second", True), ("second-other-bytes", False)])
def test_the_second_archive_has_an_index_of_its_own(archive, kept, same):
    """One a collection, with the same fields; one of its bodies is not what the index says."""
    path, host = archive.truth.oddities[f"kept-{kept}"], "wayback.archive-it.org"
    query = f"/1213/timemap/cdx?url=www.wizards.com{path}"

    rows = {tuple(line.split(" ")) for line in get(archive, query, host).text.splitlines()}
    (row,) = (row for row in rows if row[2].startswith("http://www"))
    body = get(archive, f"/1213/{row[1]}id_/{row[2]}", host).content

    assert row[1] == OLDER and row[4] == "200"
    assert (row[5] == base64.b32encode(hashlib.sha1(body).digest()).decode()) == same


def test_an_index_that_knows_no_fl_is_read_by_its_order():
    """Archive-It's own eleven fields: urlkey first, then those we ask for."""
    url = "http://www.wizards.com/a.jpg"
    row = f"com,wizards)/a.jpg 20090602060921 {url} image/jpeg 200 ABC - - 9 1 x.warc.gz"

    assert read_index(row.encode())[0] == [Capture("20090602060921", url, 200, "ABC")]


def test_too_many_requests_name_no_time(archive):
    """429 comes without Retry-After, as often as wished."""
    archive.wayback.busy = 1

    first, second = (
        get(archive, f"{CDX}{PICTURES}&limit=1"),
        get(archive, f"{CDX}{PICTURES}&limit=1"),
    )

    assert (first.status_code, second.status_code) == (429, 200)
    assert "Retry-After" not in first.headers


def test_the_second_archive_has_its_own_few(archive):
    """Collection 1213 has what the first has not."""
    url = f"http://www.wizards.com{archive.truth.oddities['kept-second']}"

    answer = get(archive, f"/1213/2009id_/{url}", "wayback.archive-it.org")
    there = get(archive, answer.headers["Location"], "wayback.archive-it.org")

    assert f"/1213/{OLDER}id_/" in answer.headers["Location"] and there.status_code == 200
    assert get(archive, f"/web/2009id_/{url}").status_code == 404


def test_dirty_rows_are_left_out_and_ports_taken_off():
    """Mail addresses, data:, times that are none and rows of other lengths are no captures."""
    good = "20160401000000 http://h.org:80/a.jpg image/jpeg 200 ABC"
    bad = ["20160401000000 http://mailto:a@h.org/ a 200 ABC", "2016 http://h.org/ a 200 A",
           "20160401000000 data:image/gif;base64,R0/ a 200 ABC", "too few words",
           "20160230000000 http://h.org/a.jpg image/jpeg 200 ABC",
           "²0160401000000 http://h.org/a.jpg image/jpeg 200 ABC"]  # fmt: skip
    again = "20160402000000 https://h.org:443/a.jpg warc/revisit - ABC"

    text = "\n".join([good, *bad, again, "", "org%2Ch%29%2F+2016"])
    table = [["a"] * 5, *(line.split(" ") for line in (good, *bad, again)), [], ["k+1"]]

    wanted = [
        Capture("20160401000000", "http://h.org/a.jpg", 200, "ABC"),
        Capture("20160402000000", "https://h.org/a.jpg", None, "ABC"),
    ]
    assert read_index(text.encode()) == (wanted, "org%2Ch%29%2F+2016")
    assert read_index(json.dumps(table).encode()) == (wanted, "k+1")
    for nothing in (b"", b"[]", b"<html>", b"[" * 100_000):
        assert read_index(nothing) == ([], None)


@pytest.mark.parametrize(
    ("told", "good"),
    [("Fri, 01 Jan 2016 00:00:00 GMT", True), ("Fri, 01 Jan 2016 00:00:00 -0000", True),
     ("Fri, 01 Jan 2010 00:00:00 GMT", False), ("Fri, 01 Jan 99999999999 00:00:00 GMT", False),
     ("soon", False), ("", False)],
)  # fmt: skip
def test_a_capture_that_tells_no_time_is_none(told, good):
    """Whatever stands in Memento-Datetime, or where a redirect leads to: Refused at most."""
    url = "http://archive.wizards.com/dnd/images/mapofweek/a.jpg"
    route = ToCapture(read_source("map-of-the-week"), WAYBACK, "20160101000000", url, 366)

    with nullcontext() if good else pytest.raises(Refused):
        route.admit(200, {"Memento-Datetime": told})
    with pytest.raises(Refused):
        route.leads(route.address, f"{WAYBACK}20160230000000id_/{url}", is_file=True)


def test_the_prefix_asked_for_is_what_a_card_s_patterns_begin_with():
    """Plain text up to the first choice; two patterns share what both begin with."""
    card = read_source("map-of-the-week")
    loose = {"title": "t", "homepage": "h", "start": ["http://h.org/"], "hosts": ["h.org"],
             "license": "x"}  # fmt: skip

    assert prefix_of(card, is_file=True) == "/dnd/images/mapofweek/"
    assert prefix_of(card, is_file=False) == "/default.asp?x=dnd/mw"
    for patterns, prefix in ((["^/a/.+", r"^/a\.b"], "/a"), (["a|b"], ""), ([r"^/ab*"], "/a")):
        source = source_from("x", {**loose, "pictures": patterns}, "card")
        assert prefix_of(source, is_file=True) == prefix


def test_keys_are_the_archive_s():
    """The host turned round, without www. and port 80, in small letters."""
    assert key_of("http://www.Wizards.com:80/DND/A.jpg") == "com,wizards)/dnd/a.jpg"
