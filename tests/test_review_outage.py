"""The page while the server is away, killed, or answers into the void: no mark is lost."""

import random
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from review_browser import browser, eventually, open_page, page, press, saved
from review_tools import number_id, served, write_board

from mapmaker.prune.decisions import Decisions
from mapmaker.workspace import Dataset

pytestmark = pytest.mark.browser
__all__ = ["browser", "page"]
STEPS = "**/api/steps"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return write_board(tmp_path, 40)


def history(dataset: Dataset) -> list[tuple[str, str]]:
    """Return (id, state) of every mark ever made."""
    with Decisions(dataset.decisions) as decisions:
        return [(row["id"], row["state"]) for row in decisions.history()]


def waiting(page: Page) -> int:
    """Return how many steps lie in the browser."""
    return page.evaluate("Object.keys(localStorage).filter((k) => /^mapmaker.own-/.test(k)).length")


def port_of(url: str) -> int:
    return int(url.rstrip("/").rsplit(":", 1)[1])


def test_a_killed_server_loses_nothing_and_the_page_goes_on(dataset: Dataset, page: Page) -> None:
    """kill -9, marks, undo and redo without a server, a new server: all arrive in order."""
    with served(dataset) as (process, url):
        open_page(page, url)
        press(page, "p x")
        eventually(lambda: len(saved(dataset)) == 2 and waiting(page) == 0)
        process.kill()
        process.wait()
        press(page, "x p x z z Shift+Z")
        expect(page.locator("#away")).to_contain_text("6 steps wait here")
        assert saved(dataset) == {0: "keep", 1: "drop"}

        with served(dataset, port_of(url)):
            eventually(lambda: saved(dataset).get(4) == "undecided")
            expect(page.locator("#away")).to_be_hidden()
            states = page.locator(".cell").evaluate_all(
                "a => a.slice(0, 5).map(c => c.dataset.state)"
            )

    assert saved(dataset) == {0: "keep", 1: "drop", 2: "drop", 3: "keep", 4: "undecided"}
    assert states == ["keep", "drop", "drop", "keep", "undecided"]
    assert [state for _, state in history(dataset)] == [
        *("keep", "drop", "drop", "keep", "drop"),
        *("undecided", "undecided", "keep"),
    ]


def test_marks_outlive_a_reload_and_a_closed_tab(dataset: Dataset, page: Page) -> None:
    """What the server has not taken is there after a reload, and any later tab delivers it."""
    with served(dataset) as (_, url):
        context = page.context
        context.route(STEPS, lambda route: route.abort())
        open_page(page, url)
        press(page, "p x")
        expect(page.locator("#away")).to_contain_text("2 steps wait here")
        open_page(page, url)
        expect(page.locator("#cell-1")).to_have_attribute("data-state", "drop")
        assert (waiting(page), saved(dataset)) == (2, {})

        page.close()
        context.unroute(STEPS)
        open_page(context.new_page(), url)
        eventually(lambda: saved(dataset) == {0: "keep", 1: "drop"})


def test_an_answer_that_was_lost_counts_once(dataset: Dataset, page: Page) -> None:
    """The server took the marks and the answer never came: sent again, they are done once."""

    def swallow(route) -> None:
        route.fetch()
        route.abort()

    with served(dataset) as (_, url):
        page.route(STEPS, swallow)
        open_page(page, url)
        press(page, "x z x")
        eventually(lambda: waiting(page) > 0 and len(history(dataset)) == 3)
        page.unroute_all(behavior="ignoreErrors")
        eventually(lambda: waiting(page) == 0)
        expect(page.locator("#away")).to_be_hidden()

    assert [state for _, state in history(dataset)] == ["drop", "undecided", "drop"]


def test_marks_of_one_data_set_never_reach_another(tmp_path: Path, page: Page) -> None:
    """Two data sets of one name, one after the other on one port: each gets its own marks."""
    first, second = write_board(tmp_path / "a", 4), write_board(tmp_path / "b", 4)
    with served(first) as (process, url):
        open_page(page, url)
        process.kill()
        process.wait()
    press(page, "x")
    expect(page.locator("#away")).to_be_visible()

    with served(second, port_of(url)):
        page.wait_for_event("load")  # the open page sees that this is not its data set
        page.wait_for_selector("body[data-ready=yes]")
        press(page, "p")
        eventually(lambda: saved(second) == {0: "keep"})
    assert waiting(page) == 1

    with served(first, port_of(url)):
        open_page(page, url)
        eventually(lambda: saved(first) == {0: "drop"})


def test_kill_nine_at_random_moments_loses_no_acknowledged_mark(
    dataset: Dataset, page: Page
) -> None:
    """However often the server dies, what the page believes is what the file holds at the end."""
    rng = random.Random(5)
    with served(dataset) as (process, url):
        open_page(page, url)
        port, servers = port_of(url), [process]
        for _ in range(4):
            for _ in range(rng.randint(2, 8)):
                press(page, rng.choice("pppxxxuz"))
            time.sleep(rng.random() * 0.05)
            acknowledged = len(history(dataset))
            servers[-1].kill()
            servers[-1].wait()
            press(page, "x p z Shift+Z")
            assert len(history(dataset)) >= acknowledged
            with served(dataset, port) as (again, _):
                eventually(lambda: waiting(page) == 0)
                again.kill()
                again.wait()
        with served(dataset, port):
            open_page(page, url)
            shown = page.locator(".cell").evaluate_all(
                "all => all.map((c) => [+c.id.slice(5), c.dataset.state])"
            )
    marks = saved(dataset)
    assert {n: state for n, state in shown} == {n: marks.get(n, "undecided") for n, _ in shown}
    assert any(state == "drop" for state in marks.values())


def test_a_full_disk_is_said_and_waited_for(dataset: Dataset, page: Page) -> None:
    """When the server cannot write it says so; the marks stay in the browser until it can."""
    sentence = '{"error": "decisions.db cannot be written: the disk is full."}'
    with served(dataset) as (_, url):
        page.route(STEPS, lambda route: route.fulfill(status=507, body=sentence))
        open_page(page, url)
        press(page, "x")
        expect(page.locator("#away")).to_contain_text("the disk is full")
        page.unroute(STEPS)

        eventually(lambda: saved(dataset) == {0: "drop"})


def test_a_refused_mark_is_drawn_back(dataset: Dataset, page: Page) -> None:
    """What the server refuses (another tab was first) is drawn as it is, with the sentence."""
    board = write_board(
        dataset.root.parent.parent / "other",
        4,
        suggestions=[{"id": 1, "rule": "duplicate-near", "reason": "the same", "keeper": 0}],
    )
    with served(board) as (_, url):
        open_page(page, url)
        with Decisions(board.decisions) as command:
            command.mark(number_id(1), "drop")
        press(page, "x")

        expect(page.locator("#said")).to_contain_text("Map 0 stays")
        expect(page.locator("#cell-0")).to_have_attribute("data-state", "undecided")
    assert saved(board) == {1: "drop"}
