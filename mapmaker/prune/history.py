"""Undo and redo over marks that are only ever added.

An undo adds a mark that `undoes` another; a redo is the undo of an undo. A mark stands when nothing
that stands undoes it, and a picture is what the newest standing mark says of it. So undoing an
older step never overwrites what was decided later.
"""

from collections.abc import Iterator
from sqlite3 import Connection, Row
from typing import Literal

Turned = tuple[str, Row | None, int]  # picture, what it is again (None: undecided), mark undone


def next_seq(sql: Connection) -> int:
    """Return the number the next mark gets; nobody else writes during the transaction."""
    found = sql.execute("SELECT seq FROM sqlite_sequence WHERE name = 'marks'").fetchone()
    return (found["seq"] if found else 0) + 1


def delivered(sql: Connection, name: str) -> bool:
    """Return whether a step of this name was taken before."""
    query = "SELECT 1 FROM deliveries WHERE name = ?"
    return sql.execute(query, (name,)).fetchone() is not None


def turned(
    sql: Connection, kind: Literal["mark", "undo", "redo"], of: str, person: str
) -> list[Turned]:
    """Return what undoing (or redoing) a step would add; [] when that is not possible.

    `of` names the step; "" means the newest of `person` that can be undone or redone.
    """
    if of:
        found = sql.execute("SELECT step FROM deliveries WHERE name = ?", (of,)).fetchone()
        step = found["step"] if found else None
    else:
        step = _undoable(sql, person) if kind == "undo" else _redoable(sql, person)
    if step is None:
        return []
    changes = []
    for row in _marks_of(sql, step):
        end, stands = _end(sql, row["seq"])
        if stands == (kind == "undo"):
            changes.append((row["id"], _settled(sql, row, not stands), end))
    return changes


def _undoable(sql: Connection, person: str) -> int | None:
    """Return the newest step of `person` that stands."""
    for row, stands in _newest_first(sql):
        if row["undoes"] is None and row["by"] == person and stands:
            return row["step"]
    return None


def _redoable(sql: Connection, person: str) -> int | None:
    """Return what was undone last; nothing once `person` has marked anything after that."""
    for row, stands in _newest_first(sql):
        if row["undoes"] is None and row["by"] == person:
            return None
        if row["undoes"] is not None and stands:
            root, depth = _root(sql, row)
            if depth % 2:
                return root["step"]
    return None


def _newest_first(sql: Connection) -> Iterator[tuple[Row, bool]]:
    """Yield each mark and whether it stands: what undoes a mark is always newer than it."""
    fallen: set[int] = set()
    query = "SELECT seq, by, undoes, coalesce(step, seq) AS step FROM marks ORDER BY seq DESC"
    for row in sql.execute(query):
        stands = row["seq"] not in fallen
        if stands and row["undoes"] is not None:
            fallen.add(row["undoes"])
        yield row, stands


def _marks_of(sql: Connection, step: int) -> list[Row]:
    query = "SELECT * FROM marks WHERE step = ?1 OR (seq = ?1 AND step IS NULL) ORDER BY seq"
    return sql.execute(query, (step,)).fetchall()


def _end(sql: Connection, seq: int) -> tuple[int, bool]:
    """Return the last of the marks that undo each other from `seq` on, and whether `seq` stands."""
    stands = True
    query = "SELECT seq FROM marks WHERE undoes = ?"
    while (found := sql.execute(query, (seq,)).fetchone()) is not None:
        seq, stands = found["seq"], not stands
    return seq, stands


def _root(sql: Connection, row: Row) -> tuple[Row, int]:
    """Return the mark at the bottom of a chain of undoings, and how deep it lies."""
    depth = 0
    query = "SELECT seq, undoes, coalesce(step, seq) AS step FROM marks WHERE seq = ?"
    while row["undoes"] is not None:
        row, depth = sql.execute(query, (row["undoes"],)).fetchone(), depth + 1
    return row, depth


def _settled(sql: Connection, turning: Row, will_stand: bool) -> Row | None:
    """Return the newest mark of a picture that stands once `turning` is turned, if any does."""
    query = "SELECT * FROM marks WHERE id = ? AND undoes IS NULL ORDER BY seq DESC"
    for row in sql.execute(query, (turning["id"],)).fetchall():
        stands = will_stand if row["seq"] == turning["seq"] else _end(sql, row["seq"])[1]
        if stands:
            return row
    return None
