"""One step of each net, and nothing of files, clocks or devices.

The nets play in turn. While the generator trains, the discriminator's gradients are off: its
weights neither move nor cost memory, though the gradient still flows through it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mapmaker.train.augment import eased, seen
from mapmaker.train.chance import FAKES, FAKES_AGAIN, LATENTS, NOISE, REALS, Dice
from mapmaker.train.data import Pictures
from mapmaker.train.device import mixed
from mapmaker.train.recipes import Recipe
from mapmaker.train.state import State
from mapmaker.train.team import ALONE, Team

LECAM_DECAY = 0.99


@dataclass(frozen=True, slots=True)
class Pace:
    """How one step is cut up: each of `world` processes takes `accumulate` micro-batches."""

    micro_batch: int
    accumulate: int
    precision: str
    world: int = 1

    @property
    def batch(self) -> int:
        return self.micro_batch * self.accumulate * self.world

    @property
    def parts(self) -> int:
        """Micro-batches in a step, over all processes."""
        return self.accumulate * self.world

    def of(self, rank: int) -> list[slice]:
        """Return which pictures of the batch process `rank` computes, by micro-batch."""
        firsts = (self.micro_batch * (rank * self.accumulate + i) for i in range(self.accumulate))
        return [slice(first, first + self.micro_batch) for first in firsts]


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one step of both nets has in common."""

    state: State
    recipe: Recipe
    pace: Pace
    dice: Dice
    progress: float
    parts: list[slice]  # this process's micro-batches
    latents: list[Tensor]  # one for each of them

    def judged(self, purpose: int, part: slice, images: Tensor, **asked: Any) -> Any:
        """Return what the discriminator says of a micro-batch, augmented as `purpose` draws it.

        Torch's generator then stands where it stands for every micro-batch of the step, so that
        windows (fewshot) and margins do not depend on how the batch is cut.
        """
        if self.recipe.noise:
            self.dice.torch(NOISE + purpose, part.start)
        draws = self.dice.of(purpose, part)
        with mixed(self.state.device, self.pace.precision):
            shown = seen(images, self.recipe, draws, self.progress)
            self.dice.torch(purpose)
            if kinds := len(self.state.nets.kinds):
                asked["kinds"] = self.latents[self.parts.index(part)][:, -kinds:]
            return self.state.nets.discriminator(shown, **asked)


def train_step(
    state: State,
    pictures: Pictures,
    recipe: Recipe,
    pace: Pace,
    *,
    seed: int,
    progress: float,
    team: Team = ALONE,
) -> dict[str, Tensor]:
    """Train D once and G once, move the state on, and return the step's figures, on the device.

    Every random number of the step follows from (seed, state.step, state.attempt), whatever the
    pace; noise alone is drawn a micro-batch at a time.
    """
    dice = Dice(seed, state.step, state.attempt, pace.batch)
    dice.torch(LATENTS)
    latents, parts = state.latents(pace.batch), pace.of(team.rank)
    kinds = pictures.kinds(state.images, pace.batch)
    if kinds is not None:  # the generator paints the kinds that the real pictures are of
        latents[:, -kinds.shape[1] :] = kinds
    draws = [latents[part] for part in parts]
    recipe = eased(recipe, state.images / pictures.views)
    turn = _Turn(state, recipe, pace, dice, progress, parts, draws)

    # One forward pass serves both nets when its graph can wait: a step of one micro-batch.
    kept = _generate(state, draws[0], pace) if pace.accumulate == 1 else None
    figures = team.add_up(state.nets.discriminator, _discriminator(turn, pictures, kept))
    figures["grad_d"] = _norm(state.nets.discriminator)
    state.adam_d.step()
    state.anchors.lerp_(
        torch.stack([figures["logit_real"], figures["logit_fake"]]), 1 - LECAM_DECAY
    )

    # Both nets' statistics are averaged last: the generator's turn moved the discriminator's too.
    both = (state.nets.generator, state.nets.discriminator)
    figures |= team.add_up(state.nets.generator, _generator(turn, kept), both)
    figures["grad_g"] = _norm(state.nets.generator)
    state.adam_g.step()

    if state.ema is not None:
        average(state.ema, state.nets.generator, recipe.ema, state.step)
    state.step += 1
    state.images += pace.batch
    return figures


