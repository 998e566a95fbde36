"""Comparing pairs of pictures on any engine: those that may be of one map and nobody compared."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.events import Event, Step
from mapmaker.prune.candidate import BLANK_SPAN
from mapmaker.prune.catalogue import Catalogue
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.glance import likeness, wholes_alike
from mapmaker.prune.hashes import THUMB_PX
from mapmaker.prune.join import allowed, near
from mapmaker.prune.localkeys import Lying, meet
from mapmaker.prune.measuring import Workers, places
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.thumbs import ThumbStore
from mapmaker.prune.variants import VERSION, Pair, relate
from mapmaker.stopping import stoppable
from mapmaker.workspace import Dataset

BATCH = 8  # pairs that travel together: about a second's work
KEEP = 64  # answers written at once


@dataclass(frozen=True)
class Candidates:
    """Pairs one < other (M,) of catalogue indices; bits apart; how the other is turned; where it
    lies in the one, (M, 4) as `localkeys.Met.box`, nan when hashes found the pair."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    bits: NDArray[np.int64]
    orientation: NDArray[np.int64]
    box: NDArray[np.float32]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.one)


def candidates(
    catalogue: Catalogue, store: FeatureStore, thumbs: ThumbStore, config: PruneConfig
) -> Candidates:
    """Return the pairs worth comparing, each once: near hashes, or points in common where they look
    alike in small."""
    ids, phash, dhash = store.hashes(least_span=BLANK_SPAN)
    at = catalogue.find(ids)
    here = np.flatnonzero(at >= 0)
    pairs = near([phash[here], dhash[here]], allowed(config.near, len(catalogue)))
    pairs = pairs.some(
        wholes_alike(pairs, lambda place: thumbs.get(catalogue.id(int(at[here][place]))))
    )

    def small(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        found = store.thumbs(map(catalogue.id, numbers.tolist()))
        data = b"".join(found[catalogue.id(number)] for number in numbers.tolist())
        return np.frombuffer(data, np.uint8).reshape(-1, THUMB_PX, THUMB_PX)

    def look(lying: Lying) -> NDArray[np.float64]:
        return likeness(lying, small, lambda number: thumbs.get(catalogue.id(number)))

    met = meet(_keys_of(catalogue, store), len(catalogue), look)
    columns = [
        np.concatenate([at[here][pairs.one], met.one]),
        np.concatenate([at[here][pairs.other], met.other]),
        np.concatenate([pairs.bits.astype(np.int64), np.full(len(met.one), 64)]),
        np.concatenate([pairs.orientation, met.orientation]).astype(np.int64),
        np.concatenate([np.full((len(pairs), 4), np.nan, np.float32), met.box]),
    ]
    _, first = np.unique(columns[0] * len(catalogue) + columns[1], return_index=True)
    one, other, bits, orientation, box = (column[first] for column in columns)
    return Candidates(one, other, bits, orientation, box, (*pairs.warnings, *met.warnings))


def relate_new(
    dataset: Dataset, catalogue: Catalogue, store: FeatureStore, workers: Workers, found: Candidates
) -> Iterator[Event]:
    """Compare the pairs that nobody has compared and keep what they are, yielding a step each.

    Raises Stopped; what was compared is kept.
    """
    new = _unknown(catalogue, store, found)
    if not len(new):
        return
    wanted = np.unique(np.concatenate([found.one[new], found.other[new]])).tolist()
    place = {task.id: Path(task.path) for task in places(dataset, catalogue, wanted)}
    pairs = (_pair(catalogue, found, int(n), place) for n in new)
    waiting: list[tuple[str, str, dict[str, Any]]] = []
    done = 0
    with stoppable() as stop, closing(workers.imap(relate, pairs, len(new), BATCH)) as outcomes:
        try:
            for pair, relation, error in outcomes:
                done += 1
                if not error:  # a file that went away meanwhile is compared next time
                    waiting.append((pair.one, pair.other, relation.plain() if relation else {}))
                if len(waiting) >= KEEP:
                    store.keep_relations(waiting, VERSION)
                    waiting.clear()
                yield Step("prune", done, len(new), "pairs", relation.kind if relation else "")
                if stop:
                    raise stop.error(
                        f"{done} of {len(new)} pairs are compared.",
                        hint="Run the same command again; it goes on with the rest.",
                    )
        finally:
            store.keep_relations(waiting, VERSION)


def _unknown(catalogue: Catalogue, store: FeatureStore, found: Candidates) -> NDArray[np.intp]:
    ids: Iterable[tuple[str, str]] = (
        (catalogue.id(i), catalogue.id(j)) for i, j in zip(found.one, found.other, strict=True)
    )
    return np.flatnonzero([known is None for known in store.known_relations(ids, VERSION)])


def _pair(catalogue: Catalogue, found: Candidates, n: int, place: dict[str, Path]) -> Pair:
    one, other = catalogue.id(int(found.one[n])), catalogue.id(int(found.other[n]))
    lying = None if np.isnan(found.box[n, 0]) else tuple(found.box[n].tolist())
    turn, bits = int(found.orientation[n]), int(found.bits[n])
    return Pair(one, other, place[one], place[other], turn, bits, lying)


def _keys_of(catalogue: Catalogue, store: FeatureStore) -> Iterator[tuple[int, bytes]]:
    """Yield the index and the keys of every picture that has some."""
    for ids, keys in store.keys(least_span=BLANK_SPAN):
        for at, found in zip(catalogue.find(ids).tolist(), keys, strict=True):
            if at >= 0:
                yield at, found
