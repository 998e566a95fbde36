"""The generator made for drawing paints what the trained one does, with fewer products."""

import numpy as np
import pytest
import torch
from torch import nn

from mapmaker.models import ARCHS, build
from mapmaker.models.quick import Joined, quick

SMALL = {"widths": [16, 12, 10, 8, 8], "latent": 8}
SMALL_DCGAN = {"channels": 8, "channels2": 6, "latent": "spatial"}
NETS = [
    ("fewshot", 64, SMALL),
    ("fewshot", 100, SMALL),
    ("fewshot", 111, SMALL | {"excite": False}),
    ("fewshot", 190, {"widths": [16, 12, 10, 8, 8, 8], "latent": 8}),  # the one with gates
    ("pyramid", 100, SMALL | {"convs": 1}),
    ("pyramid", 72, {"latent": 8}),
    ("dcgan", 48, {"channels": 8, "channels2": 6}),
    ("dcgan", 48, {"channels": 8, "channels2": 6, "latent_norm": False, "kernel": 8}),
    ("dcgan", 96, SMALL_DCGAN | {"upsample": "resize", "reduce": "none", "smooth": 3}),
    ("dcgan", 160, SMALL_DCGAN | {"upsample": "resize", "reduce": "conv21"}),
    ("dcgan", 96, SMALL_DCGAN | {"upsample": "bilinear", "reduce": "area"}),
]


def trained(arch: str, size: int, options: dict) -> tuple[nn.Module, torch.Tensor]:
    """Return a generator as if trained (its norms and biases say something), and two latents."""
    torch.manual_seed(3)
    nets = build(arch, size, options)
    net, z = nets.generator.requires_grad_(False), torch.randn(2, *nets.latent_shape)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.uniform_(0.5, 1.5)
            part.bias.normal_(0, 0.3)
            part.momentum = None
        elif isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            part.weight.normal_()
            part.weight.div_(part.weight[0].numel() ** 0.5)
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(torch.randn(8 if size < 200 else 2, *nets.latent_shape))
    return net.eval(), z


@pytest.mark.parametrize(("arch", "size", "options"), NETS, ids=lambda v: str(v)[:12])
def test_the_quick_net_paints_the_same_pictures(arch, size, options):
    """Every way the architectures enlarge, shrink and normalise, borders included."""
    net, z = trained(arch, size, options)

    painted, again = net(z), quick(net)(z)

    assert painted.std() > 0.05
    assert (again - painted).abs().max() < 1e-4
    assert not any(isinstance(part, nn.BatchNorm2d) for part in quick(net).modules())


def test_every_architecture_has_a_quick_net():
    """Whoever registers one adds it to NETS above."""
    assert {arch for arch, _, _ in NETS} == set(ARCHS.names())


def test_the_trained_net_stays_as_it_was():
    """Folding works on a copy: painting does not spoil a run's weights."""
    net, _ = trained(*NETS[1])
    before = {k: v.clone() for k, v in net.state_dict().items()}

    quick(net)

    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_half_the_products_are_left_at_750(monkeypatch: pytest.MonkeyPatch):
    """Counted on tensors without storage, layer by layer: 16.9 thousand million become 9.8."""
    monkeypatch.setattr("mapmaker.models.doubled.LEAST_PX", 1000)
    with torch.device("meta"):
        net, z = build("fewshot", 750, {}).generator.eval(), torch.empty(1, 256)
        drawn = quick(net)

    counts = [products(net, z), products(drawn, z)]

    assert counts == pytest.approx([16.9e9, 9.8e9], rel=0.01)
    assert any(isinstance(part, Joined) for part in drawn.modules())


def products(net: nn.Module, z: torch.Tensor) -> int:
    """Return the multiplications of the net's convolutions for one picture."""
    found = []
    for part in net.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(
                lambda part, _, out: found.append(out.numel() * part.weight[0].numel())
            )
    assert net(z).shape == (1, 3, 750, 750)
    return sum(found)


def test_bf16_paints_nearly_the_same():
    """More than 35 dB between bf16 and fp32: nobody sees the difference."""
    net, z = trained("fewshot", 256, {})
    drawn = quick(net).to(memory_format=torch.channels_last)

    exact = drawn(z[:1]).numpy()
    rough = drawn.bfloat16()(z[:1].bfloat16()).float().numpy()

    assert np.abs(net(z[:1]).numpy() - exact).max() < 1e-3
    assert 10 * np.log10(4 / np.square(exact - rough).mean()) > 35


def test_fewshot_has_about_seven_million_weights_and_fits_16_mib_in_fp16():
    """What a checkpoint on the shelf may weigh."""
    with torch.device("meta"):
        net = build("fewshot", 750, {}).generator

    weights = sum(p.numel() for p in net.parameters())
    assert 6.5e6 < weights < 7.5e6
    assert 2 * sum(v.numel() for v in net.state_dict().values()) < 16 * 2**20
