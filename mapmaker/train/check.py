"""Whether this machine can train: one real step on the device, for `mapmaker doctor`."""

import time
from typing import Any

import numpy as np
import torch

from mapmaker.train.data import Pictures
from mapmaker.train.device import choose_device, choose_precision, environment, peak_bytes
from mapmaker.train.recipes import RECOMMENDED
from mapmaker.train.state import new_state
from mapmaker.train.step import Pace, train_step

SIDE_PX, BATCH = 32, 8


class _Noise:
    """Eight pictures of noise, in the shape shards have."""

    def indices(self, split: str) -> np.ndarray:
        return np.arange(BATCH)

    def load(self, indices: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (BATCH, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)[indices]


def check_step(device: str = "auto") -> dict[str, Any]:
    """Return what a tiny training step did: device, gpu, ok, moved, losses, seconds, memory.

    ok means that both nets' weights moved and every loss is a number. The nets stand on the device
    that is named, so nobody trains on the CPU unknowingly. Raises MissingPart when cuda is asked
    for and absent.
    """
    chosen = choose_device(device)
    precision = choose_precision("auto", chosen)
    state = new_state("dcgan", SIDE_PX, RECOMMENDED, chosen, seed=0)
    nets = {"generator": state.nets.generator, "discriminator": state.nets.discriminator}
    before = {k: [p.detach().clone() for p in net.parameters()] for k, net in nets.items()}
    pictures = Pictures(_Noise(), device=chosen, seed=0, resident=True, symmetries=True)
    began = time.monotonic()
    with torch.random.fork_rng():
        figures = train_step(
            state, pictures, RECOMMENDED, Pace(BATCH, 1, precision), seed=0, progress=0.0
        )
    values = {name: float(value) for name, value in figures.items()}
    moved = {
        k: any(not torch.equal(a, b) for a, b in zip(before[k], net.parameters(), strict=True))
        for k, net in nets.items()
    }
    on = {p.device.type for net in nets.values() for p in net.parameters()}
    return environment(chosen) | {
        "ok": all(moved.values()) and bool(np.isfinite(list(values.values())).all()),
        "moved": moved,
        "weights_on": sorted(on),
        "precision": precision,
        "seconds": round(time.monotonic() - began, 3),
        "peak_bytes": peak_bytes(chosen),
        **values,
    }
