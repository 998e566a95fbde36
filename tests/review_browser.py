"""A real Chromium for the tests of the page, and what they do with it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from review_tools import number_id

from mapmaker.prune.decisions import Decisions
from mapmaker.workspace import Dataset

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab that fails the test on any script error or request to another host."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on(
        "request",
        lambda r: None if r.url.startswith(("http://127.0.0.1:", "data:")) else wrong.append(r.url),
    )
    context.on(
        "console",
        lambda m: wrong.append(m.text) if "Content Security Policy" in m.text else None,
    )
    yield context.new_page()
    context.close()
    assert wrong == []


def open_page(page: Page, url: str) -> None:
    """Load the page and wait until it takes keys."""
    page.goto(url)
    page.wait_for_selector("body[data-ready=yes]")


def saved(dataset: Dataset) -> dict[int, str]:
    """Return the last state of each picture that was ever marked, by its number."""
    numbers = {number_id(n): n for n in range(len(dataset.rows()))}
    with Decisions(dataset.decisions) as decisions:
        return {numbers[id]: mark.state for id, mark in decisions.all().items()}


def eventually(check: Callable[[], bool], within_s: float = 8) -> None:
    """Wait until `check` holds; fail when it never does."""
    end = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.03)


def press(page: Page, keys: str) -> None:
    """Press keys one after the other."""
    for key in keys.split():
        page.keyboard.press(key)
