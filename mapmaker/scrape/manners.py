"""How we behave towards a host: how often we ask, when we wait, and whether we may ask at all."""

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from protego import Protego

FOREIGN_RATE = 1.0
CEILINGS = {"web.archive.org": 8.0}  # 480 a minute is what the Internet Archive asks of clients
PAUSE_S = 60.0  # after a 429 or 503 that names no time
LONGEST_PAUSE_S = 600.0
CONNECT_FAILURES = 3


class Halted(Exception):
    """The run is being stopped; what was under way is dropped."""


@dataclass(slots=True)
class _Host:
    free_at: float = 0.0
    failures: int = 0
    delay_s: float = 0.0
    robots: Protego | None = None
    robots_refusal: str | None = None
    robots_read: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    robots_lock: threading.Lock = field(default_factory=threading.Lock)


class Manners:
    """One clock per host, shared by all threads."""

    def __init__(self, rate: float | None, backoff_s: float, halt: threading.Event) -> None:
        self.rate, self.backoff_s, self.halt = rate, backoff_s, halt
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def host(self, url: str) -> _Host:
        """Return what we know of the host of `url`."""
        with self._lock:
            return self._hosts.setdefault(urlsplit(url).netloc.lower(), _Host())

    def wait(self, url: str) -> None:
        """Return when the host may be asked again. Raises Halted when the run is being stopped."""
        host = self.host(url)
        rate = self.rate
        if rate and (ceiling := CEILINGS.get(urlsplit(url).hostname or "")):
            rate = min(rate, ceiling)
        step_s = max(1 / rate if rate else 0.0, host.delay_s)
        while True:
            with host.lock:
                now = time.monotonic()
                if now >= host.free_at:
                    host.free_at = now + step_s
                    break
                wait_s = host.free_at - now
            self.sleep(min(wait_s, 1.0))
        self.sleep(0)

    def hold(self, url: str, wait_s: float) -> None:
        """Let nobody ask the host of `url` for the next `wait_s` seconds."""
        host = self.host(url)
        with host.lock:
            host.free_at = max(host.free_at, time.monotonic() + min(wait_s, LONGEST_PAUSE_S))

    def back_off(self, attempt: int) -> None:
        """Sleep before try number `attempt` + 1: twice as long each time, with full jitter."""
        self.sleep(random.uniform(0.5, 1.0) * min(60.0, self.backoff_s * 2 ** (attempt - 1)))

    def sleep(self, seconds: float) -> None:
        """Sleep; raises Halted at once when the run is being stopped."""
        if self.halt.wait(seconds) if seconds > 0 else self.halt.is_set():
            raise Halted

    def connected(self, url: str, good: bool) -> None:
        """Note whether a connection came about; three refusals in a row close the host."""
        host = self.host(url)
        host.failures = 0 if good else host.failures + 1

    def is_gone(self, url: str) -> bool:
        """True when the host refused every connection lately: asking on would be rude and slow."""
        return self.host(url).failures >= CONNECT_FAILURES


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds a Retry-After header asks for, a number or a date, or None."""
    if not value:
        return None
    try:
        return max(0.0, float(int(value)))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
