"""What the pages say: links unwrapped, three conventions, dates, themes and names."""

import pytest

from mapmaker.scrape.grammar import find_maps, merge, slug
from mapmaker.scrape.links import page_address, read_link
from mapmaker.scrape.replica import Replica
from mapmaker.scrape.source import read_source

SOURCE = read_source("map-of-the-week")
ALL = "http://archive.wizards.com/default.asp?x=dnd/mwa/archiveall"
YEAR = "http://wizards.com/default.asp?x=dnd/mwa/archive2003"
MONTH = "http://wizards.com/default.asp?x=dnd/mw/20040101a"
PICTURE = "/dnd/images/mapofweek/April2007/04_Apr2007_72_ppi_54hge.jpg"


def finds(html: str, page_url: str = YEAR):
    return find_maps(SOURCE, page_url, html.encode("cp1252")).finds


def one(html: str, page_url: str = YEAR):
    (find,) = finds(html, page_url)
    return find


@pytest.mark.parametrize(
    ("words", "dpi", "kind", "size"),
    [
        ('<A HREF="%s">Download 72dpi JPG (524k)</A>', 72, "JPG", 524 * 1024),
        ('<A HREF="%s">Download 72dpi JPG</A> (524k)', 72, "JPG", 524 * 1024),
        ('<A HREF="%s">Download 72dpi JPG</A>(472k)', 72, "JPG", 472 * 1024),
        ('Download <A HREF="%s">300 dpi JPG (4.7m)</A>', 300, "JPG", round(4.7 * 1024**2)),
        ('<A HREF="%s">Download 150dpi JPG (1.35m)</A>', 150, "JPG", round(1.35 * 1024**2)),
        ('Download (<A HREF="%s">JPG 128k</A>)', 72, "JPG", 128 * 1024),
        ('<A HREF="%s">Download (TIF 6.17mb)</A>', 72, "TIF", round(6.17 * 1024**2)),
        ('<A HREF="%s">Download 151k JPG</A>', 72, "JPG", 151 * 1024),
    ],
)
def test_download_words_are_read_in_all_three_conventions(words, dpi, kind, size):
    """Resolution, kind and size are read wherever the link begins within the words."""
    find = one(f"<P>12/25 <B>The Temple</B>: Old. {words % PICTURE}")

    assert (find.dpi, find.format, find.declared_bytes) == (dpi, kind, size)
    assert find.description == "Old."


@pytest.mark.parametrize(
    "href",
    [
        f"/leaving.asp?url={PICTURE}&origin=dnd_mw_20070404arch",
        "/leaving.asp?url=%2Fdnd%2Fimages%2Fmapofweek%2FApril2007%2F04_Apr2007_72_ppi_54hge.jpg",
        f"\r\n\t {PICTURE} \t\r\n",
        f"{PICTURE[:20]}\r\n{PICTURE[20:]}",
        f"http://wizards.com{PICTURE}",
        f"http://www.wizards.com/leaving.asp?url=/leaving.asp?url={PICTURE}",
    ],
)
def test_every_way_of_writing_an_address_gives_the_picture(href):
    """Wrappers are taken apart and white space goes; the address is absolute."""
    link = read_link(SOURCE, YEAR, href)

    assert link is not None and link.refusal is None
    assert link.url.endswith(f"wizards.com{PICTURE}")
    assert (link.wrapper_url is not None) == ("leaving" in href)


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("/leaving.asp?url=http://169.254.169.254/latest/meta-data/", "unsafe-link"),
        ("/leaving.asp?url=file:///etc/passwd", "unsafe-link"),
        ("/leaving.asp?url=//127.0.0.1/x.jpg", "unsafe-link"),
        ("/leaving.asp?url=http://2130706433/x.jpg", "unsafe-link"),
        ("/leaving.asp?url=http://[::1]/x.jpg", "unsafe-link"),
        ("/leaving.asp?url=http://[/x.jpg", "unsafe-link"),
        ("/leaving.asp?url=gopher://wizards.com/x.jpg", "unsafe-link"),
        ("/leaving.asp?url=http://user@wizards.com/x.jpg", "unsafe-link"),
        ("/leaving.asp?url=http://www.example.com/x.jpg", "foreign-host"),
        ("/leaving.asp?url=http://wizards.com.example.com/x.jpg", "foreign-host"),
        ("http://wizards.com:8080/x.jpg", "foreign-host"),
        ("/leaving.asp?url=" * 5 + "/x.jpg", "unsafe-link"),
    ],
)
def test_a_link_that_leads_elsewhere_is_refused_by_name(href, reason):
    """Nothing but http(s) on the card's hosts may be asked for, however deep it is wrapped."""
    link = read_link(SOURCE, YEAR, href)

    assert link is not None and link.refusal == reason


