"""A page as a person reads it: lines of words and links, without the boxes at the side.

The parser is imported where it is used: it takes 70 ms, and the first request need not wait for it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mapmaker.scrape.source import Source

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import PageElement, Tag

_BLOCKS = frozenset(
    "address blockquote body br center dd div dl dt fieldset form h1 h2 h3 h4 h5 h6 hr li main "
    "article section header footer nav aside figure figcaption ol p pre table tbody td tfoot th "
    "thead tr ul title".split()
)
_SILENT = frozenset("script style noscript template head select textarea".split())
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6 b strong".split())
_BOXES = ["td", "table", "div", "ul", "aside", "section"]
_PARAMETER = re.compile(rb"&(?=[A-Za-z][A-Za-z0-9]*=)")
_SPACE = re.compile(r"[\s\xa0]+")


@dataclass(slots=True)
class Anchor:
    """A link as written: its words, and where they stand in the line's text."""

    href: str
    start: int
    end: int = 0


@dataclass(slots=True)
class Line:
    """One line of a page; `heading` when all its words are set as one."""

    text: str = ""
    anchors: list[Anchor] = field(default_factory=list)
    heading: bool = True

    def add(self, words: str, heading: bool) -> None:
        """Append words, white space made single."""
        words = _SPACE.sub(" ", words)
        if not self.text or self.text.endswith(" "):
            words = words.lstrip(" ")
        if words.strip():
            self.heading = self.heading and heading
        self.text += words


def read_page(source: Source, body: bytes, parser: str = "lxml") -> list[Line]:
    """Return the lines of an HTML page that have words or links.

    The card's encoding wins over the header, as old servers send none or a wrong one. `&copy=` in
    an address is a parameter, which not every version of every parser knows (html.parser made a
    sign of it), so that its ampersand is written out first. Bytes that the encoding does not know
    become a mark: left to itself, lxml ends the page at the first of them, and at a NUL.
    """
    from bs4 import BeautifulSoup

    body = _PARAMETER.sub(b"&amp;", body).replace(b"\0", b"")
    text = body.decode(source.encoding, "replace") if source.encoding else body
    soup = BeautifulSoup(text, parser)
    for box in list(_sidebars(source, soup)):
        box.decompose()
    lines = [Line()]
    for token in _walk(soup, heading=False):
        _take(lines, token)
    for line in lines:
        line.text = line.text.rstrip()
    return [line for line in lines if line.text or line.anchors]


Token = tuple[str, str, bool]


def _walk(node: "Tag", heading: bool) -> Iterator[Token]:
    """Yield (kind, words, heading) with kind text, break, link or end."""
    from bs4.element import CData, NavigableString, Tag

    for child in node.children:
        if isinstance(child, NavigableString):
            if type(child) in (NavigableString, CData):
                yield "text", str(child), heading
            continue
        if not isinstance(child, Tag) or child.name in _SILENT:
            continue
        block = child.name in _BLOCKS
        href = child.get("href") if child.name == "a" else None
        if block:
            yield "break", "", False
        if href is not None:
            yield "link", str(href), heading
        yield from _walk(child, heading or child.name in _HEADINGS)
        if href is not None:
            yield "end", "", False
        if block:
            yield "break", "", False


def _take(lines: list[Line], token: Token) -> None:
    kind, words, heading = token
    line = lines[-1]
    if kind == "break":
        open_link = line.anchors and line.anchors[-1].end < 0
        if open_link:
            line.anchors[-1].end = len(line.text)
        if line.text or line.anchors:
            lines.append(Line())
    elif kind == "text":
        line.add(words, heading)
    elif kind == "link":
        line.anchors.append(Anchor(words, len(line.text), -1))
    elif line.anchors and line.anchors[-1].end < 0:
        line.anchors[-1].end = len(line.text)


def _sidebars(source: Source, soup: "BeautifulSoup") -> Iterator["Tag"]:
    """Yield the smallest boxes that begin with a sidebar's heading and hold no download."""
    from bs4.element import Comment

    patterns = source.entry.sidebar

    def begins(text: "PageElement") -> bool:
        words = _SPACE.sub(" ", str(text)).strip()
        return not isinstance(text, Comment) and any(p.search(words) for p in patterns)

    for text in soup.find_all(string=True) if patterns else ():
        box = text.find_parent(_BOXES) if begins(text) else None
        if box is not None and not any(
            p.search(_SPACE.sub(" ", box.get_text())) for p in source.entry.download
        ):
            yield box
