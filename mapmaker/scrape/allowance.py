"""How much a run may fetch, and how much room it must leave on the disk."""

import shutil
import threading
from pathlib import Path

from mapmaker.errors import MissingPart


class Allowance:
    """Counts what comes, for all threads together. None is no limit."""

    def __init__(self, max_total_bytes: int | None, min_free_bytes: int) -> None:
        self.max_total_bytes, self.min_free_bytes = max_total_bytes, min_free_bytes
        self.spent = 0
        self._lock = threading.Lock()

    def spend(self, count: int) -> None:
        """Note that `count` bytes came. Raises MissingPart once there are more than allowed."""
        with self._lock:
            self.spent += count
            over = self.max_total_bytes is not None and self.spent > self.max_total_bytes
        if over:
            raise MissingPart(
                f"This run has fetched the {self.max_total_bytes} bytes that --max-total allows.",
                hint="Run the same command again to go on; what is here stays.",
            )

    def leave_room(self, folder: Path, wanted_bytes: int) -> None:
        """Raise MissingPart when `wanted_bytes` more would leave too little room on the disk."""
        free = shutil.disk_usage(folder).free
        if free - wanted_bytes < self.min_free_bytes:
            raise MissingPart(
                f"The disk of {folder} has {free / 1e6:.0f} MB free, and "
                f"{self.min_free_bytes / 1e6:.0f} MB of it are to stay so.",
                hint="Free some room and run the same command again, or choose another --home.",
            )
