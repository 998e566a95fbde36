"""Keys to the places in a picture, by which a part of a map is found beside the whole."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.shot import Shot


@dataclass(frozen=True)
class Met:
    """Pairs one < other (M,) that have keys in common."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    warnings: tuple[str, ...] = ()


def keys(shot: Shot) -> bytes:
    return b""


def meet(pictures: Iterable[tuple[int, bytes]]) -> Met:
    none = np.empty(0, np.int64)
    return Met(none, none)
