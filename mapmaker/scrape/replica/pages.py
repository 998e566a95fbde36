"""The replica's pages, in the hand of the old site: tables, tags left open, windows-1252."""

from dataclasses import replace
from datetime import date
from html import escape
from urllib.parse import quote

from mapmaker.scrape.replica.plan import HOSTS, Entry, File, Month, Truth

STALE_DATE = "04/03/2003"
EMPTY_PAGE = "/default.asp?x=dnd/mw/20051229x"
THUMBNAIL = "/dnd/images/mapofweek_thumbs/small.gif"
SYMBOL = "/dnd/images/symbol/x.gif"


def page_of(truth: Truth, address: str, entries: int = 0) -> bytes | None:
    """Return the page at a path and query, as windows-1252 bytes, or None.

    entries: the page as it was when it had so many entries (0: all), or the archive so many months.
    """
    article, _, twin = address.partition("&pf=")
    name = article.removeprefix("/default.asp?x=dnd/")
    if name == article:
        return None
    if name == "mwa/archiveall":
        months = truth.months[: entries or None]
        html = _archive(truth, months, "Map-A-Week Archives", top=True)
    elif name.startswith("mwa/archive"):
        months = [m for m in truth.months if str(m.year) == name[-4:]]
        html = _archive(truth, months, f"Archive {name[-4:]}", top=False) if months else None
    else:
        month = next((m for m in truth.months if name == f"mw/{m.name}"), None)
        if month and entries:  # the page grew downwards by a week at a time
            month = replace(month, entries=month.entries[-entries:])
        html = _month(truth, month, plain=bool(twin)) if month else None
    if address.startswith(EMPTY_PAGE):
        html = SOFT_404
    return None if html is None else html.encode("cp1252")


SOFT_404 = (
    "<HTML><HEAD><TITLE>Page not found</TITLE></HEAD><BODY><H1>The page cannot be found</H1>"
    + "<P>It may have been moved. " * 30
    + "</BODY></HTML>"
)


def _archive(truth: Truth, months: list[Month], title: str, top: bool) -> str:
    parts = [_head(title)]
    # The newest month is on its own page only: the archive was put together weeks later.
    hidden = max((m.year, m.month) for m in truth.months) if len(truth.months) > 2 else None
    year = None
    for month in sorted(months, key=lambda m: (m.year, m.month), reverse=True):
        if top and month.year != year:
            year = month.year
            parts.append(f"<H2>{year}</H2>\r\n")
        parts.append(f"<P><B>{month.theme}</B>\r\n")
        if (month.year, month.month) != hidden:
            parts += [_entry(e) for e in month.entries]
    if top:
        years = sorted({m.year for m in truth.months})
        parts += [f'<A HREF="/default.asp?x=dnd/mwa/archive{y}">{y}</A> |\r\n' for y in years]
        if truth.oddities:
            parts.append(f'<A HREF="{EMPTY_PAGE}">December 2005</A>\r\n')
    for month in months:
        where = f"http://{HOSTS[1]}/default.asp?x=dnd/mw/{month.name}"
        parts.append(f'<LI><A HREF="{where}">{date(month.year, month.month, 1):%B %Y}</A>\r\n')
    return "".join([*parts, _FOOT])


def _month(truth: Truth, month: Month, plain: bool) -> str:
    parts = [_head(f"Map-a-Week{STALE_DATE}"), f"<P><B>{month.theme}</B>\r\n"]
    parts += [_entry(e) for e in month.entries]
    parts.append('<P>(<A HREF="/default.asp?x=dnd/mwa/archiveall">Map-A-Week Archives</A>)')
    if not plain:
        twin = f"/default.asp?x=dnd/mw/{month.name}&pf=true"
        parts.append(f'<BR><A HREF="{twin}">Printer Friendly</A>')
        parts.append(_sidebar(truth))
    return "".join([*parts, _FOOT])


