"""What asking for an address gives: an answer, or a reason from the list why there is none."""

from dataclasses import dataclass


class Refused(Exception):
    """It could not be had. `reason` is a key of GAP_REASONS; `again` says that later it might.

    final says that asking once more in this run is of no use, whatever the reason.
    """

    def __init__(
        self, reason: str, status: int | None = None, *, again: bool = False, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.status, self.again, self.final = reason, status, again, final
        self.attempts = 0
        self.received = 0
        self.mirrors = ""  # what the archives said, when they were asked


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, and what the server said of it. `url` is where it came from in the end.

    status 304 says that what one has is still so, and nothing came. robots is "allowed", or
    "ignored" when robots.txt forbids the address and the person overrode it.
    """

    url: str
    status: int
    bytes: int
    sha256: str
    etag: str | None
    last_modified: str | None
    attempts: int = 1
    served_by: str = "live"
    capture: str | None = None
    robots: str = "allowed"
    against: str = ""  # what its headers say on the use of it

    def as_row(self) -> dict[str, object]:
        """Return every field by its name."""
        return {name: getattr(self, name) for name in self.__slots__}


def refusal_of(status: int) -> Refused:
    """Return the reason that a status other than the one hoped for stands for."""
    if status in (404, 410):
        return Refused("not-found", status)
    if status == 429:
        return Refused("rate-limited", status, again=True)
    if status in (408, 425):
        return Refused("unreachable", status, again=True)
    if status >= 500:
        # 500 is a broken page and stays one; the others speak of a bad moment.
        return Refused("server-error", status, again=status != 500)
    reason = {3: "redirected", 4: "forbidden"}.get(status // 100, "server-error")
    return Refused(reason, status)
