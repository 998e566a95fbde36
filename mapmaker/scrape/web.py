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
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.links import path_and_query, refuse, unwrap
from mapmaker.scrape.manners import FOREIGN_RATE, PAUSE_S, Halted, Manners, retry_after_s
from mapmaker.scrape.optout import header_evidence
from mapmaker.scrape.source import Source

HOMEPAGE = "https://pypi.org/project/dnd-mapmaker/"
WAYBACK = "https://web.archive.org/web/2016id_/"
ROBOTS_BYTES = 512_000
_CHUNK = 65_536
_HOPS = 5
_CONNECT_S = 10.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Sink = Callable[[bytes], object]


class Refused(Exception):
    """It could not be had. `reason` is a key of GAP_REASONS; `again` says that later it might."""

    def __init__(self, reason: str, status: int | None = None, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.status, self.again = reason, status, again
        self.attempts = 0
        self.received = 0
        self.wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, and what the server said of it."""

    url: str
    status: int
    bytes: int
    sha256: str
    etag: str | None
    last_modified: str | None
    attempts: int = 1
    served_by: str = "live"
    capture: str | None = None
    against: str = ""  # what its headers say on the use of it


class Web:
    """The network as one run sees it. Safe to use from several threads."""

    def __init__(self, source: Source, config: ScrapeConfig, halt: threading.Event) -> None:
        self.source, self.config, self.halt = source, config, halt
        self.requests = 0
        self.via = config.via.rstrip("/") if config.via else None
        near = self.via is not None and urlsplit(self.via).hostname in _LOOPBACK
        rate = config.rate or (None if near else FOREIGN_RATE)
        backoff_s = min(config.backoff_s, 0.05) if near else config.backoff_s
        self.pause_s = min(PAUSE_S, backoff_s * 60)
        self.manners = Manners(rate, backoff_s, halt)
        self.session = requests.Session()
        self.session.trust_env = self.via is None
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.headers["User-Agent"] = user_agent(config.contact)
        for scheme in ("http://", "https://"):
            adapter = HTTPAdapter(pool_connections=8, pool_maxsize=config.jobs, pool_block=True)
            self.session.mount(scheme, adapter)

    def page(self, url: str) -> tuple[bytes, Answer]:
        """Return a page's bytes. Raises Refused."""
        body = bytearray()
        limit = self.config.max_page_bytes
        answer = self._fetch(url, body.extend, body.clear, limit, is_file=False)
        return bytes(body), answer

    def file(self, url: str, part: Path, *, live: bool = True) -> Answer:
        """Write the file at `url` to `part` and onto the disk. Raises Refused, MissingPart, Halted.

        live=False asks the Wayback Machine alone.
        """
        with speaking_of(part), part.open("wb") as file:

            def clear() -> None:
                file.seek(0)
                file.truncate()

            limit = self.config.max_file_bytes
            answer = self._fetch(url, file.write, clear, limit, is_file=True, live=live)
            file.flush()
            os.fsync(file.fileno())
        return answer

    def close(self) -> None:
        """Close every connection."""
        self.session.close()

    def _fetch(
        self, url: str, sink: Sink, clear: Callable[[], object], limit: int, *,
        is_file: bool, live: bool = True,
    ) -> Answer:  # fmt: skip
        """Ask the site, then the Wayback Machine for what the site no longer has."""
        lost: Refused | None = None
        if live:
            try:
                self._obey_robots(url)
                return self._try(url, sink, clear, limit, is_file)
            except Refused as refused:
                lost = refused
                if not self.config.asks_wayback or refused.reason in ("robots", "too-large"):
                    raise
        archived = WAYBACK + url
        try:
            self._obey_robots(archived)
            answer = self._try(archived, sink, clear, limit, is_file)
        except Refused as refused:
            raise (lost or refused) from refused
        stamp = urlsplit(answer.url).path.split("/")[2].removesuffix("id_")
        return replace(answer, url=url, served_by="wayback", capture=stamp)

    def _try(self, url: str, sink: Sink, clear: Callable, limit: int, is_file: bool) -> Answer:
        """Ask until it comes or the tries are used up. Raises Refused, the last reason in it."""
        lengths = []
        for attempt in range(1, self.config.tries + 1):
            clear()
            try:
                return replace(self._once(url, sink, limit, is_file), attempts=attempt)
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

    def _once(self, url: str, sink: Sink, limit: int, is_file: bool) -> Answer:
        """Ask once, following redirects that stay with the source."""
        first, status = url, 302
        for _ in range(_HOPS + 1):
            with self._ask(url, is_file) as response:
                status = response.status_code
                if status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                    url = self._hop(first, url, response.headers["Location"], is_file)
                    continue
                _judge(response)
                if first.startswith(WAYBACK) and "Memento-Datetime" not in response.headers:
                    raise Refused("not-found", status)
                size, digest = self._stream(response, sink, limit)
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
        if self.via:
            headers["Host"] = urlsplit(url).netloc
            target = self.via + path_and_query(url)
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

    def _hop(self, first: str, url: str, location: str, is_file: bool) -> str:
        """Return where a redirect leads. Raises Refused when that is not the same thing."""
        to = urljoin(url, location)
        if first.startswith(WAYBACK):
            if urlsplit(to).hostname == "web.archive.org" and "id_/" in to:
                return to
            raise Refused("redirected", 302)
        if refuse(self.source, to) or unwrap(self.source, to) is not None:
            raise Refused("redirected", 302)
        if is_file and not any(p.search(path_and_query(to)) for p in self.source.pictures):
            raise Refused("redirected", 302)
        if not is_file and path_and_query(to) != path_and_query(url) and "?" not in to:
            raise Refused("redirected", 302)
        self._obey_robots(to)
        return to

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
        if path_and_query(url) == "/robots.txt":
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
            self._try(where, body.extend, body.clear, ROBOTS_BYTES, False)
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
