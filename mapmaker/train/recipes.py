"""Recipes: how a net is trained, every choice a field, so that each can be measured on its own.

`notes` is the author's, to the letter. `recommended` is what we found stable. A recipe of one's own
is a .toml with the fields that differ (`base = "notes"` says from what).
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mapmaker.config import from_table
from mapmaker.errors import BadConfig, UnsafeInput
from mapmaker.registry import Registry

RECIPES: Registry["Recipe"] = Registry("recipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train. Pictures are in [-1, 1], so brightness 0.2 is a tenth of the whole range."""

    options: Mapping[str, Any] = field(default_factory=dict)  # of the nets; see models.build
    d_side: int = 0  # dcgan's discriminator halves until its map is this small [px]; 0: as options
    loss: str = "bce"  # bce | hinge
    real_label: float = 0.9  # bce: the discriminator's target for real pictures
    margin: float = 1.0  # hinge: each margin is drawn from [margin, 1]
    lr_g: float = 2e-4
    lr_d: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)  # Adam's
    ema: float = 0.0  # decay a step of the averaged generator; 0 keeps none
    lecam: float = 0.0  # weight of LeCam (arXiv 2104.03310): ties the logits to their averages
    lecam_after: int = 1000  # steps
    recall: float = 0.0  # weight of what the discriminator must paint of real pictures (fewshot)
    noise: float = 0.0  # sigma of Gaussian noise on all the discriminator sees
    noise_until: float = 1.0  # it falls to 0 over this share of the run; 1 keeps it as it is
    symmetries: bool = True  # each real picture in one of its eight orientations, drawn anew
    translation: float = 0.0  # differentiable augmentation (arXiv 2006.10738): share of a side
    cutout: float = 0.0  # side of the hole, as a share of the picture's
    cutout_chance: float = 0.5
    ease: float = 0.0  # passes until augmentation is in full force, a picture's symmetries counted
    brightness: float = 0.0
    saturation: float = 0.0
    contrast: float = 0.0

    def __post_init__(self) -> None:
        if self.d_side < 0:
            raise BadConfig(f"A recipe's d_side is {self.d_side}.", hint="Use 0, or 4 px and more.")
        if self.loss not in ("bce", "hinge"):
            raise BadConfig(f"A recipe's loss is {self.loss!r}.", hint="It can be bce or hinge.")
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise BadConfig(f"A recipe's betas are {self.betas}.", hint="Give two, below 1.")
        shares = ("ema", "margin", "real_label", "noise_until", "cutout_chance")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise BadConfig(f"A recipe's {name} is {getattr(self, name)}.", hint="Use 0 to 1.")
        if self.ease < 0:
            raise BadConfig(f"A recipe's ease is {self.ease}.", hint="Use 0, or a few passes.")
        if not (0 <= self.translation < 1 and 0 <= self.cutout < 1):
            raise BadConfig("A recipe's translation and cutout are shares of a side below 1.")
        if not (self.lr_g > 0 and self.lr_d > 0):
            raise BadConfig("A recipe's learning rates must be above 0.")

    def options_at(self, size: int) -> dict[str, Any]:
        """Return the nets' options at size px, the depth of the discriminator included."""
        if not self.d_side:
            return dict(self.options)
        # Below 2 px a side batch norm sees a handful of numbers and hides what it should tell.
        halvings = (size // self.d_side).bit_length() - 1
        return {"d_depth": min(8, max(4, halvings))} | dict(self.options)


# The author's notes. The nets' own defaults are his: large-stride deconvolutions, then one
# convolution down to size, pictures in [-1, 1]. His 15 % noise is `noise = 0.15`.
NOTES = Recipe(
    loss="bce",
    real_label=0.9,
    lr_g=1e-3,
    lr_d=4e-4,
    symmetries=False,
)
RECIPES.register("notes")(NOTES)

# What we found stable. Distance (score.py) at 64 px on 320 drawn maps, batch 8, one seed, 8 kimg:
# these fields 16; with BCE 26; with twice the channels and one more halving 68, and 36 with the
# shrinking layer besides. `notes`: 57 at 14 kimg, 41 at 42 kimg, the lattice in plain sight.
RECOMMENDED = Recipe(
    options={
        "upsample": "resize",
        "reduce": "none",
        "channels": 32,
        "channels2": 16,
        "normalise_d": "both",
    },
    d_side=4,
    loss="hinge",
    margin=0.8,
    lr_g=2e-4,
    lr_d=2e-4,
    ema=0.999,
    ease=24.0,
    translation=0.125,
    cutout=0.3,
    brightness=0.2,
    saturation=0.3,
    contrast=0.2,
)
RECIPES.register("recommended")(RECOMMENDED)

RECIPES.register("recommended-pyramid")(replace(RECOMMENDED, options={}, d_side=0))
RECIPES.register("recommended-fewshot")(replace(RECOMMENDED, options={}, d_side=0, recall=1.0))


def find_recipe(wanted: str, arch: str) -> Recipe:
    """Return the recipe called `wanted` (its form for `arch` where there is one), or of a .toml.

    Raises UnknownName with the nearest names, BadConfig for a field no recipe has, UnsafeInput for
    a file that is no TOML.
    """
    if wanted.endswith(".toml"):
        return read_recipe(Path(wanted), arch)
    own = f"{wanted}-{arch}"
    return RECIPES.get(own if own in RECIPES.names() else wanted)


def read_recipe(path: Path, arch: str) -> Recipe:
    """Return the recipe `path` holds: the fields it gives, over those of its `base`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadConfig(f"There is no recipe {path}.", hint=f"Known: {RECIPES.names()}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnsafeInput(f"{path} is not readable as TOML: {error}.") from error
    base = asdict(find_recipe(str(table.pop("base", "recommended")), arch))
    try:
        options = {**base["options"], **table.pop("options", {})}
        return from_table(Recipe, base | table | {"options": options}, str(path))
    except TypeError as error:
        raise BadConfig(f"{path} holds a value of the wrong kind: {error}.") from error


def structure_hash(structure: Mapping[str, Any]) -> str:
    """Return 16 hex digits that differ when a net's arch, size, options or shapes do."""
    text = json.dumps(structure, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
