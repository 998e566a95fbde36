"""Maps out of a JSON answer: which members are items, what is known of them, and what leads on."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from mapmaker.scrape.grammar import Find, Page, day_in, slug
from mapmaker.scrape.links import Link, path_and_query, read_link, refuse
from mapmaker.scrape.source import AI_CHOICES, Items, Source

_CC = re.compile(r"(?i)^cc[ -]((?:by|nc|sa|nd)(?:[ -](?:by|nc|sa|nd))*)[ -](\d\.\d)(?: .*)?$")
_CC0 = re.compile(r"(?i)^cc[ -]?0(?:[ -]1\.0)?$")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_LONGEST, _LONGEST_TERMS = 2_000, 20_000  # characters of a text


def read_items(source: Source, page_url: str, body: bytes) -> Page:
    """Return the files that a JSON answer names, in its order, and the address of the next answer.

    An answer that is no JSON, or in which the card's paths lead nowhere, gives an empty page.
    """
    page = Page()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return page
    found = _all(answer, source.items.at[0])
    items, page.ended = list(_members(found)), bool(found)
    for item in items:
        if all(_fits(item, path, text) for path, text in (source.items.only or {}).items()):
            page.finds += _finds(source, page_url, item)
    page.follow = [u for u in _further(source, page_url, answer, len(items)) if u != page_url]
    return page


def _origin(source: Source, url: str) -> str:
    """Return the start address that `url` goes on from: what led on before is not carried along."""
    host, asked = url.partition("?")[0], set(urlsplit(url).query.split("&"))
    for start in source.start:
        if start.partition("?")[0] == host and set(urlsplit(start).query.split("&")) <= asked:
            return start
    return url


def spdx(name: str) -> str:
    """Return the SPDX name of a Creative Commons licence written in words; others as they are."""
    plain = " ".join(name.split())
    if _CC0.match(plain):
        return "CC0-1.0"
    if found := _CC.match(plain):
        return f"CC-{found[1].upper().replace(' ', '-')}-{found[2]}"
    return plain


def distinct_id(title: str | None, mark: str) -> str:
    """Return a map's name that no other has: its title's words, then six digits of its mark."""
    tail = hashlib.sha256(mark.encode()).hexdigest()[:6]
    return f"{slug(title or '')[:50].rstrip('-') or 'untitled'}-{tail}"


def plain_text(value: object, longest: int = _LONGEST) -> str | None:
    """Return a value's words without markup and doubled spaces, `longest` at most, or None."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value)
    if "<" in text or "&" in text:
        from bs4 import BeautifulSoup

        text = BeautifulSoup(text, "lxml").get_text(" ")
    return " ".join(text.split())[:longest] or None


def _finds(source: Source, page_url: str, item: Any) -> Iterator[Find]:
    """Yield the files of one item; where it has several, each is a variant of the map."""
    at = source.items
    text = {name: plain_text(_first(item, getattr(at, name))) for name in _TEXTS}
    terms = plain_text(_first(item, at.terms), _LONGEST_TERMS)
    page = _first(item, at.page)
    about = urljoin(page_url, page) if isinstance(page, str) else page_url
    links = list(_links(source, about, item))
    sha1 = (text["sha1"] or "").lower()
    size = text["bytes"]
    for link in links:
        yield Find(
            link=link, page_url=about,
            map_id=_map_id(text, link.url if len(links) == 1 else links[0].url),
            date=day_in(text["date"]), title=text["title"], description=text["description"],
            theme=text["theme"], cartographer=text["cartographer"],
            variant=_stem(link.url) if len(links) > 1 else None,
            declared_bytes=int(size) if size and size.isdecimal() and len(links) == 1 else None,
            sha1=sha1 if _SHA1.fullmatch(sha1) and len(links) == 1 else None,
            license=spdx(text["license"]) if text["license"] else None,
            license_url=text["license_url"], attribution=text["attribution"],
            ai_training=_yes_or_no(text["ai_training"]), terms=terms,
        )  # fmt: skip


