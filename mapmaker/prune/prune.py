"""The stage: measure what is new, suggest, accept if asked, move files if asked."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from mapmaker.events import Done, Event, Note, Step
from mapmaker.prune import quarantine
from mapmaker.prune.catalogue import Catalogue
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions, Mark
from mapmaker.prune.kept import features_of, refused
from mapmaker.prune.measuring import Workers, measure_new
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.thumbs import thumbs_of
from mapmaker.prune.weighing import Scales, Verdict
from mapmaker.workspace import Dataset, locked


def prune(dataset: Dataset, config: PruneConfig) -> Iterator[Event]:
    """Measure new pictures, suggest what to drop, and do what `config` asks, yielding events.

    Done.data: dataset, pictures, measured, kept, dropped, undecided, broken, suggested (by rule),
    to_look_at, marked (by --auto now), moved, refused (opted out or removed: pack takes none of
    them), groups, largest_group [pictures], widest_copies_bits (between two copies of one map).
    Raises Stopped after saving; running it again goes on. The same pictures give the same
    suggestions and groups, in whatever order they stand in the manifest and whichever engine
    measures them.
    """
    with locked(dataset.root):
        if config.restore:
            yield from _restore(dataset)
            return
        catalogue = Catalogue(dataset)
        with (
            closing(features_of(dataset)) as store,
            thumbs_of(dataset) as thumbs,
            Decisions(dataset.decisions) as decisions,
            Workers(config.engine, dataset) as workers,
        ):
            measured = yield from measure_new(dataset, catalogue, store, thumbs, workers)
            scales = Scales(dataset, catalogue, store, decisions, config)
            yield from scales.relate(workers, thumbs)
            tally = yield from _judge(scales, store, decisions, config)
            moved = 0
            if config.apply:
                moved = yield from _apply(dataset, catalogue, decisions.all())
            counts = _counts(catalogue, decisions.all(), tally, refused(dataset))
    data = {"dataset": dataset.name, "pictures": len(catalogue), "measured": measured, **counts}
    data |= {"marked": tally.marked, "moved": moved}
    yield Done("prune", _summary(data), data)


def _judge(
    scales: Scales, store: FeatureStore, decisions: Decisions, config: PruneConfig
) -> Iterator[Event]:
    """Write down groups, suggestions and marks, part by part; return the tally of it all."""
    tally = Tally()
    known = decisions.groups()
    for verdict in scales.verdicts(known):
        if new := {id: g for id, g in verdict.groups.items() if known.get(id) != g}:
            decisions.set_groups(new)
        plain = {id: s.plain() for id, s in verdict.suggestions.items()}
        store.suggest_of([p.id for p in verdict.pictures], plain)
        tally.rules.update((s.level, s.rule) for s in verdict.suggestions.values())
        sizes = Counter(verdict.groups.values())
        tally.groups += len(sizes)
        tally.largest = max(tally.largest, *sizes.values())
        tally.widest = max(tally.widest, verdict.widest())
        for picture in verdict.pictures:
            if picture.features.problem:
                tally.broken.add(picture.id)
                yield Note(f"{picture.row['file']}: {picture.features.problem}")
            elif config.explain and (said := verdict.suggestions.get(picture.id)):
                yield Note(f"{picture.row['file']}: {said.level} ({said.rule}), {said.reason}")
        if config.auto:
            tally.marked += _accept(decisions, verdict, scales)
    store.suggest_only_of(scales.catalogue.ids)
    return tally


@dataclass(slots=True)
class Tally:
    """What came of judging: how often each (level, rule) was given, what is broken, how many groups
    there are, pictures in the largest, and bits between the two copies of one map least alike."""

    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: set[str] = field(default_factory=set)
    marked: int = 0
    groups: int = 0
    largest: int = 0
    widest: int = 0

    def by_rule(self, level: str) -> dict[str, int]:
        """Return the number of suggestions of a level, by rule."""
        return {rule: n for (of, rule), n in sorted(self.rules.items()) if of == level}


def _accept(decisions: Decisions, verdict: Verdict, scales: Scales) -> int:
    """Mark what should go, take back what no longer should; leave every person's mark alone."""
    marks = []
    for p in verdict.pictures:
        if p.mark is not None and p.mark.personal:
            continue
        suggestion, state = verdict.suggestions.get(p.id), p.mark.state if p.mark else "undecided"
        if suggestion and suggestion.level == "drop":
            mark = Mark(p.id, "drop", suggestion.reason, scales.limits.by(suggestion.rule))
            if mark != p.mark:
                marks.append(mark)
        elif state != "undecided":
            marks.append(Mark(p.id, "undecided", "no longer suggested", scales.limits.by("auto")))
    if marks:
        decisions.mark_all(marks)
    return len(marks)


def _apply(dataset: Dataset, catalogue: Catalogue, marks: Mapping[str, Mark]) -> Iterator[Event]:
    dropped = [id for id, mark in marks.items() if mark.state == "drop"]
    here = catalogue.indices(dropped)
    rows = (row for _, row in catalogue.rows(here))
    moved = 0
    for file in quarantine.set_aside(dataset, rows, {id: marks[id].reason for id in dropped}):
        moved += 1
        yield Step("prune", moved, len(here), "files", file)
    return moved


def _restore(dataset: Dataset) -> Iterator[Event]:
    back = 0
    for file, wrong in quarantine.put_back(dataset):
        back += not wrong
        yield Note(f"{file}: {wrong}") if wrong else Step("prune", back, None, "files", file)
    summary = f"{dataset.name}: {back} files moved back. Their marks stand: a drop is still a drop."
    yield Done("prune", summary, {"dataset": dataset.name, "restored": back})


def _counts(
    catalogue: Catalogue, marks: Mapping[str, Mark], tally: Tally, no: Mapping[str, str]
) -> dict[str, Any]:
    states = {
        catalogue.id(index): marks[catalogue.id(index)].state for index in catalogue.indices(marks)
    }
    counts = Counter(states.values())
    out = tally.broken | no.keys() | {id for id, state in states.items() if state == "drop"}
    return {
        "kept": len(catalogue) - len(out),
        "dropped": counts["drop"],
        "undecided": len(catalogue) - counts["drop"] - counts["keep"],
        "broken": len(tally.broken),
        "suggested": tally.by_rule("drop"),
        "to_look_at": tally.by_rule("look"),
        "refused": len(no),
        "groups": tally.groups,
        "largest_group": tally.largest,
        "widest_copies_bits": tally.widest,
    }


def _summary(data: Mapping[str, Any]) -> str:
    by_rule = ", ".join(f"{count} {rule}" for rule, count in data["suggested"].items())
    look = ", ".join(f"{count} {rule}" for rule, count in data["to_look_at"].items())
    no = data["refused"]
    return (
        f"{data['dataset']}: {data['kept']} of {data['pictures']} pictures kept, "
        f"{data['dropped']} dropped; suggestions: {by_rule or 'none'}"
        f"{f'; worth a look: {look}' if look else ''}"
        f"{f'; {no} refused, opted out or removed' if no else ''}."
    )
