"""The forms of the real pages, counted; their character set to the byte; the traps in addresses."""

from collections import Counter

import pytest
from scrape_conventions import GOLDEN, HEAD

from mapmaker.scrape.grammar import find_maps
from mapmaker.scrape.page import read_page
from mapmaker.scrape.source import read_source

SOURCE = read_source("map-of-the-week")
PARSERS = ("lxml", "html.parser")
TRAPS = ("copy", "reg", "para", "sect", "not", "section", "notify", "region", "parameter",
         "copyright", "amp", "lt", "x41")  # fmt: skip
UNDEFINED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)


def shape(page, parser="lxml"):
    return [
        (f.title, f.date, f.dpi, f.format, f.declared_bytes, f.variant, f.theme, f.cartographer,
         f.link.url, f.link.wrapper_url)
        for f in find_maps(SOURCE, page.url, page.body, parser).finds
    ]  # fmt: skip


@pytest.mark.parametrize(("page", "entries", "files"), GOLDEN, ids=lambda p: getattr(p, "url", ""))
def test_the_page_gives_exactly_its_maps_and_files(page, entries, files):
    """Maps, files, days, variants, themes and drawers of each form; nothing of the boxes beside."""
    finds = find_maps(SOURCE, page.url, page.body).finds

    assert len({f.map_id for f in finds}) == entries and len(finds) == files
    assert all(f.link.refusal is None for f in finds)
    found = Counter((f.title, f.date) for f in finds)
    assert found == {(title, day): n for title, (day, n) in page.entries.items()}
    assert sum(f.variant is not None for f in finds) == page.variants
    assert sum(f.declared_bytes is not None for f in finds) == files - page.variants
    assert {f.theme for f in finds} == set(page.themes)
    assert {f.cartographer for f in finds} <= set(page.drawers)
    assert page.drawers[0] in {f.cartographer for f in finds}
    assert Counter(page.sizes) <= Counter(f.declared_bytes for f in finds)


@pytest.mark.parametrize("page", [g[0] for g in GOLDEN], ids=lambda p: p.url)
def test_both_parsers_read_the_page_alike(page):
    """lxml and html.parser differ in what they do with tags left open; the maps are the same."""
    assert shape(page, "lxml") == shape(page, "html.parser")


@pytest.mark.parametrize("byte", [b for b in range(0x80, 0x100) if b not in UNDEFINED])
def test_every_byte_of_windows_1252_is_its_sign(byte):
    """0x80 to 0x9f are quotes, dashes and letters, and no control signs, whatever META says."""
    head = HEAD.format(date="").encode().replace(b"windows-1252", b"iso-8859-1")
    title = b"a%cz" % byte
    body = head + b'<P>12/25 <B>%s</B>: x. <A HREF="/dnd/images/mapofweek/a.jpg">m</A>' % title

    for parser in PARSERS:
        (find,) = find_maps(SOURCE, GOLDEN[0][0].url, body, parser).finds
        wanted = title.decode("cp1252").replace("\xa0", " ")  # white space is made single
        assert find.title == wanted


@pytest.mark.parametrize("byte", [*UNDEFINED, *(b for b in range(32) if b not in b"\t\n\f\r")])
def test_a_byte_that_means_nothing_spoils_nothing(byte):
    """Control signs and five bytes without a sign: the page goes on after them.

    Left alone, lxml ended the page there: one stray byte, and the rest of the archive was gone.
    """
    body = b'<P>12/25 <B>a%cz</B>: x. <A HREF="/dnd/images/mapofweek/a.jpg">m</A>' % byte

    (find,) = find_maps(SOURCE, GOLDEN[0][0].url, body).finds

    assert find.title and find.title[0] == "a" and find.title[-1] == "z"


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("name", TRAPS)
def test_a_parameter_is_no_sign_in_either_parser(parser, name):
    """`&copy=1` and `&section=1` stay as written: a sign's name, and a word that begins as one."""
    hrefs = [f"/a.asp?x=dnd/mw/1&{name}=1", f"/leaving.asp?url=/b.jpg&{name}=2&origin=z"]
    body = "".join(f"<A HREF='{h}'>x</A> <A HREF={h}>y</A>" for h in hrefs).encode()

    (line,) = read_page(SOURCE, body, parser)

    assert [a.href for a in line.anchors] == [h for h in hrefs for _ in range(2)]


@pytest.mark.parametrize("parser", PARSERS)
def test_a_sign_that_is_meant_is_a_sign(parser):
    """Written out with its semicolon, in words and in addresses."""
    (line,) = read_page(SOURCE, b'<A HREF="/a?b=1&amp;copy=2">D&amp;D &copy; 1 &#8217;</A>', parser)

    assert line.anchors[0].href == "/a?b=1&copy=2" and line.text == "D&D \u00a9 1 \u2019"
