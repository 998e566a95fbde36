"""Weighing pictures against each other, in parts that hang together: memory holds one part."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from mapmaker.events import Event, Note
from mapmaker.prune.candidate import Picture
from mapmaker.prune.catalogue import Catalogue, together
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.groups import groups
from mapmaker.prune.join import components, diameter
from mapmaker.prune.measuring import Workers
from mapmaker.prune.relating import candidates, relate_new
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.suggest import Suggestion, keepers, suggest
from mapmaker.prune.thresholds import limits
from mapmaker.prune.thumbs import ThumbStore
from mapmaker.prune.variants import VERSION, Relation
from mapmaker.workspace import Dataset

Indices = NDArray[np.int64]
COMPARED = "compared"  # the note that says for which pictures all pairs were
FAR = 64  # bits of a pair that was not found by its hashes
PART = 500  # pictures weighed at once; more when more hang together


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one part of the pictures: none of them is tied to one outside."""

    pictures: list[Picture]
    groups: dict[str, str]
    suggestions: dict[str, Suggestion]

    def widest(self) -> int:
        """Return how many bits lie between the two copies of one keeper that are least alike.

        Each was compared with its keeper; were that a link in a chain, it would show here.
        """
        clusters: dict[str, set[str]] = defaultdict(set)
        for id, keeper in keepers(self.suggestions.values()).items():
            clusters[keeper] |= {keeper, id}
        here = {p.id: p.features for p in self.pictures}
        widest = 0
        for ids in clusters.values():
            features = [here[id] for id in sorted(ids)]
            kinds = [[f.phash for f in features], [f.dhash for f in features]]
            hashes = [
                np.array([[int(h, 16) for h in f] for f in kind], np.uint64) for kind in kinds
            ]
            widest = max(widest, diameter(hashes, range(len(ids))))
        return widest


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
        self._one = self._other = np.empty(0, np.int64)

    def relate(self, workers: Workers, thumbs: ThumbStore) -> Iterator[Event]:
        """Compare the pairs that nobody has compared, yielding events.

        With the same pictures as last time there are none, and none are looked for.
        """
        asked = self._asked()
        if self.store.noted(COMPARED) != asked:
            found = candidates(self.catalogue, self.store, thumbs, self.config)
            yield from map(Note, found.warnings)
            yield from relate_new(self.dataset, self.catalogue, self.store, workers, found)
            pairs = self._ids(found.one, found.other)
            if None not in self.store.known_relations(pairs, VERSION):
                self.store.note(COMPARED, asked)
        self._one, self._other = self._related()

    def _asked(self) -> str:
        """Return a fingerprint of everything that decides which pairs are to be compared."""
        digest = sha256(f"{VERSION} {self.config.near} ".encode())
        digest.update(self.catalogue.ids.tobytes())
        digest.update(self.store.known_ids().tobytes())
        return digest.hexdigest()

    def _related(self) -> tuple[Indices, Indices]:
        """Return all pairs that are related, sorted: those found when the data set was smaller,
        and more bits were allowed, too. Nobody's group changes because strangers came."""
        pairs: list[tuple[int, int]] = []
        every = self.store.relations(VERSION)
        while page := list(islice(every, PART)):
            near = [r for r in page if r[2]["bits"] <= self.config.near or r[2]["bits"] == FAR]
            ids = np.array([r[:2] for r in near], self.catalogue.ids.dtype)
            at = self.catalogue.find(ids.ravel()).reshape(-1, 2)
            pairs += map(tuple, at[(at >= 0).all(axis=1)].tolist())
        one, other = np.array(pairs, np.int64).reshape(-1, 2).T
        return one, other

    def verdicts(self, known: Mapping[str, str]) -> Iterator[Verdict]:
        """Yield what is thought of all pictures, part by part. known is the group of each by id."""
        tied = zip(self._one.tolist(), self._other.tolist(), strict=True)
        ties = chain(tied, self.catalogue.namesakes(), self._once_one_group(known))
        tops = components(len(self.catalogue), ties)
        order = np.argsort(tops[self._one], kind="stable")
        of = tops[self._one][order]
        for part in together(tops, PART):
            begin, end = np.searchsorted(of, [tops[part[0]], tops[part[-1]] + 1])
            pictures, relations = self._pictures(part), self._relations(order[begin:end])
            found = suggest(pictures, relations, self.limits)
            grouped = groups(pictures, relations, known, self.catalogue.words)
            yield Verdict(pictures, grouped, found)

    def _once_one_group(self, known: Mapping[str, str]) -> Iterator[tuple[int, int]]:
        """Tie what was one group: only together can they settle which part keeps its name."""
        first: dict[str, int] = {}
        for index in range(len(self.catalogue)):
            group = known.get(self.catalogue.id(index))
            if group and first.setdefault(group, index) != index:
                yield first[group], index

    def _relations(self, places: NDArray[np.intp]) -> list[Relation]:
        """Return some of the relations that were found."""
        pairs = self._ids(self._one[places], self._other[places])
        known = self.store.known_relations(pairs, VERSION)
        return [Relation(**values) for values in known if values]

    def _ids(self, one: Indices, other: Indices) -> Iterator[tuple[str, str]]:
        for i, j in zip(one.tolist(), other.tolist(), strict=True):
            yield self.catalogue.id(i), self.catalogue.id(j)

    def _pictures(self, indices: list[int]) -> list[Picture]:
        """Return some pictures with all that is known of them, sorted by id."""
        features = self.store.some(map(self.catalogue.id, indices))
        rows = dict(self.catalogue.rows(indices))
        return [
            Picture(rows[index], features[id], self.marks.get(id))
            for index in sorted(indices)
            if (id := self.catalogue.id(index))
        ]
