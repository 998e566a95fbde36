"""What we would drop and why, which pictures are one map, and which of them to keep."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mapmaker.prune.decisions import Mark
from mapmaker.prune.features import Features
from mapmaker.prune.hashes import changed, near_pairs

VERSION = 1
BLANK_SPAN = 14.0  # brightness range of the middle 98 % [grey levels]: less is an empty sheet
SAME_PLAN = 0.35  # more of the painted area differs: alike from afar, another plan from near
NIGHT = 1.6  # times as bright: another light, not another encoding (JPEG and scaling: 1.02)
COARSE = -1.1  # painted maps are never coarser (`features.fineness`); enlarged twice -1.3 and less
SAME_MAP_BITS = 14  # two resolutions of one page must at least resemble each other (unrelated: 16+)

# Words that tell the floors of one building apart, and the marks of a crop.
_FLOOR = re.compile(
    r"\b(top|btm|bottom|upper|lower|ground|basement|cellars?|attic|roof|towers?|dungeons?|"
    r"(?:(?:ground|first|second|third|fourth|fifth|[0-9]+(?:st|nd|rd|th)?)\s*)?floor\s*[0-9]*|"
    r"levels?\s*[0-9]*|interior|exterior|inside|outside|crop\s*[0-9]*)\b"
)
_DPI = re.compile(r"\b[0-9]{2,3} ?dpi\b")
_ADDED = re.compile(r"_[0-9a-f]{8}$")  # what taking it in added to a file's name
_LEAST_STEM = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Drop the picture, by `rule`, because of `reason`; `keeper` is the one that stays instead."""

    id: str
    rule: str
    reason: str
    keeper: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Picture:
    """One manifest row with what was measured of it and how it was marked."""

    row: Mapping[str, Any]
    features: Features
    mark: Mark | None

    @property
    def id(self) -> str:
        return self.features.id

    @property
    def usable(self) -> bool:
        """Whether it could stand for its group: whole, and no person has dropped it."""
        return not self.features.problem and self._said != "drop"

    @property
    def _said(self) -> str:
        """What a person said of it, if anything."""
        return self.mark.state if self.mark is not None and self.mark.personal else ""

    def worth(self) -> tuple:
        """Return what ranks the pictures of one group: a person's keep, then detail."""
        f = self.features
        return (self._said == "keep", _detail(f, self.row.get("bytes") or 0), self.id)


Alike = tuple[Picture, Picture, int, int]  # one, other, bits that differ, orientation
Pair = tuple[Picture, Picture, str, str]  # one, other, rule, reason


def alike(pictures: list[Picture], near: int) -> list[Alike]:
    """Return (one, other, bits, orientation) of pictures that show the same plan.

    Their hashes are at most `near` bits apart and what is painted is the same; blank pictures are
    like everything and so like nothing.
    """
    shown = [p for p in pictures if not p.features.problem and p.features.span >= BLANK_SPAN]
    return [
        (one, other, bits, orientation)
        for one, other, bits, orientation in _within(shown, near)
        if changed(one.features.small(), other.features.small(), orientation) <= SAME_PLAN
    ]


def suggest(
    pictures: list[Picture], likes: list[Alike], *, min_side_px: int
) -> dict[str, Suggestion]:
    """Return what to drop, by id, each with one reason: the first that holds of

    broken, small, blank, duplicate-exact, duplicate-dpi, duplicate-near. likes is `alike` of the
    same pictures.
    """
    found: dict[str, Suggestion] = {}
    for p in pictures:
        rule, reason = _alone(p.features, min_side_px)
        if rule:
            found[p.id] = Suggestion(p.id, rule, reason)
    whole = [p for p in pictures if p.id not in found and p.usable]
    for copy, keeper, rule, reason in _duplicates(whole, likes):
        found.setdefault(copy.id, Suggestion(copy.id, rule, reason, keeper.id))
    return found


