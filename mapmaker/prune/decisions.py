"""What became of each picture, who said so and why: every mark is kept, nothing is overwritten."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Row
from typing import Literal

from mapmaker.prune import history
from mapmaker.prune.database import Closing, Database

PERSON = "person"
STATES = ("keep", "drop", "undecided")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS marks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('keep', 'drop', 'undecided')),
    reason TEXT NOT NULL,
    by TEXT NOT NULL,
    undoes INTEGER REFERENCES marks (seq),
    step INTEGER
);
CREATE INDEX IF NOT EXISTS marks_by_id ON marks (id, seq);
CREATE UNIQUE INDEX IF NOT EXISTS marks_undone_once ON marks (undoes) WHERE undoes IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS marks_are_never_changed BEFORE UPDATE ON marks
    BEGIN SELECT RAISE(ABORT, 'marks are only ever added'); END;
CREATE TRIGGER IF NOT EXISTS marks_are_never_deleted BEFORE DELETE ON marks
    BEGIN SELECT RAISE(ABORT, 'marks are only ever added'); END;
CREATE TABLE IF NOT EXISTS deliveries (name TEXT PRIMARY KEY, step INTEGER);
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, "group" TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of one picture: keep, drop or undecided; by is `person` or `rule@version`."""

    id: str
    state: str
    reason: str
    by: str

    @property
    def personal(self) -> bool:
        """Whether a person has kept or dropped it, so that no rule may touch it."""
        return self.by == PERSON and self.state != "undecided"


@dataclass(frozen=True, slots=True)
class Step:
    """What a person did with one key: marks made together, or an earlier step undone or redone.

    name is the sender's own and never used twice: a step delivered again is done once. `of` is the
    name of the step to undo or redo; "" is the newest that can be.
    """

    kind: Literal["mark", "undo", "redo"]
    marks: tuple[Mark, ...] = ()
    of: str = ""
    name: str = ""


class Decisions(Closing):
    """The marks of a data set, by content hash, and the groups its pictures were put in.

    A mark is on the disk when `mark` returns: SQLite in WAL mode with synchronous FULL.
    Raises as `Database` does.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA, durable=True)
        with self._db.transaction() as sql:
            if "step" not in {row["name"] for row in sql.execute("PRAGMA table_info(marks)")}:
                sql.execute("ALTER TABLE marks ADD COLUMN step INTEGER")  # files of the first days
            sql.execute("CREATE INDEX IF NOT EXISTS marks_by_step ON marks (step)")

    def mark(self, id: str, state: str, reason: str = "", by: str = PERSON) -> Mark:
        """Decide on a picture. Raises ValueError for a state that is none of STATES."""
        return self.mark_all([Mark(id, state, reason, by)])[0]

    def mark_all(self, marks: Iterable[Mark]) -> list[Mark]:
        """Decide on several pictures in one step, all or none. Raises as `mark` does."""
        return self.take([Step("mark", tuple(marks))])[0]

    def undo(self) -> list[Mark]:
        """Take back the newest step of a person that still stands, by adding what was before it.

        Returns what its pictures are again; [] when there is nothing to take back.
        """
        return self.take([Step("undo")])[0]

    def redo(self) -> list[Mark]:
        """Do again what was undone last, unless a person has marked since; returns as `undo`."""
        return self.take([Step("redo")])[0]

    def take(self, steps: Iterable[Step]) -> list[list[Mark]]:
        """Do several steps in order, all or none; return the marks each has added.

        A step whose name was delivered before adds nothing, and so does undoing what does not
        stand and redoing what does. Raises ValueError for a state that is none of STATES.
        """
        steps = list(steps)
        if strange := {m.state for s in steps for m in s.marks} - set(STATES):
            raise ValueError(f"no such state: {', '.join(sorted(strange))}")
        with self._db.transaction() as sql:
            return [self._take(sql, step) for step in steps]

    def _take(self, sql: sqlite3.Connection, step: Step) -> list[Mark]:
        if step.name and history.delivered(sql, step.name):
            return []
        if step.kind == "mark":
            added = [(mark, None) for mark in step.marks]
        else:
            found = history.turned(sql, step.kind, step.of, PERSON)
            added = [(_mark(row, id), undoes) for id, row, undoes in found]
        number = history.next_seq(sql)
        sql.executemany(
            "INSERT INTO marks (seq, at, id, state, reason, by, undoes, step) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (number + n, _now(), m.id, m.state, m.reason, m.by, undoes, number)
                for n, (m, undoes) in enumerate(added)
            ],
        )
        if step.name:
            sql.execute(
                "INSERT INTO deliveries (name, step) VALUES (?, ?)",
                (step.name, number if added else None),
            )
        return [mark for mark, _ in added]

    def state(self, id: str) -> str:
        """Return keep, drop or undecided."""
        found = self._db.rows("SELECT state FROM marks WHERE id = ? ORDER BY seq DESC LIMIT 1", id)
        return found[0]["state"] if found else "undecided"

    def all(self) -> dict[str, Mark]:
        """Return the last mark of every picture that was ever marked, by its id."""
        found = self._db.rows(
            "SELECT * FROM marks WHERE seq IN (SELECT max(seq) FROM marks GROUP BY id)"
        )
        return {row["id"]: _mark(row) for row in found}

    def since(self, seq: int) -> tuple[int, dict[str, Mark]]:
        """Return the newest mark's number, and the last mark of what was marked after `seq`."""
        found = self._db.rows("SELECT * FROM marks WHERE seq > ? ORDER BY seq", seq)
        return (found[-1]["seq"] if found else seq), {row["id"]: _mark(row) for row in found}

    def history(self, id: str | None = None) -> list[dict]:
        """Return every mark and undo ever made (of one picture, or of all), oldest first."""
        return [
            dict(row)
            for row in self._db.rows(
                "SELECT * FROM marks WHERE id = ?1 OR ?1 IS NULL ORDER BY seq", id
            )
        ]

    def groups(self) -> dict[str, str]:
        """Return the group of each picture, as `set_groups` last left it."""
        return {row["id"]: row["group"] for row in self._db.rows("SELECT * FROM groups")}

    def set_groups(self, groups: dict[str, str]) -> None:
        """Remember the group of each picture given; others keep theirs."""
        with self._db.transaction() as sql:
            sql.executemany('REPLACE INTO groups (id, "group") VALUES (?, ?)', groups.items())

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _mark(row: Row | None, id: str = "") -> Mark:
    """Return what a row says; without one, nobody has said anything of `id`."""
    if row is None:
        return Mark(id, "undecided", "", "")
    return Mark(row["id"], row["state"], row["reason"], row["by"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
