"""Where an answer goes, and what is asked in view of what is there already."""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

Marks = tuple[str | None, str | None]  # (ETag, Last-Modified) of what one has


class Store(Protocol):
    """Where an answer goes: into memory, or into a file on its way."""

    @property
    def size(self) -> int:
        """How many bytes of the body are here."""
        ...

    def asks(self) -> dict[str, str]:
        """Return further headers of a request."""
        ...

    def accepts(self, status: int) -> bool:
        """True when an answer of that status is one to what was asked."""
        ...

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Get ready for a body. Raises Stale."""

    def write(self, chunk: bytes) -> object:
        """Take the next bytes. Raises Stale."""

    def finish(self) -> str:
        """Return the sha256 (hex) of all of it."""
        ...

    def seal(self, answer: Mapping[str, Any]) -> None:
        """Note that all of it is here, and what was answered."""

    def forget(self) -> None:
        """Begin with nothing."""


class Memory:
    """A page: small, packed when the server likes, and asked for only when it has changed."""

    def __init__(self, marks: Marks) -> None:
        self.marks, self.body = marks, bytearray()

    @property
    def size(self) -> int:
        return len(self.body)

    def asks(self) -> dict[str, str]:
        known = dict(zip(("If-None-Match", "If-Modified-Since"), self.marks, strict=True))
        return {"Accept-Encoding": "gzip", **{name: v for name, v in known.items() if v}}

    def accepts(self, status: int) -> bool:
        return status == 200 or (status == 304 and any(self.marks))

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.body.clear()

    def write(self, chunk: bytes) -> None:
        self.body += chunk

    def finish(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def seal(self, answer: Mapping[str, Any]) -> None:
        """Memory does not outlast the run."""

    def forget(self) -> None:
        self.body.clear()
