"""Shared by the tests of the network: a small server, an Internet in a box, a clock of sand."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from mapmaker.scrape.clock import Clock
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.guard import Internet
from mapmaker.scrape.replica.server import Log, Reply, Server
from mapmaker.scrape.source import Source, source_from
from mapmaker.scrape.web import Web

PUBLIC = "93.184.215.14"  # an address that is somebody's; nothing here ever connects to it


@contextmanager
def served(answer: Callable[[Reply, int], None]) -> Iterator[Server]:
    """A server that answers as told; robots.txt it has none unless `answer` says so."""

    def polite(reply: Reply, tries: int) -> None:
        if reply.path == "/robots.txt" and not getattr(answer, "robots", False):
            reply.say(404, b"")
        else:
            answer(reply, tries)

    server = Server(polite, Log()).start()
    try:
        yield server
    finally:
        server.stop()


class Box(Internet):
    """Names lead to `addresses`; connections to PUBLIC end at the test's own server.

    Every other connection is made as asked, if it stays on this machine, and `dialled` notes all.
    """

    def __init__(self, server: Server, **addresses: list[list[str]]) -> None:
        self.port = server.server_address[1]
        self.addresses = {name.replace("_", "."): answers for name, answers in addresses.items()}
        self.resolved: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        if answers := self.addresses.get(host):
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return super().resolve(host, port)

    def dial(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.dialled.append((address, port))
        if address == PUBLIC:
            return socket.create_connection(("127.0.0.1", self.port), timeout_s)
        if not address.startswith(("127.", "::")) and address not in ("0.0.0.0", "localhost"):
            raise ConnectionRefusedError(f"{address} is out of the box")
        return super().dial(address, port, timeout_s)


class SandGlass(Clock):
    """A clock that runs only while somebody waits for it."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def date(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._now)

    def sleep(self, seconds: float, halt: threading.Event) -> bool:
        with self._lock:
            self._now += max(seconds, 0.0)
        return halt.is_set()


def source(*hosts: str, **more: object) -> Source:
    """A card whose every address is a picture."""
    card = {
        "title": "A test", "homepage": f"http://{hosts[0]}/", "start": [f"http://{hosts[0]}/"],
        "hosts": list(hosts), "pictures": ["^/"], "license": "CC0-1.0", **more,
    }  # fmt: skip
    return source_from("test", card, "the test's card")


def web(card: Source, internet: Internet | None = None, clock: Clock | None = None, **options):
    """A Web without a limit to its rate, for `card`."""
    known = {"rate": 1000.0, "backoff_s": 0.001, "contact": "dm@example.org", "tries": 2}
    config = ScrapeConfig(**{**known, **options})
    return Web(card, config, threading.Event(), clock=clock, internet=internet)
