"""What the pages said last time: an unchanged one is then asked for in a line, and not read again.

pages.jsonl holds a line a page: its address, ETag and date, and what was found in it. It is no more
than a memory: without it, or when card or reader have changed, everything is asked for and read.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from mapmaker.errors import UnsafeInput
from mapmaker.files import read_lines, write_lines
from mapmaker.scrape.answer import Answer
from mapmaker.scrape.grammar import Find, Page
from mapmaker.scrape.links import Link
from mapmaker.scrape.readers import read_answer
from mapmaker.scrape.source import Source
from mapmaker.scrape.store import Marks

_READERS = ("grammar", "items", "links", "listfile", "optout", "page", "readers", "urllist")
_NEEDED = {"etag", "last_modified", "sha256"}


class Remembered:
    """The pages of one data set, as `path` (pages.jsonl) has them. Safe from several threads."""

    def __init__(self, source: Source, path: Path) -> None:
        self.source, self.path = source, path
        self._reading = _reading_of(source)
        self._before = self._load()
        self._now: dict[str, dict[str, Any]] = {}

    def marks(self, url: str) -> Marks:
        """Return ETag and date of the page as it is remembered; (None, None) when it is not."""
        known = self._before.get(url)
        return (known["etag"], known["last_modified"]) if known else (None, None)

    def read(self, url: str, body: bytes, answer: Answer) -> Page:
        """Return what an answer to `url` offers: from memory when it says that nothing changed."""
        known = self._before.get(url)
        if known and (answer.status == 304 or known["sha256"] == answer.sha256):
            self._now[url] = known
            return _page_of(known)
        page = read_answer(self.source, url, body)
        page.attempts = answer.attempts
        if answer.served_by == "live":
            marks = {"etag": answer.etag, "last_modified": answer.last_modified}
            about = {"url": url, "reading": self._reading, "sha256": answer.sha256, **marks}
            found = {"follow": page.follow, "ended": page.ended, "attempts": page.attempts}
            self._now[url] = {**about, **found, "finds": [_plain(f) for f in page.finds]}
        return page

    def save(self) -> None:
        """Write down the pages of this run, when they are not as they were."""
        if self._now != self._before:
            write_lines(self.path, [self._now[url] for url in sorted(self._now)])

    def _load(self) -> dict[str, dict[str, Any]]:
        try:
            rows = read_lines(self.path)
            known = {r["url"]: r for r in rows if r["reading"] == self._reading}
            if not all(_page_of(row) and row.keys() >= _NEEDED for row in known.values()):
                return {}
            return known
        except (UnsafeInput, OSError, KeyError, TypeError, AttributeError):
            return {}  # it is not as we write it: then nothing is remembered


def _plain(find: Find) -> dict[str, Any]:
    return {k: v for k, v in asdict(find).items() if v not in (None, ())}


def _page_of(row: dict[str, Any]) -> Page:
    found = list(_finds(row["finds"])), list(row["follow"])
    return Page(*found, bool(row["ended"]), int(row["attempts"]))


def _finds(rows: Iterable[dict[str, Any]]) -> Iterable[Find]:
    for row in rows:
        more = {"link": Link(**row["link"]), "aliases": tuple(row.get("aliases", ()))}
        yield Find(**{**row, **more})


def _reading_of(source: Source) -> str:
    """Return a sum over the card and the code that reads: another reading may find other maps."""
    card = json.dumps(asdict(source), default=_words, sort_keys=True)
    return hashlib.sha256(card.encode() + _code()).hexdigest()[:16]


def _words(value: object) -> str:
    return value.pattern if isinstance(value, re.Pattern) else repr(value)


@cache
def _code() -> bytes:
    here = Path(__file__).parent
    return b"".join((here / f"{name}.py").read_bytes() for name in _READERS)
