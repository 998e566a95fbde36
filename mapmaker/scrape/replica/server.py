"""The replica's way of speaking HTTP: a log of every request, latency, a paced line, byte ranges.

It uses the standard library alone, starts in milliseconds and says exactly what it is told to,
right or wrong: what is answered is decided in `live` and `wayback`.
"""

import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_SLICE = 16_384
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(slots=True)
class Request:
    """One request as the server saw it; `in_flight` counts those being answered, this too.

    at_s and ended_s are readings of time.monotonic(): when its last header was read, and when the
    last byte of the answer was handed to the system (None: it is still being answered). `range` is
    the header Range as sent; status, start_byte and sent_bytes say what was answered, the body
    alone. `connection` counts connections from 1.
    """

    host: str
    path: str
    agent: str
    at_s: float
    in_flight: int
    connection: int
    range: str = ""
    if_range: str = ""
    ended_s: float | None = None
    status: int = 0
    start_byte: int = 0
    sent_bytes: int = 0


class Log:
    """What the server saw, shared by its threads. `seen` counts the requests for one path."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.seen: dict[str, int] = {}
        self.in_flight = 0
        self._lock = threading.Lock()

    def begin(self, reply: "Reply") -> tuple[Request, int]:
        """Note a request; return it and how often its path has been asked for, this time too."""
        said = reply.headers
        with self._lock:
            self.in_flight += 1
            request = Request(
                said.get("Host", ""), reply.path, said.get("User-Agent", ""), time.monotonic(),
                self.in_flight, reply.connection_number, said.get("Range", ""),
                said.get("If-Range", ""),
            )  # fmt: skip
            self.requests.append(request)
            self.seen[reply.path] = tries = self.seen.get(reply.path, 0) + 1
        return request, tries

    def end(self, request: Request) -> None:
        """Note that a request was answered, or hung up on."""
        with self._lock:
            self.in_flight -= 1
            request.ended_s = time.monotonic()


class Server(ThreadingHTTPServer):
    """Serves `answer(reply, tries)` on a free port of this machine, from its own thread.

    latency_s passes before every answer. bytes_per_s is the speed of each connection; None is as
    fast as the machine.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[["Reply", int], None], log: Log) -> None:
        super().__init__(("127.0.0.1", 0), Reply)
        self.answer, self.log = answer, log
        self.latency_s = 0.0
        self.bytes_per_s: float | None = None
        self.connections = itertools.count(1)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> Self:
        """Serve until `stop`."""
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def stop(self) -> None:
        """Stop and free the port."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no event."""


class Reply(BaseHTTPRequestHandler):
    """One connection; `answer` speaks through it."""

    protocol_version = "HTTP/1.1"
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.connection_number = next(self.server.connections)
        self.request_log: Request | None = None
        self._free_at = 0.0

    def handle(self) -> None:
        """Refuse TLS, as the old site did: it is told by its first byte."""
        try:
            first = self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return
        if first != b"\x16":
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """The replica keeps its own log."""

    def do_GET(self) -> None:
        log = self.server.log
        self.request_log, tries = log.begin(self)
        try:
            if self.server.latency_s:
                time.sleep(self.server.latency_s)
            self.server.answer(self, tries)
        finally:
            log.end(self.request_log)

    def say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a whole body."""
        self.start(status, len(body), headers)
        self.send(body)

    def start(
        self, status: int, length: int | None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send status and headers; without a length the end of the connection ends the body."""
        if self.request_log:
            self.request_log.status = status
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", **(headers or {})}.items():
            self.send_header(name, value)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, body: bytes) -> None:
        """Send bytes at the speed of the line: each slice arrives when a real one would have."""
        rate, request = self.server.bytes_per_s, self.request_log
        self._free_at = max(self._free_at, time.monotonic())
        view = memoryview(body)
        for at in range(0, len(body), _SLICE if rate else max(len(body), 1)):
            part = view[at : at + _SLICE] if rate else view
            if rate:
                self._free_at += len(part) / rate
                time.sleep(max(0.0, self._free_at - time.monotonic()))
            self.wfile.write(part)
            if request:
                request.sent_bytes += len(part)

    def hang_up(self) -> None:
        """Close the connection after what was sent."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def say_file(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer as a good server does: 304 for what is known, 206 for a part, 416, else 200.

        Validators are those of `headers` (ETag, Last-Modified). If-Range holds for an equal strong
        ETag or date only.
        """
        if self._is_known(headers):
            self.start(304, 0, headers)
            return
        wanted = self.wanted_range(len(body)) if self._range_counts(headers) else None
        if wanted is None:
            self.say(200, body, {**headers, "Accept-Ranges": "bytes"})
        elif wanted.start >= wanted.stop:
            self.say(416, b"", {**headers, "Content-Range": f"bytes */{len(body)}"})
        else:
            self.say_part(body, wanted, headers)

    def say_part(
        self, body: bytes, part: range, headers: Mapping[str, str], said: str | None = None
    ) -> None:
        """Answer 206 with a part of the body; `said` is a Content-Range other than the true."""
        if self.request_log:
            self.request_log.start_byte = part.start
        true = f"bytes {part.start}-{part.stop - 1}/{len(body)}"
        self.say(206, body[part.start : part.stop], {**headers, "Content-Range": said or true})

    def wanted_range(self, length: int) -> range | None:
        """Return the bytes asked for by Range, an empty range for none there are, or None."""
        match = _RANGE.fullmatch(self.headers.get("Range", "").replace(" ", ""))
        if match is None or match[0] == "bytes=-":
            return None
        first, last = match.groups()
        if not first:
            return range(max(0, length - int(last)), length)
        return range(int(first), min(length, int(last) + 1) if last else length)

    def _range_counts(self, headers: Mapping[str, str]) -> bool:
        condition = self.headers.get("If-Range")
        if condition is None:
            return True
        if condition.startswith(('"', "W/")):
            return condition == headers.get("ETag") and not condition.startswith("W/")
        return condition == headers.get("Last-Modified")

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        known = self.headers.get("If-None-Match")
        if known is not None:
            tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
            return "*" in tags or headers.get("ETag", "").removeprefix("W/") in tags - {""}
        since, changed = self.headers.get("If-Modified-Since"), headers.get("Last-Modified")
        if not since or not changed:
            return False
        try:
            return parsedate_to_datetime(changed) <= parsedate_to_datetime(since)
        except (TypeError, ValueError):
            return False
