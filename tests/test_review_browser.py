"""The review page in a real Chromium, by keyboard alone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from test_review import dataset, served

from mapmaker.prune.decisions import Decisions
from mapmaker.workspace import Dataset

pytestmark = pytest.mark.browser
__all__ = ["dataset"]
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium, installed by `make test`; without it these tests fail and say how to get it."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install -y chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A fresh tab that fails the test on any script error or request to another host."""
    opened = browser.new_page(viewport={"width": 1200, "height": 800})
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda r: None if r.url.startswith(("http://127.0.0.1:", "data:")) else wrong.append(r.url),
    )
    yield opened
    opened.close()
    assert wrong == []


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("body[data-ready=yes]")


def saved(dataset: Dataset) -> dict[str, str]:
    """Return the last state of each picture by file name."""
    names = {row["id"]: row["file"].removeprefix("pictures/") for row in dataset.rows()}
    with Decisions(dataset.decisions) as decisions:
        return {names[id]: mark.state for id, mark in decisions.all().items()}


def eventually(check: Callable[[], bool]) -> None:
    """Wait until `check` holds; fail after five seconds."""
    end = time.monotonic() + 5
    while not check():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def selected(page: Page) -> str:
    return page.locator(
        '.card[aria-selected="true"] .size, .card[aria-selected="true"] .name'
    ).first.get_attribute("title")


def test_a_whole_review_by_keyboard(dataset: Dataset, page: Page) -> None:
    """Keep, drop, clear, undo, move, enlarge, help, filter and finish: every key, no mouse."""
    keys = page.keyboard
    with served(dataset) as (process, url):
        open_page(page, url)
        assert selected(page) == "pictures/0.png"

        for key in ("p", "x", "p", "ArrowRight", "x", "u"):
            keys.press(key)
        assert selected(page) == "pictures/5.png"
        eventually(lambda: len(saved(dataset)) == 5)
        assert saved(dataset) == {
            "0.png": "keep",
            "1.png": "drop",
            "2.png": "keep",
            "3.png": "drop",
            "4.png": "undecided",
        }

        keys.press("z")
        expect(page.locator("#said")).to_contain_text("Undone. Map 4")
        keys.press("Control+z")
        expect(page.locator("#said")).to_contain_text("Undone. Map 3")
        assert selected(page) == "pictures/3.png"
        assert saved(dataset)["3.png"] == "undecided"

        keys.press("Home")
        keys.press("Enter")
        expect(page.locator("#loupe")).to_be_visible()
        keys.press("x")
        assert page.locator("#loupe-name").inner_text() == "Map 1 <b>&amp;"
        keys.press("Escape")
        expect(page.locator("#loupe")).to_be_hidden()
        eventually(lambda: saved(dataset)["0.png"] == "drop")

        keys.press("?")
        expect(page.locator("#help")).to_be_visible()
        keys.press("x")
        keys.press("Escape")
        keys.press("f")
        keys.press("f")
        assert page.locator(".card").count() == 2
        expect(page.locator("#filters [aria-checked=true]")).to_contain_text("Suggested")
        expect(page.locator(".card .why").first).to_contain_text("the same map, turned or mirrored")
        keys.press("f")
        assert page.locator(".card").count() == 2
        expect(page.locator("#count")).to_have_text("3 of 8 decided · 2 dropped")

        keys.press("Control+Enter")
        expect(page.locator("body")).to_contain_text("Saved.")
        assert process.wait(10) == 0
    assert saved(dataset)["1.png"] == "drop"


def test_marks_wait_while_the_server_is_away(dataset: Dataset, page: Page) -> None:
    """With the server gone the page takes marks and says so; they arrive when it is back."""
    with served(dataset) as (process, url):
        open_page(page, url)
        requests_path = "**/api/marks"
        page.route(requests_path, lambda route: route.abort())
        for key in ("p", "x"):
            page.keyboard.press(key)
        expect(page.locator("#away")).to_contain_text("2 marks wait")
        assert saved(dataset) == {}

        page.unroute(requests_path)
        eventually(lambda: saved(dataset) == {"0.png": "keep", "1.png": "drop"})
        expect(page.locator("#away")).to_be_hidden()
        assert process.poll() is None


def test_a_reload_resumes_at_the_first_undecided(dataset: Dataset, page: Page) -> None:
    """After a reload the marks are drawn as they were and the selection is on what is left."""
    with served(dataset) as (_, url):
        open_page(page, url)
        page.keyboard.press("p")
        page.keyboard.press("x")
        eventually(lambda: len(saved(dataset)) == 2)

        open_page(page, url)

        assert selected(page) == "pictures/2.png"
        expect(page.locator(".badge").nth(1)).to_have_text("✕ drop")


def test_a_held_key_decides_once(dataset: Dataset, page: Page) -> None:
    """Holding X down drops one map, not thirty a second."""
    with served(dataset) as (_, url):
        open_page(page, url)
        for _ in range(5):
            page.keyboard.down("x")
        page.keyboard.up("x")

        eventually(lambda: len(saved(dataset)) == 1)
        page.wait_for_timeout(200)

        assert saved(dataset) == {"0.png": "drop"}


def test_the_page_speaks_to_a_screen_reader(dataset: Dataset, page: Page) -> None:
    """Cards are options with their name, state and reason; exactly one is in the tab order."""
    with served(dataset) as (_, url):
        open_page(page, url)
        page.keyboard.press("x")

        snapshot = page.locator("#grid").aria_snapshot()

        assert 'option "Map 0 <b>&amp;, dropped"' in snapshot
        assert "suggested: drop? duplicate, near" in snapshot
        assert page.locator('.card[tabindex="0"]').count() == 1
        assert page.evaluate("document.activeElement.id").startswith("card-")
