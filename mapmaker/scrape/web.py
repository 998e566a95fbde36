"""Asking for things over HTTP: one session, no surprises, every failure a reason from the list."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
from protego import Protego
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from mapmaker import __version__
from mapmaker.files import speaking_of
from mapmaker.scrape.answer import Answer, Refused, Sink
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.links import path_and_query
from mapmaker.scrape.manners import FOREIGN_RATE, PAUSE_S, Halted, Manners, retry_after_s
from mapmaker.scrape.optout import header_evidence
from mapmaker.scrape.route import Live, Route
from mapmaker.scrape.source import Source

HOMEPAGE = "https://pypi.org/project/dnd-mapmaker/"
ROBOTS_BYTES = 512_000
_CHUNK = 65_536
_HOPS = 5
_CONNECT_S = 10.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class _Ask:
    route: Route
    sink: Sink
    limit: int
    is_file: bool


class Web:
    """The network as one run sees it. Safe to use from several threads."""

    def __init__(self, source: Source, config: ScrapeConfig, halt: threading.Event) -> None:
        self.source, self.config, self.halt = source, config, halt
        self.live = Live(source)
        self.requests = 0
        self.via = config.origins()
        near = bool(self.via) and all(urlsplit(o).hostname in _LOOPBACK for o in self.via.values())
        rate = config.rate or (None if near else FOREIGN_RATE)
        backoff_s = min(config.backoff_s, 0.05) if near else config.backoff_s
        self.pause_s = min(PAUSE_S, backoff_s * 60)
        self.manners = Manners(rate, backoff_s, halt)
        self.session = requests.Session()
        self.session.trust_env = not self.via
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.headers["User-Agent"] = user_agent(config.contact)
        for scheme in ("http://", "https://"):
            adapter = HTTPAdapter(pool_connections=8, pool_maxsize=config.jobs, pool_block=True)
            self.session.mount(scheme, adapter)

    def page(self, url: str, route: Route | None = None) -> tuple[bytes, Answer]:
        """Return a page's bytes, by way of `route` (the site itself). Raises Refused, Halted."""
        body = bytearray()
        ask = _Ask(route or self.live, body.extend, self.config.max_page_bytes, False)
        answer = self._fetch(url, ask, body.clear)
        return bytes(body), answer

    def file(self, url: str, part: Path, route: Route | None = None) -> Answer:
        """Write the file at `url` to `part` and onto the disk, by way of `route` (the site itself).

        Raises Refused, MissingPart, Halted.
        """
        with speaking_of(part), part.open("wb") as file:

            def clear() -> None:
                file.seek(0)
                file.truncate()

            ask = _Ask(route or self.live, file.write, self.config.max_file_bytes, True)
            answer = self._fetch(url, ask, clear)
            file.flush()
            os.fsync(file.fileno())
        return answer

    def close(self) -> None:
        """Close every connection."""
        self.session.close()

    def _fetch(self, url: str, ask: _Ask, clear: Callable[[], object]) -> Answer:
        self._obey_robots(url)
        return self._try(url, ask, clear)

    def _try(self, url: str, ask: _Ask, clear: Callable[[], object]) -> Answer:
        """Ask until it comes or the tries are used up. Raises Refused, the last reason in it."""
        lengths = []
        for attempt in range(1, self.config.tries + 1):
            clear()
            try:
                return replace(self._once(url, ask), attempts=attempt)
            except Refused as refused:
                refused.attempts = attempt
                lengths.append(refused.received)
                if refused.reason == "cut-short":
                    refused.again = len(lengths) < 2 or lengths[-1] != lengths[-2]
                elif not refused.again and refused.reason != "server-error":
                    raise
                if attempt == self.config.tries or self.manners.is_gone(url):
                    raise
                if refused.reason == "rate-limited" or refused.wait_s is not None:
                    wait_s = self.pause_s if refused.wait_s is None else refused.wait_s
                    self.manners.hold(url, wait_s)
                else:
                    self.manners.back_off(attempt)
        raise AssertionError("unreachable")

    def _once(self, url: str, ask: _Ask) -> Answer:
        """Ask once, following redirects that stay on the route."""
        status = 302
        for _ in range(_HOPS + 1):
            with self._ask(url, ask.is_file) as response:
                status = response.status_code
                if status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                    to = urljoin(url, response.headers["Location"])
                    ask.route.leads(url, to, is_file=ask.is_file)
                    self._obey_robots(to)
                    url = to
                    continue
                _judge(response)
                ask.route.admit(status, response.headers)
                size, digest = self._stream(response, ask.sink, ask.limit)
                said = response.headers
                marks = said.get("ETag"), said.get("Last-Modified")
                return Answer(url, status, size, digest, *marks, against=header_evidence(said))
        raise Refused("redirected", status)

    def _ask(self, url: str, is_file: bool) -> requests.Response:
        """Send one request. Raises Refused when no connection comes about."""
        if self.manners.is_gone(url):
            raise Refused("unreachable", again=True)
        self.manners.wait(url)
        self.requests += 1
        headers: dict[str, str] = {"Accept-Encoding": "identity"} if is_file else {}
        target = url
        origin = self.via.get(urlsplit(url).hostname or "") or self.via.get("")
        if origin:
            headers["Host"] = urlsplit(url).netloc
            target = origin + path_and_query(url)
        try:
            response = self.session.get(
                target, headers=headers, stream=True, allow_redirects=False,
                timeout=(_CONNECT_S, self.config.timeout_s),
            )  # fmt: skip
        except requests.RequestException as error:
            cause = getattr(error.args[0] if error.args else None, "reason", None)
            if isinstance(cause, (NewConnectionError, ConnectTimeoutError)):
                self.manners.connected(url, False)
            raise Refused("unreachable", again=_may_pass(error)) from error
        self.manners.connected(url, True)
        return response

    def _stream(self, response: requests.Response, sink: Sink, limit: int) -> tuple[int, str]:
        """Hand the body on in chunks; the limits hold while it comes."""
        promised = response.headers.get("Content-Length", "")
        if promised.isdigit() and int(promised) > limit:
            raise Refused("too-large", response.status_code)
        digest, size = hashlib.sha256(), 0
        ends_at = time.monotonic() + self.config.max_file_s
        try:
            for chunk in response.iter_content(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise Refused("too-large", response.status_code)
                if self.halt.is_set():
                    raise Halted
                if time.monotonic() > ends_at:
                    raise Refused("unreachable", response.status_code, again=True)
                digest.update(chunk)
                sink(chunk)
        except requests.RequestException as error:
            short = promised.isdigit() and size < int(promised)
            reason = "cut-short" if short else "unreachable"
            refused = Refused(reason, response.status_code, again=True)
            refused.received = size
            raise refused from error
        return size, digest.hexdigest()

    def _obey_robots(self, url: str) -> None:
        """Raise Refused when the host's robots.txt forbids `url`; it is read once a run."""
        if path_and_query(url) == "/robots.txt" or self.source.is_interface(url):
            return
        host = self.manners.host(url)
        with host.robots_lock:
            if not host.robots_read:
                self._read_robots(url)
        if host.robots_refusal:
            raise Refused(host.robots_refusal, again=host.robots_refusal != "robots")
        agent = self.session.headers["User-Agent"]
        if host.robots and not host.robots.can_fetch(url, str(agent)):
            raise Refused("robots")

    def _read_robots(self, url: str) -> None:
        """Read robots.txt as RFC 9309 says: 4xx allows everything, 5xx and silence nothing."""
        host, body = self.manners.host(url), bytearray()
        parts = urlsplit(url)
        where = f"{parts.scheme}://{parts.netloc}/robots.txt"
        try:
            self._try(where, _Ask(self.live, body.extend, ROBOTS_BYTES, False), body.clear)
        except Refused as refused:
            if refused.reason not in ("not-found", "forbidden", "redirected"):
                host.robots_refusal = refused.reason
        else:
            rules = Protego.parse(bytes(body).decode("utf-8", "replace"))
            delay = rules.crawl_delay(str(self.session.headers["User-Agent"]))
            host.delay_s = min(float(delay or 0), 60.0) if self.manners.rate else 0.0
            host.robots = rules
        host.robots_read = True


def user_agent(contact: str | None) -> str:
    """Return who we say we are."""
    clean = "".join(c for c in contact or HOMEPAGE if c.isprintable() and c not in "()")
    return f"mapmaker/{__version__} (+{clean})"


def _judge(response: requests.Response) -> None:
    """Raise Refused unless the status is 200."""
    status = response.status_code
    if status == 200:
        return
    wait_s = retry_after_s(response.headers.get("Retry-After"))
    if status in (404, 410):
        refused = Refused("not-found", status)
    elif status == 429:
        refused = Refused("rate-limited", status, again=True)
    elif status in (408, 425):
        refused = Refused("unreachable", status, again=True)
    elif status >= 500:
        # 500 is a broken page and stays one; the others speak of a bad moment.
        refused = Refused("server-error", status, again=status != 500)
    else:
        refused = Refused("forbidden" if 400 <= status < 500 else "redirected", status)
    refused.wait_s = wait_s
    raise refused


def _may_pass(error: requests.RequestException) -> bool:
    """True unless the address itself is at fault."""
    at_fault = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
    return not isinstance(error, at_fault)
