"""What a host's robots.txt says of an address, as RFC 9309 reads it; asked for once a run."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from protego import Protego

from mapmaker.scrape.answer import Refused

MOST_BYTES = 512_000  # what lies behind the first 500 KiB does not count
_NONE = ("not-found", "forbidden", "redirected")


@dataclass(slots=True)
class _Rules:
    read: bool = False
    rules: Protego | None = None
    refusal: Refused | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Robots:
    """The robots.txt of every host asked so far, safe to use from several threads.

    read(url) gives the file's bytes or raises Refused; delay(url, seconds) is told what the host
    wants between two requests. ignore lets everything pass, and says so.
    """

    def __init__(
        self, read: Callable[[str], bytes], delay: Callable[[str, float], None], agent: str, *,
        ignore: bool = False,
    ) -> None:  # fmt: skip
        self.read, self.delay, self.agent, self.ignore = read, delay, agent, ignore
        self._hosts: dict[tuple[str, str], _Rules] = {}
        self._lock = threading.Lock()

    def check(self, url: str) -> str:
        """Return "allowed", or "ignored" when it is not and that is ignored. Raises Refused.

        No file (4xx) allows everything; one that cannot be read (5xx, silence) nothing.
        """
        parts = urlsplit(url)
        with self._lock:
            host = self._hosts.setdefault((parts.scheme, parts.netloc.lower()), _Rules())
        with host.lock:
            if not host.read:
                self._read(f"{parts.scheme}://{parts.netloc}/robots.txt", host)
                host.read = True
        if host.refusal is None and (not host.rules or host.rules.can_fetch(url, self.agent)):
            return "allowed"
        if self.ignore:
            return "ignored"
        if host.refusal is not None:
            raise Refused(host.refusal.reason, host.refusal.status, again=True, final=True)
        raise Refused("robots", final=True)

    def _read(self, url: str, host: _Rules) -> None:
        try:
            text = self.read(url).decode("utf-8-sig", "replace")
        except Refused as refused:
            host.refusal = None if refused.reason in _NONE else refused
            return
        host.rules = Protego.parse(text)
        self.delay(url, float(host.rules.crawl_delay(self.agent) or 0))
