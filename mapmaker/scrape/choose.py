"""Which of a map's files to fetch: the resolution a person asked for, and what to fall back on."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mapmaker.scrape.grammar import Find, slug

MAX_NAME_BYTES = 120
_MOST_ID = 80  # a date, 60 characters of title, and what tells a further map of the same
_STRANGE = re.compile(r"[^a-z0-9_-]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOSSLESS = ("TIF", "TIFF", "PNG", "BMP")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of one map in one variant, the best first: the first that can be had is enough."""

    choices: tuple[Find, ...]


def choose(finds: Iterable[Find], dpi: str, limit: int | None = None) -> list[Wanted]:
    """Return what to fetch of `finds` for --dpi and --limit (maps), in the pages' order.

    best: the highest resolution, lossless before JPEG, the next lower ones as fall-backs.
    A number: that resolution alone, and of maps that state none their plain picture.
    all: everything. ZIP files are always wanted: nobody knows what is in them. Two files of one
    resolution and format are no sizes of each other: the second of each is chosen among the
    seconds, as the other half or floor would be.
    """
    groups: dict[tuple[str, str | None], list[Find]] = {}
    maps: dict[str, None] = {}
    for find in finds:
        if limit is not None and find.map_id not in maps and len(maps) == limit:
            continue
        maps[find.map_id] = None
        groups.setdefault((find.map_id, find.variant), []).append(find)
    wanted = []
    for group in groups.values():
        refused = [f for f in group if f.link.refusal]
        zipped = [f for f in group if _is_zip(f) and not f.link.refusal]
        pictures = [f for f in group if not f.link.refusal and f not in zipped]
        wanted += [Wanted((f,)) for f in refused + zipped]
        for several in _apart(pictures):
            wanted += _pick(several, dpi)
    return wanted


def file_stem(find: Find, sha256: str) -> str:
    """Return where a picture goes, without suffix: year/date_title[_variant][_dpi]_hash.

    Lower-case ASCII letters, digits, dashes and underscores behind a folder of four digits or
    `undated`, so no page can write anywhere else, whatever it calls its maps; with a suffix at most
    MAX_NAME_BYTES. The manifest says which address came to which name.
    """
    folder = find.date[:4] if find.date and _DAY.fullmatch(find.date) else "undated"
    end = f"_{find.dpi}dpi" if find.dpi and 0 < find.dpi < 100_000 else ""
    end += f"_{sha256[:8]}"
    name = _STRANGE.sub("-", find.map_id.lower()).strip("-_")[:_MOST_ID] or "untitled"
    room = MAX_NAME_BYTES - len(f"{folder}/{name}_{end}.webp")
    variant = slug(find.variant or "")[: max(0, room)].rstrip("-")
    return f"{folder}/{name}{'_' if variant else ''}{variant}{end}"


def _apart(pictures: list[Find]) -> list[list[Find]]:
    """Return the pictures in rows without two of one resolution and format, in the page's order."""
    rows: list[list[Find]] = []
    count: Counter[tuple[int | None, str]] = Counter()
    for find in pictures:
        kind = find.dpi, _form(find)
        if count[kind] == len(rows):
            rows.append([])
        rows[count[kind]].append(find)
        count[kind] += 1
    return rows


def _pick(pictures: list[Find], dpi: str) -> list[Wanted]:
    if not pictures:
        return []
    if dpi == "all":
        return [Wanted((f,)) for f in pictures]
    best = sorted(pictures, key=lambda f: (-(f.dpi or 0), not _is_lossless(f)))
    if dpi == "best":
        return [Wanted(tuple(best))]
    exact = [f for f in pictures if f.dpi == int(dpi)]
    if not exact and all(f.dpi is None for f in pictures):
        exact = [f for f in pictures if not _is_lossless(f)] or pictures
    return [Wanted(tuple(exact))] if exact else []


def _is_lossless(find: Find) -> bool:
    return _form(find) in _LOSSLESS


def _form(find: Find) -> str:
    return find.format or _suffix(find)


def _is_zip(find: Find) -> bool:
    return _suffix(find) == "ZIP"


def _suffix(find: Find) -> str:
    return find.link.url.partition("?")[0].rsplit(".", 1)[-1].upper()
