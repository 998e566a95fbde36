"""What became of each picture, who said so and why: every mark is kept, nothing is overwritten."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Row
from types import TracebackType
from typing import Self

from mapmaker.prune.database import Database

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
    undoes INTEGER REFERENCES marks (seq)
);
CREATE INDEX IF NOT EXISTS marks_by_id ON marks (id, seq);
CREATE UNIQUE INDEX IF NOT EXISTS marks_undone_once ON marks (undoes) WHERE undoes IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS marks_are_never_changed BEFORE UPDATE ON marks
    BEGIN SELECT RAISE(ABORT, 'marks are only ever added'); END;
CREATE TRIGGER IF NOT EXISTS marks_are_never_deleted BEFORE DELETE ON marks
    BEGIN SELECT RAISE(ABORT, 'marks are only ever added'); END;
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


class Decisions:
    """The marks of a data set, by content hash, and the groups its pictures were put in.

    A mark is on the disk when `mark` returns: SQLite in WAL mode with synchronous FULL.
    Raises as `Database` does.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA, durable=True)

    def mark(self, id: str, state: str, reason: str = "", by: str = PERSON) -> Mark:
        """Decide on a picture. Raises ValueError for a state that is none of STATES."""
        return self.mark_all([Mark(id, state, reason, by)])[0]

    def mark_all(self, marks: Iterable[Mark]) -> list[Mark]:
        """Decide on several pictures, all or none."""
        marks = list(marks)
        if strange := {m.state for m in marks} - set(STATES):
            raise ValueError(f"no such state: {', '.join(sorted(strange))}")
        with self._db.transaction() as sql:
            sql.executemany(
                "INSERT INTO marks (at, id, state, reason, by) VALUES (?, ?, ?, ?, ?)",
                [(_now(), m.id, m.state, m.reason, m.by) for m in marks],
            )
        return marks

    def undo(self, by: str = PERSON) -> Mark | None:
        """Take back the newest mark of `by` that still stands, by adding what was before it.

        Returns the state the picture is in again, or None when there is nothing to take back.
        """
        with self._db.transaction() as sql:
            last = sql.execute(
                "SELECT * FROM marks AS m WHERE by = ? AND undoes IS NULL AND NOT EXISTS "
                "(SELECT 1 FROM marks AS u WHERE u.undoes = m.seq) ORDER BY seq DESC LIMIT 1",
                (by,),
            ).fetchone()
            if last is None:
                return None
            before = sql.execute(
                "SELECT * FROM marks AS m WHERE id = ? AND seq < ? AND undoes IS NULL AND NOT "
                "EXISTS (SELECT 1 FROM marks AS u WHERE u.undoes = m.seq) "
                "ORDER BY seq DESC LIMIT 1",
                (last["id"], last["seq"]),
            ).fetchone()
            mark = _mark(before) if before else Mark(last["id"], "undecided", "", "")
            sql.execute(
                "INSERT INTO marks (at, id, state, reason, by, undoes) VALUES (?, ?, ?, ?, ?, ?)",
                (_now(), mark.id, mark.state, mark.reason, mark.by, last["seq"]),
            )
        return mark

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _mark(row: Row) -> Mark:
    return Mark(row["id"], row["state"], row["reason"], row["by"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
