"""What learns in a trial: a net of ours or a peer's, on the same pictures in the same order."""

from typing import Any

from trial_data import BATCH, Data, Trial


class Held:
    """The training pictures, in the shape shards have."""

    def __init__(self, images: Any) -> None:
        self._images = images

    def indices(self, split: str) -> Any:
        """Return every picture's number, whatever the split."""
        import numpy as np

        return np.arange(len(self._images))

    def load(self, indices: Any) -> Any:
        """Return pictures as uint8 (N, H, W, 3)."""
        return self._images[indices]


class Ours:
    """A net of ours, trained by the step `mapmaker train` takes."""

    def __init__(self, trial: Trial, data: Data) -> None:
        import torch

        from mapmaker.train.device import choose_precision
        from mapmaker.train.state import new_state
        from mapmaker.train.step import Pace

        device = torch.device("cpu")
        self.recipe, self.seed = read_recipe(trial), trial.seed
        self.state = new_state(trial.arch, trial.size, self.recipe, device, trial.seed)
        self.pace = Pace(BATCH, 1, choose_precision("auto", device))
        self.pictures = _pictures(trial, data, self.recipe.symmetries)

    def step(self, progress: float) -> dict[str, float]:
        """Train D once and G once and return the figures."""
        from mapmaker.train.step import train_step

        figures = train_step(
            self.state, self.pictures, self.recipe, self.pace, seed=self.seed, progress=progress
        )
        return {name: float(value) for name, value in figures.items()}

    def sample(self, count: int) -> Any:
        """Return `count` pictures of the averaged generator, its batch norms measured anew."""
        import numpy as np
        import torch

        from mapmaker.train.frames import draw, recalibrate, recalibration_latents

        state, precision = self.state, self.pace.precision
        if state.ema is not None:
            more = recalibration_latents(state.nets.latent_shape, 64, state.device)
            recalibrate(state.ema, more, precision, BATCH)
        fixed = torch.Generator().manual_seed(10_000 + self.seed)
        latents = torch.randn(count, *state.nets.latent_shape, generator=fixed)
        return np.stack([np.asarray(p) for p in draw(state.generator, latents, precision, BATCH)])


class Theirs:
    """A peer of `bench/peers.py`, on the same pictures in the same order and orientations."""

    def __init__(self, trial: Trial, data: Data) -> None:
        from peers import Peer

        name = trial.arch.removeprefix("peer-")
        self.peer = Peer(name, trial.size, BATCH, "cpu", trial.seed)
        self.pictures, self.seen, self.seed = _pictures(trial, data, True), 0, trial.seed

    def step(self, progress: float) -> dict[str, float]:
        """Train the peer once, as its project does."""
        reals = self.pictures.batch(self.seen, BATCH)
        self.seen += BATCH
        return self.peer.step(reals)

    def sample(self, count: int) -> Any:
        """Return `count` pictures of the peer's averaged generator."""
        return self.peer.sample(count, 10_000 + self.seed)


def _pictures(trial: Trial, data: Data, symmetries: bool) -> Any:
    import torch

    from mapmaker.train.data import Pictures

    held, device = Held(data.train), torch.device("cpu")
    return Pictures(held, device=device, seed=trial.seed, resident=True, symmetries=symmetries)


def read_recipe(trial: Trial) -> Any:
    """Return the trial's recipe: the named one with its changes, options merged key by key."""
    from dataclasses import replace

    from mapmaker.train.recipes import find_recipe

    base = find_recipe(trial.recipe, trial.arch)
    changes = dict(trial.changes)
    options = {**base.options, **changes.pop("options", {})}
    return replace(base, options=options, **changes)
