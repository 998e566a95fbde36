"""Which pictures are one map twice, and which of the two is the copy."""

from collections import defaultdict

import numpy as np

from mapmaker.prune.candidate import BLANK_SPAN, Picture
from mapmaker.prune.hashes import changed, near_pairs
from mapmaker.prune.names import LEAST_STEM, building

SAME_PLAN = 0.35  # more of the painted area differs: alike from afar, another plan from near
NIGHT = 1.6  # times as bright: another light, not another encoding (JPEG and scaling: 1.02)
SAME_MAP_BITS = 14  # two resolutions of one page must at least resemble each other (unrelated: 16+)

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


def duplicates(pictures: list[Picture], likes: list[Alike]) -> list[Pair]:
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
    for a, b in zip(one.texts, other.texts, strict=True):
        (name, floor), (other_name, other_floor) = building(a), building(b)
        if name == other_name and floor != other_floor and len(name) >= LEAST_STEM:
            return True
    return False


def _relit(one: Picture, other: Picture) -> bool:
    """Whether one is the other by night: worth keeping both, in one group."""
    dim, light = sorted(max(1.0, p.features.mean) for p in (one, other))
    return light > NIGHT * dim
