"""The stage: measure what is new, suggest, accept if asked, move files if asked."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from os import cpu_count
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.events import Done, Event, Note, Step
from mapmaker.prune import quarantine
from mapmaker.prune.candidate import Picture
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.copies import alike
from mapmaker.prune.decisions import Decisions, Mark
from mapmaker.prune.features import Measured, measure
from mapmaker.prune.groups import groups
from mapmaker.prune.kept import features_of
from mapmaker.prune.store import FeatureStore
from mapmaker.prune.suggest import VERSION, Suggestion, suggest
from mapmaker.stopping import stoppable
from mapmaker.workspace import Dataset, locked

_WORKERS = 4  # decoding lets go of the interpreter, so threads do; more only hold more pictures


def prune(dataset: Dataset, config: PruneConfig) -> Iterator[Event]:
    """Measure new pictures, suggest what to drop, and do what `config` asks, yielding events.

    Done.data: dataset, pictures, measured, kept, dropped, undecided, broken, suggested (by rule),
    marked (by --auto now), moved. Raises Stopped after saving; running it again goes on.
    """
    with locked(dataset.root):
        if config.restore:
            yield from _restore(dataset)
            return
        rows = _unique(dataset.rows())
        with closing(features_of(dataset)) as store, Decisions(dataset.decisions) as decisions:
            measured = yield from _measure_new(dataset, rows, store)
            pictures = _pictures(rows, store, decisions)
            likes = alike(pictures, config.near)
            decisions.set_groups(groups(pictures, likes, decisions.groups()))
            found = suggest(pictures, likes, min_side_px=config.min_side_px)
            store.set_suggestions({id: s.plain() for id, s in found.items()})
            yield from _broken_notes(rows, found)
            marked = _accept(decisions, pictures, found) if config.auto else 0
            moved = 0
            if config.apply:
                moved = yield from _apply(dataset, rows, decisions.all())
            counts = _counts(rows, decisions.all(), found)
    data = {"dataset": dataset.name, "pictures": len(rows), "measured": measured, **counts}
    data |= {"marked": marked, "moved": moved}
    yield Done("prune", _summary(data), data)


def _measure_new(
    dataset: Dataset, rows: list[dict[str, Any]], store: FeatureStore
) -> Iterator[Event]:
    """Measure the pictures nobody has measured, a few at a time; return how many there were."""
    known = store.known()
    new = deque(row for row in rows if row["id"] not in known)
    total, done = len(new), 0
    waiting: deque[Future[Measured]] = deque()
    workers = min(_WORKERS, cpu_count() or 1)
    with stoppable() as stop, ThreadPoolExecutor(workers) as pool:
        while new or waiting:
            if stop:
                pool.shutdown(cancel_futures=True)
                raise stop.error(
                    f"{done} of {total} pictures are measured.",
                    hint="Run the same command again; it goes on with the rest.",
                )
            while new and len(waiting) < 2 * workers:
                row = new.popleft()
                waiting.append(pool.submit(measure, quarantine.locate(dataset, row), row["id"]))
            seen = waiting.popleft().result()
            store.keep(seen.features, lasting=seen.lasting)
            done += 1
            yield Step("prune", done, total, "pictures", seen.features.problem)
    return total


def _pictures(
    rows: list[dict[str, Any]], store: FeatureStore, decisions: Decisions
) -> list[Picture]:
    features, marks = store.all(), decisions.all()
    return [Picture(row, features[row["id"]], marks.get(row["id"])) for row in rows]


def _accept(decisions: Decisions, pictures: list[Picture], found: Mapping[str, Suggestion]) -> int:
    """Mark what is suggested, take back what no longer is; leave every person's mark alone."""
    marks = []
    for p in pictures:
        if p.mark is not None and p.mark.personal:
            continue
        suggestion, state = found.get(p.id), p.mark.state if p.mark else "undecided"
        if suggestion:
            mark = Mark(p.id, "drop", suggestion.reason, f"{suggestion.rule}@{VERSION}")
            if mark != p.mark:
                marks.append(mark)
        elif state != "undecided":
            marks.append(Mark(p.id, "undecided", "no longer suggested", f"auto@{VERSION}"))
    decisions.mark_all(marks)
    return len(marks)


def _apply(
    dataset: Dataset, rows: list[dict[str, Any]], marks: Mapping[str, Mark]
) -> Iterator[Event]:
    dropped = [r for r in rows if r["id"] in marks and marks[r["id"]].state == "drop"]
    why = {r["id"]: marks[r["id"]].reason for r in dropped}
    moved = 0
    for file in quarantine.set_aside(dataset, dropped, why):
        moved += 1
        yield Step("prune", moved, len(dropped), "files", file)
    return moved


def _restore(dataset: Dataset) -> Iterator[Event]:
    back = 0
    for file, wrong in quarantine.put_back(dataset):
        back += not wrong
        yield Note(f"{file}: {wrong}") if wrong else Step("prune", back, None, "files", file)
    summary = f"{dataset.name}: {back} files moved back. Their marks stand: a drop is still a drop."
    yield Done("prune", summary, {"dataset": dataset.name, "restored": back})


def _broken_notes(rows: list[dict[str, Any]], found: Mapping[str, Suggestion]) -> Iterator[Event]:
    for row in rows:
        suggestion = found.get(row["id"])
        if suggestion and suggestion.rule == "broken":
            yield Note(f"{row['file']}: {suggestion.reason}")


def _counts(
    rows: list[dict[str, Any]], marks: Mapping[str, Mark], found: Mapping[str, Suggestion]
) -> dict[str, Any]:
    states = Counter(marks[r["id"]].state if r["id"] in marks else "undecided" for r in rows)
    broken = [s for s in found.values() if s.rule == "broken"]
    out = {r["id"] for r in rows if r["id"] in marks and marks[r["id"]].state == "drop"}
    out |= {s.id for s in broken}
    return {
        "kept": len(rows) - len(out),
        "dropped": states["drop"],
        "undecided": states["undecided"],
        "broken": len(broken),
        "suggested": dict(sorted(Counter(s.rule for s in found.values()).items())),
    }


def _summary(data: Mapping[str, Any]) -> str:
    by_rule = ", ".join(f"{count} {rule}" for rule, count in data["suggested"].items())
    return (
        f"{data['dataset']}: {data['kept']} of {data['pictures']} pictures kept, "
        f"{data['dropped']} dropped; suggestions: {by_rule or 'none'}."
    )


def _unique(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first row of each content hash: the same bytes twice are one picture."""
    if not rows:
        raise MapmakerError(
            "The manifest lists no picture.", hint="Fill it with `mapmaker scrape` or `import`."
        )
    return list({row["id"]: row for row in reversed(rows)}.values())[::-1]
