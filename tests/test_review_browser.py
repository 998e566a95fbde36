"""The review page in a real Chromium, by keyboard alone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from review_browser import browser, eventually, open_page, page, press, saved
from review_tools import number_id, served, write_board

from mapmaker.prune.decisions import Decisions
from mapmaker.workspace import Dataset

pytestmark = pytest.mark.browser
__all__ = ["browser", "page"]
COPY = {"rule": "duplicate-near", "level": "drop", "reason": "the same map", "keeper": 2}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Eight maps: 3 and 4 are copies of 2, 6 is another floor of 5, 7 should be looked at."""
    return write_board(
        tmp_path,
        8,
        suggestions=[
            COPY | {"id": 3, "also": ["small: 160x160 px"]},
            COPY | {"id": 4},
            {"id": 7, "rule": "dark", "level": "look", "reason": "very dark, or a cave"},
        ],
        relations=[
            (2, 3, {"kind": "turned", "orientation": 5, "note": "by 90 degrees"}),
            (2, 4, {"kind": "reencode", "orientation": 0, "note": ""}),
            (5, 6, {"kind": "floor", "orientation": 0, "note": "level 2"}),
        ],
        groups=[(2, 3, 4), (5, 6)],
    )


def selected(page: Page) -> str:
    return page.locator("#now-name").inner_text()


def said(page: Page) -> str:
    return page.locator("#said").inner_text()


def test_a_whole_review_by_keyboard(dataset: Dataset, page: Page) -> None:
    """Keep, drop, clear, undo, redo, move, filter, search and finish: no mouse."""
    with served(dataset) as (process, url):
        open_page(page, url)
        assert selected(page) == "Map 0"

        press(page, "p x k ArrowRight d u")
        assert selected(page) == "Map 6"
        eventually(lambda: len(saved(dataset)) == 4)
        assert saved(dataset) == {0: "keep", 1: "drop", 2: "keep", 4: "drop"}

        press(page, "z")
        assert "Undone. Map 4: not decided" in said(page)
        press(page, "Control+z Shift+Z")
        assert "Done again. Map 2: kept" in said(page)
        eventually(lambda: saved(dataset)[4] == "undecided" and saved(dataset)[2] == "keep")

        press(page, "End Shift+F")
        expect(page.locator("#filters [aria-checked=true]")).to_contain_text("Groups 5")
        assert page.locator(".cell").count() == 5
        press(page, "Escape f f")
        expect(page.locator("#filters [aria-checked=true]")).to_contain_text("Suggested 3")
        press(page, "Escape / v e r y Enter")
        assert page.locator(".cell").count() == 1
        assert "look: dark: very dark, or a cave" in page.locator("#now-why").inner_text()
        press(page, "x Escape")
        expect(page.locator("#count")).to_have_text("4 of 8 decided · 2 dropped")

        press(page, "Control+Enter")
        expect(page.locator("body")).to_contain_text("Saved.")
        assert process.wait(10) == 0
    assert saved(dataset)[7] == "drop"


def test_every_key_is_on_the_sheet(dataset: Dataset, page: Page) -> None:
    """The ? sheet is drawn from the one table of keys; a key bound to nothing stops the page."""
    with served(dataset) as (_, url):
        open_page(page, url)
        table = page.evaluate("import('/static/keys.js').then((m) => m.KEYS)")
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
        caps = page.locator("#sheet kbd").evaluate_all("all => all.map((c) => c.dataset.key)")

    vim = {"shift+h", "shift+j", "shift+l"}  # beside H, J and L they need no line of their own
    bound = [key for entry in table for key in entry["keys"]]
    assert set(bound) - vim <= set(caps)
    assert {"p", "k", "x", "d", "u", "z", "shift+z", "enter", "e", "b", "shift+p", "?"} <= set(
        bound
    )
    places = [(key, mode) for e in table for key in e["keys"] for mode in e["where"]]
    assert len(places) == len(set(places)), "two meanings for one key"


