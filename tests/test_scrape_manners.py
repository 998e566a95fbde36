"""How we treat hosts, on a clock of sand where minutes pass in milliseconds, and on a real one."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from web_tools import PUBLIC, Box, SandGlass, served, source, web

from mapmaker.errors import BadConfig
from mapmaker.scrape.answer import Refused
from mapmaker.scrape.config import ScrapeConfig, check_contact
from mapmaker.scrape.crew import work_through
from mapmaker.scrape.manners import Manners, retry_after_s

GOOD = "maps.example"


class Timed(SandGlass):
    """Notes how long everybody slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds, halt):
        if seconds > 0:
            self.slept.append(seconds)
        return super().sleep(seconds, halt)


def asked(answer, count, tmp_path, *, jobs=1, **options):
    """Fetch `count` files by `jobs` threads; return when the server was asked, and what came."""
    clock, times, lock = Timed(), [], threading.Lock()

    def note(reply, tries):
        with lock:
            times.append(clock.now())
            number = len(times)
        answer(reply, number)

    with served(note) as server:
        internet = Box(server, maps_example=[[PUBLIC]])
        known = {"rate": None, "backoff_s": 1.0, "tries": 5, "jobs": jobs}
        net = web(source(GOOD), internet, clock, **{**known, **options})

        def fetch(n):
            try:
                return net.file(f"http://{GOOD}/{n}.jpg", tmp_path / f"{n}.part").attempts
            except Refused as refused:
                return refused

        results = dict(r for r in work_through(range(count), fetch, jobs, net.halt) if r)
    return times, [results[n] for n in range(count)], clock, net


def refuse_once(status, **headers):
    def answer(reply, number):
        if number == 4:
            reply.say(status, b"", {k.replace("_", "-"): v for k, v in headers.items()})
        else:
            reply.say(200, b"x")

    return answer


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("jobs", [1, 4])
def test_after_an_answer_to_wait_a_host_is_left_alone_for_a_minute(tmp_path, status, jobs):
    """Without Retry-After: no request of any thread for 60 s, then half as many as before."""
    times, results, _, _ = asked(refuse_once(status), 12, tmp_path, jobs=jobs)

    until = times[3] + 60
    under_way = [t for t in times[4:] if t < until]
    after = [t for t in times[4:] if t >= until]
    assert sorted(results)[:11] == [1] * 11 and max(results) == 2
    assert len(under_way) <= jobs - 1
    # The clock may run on while what was sent before is on its way: up to three come late.
    assert all(t >= until + 2 * n - 0.01 for n, t in enumerate(after[jobs - 1 :]))
    assert jobs > 1 or after[-1] <= until + 2 * len(after)


def test_a_turn_given_out_before_the_answer_to_wait_is_void():
    """A thread that already waits for its turn waits for the end of the pause as well."""
    manners = Manners(10.0, 1.0, threading.Event())
    came = []
    manners.wait("http://maps.example/")
    waiting = threading.Thread(
        target=lambda: (manners.wait("http://maps.example/"), came.append(time.monotonic()))
    )
    waiting.start()
    manners.hold("http://maps.example/", 0.4)
    until = time.monotonic() + 0.39
    waiting.join()

    assert came[0] >= until


@pytest.mark.parametrize(
    ("wait", "least"), [("7", 7), ("200", 200), ("86400", 600), ("0", 1), ("soon", 60)]
)
def test_a_host_that_says_how_long_is_waited_for_that_long(tmp_path, wait, least):
    """Seconds are kept to, at most ten minutes of them; nonsense is a minute."""
    times, _, _, _ = asked(refuse_once(429, Retry_After=wait), 6, tmp_path)

    assert least <= times[4] - times[3] < least + 3
    assert times[5] - times[4] < 1.1 or wait == "soon"


def test_a_date_to_come_back_is_kept(tmp_path):
    """Retry-After as a date, by the clock of the run."""
    when = format_datetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=1100), usegmt=True)

    times, _, _, _ = asked(refuse_once(503, Retry_After=when), 6, tmp_path)

    assert 1100 <= times[4] < 1103


