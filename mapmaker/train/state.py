"""Everything a run carries from step to step, and its form as plain tensors on a disk."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mapmaker.errors import NotFinite
from mapmaker.models import Nets, build, tell_kinds
from mapmaker.train.recipes import Recipe, structure_hash

FRAMES = 16  # pictures in a frame, a grid of 4 x 4
_FRAME_SEED = 750


@dataclass(slots=True)
class State:
    """The nets, their optimisers and the counters. `ema` is the averaged generator, or None."""

    nets: Nets
    ema: nn.Module | None
    adam_g: torch.optim.Adam
    adam_d: torch.optim.Adam
    anchors: Tensor  # LeCam's running means of the logits: real, generated
    device: torch.device
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    best: float = math.inf  # lowest distance so far, see score.py
    rate: float = 1.0  # what the recipe's learning rates are multiplied by
    attempt: int = 0  # how often the run was rolled back, see watch.py

    def latents(self, count: int) -> Tensor:
        """Return `count` latents from torch's default generator, on the device; kinds in turn."""
        z = torch.randn(count, *self.nets.latent_shape, device=self.device)
        return tell_kinds(z, len(self.nets.kinds))

    def frame_latents(self) -> Tensor:
        """Return the FRAMES latents every frame is drawn from, equal in every run of this shape."""
        fixed = torch.Generator().manual_seed(_FRAME_SEED)
        z = torch.randn(FRAMES, *self.nets.latent_shape, generator=fixed).to(self.device)
        return tell_kinds(z, len(self.nets.kinds))

    @property
    def generator(self) -> nn.Module:
        """The generator to draw with: the averaged one where there is one."""
        return self.nets.generator if self.ema is None else self.ema

    def modules(self) -> dict[str, nn.Module]:
        """Return the nets by the prefix they have in model.safetensors."""
        named: dict[str, nn.Module] = {"G": self.nets.generator, "D": self.nets.discriminator}
        return named if self.ema is None else named | {"G_ema": self.ema}


def new_state(arch: str, size: int, recipe: Recipe, device: torch.device, seed: int) -> State:
    """Return a state at step 0; its weights follow from `seed`. Raises as `models.build` does."""
    torch.manual_seed(seed)
    nets = build(arch, size, recipe.options_at(size))
    for net in (nets.generator, nets.discriminator):
        net.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    ema = copy.deepcopy(nets.generator).requires_grad_(False) if recipe.ema else None
    adams = [
        torch.optim.Adam(net.parameters(), lr=lr, betas=recipe.betas, fused=True)
        for net, lr in ((nets.generator, recipe.lr_g), (nets.discriminator, recipe.lr_d))
    ]
    return State(nets, ema, adams[0], adams[1], torch.zeros(2, device=device), device)


def set_rates(state: State, recipe: Recipe) -> None:
    """Give the optimisers the recipe's learning rates, lowered as the state says."""
    for adam, rate in ((state.adam_g, recipe.lr_g), (state.adam_d, recipe.lr_d)):
        for group in adam.param_groups:
            group["lr"] = rate * state.rate


def structure(nets: Nets) -> dict[str, Any]:
    """Return what makes two generators the same net: arch, size, options and every shape."""
    shapes = {k: list(v.shape) for k, v in nets.generator.state_dict().items()}
    return {"arch": nets.arch, "size": nets.size, "options": nets.options, "shapes": shapes}


def generator_hash(nets: Nets) -> str:
    """Return the hash that a checkpoint's generator must share to be loaded into `nets`."""
    return structure_hash(structure(nets))


def model_tensors(state: State) -> dict[str, Tensor]:
    """Return every weight and buffer, by "G.", "D." or "G_ema." and its name."""
    return {
        f"{prefix}.{key}": value.detach()
        for prefix, net in state.modules().items()
        for key, value in net.state_dict().items()
    }


def optimiser_tensors(state: State) -> dict[str, Tensor]:
    """Return the optimisers' tensors, by "g." or "d.", the parameter's name and the moment's."""
    named = {"anchors": state.anchors}
    for key, parameter, moments in _moments(state):
        for name, value in moments.get(parameter, {}).items():
            named[f"{key}|{name}"] = value.detach()
    return named


def optimiser_like(state: State) -> dict[str, Tensor]:
    """Return what `optimiser_tensors` gives once every parameter has moved, as shapes alone."""
    named = {"anchors": torch.empty(2, device="meta")}
    for key, parameter, _ in _moments(state):
        named[f"{key}|step"] = torch.empty((), device="meta")
        for name in ("exp_avg", "exp_avg_sq"):
            named[f"{key}|{name}"] = torch.empty(parameter.shape, device="meta")
    return named


def restore(state: State, model: Mapping[str, Tensor], optimiser: Mapping[str, Tensor]) -> None:
    """Put saved tensors into the state, each in the memory layout its parameter has."""
    for prefix, net in state.modules().items():
        own = {k[len(prefix) + 1 :]: v for k, v in model.items() if k.startswith(f"{prefix}.")}
        net.load_state_dict(own)
    state.anchors.copy_(optimiser["anchors"])
    saved: dict[str, dict[str, Tensor]] = {}
    for key, value in optimiser.items():
        if "|" in key:
            owner, _, name = key.rpartition("|")
            saved.setdefault(owner, {})[name] = value
    for key, parameter, moments in _moments(state):
        # A fused Adam walks weights and moments side by side in memory: their strides must agree.
        moments[parameter] = {
            name: torch.empty_like(parameter, requires_grad=False).copy_(value)
            if name != "step"
            else value.to(state.device)
            for name, value in saved.get(key, {}).items()
        }
        if not moments[parameter]:
            del moments[parameter]


def _moments(state: State) -> Iterator[tuple[str, Tensor, dict[Tensor, dict[str, Tensor]]]]:
    for letter, net, adam in (
        ("g", state.nets.generator, state.adam_g),
        ("d", state.nets.discriminator, state.adam_d),
    ):
        for name, parameter in net.named_parameters():
            yield f"{letter}.{name}", parameter, adam.state


def check_finite(state: State, figures: Mapping[str, float], *, weights: bool) -> None:
    """Raise NotFinite, naming the first figure or weight that is no number.

    weights looks at every weight too, which costs a pass over them.
    """
    where = next((f"the figure {k}" for k, v in figures.items() if not math.isfinite(v)), None)
    if where is None and weights:
        for prefix, net in state.modules().items():
            tensors = [(k, v) for k, v in net.state_dict().items() if v.is_floating_point()]
            sums = torch.stack([v.float().sum() for _, v in tensors]).isfinite().tolist()
            if not all(sums):
                where = f"the weight {prefix}.{tensors[sums.index(False)][0]}"
                break
    if where is not None:
        raise NotFinite(
            f"The nets diverged: {where} is not finite at step {state.step}"
            f" ({state.images / 1000:.2f} kimg).",
            hint="Try --recipe recommended, a lower rate, or another --seed.",
        )
