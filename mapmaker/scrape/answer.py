"""What asking for an address gives: an answer, or a reason from the list why there is none."""

from collections.abc import Callable
from dataclasses import dataclass

Sink = Callable[[bytes], object]


class Refused(Exception):
    """It could not be had. `reason` is a key of GAP_REASONS; `again` says that later it might."""

    def __init__(self, reason: str, status: int | None = None, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.status, self.again = reason, status, again
        self.attempts = 0
        self.received = 0
        self.wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, and what the server said of it. `url` is where it came from in the end."""

    url: str
    status: int
    bytes: int
    sha256: str
    etag: str | None
    last_modified: str | None
    attempts: int = 1
    served_by: str = "live"
    capture: str | None = None
    against: str = ""  # what its headers say on the use of it