def test_an_address_that_is_none_spoils_nothing_else_on_the_page():
    """`http://[` cannot even be taken apart: it is refused by name, the next one is read."""
    html = f"""<P>12/25 <B>The Temple</B>: Old. <A HREF="http://[/x.jpg">Download 72dpi JPG</A>
      <A HREF="{PICTURE}">Download 150dpi JPG</A>"""

    bad, good = merge(SOURCE, finds(html))

    assert (bad.link.refusal, good.link.refusal) == ("unsafe-link", None)


def test_sidebars_thumbnails_and_navigation_are_not_maps():
    """Links in a box headed Recent Map-a-Weeks, pictures shown inline and icons give no file."""
    html = f"""<TABLE><TR><TD><IMG SRC="/dnd/images/mapofweek/nav.gif">
      <P>12/25 <B>The Temple</B>: Old. <A HREF="{PICTURE}">Download 72dpi JPG (524k)</A>
      <TD><TABLE><TR><TD><B>Recent Map-a-Weeks</B><BR>
      <A HREF="/dnd/images/mapofweek/other.jpg">10/30 Another Map: x</A></TABLE></TABLE>"""

    found = finds(html)

    assert [f.link.url for f in found] == [f"http://wizards.com{PICTURE}"]


def test_links_behind_the_last_maps_files_are_no_words_of_it():
    """Where a page leaves a tag open, the row of years stands on the last map's own line."""
    find = one(f"""<P>8/3 Legend: What the signs mean. Download (<A HREF="{PICTURE}">JPG 128k</A>)
      <A HREF="/default.asp?x=dnd/mwa/archive2000">2000</A> |
      <A HREF="/default.asp?x=dnd/mwa/archive2001">2001</A>""")

    assert (find.title, find.description) == ("Legend", "What the signs mean.")


def test_an_entry_knows_its_theme_its_drawer_and_its_date():
    """Heading lines are themes, credit lines name the drawer, and the year is the page's."""
    html = f"""<B>Map-a-Week04/03/2003</B><P><B>Quest Maps</B>
      <P>2/05 <B>The Dragon\u2019s Caf\u00e9 \u2013 One</B>: A place \u2013 see.
      <A HREF={PICTURE}>Download 72dpi JPG</A><LI>- <A HREF=/dnd/images/mapofweek/w.jpg>
      (White Background)</A><P>Cartography by Rob Lazzaretti<P>(Map-A-Week Archives)"""

    first, second = finds(html)

    assert first.title == "The Dragon\u2019s Caf\u00e9 \u2013 One"
    assert (first.date, first.theme, first.cartographer) == (
        "2003-02-05", "Quest Maps", "Rob Lazzaretti",
    )  # fmt: skip
    assert first.description == "A place \u2013 see."
    assert first.map_id == second.map_id == "2003-02-05_the-dragons-cafe-one"
    assert (second.variant, second.date) == ("White Background", "2003-02-05")


def entry(*folders: str) -> str:
    links = "".join(
        f'<A HREF="/dnd/images/mapofweek/{folder}/{n}_72_ppi.jpg">Download 72dpi JPG</A>'
        for n, folder in enumerate(folders)
    )
    return f"<P>1/01 <B>The Keep</B>: Old. {links}"


@pytest.mark.parametrize(
    ("html", "page_url", "year"),
    [
        (entry("December2003", "December2003"), f"{YEAR[:-4]}2004", 2004),
        (entry("January2004", "May2001"), MONTH, 2004),
        ("<H2>2004</H2>" + entry("May2001"), ALL, 2004),
        (entry("May2001", "January2004", "January2004"), ALL, 2004),
        (entry("January2004"), ALL, 2004),
    ],
    ids=["a map of New Year in December's folder", "a copy of an older map among its files",
         "a copy alone, under a heading", "a copy, where the page names no year",
         "where the picture alone names one"],
)  # fmt: skip
def test_all_files_of_a_map_have_its_year(html, page_url, year):
    """The heading's year, else the page's, else that of most pictures: one map has one date."""
    assert {f.date for f in finds(html, page_url)} == {f"{year}-01-01"}


