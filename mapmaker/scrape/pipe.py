"""Connections as we want them: to a checked address, kept open, and never waited for too long.

urllib3 speaks HTTP and keeps the pools. Below it, every byte of an answer, its status line
included, comes through `_Patient`, which looks at the clock four times a second: a server that
dribbles can hold nobody up, and a run that is being stopped waits for nobody.
"""

import functools
import http.client
import io
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from mapmaker.scrape.guard import Guard
from mapmaker.scrape.manners import Halted

_TICK_S = 0.25
_CONNECT_S = 10.0
_BUFFER = 65_536


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer may take: idle_s without a byte, total_s in all.

    Once its first byte is there, at least floor_bytes must come in every window_s.
    """

    halt: threading.Event
    idle_s: float = 30.0
    total_s: float = 120.0
    floor_bytes: int = 30_000
    window_s: float = 30.0


class _Patient(io.RawIOBase):
    """The bytes of one answer. Raises TimeoutError when patience ends, Halted with the run.

    left says how many bytes of its body are still to come, once that is known. Of those the system
    is asked to wait for a pieceful, as to be woken for every packet of a slow line takes a third of
    a scrape's CPU; what there is after a quarter of a second is taken, however little.
    """

    def __init__(
        self, sock: socket.socket, below: io.BufferedIOBase, patience: Patience,
        left: Callable[[], object],
    ) -> None:  # fmt: skip
        self.sock, self.below, self.patience, self.left = sock, below, patience, left
        self.least = 0
        self.heard_at = time.monotonic()
        self.ends_at = self.heard_at + patience.total_s
        self.window_at: float | None = None
        self.in_window = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.left()
        self._wait_for(min(left, len(buffer)) if isinstance(left, int) else 1)
        while True:
            if self.patience.halt.is_set():
                raise Halted
            try:
                count = self.sock.recv_into(buffer)
            except TimeoutError:
                count = -1
                self._wait_for(1)
            now = time.monotonic()
            self._judge(now, max(count, 0))
            if count >= 0:
                self.heard_at = now
                return count

    def _wait_for(self, least: int) -> None:
        """Let the system wake us when `least` bytes are there. With TLS it cannot know."""
        least = max(least, 1)
        if least != self.least and not isinstance(self.sock, ssl.SSLSocket):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
        self.least = least

    def _judge(self, now: float, count: int) -> None:
        if now > self.ends_at:
            raise TimeoutError("the answer took too long in all")
        if now - self.heard_at > self.patience.idle_s:
            raise TimeoutError("the server fell silent")
        if self.window_at is None:
            self.window_at = now if count else None
            return
        self.in_window += count
        if now - self.window_at >= self.patience.window_s:
            if self.in_window < self.patience.floor_bytes:
                raise TimeoutError("the server dribbles")
            self.window_at, self.in_window = now, 0

    def close(self) -> None:
        self.below.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *rest: Any, patience: Patience, **more: Any) -> None:
        super().__init__(sock, *rest, **more)
        patient = _Patient(sock, self.fp, patience, lambda: self.length)
        self.fp = io.BufferedReader(patient, _BUFFER)


class _Pinned(HTTPConnection):
    """Connects through the guard; the host's name is for the Host header and for TLS alone."""

    guard: Guard
    patience: Patience
    response_class: Any  # pyright: ignore[reportIncompatibleVariableOverride]

    def _new_conn(self) -> socket.socket:
        self.response_class = functools.partial(_Response, patience=self.patience)
        try:
            return self.guard.connect(self._dns_host, self.port, _CONNECT_S)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} did not answer") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection: {error}") from error


class _PinnedTLS(_Pinned, HTTPSConnection):
    """The same with TLS, which checks the name against the certificate."""


class Pipes:
    """One pool of at most `jobs` connections per origin. Safe to use from several threads."""

    def __init__(self, guard: Guard, patience: Patience, jobs: int) -> None:
        self.jobs = jobs
        about = {"guard": guard, "patience": patience}
        self._plain = type("Connection", (_Pinned,), dict(about))
        self._tls = type("TLSConnection", (_PinnedTLS,), dict(about))
        self._pools: dict[tuple[str, str, int | None], HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def get(self, url: str, target: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """Ask the origin of `url` for `target` (path and query); the body is still to be read.

        Redirects are answers like any other, nothing is tried twice and nothing decoded. Raises
        what urllib3 raises, Refused for a forbidden address, Halted.
        """
        return self._pool(url).urlopen(
            "GET", target or "/", headers=headers, retries=False, redirect=False,
            assert_same_host=False, preload_content=False, decode_content=False,
            timeout=Timeout(connect=_CONNECT_S, read=_TICK_S),
        )  # fmt: skip

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _pool(self, url: str) -> HTTPConnectionPool:
        parts = urlsplit(url)
        key = parts.scheme, parts.hostname or "", parts.port
        with self._lock:
            if key not in self._pools:
                about: dict[str, Any] = {"port": parts.port, "maxsize": self.jobs, "block": True}
                if parts.scheme == "https":
                    self._pools[key] = HTTPSConnectionPool(key[1], ssl_context=_tls(), **about)
                else:
                    self._pools[key] = HTTPConnectionPool(key[1], **about)
                kind: Any = self._tls if parts.scheme == "https" else self._plain
                self._pools[key].ConnectionCls = kind
            return self._pools[key]


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return what trusts Mozilla's authorities, or $SSL_CERT_FILE's. Reading them takes 20 ms."""
    context = create_urllib3_context()
    context.load_verify_locations(os.environ.get("SSL_CERT_FILE") or certifi.where())
    return context
