"""A whole review by keyboard in a real Chromium: what ten minutes of a person come to.

    mapmaker import MAPS && mapmaker prune own --no-review
    python bench/review.py datasets/own --labels bench/labels.csv --out review

The script presses what a person would: accepts what each rule suggests to drop, settles every
group of copies, looks at what is left and finishes. It drops what the labels call a fault and keeps
the rest; without labels it keeps all that no rule drops. Marks are written to the data set: work on
a copy. Writes figures.json, screenshots and kept.png, a sheet of what was kept.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from review_probe import PROBE, first_view_s, latencies_ms, share

from mapmaker.picture import open_picture
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.quarantine import locate
from mapmaker.sheet import sheet
from mapmaker.workspace import Dataset

CHROMIUM = "/usr/bin/chromium"
SERVE = (
    "import sys; from pathlib import Path; from mapmaker.workspace import Dataset\n"
    "from mapmaker.studio.review import serve_review\n"
    "serve_review(Dataset(Path(sys.argv[1])), port=0, ready=lambda u: print(u, flush=True))\n"
)
FAULTS = ("watermark", "surround", "blurry", "enlarged", "text_page", "oblique", "photo")


class Person:
    """Presses keys at a fixed short pace and counts them; what was decided is counted apart."""

    def __init__(self, page: Page, faulty: set[str], shots: Path) -> None:
        self.page, self.faulty, self.shots = page, faulty, shots
        self.keys = self.decisions = 0
        self.decided: dict[str, int] = {}

    def press(self, *keys: str, decides: str = "") -> None:
        """Press keys; `decides` names the kind of decision they are."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(30)
            self.keys += 1
        if decides:
            self.decisions += 1
            self.decided[decides] = self.decided.get(decides, 0) + 1

    def shoot(self, name: str) -> None:
        """Keep what is on the screen, once its pictures are there."""
        self.page.wait_for_timeout(600)
        self.page.screenshot(path=str(self.shots / f"{name}.png"))

    def count(self, name: str) -> int:
        """Return how many pictures a filter finds."""
        return int(self.page.locator(f"[data-filter={name}] b").inner_text())

    def selected(self) -> str:
        """Return the id of the selected picture, or "" when none is."""
        place = self.page.locator("#grid").get_attribute("aria-activedescendant")
        return self.ids[int(place.removeprefix("cell-"))] if place else ""

    def begin(self) -> None:
        """Learn the ids in the order shown."""
        asked = "fetch('/api/pictures').then((r) => r.json()).then((b) => b.id)"
        self.ids = self.page.evaluate(asked)
        self.shoot("1-grid")

    def show(self, name: str) -> None:
        """Press F until a filter is on."""
        on = self.page.locator("[data-filter][aria-checked=true]")
        while on.get_attribute("data-filter") != name:
            self.press("f")

    def accept_rules(self) -> None:
        """Accept each rule whose suggestions are to drop, after a look at them all."""
        self.press("r")
        self.shoot("2-rules")
        levels = self.page.locator("#rules-list li").evaluate_all(
            "all => all.map((li) => li.dataset.level)"
        )
        for level in levels:
            if level == "drop":
                self.press("Space", "r")  # only these, and back to the list
                self.press("Enter", decides="rule accepted")
            self.press("ArrowDown")
        self.press("Escape", "Escape")

    def settle_groups(self) -> None:
        """Compare each group that is still open and mark what is open in it."""
        self.show("groups")
        self.press("Home", "b")
        if self.page.locator("#compare").is_visible():
            self.shoot("3-compare")
        while self.page.locator("#compare").is_visible():
            number = int(self.page.locator(".panel[aria-current=true]").get_attribute("data-n"))
            self.mark(self.ids[number], "in a group")

    def decide_the_rest(self) -> None:
        """Go through what nobody has decided; the loupe for a few."""
        self.show("undecided")
        self.press("Enter")
        self.shoot("4-loupe")
        self.press("Space")
        self.shoot("5-pixels")
        self.press("Escape")
        for _ in range(self.count("undecided")):
            self.mark(self.selected(), "one by one")

    def mark(self, id: str, how: str) -> None:
        self.press("x" if id in self.faulty else "p", decides=how)
        if self.page.locator("#said").get_attribute("data-wrong") == "yes":
            self.press("p")  # the last of its map: it stays


def labelled(path: Path | None) -> set[str]:
    """Return the ids of pictures with a fault that a person has labelled."""
    if path is None:
        return set()
    with path.open(encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return {row["sha256"] for row in rows if any(row.get(f) == "yes" for f in FAULTS)}


def review(url: str, faulty: set[str], out: Path, pace_s: float) -> dict:
    """Review the data set served at `url` and return the figures."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.add_init_script(PROBE)
        page.goto(url)
        page.wait_for_selector("body[data-ready=yes]")
        person = Person(page, faulty, out)
        figures = {"first_view_s": round(first_view_s(page), 3), "pictures": person.count("all")}
        figures["suggested"] = person.count("suggested")
        began_s = time.monotonic()
        person.begin()
        person.accept_rules()
        person.settle_groups()
        person.decide_the_rest()
        person.press("Escape")
        person.shoot("6-decided")
        keys_ms = latencies_ms(page)
        person.press("Control+Enter")
        page.wait_for_selector(".over")
        figures |= {
            "keys": person.keys,
            "decisions": person.decisions,
            "decided": person.decided,
            "script_s": round(time.monotonic() - began_s, 1),
            "human_min": round(person.decisions * pace_s / 60, 1),
            "pace_s": pace_s,
            "key_ms": {"median": share(keys_ms, 0.5), "p95": share(keys_ms, 0.95)},
        }
        chromium.close()
    return figures


def kept_sheet(dataset: Dataset) -> tuple[Image.Image, int]:
    """Return a sheet of what is not dropped, and how many that is."""
    with Decisions(dataset.decisions) as decisions:
        marks = decisions.all()
    rows = [r for r in dataset.rows() if r["id"] not in marks or marks[r["id"]].state != "drop"]
    images = []
    for row in rows:
        with suppress(Exception):
            image = open_picture(locate(dataset, row))
            image.thumbnail((120, 120))
            images.append(image)
    return sheet(images, columns=14, cell_px=110), len(rows)


def main() -> None:
    """Review the data set given and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds a decision")
    parser.add_argument("--out", type=Path, default=Path("review"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", SERVE, str(args.dataset)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            figures = review(url, labelled(args.labels), args.out, args.pace)
            figures["exit_code"] = server.wait(10)
        finally:
            server.kill()
    page, figures["kept"] = kept_sheet(Dataset(args.dataset))
    page.save(args.out / "kept.png")
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
