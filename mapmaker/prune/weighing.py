"""Weighing pictures against each other, in parts that hang together: memory holds one part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from mapmaker.events import Event, Note
from mapmaker.prune.candidate import BLANK_SPAN, Picture
from mapmaker.prune.catalogue import Catalogue, together
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.copies import alike
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.groups import groups
from mapmaker.prune.join import allowed, components, near
from mapmaker.prune.measuring import Workers
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.suggest import Suggestion, suggest
from mapmaker.prune.thresholds import limits
from mapmaker.workspace import Dataset

PART = 500  # pictures weighed at once; more when more hang together


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one part of the pictures: none of them is tied to one outside."""

    pictures: list[Picture]
    groups: dict[str, str]
    suggestions: dict[str, Suggestion]


class Scales:
    """Finds which pictures hang together, and judges them part by part, in the order of ids."""

    def __init__(
        self,
        dataset: Dataset,
        catalogue: Catalogue,
        store: FeatureStore,
        decisions: Decisions,
        config: PruneConfig,
    ) -> None:
        self.dataset, self.catalogue, self.store = dataset, catalogue, store
        self.config, self.limits = config, limits(min_side_px=config.min_side_px)
        self.marks = decisions.all()
        self.warnings: list[str] = []

    def relate(self, workers: Workers) -> Iterator[Event]:
        """Compare the pairs that nobody has compared, yielding events."""
        _ = self._tops
        yield from map(Note, self.warnings)

    def verdicts(self, known: Mapping[str, str]) -> Iterator[Verdict]:
        """Yield what is thought of all pictures, part by part. known is the group of each by id."""
        near_bits = allowed(self.config.near, len(self.catalogue))
        for part in together(self._tops, PART):
            pictures = self.pictures(part)
            likes = alike(pictures, near_bits)
            found = suggest(pictures, likes, min_side_px=self.config.min_side_px)
            yield Verdict(pictures, groups(pictures, likes, known), found)

    def pictures(self, indices: list[int]) -> list[Picture]:
        """Return some pictures with all that is known of them, sorted by id."""
        features = self.store.some(map(self.catalogue.id, indices))
        rows = dict(self.catalogue.rows(indices))
        return [
            Picture(rows[index], features[id], self.marks.get(id))
            for index in sorted(indices)
            if (id := self.catalogue.id(index))
        ]

    @cached_property
    def _tops(self) -> np.ndarray:
        """Tie everything that may be of one map: what looks alike, and what is named alike."""
        ids, phash, dhash = self.store.hashes(least_span=BLANK_SPAN)
        at = self.catalogue.find(ids)
        here = np.flatnonzero(at >= 0)
        pairs = near([phash[here], dhash[here]], allowed(self.config.near, len(self.catalogue)))
        self.warnings += pairs.warnings
        of = at[here]
        alike = zip(of[pairs.one].tolist(), of[pairs.other].tolist(), strict=True)
        return components(len(self.catalogue), chain(alike, self.catalogue.namesakes()))