def groups(pictures: list[Picture], likes: list[Alike], known: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each picture, by id: those of one map share it, however it is varied.

    One map is: one map_id, one name but for the floor or crop, or near duplicates. A group keeps
    the name it was `known` by when others join it; a new one is named after its smallest id.
    """
    parent = {p.id: p.id for p in pictures}

    def top(id: str) -> str:
        while parent[id] != id:
            parent[id] = parent[parent[id]]
            id = parent[id]
        return id

    by_name: dict[str, str] = {}
    for p in pictures:
        for name in _names(p):
            parent[top(p.id)] = top(by_name.setdefault(name, p.id))
    for one, other, _, _ in likes:
        parent[top(one.id)] = top(other.id)
    members = defaultdict(list)
    for id in parent:
        members[top(id)].append(id)
    named = {}
    for ids in members.values():
        old = sorted({known[id] for id in ids if id in known})
        named |= dict.fromkeys(ids, old[0] if old else min(ids)[:16])
    return named


def building(name: str) -> tuple[str, tuple[str, ...]]:
    """Return a title or file name without floor, crop and dpi, and the floor and crop words.

    `Old Keep - Level 2 (72 dpi)` is ("old keep", ("level 2",)).
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = _DPI.sub(" ", re.sub(r"[^a-z0-9]+", " ", words))
    floors = tuple(" ".join(m.group().split()) for m in _FLOOR.finditer(words))
    return " ".join(_FLOOR.sub(" ", words).split()), floors


def _alone(f: Features, min_side_px: int) -> tuple[str, str]:
    if f.problem:
        return "broken", f.problem
    if min(f.width, f.height) < min_side_px:
        return "small", f"{f.width}x{f.height} px; its shorter side is below {min_side_px} px"
    if f.span < BLANK_SPAN:
        return "blank", f"nearly one colour: brightness spans {f.span:.0f} of 255"
    return "", ""


def _duplicates(pictures: list[Picture], likes: list[Alike]) -> list[Pair]:
    """Return (copy, keeper, rule, reason); a keeper is never a copy of another."""
    ties = defaultdict(dict)
    for one, other, rule, reason in [
        *_same_pixels(pictures),
        *_dpi(pictures),
        *_copies(pictures, likes),
    ]:
        ties[one.id].setdefault(other.id, (other, rule, reason))
        ties[other.id].setdefault(one.id, (one, rule, reason))
    gone: set[str] = set()
    found = []
    for keeper in sorted(pictures, key=Picture.worth, reverse=True):
        if keeper.id in gone:
            continue
        for copy, rule, reason in ties[keeper.id].values():
            if copy.id not in gone and copy.worth() < keeper.worth():
                gone.add(copy.id)
                found.append((copy, keeper, rule, reason))
    return found


def _same_pixels(pictures: list[Picture]) -> list[Pair]:
    first: dict[str, Picture] = {}
    pairs = []
    for p in pictures:
        other = first.setdefault(p.features.pixels, p)
        if other is not p:
            pairs.append((other, p, "duplicate-exact", "the same picture, pixel for pixel"))
    return pairs


def _dpi(pictures: list[Picture]) -> list[Pair]:
    """Tie the resolutions of one page: same map_id and variant, another dpi, and some likeness."""
    pages = defaultdict(list)
    for p in pictures:
        if p.row.get("map_id") and p.row.get("dpi"):
            pages[p.row["map_id"], p.row.get("variant")].append(p)
    pairs = []
    for page in pages.values():
        for one, other, _, _ in _within(page, SAME_MAP_BITS):
            if one.row["dpi"] != other.row["dpi"] and not _floors(one, other):
                low, high = sorted((one.row["dpi"], other.row["dpi"]))
                reason = f"the same map at {low} and {high} dpi"
                pairs.append((one, other, "duplicate-dpi", reason))
    return pairs


def _copies(pictures: list[Picture], likes: list[Alike]) -> list[Pair]:
    here = {p.id for p in pictures}
    pairs = []
    for one, other, bits, orientation in likes:
        if not {one.id, other.id} <= here:
            continue
        if not _floors(one, other) and not _relit(one, other):
            turned = "" if orientation == 0 else ", turned or mirrored"
            reason = f"the same map{turned} ({bits} of 64 bits differ)"
            pairs.append((one, other, "duplicate-near", reason))
    return pairs


def _within(pictures: list[Picture], limit: int) -> list[Alike]:
    if len(pictures) < 2:
        return []
    phash = np.array([[int(h, 16) for h in p.features.phash] for p in pictures], np.uint64)
    dhash = np.array([[int(h, 16) for h in p.features.dhash] for p in pictures], np.uint64)
    return [
        (pictures[i], pictures[j], bits, orientation)
        for i, j, bits, orientation in near_pairs(phash, dhash, limit)
    ]


def _floors(one: Picture, other: Picture) -> bool:
    """Whether two names differ in nothing but the floor (or the crop): two maps, not one twice."""
    for a, b in zip(_texts(one), _texts(other), strict=True):
        (name, floor), (other_name, other_floor) = building(a), building(b)
        if name == other_name and floor != other_floor and len(name) >= _LEAST_STEM:
            return True
    return False


def _relit(one: Picture, other: Picture) -> bool:
    """Whether one is the other by night: worth keeping both, in one group."""
    dim, light = sorted(max(1.0, p.features.mean) for p in (one, other))
    return light > NIGHT * dim


def _texts(p: Picture) -> tuple[str, str]:
    stem = str(p.row["file"]).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return _ADDED.sub("", stem), str(p.row.get("title") or "")


def _names(p: Picture) -> set[str]:
    names = {f"map {p.row['map_id']}"} if p.row.get("map_id") else set()
    stems = {building(text)[0] for text in _texts(p)}
    return names | {f"building {s}" for s in stems if len(s) >= _LEAST_STEM}


def _detail(f: Features, file_bytes: int) -> float:
    """Return how much a picture shows, as a logarithm: its pixels, mostly.

    A picture coarser than any painted map at its own size was enlarged or blurred, and loses more
    than it gained: enlarged by two it ranks behind what it was made from. Between equals contrast
    decides (night versions, faded copies), and last the bytes (what was pressed harder).
    """
    coarse = min(0.0, f.fine - COARSE)
    pixels, contrast = max(1, f.width * f.height), max(1.0, f.contrast)
    return (
        math.log10(pixels)
        + 3 * coarse
        + 0.5 * math.log10(contrast)
        + 0.1 * math.log10(max(1, file_bytes))
    )
