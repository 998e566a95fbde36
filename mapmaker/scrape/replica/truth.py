"""The truth about a replica as data: what is where, what it holds, and what must come of it."""

import hashlib
from typing import Any, Protocol

from mapmaker.scrape.replica.captures import archived_reason
from mapmaker.scrape.replica.plan import Entry, File, Truth


class Archive(Protocol):
    """What is told of."""

    truth: Truth

    def bytes_of(self, file: File) -> bytes:
        """Return the bytes of a whole file."""
        ...


def truth_of(archive: Archive) -> dict[str, Any]:
    """Return maps (each with its files), oddities and copies, ready for JSON.

    A file has path, dpi, variant, format, behaviour, kept, declared, bytes and sha256 of the whole
    file; `reason` is the gap expected, null when it must arrive, `reason_with_archives` the same
    when archives may be asked.
    """
    maps = [
        _map(archive, month.name, entry)
        for month in archive.truth.months
        for entry in month.entries
    ]
    return {"maps": maps, "oddities": archive.truth.oddities, "copies": archive.truth.copies}


def _map(archive: Archive, page: str, entry: Entry) -> dict[str, Any]:
    said = ("title", "description", "theme", "cartographer")
    files = [_file(archive, file) for file in entry.files]
    known = {name: getattr(entry, name) for name in said}
    return {"page": page, "date": entry.date.isoformat(), **known, "files": files}


def _file(archive: Archive, file: File) -> dict[str, Any]:
    data = archive.bytes_of(file)
    said = ("path", "url", "dpi", "variant", "format", "behaviour", "kept", "declared", "reason")
    return {
        **{name: getattr(file, name) for name in said},
        "reason_with_archives": archived_reason(file),
        "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
