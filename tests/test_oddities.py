"""The thirty oddities of the old site that docs/replica.md lists: each is really served."""

import io
import re
import zipfile
from html import unescape
from pathlib import Path

import pytest
import requests
from PIL import Image

from mapmaker.scrape.replica import HOSTS, Replica

ROOT = Path(__file__).parents[1]
TOP = "/default.asp?x=dnd/mwa/archiveall"


@pytest.fixture(scope="module")
def archive():
    with Replica(maps=24, side_px=48, drawn=False) as replica:
        yield replica


@pytest.fixture(scope="module")
def top(archive) -> str:
    return get(archive, TOP).content.decode("cp1252")


def get(archive, path):
    return requests.get(
        archive.url + path, headers={"Host": HOSTS[0]}, allow_redirects=False, timeout=5
    )


def page(archive, name) -> str:
    return get(archive, f"/default.asp?x=dnd/mw/{name}").content.decode("cp1252")


def test_pages_are_named_after_a_week_that_need_not_be_the_map_s(archive, top):
    """a or x behind the date, which is the month's first week, in December 2002 its last."""
    names = re.findall(r"x=dnd/mw/(\d{8}[a-z])\"", top)

    assert {"20031002a", "20010201x", "20021226a"} <= set(names)
    assert all(
        get(archive, f"/default.asp?x=dnd/mw/{name}").ok for name in set(names) - {"20051229x"}
    )
    years = re.findall(r"x=dnd/mwa/archive(\d{4})", top)
    assert years and all(get(archive, f"/default.asp?x=dnd/mwa/archive{y}").ok for y in years)


def test_a_printer_friendly_twin_has_no_sidebar(archive):
    """The same maps, without the boxes of other maps that a reader must not take for its own."""
    full, plain = page(archive, "20031002a"), page(archive, "20031002a&pf=true")

    heads = r"<P>\d+/\d+ <B>"
    assert re.findall(heads, full) == re.findall(heads, plain)
    assert "Recent Map-a-Weeks" in full and "Recent Map-a-Weeks" not in plain
    assert "20031002a&pf=true" in full


def test_every_form_of_link_is_there(top):
    """From the root, whole, with spaces, broken in two, bare, behind attributes, wrapped twice."""
    hrefs = re.findall(r'HREF="([^"]*?/images/[^"]*|/leaving[^"]*)"', top, re.IGNORECASE)

    assert any(h.startswith("/dnd/") for h in hrefs)
    assert {h.split("/")[2] for h in hrefs if h.startswith("http")} == set(HOSTS)
    assert any(h.strip() != h for h in hrefs) and any("\r\n" in h.strip() for h in hrefs)
    assert re.search(r"HREF=/dnd/images/mapofweek/[^ \"]+>", top)
    wrapped = [h for h in hrefs if h.startswith("/leaving.asp?url=")]
    assert any("url=/dnd/" in h for h in wrapped) and any("%2Fdnd%2F" in h for h in wrapped)
    assert all("&origin=" in h and "&amp;" not in h for h in wrapped)
    late = next(line for line in top.split("<A CLASS")[1:])
    assert f"<A CLASS{late}".split('"')[9].startswith("/dnd/images/mapofweek/")


def test_a_map_is_one_line_of_the_source(top):
    """Who looks for lines with "Download 72dpi JPG" finds the address on the same one."""
    lines = [line for line in top.split("\r\n<P>") if "Download 72dpi JPG" in line]

    assert len(lines) > 5 and all(" HREF=" in line.upper() for line in lines)


def test_downloads_are_worded_in_three_ways_with_slips(top):
    """Sizes in k, m and mb; before, behind and in brackets; now and then without a space."""
    with Replica(maps=16, faults=False, drawn=False, side_px=1800) as large:
        top += get(large, TOP).content.decode("cp1252")
    words = unescape(re.sub(r"<[^>]+>", "", top))

    assert re.search(r"Download 72dpi JPG \(\d+k\)", words)
    assert re.search(r"Download 72dpi JPG\(\d+k\)", words), "the missing space"
    assert re.search(r"Download \(JPG \d+k\) / Download \(TIF \d", words)
    assert re.search(r"Download \d+k JPG", words)
    assert re.search(r"\d\.\d\dm\b", words) and re.search(r"\d\.\d\dmb\b", words)


