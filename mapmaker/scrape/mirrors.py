"""Where a thing may come from, in order: the site itself, the Wayback Machine, further archives."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from mapmaker.scrape.answer import Answer, Refused
from mapmaker.scrape.archives import WAYBACK, ToCapture, head_of
from mapmaker.scrape.captures import Capture, CaptureIndex, on_host, when
from mapmaker.scrape.store import Marks
from mapmaker.scrape.web import Web

_FINAL = ("robots", "too-large", "no-training")  # no copy is asked for either
_NEAR = "20160101000000"  # of several captures of a picture, unless its page is a capture itself
_MOST_CAPTURES = 3

T = TypeVar("T")


class Mirrors:
    """Asks the site, then the archives for what the site no longer has.

    What was refused everywhere is Refused with the site's reason; `mirrors` then says what the
    archives answered, such as "wayback drift, wayback.archive-it.org not-found".
    """

    def __init__(self, web: Web) -> None:
        self.web = web
        bases = [archive.rstrip("/").rsplit("/", 1)[0] + "/" for archive in web.source.archives]
        self.index = CaptureIndex(web.source, web)
        self.indexes = {base: CaptureIndex(web.source, web, f"{base}timemap/cdx") for base in bases}
        self.indexes[WAYBACK] = self.index
        self.page_stamps: dict[str, str] = {}

    def page(self, url: str, marks: Marks = (None, None)) -> tuple[bytes, Answer]:
        """Return a page's bytes, of captures the newest; none with status 304.

        Raises Refused, Halted.
        """
        try:
            return self.web.page(url, marks=marks)
        except Refused as lost:
            if not self._may_ask_archives(lost):
                raise
            said: list[str] = []
            for name, route, digest in self._ways(url, said, is_file=False):
                try:
                    body, answer = self._page(route, digest)
                except Refused as refused:
                    said.append(f"{name} {refused.reason}")
                    continue
                self.page_stamps[url] = route.stamp
                return body, replace(answer, url=url, served_by=name, capture=route.stamp)
            lost.mirrors = _summary(said)
            raise

    def file(
        self, url: str, part: Path, check: Callable[[], T], *, page_url: str = ""
    ) -> tuple[Answer, T]:
        """Write the file at `url` to `part` and onto the disk; return what came, and `check()`.

        check looks at `part` and raises Refused for what is no good; then the next mirror is asked.
        page_url: of several captures, the one nearest to that page's is taken. Raises Refused,
        MissingPart, Halted.
        """
        try:
            return self._checked(self.web.file(url, part), check)
        except Refused as refused:
            if not self._may_ask_archives(refused):
                raise
            lost = refused
        said: list[str] = []
        near = self.page_stamps.get(page_url, _NEAR)
        for name, route, digest in self._ways(url, said, is_file=True, near=near):
            try:
                answer, facts = self._checked(self._file(route, digest, part), check)
            except Refused as refused:
                said.append(f"{name} {refused.reason}")
                lost.again = lost.again or refused.again
            else:
                return replace(answer, url=url, served_by=name, capture=route.stamp), facts
        lost.mirrors = _summary(said)
        raise lost

    def _checked(self, answer: Answer, check: Callable[[], T]) -> tuple[Answer, T]:
        try:
            return answer, check()
        except Refused as bad:
            bad.status, bad.attempts = answer.status, answer.attempts
            raise

    def _may_ask_archives(self, lost: Refused) -> bool:
        return self.web.config.asks_wayback and lost.reason not in _FINAL

    def _ways(
        self, url: str, said: list[str], *, is_file: bool, near: str = _NEAR
    ) -> Iterator[tuple[str, ToCapture, str]]:
        """Yield (mirror's name, route, SHA-1 expected) of every copy there may be, the best first.

        Adds to `said` what an index answers when there is none.
        """
        source = self.web.source
        wanted = near if is_file else None
        try:
            yield from self._captures(url, "wayback", WAYBACK, wanted, said)
        except Refused as refused:
            said.append(f"wayback {refused.reason}")
        for archive in source.archives:
            base, stamp = archive.rstrip("/").rsplit("/", 1)
            name, base = urlsplit(base).netloc, f"{base}/"
            try:
                yield from self._captures(url, name, base, stamp if is_file else None, said)
            except Refused:  # it has no index: by its year, with no SHA-1 to be held to
                for host in self.index.hosts(url):
                    host = next((h for h in source.hosts if h == f"www.{host}"), host)
                    yield name, self._route(base, stamp, on_host(url, host)), ""

    def _captures(
        self, url: str, name: str, base: str, near: str | None, said: list[str]
    ) -> Iterator[tuple[str, ToCapture, str]]:
        """Yield (name, route, SHA-1) of an archive's captures; of a page's (near None) the newest.

        Raises Refused when its index cannot be had.
        """
        captures = self.indexes[base].of(url, is_file=near is not None)
        if not captures:
            said.append(f"{name} not-found")
        visited: set[str] = set()
        for capture in _best_first(captures, near)[:_MOST_CAPTURES]:
            route = self._route(base, capture.stamp, capture.url)
            if route.visited[0] not in visited:
                yield name, route, capture.digest
                visited.update(route.visited)

    def _route(self, base: str, stamp: str, url: str) -> ToCapture:
        return ToCapture(self.web.source, base, stamp, url, self.web.config.drift)

    def _page(self, route: ToCapture, digest: str) -> tuple[bytes, Answer]:
        first = route.url
        body, answer = self.web.page(route.address, route)
        if route.onward(body, is_file=False):
            body, answer = self.web.page(route.address, route)
            if route.onward(body, is_file=False):
                raise Refused("redirected", answer.status)
        digest = self._digest(route, is_file=False, asked=digest if route.url == first else "")
        # The index has the SHA-1 of what was sent; of a packed page we see what was in it.
        if digest and not route.packed and sha1_of(body) != digest:
            raise Refused("digest", answer.status)
        return body, answer

    def _file(self, route: ToCapture, digest: str, part: Path) -> Answer:
        first = route.url
        answer = self.web.file(route.address, part, route)
        if route.onward(head_of(part), is_file=True):
            answer = self.web.file(route.address, part, route)
            if route.onward(head_of(part), is_file=True):
                raise Refused("redirected", answer.status)
        digest = self._digest(route, is_file=True, asked=digest if route.url == first else "")
        if digest and _sha1_of_file(part) != digest:
            raise Refused("digest", answer.status)
        return answer

    def _digest(self, route: ToCapture, *, is_file: bool, asked: str) -> str:
        """Return the SHA-1 of the capture that a route ended at, else of the one asked for."""
        try:
            known = self.indexes[route.base].of(route.url, is_file=is_file)
        except Refused:
            return asked
        return next((c.digest for c in known if c.stamp == route.stamp), asked)


def sha1_of(data: bytes) -> str:
    """Return SHA-1 as the index writes it, in base32."""
    return base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _sha1_of_file(path: Path) -> str:
    with path.open("rb") as file:  # it may be large: never all of it at once
        return base64.b32encode(hashlib.file_digest(file, "sha1").digest()).decode()


def _best_first(captures: list[Capture], near: str | None) -> list[Capture]:
    """Order captures: whole ones, repetitions, redirects; within each by time.

    The nearest to `near` first, or the newest when it is None.
    """

    def rank(capture: Capture) -> tuple[int, float]:
        kind = 0 if capture.status == 200 else 1 if capture.status is None else 2
        if near is None:
            return kind, -capture.when.timestamp()
        return kind, abs((capture.when - when(near)).total_seconds())

    return sorted(captures, key=rank)


def _summary(said: list[str]) -> str:
    return ", ".join(dict.fromkeys(said))
