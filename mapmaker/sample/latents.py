"""The point in latent space that belongs to a seed."""

import numpy as np


def latent(seed: int, shape: tuple[int, ...], truncation: float = 1.0) -> np.ndarray:
    """Return the latent of `seed`: (1, *shape) float32, normal with deviation `truncation`.

    Counter-based (Philox keyed by the seed), so it depends on nothing but its arguments: picture i
    of a batch is the single picture of seed + i, on every machine and engine.
    """
    draw = np.random.Generator(np.random.Philox(key=seed)).standard_normal(shape, dtype=np.float32)
    return draw[None] * np.float32(truncation)
