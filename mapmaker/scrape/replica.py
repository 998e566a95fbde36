"""An archive on this machine in the shape of the real one, to scrape without a network.

    with Replica(maps=24) as archive:
        finish(scrape(workspace, "map-of-the-week", ScrapeConfig(via=archive.url)))

It answers for the three hosts by their Host header (and web.archive.org, with `wayback`), writes
down every request, and knows the truth: which files are planted, with their sha256, and which gaps
to expect.
"""

import hashlib
import socket
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from mapmaker.scrape.replica_art import file_bytes, zip_members
from mapmaker.scrape.replica_faults import plant
from mapmaker.scrape.replica_html import EMPTY_PAGE, SOFT_404, page_of
from mapmaker.scrape.replica_plan import HOSTS, File, Truth, plan_archive

CAPTURE = "20160401000000"
_OLD = formatdate(1_100_000_000, usegmt=True)
_TYPES = {"JPG": "image/jpeg", "TIF": "image/tiff", "GIF": "image/gif", "ZIP": "application/zip"}
_CHUNK = b"\xff\xd8\xff\xe0" + b"\0" * 65_532
_ENDLESS_BYTES = 80_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server saw it; `in_flight` counts those being answered, this too."""

    host: str
    path: str
    agent: str
    at_s: float
    in_flight: int
    connection: int


class Replica:
    """The replica as a context manager. Pictures are drawn when they are first asked for.

    maps: good maps; faults: add the month of faults; drawn: floor plans (True) or plain patterns;
    robots: "open", "no-pictures" (Disallow: /dnd/), "closed", "missing" or "broken" (503).
    """

    def __init__(
        self, *, maps: int = 24, seed: int = 0, side_px: int = 750, faults: bool = True,
        drawn: bool = True, robots: str = "open", latency_s: float = 0.0, wayback: bool = False,
    ) -> None:  # fmt: skip
        self.truth: Truth = plan_archive(maps, seed, side_px)
        if faults:
            plant(self.truth, art=maps, side_px=side_px)
        self.drawn, self.robots, self.latency_s, self.wayback = drawn, robots, latency_s, wayback
        self.requests: list[Request] = []
        self.url = ""
        self.lock = threading.Lock()
        self.in_flight = 0
        self.seen: dict[str, int] = {}
        self._bytes: dict[str, bytes] = {}
        self._drawing = threading.Lock()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.replica = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @cached_property
    def files(self) -> dict[str, File]:
        """Every file by its path."""
        return {file.path: file for _, file in self.truth.files()}

    def bytes_of(self, file: File) -> bytes:
        """Return a file's bytes, drawn once."""
        with self._drawing:
            if file.path not in self._bytes:
                self._bytes[file.path] = file_bytes(file, self.drawn)
            return self._bytes[file.path]

    def sha256(self, file: File) -> str:
        """Return the sha256 (hex) a whole copy of the file has."""
        return hashlib.sha256(self.bytes_of(file)).hexdigest()

    def expected(self, dpi: str = "best") -> dict[str, str]:
        """Return path -> sha256 of every file that a scrape with --dpi must bring home.

        A member of a ZIP file is `path#name`; a file that stands in for a missing one is there too.
        """
        good = {}
        for entry, file in self.truth.wanted(dpi):
            if file.behaviour == "zip":
                for name, data in zip_members(file, self.drawn).items():
                    if name.startswith("maps/") and name.lower().endswith(".jpg"):
                        good[f"{file.path}#{name}"] = hashlib.sha256(data).hexdigest()
            elif file.reason is None:
                good[file.path] = self.sha256(file)
            else:
                same = [f for f in entry.files if f.reason is None and f.variant == file.variant]
                best = max(same, key=lambda f: f.dpi or 0, default=None)
                good |= {best.path: self.sha256(best)} if best else {}
        return good

    def expected_gaps(self, dpi: str = "best") -> dict[str, str]:
        """Return path (or address, when it leaves the site) -> reason of every gap to be listed."""
        gaps = {}
        for _, file in self.truth.wanted(dpi):
            if file.behaviour == "zip":
                gaps[f"{file.path}#../../escape.jpg"] = "unsafe-name"
            elif file.reason:
                gaps[file.url or file.path] = file.reason
        if self.truth.oddities:
            gaps[EMPTY_PAGE] = "no-entries"
        return gaps

    def picture_requests(self) -> list[Request]:
        """Return the requests that asked for pictures or ZIP files."""
        return [r for r in self.requests if "/dnd/images/" in r.path]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    replica: Replica

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """The replica keeps its own log."""

    def do_GET(self) -> None:
        replica = self.server.replica
        host = self.headers.get("Host", "")
        with replica.lock:
            replica.in_flight += 1
            replica.requests.append(
                Request(
                    host, self.path, self.headers.get("User-Agent", ""), time.monotonic(),
                    replica.in_flight, self.client_address[1],
                )
            )  # fmt: skip
            replica.seen[self.path] = tries = replica.seen.get(self.path, 0) + 1
        try:
            if replica.latency_s:
                time.sleep(replica.latency_s)
            self._answer(replica, host, tries)
        finally:
            with replica.lock:
                replica.in_flight -= 1

    def _answer(self, replica: Replica, host: str, tries: int) -> None:
        address = self.path
        if host == "web.archive.org":
            self._archived(replica, address)
        elif host not in HOSTS:
            self._say(400, b"no such host here")
        elif address == "/robots.txt":
            self._robots(replica.robots)
        elif address.startswith("/leaving.asp"):
            url = parse_qs(urlsplit(address).query).get("url", ["/"])[0]
            self._say(302, b"", {"Location": url})
        elif (body := page_of(replica.truth, address)) is not None:
            # Some of the old pages claim a character set that is not theirs.
            wrong = "; charset=utf-8" if "archive2" in address else ""
            self._say(200, body, {"Content-Type": f"text/html{wrong}"})
        elif file := replica.files.get(urlsplit(address).path):
            getattr(self, f"_be_{file.behaviour.replace('-', '_')}", self._be_good)(file, tries)
        elif file := replica.files.get(address.replace("/mapofweek/moved/", "/mapofweek/")):
            self._be_good(file, tries)
        else:
            self._say(404, SOFT_404.encode())

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _robots(self, kind: str) -> None:
        texts = {
            "open": "User-agent: *\nDisallow: /private/\n",
            "no-pictures": "User-agent: *\nDisallow: /dnd/\n",
            "closed": "User-agent: *\nDisallow: /\n",
        }
        if kind in texts:
            self._say(200, texts[kind].encode(), {"Content-Type": "text/plain"})
        else:
            self._say(503 if kind == "broken" else 404, b"")

    def _archived(self, replica: Replica, address: str) -> None:
        """The Wayback Machine: a partial time stamp leads to the capture, which is the raw file."""
        stamp, _, url = address.removeprefix("/web/").partition("id_/")
        file = replica.files.get(urlsplit(url).path)
        if not replica.wayback or file is None or file.reason not in ("not-found", "not-a-picture"):
            self._say(404, b"")
        elif stamp != CAPTURE:
            self._say(302, b"", {"Location": f"http://web.archive.org/web/{CAPTURE}id_/{url}"})
        else:
            said = {"Content-Type": "image/jpeg", "Memento-Datetime": _OLD}
            self._say(200, replica.bytes_of(file), said)

    def _be_good(self, file: File, tries: int) -> None:
        said = {"Content-Type": _TYPES[file.format], "Last-Modified": _OLD}
        said["ETag"] = f'"{file.art:08x}"'
        self._say(200, self.server.replica.bytes_of(file), said)

    def _be_octet_stream(self, file: File, tries: int) -> None:
        said = {"Content-Type": "application/octet-stream"}
        self._say(200, self.server.replica.bytes_of(file), said)

    def _be_404(self, file: File, tries: int) -> None:
        self._say(404, SOFT_404.encode())

    def _be_410(self, file: File, tries: int) -> None:
        self._say(410, b"")

    def _be_403(self, file: File, tries: int) -> None:
        self._say(403, b"")

    def _be_500(self, file: File, tries: int) -> None:
        self._say(500, b"ASP 0113")

    def _be_soft_404(self, file: File, tries: int) -> None:
        self._say(200, SOFT_404.encode())

    def _be_soft_404_as_jpeg(self, file: File, tries: int) -> None:
        self._say(200, SOFT_404.encode(), {"Content-Type": "image/jpeg"})

    def _be_busy_once(self, file: File, tries: int) -> None:
        if tries == 1:
            self._say(503, b"", {"Retry-After": "0"})
        else:
            self._be_good(file, tries)

    def _be_reset_once(self, file: File, tries: int) -> None:
        if tries == 1:
            self._hang_up()
        else:
            self._be_good(file, tries)

    def _be_cut_once(self, file: File, tries: int) -> None:
        if tries == 1:
            self._be_cut_short(file, tries)
        else:
            self._be_good(file, tries)

    def _be_cut_short(self, file: File, tries: int) -> None:
        """Promise the whole length and hang up half way."""
        body = self.server.replica.bytes_of(file)
        self._start(len(body))
        self.wfile.write(body[: len(body) // 2])
        self._hang_up()

    def _be_half(self, file: File, tries: int) -> None:
        """Send half without a length: the end of the connection looks like the end of the file."""
        body = self.server.replica.bytes_of(file)
        self._start(None)
        self.wfile.write(body[: len(body) // 2])
        self._hang_up()

    def _be_no_length(self, file: File, tries: int) -> None:
        self._start(None)
        self.wfile.write(self.server.replica.bytes_of(file))
        self._hang_up()

    def _be_endless(self, file: File, tries: int) -> None:
        self._start(None)
        for _ in range(_ENDLESS_BYTES // len(_CHUNK)):
            self.wfile.write(_CHUNK)
        self._hang_up()

    def _be_redirect_home(self, file: File, tries: int) -> None:
        self._say(302, b"", {"Location": "/default.asp?x=dnd/welcome"})

    def _be_redirect_loop(self, file: File, tries: int) -> None:
        self._say(302, b"", {"Location": file.path})

    def _be_redirect_away(self, file: File, tries: int) -> None:
        self._say(302, b"", {"Location": "http://www.example.com/gone.jpg"})

    def _be_redirect_within(self, file: File, tries: int) -> None:
        """Lead to the same picture in another folder of the site."""
        self._say(301, b"", {"Location": file.path.replace("/mapofweek/", "/mapofweek/moved/")})

    def _start(self, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
