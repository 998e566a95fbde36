"""The way to a thing: where a redirect may lead, and which answers count as the thing itself."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.links import path_and_query, refuse, unwrap
from mapmaker.scrape.manners import retry_after_s
from mapmaker.scrape.source import Source


class Route(Protocol):
    """What `Web` asks at each hop. A site is one; an archive that keeps copies of it is another."""

    def leads(self, url: str, to: str, *, is_file: bool) -> None:
        """Raise Refused when a redirect from `url` to `to` does not lead to the same thing."""

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise Refused when an answer with status 200 is not the thing, before its body is read.

        headers takes names in any case.
        """


class Live:
    """The site itself, as its card describes it."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def leads(self, url: str, to: str, *, is_file: bool) -> None:
        if refuse(self.source, to) or unwrap(self.source, to) is not None:
            raise Refused("redirected", 302)
        if is_file and not any(p.search(path_and_query(to)) for p in self.source.pictures):
            raise Refused("redirected", 302)
        if not is_file and path_and_query(to) != path_and_query(url) and not urlsplit(to).query:
            raise Refused("redirected", 302)

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Whatever the site sends is the site's, but a 200 may still say: come again later."""
        if wait := headers.get("Retry-After"):  # MediaWiki's answer while its databases lag
            refused = Refused("rate-limited", status, again=True)
            refused.wait_s = retry_after_s(wait)
            raise refused
