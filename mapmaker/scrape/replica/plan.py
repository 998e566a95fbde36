"""What the replica holds: maps, files and faults, planned from a seed; and the truth of it.

Shapes are those of the real archive as far as they are known; the pictures are ours.
"""

import calendar
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

HOSTS = ("archive.wizards.com", "www.wizards.com", "wizards.com")
ROOT = "/dnd/images/mapofweek"
# (year, month, letter of the page's name): one of each era first, so that a small replica has all.
_FIRST_MONTHS = [(2003, 10, "a"), (2001, 2, "x"), (2002, 12, "a"), (2007, 4, "a"), (2004, 2, "a"),
                 (2003, 12, "a"), (2000, 9, "x"), (2007, 6, "a")]  # fmt: skip
FAULT_MONTH = (2005, 5)
KEPT_MONTH = (2006, 2)
_SCALES = {72: 1.0, 150: 1.08, 300: 1.2, None: 1.0}  # moderate: these are drawn on demand
VARIANT = 10_000  # added to a picture's number: the same plan in another dress
_NAMES = [
    "Village", "The Dragon’s Temple", "Old Keep – Level One", "“Sunken” Shrine", "Château Ruins",
    "Caves of Ash", "The Miller’s House", "Watchtower", "Bandit Camp", "Crypt of the Señor",
    "River Ford", "Goblin Warren", "The Queen’s Cellar", "Smugglers’ Cove", "Frozen Hall",
]  # fmt: skip
_THEMES = ["Quest Maps", "Caves", "Wedge Mountain", "Ruins", "Dwellings"]
_DRAWERS = ["Rob Lazzaretti", "Todd Gamble", "Dennis Kauth", None]
_WORDS = ["Exquisitelysculpted doors lead here", "A place for a long night", "Nobody came back",
          "Use it for a café or an inn", "Water drips — always"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file: where it is, how it is linked, how the server behaves, and what is in it.

    behaviour "good" is served plainly; `reason` is the gap expected of it (None: it must arrive).
    style: dpi, paren, size-first or variant: the words of its link. link: how its address is set.
    kept: how archives keep it (`captures.KEPT`). inside: of a ZIP file, by how much the
    numbers of its pictures differ from its own; 0 says that they are the same map once more.
    """

    path: str
    art: int
    dpi: int | None = None
    format: str = "JPG"
    style: str = "dpi"
    link: str = "plain"
    declared: str = ""
    declared_bytes: int | None = None
    variant: str | None = None
    side_px: int = 750
    behaviour: str = "good"
    reason: str | None = None
    mode: str = "RGB"
    url: str | None = None
    kept: str = "good"
    inside: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One map as the pages list it. `padded` writes 10/02 rather than 10/2."""

    date: date
    title: str
    description: str
    theme: str | None
    cartographer: str | None
    files: tuple[File, ...]
    padded: bool = False
    prose: bool = False

    def sizes(self) -> list[list[File]]:
        """Return the files in groups that may be sizes of one another: of a variant, one of each
        resolution and format; the second of each are a group of their own."""
        groups: dict[tuple[str | None, int], list[File]] = {}
        seen: Counter[tuple[str | None, int | None, str]] = Counter()
        for file in self.files:
            kind = file.variant, file.dpi, file.format
            groups.setdefault((file.variant, seen[kind]), []).append(file)
            seen[kind] += 1
        return list(groups.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A month page: its name's date is the first or the last week's, never a map's date."""

    year: int
    month: int
    name: str
    theme: str | None
    entries: tuple[Entry, ...]


@dataclass(slots=True)
class Truth:
    """What must be found: every planted file, every expected gap, every oddity by its name.

    copies: path -> path of the file it has the bytes of.
    """

    months: list[Month]
    oddities: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)

    def files(self) -> Iterator[tuple[Entry, File]]:
        """Yield every file with its map."""
        for month in self.months:
            for entry in month.entries:
                yield from ((entry, file) for file in entry.files)

    def change(self, path: str, **values: Any) -> None:
        """Give the file at `path` other values."""
        self.change_all({path: values})

    def change_all(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Give the files at many paths other values."""
        for n, month in enumerate(self.months):
            entries = tuple(
                replace(e, files=tuple(replace(f, **values.get(f.path, {})) for f in e.files))
                for e in month.entries
            )
            self.months[n] = replace(month, entries=entries)

    def wanted(self, dpi: str = "best") -> list[tuple[Entry, File]]:
        """Return the files that a scrape with --dpi asks for first, good or not."""
        chosen = []
        for month in self.months:
            for entry in month.entries:
                for sizes in entry.sizes():
                    best = max(sizes, key=lambda f: (f.dpi or 0, f.format in ("TIF", "PNG")))
                    chosen += [(entry, f) for f in sizes if dpi == "all" or f is best]
        return chosen


def plan_archive(maps: int, seed: int, side_px: int) -> Truth:
    """Return an archive of `maps` good maps; `faults.plant` puts a month of bad ones in."""
    chance = random.Random(seed)
    count = min(83, max(min(maps, 5), -(-maps // 4)))
    weeks = {m: weeks_of(m[0], m[1]) for m in _months(count)}
    chosen: dict[tuple, list[date]] = {m: [] for m in weeks}
    left = maps
    while left and any(weeks.values()):
        for month, days in weeks.items():
            if days and left:
                chosen[month].append(days.pop(0))
                left -= 1
    truth, art = Truth([]), 0
    for (year, month, letter), days in sorted(chosen.items()):
        theme = chance.choice(_THEMES)
        entries = []
        for day in sorted(days, reverse=True):
            entries.append(entry_of(chance, day, theme, art, side_px))
            art += 1
        named = days[-1] if (year, month) == (2002, 12) else weeks_of(year, month)[0]
        name = f"{named:%Y%m%d}{letter}"
        truth.months.append(
            Month(year=year, month=month, name=name, theme=theme, entries=tuple(entries))
        )
    truth.months.sort(key=lambda m: (m.year, m.month))
    return truth


def add_week(truth: Truth, seed: int, side_px: int) -> Entry:
    """Put a map of the week after the last one among truth.months, a new month's when it is one."""
    last = truth.months[-1]
    day = max(entry.date for entry in last.entries) + timedelta(weeks=1)
    art = 1 + max(file.art % VARIANT for _, file in truth.files())
    theme = last.theme or _THEMES[0]
    entry = entry_of(random.Random(seed + art), day, theme, art, side_px)
    if (day.year, day.month) == (last.year, last.month):
        truth.months[-1] = replace(last, entries=(entry, *last.entries))
    else:
        name = f"{weeks_of(day.year, day.month)[0]:%Y%m%d}a"
        truth.months.append(
            Month(year=day.year, month=day.month, name=name, theme=theme, entries=(entry,))
        )
    return entry


def jpg(path: str, art: int, side_px: int, dpi: int | None, **more: object) -> File:
    """Return a JPEG with the size its page states: the picture is padded to be exactly that."""
    side = round(side_px * _SCALES[dpi])
    k = max(4, round(side * side * 0.55 / 1024))
    known = {"declared": f"{k}k", "declared_bytes": k * 1024}
    if k >= 1024:
        mb = f"{k / 1024:.2f}"
        known = {
            "declared": f"{mb}{'m' if art % 2 else 'mb'}",
            "declared_bytes": round(float(mb) * 1024**2),
        }
    values: dict[str, Any] = {"path": path, "art": art, "dpi": dpi, "side_px": side}
    return File(**{**values, **known, **more})


def entry_of(chance: random.Random, day: date, theme: str, art: int, side_px: int) -> Entry:
    """Return the map of a week, with the files that its time had."""
    files = _FILES_OF_ERA[min(day.year, 2003)](day, art, side_px)
    drawer = _DRAWERS[art % len(_DRAWERS)]
    return Entry(
        date=day, title=f"{_NAMES[art % len(_NAMES)]} {art + 1}", theme=theme,
        description=chance.choice(_WORDS) + ".", cartographer=drawer, files=files,
        padded=art % 3 == 0, prose=day.year < 2003,
    )  # fmt: skip


def _paren_files(day: date, art: int, side_px: int) -> tuple[File, ...]:
    """2000-2001: Download (JPG 128k) / Download (TIF 6.17mb)."""
    stem = f"{ROOT}/{day:%B%Y}/map_{day:%Y%m%d}_{art}"
    side = side_px
    size = side * side * 3 / 1024**2
    declared = f"{size:.2f}mb" if size >= 1 else f"{size * 1024:.0f}k"
    picture = jpg(f"{stem}.jpg", art, side_px, None, style="paren", link=_link(art))
    twin = File(
        path=f"{stem}.tif", art=art, format="TIF", style="paren", side_px=side, declared=declared,
        declared_bytes=None, link="plain",
    )  # fmt: skip
    return picture, twin


def _single_file(day: date, art: int, side_px: int) -> tuple[File, ...]:
    """2002: Download 151k JPG."""
    path = f"{ROOT}/{day:%B%Y}/{day:%m%d}_{art}_map.jpg"
    return (jpg(path, art, side_px, None, style="size-first", link=_link(art)),)


def _dpi_files(day: date, art: int, side_px: int) -> tuple[File, ...]:
    """2003 and later: up to three resolutions, the salt on either side of `ppi`."""
    week = (day.day - 1) // 7 + 1
    month = f"{day:%b}" if day.year < 2007 or day.month < 5 else f"{day:%B}"
    dpis = (72,) if (day.year, day.month) == (2004, 2) else (72, 150, 300)
    files = []
    for dpi in dpis:
        salt = f"{random.Random(art * 1000 + dpi).getrandbits(24):05x}"
        end = f"{salt}_ppi" if art % 2 else f"ppi_{salt}"
        path = f"{ROOT}/{day:%B%Y}/{week:02d}_{month}{day.year}_{dpi}_{end}.jpg"
        files.append(jpg(path, art, side_px, dpi, link=_link(art + dpi)))
    if art % 4 == 0:
        stem = f"{ROOT}/{day:%B%Y}/{week:02d}_{art}"
        for n, variant in enumerate(("White Background", "Black & White"), 1):
            plain = jpg(f"{stem}_v{n}.jpg", art, side_px, None, style="variant", variant=variant)
            mode = "L" if n == 2 else "RGB"
            files.append(replace(plain, mode=mode, art=art + VARIANT))
    return tuple(files)


_FILES_OF_ERA = {2000: _paren_files, 2001: _paren_files, 2002: _single_file, 2003: _dpi_files}
_LINKS = ("plain", "wrapped", "absolute", "spaced", "encoded", "unquoted", "attributes", "split")


def _link(n: int) -> str:
    return _LINKS[n % len(_LINKS)]


def _months(count: int) -> list[tuple[int, int, str]]:
    every = [
        (y, m, "x" if y < 2002 else "a")
        for y in range(2000, 2008) for m in range(1, 13)
        if (2000, 8) <= (y, m) <= (2007, 6) and (y, m) not in (FAULT_MONTH, KEPT_MONTH)
    ]  # fmt: skip
    rest = [m for m in every if m not in _FIRST_MONTHS]
    random.Random(7).shuffle(rest)
    return (_FIRST_MONTHS + rest)[:count]


def weeks_of(year: int, month: int) -> list[date]:
    """Return the month's Thursdays, Wednesdays from 2007 on."""
    weekday = 2 if year >= 2007 else 3
    days = calendar.monthrange(year, month)[1]
    return [d for n in range(1, days + 1) if (d := date(year, month, n)).weekday() == weekday]
