"""robots.txt as RFC 9309 has it, and what the manifest says when a person overrides it."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scrape_tools import NAME, gaps, run
from web_tools import SandGlass, served, source, web

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.replica import Replica
from mapmaker.scrape.robots import MOST_BYTES


def answering(robots):
    """A server whose robots.txt is what `robots(reply)` says."""

    def answer(reply, tries):
        if reply.path == "/robots.txt":
            robots(reply)
        else:
            reply.say(200, b"here")

    answer.robots = True  # type: ignore[attr-defined]
    return answer


def ask(robots, path="/x", count=1, **options):
    """Ask for `path` where robots.txt is such; return what came of each, and the server's log."""
    results = []
    with served(answering(robots)) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        known = {"allow_host": host, "rate": None, "tries": 2}
        net = web(source(host), clock=SandGlass(), **{**known, **options})
        for _ in range(count):
            try:
                results.append(net.page(f"http://{host}{path}")[1].robots)
            except Refused as refused:
                results.append(refused.reason)
        return results, [r.path for r in server.log.requests], net


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_no_file_allows_everything(status):
    """4xx is 'unavailable': there are no rules."""
    results, _, _ = ask(lambda reply: reply.say(status, b"Disallow: /"))

    assert results == ["allowed"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_file_that_cannot_be_read_allows_nothing(status):
    """5xx is 'unreachable': everything is forbidden, and it may pass. We take 429 for the same."""
    results, paths, _ = ask(lambda reply: reply.say(status, b""), count=3)

    assert set(results) <= {"server-error", "rate-limited"}
    assert set(paths) == {"/robots.txt"}


def test_it_is_asked_for_once_a_run():
    """However many addresses there are."""
    _, paths, _ = ask(lambda reply: reply.say(200, b"User-agent: *\nAllow: /"), count=5)

    assert paths.count("/robots.txt") == 1


def test_rules_for_our_name_count_before_those_for_everybody():
    """The most specific group is ours."""
    text = b"User-agent: *\nDisallow: /\n\nUser-agent: mapmaker\nDisallow: /private\n"

    assert ask(lambda reply: reply.say(200, text))[0] == ["allowed"]
    assert ask(lambda reply: reply.say(200, text), "/private/x")[0] == ["robots"]


@pytest.mark.parametrize(("lies", "verdict"), [(-200, "robots"), (200, "allowed")])
def test_what_lies_behind_500_kib_does_not_count(lies, verdict):
    """A file without end is read so far and no further, and its beginning holds."""
    rule = b"\nUser-agent: *\nDisallow: /\n"
    text = b"#" * (MOST_BYTES + lies) + rule + b"#" * 300_000

    results, _, _ = ask(lambda reply: reply.say(200, text))

    assert results == [verdict]


def test_it_may_lie_elsewhere_on_the_same_host():
    """A redirect is followed, five deep; a circle is as good as no file."""

    def moved(reply):
        reply.say(302, b"", {"Location": "/robots.txt?2"})

    def elsewhere(reply, tries):
        if reply.path == "/robots.txt?2":
            reply.say(200, b"User-agent: *\nDisallow: /x\n")
        elif reply.path == "/robots.txt":
            moved(reply)
        else:
            reply.say(200, b"here")

    elsewhere.robots = True  # type: ignore[attr-defined]
    with served(elsewhere) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        with pytest.raises(Refused, match="robots"):
            web(source(host), allow_host=host).page(f"http://{host}/x")
    circle = lambda reply: reply.say(302, b"", {"Location": "/robots.txt"})  # noqa: E731
    assert ask(circle)[0] == ["allowed"]


def test_a_delay_between_requests_is_kept():
    """Crawl-delay is no part of the standard, and kept all the same, up to a minute."""
    clock = SandGlass()
    times = []
    text = b"User-agent: *\nCrawl-delay: 7\n"

    def answer(reply, tries):
        times.append(clock.now())
        reply.say(200, text if reply.path == "/robots.txt" else b"here")

    answer.robots = True  # type: ignore[attr-defined]
    with served(answer) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        net = web(source(host), clock=clock, allow_host=host)
        for _ in range(4):
            net.page(f"http://{host}/x")

    assert all(b - a >= 7 for a, b in pairwise(times[1:]))


def test_overriding_is_written_into_the_manifest(workspace):
    """--ignore-robots fetches what is forbidden, and each picture's row says that it was."""
    with Replica(maps=4, side_px=48, drawn=False, faults=False, robots="no-pictures") as archive:
        run(workspace, archive)
        refused = set(gaps(workspace).values())
        done = run(workspace, archive, ignore_robots=True, verify=True)
        rows = workspace.dataset(NAME).rows()
        again = run(workspace, archive)

    assert refused == {"robots"}
    assert done.exit_code == 0 and len(rows) > 0
    assert {r["robots"] for r in rows} == {"ignored"}
    assert again.data["pictures"] == len(rows)
    assert workspace.dataset(NAME).rows() == rows


def test_what_is_allowed_is_not_marked_as_overridden(workspace):
    """The flag alone marks nothing: only what robots.txt forbids."""
    with Replica(maps=4, side_px=48, drawn=False, faults=False) as archive:
        run(workspace, archive, ignore_robots=True)

    assert {r["robots"] for r in workspace.dataset(NAME).rows()} == {"allowed"}


@pytest.mark.parametrize("word", ["noai", "noimageai", "noarchive, NoAI"])
def test_a_header_against_training_is_kept_with_the_picture(tmp_path, word):
    """Asked for all the same, X-Robots-Tag travels with the answer: no shard will hold it."""
    out = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(out, "PNG")
    with served(lambda r, n: r.say(200, out.getvalue(), {"X-Robots-Tag": word})) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        asker = web(source(host), allow_host=host, with_refused=True)
        answer = asker.file(f"http://{host}/x.png", tmp_path / "x")

    assert answer.against == f"x-robots-tag: {word}"
