"""What we would drop or show to a person, and why: the gravest reason leads."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from mapmaker.prune.candidate import BLANK_SPAN, Picture
from mapmaker.prune.copies import (
    Copy,
    doubtful,
    duplicates,
    one_each,
    parts,
    told_by_features,
)
from mapmaker.prune.finding import Level
from mapmaker.prune.quality import findings
from mapmaker.prune.thresholds import Limits
from mapmaker.prune.variants import Relation

# The rule of a copy; kinds not named here are one map as near as encodings and sizes are.
_RULES = {
    "exact": "duplicate-exact",
    "dpi": "duplicate-dpi",
    "turned": "duplicate-turned",
    "watermark": "duplicate-watermark",
    "crop": "duplicate-crop",
}
_REASONS = {
    "exact": "the same picture, {note}",
    "dpi": "the same map {note}",
    "turned": "the same map, {note}",
    "watermark": "the same map with {note}",
    "crop": "the same map, trimmed: {note}",
    "resized": "the same map, {note}",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Drop the picture, by `rule`, because of `reason`; `keeper` is the one that stays instead.

    level `look` is for a person and never dropped by --auto; also are further reasons.
    """

    id: str
    rule: str
    reason: str
    keeper: str = ""
    level: Level = "drop"
    also: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


def suggest(
    pictures: list[Picture], relations: Iterable[Relation], limits: Limits
) -> dict[str, Suggestion]:
    """Return what speaks against pictures, by id: a better copy first, then its own faults.

    What we would drop leads over what a person should look at.
    pictures may be a part of a data set in which every picture has its relatives beside it;
    relations are those among them that `variants.relate` found. Variants worth keeping (a grid,
    another light, other colours) and floors are no reason.
    """
    said: dict[str, list[Suggestion]] = {
        p.id: [
            Suggestion(p.id, f.rule, f.reason, level=f.level) for f in findings(p.features, limits)
        ]
        for p in pictures
    }
    whole = [p for p in pictures if p.usable and p.features.span >= BLANK_SPAN]
    flawed = {p.id for p in whole if any(s.level == "drop" for s in said[p.id])}
    ties = one_each([*relations, *told_by_features(whole)])
    copies = list(duplicates(whole, ties, flawed))
    for copy in copies:
        said[copy[0].id].insert(0, _of(copy, "drop"))
    gone = {copy.id for copy, _, _ in copies}
    left = [p for p in whole if p.id not in gone]
    for seen in (*parts(left, ties), *doubtful(left, ties)):
        said[seen[0].id].insert(0, _of(seen, "look"))
    return {id: _lead(reasons) for id, reasons in said.items() if reasons}


def keepers(suggestions: Iterable[Suggestion]) -> dict[str, str]:
    """Return the keeper of every copy, by the copy's id."""
    return {s.id: s.keeper for s in suggestions if s.keeper and s.level == "drop"}


def _of(copy: Copy, level: Level) -> Suggestion:
    picture, keeper, r = copy
    if not r.sure:
        reason = f"perhaps the same map with {r.note}: we cannot tell which of the two has them"
        return Suggestion(picture.id, "duplicate-watermark", reason, keeper.id, level)
    if level == "look":
        return Suggestion(picture.id, "crop", f"a part of another map: {r.note}", keeper.id, level)
    rule = _RULES.get(r.kind, "duplicate-near")
    reason = _REASONS.get(r.kind, "the same map once more").format(note=r.note)
    if r.orientation and r.kind not in ("exact", "turned"):
        reason += ", turned or mirrored"
    return Suggestion(picture.id, rule, reason, keeper.id, level)


def _lead(reasons: list[Suggestion]) -> Suggestion:
    first, *rest = sorted(reasons, key=lambda s: s.level == "look")
    also = tuple(s.reason for s in rest)
    return Suggestion(first.id, first.rule, first.reason, first.keeper, first.level, also)
