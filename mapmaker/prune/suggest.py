"""What we would drop, and why: the first reason that holds of each picture."""

from dataclasses import asdict, dataclass
from typing import Any

from mapmaker.prune.candidate import BLANK_SPAN, Picture
from mapmaker.prune.copies import Alike, duplicates
from mapmaker.prune.features import Features

VERSION = 1


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Drop the picture, by `rule`, because of `reason`; `keeper` is the one that stays instead."""

    id: str
    rule: str
    reason: str
    keeper: str = ""
    level: str = "drop"  # or `look`: for a person, never dropped by --auto

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)


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
    for copy, keeper, rule, reason in duplicates(whole, likes):
        found.setdefault(copy.id, Suggestion(copy.id, rule, reason, keeper.id))
    return found


def _alone(f: Features, min_side_px: int) -> tuple[str, str]:
    if f.problem:
        return "broken", f.problem
    if min(f.width, f.height) < min_side_px:
        return "small", f"{f.width}x{f.height} px; its shorter side is below {min_side_px} px"
    if f.span < BLANK_SPAN:
        return "blank", f"nearly one colour: brightness spans {f.span:.0f} of 255"
    return "", ""
