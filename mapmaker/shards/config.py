"""What a shard shall hold: the only home of pack's defaults. Imports nothing heavy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mapmaker.config import opt
from mapmaker.engine import NAMES, check_name
from mapmaker.errors import BadConfig
from mapmaker.shards.pipeline import Pipeline, is_file, read_pipeline

SCHEMA = "mapmaker-shards/2"  # 1 had no columns light, upright and seal

# Members of the square's symmetry group by the names albumentations gives them, identity first.
SYMMETRIES: Mapping[str, tuple[str, ...]] = {
    "none": ("e",),
    "mirror": ("e", "h"),
    "turns": ("e", "r90", "r180", "r270"),
    "d4": ("e", "r90", "r180", "r270", "h", "v", "t", "hvt"),
}
ELEMENTS = SYMMETRIES["d4"]  # the column `variant` holds indices into this
OWN = "own"  # what `augment` is once a person's own pipeline has been read
LAYOUTS = ("raw", "encoded")
LIGHTS = ("any", "keep")
SIDES_PX = (32, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackConfig:
    """How kept pictures become the samples a net learns from."""

    size: int = opt(750, "Side of a sample [px].")
    squares: int = opt(15, "Grid squares along a sample's side, where the picture's grid is known.")
    crops: int = opt(4, "At most this many crops of one picture.")
    augment: str = opt(
        "d4",
        f"Symmetries to draw views from ({', '.join(SYMMETRIES)}), or an albumentations pipeline "
        "of your own as A.save writes it (.json, .yaml).",
        metavar="NAME|FILE",
    )
    views: int = opt(2, "Different views of each crop, the first as it is.")
    light: str = opt(
        "any", "Whether views may move where shadows fall, where that is known.", choices=LIGHTS
    )
    layout: str = opt("raw", "Pixels (raw) or JPEG (encoded) in the shards.", choices=LAYOUTS)
    held_out: float = opt(0.1, "Share of the maps no net may learn from, for measuring.")
    seed: int = opt(0, "Where the choice of views starts.")
    engine: str = opt("auto", f"Where the work is done: {NAMES}.", metavar="ENGINE")
    licenses: str = opt(
        "", "Take only pictures of these licences, as `CC0-1.0,MIT`.", metavar="NAMES"
    )
    pipeline: str = ""  # your own, as `pipeline.checked` writes it; read from what augment names
    shard_mb: float = 256.0
    max_dark: float = 0.35  # share of a crop that may be black surround
    min_detail: float = 0.02  # share of a crop that must differ from its commonest colour

    def __post_init__(self) -> None:
        low, high = SIDES_PX
        _within("size", self.size, low, high)
        _within("squares", self.squares, 1, self.size // 2)
        _within("crops", self.crops, 1, 64)
        _within("views", self.views, 1, 8)
        _within("held_out", self.held_out, 0.0, 0.9)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("shard_mb", self.shard_mb, 0.001, 65536.0)
        _within("max_dark", self.max_dark, 0.0, 1.0)
        _within("min_detail", self.min_detail, 0.0, 1.0)
        self._read_augment()
        _one_of("light", self.light, LIGHTS)
        _one_of("layout", self.layout, LAYOUTS)
        check_name(self.engine)

    def _read_augment(self) -> None:
        """Read the file `augment` names, once: what matters is what it held, not where it lies."""
        if is_file(self.augment):
            object.__setattr__(self, "pipeline", read_pipeline(Path(self.augment)))
            object.__setattr__(self, "augment", OWN)
        if self.augment != OWN or not self.pipeline:
            object.__setattr__(self, "pipeline", "")
            _one_of("augment", self.augment, [*SYMMETRIES, "or a FILE.json or FILE.yaml"])
            return
        Pipeline.of(self.pipeline)
        if self.views == 1:
            raise BadConfig(
                "views is 1, and the first view of a crop is the crop as it is.",
                hint="Your pipeline makes the others: ask for --views 2 or more.",
            )

    def recipe(self) -> dict[str, Any]:
        """Return every value the samples depend on, and none they do not.

        The engine is none, nor are the licences: they choose pictures, and those are counted.
        """
        apart = ("engine", "licenses") if self.pipeline else ("engine", "licenses", "pipeline")
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in apart}
        return {"schema": SCHEMA} | values

    @property
    def rows_per_shard(self) -> int:
        """Samples in a full shard; an encoded one is taken to be a quarter of its pixels."""
        sample_bytes = 3 * self.size**2 / (1 if self.layout == "raw" else 4)
        return max(1, int(self.shard_mb * 1e6 / sample_bytes))


def digest(value: Any) -> str:
    """Return the sha256 (hex) of a plain value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadConfig(f"{name} is {value}.", hint=f"It must be from {low} to {high}.")


def _one_of(name: str, value: str, known: Any) -> None:
    if value not in known:
        raise BadConfig(f"{name} is {value!r}.", hint=f"It must be one of {', '.join(known)}.")
