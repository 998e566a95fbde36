"""The pictures of a split, read from the shards as they are asked for."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.evaluate.pictures import Images
from mapmaker.shards.reader import Shards


@dataclass(frozen=True, slots=True)
class Stored:
    """Some samples of shards, read like an array uint8 (N, S, S, 3) but never all at once."""

    shards: Shards
    places: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.places), self.shards.size, self.shards.size, 3)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any, /) -> Images:
        chosen = self.places[index]
        return self.shards[chosen] if chosen.ndim == 0 else self.shards.load(chosen)


@dataclass(frozen=True, slots=True)
class Splits:
    """The two sides of a data set, the source map of each training picture, and its squares.

    cell_px is the commonest side of a square in the training pictures, None where none is known.
    """

    train: Stored
    held_out: Stored
    groups: NDArray[np.int64]
    held_out_maps: int
    cell_px: float | None


def read_splits(shards: Shards) -> Splits:
    """Return the splits. Raises MapmakerError for an empty one, UnsafeInput for a map on both."""
    places = {split: shards.indices(split) for split in ("train", "held-out")}
    for split, found in places.items():
        if not len(found):
            raise MapmakerError(
                f"{shards.folder} has no {split} pictures to measure with.",
                hint="Pack the data set again with --held-out 0.1 (and more maps).",
            )
    groups = shards.column("group").astype(np.int64)
    sides = [set(groups[found].tolist()) for found in places.values()]
    if sides[0] & sides[1]:
        raise UnsafeInput(
            f"{shards.folder} has {len(sides[0] & sides[1])} maps both in train and held out.",
            hint="Pack the data set again.",
        )
    cells = shards.column("cell_px")[places["train"]]
    usual = Counter(cells[cells > 0].tolist()).most_common(1)
    return Splits(
        train=Stored(shards, places["train"]),
        held_out=Stored(shards, places["held-out"]),
        groups=groups[places["train"]],
        held_out_maps=len(sides[1]),
        cell_px=float(usual[0][0]) if usual else None,
    )
