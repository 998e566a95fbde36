"""Nearest x2 and a 3x3 convolution in one are what the two are one after the other."""

import copy

import pytest
import torch
from torch import nn

from mapmaker.models import build
from mapmaker.models.doubled import LEAST_PX, Layers
from mapmaker.models.layers import GLU, Resize


def row(bias: bool) -> Layers:
    """Return a row with a doubling, a gate and a second convolution, as the nets have."""
    torch.manual_seed(0)
    layers = [Resize(2), nn.Conv2d(5, 6, 3, padding=1, bias=bias), nn.BatchNorm2d(6), GLU()]
    return Layers(*layers, nn.Conv2d(3, 2, 3, padding=1)).double()


def outcome(net: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Return what comes out, and the gradients of the input and all weights."""
    x = x.clone().requires_grad_()
    out = net(x)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    gradients = [x.grad, *(p.grad for p in net.parameters())]
    assert all(g is not None and g.abs().max() > 0 for g in gradients)
    return [out.detach(), *gradients]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("side", [LEAST_PX - 1, LEAST_PX, LEAST_PX + 7])
def test_values_and_gradients_are_those_of_the_two_layers(side: int, bias: bool) -> None:
    """Borders, odd sides, oblong maps; a map below LEAST_PX goes the plain way."""
    net, x = row(bias), torch.randn(3, 5, side, side + 1, dtype=torch.float64)
    plain = nn.Sequential(*copy.deepcopy(net))

    for ours, theirs in zip(outcome(net, x), outcome(plain, x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert net.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("fewshot", {"latent": 8, "widths": [8, 8, 8, 8, 6]}),
        ("pyramid", {"latent": 8, "widths": [8, 8, 8, 8, 6]}),
        ("dcgan", {"channels": 8, "channels2": 6, "upsample": "resize", "latent": "spatial"}),
    ],
)
def test_a_generator_learns_what_it_learnt_before(
    arch: str, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures, gradients and running statistics of a training pass, all but for rounding.

    With checkpointing too: a stage that runs twice has the same gradients.
    """
    torch.manual_seed(1)
    nets = build(arch, 64, options)
    net, z = nets.generator.double(), torch.randn(4, *nets.latent_shape).double()
    copies = [copy.deepcopy(net) for _ in range(2)]
    copies[0].checkpointing = True

    found = [[*_gradients(n, z), *n.buffers()] for n in (net, copies[0])]
    monkeypatch.setattr("mapmaker.models.doubled.LEAST_PX", 1000)
    plain = [*_gradients(copies[1], z), *copies[1].buffers()]

    for ours, again, theirs in zip(*found, plain, strict=True):
        assert torch.equal(ours, again)
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def _gradients(net: nn.Module, z: torch.Tensor) -> list[torch.Tensor]:
    picture = net(z)
    weights = torch.linspace(-1, 1, picture.numel(), dtype=picture.dtype).view_as(picture)
    return [picture.detach(), *torch.autograd.grad((picture * weights).sum(), net.parameters())]


def test_the_enlarged_map_is_not_kept() -> None:
    """Under autograd the row keeps the small map, not one of four times its size."""
    kept: list[int] = []

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    net, x = Layers(Resize(2), nn.Conv2d(64, 2, 3, padding=1)), torch.randn(1, 64, 32, 32)
    with torch.autograd.graph.saved_tensors_hooks(remember, lambda t: t):
        net(x.requires_grad_())

    assert max(kept) == x.numel()