def test_dates_are_written_as_they_came(archive, top):
    """Padded or not, several on one day, a bonus map, and another date in the header."""
    dates = re.findall(r"<P>(\d+/\d+) <B>", top)

    assert any(d.startswith("0") or "/0" in d for d in dates)
    assert any(re.fullmatch(r"\d/\d\d?", d) for d in dates)
    assert len(dates) > len(set(dates)) and "Bonus Overland Map" in top
    assert "Map-a-Week04/03/2003" in page(archive, "20031002a")


def test_variants_have_links_without_a_size(top):
    """A list item each, under the map they belong to."""
    assert re.search(r"<LI>- <A [^>]+>\(White Background\)</A>\r\n", top, re.IGNORECASE)
    assert re.search(r"<LI>- <A [^>]+>\(Black &amp; White\)</A>\r\n", top, re.IGNORECASE)


def test_some_months_have_one_resolution_only(archive):
    """February 2004 has 72 dpi alone, other months of that time have three."""
    dpis = {}
    for month in archive.truth.months:
        dpis[month.name] = {f.dpi for e in month.entries for f in e.files if f.variant is None}

    assert dpis["20040205a"] == {72} and dpis["20031002a"] == {72, 150, 300}


def test_tif_twins_are_all_of_one_size(archive):
    """Nothing is packed in them: the same picture in the same number of bytes."""
    twins = [f for f in archive.files.values() if f.format == "TIF"]

    assert len(twins) > 2 and len({len(archive.bytes_of(f)) for f in twins}) == 1
    assert all(f.path.replace(".tif", ".jpg") in archive.files for f in twins)


def test_other_formats_and_modes_are_there(archive):
    """A GIF, CMYK, grey and progressive JPEGs, each what it claims to be."""

    def image(name: str) -> Image.Image:
        return Image.open(io.BytesIO(get(archive, archive.truth.oddities[name]).content))

    assert image("gif").format == "GIF"
    assert (image("cmyk").mode, image("grey").mode) == ("CMYK", "L")
    assert image("progressive").info["progressive"]


def test_zip_files_hold_what_such_files_hold(archive):
    """Folders, capitals, a resource fork, a text, and a name that would leave the folder."""
    body = get(archive, archive.truth.oddities["zip"]).content

    names = zipfile.ZipFile(io.BytesIO(body)).namelist()
    assert "maps/inner/Hall.JPG" in names and "../../escape.jpg" in names
    assert any(n.startswith("__MACOSX/") for n in names) and "maps/readme.txt" in names


def test_not_all_are_maps(top):
    """A sheet of signs stands among them."""
    assert re.search(r"<P>\d+/\d+ <B>Legend</B>: What the signs mean\.", top)


def test_tags_are_of_their_time(top):
    """Capitals, bare values, nothing closed, tables in tables, FONT."""
    assert "<TABLE WIDTH=100% BORDER=0><TR><TD>" in top and "<FONT FACE=" in top
    assert "</P>" not in top and "</LI>" not in top and "</TD>" not in top
    assert top.count("<TABLE") == 2 and "<a href=" in top and "D&D Home" in top


def test_redirects_home(archive):
    """A lost picture leads to the welcome page."""
    answer = get(archive, archive.truth.oddities["redirect-home"])

    assert answer.status_code == 302 and answer.headers["Location"].endswith("x=dnd/welcome")


def test_pictures_that_are_no_maps_are_on_every_page(archive):
    """A spacer and thumbnails, in folders of their own."""
    text = page(archive, "20031002a")

    assert "/dnd/images/symbol/x.gif" in text and "/dnd/images/mapofweek_thumbs/small.gif" in text


def test_old_servers_answer_in_their_own_way(archive):
    """No length, no parts, a type that says nothing; the picture is whole all the same."""
    one = get(archive, archive.truth.oddities["no-length"])
    two = get(archive, archive.truth.oddities["octet-stream"])

    assert "Content-Length" not in one.headers and one.headers["Connection"] == "close"
    assert two.headers["Content-Type"] == "application/octet-stream"
    assert one.content[-2:] == two.content[-2:] == b"\xff\xd9"


def test_the_table_of_thirty_names_tests_that_exist():
    """Every row of docs/replica.md points at a test that is there."""
    table = (ROOT / "docs" / "replica.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", table, re.MULTILINE)

    assert [int(n) for n, _ in rows] == list(range(1, 31))
    for _, shown in rows:
        named = re.findall(r"(test_\w+)(?:: `(test_\w+)(?:\.\.\.)?`)?", shown)
        assert named or shown == "the same"
        for module, test in named:
            code = (ROOT / "tests" / f"{module}.py").read_text()
            assert f"def {test}" in code, shown
