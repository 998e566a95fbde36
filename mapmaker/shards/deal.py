"""Which samples there are and which shard each goes to: decided by the data, never by the order."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mapmaker.errors import MapmakerError
from mapmaker.shards.augment import stream
from mapmaker.shards.config import ELEMENTS, SYMMETRIES, PackConfig
from mapmaker.shards.crops import Crop
from mapmaker.shards.pipeline import Pipeline
from mapmaker.shards.source import Picture
from mapmaker.shards.walls import turned_light
from mapmaker.shards.writer import Sample, ShardJob

NEAR = 30.0  # light from directions so near [degrees] looks the same; symmetries move it by more
FEW_GROUPS = 10  # below this holding one out would take too much from training


def draw_views(augment: str, count: int, *, seed: int, sha256: str, crop: int) -> list[int]:
    """Return up to `count` different symmetries of a crop: indices into ELEMENTS, identity first.

    View k depends on seed, picture, crop and k alone: not on order, on `count` or on who asks.
    """
    others = SYMMETRIES[augment][1:]
    # Raw words are the same in every numpy; the order of `permutation` is not promised.
    words = stream(seed, sha256, crop).random_raw(len(others))
    order = np.argsort(words, kind="stable") if others else []
    return [0, *(ELEMENTS.index(others[i]) for i in order)][:count]


def held_out(groups: Sequence[str], share: float) -> set[str]:
    """Return the groups no net may learn from: about `share` of them, the same in every run.

    A group's own name decides, so adding pictures moves none. Of 10 or more groups at least one is
    held out (the one with the lowest lot, when no lot is low enough); of fewer none.
    """
    every = sorted(set(groups))
    if share == 0 or len(every) < FEW_GROUPS:
        return set()
    lots = {g: hashlib.sha256(f"held-out {g}".encode()).digest() for g in every}
    bound = int(share * 2**32).to_bytes(4, "big")
    return {g for g in every if lots[g][:4] < bound} or {min(every, key=lots.__getitem__)}


def deal_samples(
    pictures: Sequence[Picture], crops: Mapping[str, Sequence[Crop]], config: PackConfig
) -> list[Sample]:
    """Return every sample, ordered by picture id, crop and view.

    Raises MapmakerError when not one picture has crops.
    """
    if not any(crops.values()):
        raise MapmakerError(
            "None of the kept pictures can be read and has anything in it.",
            hint="Fetch or import them again.",
        )
    return [
        Sample(picture, crop, view)
        for picture in pictures
        for crop in crops.get(picture.id, ())
        for view in _views(picture, crop, config)
    ]


def _views(picture: Picture, crop: Crop, config: PackConfig) -> list[int]:
    """Return a crop's views: none of writing but the upright one, none that moves kept light."""
    if config.pipeline:
        return list(range(1 if left_as_is(picture, config) else config.views))
    name, draw = "none" if picture.upright else config.augment, len(ELEMENTS)
    views = draw_views(name, draw, seed=config.seed, sha256=picture.id, crop=crop.index)
    if config.light == "keep" and picture.light is not None:
        views = [v for v in views if _apart(turned_light(picture.light, v), picture.light) <= NEAR]
    return views[: config.views]


def left_as_is(picture: Picture, config: PackConfig) -> bool:
    """Return whether a person's own pipeline is not to touch a picture: it might turn or mirror
    writing, or move shadows that are to stay."""
    own = Pipeline.of(config.pipeline)
    shadows = config.light == "keep" and picture.light is not None and own.moves
    return shadows or (picture.upright and not own.upright_too)


def _apart(one: float, other: float) -> float:
    """Return the angle between two directions, 0..180 degrees."""
    return abs((one - other + 180) % 360 - 180)


def deal_shards(
    folder: Path,
    samples: Sequence[Sample],
    held: set[str],
    config: PackConfig,
    present: Mapping[str, Any],
    *,
    again: bool,
) -> list[ShardJob]:
    """Return one job a shard; a shard belongs to one split.

    Their files get numbers that the `present` card does not use, unless `again`: then the same.
    """
    parts = []
    for split in ("train", "held-out"):
        own = [s for s in samples if (s.picture.group in held) == (split == "held-out")]
        step = config.rows_per_shard
        parts += [(split, tuple(own[i : i + step])) for i in range(0, len(own), step)]
    numbers = [int(Path(line["file"]).stem) for line in present.get("shards", [])]
    low, high = min(numbers, default=0), max(numbers, default=-1)
    fresh = 0 if low >= len(parts) else high + 1
    first = low if again else fresh
    recipe = config.recipe()
    return [
        ShardJob(folder / f"{first + n:05d}.h5", split, recipe, rows)
        for n, (split, rows) in enumerate(parts)
    ]
