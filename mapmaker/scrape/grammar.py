"""From lines to maps: which link is a file of which map, and what the page says about it."""

import calendar
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from mapmaker.scrape.links import Link, identity, page_address, path_and_query, read_link
from mapmaker.scrape.optout import page_evidence
from mapmaker.scrape.page import Anchor, Line, read_page
from mapmaker.scrape.source import Source

_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_UNITS = {"k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """One file that a page offers, with what the page says about the map."""

    link: Link
    page_url: str
    map_id: str
    date: str | None = None
    title: str | None = None
    description: str | None = None
    theme: str | None = None
    cartographer: str | None = None
    dpi: int | None = None
    variant: str | None = None
    declared_bytes: int | None = None
    format: str | None = None
    aliases: tuple[str, ...] = ()
    against: str | None = None  # what its page says against the use of it
    license: str | None = None  # this and the next four where a file states its own
    license_url: str | None = None
    attribution: str | None = None
    ai_training: str | None = None
    terms: str | None = None
    sha1: str | None = None


@dataclass(slots=True)
class Page:
    """What one page gave: files of maps, and pages to read next.

    ended: it was understood, and it is right that there is nothing in it. attempts: how often it
    was asked for until it came.
    """

    finds: list[Find] = field(default_factory=list)
    follow: list[str] = field(default_factory=list)
    ended: bool = False
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class _File:
    """A link to a file, and what its words say: dpi, format, size, unit, variant."""

    anchor: Anchor
    link: Link
    said: dict[str, str]


@dataclass(slots=True)
class _Map:
    """An entry while it is being read."""

    month: int | None = None
    day: int | None = None
    date: str | None = None
    title: str | None = None
    words: list[str] = field(default_factory=list)
    theme: str | None = None
    cartographer: str | None = None
    year: int | None = None
    files: list[_File] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """True when nothing more can belong to it: its files are listed and its drawer is named."""
        return bool(self.files and self.cartographer)


def find_maps(source: Source, page_url: str, body: bytes, parser: str = "lxml") -> Page:
    """Return the files and further pages that an HTML page offers, in the page's order."""
    page = Page()
    maps: list[_Map] = []
    theme = credit = year = None
    for line in read_page(source, body, parser):
        in_map = bool(maps) or _first(source.entry.head, line.text) is not None
        files = list(_files(source, page_url, line, page, in_map))
        words = _words(line, files)
        head = _first(source.entry.head, words)
        if head:
            maps.append(_Map(**_head(head), theme=theme, cartographer=credit, year=year))
        elif heading := _heading(source, line):
            if found := _first(source.entry.year_heading, line.text):
                year = int(found["year"])
            elif heading[0]:
                theme, credit = heading[0], None
        elif name := _credit_line(source, line):
            if maps and not maps[-1].closed:
                maps[-1].cartographer = name
            else:
                credit = name
        elif maps and (files or not maps[-1].files):
            maps[-1].words.append(words)
        _add_files(maps, line, files)
    against = page_evidence(body) or None
    finds = (find for entry in maps for find in _finds(source, page_url, entry))
    page.finds = [replace(find, against=against) for find in finds]
    return page


_MERGED = ("date", "title", "description", "theme", "cartographer", "dpi", "variant",
           "declared_bytes", "format", "license", "license_url", "attribution", "ai_training",
           "terms", "sha1")  # fmt: skip


def merge(source: Source, finds: Iterable[Find]) -> list[Find]:
    """Return one Find a file: what later pages add fills the holes, their addresses are aliases."""
    found: dict[str, Find] = {}
    more: dict[str, dict[str, Any]] = {}
    for find in finds:
        key = identity(source, find.link.url)
        first = found.setdefault(key, find)
        if first is find:
            continue
        holes = more.setdefault(key, {"aliases": {*first.aliases}})
        holes["aliases"] |= {find.link.url} - {first.link.url}
        for name in _MERGED:
            if getattr(first, name) is None and getattr(find, name) is not None:
                holes.setdefault(name, getattr(find, name))
    for key, holes in more.items():
        found[key] = replace(found[key], **holes | {"aliases": tuple(sorted(holes["aliases"]))})
    return list(found.values())


def slug(text: str) -> str:
    """Return `text` as lower-case ASCII words joined by dashes, at most 60 characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")[:60].rstrip("-")


def day_in(text: str | None) -> str | None:
    """Return the first ISO date in a text, or None."""
    for found in _DATE.finditer(text or ""):
        try:
            return date(*map(int, found.groups())).isoformat()
        except ValueError:
            continue
    return None


def _first(patterns: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((m for p in patterns if (m := p.search(text))), None)


def _head(match: re.Match[str]) -> dict:
    said = {k: v for k, v in match.groupdict().items() if v}
    words = [said["description"]] if "description" in said else []
    known = {"title": said.get("title"), "date": said.get("date"), "words": words}
    known |= {k: int(said[k]) for k in ("month", "day") if k in said}
    return known


def _heading(source: Source, line: Line) -> tuple[str | None] | None:
    """Return (theme or None,) for a line set as a heading without links, None for any other."""
    if not line.heading or line.anchors or not line.text:
        return None
    if _first(source.entry.cartographer, line.text):
        return None
    theme = _first(source.entry.theme, line.text)
    skip = _first(source.entry.not_theme, line.text)
    return (theme["theme"] if theme and not skip else None,)


def _credit_line(source: Source, line: Line) -> str | None:
    match = _first(source.entry.cartographer, line.text)
    return match["name"] if match and match.start() == 0 else None


def _files(source: Source, page_url: str, line: Line, page: Page, in_map: bool) -> Iterator[_File]:
    """Yield a line's links that are files of maps; links to further pages go to page.follow.

    A link we must not ask for counts as a file only when its words, or the wrapper around it, say
    that it is one.
    """
    for n, anchor in enumerate(line.anchors):
        link = read_link(source, page_url, anchor.href)
        if link is None:
            continue
        said = _said(source, line, n)
        address = path_and_query(link.url)
        is_picture = any(p.search(address) for p in source.pictures)
        if link.refusal is None and not is_picture:
            follow = page_address(source, link.url)
            if any(p.search(path_and_query(follow)) for p in source.follow):
                page.follow.append(follow)
        elif is_picture or (in_map and (said or link.wrapper_url)):
            yield _File(anchor, link, said)


def _words(line: Line, files: list[_File]) -> str:
    """Return a line's words without those of links to variants, and of links behind the files.

    Behind an entry's files other years and months begin, where a page has left a tag open.
    """
    text, variants = line.text, [file.anchor for file in files if "variant" in file.said]
    last = files[-1].anchor.start if files else len(text)
    for anchor in reversed(line.anchors):
        if anchor in variants or anchor.start > last:
            text = text[: anchor.start] + text[anchor.end :]
    return text.strip()


def _add_files(maps: list[_Map], line: Line, files: list[_File]) -> None:
    """Give a line's files to the map they stand under; without one they are a map of their own."""
    if files and not maps:
        first = files[0].anchor
        maps.append(_Map(title=line.text[first.start : first.end].strip() or None))
    if files:
        maps[-1].files += files


def _said(source: Source, line: Line, n: int) -> dict[str, str]:
    """Return what the words in and around the nth link say: dpi, format, size, unit, variant.

    Pages set the link around all of the words, or around some; the reading that says most wins.
    """
    anchor = line.anchors[n]
    left = line.anchors[n - 1].end if n else 0
    right = line.anchors[n + 1].start if n + 1 < len(line.anchors) else len(line.text)
    spans = ((anchor.start, anchor.end), (anchor.start, right), (left, anchor.end), (left, right))
    texts = [line.text[start:end].strip() for start, end in spans]
    best: dict[str, str] = {}
    for text in texts:
        match = _first(source.entry.download, text)
        said = {k: v for k, v in match.groupdict().items() if v} if match else {}
        best = said if len(said) > len(best) else best
    variant = next((m for t in texts if (m := _first(source.entry.variant, t))), None)
    return best or ({"variant": variant["variant"]} if variant else {})


def _finds(source: Source, page_url: str, entry: _Map) -> list[Find]:
    found = []
    day = day_in(entry.date) or _date(source, page_url, entry)
    for file in entry.files:
        link, said = file.link, file.said
        name = slug(entry.title or "") or slug(path_and_query(link.url).rsplit("/", 1)[-1])
        dpi = said.get("dpi") or _group(source.entry.dpi, link.url, "dpi")
        size = said.get("size")
        try:
            declared = round(float(size) * _UNITS[said["unit"].lower()]) if size else None
        except (KeyError, ValueError):
            declared = None
        words = _description(source, entry.words)
        prose = _first(source.entry.cartographer, words or "")
        found.append(
            Find(
                link=link, page_url=page_url, map_id=f"{day or 'undated'}_{name or 'untitled'}",
                date=day, title=entry.title, description=words, theme=entry.theme,
                cartographer=entry.cartographer or (prose["name"] if prose else None),
                dpi=int(dpi) if dpi else None, variant=said.get("variant"),
                declared_bytes=declared, format=(said.get("format") or "").upper() or None,
            )
        )  # fmt: skip
    return found


def _description(source: Source, words: list[str]) -> str | None:
    """Return an entry's words without the download words and what stood between them."""
    text = " ".join(words)
    for pattern in source.entry.download:
        text = pattern.sub("\0", text)
    text = re.sub(r"[\s|/·–-]*\0[\s|/·–-]*", " ", text)
    return " ".join(text.split()).rstrip(" -–|/·") or None


def _group(patterns: Iterable[re.Pattern[str]], text: str, name: str) -> str | None:
    match = _first(patterns, text)
    return match[name] if match else None


def _date(source: Source, page_url: str, entry: _Map) -> str | None:
    """Return the ISO date of an entry; its year is the heading's, else the page's.

    Where neither names one it is that of most of the entry's pictures. The pictures come last: a
    map of New Year may lie in December's folder, and a copy of another map in the other's.
    """
    if not entry.month or not entry.day:
        return None
    year = entry.year or _group(source.entry.year, page_url, "year")
    if year is None:
        said = (_group(source.entry.year, file.link.url, "year") for file in entry.files)
        year = next((y for y, _ in Counter(filter(None, said)).most_common(1)), None)
    if year is None:
        return None
    try:
        last = calendar.monthrange(int(year), entry.month)[1]
    except calendar.IllegalMonthError:
        return None
    return f"{int(year):04d}-{entry.month:02d}-{entry.day:02d}" if entry.day <= last else None
