"""The options of `mapmaker prune`."""

from dataclasses import dataclass

from mapmaker.config import opt
from mapmaker.engine import NAMES, check_name
from mapmaker.errors import BadConfig

MOST_BITS = 16  # beyond, a tenth of all pairs would be compared pixel by pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneConfig:
    """What counts as a usable picture, and what to do with the others."""

    auto: bool = opt(False, "Accept the suggestions; what a person has marked stays as it is.")
    apply: bool = opt(False, "Move dropped pictures into the data set's dropped/ folder, and stop.")
    restore: bool = opt(False, "Move everything in dropped/ back to its place, and stop.")
    explain: bool = opt(False, "Name every picture we suggest something about, and why.")
    min_side_px: int = opt(512, "Suggest dropping pictures whose shorter side is below this.")
    near: int = opt(12, "Compare pictures whose hashes differ in at most this many of 64 bits.")
    engine: str = opt("auto", f"Where the work is done: {NAMES}.", metavar="ENGINE")

    def __post_init__(self) -> None:
        if self.min_side_px < 1:
            raise BadConfig(
                f"min_side_px is {self.min_side_px}.", hint="Give a side of at least 1 pixel."
            )
        if not 0 <= self.near <= MOST_BITS:
            raise BadConfig(
                f"near is {self.near}.",
                hint=f"Give 0 to {MOST_BITS}; what is near is compared pixel by pixel.",
            )
        check_name(self.engine)
        if self.apply and self.restore:
            raise BadConfig("--apply and --restore undo each other.", hint="Give one of the two.")
