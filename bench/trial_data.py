"""What a trial is, and the pictures it learns from and is measured against."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One training. arch is ours, or a peer of `bench/peers.py`; changes are fields over `recipe`.

    kinds limits the pictures to those kinds of map, and pictures the training ones to so many
    (0: all). With `rest`, whole source maps are drawn until there are that many, and so many others
    of the remaining maps, not the held-out ones, are what the samples are measured against. judge
    is the side [px] at which they are measured (0: size).
    """

    name: str
    arch: str
    size: int
    seed: int
    minutes: float
    recipe: str = "recommended"
    changes: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    pictures: int = 0
    rest: int = 0
    judge: int = 0

    @property
    def folder(self) -> str:
        """The trial's own folder: what it is, in a word, and its seed."""
        return f"{self.name}-{self.size}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Data:
    """The pictures of one trial, uint8 (N, H, W, 3): to learn from, and to be measured against.

    groups: the source map of each training picture. cell_px: the side of a square of the grid.
    """

    train: Any
    held_out: Any
    groups: Any
    cell_px: float


def read_data(home: Path, dataset: str, trial: Trial) -> Data:
    """Return the training and the held-out pictures of the packed data set, by source map."""
    import numpy as np

    from mapmaker.shards.reader import open_shards

    shards = open_shards(home / "datasets" / dataset / "shards" / str(trial.size))
    # The kind of map by sha256 of the picture, as `bench/ablate.py` wrote them down.
    kinds = json.loads((home / "kinds.json").read_text("utf-8")) if trial.kinds else {}
    sides, groups = [], None
    for split in ("train", "held-out"):
        indices = np.asarray(shards.indices(split))
        if trial.kinds:
            ids = [bytes(row).hex() for row in shards.column("sha256")[indices]]
            indices = indices[[kinds.get(one) in trial.kinds for one in ids]]
        if split == "train":
            every = shards.column("group")
            if trial.pictures:
                indices, others = draw_maps(indices, every, trial)
            groups = every[indices].astype(np.int64)
        elif trial.rest:
            indices = others
        sides.append(shards.load(indices))
    cells = shards.column("cell_px")
    return Data(*sides, groups, float(np.median(cells[cells > 0])) if (cells > 0).any() else 0.0)


def draw_maps(indices: Any, groups: Any, trial: Trial) -> tuple[Any, Any]:
    """Return `pictures` of the indices and `rest` others, source maps in the seed's order."""
    import numpy as np

    chance = np.random.Generator(np.random.Philox(key=trial.seed))
    order = {int(group): n for n, group in enumerate(chance.permutation(np.unique(groups)))}
    sorted_ = sorted(indices.tolist(), key=lambda i: (order[int(groups[i])], i))
    cut = trial.pictures
    while 0 < cut < len(sorted_) and groups[sorted_[cut]] == groups[sorted_[trial.pictures - 1]]:
        cut += 1  # no map stands on both sides
    picked, others = sorted_[: trial.pictures], sorted_[cut:]
    others = chance.permutation(others)[: trial.rest].tolist()
    return np.sort(picked), np.sort(np.asarray(others, dtype=np.int64))
