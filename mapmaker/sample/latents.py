"""The point in latent space that belongs to a seed."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def latent(seed: int, shape: tuple[int, ...], truncation: float = 1.0) -> "Tensor":
    """Return the latent of `seed`: (1, *shape) float32, normal with deviation `truncation`.

    Counter-based (Philox keyed by the seed), so it depends on nothing but its arguments: picture i
    of a batch is the single picture of seed + i, on every machine.
    """
    import torch

    draw = np.random.Generator(np.random.Philox(key=seed)).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(draw[None] * np.float32(truncation))