def test_a_host_that_only_ever_says_wait_is_left_for_this_run(tmp_path):
    """Five answers in a row that say wait: nobody asks again, and all is to be had another time."""
    times, results, _, net = asked(lambda r, n: r.say(429, b""), 50, tmp_path, jobs=4)

    assert len(times) <= 5 + 3
    assert {r.reason for r in results} == {"rate-limited"} and all(r.again for r in results)
    assert net.manners.left() == [GOOD]


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
def test_what_may_pass_is_tried_five_times_with_growing_random_pauses(tmp_path, status):
    """Full jitter: before try n + 1 anything up to 2 ** (n - 1) seconds."""
    times, results, clock, _ = asked(lambda r, n: r.say(status, b""), 3, tmp_path, rate=1000.0)

    pauses = [p for p in clock.slept if p > 0.0011]
    assert len(times) == 15 and all(r.attempts == 5 for r in results)
    assert len(pauses) <= 12
    assert max(pauses) <= 8
    assert len({round(p, 6) for p in pauses}) == len(pauses)


def test_pauses_between_tries_end_at_a_minute():
    """The cap of the growth, and its whole range is used."""
    clock = Timed()
    manners = Manners(None, 1.0, threading.Event(), clock=clock)

    for _ in range(400):
        manners.back_off("http://maps.example/", 20)

    assert 55 < max(clock.slept) <= 60 and min(clock.slept) < 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_what_is_final_is_asked_once(tmp_path, status):
    """404, 410, 403 and their like mean what they say."""
    times, results, _, _ = asked(lambda r, n: r.say(status, b"no"), 3, tmp_path)

    assert len(times) == 3
    assert {r.attempts for r in results} == {1} and not any(r.again for r in results)


def test_a_reset_is_tried_again(tmp_path):
    """A connection that breaks before an answer is a bad moment."""
    times, results, _, _ = asked(
        lambda r, n: r.hang_up() if n < 3 else r.say(200, b"x"), 1, tmp_path
    )

    assert len(times) == 3 and results == [3]


def test_three_refused_connections_are_a_block(tmp_path):
    """No fourth is tried, by no thread; other hosts are still asked."""
    with served(lambda r, n: r.say(200, b"x")) as server:
        addresses = {"maps_example": [[PUBLIC]], "shut_example": [["198.41.0.4"]]}
        internet = Box(server, **addresses)
        net = web(source(GOOD, "shut.example"), internet, SandGlass(), tries=5)
        for n in range(4):
            with pytest.raises(Refused, match="blocked") as refused:
                net.file(f"http://shut.example/{n}.jpg", tmp_path / "x.part")
            assert refused.value.again
        net.file(f"http://{GOOD}/1.jpg", tmp_path / "y.part")

    assert len([a for a, _ in internet.dialled if a == "198.41.0.4"]) == 3
    assert net.manners.left() == ["shut.example"]


@pytest.mark.parametrize(
    ("url", "a_minute"),
    [
        ("https://web.archive.org/cdx/search/cdx?url=x", 24),
        ("https://web.archive.org/web/2016id_/http://maps.example/", 480),
        ("http://maps.example/x.jpg", 60),
    ],
)
@pytest.mark.parametrize("rate", [None, 100.0])
def test_ceilings_hold_whatever_is_asked_for(url, a_minute, rate):
    """The Internet Archive's are fixed; another host's default gives way to --rate."""
    clock = SandGlass()
    manners = Manners(rate, 1.0, threading.Event(), clock=clock)
    times = []
    for _ in range(3 * a_minute):
        manners.wait(url)
        times.append(clock.now())

    if rate and "archive" not in url:
        a_minute = 6000
    in_a_minute = (len(times) - 1) / (times[-1] - times[0]) * 60
    assert in_a_minute == pytest.approx(a_minute, rel=0.01)
    windows = [sum(t <= u < t + 60 for u in times) for t in times]
    assert max(windows) <= a_minute + 1


def test_the_index_of_the_archive_does_not_slow_its_pages_down():
    """Each has turns of its own; a pause holds for both."""
    clock = SandGlass()
    manners = Manners(None, 1.0, threading.Event(), clock=clock)
    began = clock.now()
    manners.wait("https://web.archive.org/cdx/search/cdx")
    manners.wait("https://web.archive.org/web/2016id_/x")
    both = clock.now() - began
    manners.hold("https://web.archive.org/cdx/search/cdx", 30)
    manners.wait("https://web.archive.org/web/2016id_/x")

    assert both == 0
    assert clock.now() - began >= 30


