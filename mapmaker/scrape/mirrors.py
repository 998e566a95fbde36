"""Where a thing may come from, in order: the site itself, then the Wayback Machine."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from mapmaker.scrape.answer import Answer, Refused
from mapmaker.scrape.store import Marks
from mapmaker.scrape.web import Web

WAYBACK = "https://web.archive.org/web/2016id_/"
_FINAL = ("robots", "too-large")  # what the site refuses so, no copy of it is asked for


class Wayback:
    """Raw captures at web.archive.org, each with its Memento-Datetime."""

    def owns(self, url: str) -> bool:
        return urlsplit(url).hostname == "web.archive.org"

    def leads(self, url: str, to: str, *, is_file: bool) -> None:
        if urlsplit(to).hostname != "web.archive.org" or "id_/" not in to:
            raise Refused("redirected", 302)

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        if "Memento-Datetime" not in headers:
            raise Refused("not-found", status)


class Mirrors:
    """Asks the site, then the Wayback Machine for what the site no longer has."""

    def __init__(self, web: Web) -> None:
        self.web = web

    def page(self, url: str, marks: Marks = (None, None)) -> tuple[bytes, Answer]:
        """Return a page's bytes, or none with status 304. Raises Refused, Halted."""
        try:
            return self.web.page(url, marks=marks)
        except Refused as lost:
            if not self.web.config.asks_wayback or lost.reason in _FINAL:
                raise
            try:
                body, answer = self.web.page(WAYBACK + url, Wayback())
            except Refused as refused:
                raise lost from refused
            return body, _archived(url, answer)

    def file(self, url: str, part: Path, *, live: bool = True) -> Answer:
        """Write the file at `url` to `part` and onto the disk. Raises Refused, MissingPart, Halted.

        live=False asks the Wayback Machine alone.
        """
        lost = None
        try:
            if live:
                return self.web.file(url, part)
        except Refused as refused:
            if not self.web.config.asks_wayback or refused.reason in _FINAL:
                raise
            lost = refused
        try:
            return _archived(url, self.web.file(WAYBACK + url, part, Wayback()))
        except Refused as refused:
            raise (lost or refused) from refused


def _archived(url: str, answer: Answer) -> Answer:
    stamp = urlsplit(answer.url).path.split("/")[2].removesuffix("id_")
    return replace(answer, url=url, served_by="wayback", capture=stamp)
