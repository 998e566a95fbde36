"""Time as a run sees it: a test brings a clock of its own and waits for nothing."""

import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Return seconds since some moment in the past; they never run backwards."""
        return time.monotonic()

    def date(self) -> datetime:
        """Return the date, with its time zone."""
        return datetime.now(UTC)

    def sleep(self, seconds: float, halt: threading.Event) -> bool:
        """Return after `seconds`, or as soon as `halt` is set: whether it is set."""
        return halt.wait(seconds) if seconds > 0 else halt.is_set()


def http_date(text: str | None) -> datetime | None:
    """Return the time that a header tells, with its zone, or None for what tells none.

    email.utils has three ways to say that it cannot read a date, and one to forget its zone.
    """
    try:
        told = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
