"""A watch over the figures of a run: what is bad enough to go back, and what is only said.

Gone back for, to the last good checkpoint, at half the learning rate:

    not finite  a figure or a weight is no number
    exploding   for PATIENCE steps running a loss is beyond LOSS_LIMIT, or a net's gradient is
                beyond EXPLODES times its median over the last MEMORY steps
    collapsed   the pictures of a tick differ from each other by less than COLLAPSED of what real
                pictures do, once they have differed by twice that or `young` steps are over

Only said (facts of a game that may still turn):

    the discriminator always wins (its hinge loss 0) or tells nothing (real and generated logits
    less than GAP apart), for LASTING steps running

Every verdict follows from the figures of single steps, whenever they are looked at; what is
remembered of earlier ones goes into the checkpoint. So a run that was killed and goes on decides as
one that was not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mapmaker.errors import Collapsed, Diverged, NotFinite

# Healthy runs stay far below: over 600 steps at 64 px the largest loss was 4.3, and a gradient was
# 28 times its median once (dcgan with notes), else twice at most (docs/training.md).
LOSS_LIMIT = 1000.0
EXPLODES = 100.0
PATIENCE = 16  # steps
MEMORY = 64  # steps
LEAST = 1e-2  # of a median: a discriminator that wins has gradients of 0 and then of more
COLLAPSED = 0.05
GAP = 0.1
LASTING = 300  # steps
SIDE_PX = 32  # pictures are compared this small

_READ = ("loss_d", "loss_g", "grad_d", "grad_g", "logit_real", "logit_fake")
_HINT = "Try --recipe recommended, lower rates in a recipe of your own, or another --seed."


@dataclass(slots=True)
class Watch:
    """What is remembered from step to step. `young`: steps before a collapse counts at all."""

    young: int
    hinge: bool
    past: dict[str, list[float]] = field(default_factory=lambda: {"grad_d": [], "grad_g": []})
    streak: int = 0  # steps running beyond a limit
    won: int = 0  # steps running without any loss of the discriminator
    lost: int = 0  # steps running in which it told nothing
    alive: bool = False  # the pictures have differed from each other once
    spread: float = 0.0  # of the last tick, as a share of the real pictures'
    _new: list[tuple[int, Tensor]] = field(default_factory=list)

    def add(self, step: int, figures: Mapping[str, Tensor]) -> None:
        """Note one step's figures; nothing is waited for."""
        self._new.append((step, torch.stack([figures[name].detach() for name in _READ])))

    def look(self) -> list[str]:
        """Judge the steps since the last look and return what a person should know.

        Waits for the device. Raises NotFinite or Diverged, naming step and figure.
        """
        if not self._new:
            return []
        rows = torch.stack([figures for _, figures in self._new]).tolist()
        steps = [step for step, _ in self._new]
        self._new.clear()
        said = []
        for step, row in zip(steps, rows, strict=True):
            said += self._judge(step, dict(zip(_READ, row, strict=True)))
        return said

    @property
    def suspects(self) -> bool:
        """Whether the last step seen was beyond a limit: nothing may be saved then."""
        return self.streak > 0

    def settle(self, step: int) -> None:
        """Raise Diverged when the run would end on a bad step."""
        if self.suspects:
            raise Diverged(
                f"The nets diverged: at step {step}, the run's last, a loss or a gradient is out"
                " of all measure.",
                hint=_HINT,
            )

    def picture(self, step: int, ours: Sequence[Image.Image], reals: Sequence[Image.Image]) -> None:
        """Judge a tick's pictures. Raises Collapsed when they are all but equal to each other."""
        self.spread = spread(ours) / max(spread(reals), 1e-6)
        self.alive = self.alive or self.spread >= 2 * COLLAPSED
        if self.fallen and (self.alive or step >= self.young):
            raise Collapsed(
                f"The generator collapsed: at step {step} its pictures differ by"
                f" {100 * self.spread:.1f} % of what real ones do.",
                hint=_HINT,
            )

    @property
    def fallen(self) -> bool:
        """Whether the pictures of the last tick were all but equal."""
        return self.spread < COLLAPSED

    def memory(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as plain values."""
        kept = ("past", "streak", "won", "lost", "alive", "spread")
        return {name: getattr(self, name) for name in kept}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take up what `memory` kept."""
        self._new.clear()
        for name, value in memory.items():
            setattr(self, name, value)

    def _judge(self, step: int, figures: Mapping[str, float]) -> list[str]:
        for name, value in figures.items():
            if not math.isfinite(value):
                raise NotFinite(
                    f"The nets diverged: the figure {name} is not finite at step {step}.",
                    hint=_HINT,
                )
        beyond = [
            f"{n} {figures[n]:.3g}" for n in ("loss_d", "loss_g") if abs(figures[n]) > LOSS_LIMIT
        ]
        for name, past in self.past.items():
            usual = max(median(past), LEAST) if len(past) == MEMORY else math.inf
            if figures[name] > EXPLODES * usual:
                beyond.append(f"{name} {figures[name]:.3g}, usually {usual:.3g}")
            past.append(figures[name])
            del past[:-MEMORY]
        self.streak = self.streak + 1 if beyond else 0
        if self.streak >= PATIENCE:
            raise Diverged(
                f"The nets diverged: {beyond[0]} at step {step}, the {PATIENCE}th step running.",
                hint=_HINT,
            )
        return self._game(step, figures)

    def _game(self, step: int, figures: Mapping[str, float]) -> list[str]:
        self.won = self.won + 1 if self.hinge and figures["loss_d"] <= 0 else 0
        gap = figures["logit_real"] - figures["logit_fake"]
        self.lost = self.lost + 1 if gap < GAP else 0
        said = []
        if self.won == LASTING:
            said.append(
                f"For {LASTING} steps up to {step} the discriminator has been right about"
                " everything: more augmentation, more LeCam or a lower lr_d would leave the"
                " generator something to learn."
            )
        if self.lost == LASTING:
            said.append(
                f"For {LASTING} steps up to {step} the discriminator has hardly told real pictures"
                " from generated ones: less cutout, or normalise_d, would help it."
            )
        return said


def spread(pictures: Sequence[Image.Image]) -> float:
    """Return how far apart pictures are: the root mean square distance of two of them, 0 to 1."""
    small = [p.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX) for p in pictures]
    values = np.stack([np.asarray(p, dtype=np.float32) for p in small]) / 255
    return float(np.sqrt(2 * values.var(axis=0, ddof=1).mean())) if len(small) > 1 else 0.0
