"""What was measured, related and suggested, in `features.db`: deleting it costs only time.

Rows are read in pages and never all at once, so a million pictures need no more memory than a
thousand; what a whole data set is compared by, its hashes, comes as one array.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from sqlite3 import Row
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.database import Database
from mapmaker.prune.features import VERSION, Features

_LAYOUT = 4  # raise it when a table changes: older files are emptied and measured again
_PAGE = 500  # SQLite takes at least 999 values in one query
_BLOBS = tuple(f.name for f in fields(Features) if f.type in (bytes, "bytes"))
ORIENTATIONS = 8

_TABLES = ("features", "relations", "suggestions", "notes")
_SCHEMA = f"""
CREATE TABLE features (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, lasting INTEGER NOT NULL,
    span REAL NOT NULL, hashes BLOB, data TEXT NOT NULL,
    {", ".join(f"{name} BLOB" for name in _BLOBS)}
);
CREATE TABLE relations (
    one TEXT NOT NULL, other TEXT NOT NULL, version TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (one, other)
) WITHOUT ROWID;
CREATE TABLE suggestions (id TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

Ids = NDArray[np.bytes_]
Hashes = NDArray[np.uint64]


class FeatureStore:
    """Features, relations and suggestions of one data set. Raises as `Database` does.

    A `lasting` row is never measured again while the version stands; another is, next time. What
    is kept in one call is written whole or not at all, and survives kill -9 of the process.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, "", durable=False)
        layout = f"{_LAYOUT}.{len(_BLOBS)}"
        if self._db.rows("PRAGMA user_version")[0][0] != _number(layout):
            with self._db.transaction() as sql:
                for table in _TABLES:
                    sql.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    sql.execute(statement)
                sql.execute(f"PRAGMA user_version = {_number(layout)}")

    def keep(self, features: Features, *, lasting: bool = True) -> None:
        """Remember one picture's features."""
        self.keep_all([(features, lasting)])

    def keep_all(self, measured: Iterable[tuple[Features, bool]]) -> None:
        """Remember the features of several pictures, each with whether they last."""
        columns = ("id", "version", "lasting", "span", "hashes", "data", *_BLOBS)
        marks = ", ".join("?" * len(columns))
        with self._db.transaction() as sql:
            sql.executemany(
                f"REPLACE INTO features ({', '.join(columns)}) VALUES ({marks})",
                (_to_row(features, lasting) for features, lasting in measured),
            )

    def known(self) -> set[str]:
        """Return the ids that need no measuring; for a big data set see `known_ids`."""
        return {id.decode() for id in self.known_ids()}

    def known_ids(self, *, lasting_only: bool = True) -> Ids:
        """Return the ids that need no measuring, sorted, as bytes of 64 letters each.

        lasting_only=False adds those that have been measured, but will be again.
        """
        query = "SELECT id FROM features WHERE version = ? AND lasting >= ? AND id > ? ORDER BY id"
        found = self._pages(query, VERSION, int(lasting_only))
        pages = [np.array([row["id"] for row in page], "S64") for page in found]
        return np.concatenate(pages) if pages else np.empty(0, "S64")

    def all(self) -> dict[str, Features]:
        """Return what is remembered, by picture id; for a big data set see `each` and `some`."""
        return {features.id: features for features in self.each()}

    def each(self) -> Iterator[Features]:
        """Yield what is remembered, in the order of the ids, holding a page at a time."""
        query = "SELECT * FROM features WHERE version = ? AND id > ? ORDER BY id"
        for page in self._pages(query, VERSION):
            yield from map(_from_row, page)

    def some(self, ids: Iterable[str]) -> dict[str, Features]:
        """Return the features of those of `ids` that are remembered, by id."""
        wanted, found = list(ids), {}
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            query = f"SELECT * FROM features WHERE version = ? AND id IN ({_marks(page)})"
            found |= {row["id"]: _from_row(row) for row in self._db.rows(query, VERSION, *page)}
        return found

    def hashes(self, least_span: float = 0.0) -> tuple[Ids, Hashes, Hashes]:
        """Return sorted ids (N,), pHash (N, 8) and dHash (N, 8) of every picture that has them.

        least_span leaves out those whose brightness spans less: nearly blank, so like everything.
        """
        query = (
            "SELECT id, hashes FROM features WHERE version = ? AND id > ? "
            "AND hashes IS NOT NULL AND span >= ? ORDER BY id"
        )
        ids, blobs = [], []
        for page in self._pages(query, VERSION, after=(least_span,)):
            ids.append(np.array([row["id"] for row in page], "S64"))
            joined = b"".join(row["hashes"] for row in page)
            blobs.append(np.frombuffer(joined, "<u8").reshape(-1, 2, ORIENTATIONS))
        if not ids:
            none = np.empty((0, ORIENTATIONS), np.uint64)
            return np.empty(0, "S64"), none, none
        both = np.concatenate(blobs)
        return np.concatenate(ids), both[:, 0], both[:, 1]

    def thumbs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return the grey 32 x 32 thumbnails of those of `ids` that have one, by id."""
        wanted, found = list(ids), {}
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            query = f"SELECT id, thumb FROM features WHERE version = ? AND id IN ({_marks(page)})"
            rows = self._db.rows(query, VERSION, *page)
            found |= {row["id"]: row["thumb"] for row in rows if row["thumb"]}
        return found

    def keys(self, least_span: float = 0.0) -> Iterator[tuple[Ids, list[bytes]]]:
        """Yield ids and what parts are found by, in order of ids, of the pictures that have it.

        A page at a time. least_span leaves out the nearly blank, as in `hashes`.
        """
        query = (
            "SELECT id, keys FROM features WHERE version = ? AND id > ? "
            "AND length(keys) AND span >= ? ORDER BY id"
        )
        for page in self._pages(query, VERSION, after=(least_span,)):
            yield np.array([row["id"] for row in page], "S64"), [row["keys"] for row in page]

    def known_relations(
        self, pairs: Iterable[tuple[str, str]], version: str
    ) -> Iterator[dict | None]:
        """Yield what is remembered of each pair (smaller id first): None when nothing is.

        `{}` says that the two were looked at and have nothing to do with each other.
        """
        query = "SELECT data FROM relations WHERE one = ? AND other = ? AND version = ?"
        found = (self._db.rows(query, one, other, version) for one, other in pairs)
        return (json.loads(rows[0]["data"]) if rows else None for rows in found)

    def keep_relations(self, found: Iterable[tuple[str, str, dict]], version: str) -> None:
        """Remember what (one, other) are to each other; `{}` for nothing."""
        with self._db.transaction() as sql:
            sql.executemany(
                "REPLACE INTO relations (one, other, version, data) VALUES (?, ?, ?, ?)",
                ((one, other, version, json.dumps(data)) for one, other, data in found),
            )

    def relations(self, version: str | None = None) -> Iterator[tuple[str, str, dict]]:
        """Yield (one, other, what they are to each other) of every related pair, sorted."""
        query = (
            "SELECT one, other, data FROM relations WHERE (one, other) > (?1, ?2) "
            "AND data != '{}' AND (version = ?3 OR ?3 IS NULL) ORDER BY one, other"
        )
        last = ("", "")
        while page := self._db.rows(f"{query} LIMIT {_PAGE}", *last, version):
            last = (page[-1]["one"], page[-1]["other"])
            for row in page:
                yield row["one"], row["other"], json.loads(row["data"])

    def noted(self, name: str) -> str:
        """Return what was last noted under a name, or ""."""
        found = self._db.rows("SELECT value FROM notes WHERE name = ?", name)
        return found[0]["value"] if found else ""

    def note(self, name: str, value: str) -> None:
        """Note a value under a name."""
        with self._db.transaction() as sql:
            sql.execute("REPLACE INTO notes (name, value) VALUES (?, ?)", (name, value))

    def suggestions(self) -> dict[str, dict]:
        """Return what the last prune suggested, by picture id."""
        found = self._db.rows("SELECT * FROM suggestions")
        return {row["id"]: json.loads(row["data"]) for row in found}

    def set_suggestions(self, suggestions: Mapping[str, dict]) -> None:
        """Replace all suggestions at once."""
        self.suggest_only_of(np.empty(0, "S64"))
        self.suggest_of((), suggestions)

    def suggest_of(self, ids: Iterable[str], suggestions: Mapping[str, dict]) -> None:
        """Replace what was suggested of some pictures."""
        with self._db.transaction() as sql:
            sql.executemany("DELETE FROM suggestions WHERE id = ?", ((id,) for id in ids))
            sql.executemany(
                "INSERT INTO suggestions (id, data) VALUES (?, ?)",
                ((id, json.dumps(data)) for id, data in suggestions.items()),
            )

    def suggest_only_of(self, ids: Ids) -> None:
        """Forget what was suggested of any other picture; ids are sorted."""
        query = "SELECT id FROM suggestions WHERE id > ? ORDER BY id"
        for page in self._pages(query):
            found = np.array([row["id"] for row in page], "S64")
            self.suggest_of([id.decode() for id in found[~np.isin(found, ids)]], {})

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _pages(self, query: str, *values: object, after: tuple = ()) -> Iterator[list[Row]]:
        """Yield rows by page: the query takes values, `id > ?`, after, and is ordered by id."""
        last = ""
        while page := self._db.rows(f"{query} LIMIT {_PAGE}", *values, last, *after):
            last = page[-1]["id"]
            yield page


def _number(layout: str) -> int:
    major, _, minor = layout.partition(".")
    return 100 * int(major) + int(minor)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _to_row(features: Features, lasting: bool) -> tuple:
    values = asdict(features)
    blobs = [values.pop(name) for name in _BLOBS]
    hashes = None
    if features.phash and features.dhash:
        both = [int(h, 16) for h in (*features.phash, *features.dhash)]
        hashes = np.array(both, "<u8").tobytes()
    return (features.id, VERSION, lasting, features.span, hashes, json.dumps(values), *blobs)


def _from_row(row: Row) -> Features:
    values = json.loads(row["data"])
    known = {f.name for f in fields(Features)}
    shown: dict[str, Any] = {k: v for k, v in values.items() if k in known}
    shown |= {k: tuple(v) for k, v in shown.items() if isinstance(v, list)}
    shown |= {name: row[name] or b"" for name in _BLOBS}
    return Features(**shown)