def _head(title: str) -> str:
    """The header's words and the stale date are glued; the first cells are navigation."""
    return (
        f"<HTML>\r\n<HEAD><TITLE>Wizards of the Coast</TITLE></HEAD>\r\n<BODY BGCOLOR=#ffffff>"
        f'<TABLE WIDTH=100% BORDER=0><TR><TD><IMG SRC="{SYMBOL}" WIDTH=1 HEIGHT=1>'
        f'<A HREF="/default.asp?x=dnd/welcome">D&D Home</A><TD><TABLE><TR><TD>'
        f'<FONT FACE="Arial" SIZE=4><B>{title}</B></FONT>\r\n'
    )


_FOOT = (
    "<P><FONT SIZE=1>© 1995-2008 Wizards of the Coast, Inc., a subsidiary of Hasbro, Inc. "
    "All Rights Reserved.</FONT></TABLE></TABLE>\r\n</BODY>\r\n</HTML>\r\n"
)


def _sidebar(truth: Truth) -> str:
    """Boxes of links to other maps' pages and pictures, which are not this page's maps."""
    months = truth.months[:3]
    rows = [
        f'<BR><A HREF="http://{HOSTS[1]}/default.asp?x=dnd/mw/{m.name}">10/30 Another Map: see</A>'
        f'<BR><A HREF="{m.entries[0].files[0].path}"><IMG SRC="{THUMBNAIL}"></A>'
        for m in months
    ]
    return "<TD><TABLE><TR><TD><B>Recent Map-a-Weeks</B>" + "".join(rows) + "</TABLE>"


def _entry(entry: Entry) -> str:
    """One map: head, words, and links in the convention of its time."""
    day = f"{entry.date:%m/%d}" if entry.padded else f"{entry.date.month}/{entry.date.day}"
    words = entry.description
    if entry.cartographer and entry.prose:
        words += f" We invited Wizards mapper {entry.cartographer} to draw it."
    files = [f for f in entry.files if f.style != "variant"]
    links = [_download(f) for f in files]
    join = " / " if files and files[0].style == "paren" else "<BR>"
    head = f"<P>{day} <B>{escape(entry.title, quote=False)}</B>: {words} {join.join(links)}\r\n"
    for file in entry.files:
        if file.style == "variant":
            words = escape(f"({file.variant})", quote=False)
            head += f"<LI>- {_anchor(file, words)}\r\n"
    if entry.cartographer and not entry.prose:
        head += f"<P><I>Cartography by {entry.cartographer}</I>\r\n"
    return head


def _download(file: File) -> str:
    """The three conventions, with the slips that the real pages have."""
    if file.style == "paren":
        return f"Download ({_anchor(file, f'{file.format} {file.declared}')})"
    if file.style == "size-first":
        return _anchor(file, f"Download {file.declared} {file.format}")
    space = "" if file.art % 5 == 0 else " "
    size = f"{space}({file.declared})" if file.declared else ""
    return _anchor(file, f"Download {file.dpi}dpi {file.format}") + size


def _anchor(file: File, words: str) -> str:
    url = file.url or file.path
    if file.link in ("wrapped", "encoded"):
        inner = quote(url, safe="") if file.link == "encoded" else url
        return f'<A HREF="/leaving.asp?url={inner}&origin=dnd_mw_20070404arch">{words}</A>'
    if file.link == "absolute":
        return f'<a href="http://{HOSTS[file.art % 3]}{url}">{words}</a>'
    if file.link == "spaced":
        return f'<A HREF="\r\n\t {url} \t\r\n">{words}</A>'
    if file.link == "split":
        return f'<A HREF="{url[:20]}\r\n{url[20:]}">{words}</A>'
    if file.link == "unquoted":
        return f"<A HREF={url}>{words}</A>"
    if file.link == "attributes":
        return f'<A CLASS="dl" TARGET="_blank" ID="x" TITLE="map" HREF="{url}">{words}</A>'
    return f'<A HREF="{url}">{words}</A>'