def _discriminator(turn: _Turn, pictures: Pictures, kept: Tensor | None) -> dict[str, Tensor]:
    """Leave this process's share of the discriminator's gradients in it; return of the figures."""
    state, recipe, pace = turn.state, turn.recipe, turn.pace
    state.adam_d.zero_grad(set_to_none=True)
    lecam = recipe.lecam if state.step >= recipe.lecam_after else 0.0
    figures: dict[str, Tensor] = {}
    for part, latents in zip(turn.parts, turn.latents, strict=True):
        # Real and generated pictures never share a batch: batch norm would tell them apart.
        reals = pictures.batch(state.images + part.start, pace.micro_batch)
        told = turn.judged(REALS, part, reals, **({"recall": True} if recipe.recall else {}))
        real, painted = told if recipe.recall else (told, torch.zeros((), device=state.device))
        real = real.float()
        loss_real = (
            real_loss(real, recipe, margins(real, recipe, turn.dice, part))
            + lecam * F.relu(real - state.anchors[1]).square().mean()
            + recipe.recall * painted.float()
        )
        (loss_real / pace.parts).backward()

        if kept is None:
            with torch.no_grad():
                fakes = _generate(state, latents, pace)
        else:
            fakes = kept.detach()
        fake = turn.judged(FAKES, part, fakes).float()
        loss_fake = (
            fake_loss(fake, recipe, margins(fake, recipe, turn.dice, part))
            + lecam * F.relu(state.anchors[0] - fake).square().mean()
        )
        (loss_fake / pace.parts).backward()
        _add(
            figures,
            pace,
            loss_d=loss_real + loss_fake,
            logit_real=real.mean(),
            logit_fake=fake.mean(),
        )
    return figures


def _generator(turn: _Turn, kept: Tensor | None) -> dict[str, Tensor]:
    """Leave this process's share of the generator's gradients in it; return of the figures."""
    state, recipe, pace = turn.state, turn.recipe, turn.pace
    state.adam_g.zero_grad(set_to_none=True)
    figures: dict[str, Tensor] = {}
    with frozen(state.nets.discriminator):
        for part, latents in zip(turn.parts, turn.latents, strict=True):
            fakes = _generate(state, latents, pace) if kept is None else kept
            loss = generator_loss(turn.judged(FAKES_AGAIN, part, fakes).float(), recipe)
            (loss / pace.parts).backward()
            _add(figures, pace, loss_g=loss)
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


def real_loss(logits: Tensor, recipe: Recipe, margin: Tensor | float = 1.0) -> Tensor:
    """Return the discriminator's loss on real pictures: BCE towards real_label, or hinge."""
    if recipe.loss == "hinge":
        return F.relu(margin - logits).mean()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, recipe.real_label))


def fake_loss(logits: Tensor, recipe: Recipe, margin: Tensor | float = 1.0) -> Tensor:
    """Return the discriminator's loss on generated pictures; their labels are never smoothed."""
    if recipe.loss == "hinge":
        return F.relu(margin + logits).mean()
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


def margins(logits: Tensor, recipe: Recipe, dice: Dice, part: slice) -> Tensor | float:
    """Return each logit's margin, drawn from [recipe.margin, 1] by torch's generator."""
    if recipe.loss != "hinge" or recipe.margin == 1.0:
        return 1.0
    drawn = torch.rand(dice.whole, logits.shape[1], device=logits.device)
    return recipe.margin + (1 - recipe.margin) * drawn[part]


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


def _add(figures: dict[str, Tensor], pace: Pace, **values: Tensor) -> None:
    for name, value in values.items():
        share = value.detach() / pace.parts
        figures[name] = figures[name] + share if name in figures else share


@torch.no_grad()
def _norm(net: nn.Module) -> Tensor:
    return torch.nn.utils.get_total_norm(p.grad for p in net.parameters() if p.grad is not None)
