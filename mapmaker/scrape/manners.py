"""How we behave towards a host: how often we ask, when we wait, and when we leave it alone."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.clock import Clock, http_date

FOREIGN_RATE = 1.0
# (host, beginning of the path): requests a second. The Internet Archive cuts off at 30 a minute for
# its index and 600 for the rest, and asks clients for 80 % of that.
CEILINGS = {("web.archive.org", "/cdx/"): 24 / 60, ("web.archive.org", "/"): 480 / 60}
PAUSE_S = 60.0  # after a 429 or 503 that names no time
LONGEST_PAUSE_S = 600.0
LONGEST_BACKOFF_S = 60.0
CONNECT_FAILURES = 3
DENIALS = 5  # answers in a row that told us to wait, until we leave


class Halted(Exception):
    """The run is being stopped; what was under way is dropped."""


@dataclass(slots=True)
class _Pace:
    """Turns, one every step_s; those that have passed unused are gone."""

    step_s: float
    next_at: float = 0.0
    taken_at: float | None = None  # the last turn that was used
    first_at: float | None = None
    turns: int = 0

    def reserve(self, now: float, step_s: float) -> float:
        at = max(now, self.next_at)
        self.next_at = at + step_s
        self.first_at = at if self.first_at is None else self.first_at
        self.turns += 1
        return at


@dataclass(slots=True)
class _Host:
    paces: dict[str, _Pace] = field(default_factory=dict)
    delay_s: float = 0.0
    held_until: float = 0.0
    holds: int = 0
    slower: float = 1.0
    failures: int = 0
    refusals: int = 0
    denials: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Manners:
    """Turns per host, shared by all threads.

    rate is in requests a second; None is one a second for other people's hosts, and no limit for
    those near(url) knows to be on this machine, which are also waited for a twentieth of the time.
    Times are those of `clock`.
    """

    def __init__(
        self, rate: float | None, backoff_s: float, halt: threading.Event,
        near: Callable[[str], bool] = lambda url: False, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.rate, self.backoff_s, self.halt, self.near = rate, backoff_s, halt, near
        self.clock = clock or Clock()
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def wait(self, url: str) -> None:
        """Return when the host may be asked again. Raises Halted when the run is being stopped.

        Turns come every 1 / rate seconds however late a thread wakes up, and never in bursts.
        """
        host, pace = self._host(url), self._pace(url)
        while True:
            with host.lock:
                step_s = max(pace.step_s * host.slower, host.delay_s)
                at = pace.reserve(max(self.clock.now(), host.held_until), step_s)
                holds = host.holds
            while (left_s := at - self.clock.now()) > 0 and host.holds == holds:
                self.sleep(min(left_s, 1.0))
            self.sleep(0)
            with host.lock:
                if host.holds == holds:
                    pace.taken_at = at
                    return

    def delay(self, url: str, seconds: float) -> None:
        """Leave at least `seconds` between two requests to the host of `url`."""
        if not self.near(url):
            self._host(url).delay_s = min(seconds, LONGEST_BACKOFF_S)

    def hold(self, url: str, wait_s: float | None) -> None:
        """Let nobody ask the host of `url` for the next `wait_s` seconds, at most ten minutes.

        None is for a host that did not say how long: a minute, and then half as often as before.
        Turns given out before are void.
        """
        host, pace = self._host(url), self._pace(url)
        with host.lock:
            now = self.clock.now()
            if now >= host.held_until:  # else another thread's answer has said so already
                host.denials += 1
                if wait_s is None:
                    self._slow_down(host, pace, now)
            pause_s = min(PAUSE_S, PAUSE_S * self.backoff_s) * self._share(url)
            held_s = pause_s if wait_s is None else min(wait_s, LONGEST_PAUSE_S)
            host.held_until = max(host.held_until, now + held_s)
            host.holds += 1
            for each in host.paces.values():
                step_s = max(each.step_s * host.slower, host.delay_s)
                used_at = now if each.taken_at is None else each.taken_at
                each.next_at = max(host.held_until, used_at + step_s)

    def _slow_down(self, host: _Host, pace: _Pace, now: float) -> None:
        if pace.step_s:
            host.slower *= 2
        else:  # no rate was set: half of what it has been
            seen_s = now - (pace.first_at if pace.first_at is not None else now)
            pace.step_s = 2 * seen_s / max(pace.turns, 1)

    def back_off(self, url: str, attempt: int) -> None:
        """Sleep before try number `attempt` + 1: up to twice as long each time, full jitter."""
        longest_s = min(LONGEST_BACKOFF_S, self.backoff_s * 2 ** (attempt - 1))
        self.sleep(random.uniform(0, longest_s) * self._share(url))

    def sleep(self, seconds: float) -> None:
        """Sleep; raises Halted at once when the run is being stopped."""
        if self.clock.sleep(seconds, self.halt):
            raise Halted

    def connected(self, url: str, good: bool, *, refused: bool = False) -> None:
        """Note whether a connection came about, or was refused."""
        host = self._host(url)
        with host.lock:
            host.failures = 0 if good else host.failures + 1
            host.refusals = host.refusals + 1 if refused else 0

    def answered(self, url: str) -> None:
        """Note that the host gave an answer that is no request to wait."""
        self._host(url).denials = 0

    def check(self, url: str) -> None:
        """Raise Refused when the host is to be left alone.

        It refused every connection lately, or kept telling us to wait: asking on would be rude,
        and some answer it with a longer block.
        """
        host = self._host(url)
        if host.failures >= CONNECT_FAILURES:
            shut = host.refusals >= CONNECT_FAILURES and not self.near(url)
            reason = "blocked" if shut else "unreachable"
            raise Refused(reason, again=True)
        if host.denials >= DENIALS:
            raise Refused("rate-limited", 429, again=True)

    def left(self) -> list[str]:
        """Return the hosts that are left alone by now, sorted."""
        with self._lock:
            known = sorted(self._hosts.items())
        return [n for n, h in known if h.failures >= CONNECT_FAILURES or h.denials >= DENIALS]

    def _share(self, url: str) -> float:
        return 0.05 if self.near(url) else 1.0

    def _host(self, url: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(urlsplit(url).netloc.lower(), _Host())

    def _pace(self, url: str) -> _Pace:
        host, parts = self._host(url), urlsplit(url)
        ceilings = [c for c in CEILINGS if c[0] == parts.hostname and parts.path.startswith(c[1])]
        prefix = ceilings[0][1] if ceilings else "/"
        with host.lock:
            if prefix not in host.paces:
                rate = self.rate
                if not self.near(url):
                    ceiling = CEILINGS[ceilings[0]] if ceilings else FOREIGN_RATE
                    rate = min(rate, ceiling) if rate and ceilings else rate or ceiling
                host.paces[prefix] = _Pace(1 / rate if rate else 0.0)
            return host.paces[prefix]


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds a Retry-After header asks for, a number or a date, or None."""
    if not value:
        return None
    try:
        return float(min(max(0, int(value)), 10**9))
    except ValueError:
        pass
    told = http_date(value)
    return max(0.0, (told - (now or datetime.now(UTC))).total_seconds()) if told else None