def test_a_drawer_in_the_prose_is_found():
    """A credit inside the description counts when no line of its own does."""
    words = "we invited Wizards mapper Todd Gamble to draw it"

    find = one(f'<P>2/22 Keep: {words}. <A HREF="{PICTURE}">Download 151k JPG</A>')

    assert find.cartographer == "Todd Gamble"


def test_parameters_that_look_like_entities_stay_as_they_are():
    """`&copy=` inside an address is a parameter, not a sign."""
    hrefs = [f"/default.asp?x=dnd/mw/20031002a&{name}=1" for name in
             ("copy", "reg", "para", "sect", "not")]  # fmt: skip
    html = "".join(f'<A HREF="{h}">x</A>' for h in hrefs)

    page = find_maps(
        SOURCE, YEAR, f'{html}<A HREF="/default.asp?x=dnd/mw/20031002a&pf=true">x</A>'.encode()
    )

    assert page.follow == ["http://wizards.com/default.asp?x=dnd/mw/20031002a"]
    assert all(read_link(SOURCE, YEAR, h).url.endswith(h) for h in hrefs)


def test_the_printer_friendly_twin_is_the_same_page():
    """`pf=true` is dropped, other parameters stay."""
    url = "http://wizards.com/default.asp?x=dnd/mw/20031002a"

    assert page_address(SOURCE, f"{url}&pf=true") == url
    assert page_address(SOURCE, f"{url}&page=2") == f"{url}&page=2"


@pytest.mark.parametrize("twin", ["", "&pf=true"])
def test_every_page_of_the_replica_gives_its_golden_count(twin):
    """Each month page lists exactly its maps and files, in all three conventions."""
    archive = Replica(maps=24, side_px=96, drawn=False)
    from mapmaker.scrape.replica.pages import page_of

    for month in archive.truth.months:
        address = f"/default.asp?x=dnd/mw/{month.name}"
        page = find_maps(
            SOURCE, f"http://www.wizards.com{address}", page_of(archive.truth, address + twin)
        )
        wanted = {
            (e.title, f"{e.date}", f.dpi, f.variant, e.cartographer, month.theme)
            for e in month.entries
            for f in e.files
            if "trap" not in f.behaviour
        }
        found = {
            (f.title, f.date, f.dpi, f.variant, f.cartographer, f.theme)
            for f in page.finds
            if not f.link.refusal
        }
        assert len(page.finds) == sum(len(e.files) for e in month.entries)
        assert found == wanted


def test_the_declared_sizes_are_those_the_pages_state():
    """Sizes in k, m and mb become bytes."""
    archive = Replica(maps=8, side_px=96, drawn=False, faults=False)
    from mapmaker.scrape.replica.pages import page_of

    page = find_maps(SOURCE, ALL, page_of(archive.truth, "/default.asp?x=dnd/mwa/archiveall"))

    planted = {f.path: f.declared_bytes for _, f in archive.truth.files()}
    for find in page.finds:
        path = find.link.url.partition("wizards.com")[2]
        if find.format == "JPG" and not find.variant:
            assert find.declared_bytes == planted[path]


def test_merging_keeps_one_find_a_file_and_fills_holes():
    """The same path on another host is the same file; what only one page says is kept."""
    short = finds(f'<A HREF="{PICTURE}">map</A>')
    full = finds(
        f'<P>4/4 Keep: Old. <A HREF="{PICTURE}">Download 72dpi JPG</A>',
        "http://www.wizards.com/default.asp?x=dnd/mw/20070404a",
    )

    (merged,) = merge(SOURCE, [*short, *full])

    assert (merged.date, merged.description) == ("2007-04-04", "Old.")
    assert merged.aliases == (f"http://www.wizards.com{PICTURE}",)


@pytest.mark.parametrize("text", ["../../etc", "a/b\\c", "CON\0", "\u202egpj.exe", "x" * 4000])
def test_slugs_cannot_leave_the_folder(text):
    """A slug has letters, digits and dashes alone, and at most 60 of them."""
    assert set(slug(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(slug(text)) <= 60
