"""The small copies of a data set's pictures, in one file instead of ten thousand."""

from collections.abc import Iterable
from pathlib import Path

from mapmaker.prune.database import Closing, Database
from mapmaker.workspace import Dataset

_SCHEMA = "CREATE TABLE IF NOT EXISTS thumbs (id TEXT PRIMARY KEY, jpeg BLOB NOT NULL);"


class ThumbStore(Closing):
    """JPEGs of at most 192 px by picture id; deleting the file costs only time.

    Safe to use from several threads. Raises as `Database` does.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA, durable=False)

    def put_all(self, thumbs: Iterable[tuple[str, bytes]]) -> None:
        """Remember (id, jpeg) pairs, all or none; b"" (a broken picture) is left out."""
        with self._db.transaction() as sql:
            sql.executemany(
                "REPLACE INTO thumbs (id, jpeg) VALUES (?, ?)",
                ((id, jpeg) for id, jpeg in thumbs if jpeg),
            )

    def get(self, id: str) -> bytes | None:
        """Return one picture's JPEG, or None when there is none."""
        found = self._db.rows("SELECT jpeg FROM thumbs WHERE id = ?", id)
        return found[0]["jpeg"] if found else None

    def __contains__(self, id: str) -> bool:
        return bool(self._db.rows("SELECT 1 FROM thumbs WHERE id = ?", id))

    def __len__(self) -> int:
        return self._db.rows("SELECT count(*) AS n FROM thumbs")[0]["n"]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def thumbs_of(dataset: Dataset) -> ThumbStore:
    """Open the thumbnails of a data set."""
    return ThumbStore(dataset.root / "thumbs.db")
