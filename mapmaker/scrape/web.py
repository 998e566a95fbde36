"""Asking for things over HTTP: one address at a time, every limit kept, every failure a reason."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from mapmaker import __version__
from mapmaker.files import speaking_of
from mapmaker.scrape.allowance import Allowance
from mapmaker.scrape.answer import Answer, Refused, refusal_of
from mapmaker.scrape.body import receive, receive_head
from mapmaker.scrape.clock import Clock
from mapmaker.scrape.config import ScrapeConfig, is_loopback
from mapmaker.scrape.guard import Guard, Internet
from mapmaker.scrape.links import path_and_query
from mapmaker.scrape.manners import Manners, retry_after_s
from mapmaker.scrape.optout import against_in_robots, header_evidence
from mapmaker.scrape.parts import Part, Stale
from mapmaker.scrape.pipe import Patience, Pipes
from mapmaker.scrape.robots import MOST_BYTES, Robots
from mapmaker.scrape.route import Live, Route, ToRobots, refresh_in
from mapmaker.scrape.source import Source
from mapmaker.scrape.store import Marks, Memory, Store

HOMEPAGE = "https://pypi.org/project/dnd-mapmaker/"
_HOPS = 5
_TICK_S = 0.25
_LEFT_OVER_BYTES = 65_536
_MOVED = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class _Ask:
    route: Route
    store: Store
    limit: int
    is_file: bool
    robots: str = "allowed"


class Web:
    """The network as one run sees it. Safe to use from several threads.

    clock and internet are the machine's own, unless a test brings its own.
    """

    def __init__(
        self, source: Source, config: ScrapeConfig, halt: threading.Event, *,
        clock: Clock | None = None, internet: Internet | None = None,
    ) -> None:  # fmt: skip
        self.source, self.config, self.halt = source, config, halt
        self.live = Live(source)
        self.via = config.origins()
        self.clock = clock or Clock()
        self.manners = Manners(config.rate, config.backoff_s, halt, self._is_near, self.clock)
        self.allowance = Allowance(config.max_total_bytes, config.min_free_bytes)
        self.agent = user_agent(config.who)
        self.robots = Robots(
            self._read_robots, self.manners.delay, self.agent, ignore=config.ignore_robots
        )
        guard = Guard([*config.allowed_origins, *map(_origin, self.via.values())], internet)
        floor = int(config.min_bytes_per_s * config.window_s)
        patience = Patience(halt, config.timeout_s, config.max_file_s, floor, config.window_s)
        self.pipes = Pipes(guard, patience, config.jobs)
        self.requests = 0
        self._lock = threading.Lock()
        self._gate = threading.Semaphore(config.jobs)

    def page(
        self, url: str, route: Route | None = None, marks: Marks = (None, None)
    ) -> tuple[bytes, Answer]:
        """Return a page's bytes, by way of `route` (the site itself). Raises Refused, Halted.

        With the marks of what one has, the answer may be 304 and the page empty: nothing changed.
        """
        route = route or self.live
        for _ in range(_HOPS + 1):
            store = Memory(marks)
            answer = self._fetch(url, _Ask(route, store, self.config.max_page_bytes, False))
            to = refresh_in(answer.url, bytes(store.body))
            if to is None or to == answer.url or not self._may_lead(route, answer.url, to):
                return bytes(store.body), answer
            url, marks = to, (None, None)
        raise Refused("redirected", 200)

    def file(self, url: str, part: Path, route: Route | None = None) -> Answer:
        """Write the file at `url` to `part` and onto the disk, by way of `route` (the site itself).

        What an earlier try or run left there of the same edition is not fetched again. Raises
        Refused, MissingPart, Halted.
        """
        with speaking_of(part), Part(part, url, self.allowance) as store:
            with suppress(TypeError):  # of a version that knew other answers
                if route is None and (known := store.sealed()):
                    answer = Answer(**known)
                    store.sync()
                    self._obey(answer.against)
                    return answer
            ask = _Ask(route or self.live, store, self.config.max_file_bytes, True)
            answer = self._fetch(url, ask)
            store.sync()  # the line is free by now: the next request does not wait for the disk
            return answer

    def close(self) -> None:
        """Close every connection."""
        self.pipes.close()

    def _is_near(self, url: str) -> bool:
        origin = self.config.origin_of(url)
        return origin is not None and is_loopback(origin)

    def _fetch(self, url: str, ask: _Ask) -> Answer:
        robots = self._may_ask(url)
        ask = ask if robots == ask.robots else replace(ask, robots=robots)
        return self._try(url, lambda: self._once(url, ask))

    def _may_ask(self, url: str) -> str:
        """Return what robots.txt says; an interface for programs is none of its business."""
        return "allowed" if self.source.is_interface(url) else self.robots.check(url)

    def _try(self, url: str, once: Callable[[], Answer]) -> Answer:
        """Ask until it comes or the tries are used up. Raises Refused, the last reason in it."""
        lengths: list[int] = []
        for attempt in range(1, self.config.tries + 1):
            held = False
            try:
                answer = once()
                return answer if attempt == 1 else replace(answer, attempts=attempt)
            except Stale:
                refused, held = Refused("cut-short", again=True), True
            except Refused as error:
                refused = error
                held = error.reason == "rate-limited" or error.status == 503
            refused.attempts = attempt
            if refused.reason == "cut-short":
                lengths.append(refused.received)
                refused.again = len(lengths) < 2 or lengths[-1] != lengths[-2]
            elif not refused.again and refused.reason != "server-error":
                raise refused
            if refused.final or attempt == self.config.tries:
                raise refused
            if not held:
                self.manners.back_off(url, attempt)
        raise AssertionError("unreachable")

    def _once(self, url: str, ask: _Ask) -> Answer:
        """Ask once, following redirects that stay on the route."""
        seen = {url}
        for _ in range(_HOPS + 1):
            if not ask.route.owns(url):
                raise Refused("unsafe-link", final=True)
            with self._ask(url, ask) as response:
                to = self._leads(url, response, ask)
                if to is None:
                    try:
                        self._judge(url, response, ask)
                        return self._take(url, response, ask)
                    except Stale:
                        ask.store.forget()
                        raise
            if to in seen and not ask.route.returns(to):
                break
            self._may_ask(to)
            seen.add(to)
            url = to
        raise Refused("redirected", 302, final=True)

    def _leads(self, url: str, response: BaseHTTPResponse, ask: _Ask) -> str | None:
        """Return where a redirect leads, None when it is none. Raises Refused when it must not."""
        location = response.headers.get("Location")
        if response.status not in _MOVED or not location:
            return None
        try:
            return ask.route.leads(url, urljoin(url, location.strip()), is_file=ask.is_file)
        except ValueError as error:
            raise Refused("redirected", response.status, final=True) from error

    def _obey(self, against: str) -> None:
        """Raise Refused for a file that its headers keep from nets, before a byte of it is kept."""
        if against_in_robots(against) and not self.config.with_refused:
            raise Refused("no-training", 200, final=True)

    def _may_lead(self, route: Route, url: str, to: str) -> bool:
        try:
            route.leads(url, to, is_file=False)
        except (Refused, ValueError):
            return False
        return True

    def _take(self, url: str, response: BaseHTTPResponse, ask: _Ask) -> Answer:
        said, status = response.headers, response.status
        marks = said.get("ETag"), said.get("Last-Modified")
        if status == 304:
            return Answer(url, status, 0, "", *marks, robots=ask.robots)
        ask.route.admit(200, said)
        against = header_evidence(said)
        if ask.is_file:
            self._obey(against)
        ask.store.begin(status, said)
        receive(response, ask.store, ask.limit - ask.store.size, self.allowance.spend)
        digest = ask.store.finish()
        answer = Answer(
            url, 200, ask.store.size, digest, *marks, robots=ask.robots, against=against
        )  # fmt: skip
        if ask.route is self.live:  # an archive's answer is more: which capture it was
            ask.store.seal(answer.as_row())
        return answer

    @contextmanager
    def _ask(self, url: str, ask: _Ask) -> Iterator[BaseHTTPResponse]:
        """Send one request, when fewer than `jobs` are under way.

        Raises Refused when no connection comes about.
        """
        while not self._gate.acquire(timeout=_TICK_S):
            self.manners.sleep(0)  # raises Halted when the run is being stopped
        try:
            with self._asked(url, ask) as response:
                yield response
        finally:
            self._gate.release()

    @contextmanager
    def _asked(self, url: str, ask: _Ask) -> Iterator[BaseHTTPResponse]:
        self.manners.check(url)
        self.manners.wait(url)
        with self._lock:
            self.requests += 1
        headers = {
            "Host": urlsplit(url).netloc, "User-Agent": self.agent, "Accept": "*/*",
            "Accept-Encoding": "identity", **ask.store.asks(),
        }  # fmt: skip
        try:
            to = self.config.origin_of(url) or url
            response = self.pipes.get(to, path_and_query(url), headers)
        except (HTTPError, OSError, ValueError) as error:
            failed = isinstance(error, (NewConnectionError, ConnectTimeoutError))
            if failed:
                refused = isinstance(error.__cause__, ConnectionRefusedError)
                self.manners.connected(url, False, refused=refused)
                self.manners.check(url)
            odd = isinstance(error, ValueError)  # the address itself is at fault
            raise Refused("unsafe-link" if odd else "unreachable", again=not odd) from error
        self.manners.connected(url, True)
        try:
            yield response
            _drain(response)
        except Refused as refused:
            if response.status != 200:
                _drain(response)
            raise refused
        finally:
            response.close()
            response.release_conn()

    def _judge(self, url: str, response: BaseHTTPResponse, ask: _Ask) -> None:
        """Raise Refused unless the answer is what was asked for, Stale when a part of it is not."""
        status = response.status
        wait = response.headers.get("Retry-After")
        if status in (429, 503) or (status == 200 and wait):
            self.manners.hold(url, retry_after_s(wait, self.clock.date()))
        else:
            self.manners.answered(url)
        if status == 200 and wait:  # MediaWiki's answer while its databases lag
            raise Refused("rate-limited", status, again=True)
        if status == 416 and ask.store.accepts(206):
            raise Stale
        if not ask.store.accepts(status):
            raise refusal_of(status)

    def _read_robots(self, url: str) -> bytes:
        """Return the beginning of a robots.txt. Raises Refused."""
        head = bytearray()

        def once() -> Answer:
            head[:] = self._head_of(url)
            return Answer(url, 200, len(head), "", None, None)

        self._try(url, once)
        return bytes(head)

    def _head_of(self, url: str) -> bytes:
        ask = _Ask(ToRobots(url, self.live), Memory((None, None)), MOST_BYTES, False)
        for _ in range(_HOPS + 1):
            with self._ask(url, ask) as response:
                to = self._leads(url, response, ask)
                if to is None:
                    self._judge(url, response, ask)
                    return receive_head(response, MOST_BYTES)
            url = to
        raise Refused("redirected", 302, final=True)


def user_agent(contact: str | None) -> str:
    """Return who we say we are."""
    clean = "".join(c for c in contact or HOMEPAGE if c.isprintable() and c not in "()")
    return f"mapmaker/{__version__} (+{clean})"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _drain(response: BaseHTTPResponse) -> None:
    """Read what little may be left of an answer, so that its connection serves again."""
    left = _LEFT_OVER_BYTES
    with suppress(HTTPError, OSError):
        while left > 0 and (chunk := response.read1(left)):
            left -= len(chunk)