def test_the_rate_is_kept_within_five_percent():
    """Real threads on the real clock: 120 turns at 200 a second, however late each thread wakes."""
    best = 1.0
    for _ in range(3):  # somebody else may have the processor: a try may be late, none may be early
        manners = Manners(200.0, 1.0, threading.Event())
        times = []

        def take_turns(manners=manners, times=times):
            for _ in range(15):
                manners.wait("http://maps.example/")
                times.append(time.monotonic())

        threads = [threading.Thread(target=take_turns) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = (len(times) - 1) / (max(times) - min(times))
        assert rate < 200 * 1.05
        best = min(best, abs(rate / 200 - 1))

    assert best < 0.05


def test_no_millisecond_sees_more_requests_than_jobs(tmp_path):
    """A thousand addresses at once: at most eight in flight, over eight connections in all."""
    with served(lambda r, n: r.say(200, b"x" * 2000)) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        config = {"jobs": 8, "rate": None, "ignore_robots": True}
        net = web(source(host), via=server.url, **config)

        def fetch(n):
            return net.file(f"http://{host}/{n}.jpg", tmp_path / f"{n % 50}-{n}.part").bytes

        results = [r for r in work_through(range(1000), fetch, 8, net.halt) if r]
        log = [r for r in server.log.requests if r.path != "/robots.txt"]

    assert len(results) == len(log) == 1000
    events = [(r.at_s, 1) for r in log]
    # The server notes an end after its last byte has left, when the next question may be here.
    events += [(max(r.at_s, r.ended_s - 0.001), -1) for r in log if r.ended_s]
    level, most = 0, 0
    for _, step in sorted(events):
        level += step
        most = max(most, level)
    assert most <= 8
    assert len({r.connection for r in log}) <= 8


def test_a_broken_page_does_not_cost_the_connection(tmp_path):
    """Errors and redirects with their small bodies leave the connection open for the next."""
    kinds = [(404, {}), (500, {}), (302, {"Location": "/elsewhere.gif"}), (200, {})]

    def answer(reply, tries):
        status, headers = kinds[int(reply.path[1:-4]) % 4]
        reply.say(status, b"x" * 3000, headers)

    with served(answer) as server:
        internet = Box(server, maps_example=[[PUBLIC]])
        net = web(source(GOOD, pictures=["jpg$"]), internet, SandGlass())
        for n in range(40):
            try:
                net.file(f"http://{GOOD}/{n}.jpg", tmp_path / "x.part")
            except Refused:
                continue

    assert len(internet.dialled) == 1


def test_a_stranger_is_not_asked_without_a_name_to_write_to(monkeypatch):
    """No contact, no request to anybody else's host; loopback and replicas need none."""
    monkeypatch.delenv("MAPMAKER_CONTACT", raising=False)
    one_way = ScrapeConfig(via=f"{GOOD}=http://127.0.0.1:8000", wayback=True)
    for config in (ScrapeConfig(), ScrapeConfig(via="http://maps.example:8000"), one_way):
        with pytest.raises(BadConfig, match="reach you") as error:
            check_contact([GOOD], config)
        assert "--contact" in error.value.hint
    check_contact([GOOD], ScrapeConfig(via="http://127.0.0.1:8000"))
    check_contact(["127.0.0.1:8000"], ScrapeConfig(wayback=False))
    check_contact([GOOD], ScrapeConfig(contact="dm@example.org"))
    monkeypatch.setenv("MAPMAKER_CONTACT", "dm@example.org")
    check_contact([GOOD], ScrapeConfig())


def test_the_command_line_says_what_to_give(mapmaker, monkeypatch):
    """Exit code 2 and one line with the option, before anything is asked for."""
    monkeypatch.delenv("MAPMAKER_CONTACT", raising=False)

    result = mapmaker("scrape")

    assert result.code == 2
    assert "--contact you@example.org" in result.err


def test_retry_after_is_read_as_seconds_and_as_a_date():
    """Both forms of the header count, nonsense does not, the past is now."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert retry_after_s("7") == 7
    assert retry_after_s(format_datetime(now + timedelta(seconds=30), usegmt=True), now) == 30
    assert retry_after_s("Fri, 31 Dec 1999 23:59:59 GMT", now) == 0
    assert retry_after_s("soon") is None and retry_after_s(None) is None
    assert retry_after_s("-3") == 0 and retry_after_s("9" * 400) > 600
    assert retry_after_s("9" * 5000) is retry_after_s("Fri, 1 Jan 99999999999 00:00:00 GMT") is None
    assert retry_after_s("Thu, 01 Jan 2026 00:00:09 -0000", now) == 9
