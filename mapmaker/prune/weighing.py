"""Weighing pictures against each other, in parts that hang together: memory holds one part."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from mapmaker.events import Event, Note
from mapmaker.prune.candidate import Picture
from mapmaker.prune.catalogue import Catalogue, together
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.groups import groups
from mapmaker.prune.join import components
from mapmaker.prune.measuring import Workers
from mapmaker.prune.relating import candidates, relate_new, relations
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.suggest import Suggestion, suggest
from mapmaker.prune.thresholds import limits
from mapmaker.prune.variants import Relation
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
        self._relations: list[tuple[int, int, Relation]] = []

    def relate(self, workers: Workers) -> Iterator[Event]:
        """Compare the pairs that nobody has compared, yielding events."""
        found = candidates(self.catalogue, self.store, self.config)
        yield from map(Note, found.warnings)
        yield from relate_new(self.dataset, self.catalogue, self.store, workers, found)
        for r in relations(self.catalogue, self.store, found):
            one, other = self.catalogue.indices([r.one, r.other])
            self._relations.append((one, other, r))

    def verdicts(self, known: Mapping[str, str]) -> Iterator[Verdict]:
        """Yield what is thought of all pictures, part by part. known is the group of each by id."""
        tied = ((one, other) for one, other, _ in self._relations)
        tops = components(len(self.catalogue), chain(tied, self.catalogue.namesakes()))
        by_top: dict[int, list[Relation]] = defaultdict(list)
        for one, _, relation in self._relations:
            by_top[int(tops[one])].append(relation)
        for part in together(tops, PART):
            pictures = self.pictures(part)
            ties = [r for top in {int(tops[i]) for i in part} for r in by_top[top]]
            found = suggest(pictures, ties, self.limits)
            yield Verdict(pictures, groups(pictures, ties, known), found)

    def pictures(self, indices: list[int]) -> list[Picture]:
        """Return some pictures with all that is known of them, sorted by id."""
        features = self.store.some(map(self.catalogue.id, indices))
        rows = dict(self.catalogue.rows(indices))
        return [
            Picture(rows[index], features[id], self.marks.get(id))
            for index in sorted(indices)
            if (id := self.catalogue.id(index))
        ]
