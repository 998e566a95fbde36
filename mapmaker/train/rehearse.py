"""A training step rehearsed with tensors that have a shape but no memory, every byte counted.

The rehearsal runs `train_step` itself, so what it counts cannot drift from what is trained.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mapmaker.models import Nets, build
from mapmaker.train.data import Pictures
from mapmaker.train.recipes import Recipe
from mapmaker.train.state import State
from mapmaker.train.step import Pace, train_step

# What a tensor takes beyond its bytes: it ends on a page, and a large one on a huge page
# (`device.set_up` asks for those). With the second, plans of fewshot came 5 % nearer to the truth.
PAGE, HUGE = 2**12, 2**21


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Bytes a training step needs, data set and process aside.

    weights: both nets and the average. gradients: of both nets. optimiser: Adam's moments.
    saving: copies that writing a checkpoint makes. step: the most that lives at once in a step, all
    but these included.
    """

    weights: int
    gradients: int
    optimiser: int
    saving: int
    step: int


class Ledger(TorchDispatchMode):
    """Counts the bytes of every tensor made inside it, until the tensor is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._enter(leaf.untyped_storage())
        return result

    def _enter(self, storage: torch.UntypedStorage) -> None:
        key = id(storage)
        if key in self._known:
            return
        page = PAGE if storage.nbytes() < HUGE else HUGE
        size = -(-storage.nbytes() // page) * page
        if not size:
            return
        self.live += size
        self.peak = max(self.peak, self.live)

        def gone(_: Any) -> None:
            del self._known[key]
            self.live -= size

        self._known[key] = weakref.ref(storage, gone)


class _Blank:
    """As many black pictures as a micro-batch needs."""

    def __init__(self, size: int, count: int) -> None:
        self._images = np.zeros((count, size, size, 3), np.uint8)

    def indices(self, split: str) -> np.ndarray:
        return np.arange(len(self._images))

    def load(self, indices: np.ndarray) -> np.ndarray:
        return self._images


def rehearse(nets: Nets, recipe: Recipe, pace: Pace, checkpointing: bool) -> Rehearsal:
    """Return what training `nets` (any device; they are only looked at) would keep in memory."""
    with torch.random.fork_rng(devices=[]), _no_memory() as ledger:
        state = _state(nets, recipe)
        for net in (state.nets.generator, state.nets.discriminator):
            net.checkpointing = checkpointing
        pictures = Pictures(
            _Blank(nets.size, pace.micro_batch),
            device=state.device,
            seed=0,
            resident=False,
            symmetries=recipe.symmetries,
            kinds=(len(nets.kinds), np.zeros(pace.micro_batch, int)) if nets.kinds else None,
        )
        state.step = recipe.lecam_after
        _as_after_a_step(state)
        at_most = replace(recipe, ease=0.0)  # augmentation in full force keeps the most
        train_step(state, pictures, at_most, pace, seed=0, progress=0.0)
        return Rehearsal(
            _weights(state), _gradients(state), _moments(state), _turned(state), ledger.peak
        )


def _state(nets: Nets, recipe: Recipe) -> State:
    """Return what `new_state` makes, without the moves and copies such tensors cannot do."""
    again = build(nets.arch, nets.size, nets.options)
    both = (again.generator, again.discriminator)
    ema = None
    if recipe.ema:
        ema = build(nets.arch, nets.size, nets.options).generator.requires_grad_(False)
    adams = [torch.optim.Adam(net.parameters(), betas=recipe.betas, fused=True) for net in both]
    return State(again, ema, adams[0], adams[1], torch.zeros(2), torch.device("cpu"))


def _as_after_a_step(state: State) -> None:
    """Give the nets the gradients and the optimisers the moments that every step but the first
    finds: the peak has them in it."""
    for net, adam in (
        (state.nets.generator, state.adam_g),
        (state.nets.discriminator, state.adam_d),
    ):
        for parameter in net.parameters():
            parameter.grad = torch.zeros_like(parameter)
        adam.step()


@contextmanager
def _no_memory() -> Iterator[Ledger]:
    with FakeTensorMode(allow_non_fake_inputs=True), Ledger() as ledger:
        yield ledger


def _weights(state: State) -> int:
    return sum(t.nbytes for net in state.modules().values() for t in net.state_dict().values())


def _gradients(state: State) -> int:
    both = (state.nets.generator, state.nets.discriminator)
    return sum(p.nbytes for net in both for p in net.parameters())


def _moments(state: State) -> int:
    moments = (*state.adam_g.state.values(), *state.adam_d.state.values())
    return sum(t.nbytes for values in moments for t in values.values())


def _turned(state: State) -> int:
    """Return the larger of what the two files of a checkpoint need: filters lie channels last in a
    run, and the file wants them the other way round."""

    def filters(net: torch.nn.Module) -> int:
        return sum(p.nbytes for p in net.parameters() if p.dim() == 4 and p.shape[-1] > 1)

    weights = sum(filters(net) for net in state.modules().values())
    moments = 2 * (filters(state.nets.generator) + filters(state.nets.discriminator))
    return max(weights, moments)