_TEXTS = ("id", "title", "description", "theme", "cartographer", "attribution", "license",
          "license_url", "date", "ai_training", "bytes", "sha1")  # fmt: skip


def _map_id(text: dict[str, str | None], url: str) -> str:
    day = day_in(text["date"]) or "undated"
    return f"{day}_{distinct_id(text['title'], text['id'] or path_and_query(url))}"


def _links(source: Source, about: str, item: Any) -> Iterator[Link]:
    """Yield an item's files, each once; those the card's `pictures` do not know are left out."""
    seen = set()
    for href in _hrefs(source.items, item):
        link = read_link(source, about, href)
        if link is None or link.url in seen:
            continue
        seen.add(link.url)
        if any(p.search(path_and_query(link.url)) for p in source.pictures):
            yield link


def _hrefs(at: Items, item: Any) -> Iterator[str]:
    for path in at.picture:
        found = [v for v in _all(item, path) if isinstance(v, str)]
        yield from found
        if found:
            break
    markup = _first(item, at.html)
    if isinstance(markup, str):
        from bs4 import BeautifulSoup

        soup = BeautifulSoup(markup, "lxml")
        yield from (str(tag["href"]) for tag in soup.find_all("a", href=True))
        yield from (str(tag["src"]) for tag in soup.find_all("img", src=True))


def _further(source: Source, page_url: str, answer: Any, count: int) -> Iterator[str]:
    """Yield the address of the answer after this one, where there is one."""
    at = source.items
    parameters = None
    if at.next:
        onward = next(iter(_all(answer, at.next)), None)
        if isinstance(onward, str) and onward:
            further = urljoin(page_url, onward)
            if refuse(source, further) is None:
                yield further
        elif isinstance(onward, dict):
            parameters = {str(k): str(v) for k, v in onward.items()}
    elif at.offset and count >= at.page_items:
        asked = dict(parse_qsl(urlsplit(page_url).query, keep_blank_values=True))
        passed = asked.get(at.offset, "0")
        parameters = {at.offset: str(int(passed if passed.isdecimal() else 0) + count)}
    if parameters:
        yield _with(_origin(source, page_url), parameters)


def _with(url: str, parameters: dict[str, str]) -> str:
    """Return an address with parameters set, the others as they were written."""
    parts = urlsplit(url)
    kept = [p for p in parts.query.split("&") if p and p.split("=")[0] not in parameters]
    return urlunsplit(parts._replace(query="&".join([*kept, urlencode(parameters)])))


def _members(found: Iterable[Any]) -> Iterator[Any]:
    for value in found:
        yield from value.values() if isinstance(value, dict) else ()
        yield from value if isinstance(value, list) else ()


def _fits(item: Any, path: str, expression: str) -> bool:
    return any(re.search(expression, str(value)) for value in _all(item, path))


def _first(item: Any, paths: Iterable[str]) -> Any:
    """Return what the first of the paths that leads to something leads to."""
    for path in paths:
        for value in _all(item, path):
            if value not in (None, "", [], {}):
                return value
    return None


def _all(value: Any, path: str) -> list[Any]:
    """Return what a path leads to: nothing, one value, or with `*` several."""
    values = [value]
    for step in path.split(".") if path else ():
        values = [further for v in values for further in _step(v, step)]
    return values


def _step(value: Any, step: str) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values()) if step == "*" else [value[step]] if step in value else []
    if isinstance(value, list):
        if step == "*":
            return value
        return [value[int(step)]] if step.isdigit() and int(step) < len(value) else []
    return []


def _yes_or_no(said: str | None) -> str | None:
    """Return yes, no or unknown for what a file says of training; None when it says nothing."""
    word = (said or "").strip().lower()
    word = {"true": "yes", "1": "yes", "false": "no", "0": "no", "noai": "no"}.get(word, word)
    return word if word in AI_CHOICES else None


def _stem(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
