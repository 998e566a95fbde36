"""Files on their way: what has come stays, and beside it what it takes to go on with it.

`x.part` holds the bytes so far, `x.part.json` which edition of which address they are the
beginning of. The note is written after the old bytes are gone and before the new ones are many, so
a kill at any moment leaves bytes that belong to their note, or bytes without one, which nobody
trusts. It has a line for what was begun and one when all of it is here; the last whole line counts.
Going on asks for the last 64 KiB again and compares them.
"""

import hashlib
import json
import os
import re
from collections.abc import Container, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mapmaker.files import sha256_of
from mapmaker.scrape.allowance import Allowance
from mapmaker.scrape.clock import http_date

OVERLAP = 65_536
_LOOK_EVERY = 16_000_000
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class Stale(Exception):
    """What is here does not belong to what comes; both are of no use. Ask for the whole."""


class Part:
    """The file at `url`, being written to `path`. A sink for `body.receive`, and a context."""

    def __init__(self, path: Path, url: str, allowance: Allowance) -> None:
        self.path, self.url, self.allowance = path, url, allowance
        self._size = 0
        self.edition: dict[str, Any] = {}
        self._looked_at = 0
        self._start: int | None = None
        self._known = b""  # what is here already of what is coming
        self._noted = False
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        self._file = os.fdopen(handle, "r+b", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()

    @property
    def size(self) -> int:
        """How many bytes of the file are here, and known to be good."""
        return self._size

    def asks(self) -> dict[str, str]:
        """Return the headers that ask for what is missing: none when all of it is."""
        self._start = None
        size = os.fstat(self._file.fileno()).st_size
        self.edition = self._read_note() if size > OVERLAP else {}
        if not self.edition or size > self.edition["total"]:
            return {}
        self._start = size - OVERLAP
        which = self.edition["etag"] or self.edition["last_modified"]
        return {"Range": f"bytes={self._start}-", "If-Range": which}

    def accepts(self, status: int) -> bool:
        """True when an answer of that status is one to what was asked."""
        return status == 200 or (status == 206 and self._start is not None)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Get ready for the body of an answer. Raises Stale when it does not go on from here."""
        if status == 206:
            self._go_on(headers)
        else:
            self._start_over(headers)
        self.allowance.leave_room(self.path.parent, self.edition.get("total", 0) - self.size)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises Stale when they differ from those that are here."""
        if self._known:
            count = min(len(chunk), len(self._known))
            if chunk[:count] != self._known[:count]:
                raise Stale
            self._take(self._known[:count])
            self._known, chunk = self._known[count:], chunk[count:]
            self._file.seek(self.size)
        if not chunk:
            return
        if self.edition and not self._noted and self.size + len(chunk) > OVERLAP:
            self._write_note()
        if self.size - self._looked_at > _LOOK_EVERY:
            self._looked_at = self.size
            self.allowance.leave_room(self.path.parent, 0)
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        self._take(chunk)

    def finish(self) -> str:
        """Return the sha256 (hex) of the whole file."""
        if os.fstat(self._file.fileno()).st_size != self.size:
            self._file.truncate(self.size)
        return self._digest.hexdigest()

    def sync(self) -> None:
        """Wait until the file is on the disk."""
        os.fsync(self._file.fileno())

    def seal(self, answer: Mapping[str, Any]) -> None:
        """Note that the file is complete, and what was answered: a kill from here on costs nothing.

        Call it after `finish`; `sync` may come later, as nobody trusts a note whose hash is not the
        file's.
        """
        self.edition = {"url": self.url, "sha256": answer["sha256"], "answer": dict(answer)}
        self._write_note()

    def sealed(self) -> dict[str, Any] | None:
        """Return the answer of an earlier run when length and hash prove that the file is whole."""
        size = os.fstat(self._file.fileno()).st_size
        note = _note(self.path) if size else {}
        known = note.get("answer") if note.get("url") == self.url else None
        if not isinstance(known, dict) or known.get("bytes") != size:
            return None
        return known if sha256_of(self.path) == note.get("sha256") else None

    def forget(self) -> None:
        """Begin with nothing."""
        _remove(_note_of(self.path))
        if os.fstat(self._file.fileno()).st_size:
            self._file.truncate(0)
        self._file.seek(0)
        self._size, self._known, self._noted, self.edition = 0, b"", False, {}
        self._looked_at = 0
        self._digest = hashlib.sha256()

    def _take(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)

    def _start_over(self, headers: Mapping[str, str]) -> None:
        self.forget()
        length = headers.get("Content-Length", "")
        plain = headers.get("Content-Encoding", "").strip().lower() in ("", "identity")
        ranges = headers.get("Accept-Ranges", "").strip().lower() != "none"
        if plain and ranges and length.isdecimal() and len(length) < 16 and int(length) > OVERLAP:
            marks = _strong_marks(headers)
            if any(marks.values()):
                self.edition = {"url": self.url, "total": int(length), **marks}

    def _go_on(self, headers: Mapping[str, str]) -> None:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if self._start is None or found is None or headers.get("Content-Encoding"):
            raise Stale
        first, last, total = map(int, found.groups())
        marks = {"etag": headers.get("ETag"), "last_modified": headers.get("Last-Modified")}
        if any(said and self.edition[k] and said != self.edition[k] for k, said in marks.items()):
            raise Stale
        if (first, last + 1, total) != (self._start, self.edition["total"], self.edition["total"]):
            raise Stale
        self._digest, self._size, self._noted = hashlib.sha256(), 0, True
        self._file.seek(0)
        while self.size < first:
            self._take(self._file.read(min(1_048_576, first - self.size)))
        self._known = b""
        while len(self._known) < OVERLAP:
            self._known += self._file.read(OVERLAP - len(self._known))

    def _read_note(self) -> dict[str, Any]:
        note = _note(self.path)
        marks = [note.get("etag"), note.get("last_modified")]
        good = note.get("url") == self.url and isinstance(note.get("total"), int) and any(marks)
        return note if good and all(isinstance(m, str | None) for m in marks) else {}

    def _write_note(self) -> None:
        """Add a line to the note. One that a kill tears says nothing, as if it were not there."""
        line = b"\n" + json.dumps(self.edition).encode() + b"\n"  # never glued to a torn one
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        handle = os.open(_note_of(self.path), how, 0o644)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
        self._noted = True


def is_unfinished(path: Path) -> bool:
    """True for a part that a later try can go on with."""
    note = _note(path)
    return bool(note) and "sha256" not in note


def discard(path: Path) -> None:
    """Remove a part and its note."""
    _remove(_note_of(path))
    _remove(path)


def part_name(key: str) -> str:
    """Return what the part of the file `key` is called."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.part"


def sweep(folder: Path, listed: Container[str] | None) -> list[Path]:
    """Remove what nothing can be done with any more, and the folder when that was all.

    That is parts without a note, and parts of files that no page lists any more: `listed` has the
    part names of those that one does, None when not every page could be read. Returns the parts
    that stay, for a later run.
    """
    for path in list(folder.glob("*.part")):
        gone = listed is not None and path.name not in listed
        if gone or not Path(_note_of(path)).exists():
            discard(path)
    for left in [*folder.glob("*.part.json"), *folder.glob("*.part.json.tmp")]:
        if not left.with_name(left.name.partition(".part")[0] + ".part").exists():
            left.unlink()
    left = sorted(folder.glob("*.part"))
    if not any(folder.iterdir()):
        folder.rmdir()
    return left


def _note_of(path: Path) -> str:
    return f"{path}.json"


def _remove(path: str | Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - three a picture, and pathlib takes five times as long


def _note(path: Path) -> dict[str, Any]:
    """Return the note beside a part: its last whole line; an empty one when there is none."""
    try:
        lines = Path(_note_of(path)).read_bytes().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        with suppress(ValueError):
            note = json.loads(line)
            return note if isinstance(note, dict) else {}
    return {}


def _strong_marks(headers: Mapping[str, str]) -> dict[str, str | None]:
    """Return what tells this edition from every other byte by byte, as RFC 9110 sees it.

    A weak ETag says that editions may differ in their bytes: then nothing does. A date does when it
    lies a minute before the answer's own.
    """
    etag = headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return {"etag": etag, "last_modified": None}
    changed = headers.get("Last-Modified")
    sent, told = http_date(headers.get("Date")), http_date(changed)
    old = sent is not None and told is not None and sent - told >= timedelta(seconds=60)
    return {"etag": None, "last_modified": changed if old and etag is None else None}
