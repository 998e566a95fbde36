"""Ten thousand pictures, one group of five thousand among them, in a real Chromium."""

import gzip
import json

import pytest
import requests
from playwright.sync_api import Page
from review_browser import browser, eventually, open_page, page, press, saved
from review_probe import PROBE, first_view_s, latencies_ms, share
from review_tools import served, write_board

from mapmaker.workspace import Dataset

pytestmark = pytest.mark.browser
__all__ = ["browser", "page"]
COUNT = 10_000
FIRST_VIEW_S = 1.0  # 0.5 s on a quiet core; a busy machine may need another try
LATENCY_MS = 50.0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    copies = [
        {"id": n, "rule": "duplicate-near", "reason": "the same map", "keeper": 0}
        for n in range(1, 5000)
    ]
    home = tmp_path_factory.mktemp("large")
    return write_board(home, COUNT, suggestions=copies, groups=[range(5000)], files=False)


def test_the_first_view_is_there_at_once(large: Dataset, page: Page) -> None:
    """Every picture in view within the second, few nodes, and keys painted within 50 ms."""
    page.add_init_script(PROBE)
    with served(large) as (_, url):
        requests.get(url, timeout=10)
        for _ in range(3):
            open_page(page, url)
            if (first_s := first_view_s(page)) < FIRST_VIEW_S:
                break
        nodes = page.evaluate("document.querySelectorAll('*').length")
        press(page, "n")
        for _ in range(30):
            page.keyboard.press("x")
            page.wait_for_timeout(40)
        keys_ms = latencies_ms(page)
        page.keyboard.press("End")
        there = "all => all.every((i) => i.complete && i.naturalWidth)"
        eventually(lambda: page.locator(".cell img").evaluate_all(there))
        after = page.evaluate("document.querySelectorAll('*').length")
        last = page.locator("#now-name").inner_text()

    print(f"first view {first_s:.2f} s, {nodes} nodes, key {share(keys_ms, 0.5):.1f} ms median")
    assert first_s < FIRST_VIEW_S
    assert (nodes < 400, after < 400, last) == (True, True, "Map 9999")
    assert share(keys_ms, 0.5) < LATENCY_MS


def test_a_group_of_five_thousand_is_one_of_many(large: Dataset, page: Page) -> None:
    """It is compared a page at a time, accepted with one key, and undone with one."""
    with served(large) as (_, url):
        open_page(page, url)
        before = list(saved(large).values()).count("drop")
        press(page, "Home b End")
        assert page.locator(".panel").count() <= 6
        assert page.locator("#compare-place").inner_text().endswith("of 5000")
        press(page, "g r Enter")
        eventually(lambda: list(saved(large).values()).count("drop") == 4999)
        press(page, "Escape z")
        eventually(lambda: list(saved(large).values()).count("drop") == before)


def test_ten_thousand_rows_are_a_small_download(large: Dataset) -> None:
    """Columns and numbers instead of rows and names: packed, less than a megabyte."""
    with served(large) as (_, url):
        asked = requests.get(url + "api/pictures", timeout=10, stream=True)
        packed = asked.raw.read(decode_content=False)
        states = requests.get(url + "api/marks", timeout=10).content

    assert asked.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(packed))["id"]) == COUNT
    assert len(packed) < 1_000_000 and len(states) < 12_000
