"""The replica at the size of the real archive: 360 maps, 83 months, 900 files, faults among them.

Counts are those of FULL, whatever the seed; which maps they fall on depends on it. Sizes are those
that the old pages state, by resolution, times a scale.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from mapmaker.scrape.replica.plan import (
    ROOT,
    VARIANT,
    Entry,
    File,
    Month,
    Truth,
    entry_of,
    jpg,
    weeks_of,
)

FULL = {
    "maps": 360, "months": 83, "years": 8, "files": 900, "dead": 12, "soft-404": 6, "duplicate": 8,
    "zip": 4, "corrupt": 3, "cmyk": 2, "bomb": 1, "endless": 1,
}  # fmt: skip
_DEAD = ("404", "404", "404", "404", "404", "410", "410", "403", "403", "500", "500", "500")
_REASONS = {
    "404": "not-found", "410": "not-found", "403": "forbidden", "500": "server-error",
    "soft-404": "not-a-picture", "soft-404-as-jpeg": "not-a-picture", "garbled": "corrupt",
    "half": "corrupt", "cut-short": "cut-short", "bomb": "too-many-pixels", "endless": "too-large",
}  # fmt: skip
# dpi -> smallest and largest file that the pages of 2001-2007 state [kB], and the TIFs' one size
STATED_KB = {72: (343, 637), 150: (900, 2_200), 300: (2_700, 9_500), None: (115, 191)}
TIF_KB = 6_170


def plan_full(seed: int, side_px: int) -> Truth:
    """Return the archive of FULL."""
    chance = random.Random(seed)
    truth, art = Truth([]), 0
    for year, month in _months():
        days = [d for d in weeks_of(year, month) if d not in _SILENT_WEEKS]
        theme = chance.choice(["Quest Maps", "Caves", "Wedge Mountain", "Ruins", "Dwellings"])
        entries = []
        for day in sorted(days, reverse=True):
            entries.append(_few(entry_of(chance, day, theme, art, side_px)))
            art += 1
            if day == date(2003, 12, 25):
                bonus = _few(entry_of(chance, day, theme, art, side_px))
                entries.append(replace(bonus, title="Bonus Overland Map"))
                art += 1
        name = f"{(days[-1] if month == 12 else days[0]):%Y%m%d}{'x' if year < 2002 else 'a'}"
        truth.months.append(
            Month(year=year, month=month, name=name, theme=theme, entries=tuple(entries))
        )
    _replace_first(truth, title="Legend", description="What the signs mean.")
    _plant(truth, chance, side_px)
    _fill(truth, chance, side_px)
    return truth


# Thanksgiving of the first year and the New Year of the last had no map.
_SILENT_WEEKS = (date(2000, 11, 23), date(2007, 1, 3))


def size_like_the_real(truth: Truth, seed: int, scale: float) -> None:
    """Give every JPEG the size of its resolution, times `scale`, and every TIF the one of them."""
    chance = random.Random(seed)
    sized = {}
    for _, file in list(truth.files()):
        if file.format == "TIF":
            side = round((TIF_KB * 1000 * scale / 3) ** 0.5)
            sized[file.path] = {"side_px": side, "declared": _mb(side * side * 3, file.art)}
        elif file.format == "JPG" and file.declared_bytes:
            low, high = STATED_KB[file.dpi]
            k = round(chance.uniform(low, high) * scale)
            known: dict[str, Any] = {"declared": f"{k}k", "declared_bytes": k * 1024}
            if k >= 1000:
                words = _mb(k * 1024, file.art)
                known["declared_bytes"] = round(float(words.rstrip("mb")) * 1024**2)
                known["declared"] = words
            sized[file.path] = known
    # A copy is as large as what it is a copy of.
    for path, original in truth.copies.items():
        sized[path] = sized[original]
    truth.change_all(sized)


def _mb(count: int, art: int) -> str:
    return f"{count / 1024**2:.2f}{'m' if art % 2 else 'mb'}"


def _months() -> Iterator[tuple[int, int]]:
    for year in range(2000, 2008):
        for month in range(1, 13):
            if (2000, 8) <= (year, month) <= (2007, 6):
                yield year, month


def _few(entry: Entry) -> Entry:
    """Return the entry with one resolution in three months of the year, and without variants."""
    files = tuple(f for f in entry.files if f.variant is None)
    if entry.date.year > 2002 and entry.date.month in (2, 5, 8):
        files = tuple(f for f in files if f.dpi == 72)
    return replace(entry, files=files)


def _replace_first(truth: Truth, **values: str) -> None:
    month = truth.months[0]
    entries = (*month.entries[:-1], replace(month.entries[-1], **values))
    truth.months[0] = replace(month, entries=entries)


def _plant(truth: Truth, chance: random.Random, side_px: int) -> None:
    """Make files bad, other modes, copies of others; each map is touched once at most."""
    maps = [e for m in truth.months for e in m.entries if e.title != "Legend"]
    chance.shuffle(maps)
    faults = [*_DEAD, *["soft-404"] * 3, *["soft-404-as-jpeg"] * 3, "garbled", "garbled", "half"]
    changed: dict[str, dict[str, Any]] = {}
    for behaviour in faults:
        file = next(f for f in reversed(maps.pop().files) if f.format == "JPG")
        changed[file.path] = {"behaviour": behaviour, "reason": _REASONS[behaviour]}
        truth.oddities[f"{behaviour}-{len(changed)}"] = file.path
    for mode in ("CMYK", "CMYK", *["progressive"] * 6):
        file = next(f for f in maps.pop().files if f.format == "JPG")
        changed[file.path] = {"mode": mode}
    truth.change_all(changed)
    later = [e for e in maps if e.date.year > 2002]
    for behaviour in ("bomb", "endless"):
        more = later.pop()
        path = f"{ROOT}/{more.date:%B%Y}/{behaviour}_poster.jpg"
        bad = File(path=path, art=0, behaviour=behaviour, reason=_REASONS[behaviour])
        truth.oddities[behaviour] = path
        _add(truth, more, replace(bad, style="variant", variant="Poster"))
    for n in range(FULL["zip"]):
        more = later.pop()
        path = f"{ROOT}/{more.date:%B%Y}/map{n}.zip"
        art = more.files[0].art
        _add(truth, more, File(path=path, art=art, dpi=72, format="ZIP", behaviour="zip",
                               side_px=side_px, inside=0))  # fmt: skip
        truth.oddities[f"zip-{n}"] = path
    for n in range(FULL["duplicate"]):
        entry, other = later.pop(), later.pop()
        first = next(f for f in entry.files if f.dpi == 72)
        path = first.path.replace(".jpg", "_again.jpg")
        copy = replace(first, path=path)
        # Half of them stand under their own map once more, half under a map of another week.
        _add(truth, entry if n % 2 else other, copy)
        truth.copies[path] = first.path
        truth.oddities[f"duplicate-{n}"] = path


def _fill(truth: Truth, chance: random.Random, side_px: int) -> None:
    """Add variants until there are 900 files."""
    every = [e for month in truth.months for e in month.entries if e.date.year > 2002]
    maps = [e for e in every if len(e.files) == 3 and not any(f.reason for f in e.files)]
    chance.shuffle(maps)
    left = FULL["files"] - sum(1 for _ in truth.files())
    for n in range(left):
        entry = maps[n // 2]
        name = "White Background" if n % 2 == 0 else "Black & White"
        art = entry.files[0].art
        path = f"{ROOT}/{entry.date:%B%Y}/{entry.date:%d}_{art}_v{n % 2 + 1}.jpg"
        mode = "L" if n % 2 else "RGB"
        plain = jpg(path, art, side_px, None, style="variant", variant=name, mode=mode)
        _add(truth, entry, replace(plain, art=art + VARIANT))


def _add(truth: Truth, entry: Entry, file: File) -> None:
    for n, month in enumerate(truth.months):
        entries = tuple(
            replace(e, files=(*e.files, file)) if (e.date, e.title) == (entry.date, entry.title)
            else e for e in month.entries
        )  # fmt: skip
        truth.months[n] = replace(month, entries=entries)
