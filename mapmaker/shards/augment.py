"""Views of a crop: the symmetries of the square. The one home of albumentations.

Nothing else is baked into shards: a net trained on recoloured or noisy maps learns to paint
recoloured or noisy maps (Karras et al. 2020, arXiv 2006.06676); that belongs to the
discriminator's augmentation. Which views a crop gets is drawn in `deal.draw_views`.
"""

import os

import numpy as np

from mapmaker.shards.config import ELEMENTS

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its version otherwise
from albumentations.augmentations.geometric.functional import d4


def apply_view(image: np.ndarray, view: int) -> np.ndarray:
    """Return a square picture (H, W, 3) under ELEMENTS[view], contiguous; nothing is resampled."""
    return np.ascontiguousarray(d4(image, ELEMENTS[view]))
