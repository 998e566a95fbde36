"""Sets of pictures as the metrics take them: checked, in an order of their own, in equal parts."""

import hashlib
from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import BadConfig
from mapmaker.evaluate.config import LEAST
from mapmaker.shards.config import SIDES_PX

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Pictures(Protocol):
    """An array of pictures, or what reads like one and is not all in memory."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Images: ...


_CHUNK = 32


def check(name: str, images: Pictures) -> None:
    """Raise BadConfig unless images are uint8 (N, S, S, 3), S 32 to 1024 px, N at least LEAST."""
    shape, low, high = images.shape, *SIDES_PX
    good = images.dtype == np.uint8 and len(shape) == 4 and shape[3] == 3 and shape[1] == shape[2]
    if not (good and low <= shape[1] <= high):
        raise BadConfig(
            f"The {name} pictures are {images.dtype} {shape}.",
            hint=f"Give uint8 (N, S, S, 3), S {low} to {high}.",
        )
    if len(images) < LEAST:
        raise BadConfig(
            f"There are {len(images)} {name} pictures to measure with.",
            hint=f"At least {LEAST} are needed.",
        )


def own_order(images: Pictures, seed: int) -> NDArray[np.int64]:
    """Return an order of the pictures that depends on what they are, not on where they stand.

    It is random but for `seed`, so its beginning is a fair sample. Equal pictures are told apart
    by their count alone, or a sample would take all copies of one picture or none.
    """
    seen: dict[bytes, int] = {}
    keys = []
    for place in range(len(images)):
        pixels = np.ascontiguousarray(images[place]).data
        digest = hashlib.blake2b(pixels, digest_size=16).digest()
        copy = seen[digest] = seen.get(digest, -1) + 1
        keys.append(hashlib.blake2b(digest + f"{copy} {seed}".encode(), digest_size=16).digest())
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def without_views(images: Pictures, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `order` without those that are a picture before them turned or mirrored."""
    seen: set[bytes] = set()
    kept = []
    for place in order:
        views = [np.ascontiguousarray(view).data for view in eight(images[place])]
        name = min(hashlib.blake2b(view, digest_size=16).digest() for view in views)
        if name not in seen:
            seen.add(name)
            kept.append(place)
    return np.array(kept, dtype=np.int64)


def eight(image: NDArray) -> list[NDArray]:
    """Return the eight orientations of square pictures (..., S, S, 3), as they are first."""
    turned = [np.rot90(image, k, (-3, -2)) for k in range(4)]
    return turned + [np.swapaxes(view, -3, -2) for view in turned]


def chunks(images: Images) -> Iterator[Images]:
    """Yield the pictures some at a time, so that what is made of them stays small."""
    for start in range(0, len(images), _CHUNK):
        yield images[start : start + _CHUNK]


def shrunk(image: Images, side_px: int) -> Images:
    """Return one picture averaged by area to side_px; smaller ones stay as they are."""
    if image.shape[0] <= side_px:
        return image
    small = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def random(seed: int, *parts: int) -> np.random.Generator:
    """Return the random numbers of one purpose: a counter, so no purpose disturbs another."""
    counter = np.zeros(4, np.uint64)
    counter[1 : 1 + len(parts)] = parts
    return np.random.Generator(np.random.Philox(counter=counter, key=seed))
