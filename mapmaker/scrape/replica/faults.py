"""The month of the replica in which nothing is right: one map a fault, each with its name."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from mapmaker.scrape.replica.plan import FAULT_MONTH, ROOT, Entry, File, Month, Truth, jpg

# behaviour -> the gap's reason, None for what must arrive all the same
BROKEN: Mapping[str, str | None] = {
    "404": "not-found",
    "410": "not-found",
    "403": "forbidden",
    "500": "server-error",
    "soft-404": "not-a-picture",
    "soft-404-as-jpeg": "not-a-picture",
    "stub": "stub",
    "cut-short": "cut-short",
    "half": "corrupt",
    "garbled": "corrupt",
    "bomb": "too-many-pixels",
    "endless": "too-large",
    "gzip-bomb": "too-large",
    "redirect-home": "redirected",
    "redirect-loop": "redirected",
    "redirect-away": "redirected",
    "redirect-within": None,
    "octet-stream": None,
    "no-length": None,
    "busy-once": None,
    "reset-once": None,
    "cut-once": None,
    "cut-no-range": None,
    "cut-weak-etag": None,
    "cut-misaligned": None,
    "cut-wrong-total": None,
    "cut-416": None,
    "cut-changed": None,
    "cut-changed-unsaid": None,
}
_TRAPS = {
    "leaving-private": ("http://169.254.169.254/latest/meta-data/", "unsafe-link"),
    "leaving-file": ("file:///etc/passwd", "unsafe-link"),
    "leaving-foreign": ("http://www.example.com/map.jpg", "foreign-host"),
}
_MODES = {"cmyk": "CMYK", "progressive": "progressive", "grey": "L"}


def plant(truth: Truth, *, art: int, side_px: int) -> None:
    """Put the month of faults among truth.months, their names and addresses into its oddities."""
    truth.months.append(_faults(truth, *FAULT_MONTH, art=art, side_px=side_px))
    truth.months.sort(key=lambda m: (m.year, m.month))


def _faults(truth: Truth, year: int, month: int, *, art: int, side_px: int) -> Month:
    folder = f"{ROOT}/{date(year, month, 1):%B%Y}"
    entries: list[Entry] = []

    def add(name: str, *files: File, **more: Any) -> None:
        day = date(year, month, (5, 12, 19, 26)[len(entries) // 12 % 4])
        known: dict[str, Any] = {"theme": None, "cartographer": None}
        known["description"] = "It is said to be odd."
        known["title"] = f"Oddity of the {name.replace('-', ' ')}"
        entries.append(Entry(date=day, files=files, **{**known, **more}))
        truth.oddities[name] = files[0].url or files[0].path

    def one(name: str, **more: Any) -> File:
        nonlocal art
        art += 1
        return jpg(f"{folder}/{name}_72_odd_ppi.jpg", art, side_px, 72, **more)

    for name, reason in BROKEN.items():
        add(name, one(name, behaviour=name, reason=reason))
    for name, (url, reason) in _TRAPS.items():
        trap = one(name, url=url, link="wrapped", behaviour="trap", reason=reason)
        add(name, replace(trap, declared="", declared_bytes=None))
    for name, mode in _MODES.items():
        add(name, one(name, mode=mode))
    gif = one("gif")
    add("gif", replace(gif, path=gif.path.replace(".jpg", ".gif"), format="GIF",
                       declared="", declared_bytes=None))  # fmt: skip
    first = one("twin-a")
    add("twin", first)
    add("twin-again", replace(first, path=f"{folder}/twin-b_72_odd_ppi.jpg"))
    gone = replace(one("best"), dpi=300, path=f"{folder}/best_300_odd_ppi.jpg",
                   behaviour="404", reason="not-found")  # fmt: skip
    add("lower-dpi", gone, replace(one("lower"), dpi=150))
    zipped = one("zip")
    add("zip", replace(zipped, path=f"{folder}/maps.zip", format="ZIP", behaviour="zip",
                       declared="", declared_bytes=None))  # fmt: skip
    add("legend-sheet", one("legend"), title="Legend", description="What the signs mean.")
    add("bonus", one("bonus"), title="Bonus Overland Map")
    return Month(
        year=year, month=month, name=f"{year}{month:02d}05a", theme="Oddities",
        entries=tuple(reversed(entries)),
    )  # fmt: skip
