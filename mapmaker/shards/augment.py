"""Views of a crop: the symmetries of the square. The one home of albumentations.

Nothing else is baked into shards: a net trained on recoloured or noisy maps learns to paint
recoloured or noisy maps (Karras et al. 2020, arXiv 2006.06676); that belongs to the
discriminator's augmentation. Which views a crop gets is drawn in `deal.draw_views`.

albumentations says what the eight symmetries are called and what each does: `by_albumentations`,
which tests hold `apply_view` to. Importing it takes four seconds and 690 MB, in every worker; the
symmetries only move pixels, so workers move them with OpenCV and import nothing.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from mapmaker.shards.config import ELEMENTS

_MOVES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "e": lambda image: image,
    "r90": lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "r180": lambda image: cv2.rotate(image, cv2.ROTATE_180),
    "r270": lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "h": lambda image: cv2.flip(image, 1),
    "v": lambda image: cv2.flip(image, 0),
    "t": lambda image: cv2.transpose(image),
    "hvt": lambda image: cv2.transpose(cv2.rotate(image, cv2.ROTATE_180)),
}


def apply_view(image: np.ndarray, view: int) -> np.ndarray:
    """Return a square picture (H, W, 3) under ELEMENTS[view], contiguous; nothing is resampled."""
    return np.ascontiguousarray(_MOVES[ELEMENTS[view]](image))


def by_albumentations(image: np.ndarray, view: int) -> np.ndarray:
    """Return what albumentations makes of the same: the word on what a symmetry is."""
    import os

    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its version otherwise
    from albumentations.augmentations.geometric.functional import d4

    return d4(image, ELEMENTS[view])
