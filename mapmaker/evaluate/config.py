"""What `evaluate` can be told: the only home of its defaults. Imports nothing heavy."""

import re
from dataclasses import dataclass
from pathlib import Path

from mapmaker.config import opt
from mapmaker.errors import BadConfig

LEAST = 8  # pictures in a set: the statistics of fewer say nothing, and neighbours need 6
MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """Which checkpoint to measure, and how many pictures of it."""

    n: int = opt(256, "How many pictures to generate.", flag="-n")
    seed: int = opt(0, "Seed of the first picture, and of what is drawn by chance.")
    checkpoint: str | None = opt(
        None, "Measure this step, or `best` (default: the newest).", metavar="STEP"
    )
    all: bool = opt(False, "Measure every checkpoint the run still has.")
    dataset: str | None = opt(
        None, "Hold against this data set (default: the run's own).", metavar="NAME"
    )
    inception: Path | None = opt(
        None, "Inception's weights, for real FID and KID beside the rest.", metavar="FILE"
    )

    def __post_init__(self) -> None:
        if not LEAST <= self.n <= MOST:
            raise BadConfig(
                f"-n is {self.n}.", hint=f"Ask for {LEAST} to {MOST} pictures; 256 is usual."
            )
        if not 0 <= self.seed < 2**62:
            raise BadConfig(f"seed is {self.seed}.", hint=f"Choose 0 to {2**62 - 1}.")
        if self.checkpoint is not None and self.all:
            raise BadConfig("--checkpoint and --all are both given.", hint="Choose one.")
        if self.checkpoint not in (None, "best") and self.step() is None:
            raise BadConfig(
                f"--checkpoint is {self.checkpoint!r}.",
                hint="Name a step, as 12000 or step-00012000, or `best`.",
            )

    def step(self) -> int | None:
        """Return the step that is asked for by its number, None where it is not."""
        match = re.fullmatch(r"(?:step-)?([0-9]{1,12})", self.checkpoint or "")
        return int(match[1]) if match else None
