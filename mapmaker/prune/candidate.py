"""A picture as pruning weighs it: its row, what was measured of it, what was said of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mapmaker.prune.decisions import Mark
from mapmaker.prune.features import Features
from mapmaker.prune.names import LEAST_STEM, building, stem

BLANK_SPAN = 14.0  # brightness range of the middle 98 % [grey levels]: less is an empty sheet
COARSE = -1.1  # painted maps are never coarser (`features.fineness`); enlarged twice -1.3 and less


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
        return not self.features.problem and self.said != "drop"

    @property
    def said(self) -> str:
        """What a person said of it, if anything."""
        return self.mark.state if self.mark is not None and self.mark.personal else ""

    def worth(self) -> tuple:
        """Return what ranks copies of one map that differ in nothing else: detail."""
        return (_detail(self.features, self.row.get("bytes") or 0), self.id)

    @property
    def texts(self) -> tuple[str, str]:
        """Return its file's stem and its title."""
        return stem(str(self.row["file"])), str(self.row.get("title") or "")

    def names(self) -> set[str]:
        """Return what it shares with other pictures of one map: map_id, building.

        A title of one word (Tavern, Detail) says too little; a file's name may.
        """
        names = {f"map {self.row['map_id']}"} if self.row.get("map_id") else set()
        file, title = (building(text)[0] for text in self.texts)
        stems = [file, title] if " " in title else [file]
        return names | {f"building {s}" for s in stems if len(s) >= LEAST_STEM}


def _detail(f: Features, file_bytes: int) -> float:
    """Return how much a picture shows, as a logarithm: its pixels, mostly.

    A picture coarser than any painted map at its own size was enlarged or blurred, and loses more
    than it gained: enlarged by two it ranks behind what it was made from. Between equals contrast
    decides (night versions, faded copies), and last the bytes (what was pressed harder).
    """
    coarse = min(0.0, round(f.fine - COARSE, 1))  # less is where patches happen to lie
    pixels, contrast = max(1, f.width * f.height), max(1.0, f.contrast)
    return (
        math.log10(pixels)
        + 3 * coarse
        + 0.5 * math.log10(contrast)
        + 0.1 * math.log10(max(1, file_bytes))
    )
