"""Which pictures are one map twice, and which of the two is the copy."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np

from mapmaker.prune.candidate import Picture
from mapmaker.prune.hashes import near_pairs
from mapmaker.prune.names import LEAST_STEM, building
from mapmaker.prune.variants import COPIES, Relation

SAME_MAP_BITS = 14  # two resolutions of one page must at least resemble each other (unrelated: 16+)
NEARLY_ALL = 0.9  # a part that shows so much of the area is as good as a copy

Copy = tuple[Picture, Picture, Relation]  # the copy, its keeper, what they are to each other


def told_by_features(pictures: list[Picture]) -> list[Relation]:
    """Return the relations that need no look at the files: equal pixels, one page at two dpi."""
    return [*_exact(pictures), *_dpi(pictures)]


def one_each(relations: Iterable[Relation]) -> list[Relation]:
    """Return one relation a pair: exact before anything, two dpi before how they look."""
    best: dict[tuple[str, str], Relation] = {}
    for r in relations:
        pair = (min(r.one, r.other), max(r.one, r.other))
        old = best.get(pair)
        better = r.kind == "exact" or (r.kind == "dpi" and old and old.kind in COPIES)
        if old is None:
            best[pair] = r
        elif better and old.kind != "exact":
            best[pair] = replace(r, worse="" if old.kind == "watermark" else old.worse)
    return list(best.values())


def duplicates(
    pictures: list[Picture], relations: Iterable[Relation], flawed: Collection[str] = ()
) -> Iterator[Copy]:
    """Yield every picture that another makes superfluous, once, with that other.

    A keeper is never a copy of another, and each copy was compared with its keeper itself: a chain
    of likenesses does not make its two ends alike. A person's keep ranks first, then pictures
    that are not `flawed` by themselves, have no overlay, were not enlarged; then detail.
    """
    of = {p.id: p for p in pictures}
    ties: dict[str, list[Relation]] = defaultdict(list)
    overlaid, enlarged = set(), set()
    for r in relations:
        if r.one not in of or r.other not in of or not _superfluous(r, of[r.one], of[r.other]):
            continue
        ties[r.one].append(r)
        ties[r.other].append(r)
        if r.kind == "watermark":
            overlaid.add(r.worse)
        elif r.worse and r.kind != "crop":
            enlarged.add(r.worse)
    rank = {
        id: (p.said == "keep", id not in flawed, id not in overlaid, id not in enlarged, p.worth())
        for id, p in of.items()
    }
    gone: set[str] = set()
    for keeper in sorted(rank, key=rank.__getitem__, reverse=True):
        if keeper in gone:
            continue
        for r in ties[keeper]:
            copy = r.other if r.one == keeper else r.one
            trimmed = r.kind != "crop" or r.worse == copy
            if copy not in gone and rank[copy] < rank[keeper] and trimmed:
                gone.add(copy)
                yield of[copy], of[keeper], r


def parts(pictures: list[Picture], relations: Iterable[Relation]) -> Iterator[Copy]:
    """Yield the pictures that are a smaller part of another, once, with the larger one."""
    of = {p.id: p for p in pictures}
    crops = [r for r in relations if r.kind == "crop" and r.worse and r.share < NEARLY_ALL]
    seen: set[str] = set()
    for r in sorted(crops, key=lambda r: (-r.share, r.one, r.other)):
        whole = r.other if r.one == r.worse else r.one
        if r.worse in of and whole in of and r.worse not in seen:
            seen.add(r.worse)
            yield of[r.worse], of[whole], r


def doubtful(pictures: list[Picture], relations: Iterable[Relation]) -> Iterator[Copy]:
    """Yield the likelier bearer of an overlay, with the other, where we cannot tell for sure."""
    of = {p.id: p for p in pictures}
    for r in sorted(relations, key=lambda r: (r.one, r.other)):
        if not r.sure and r.worse and r.one in of and r.other in of:
            yield of[r.worse], of[r.other if r.one == r.worse else r.one], r


def _superfluous(r: Relation, one: Picture, other: Picture) -> bool:
    """Whether one of the two shows nothing that the other does not, and we know which."""
    copies = bool(r.worse) and r.share >= NEARLY_ALL if r.kind == "crop" else r.kind in COPIES
    return copies and r.sure and (r.kind == "exact" or not _floors(one, other))


def _exact(pictures: list[Picture]) -> list[Relation]:
    first: dict[str, str] = {}
    found = []
    for p in pictures:
        if not p.features.pixels:
            continue
        other = first.setdefault(p.features.pixels, p.id)
        if other != p.id:
            found.append(Relation(other, p.id, "exact", bits=0, note="pixel for pixel"))
    return found


def _dpi(pictures: list[Picture]) -> list[Relation]:
    """Tie the resolutions of one page: same map_id and variant, another dpi, and some likeness."""
    pages = defaultdict(list)
    for p in pictures:
        if p.row.get("map_id") and p.row.get("dpi") and p.features.phash:
            pages[p.row["map_id"], p.row.get("variant")].append(p)
    found = []
    for page in pages.values():
        if len(page) < 2:
            continue
        phash, dhash = (
            np.array([[int(h, 16) for h in hashes] for hashes in both], np.uint64)
            for both in ([p.features.phash for p in page], [p.features.dhash for p in page])
        )
        for i, j, bits, orientation in near_pairs(phash, dhash, SAME_MAP_BITS):
            low, high = sorted((page[i], page[j]), key=lambda p: p.row["dpi"])
            if low.row["dpi"] != high.row["dpi"] and not _floors(low, high):
                note = f"at {low.row['dpi']} and {high.row['dpi']} dpi"
                found.append(Relation(page[i].id, page[j].id, "dpi", orientation, bits, note))
    return found


def _floors(one: Picture, other: Picture) -> bool:
    """Whether two names differ in nothing but the floor: two maps, not one twice."""
    for a, b in zip(one.texts, other.texts, strict=True):
        (name, words), (other_name, other_words) = building(a), building(b)
        floor, other_floor = (
            [w for w in said if not w.startswith("crop")] for said in (words, other_words)
        )
        if name == other_name and floor != other_floor and len(name) >= LEAST_STEM:
            return True
    return False
