"""A data set's SQLite files: what was measured (may go) and what was decided (must stay)."""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.files import speaking_of

_BUSY_S = 30.0


class Closing(ABC):
    """`with` for whatever has a `close`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


class Database:
    """One SQLite file, opened for one process; safe to use from several threads.

    durable=True waits for the disk at every commit: what was acknowledged survives a power cut.
    Raises MissingPart when the file may not be written or the disk is full, UnsafeInput when it is
    not a database.
    """

    def __init__(self, path: Path, schema: str, *, durable: bool) -> None:
        self.path = path
        self._lock = threading.RLock()
        with speaking_of(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._speaking():
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None
            )
            try:
                self._connection.row_factory = sqlite3.Row
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._connection.executescript(schema)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; everything in the block is written, or nothing is."""
        with self._lock, self._speaking():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return every row a query finds."""
        with self._lock, self._speaking():
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file; the log beside it is folded in."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            hint = "Give yourself write permission there, free some room, or use another --home."
            raise MissingPart(f"{self.path} cannot be written: {error}.", hint=hint) from error
        except sqlite3.DatabaseError as error:
            hint = "Move it away with its -wal and -shm files; no picture is touched."
            raise UnsafeInput(f"{self.path} is damaged: {error}.", hint=hint) from error
