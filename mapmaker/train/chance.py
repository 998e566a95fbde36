"""Random numbers by counter: they follow from a seed and a position, never from what was drawn.

So a resumed run, a run cut into other micro-batches and a run shared out to several processes all
see the same latents, pictures and augmentation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

# What a step draws for. Each has a stream of its own.
STEP, ORIENTATION, ORDER, LATENTS, REALS, FAKES, FAKES_AGAIN, NOISE = range(8)  # NOISE + view


def chance(seed: int, step: int, part: int = STEP, attempt: int = 0) -> np.random.Generator:
    """Return the random numbers of one step (or epoch) for one purpose.

    attempt counts how often the run was rolled back: the second time a step is trained, it meets
    other random numbers than those that led astray.
    """
    counter = np.array([0, 0, attempt, part], dtype=np.uint64)
    key = np.array([seed, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


@dataclass(frozen=True, slots=True)
class Dice:
    """The random numbers of one step, a number of them for each picture of the whole batch."""

    seed: int
    step: int
    attempt: int
    whole: int  # pictures in the batch, over all micro-batches and processes

    def torch(self, purpose: int, first: int = 0) -> None:
        """Seed torch's generators for this purpose; `first` tells micro-batches apart."""
        rng = chance(self.seed, self.step, purpose, self.attempt)
        seed = int(rng.integers(2**62))
        torch.manual_seed(seed + first)

    def of(self, purpose: int, part: slice) -> "Draws":
        """Return what the pictures `part` of the batch draw for this purpose."""
        return Draws(chance(self.seed, self.step, purpose, self.attempt), self.whole, part)


class Draws:
    """A numpy generator's draws for a whole batch, of which one micro-batch's are handed out.

    The first axis of what is asked for is that of the pictures.
    """

    def __init__(self, rng: np.random.Generator, whole: int, part: slice) -> None:
        self._rng, self._whole, self._part = rng, whole, part

    def uniform(self, low: float, high: float, size: int) -> np.ndarray:
        return self._rng.uniform(low, high, self._whole)[self._part]

    def integers(self, low: Any, high: Any, size: tuple[int, ...]) -> np.ndarray:
        return self._rng.integers(low, high, (self._whole, *size[1:]))[self._part]

    def random(self, size: int) -> np.ndarray:
        return self._rng.random(self._whole)[self._part]
