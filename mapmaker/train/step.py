"""One step of each net, and nothing of files, clocks or devices.

The nets play in turn. While the generator trains, the discriminator's gradients are off: its
weights neither move nor cost memory, though the gradient still flows through it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mapmaker.train.augment import seen
from mapmaker.train.data import Pictures, chance
from mapmaker.train.device import mixed
from mapmaker.train.recipes import Recipe
from mapmaker.train.state import State

LECAM_DECAY = 0.99


@dataclass(frozen=True, slots=True)
class Pace:
    """How one step is cut up: `accumulate` micro-batches of `micro_batch` pictures each."""

    micro_batch: int
    accumulate: int
    precision: str

    @property
    def batch(self) -> int:
        return self.micro_batch * self.accumulate


def train_step(
    state: State, pictures: Pictures, recipe: Recipe, pace: Pace, *, seed: int, progress: float
) -> dict[str, Tensor]:
    """Train D once and G once, move the state on, and return the step's figures, on the device.

    Every random number of the step follows from (seed, state.step).
    """
    rng = chance(seed, state.step)
    torch.manual_seed(int(rng.integers(2**63)))
    draws = [state.latents(pace.micro_batch) for _ in range(pace.accumulate)]

    # One forward pass serves both nets when its graph can wait: a step of one micro-batch.
    kept = _generate(state, draws[0], pace) if pace.accumulate == 1 else None
    figures = _discriminator(state, pictures, recipe, pace, draws, kept, rng, progress)
    figures |= _generator(state, recipe, pace, draws, kept, rng, progress)

    if state.ema is not None:
        average(state.ema, state.nets.generator, recipe.ema, state.step)
    state.step += 1
    state.images += pace.batch
    return figures


def _discriminator(
    state: State,
    pictures: Pictures,
    recipe: Recipe,
    pace: Pace,
    draws: list[Tensor],
    kept: Tensor | None,
    rng: np.random.Generator,
    progress: float,
) -> dict[str, Tensor]:
    judge = state.nets.discriminator
    state.adam_d.zero_grad(set_to_none=True)
    lecam = recipe.lecam if state.step >= recipe.lecam_after else 0.0
    figures: dict[str, Tensor] = {}
    for part, latents in enumerate(draws):
        # Real and generated pictures never share a batch: batch norm would tell them apart.
        reals = pictures.batch(state.images + part * pace.micro_batch, pace.micro_batch)
        with mixed(state.device, pace.precision):
            real, painted = _judged(judge, seen(reals, recipe, rng, progress), recipe)
        loss_real = (
            real_loss(real, recipe)
            + lecam * F.relu(real - state.anchors[1]).square().mean()
            + recipe.recall * painted
        )
        (loss_real / pace.accumulate).backward()

        if kept is None:
            with torch.no_grad():
                fakes = _generate(state, latents, pace)
        else:
            fakes = kept.detach()
        with mixed(state.device, pace.precision):
            fake = judge(seen(fakes, recipe, rng, progress)).float()
        loss_fake = (
            fake_loss(fake, recipe) + lecam * F.relu(state.anchors[0] - fake).square().mean()
        )
        (loss_fake / pace.accumulate).backward()

        means = torch.stack([real.detach().mean(), fake.detach().mean()])
        state.anchors.lerp_(means, 1 - LECAM_DECAY)
        _add(figures, pace, loss_d=loss_real + loss_fake, logit_real=means[0], logit_fake=means[1])
    figures["grad_d"] = _norm(judge)
    state.adam_d.step()
    return figures


def _judged(judge: nn.Module, reals: Tensor, recipe: Recipe) -> tuple[Tensor, Tensor | float]:
    """Return the logits of real pictures and how wrongly the discriminator paints them again."""
    if not recipe.recall:
        return judge(reals).float(), 0.0
    logits, painted = judge(reals, recall=True)
    return logits.float(), painted.float()


def _generator(
    state: State,
    recipe: Recipe,
    pace: Pace,
    draws: list[Tensor],
    kept: Tensor | None,
    rng: np.random.Generator,
    progress: float,
) -> dict[str, Tensor]:
    state.adam_g.zero_grad(set_to_none=True)
    figures: dict[str, Tensor] = {}
    with frozen(state.nets.discriminator):
        for latents in draws:
            fakes = _generate(state, latents, pace) if kept is None else kept
            with mixed(state.device, pace.precision):
                fake = state.nets.discriminator(seen(fakes, recipe, rng, progress)).float()
            loss = generator_loss(fake, recipe)
            (loss / pace.accumulate).backward()
            _add(figures, pace, loss_g=loss)
    figures["grad_g"] = _norm(state.nets.generator)
    state.adam_g.step()
    return figures


def _generate(state: State, latents: Tensor, pace: Pace) -> Tensor:
    with mixed(state.device, pace.precision):
        # In planes, as `augment.seen` likes it, before they are widened: half the bytes to turn.
        return state.nets.generator(latents).contiguous().float()


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Switch the gradients of the net's own weights off inside the block."""
    net.requires_grad_(False)
    try:
        yield
    finally:
        net.requires_grad_(True)


def real_loss(logits: Tensor, recipe: Recipe) -> Tensor:
    """Return the discriminator's loss on real pictures: BCE towards real_label, or hinge."""
    if recipe.loss == "hinge":
        return F.relu(_margin(logits, recipe) - logits).mean()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, recipe.real_label))


def fake_loss(logits: Tensor, recipe: Recipe) -> Tensor:
    """Return the discriminator's loss on generated pictures; their labels are never smoothed."""
    if recipe.loss == "hinge":
        return F.relu(_margin(logits, recipe) + logits).mean()
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


def generator_loss(logits: Tensor, recipe: Recipe) -> Tensor:
    """Return the generator's loss: to be taken for real (non-saturating)."""
    if recipe.loss == "hinge":
        return -logits.mean()
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


@torch.no_grad()
def average(ema: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards the net's; the decay ramps up to forget the first steps."""
    now = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(  # type: ignore[attr-defined]
        list(ema.parameters()), list(net.parameters()), 1 - now
    )


def _margin(logits: Tensor, recipe: Recipe) -> Tensor:
    return recipe.margin + (1 - recipe.margin) * torch.rand_like(logits)


def _add(figures: dict[str, Tensor], pace: Pace, **values: Tensor) -> None:
    for name, value in values.items():
        share = value.detach() / pace.accumulate
        figures[name] = figures[name] + share if name in figures else share


@torch.no_grad()
def _norm(net: nn.Module) -> Tensor:
    return torch.nn.utils.get_total_norm(p.grad for p in net.parameters() if p.grad is not None)
