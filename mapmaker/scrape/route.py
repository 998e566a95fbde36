"""The way to a thing: where a redirect may lead, and which answers count as the thing itself."""

import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.links import path_and_query, refuse, unwrap
from mapmaker.scrape.source import Source

_REFRESH = re.compile(
    rb"""<meta\b(?=[^>]{0,300}http-equiv\s*=\s*["']?refresh\b)[^>]{0,300}?"""
    rb"""content\s*=\s*["']?\s*[0-5]\s*[;,]\s*(?:url\s*=\s*)?["']?([^"'>\s]{1,2000})""",
    re.IGNORECASE,
)


class Route(Protocol):
    """What `Web` asks at each hop. A site is one; an archive that keeps copies of it is another."""

    def owns(self, url: str) -> bool:
        """True for an address of a host this route may ask."""
        ...

    def leads(self, url: str, to: str, *, is_file: bool) -> str:
        """Return where to go when `url` redirects to `to`. Raises Refused for another thing."""
        ...

    def returns(self, to: str) -> bool:
        """True when a redirect may lead to `to`, where we have been before."""
        ...

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise Refused when an answer with status 200 is not the thing, before its body is read.

        headers takes names in any case.
        """


class Live:
    """The site itself, as its card describes it."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def owns(self, url: str) -> bool:
        return refuse(self.source, url) is None

    def leads(self, url: str, to: str, *, is_file: bool) -> str:
        if refuse(self.source, to) or unwrap(self.source, to) is not None:
            raise Refused("redirected", 302)
        if is_file and not any(p.search(path_and_query(to)) for p in self.source.pictures):
            raise Refused("redirected", 302)
        if not is_file and not self._is_page(url, to):
            raise Refused("redirected", 302)
        return to

    def returns(self, to: str) -> bool:
        return False

    def _is_page(self, url: str, to: str) -> bool:
        """True when `to` is the page at `url` on another host, or one the card leads to as well."""
        here, there = path_and_query(url), path_and_query(to)
        listed = to in self.source.start or any(p.search(there) for p in self.source.follow)
        return here.rstrip("/") == there.rstrip("/") or listed

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Whatever the site sends is the site's."""


class ToRobots:
    """A robots.txt may lie anywhere on the hosts of a source, or on the host that was asked."""

    def __init__(self, url: str, live: Live) -> None:
        self.netloc, self.live = urlsplit(url).netloc, live

    def owns(self, url: str) -> bool:
        return urlsplit(url).netloc == self.netloc or self.live.owns(url)

    def leads(self, url: str, to: str, *, is_file: bool) -> str:
        if not self.owns(to):
            raise Refused("redirected", 302)
        return to

    def returns(self, to: str) -> bool:
        return True

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Every answer counts."""


def refresh_in(url: str, body: bytes) -> str | None:
    """Return where the page at `url` sends its reader within five seconds, or None."""
    found = _REFRESH.search(body[:20_000])
    try:
        return urljoin(url, found[1].decode("utf-8", "replace")) if found else None
    except ValueError:
        return None
