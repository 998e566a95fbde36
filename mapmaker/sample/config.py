"""What `sample` can be told."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from mapmaker.config import opt
from mapmaker.errors import BadConfig

MAX_MAPS = 10_000
MAX_SIDE_PX = 4096
PLAIN = "plain"  # the net as it was trained, layer by layer: how maps were painted at first
ENGINES = ("auto", "torch", "onnx", PLAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig:
    """Which maps to make, and how large."""

    n: int | None = opt(None, "How many maps (default 1, or as many as --seed names).", flag="-n")
    seed: str | None = opt(
        None,
        "First seed, or a range: 7 or 0-15 (default: a fresh one, and it is said).",
        metavar="SEED",
    )
    truncation: float = opt(1.0, "Below 1: safer and more alike. Above 1: bolder.")
    size: int | None = opt(None, "Side of a map [px] (default: what the net was made for).")
    layout: str | None = opt(None, "Draw floor plans of this kind by rule instead of asking a net.")
    squares: str = opt("15x15", "Columns and rows of a map.", metavar="WxH")
    grid: bool = opt(False, "Draw the grid over the map.")
    kind: str | None = opt(
        None, "Kind of map, of a net trained with --kinds (default: by the seed).", metavar="KIND"
    )
    engine: str = opt(
        "auto",
        "What paints: onnxruntime where it and the net's .onnx are there, else torch.",
        choices=("auto", "torch", "onnx"),
    )
    precision: str = opt(
        "fp32", "Number format; bf16 is twice as fast on some CPUs.", choices=("fp32", "bf16")
    )
    regenerate: Path | None = opt(
        None, "Make the picture of this map again.", flag="--from", metavar="MAP.png"
    )

    def __post_init__(self) -> None:
        if self.n is not None and not 1 <= self.n <= MAX_MAPS:
            raise BadConfig(f"-n is {self.n}.", hint=f"Ask for 1 to {MAX_MAPS} maps.")
        if not 0 < self.truncation <= 4:
            raise BadConfig(f"--truncation is {self.truncation}.", hint="Use 0.1 to 4.")
        if self.size is not None and not 32 <= self.size <= MAX_SIDE_PX:
            raise BadConfig(f"--size is {self.size}.", hint=f"Use 32 to {MAX_SIDE_PX} pixels.")
        if self.engine not in ENGINES or self.precision not in ("fp32", "bf16"):
            raise BadConfig(
                f"There is no engine {self.engine} in {self.precision}.",
                hint="Engines are auto, torch and onnx; numbers fp32 and bf16.",
            )
        self.columns_rows()
        self.seeds()

    def columns_rows(self) -> tuple[int, int]:
        """Return (columns, rows). Raises BadConfig unless --squares reads like 15x15."""
        match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", self.squares)
        if not match or not all(1 <= int(v) <= 200 for v in match.groups()):
            raise BadConfig(f"--squares is {self.squares!r}.", hint="Write it like 15x15.")
        return int(match[1]), int(match[2])

    def seeds(self) -> range:
        """Return the seeds of the maps, one each. A seed nobody gave is drawn afresh each time."""
        if self.seed is None:
            first = secrets.randbelow(1_000_000)
            return range(first, first + (self.n or 1))
        match = re.fullmatch(r"(\d{1,15})(?:-(\d{1,15}))?", self.seed)
        if not match:
            raise BadConfig(
                f"--seed is {self.seed!r}.", hint="Write a number, or a range like 0-15."
            )
        first, last = int(match[1]), match[2]
        if last is None:
            return range(first, first + (self.n or 1))
        count = int(last) - first + 1
        if not 1 <= count <= MAX_MAPS:
            raise BadConfig(
                f"--seed {self.seed} names {count} maps.", hint=f"Name 1 to {MAX_MAPS}."
            )
        if self.n is not None and self.n != count:
            raise BadConfig(
                f"--seed {self.seed} names {count} maps and -n asks for {self.n}.",
                hint="Give one of the two.",
            )
        return range(first, first + count)
