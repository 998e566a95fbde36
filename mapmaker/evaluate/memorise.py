"""Has the net learned to draw, or learned the drawings? The nearest training picture of each."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.evaluate.pictures import Floats, Pictures, eight, shrunk

THUMB_PX = 24
SHIFT_PX = 1  # of THUMB_PX, each way: 4 % of the picture
COPIED = 1 / 3  # of the distance to the second nearest: Gu et al., On memorization, TMLR 2025
_INNER_PX = THUMB_PX - 2 * SHIFT_PX
_CHUNK = 24


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each picture: which training picture is nearest, how far it is, and how far the next.

    Distances are root mean squares in CIELAB units (2.3 is just visible) of 24 px thumbnails.
    """

    place: NDArray[np.int64]
    distance: NDArray[np.float64]
    second: NDArray[np.float64]

    @property
    def copied(self) -> NDArray[np.bool_]:
        """Which are nearer than a third of the way to any other training picture."""
        return self.distance < COPIED * self.second


def thumbs(images: Pictures, order: NDArray[np.int64] | None = None) -> Floats:
    """Return 24 px thumbnails in CIELAB, float32 (N, 24, 24, 3), of all pictures or in `order`."""
    places = range(len(images)) if order is None else order
    small = np.stack([shrunk(images[place], THUMB_PX) for place in places])
    flat = cv2.cvtColor(
        small.reshape(-1, THUMB_PX, 3).astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB
    )
    return flat.astype(np.float32, copy=False).reshape(small.shape)


def nearest(ours: Floats, train: Floats, groups: NDArray[np.int64] | None = None) -> Nearest:
    """Return the nearest of the thumbnails `train` for each of `ours`.

    Over all eight orientations and shifts by 4 %. groups (of train) tells
    which show one source map: the second nearest is then of another one, for a picture's own
    crops and views would always be near. Raises ValueError when train holds one map only.
    """
    groups = np.arange(len(train)) if groups is None else np.asarray(groups)
    if len(np.unique(groups)) < 2:
        raise ValueError("there is no second training picture")
    inner = slice(SHIFT_PX, SHIFT_PX + _INNER_PX)
    known = train[:, inner, inner].reshape(len(train), -1)
    middle = known.mean(axis=0, dtype=np.float64).astype(np.float32)
    known = known - middle
    lengths = (known**2).sum(axis=1)
    place = np.empty(len(ours), np.int64)
    first, second = np.empty(len(ours)), np.empty(len(ours))
    for start in range(0, len(ours), _CHUNK):
        views = _views(ours[start : start + _CHUNK]) - middle
        flat = views.reshape(-1, known.shape[1])
        squared = (flat**2).sum(axis=1)[:, None] + lengths - 2 * flat @ known.T
        best = squared.reshape(*views.shape[:2], -1).min(axis=1)
        here = slice(start, start + len(views))
        place[here] = best.argmin(axis=1)
        first[here] = best.min(axis=1)
        other = groups[None] != groups[place[here]][:, None]
        second[here] = np.where(other, best, np.inf).min(axis=1)
    scale = known.shape[1]
    return Nearest(place, *(np.sqrt(np.maximum(d, 0) / scale) for d in (first, second)))


def _views(pictures: Floats) -> Floats:
    """Return every picture's 72 views, flat: (N, 72, 22 * 22 * 3)."""
    found = []
    for view in eight(pictures):
        for y in range(0, 2 * SHIFT_PX + 1, SHIFT_PX):
            for x in range(0, 2 * SHIFT_PX + 1, SHIFT_PX):
                cut = view[:, y : y + _INNER_PX, x : x + _INNER_PX]
                found.append(cut.reshape(len(pictures), -1))
    return np.stack(found, axis=1)