def test_keys_are_left_alone_where_they_mean_something_else(dataset: Dataset, page: Page) -> None:
    """Typing a search marks nothing; a held X drops one map; Alt and Ctrl stay the browser's."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "/")
        page.keyboard.type("pxd u")
        press(page, "Escape Alt+x Control+d ?")
        press(page, "x Escape")
        for _ in range(5):
            page.keyboard.down("x")
        page.keyboard.up("x")
        eventually(lambda: saved(dataset) == {0: "drop"})
        page.wait_for_timeout(200)

        assert saved(dataset) == {0: "drop"}
        assert selected(page) == "Map 1"


def test_the_loupe_shows_pixels_and_takes_marks(dataset: Dataset, page: Page) -> None:
    """Enter enlarges; arrows go on; Space is 1:1, where arrows pan; marks work; Esc goes back."""
    with served(dataset) as (_, url):
        page.set_viewport_size({"width": 130, "height": 200})
        open_page(page, url)
        image = page.locator("#loupe-image")
        press(page, "Enter ArrowRight x")
        assert page.locator("#loupe-name").inner_text() == "Map 2"
        press(page, "Space")
        assert image.get_attribute("data-zoom") == "pixels"
        before = image.bounding_box()
        press(page, "ArrowLeft")
        after = image.bounding_box()
        assert (round(before["width"]), after["x"] > before["x"]) == (160, True)
        press(page, "PageDown")
        assert page.locator("#loupe-name").inner_text() == "Map 3"
        press(page, "Escape")
        expect(page.locator("#loupe")).to_be_hidden()
        eventually(lambda: saved(dataset) == {1: "drop"})


def test_comparing_says_what_each_picture_is(dataset: Dataset, page: Page) -> None:
    """The keeper comes first and is named so; each copy has its relation, reason and turn."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "n b")
        texts = page.locator(".panel figcaption i").all_inner_texts()
        turns = page.locator(".panel img").evaluate_all("all => all.map((i) => i.style.transform)")
        assert texts == [
            "stays for 2 of these",
            "drop? duplicate, near · the same map · turned or mirrored · by 90 degrees · "
            "small: 160x160 px",
            "drop? duplicate, near · the same map · saved again",
        ]
        assert turns[0] == turns[2] == "none" and turns[1].startswith("scale(-1, 1) matrix(")

        press(page, "ArrowDown")
        texts = page.locator(".panel figcaption i").all_inner_texts()
        assert texts == ["in this group", "another floor: level 2"]
        press(page, "g")
        expect(page.locator("#compare")).to_be_hidden()


def test_shift_p_keeps_one_and_drops_its_copies(dataset: Dataset, page: Page) -> None:
    """One key settles a group, goes to the next, and one undo takes it back; floors stay."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "n ArrowRight Shift+P")
        assert selected(page) == "Map 5"
        eventually(lambda: saved(dataset) == {2: "drop", 3: "keep", 4: "drop"})

        press(page, "Shift+P")
        assert "has no copies" in said(page)
        press(page, "Shift+X")
        eventually(lambda: saved(dataset).get(6) == "drop")
        press(page, "z z")
        eventually(lambda: set(saved(dataset).values()) == {"undecided"})


def test_a_crop_is_a_part_and_no_copy(tmp_path: Path, page: Page) -> None:
    """A whole map may be dropped for its crops; kept with Shift+P it drops them, never they it."""
    crop = {"rule": "crop", "level": "look", "reason": "a part of it", "keeper": 0}
    board = write_board(
        tmp_path, 4, suggestions=[crop | {"id": 1}, crop | {"id": 2}], groups=[(0, 1, 2)]
    )
    with served(board) as (_, url):
        open_page(page, url)
        expect(page.locator("#cell-0 i")).to_have_text("the whole of 2 parts")
        press(page, "ArrowRight Shift+P")
        assert "has no copies" in said(page)
        press(page, "x x Home x")
        eventually(lambda: saved(board) == dict.fromkeys((0, 1, 2), "drop"))
        press(page, "Home Shift+P")
        eventually(lambda: saved(board) == {0: "keep", 1: "drop", 2: "drop"})


def test_the_last_of_a_map_is_protected(dataset: Dataset, page: Page) -> None:
    """The page says at once why a keeper stays when its copies are dropped."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "n ArrowRight x x Home ArrowRight ArrowRight x")

        assert said(page).startswith("Map 2 stays: its 2 copies are dropped already.")
        press(page, "Shift+X")
        eventually(lambda: saved(dataset) == dict.fromkeys((2, 3, 4), "drop"))


