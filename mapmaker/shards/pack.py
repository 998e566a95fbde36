"""The pack stage: look at every kept picture, deal its samples out to shards, write, list.

The card is the one point at which new shards become the data set's: until it is replaced, the old
card and every file it lists stay as they were. A shard that a killed run had finished says itself
what it holds and is used again; where crops lie stands in looks.jsonl.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mapmaker.engine import Engine, open_engine, resolve
from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import append_line, need_room, read_lines, speaking_of, write_json, write_lines
from mapmaker.prune.kept import kept
from mapmaker.shards.augment import try_out
from mapmaker.shards.card import CARD, TOOL, describe, is_whole, present_card, summary, tidy
from mapmaker.shards.config import PackConfig, digest
from mapmaker.shards.crops import Crop
from mapmaker.shards.deal import deal_samples, deal_shards, held_out
from mapmaker.shards.pipeline import Pipeline
from mapmaker.shards.publish import publish
from mapmaker.shards.rows import written_before
from mapmaker.shards.source import Look, Picture, look
from mapmaker.shards.terms import Terms
from mapmaker.shards.writer import ShardJob, write_shard
from mapmaker.stopping import StopFlag, stoppable
from mapmaker.workspace import Dataset, locked

LOOKS = "looks.jsonl"
SAID = 3  # pictures named in a note; of more the number
AGAIN = "Run the same command again; what is finished is kept."


@dataclass(slots=True)
class _Found:
    """What looking at the pictures has brought: by id where each is of one picture."""

    crops: dict[str, list[Crop]] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)  # crops with next to nothing in them
    left_out: list[dict[str, str]] = field(default_factory=list)

    def add(self, id: str, row: Mapping[str, Any]) -> None:
        self.crops[id] = [Crop(**crop) for crop in row["crops"]]
        self.empty |= {id: row["empty"]} if row["empty"] else {}

    def card(self) -> dict[str, Any]:
        return {
            "left_out": sorted(self.left_out, key=lambda row: row["id"]),
            "empty_crops": sum(self.empty.values()),
            "empty_pictures": sorted(id for id in self.empty if not self.crops[id]),
        }


def pack(dataset: Dataset, config: PackConfig) -> Iterator[Event]:
    """Write the shards of a data set's kept pictures and yield how it goes.

    Done.data has dataset, size, shards, written, count, pictures, left_out, bytes and card. What
    is there and whole is kept; running again after any end finishes the work. Exit code 4: some
    pictures were left out because their files have gone bad. Raises MapmakerError when no picture
    is kept, MissingPart for a full disk or no permission, Stopped after a signal.
    """
    terms = Terms.of(dataset, kept(dataset), config.licenses)
    yield from terms.notes()
    yield from _doubts(terms)
    pictures = _pictures(dataset, terms)
    source = digest([picture.key() for picture in pictures])
    folder = dataset.shards(config.size)
    with locked(folder):
        # Already there?
        card = present_card(folder)
        again = _wanted(config, source).items() <= card.items()
        if again and all(is_whole(folder, line) for line in card["shards"]):
            absent = {left["id"] for left in card["left_out"]} | set(card["empty_pictures"])
            told = terms.card(terms.rows.keys() - absent)
            if not told.items() <= card.items():  # a licence was named, or somebody said no
                write_json(folder / CARD, card := card | told)
            _clear(folder, card)
            publish(dataset, folder, terms)
            yield Note(f"{folder} already holds these {card['count']} samples; nothing to do.")
            yield _done(dataset, card, written=0)
            return

        # Look, deal, write.
        if config.pipeline:
            try_out(Pipeline.of(config.pipeline), config.size)
        with stoppable() as stop, _engine(config, len(pictures), folder) as engine:
            found = yield from _look(engine, pictures, config, folder, stop)
            samples = deal_samples(pictures, found.crops, config)
            held = held_out([s.picture.group for s in samples], config.held_out)
            jobs = deal_shards(folder, samples, held, config, card, again=again)
            yield Note(summary(samples, held, config, sum(found.empty.values())))
            lines, written = yield from _write(engine, jobs, folder, card, stop)

        # Commit.
        card = describe(dataset.name, config, samples, held, lines) | _wanted(config, source)
        card |= terms.card({s.picture.id for s in samples}) | found.card()
        write_json(folder / CARD, card)
        _clear(folder, card)
        publish(dataset, folder, terms)
        yield _done(dataset, card, written=written)


def _wanted(config: PackConfig, source: str) -> dict[str, Any]:
    return {"tool": TOOL, "recipe": config.recipe(), "source_sha256": source}


def _pictures(dataset: Dataset, terms: Terms) -> list[Picture]:
    """Return the pictures to pack, sorted by id, each once."""
    if not terms.rows:
        raise MapmakerError(
            f"No picture of {dataset.name} is kept, so there is nothing to pack.",
            hint=f"Keep some with `mapmaker prune {dataset.name} --review`, or add pictures with "
            "`mapmaker import`.",
        )
    return [Picture.of(row, dataset.root) for row in terms.rows.values()]


def _doubts(terms: Terms) -> Iterator[Note]:
    """Yield one line on the pictures whose name and whose lines speak of different grids."""
    doubts = [
        f"{row['file']}: {grid['doubt']}"
        for row in terms.rows.values()
        if (grid := row.get("grid")) and grid.get("doubt")
    ]
    if doubts:
        more = [f"and {len(doubts) - SAID} more"] if len(doubts) > SAID else []
        yield Note(f"Look at the grid of {' '.join(doubts[:SAID] + more)}")


def _engine(config: PackConfig, count: int, folder: Path) -> AbstractContextManager[Engine]:
    needs = ["mapmaker.shards.writer", *(["albumentations"] if config.pipeline else [])]
    return open_engine(resolve(config.engine, count), needs, reach=folder)


def _look(
    engine: Engine,
    pictures: Sequence[Picture],
    config: PackConfig,
    folder: Path,
    stop: StopFlag,
) -> Generator[Event, None, _Found]:
    """Find every picture's crops, but for those that were found before."""
    found = _Found()
    how = (config.squares, config.crops, config.max_dark, config.min_detail)
    known = {row["key"]: row for row in read_lines(folder / LOOKS)}
    write_lines(folder / LOOKS, known.values())
    todo = []
    for ask in (Look(picture, *how) for picture in pictures):
        if ask.key() in known:
            found.add(ask.picture.id, known[ask.key()])
        else:
            todo.append(ask)
    for ask, row, error in engine.imap(look, todo, batch=min(8, 1 + len(todo) // 256)):
        if stop:
            raise stop.error("Stopped while placing crops.", hint=AGAIN)
        if error is None:
            found.add(ask.picture.id, row)
            append_line(folder / LOOKS, {"key": ask.key(), **row})
        elif isinstance(error, UnsafeInput):
            found.left_out.append({"id": ask.picture.id, "reason": str(error)})
            yield Note(f"Left out: {error}")
        else:
            raise error
        done = len(found.crops) + len(found.left_out)
        yield Step("pack", done, len(pictures), "picture", "placing crops")
    return found


def _write(
    engine: Engine,
    jobs: Sequence[ShardJob],
    folder: Path,
    card: Mapping[str, Any],
    stop: StopFlag,
) -> Generator[Event, None, tuple[list[dict[str, Any]], int]]:
    """Write the shards that are not there yet; returns the card's lines, and how many are new."""
    listed = {line["file"]: line for line in card.get("shards", [])}
    lines = {}
    for job in jobs:
        line = listed.get(job.path.name)
        if line is None:
            line = written_before(job)
        elif line["members"] != job.members or not is_whole(folder, line):
            line = None
        if line is not None:
            lines[job.path] = line
    todo = [job for job in jobs if job.path not in lines]
    if lines:
        yield Note(f"{len(lines)} of {len(jobs)} shards are there and whole; {len(todo)} to write.")
    tidy(folder, [*(path.name for path in lines), *listed])
    need_room(folder, sum(job.expected_bytes for job in todo))

    total = sum(len(job.samples) for job in jobs)
    for job, line, error in engine.imap(write_shard, todo):
        if error is not None:
            raise error
        lines[job.path] = line
        yield Step("pack", sum(x["count"] for x in lines.values()), total, "sample", "writing")
        if stop and len(lines) < len(jobs):
            raise stop.error(f"Stopped with {len(lines)} of {len(jobs)} shards written.", AGAIN)
    return [lines[job.path] for job in jobs], len(todo)


def _clear(folder: Path, card: Mapping[str, Any]) -> None:
    """Remove what the card does not list: older shards, torn files, notes for resuming."""
    tidy(folder, [line["file"] for line in card["shards"]])
    with speaking_of(folder):
        (folder / LOOKS).unlink(missing_ok=True)
        for left in folder.glob(".beacon-*"):  # of a run on a cluster that was killed
            left.unlink(missing_ok=True)


def _done(dataset: Dataset, card: Mapping[str, Any], *, written: int) -> Done:
    folder, shards = dataset.shards(card["size"]), card["shards"]
    total = sum(line["bytes"] for line in shards)
    return Done(
        "pack",
        f"{card['count']} samples of {card['size']} px in {len(shards)} "
        f"{'shard' if len(shards) == 1 else 'shards'} ({total / 1e6:.0f} MB) in {folder}.",
        {
            "dataset": dataset.name,
            "size": card["size"],
            "shards": len(shards),
            "written": written,
            "count": card["count"],
            "pictures": card["pictures"],
            "left_out": len(card["left_out"]),
            "bytes": total,
            "card": str(folder / CARD),
        },
        exit_code=4 if card["left_out"] else 0,
    )
