"""What a training run is asked to do: the only home of its defaults. Imports no torch."""

from dataclasses import dataclass, fields
from typing import Any

from mapmaker.config import opt
from mapmaker.errors import BadConfig
from mapmaker.shards.config import SIDES_PX

DEFAULT_MINUTES = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run. Without a budget it lasts DEFAULT_MINUTES."""

    arch: str = opt("dcgan", "Architecture: see `mapmaker list architectures`.")
    size: int = opt(750, "Side of the pictures [px], 32 to 1024.")
    memory: str = opt("24GB", "Stay below this much memory.", metavar="SIZE")
    kimg: float | None = opt(None, "Train on so many thousand pictures.")
    epochs: float | None = opt(None, "Train for so many passes over the data set.")
    minutes: float | None = opt(None, "Train for so many minutes (60 when no budget is given).")
    batch: str = opt("auto", "Pictures a step, or auto: what the memory carries.", metavar="auto|N")
    recipe: str = opt("recommended", "A recipe by name, or the path of a recipe's .toml.")
    resume: bool = opt(False, "Go on with a run, with a larger budget if it was finished.")
    device: str = opt("auto", "Where to train.", choices=("auto", "cpu", "cuda"))
    seed: int = opt(0, "Every random choice follows from it.")
    name: str | None = opt(None, "Name of the run (default DATASET-SIZE-N).")
    tick_kimg: float | None = opt(None, "Log and draw a frame so often (default: by the clock).")
    save_kimg: float | None = opt(None, "Save so often (default: by the clock).")
    kinds: bool = opt(False, "Learn each kind of map apart (fewshot), for `sample --kind`.")
    precision: str = opt("auto", "Number format.", choices=("auto", "bf16", "fp32"))

    # Only in TOML: seconds between saves, at least; checkpoints that stay, besides the best; how
    # often a run goes back to its last good checkpoint; steps before a collapse counts.
    save_every_s: float = 60.0
    keep: int = 2
    rollbacks: int = 3
    young_steps: int = 500

    def __post_init__(self) -> None:
        low, high = SIDES_PX
        if not low <= self.size <= high:
            raise BadConfig(
                f"size is {self.size}.", hint=f"Choose {low} to {high} px; 750 is usual."
            )
        given = [b for b in ("kimg", "epochs", "minutes") if getattr(self, b) is not None]
        if len(given) > 1:
            raise BadConfig(f"{' and '.join(given)} are both given.", hint="Choose one budget.")
        rhythm = [name for name in ("tick_kimg", "save_kimg") if getattr(self, name) is not None]
        for name in [*given, *rhythm]:
            if not getattr(self, name) > 0:
                raise BadConfig(f"{name} is {getattr(self, name)}.", hint="It must be above 0.")
        if self.batch != "auto" and not (str(self.batch).isdigit() and int(self.batch) > 0):
            raise BadConfig(f"batch is {self.batch!r}.", hint="Give a whole number, or auto.")
        if not 0 <= self.seed < 2**63:
            raise BadConfig(f"seed is {self.seed}.", hint="Choose 0 to 9223372036854775807.")
        for name, known in (("device", "auto cpu cuda"), ("precision", "auto bf16 fp32")):
            if getattr(self, name) not in known.split():
                raise BadConfig(
                    f"{name} is {getattr(self, name)!r}.", hint=f"Choose one of {known}."
                )
        if self.rollbacks < 0 or self.young_steps < 0:
            raise BadConfig("rollbacks and young_steps cannot be below 0.", hint="Use 0 or more.")
        if self.keep < 1:
            raise BadConfig(f"keep is {self.keep}.", hint="At least 1 checkpoint must stay.")

    @property
    def budget(self) -> tuple[str, float]:
        """What ends the run: ("kimg" | "epochs" | "minutes", amount)."""
        for name in ("kimg", "epochs", "minutes"):
            if getattr(self, name) is not None:
                return name, float(getattr(self, name))
        return "minutes", DEFAULT_MINUTES

    @property
    def batch_size(self) -> int | None:
        """Pictures a step, or None for what the memory carries."""
        return None if self.batch == "auto" else int(self.batch)


def changed(config: TrainConfig) -> dict[str, Any]:
    """Return the fields of `config` that are not their class's default, by name."""
    return {f.name: v for f in fields(config) if (v := getattr(config, f.name)) != f.default}