def test_a_rule_is_accepted_at_once(dataset: Dataset, page: Page) -> None:
    """R lists the rules; Enter drops what the chosen one suggests; one undo takes all back."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "r")
        lines = page.locator("#rules-list li").all_inner_texts()
        assert [" ".join(line.split()) for line in lines] == [
            "drop? duplicate, near 2 of 2 open",
            "look first dark 1 of 1 open",
        ]
        press(page, "Enter")
        eventually(lambda: saved(dataset) == {3: "drop", 4: "drop"})
        press(page, "z")
        eventually(lambda: set(saved(dataset).values()) == {"undecided"})

        press(page, "ArrowDown Space")
        expect(page.locator("#search")).to_have_value("rule:dark")
        assert selected(page) == "Map 7"


def test_the_undecided_run_dry(dataset: Dataset, page: Page) -> None:
    """Under a filter what is decided goes and the next takes its place; undo brings it back."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "f Enter p p Escape p p p p p p")
        expect(page.locator("#empty")).to_contain_text("Every picture is decided")
        assert page.locator(".cell").count() == 0
        press(page, "x Enter b Shift+P z")

        assert selected(page) == "Map 7"
        press(page, "Escape Home a p p")
        assert selected(page) == "Map 0" and "stays on" not in said(page)
        eventually(lambda: list(saved(dataset).values()).count("keep") == 7)


def test_a_reload_resumes_and_undo_goes_on(dataset: Dataset, page: Page) -> None:
    """After a reload marks are drawn, the first undecided is selected, and Z still undoes."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "p x")
        eventually(lambda: len(saved(dataset)) == 2)
        open_page(page, url)
        assert selected(page) == "Map 2"
        expect(page.locator(".cell").nth(1)).to_have_attribute("data-badge", "✕ drop")

        press(page, "z")
        expect(page.locator("#said")).to_contain_text("Undone. Map 1")
        press(page, "Shift+Z")
        expect(page.locator("#said")).to_contain_text("Done again. Map 1")
        assert saved(dataset) == {0: "keep", 1: "drop"}


def test_a_mark_shows_in_the_other_tab(dataset: Dataset, page: Page) -> None:
    """Two tabs on one data set: what one decides the other draws, and so for a command's marks."""
    with served(dataset) as (_, url):
        other = page.context.new_page()
        open_page(page, url)
        open_page(other, url)
        press(page, "x")
        expect(other.locator("#cell-0")).to_have_attribute("data-state", "drop", timeout=3000)

        with Decisions(dataset.decisions) as command:
            command.mark(number_id(5), "drop", "too dark", "dark@2")
        expect(other.locator("#cell-5")).to_have_attribute("data-state", "drop", timeout=4000)
        press(page, "Control+Enter")
        expect(other.locator("body")).to_contain_text("Saved.")
        other.close()


def test_the_page_speaks_to_a_screen_reader(dataset: Dataset, page: Page) -> None:
    """Cells are options with name, state and reason; the focused list says which is active."""
    with served(dataset) as (_, url):
        open_page(page, url)
        press(page, "x")
        snapshot = page.locator("#grid").aria_snapshot()

        assert 'option "Map 0, dropped"' in snapshot
        assert re.search("suggested: look: dark: very dark", snapshot)
        active = page.evaluate("document.activeElement.getAttribute('aria-activedescendant')")
        assert active == "cell-1"
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, [role=listbox]')].filter((e) => "
            "!(e.getAttribute('aria-label') || e.textContent.trim() || "
            "e.getAttribute('aria-labelledby'))).length"
        )
        assert unnamed == 0


def test_a_narrow_screen_has_everything(dataset: Dataset, page: Page) -> None:
    """At 390 px nothing lies outside the screen, and buttons decide where there are no keys."""
    with served(dataset) as (_, url):
        page.set_viewport_size({"width": 390, "height": 844})
        open_page(page, url)
        wide = page.evaluate("document.documentElement.scrollWidth")
        page.locator("#bar").get_by_role("button", name="Drop").click()
        page.locator("#bar").get_by_role("button", name="Look").click()
        page.locator("#loupe").get_by_role("button", name="Keep").click()
        page.locator("#loupe").get_by_role("button", name="Back").click()

        eventually(lambda: saved(dataset) == {0: "drop", 1: "keep"})
        assert wide <= 390
