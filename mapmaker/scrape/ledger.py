"""What has been asked for and what came of it: the append-only fetch_log.jsonl, and the files.

A line is on the disk before the file has its name, so after a kill at any moment a file that is
there is a file that is known, and nothing finished is asked for twice. Waiting for the disk is what
takes long here: whoever waits for his turn is served by the thread before him, all in one wait.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mapmaker.errors import MissingPart
from mapmaker.files import move_inside, read_lines, sha256_of, speaking_of, sync, write_lines
from mapmaker.scrape.check import SUFFIX
from mapmaker.scrape.onemap import NO_OUTLINES, outlines_in
from mapmaker.workspace import Dataset

Record = dict[str, Any]


@dataclass(slots=True, eq=False)
class _Line:
    """A record on its way into the log, and the finished part (if any) on its way to its place."""

    record: Record
    part: Path | None = None
    name: str = ""
    settled: bool = False
    error: BaseException | None = None


class Ledger:
    """The fetch log of one data set, safe to use from several threads.

    A record has `key` (the address without the host, on one site), `picture_url`, `attempts`,
    `status`, `fetched_at`, and either `reason` and `again`, or `file`, `sha256`, `bytes`,
    `mtime_ns`, the facts of the picture and what the server said.
    """

    def __init__(self, dataset: Dataset, *, verify: bool = False) -> None:
        self.dataset, self.verify = dataset, verify
        self._lock = threading.Lock()
        self._waiting: deque[_Line] = deque()
        self._pictures, self._log = dataset.pictures, dataset.fetch_log
        self._mend()
        self._records: dict[str, Record] = {r["key"]: r for r in read_lines(dataset.fetch_log)}
        self._by_sha = {r["sha256"]: r for r in self._records.values() if "sha256" in r}
        self._whole: dict[str, bool] = {}
        drawn = (r for r in self._records.values() if "outlines" in r)
        self._outlines = {r["sha256"]: r["outlines"] for r in drawn}

    def good(self, key: str) -> Record | None:
        """Return the record of `key` when its file is here and whole, else None.

        Whole means: the size, and the time of writing too; when only the time differs (or with
        verify) the bytes are hashed again. A file that was moved within the folder is found again.
        """
        record = self._records.get(key)
        if record is None or "sha256" not in record:
            return None
        if key not in self._whole:
            self._whole[key] = self._is_whole(record) or self._adopt(record)
        return self._records[key] if self._whole[key] else None

    def refusal(self, key: str) -> Record | None:
        """Return the record of what could not be had, or None."""
        record = self._records.get(key)
        return record if record is not None and "reason" in record else None

    def members(self, key: str) -> list[Record] | None:
        """Return the records of what came out of the ZIP file `key`, or None until it was read."""
        names = self._records.get(key, {}).get("members")
        return None if names is None else [self._records[f"{key}#{name}"] for name in names]

    def where(self, record: Mapping[str, Any]) -> Path | None:
        """Return where the file of a record or row is: its place, or among the dropped pictures."""
        path = self.dataset.root / record["file"]
        for place in (path, self.dataset.root / "dropped" / record["file"]):
            if place.is_file() and not place.is_symlink():
                return place
        return None

    def outlines(self, sha256: str, file: str, *, draw: bool = True) -> str:
        """Return the outlines of a file with these bytes (`onemap`), taken once and kept.

        Those that are not known, and not to be drawn now, are like nothing.
        """
        known = self._outlines.get(sha256)
        if known is None and not draw:
            return NO_OUTLINES
        if known is None:
            known = outlines_in(self.where({"file": file}) or self.dataset.root / file)
            self._outlines[sha256] = known
            if record := self._by_sha.get(sha256):
                with self._lock, suppress(MissingPart):  # then the next run draws them again
                    self._append([{**record, "outlines": known}])
        return known

    def add(self, record: Mapping[str, Any]) -> Record:
        """Append a record, onto the disk."""
        return self._hand_in(_Line(dict(record)))

    def place(self, part: Path, name: str, record: Mapping[str, Any]) -> Record:
        """Give the finished `part` its place under `name` (without suffix) and log it.

        Bytes that are here already are not kept twice: the record then names the file that is.
        """
        return self._hand_in(_Line(dict(record), part, name))

    def _hand_in(self, line: _Line) -> Record:
        """Return the record as it was logged, once it and its file are on the disk."""
        line.record["fetched_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        self._waiting.append(line)
        with self._lock, speaking_of(self._pictures):
            while not line.settled:
                self._settle()
            if line.error is not None:
                raise line.error
        return line.record

    def _settle(self) -> None:
        """Log and place what is waiting, but of equal bytes only the first. Holds the lock."""
        now, later = [], []
        shas: set[str] = set()
        with suppress(IndexError):
            while True:
                line = self._waiting.popleft()
                sha = line.record.get("sha256")
                (later if sha in shas else now).append(line)
                shas |= {sha} if sha else set()
        self._waiting.extend(later)
        try:
            for line in now:
                self._find_place(line)
            self._append(line.record for line in now)
            self._move(now)
        except BaseException as error:
            for line in now:
                line.error = line.error or error
        for line in now:
            self._whole[line.record["key"]] = line.error is None
            line.settled = True

    def _find_place(self, line: _Line) -> None:
        """Note in a line's record which file it speaks of: its own, or one of the same bytes."""
        if line.part is None:
            return
        record = line.record
        twin = self._by_sha.get(record["sha256"])
        if twin is not None and self._is_whole(twin):
            record |= {"file": twin["file"], "mtime_ns": twin["mtime_ns"]}
            line.part.unlink()
            line.part = None
        else:
            record["file"] = f"pictures/{line.name}{SUFFIX[record['format']]}"
            record["mtime_ns"] = line.part.stat().st_mtime_ns

    def _move(self, lines: list[_Line]) -> None:
        root, folders = self.dataset.root, set()
        for line in lines:
            if line.part is not None:
                try:
                    move_inside(line.part, root, line.record["file"])
                    folders.add(line.record["file"].rpartition("/")[0])
                except Exception as error:  # one that finds no place does not keep the others
                    line.error = error
        for folder in folders:
            sync(root / folder)

    def move(self, record: Record, name: str) -> Record:
        """Give the file of `record`, and of every record of the same bytes, another name."""
        file = f"pictures/{name}{SUFFIX[record['format']]}"
        with self._lock, speaking_of(self.dataset.pictures):
            old = self.dataset.root / record["file"]
            twins = [r for r in self._records.values() if r.get("sha256") == record["sha256"]]
            self._append({**twin, "file": file} for twin in twins)
            move_inside(old, self.dataset.root, file)
            sync((self.dataset.root / file).parent)
        return self._records[record["key"]]

    def _append(self, records: Iterable[Record]) -> None:
        """Append whole lines, or none, onto the disk. Holds the lock."""
        records = list(records)
        data = b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)
        path = self._log
        with speaking_of(path), path.open("ab", buffering=0) as file:
            before = file.tell()
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[file.write(rest) or 0 :]
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise
        for record in records:
            self._records[record["key"]] = record
            if "sha256" in record:
                self._by_sha[record["sha256"]] = record

    def _is_whole(self, record: Record) -> bool:
        path = self.where(record)
        if path is None:
            return False
        stat = path.stat()
        if stat.st_size != record["bytes"]:
            return False
        if stat.st_mtime_ns == record["mtime_ns"] and not self.verify:
            return True
        return sha256_of(path) == record["sha256"]

    def _adopt(self, record: Record) -> bool:
        """Find a file with these bytes under another name of the folder."""
        for path in sorted(self.dataset.pictures.rglob(f"*_{record['sha256'][:8]}.*")):
            same = path.stat().st_size == record["bytes"] and sha256_of(path) == record["sha256"]
            if same:
                file = path.relative_to(self.dataset.root).as_posix()
                stat = path.stat()
                with self._lock:
                    self._append([{**record, "file": file, "mtime_ns": stat.st_mtime_ns}])
                return True
        return False

    def _mend(self) -> None:
        """Take a torn last line away: the next line must not be glued to it."""
        path = self.dataset.fetch_log
        if not path.exists():
            return
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            write_lines(path, read_lines(path))
