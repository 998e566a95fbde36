"""Every architecture obeys the same laws; dcgan is the net of the notes to the last weight."""

import json

import pytest
import torch
from torch import nn

from mapmaker.errors import BadConfig, UnknownName
from mapmaker.models import ARCHS, SIDES_PX, Nets, build, dcgan
from mapmaker.models.layers import SpectralConv2d
from mapmaker.models.pyramid import canvas

SMALL = {
    "dcgan": {"channels": 8, "channels2": 8},
    "pyramid": {"latent": 16, "widths": [16, 12, 8, 8], "d_widths": [8, 12, 16]},
    "fewshot": {"latent": 16, "widths": [16, 12, 8, 8], "d_widths": [8, 12, 16], "local": [8, 8]},
}
VARIANTS = [
    *SMALL.items(),
    ("dcgan", {"upsample": "resize", "reduce": "area", "normalise_d": "both", "d_depth": 5}),
    ("dcgan", {"upsample": "bilinear", "reduce": "none", "normalise_d": "none", "smooth": 3}),
    ("dcgan", {"latent": "spatial", "reduce": "conv21", "kernel": 8, "normalise_d": "spectral"}),
    ("dcgan", {"scale": "unit", "smooth": 5, "latent_norm": False}),
    ("pyramid", {"normalise_d": "batch"}),
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def verdict(nets: Nets, pictures: torch.Tensor) -> torch.Tensor:
    """Return one number every weight of the discriminator has a part in."""
    if nets.arch != "fewshot":
        return nets.discriminator(pictures).square().sum()
    logits, painted = nets.discriminator(pictures, recall=True)
    return logits.square().sum() + painted


def test_every_architecture_is_in_the_laws() -> None:
    """A registered architecture is a tested one."""
    assert sorted(SMALL) == ARCHS.names()


@pytest.mark.parametrize(("arch", "options"), VARIANTS)
def test_a_net_draws_pictures_in_range_and_the_same_again(arch: str, options: dict) -> None:
    """z gives size x size pictures in [-1, 1]; the same z gives the same picture."""
    nets = build(arch, 32, options)
    z = torch.randn(3, *nets.latent_shape)

    pictures = nets.generator.eval()(z)
    logits = nets.discriminator(pictures)

    assert pictures.shape == (3, 3, 32, 32)
    assert logits.ndim == 2 and len(logits) == 3
    assert -1 <= pictures.min() < pictures.max() <= 1
    assert torch.equal(pictures, nets.generator(z))
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize(("arch", "options"), VARIANTS)
def test_a_gradient_reaches_every_parameter(arch: str, options: dict) -> None:
    """No weight of either net is idle."""
    nets = build(arch, 32, options)
    pictures = nets.generator(torch.randn(4, *nets.latent_shape))

    verdict(nets, pictures).backward()

    for net in (nets.generator, nets.discriminator):
        # A weight of exactly no effect has no gradient; one cut off behind ReLU has some row left.
        idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
        assert idle == []


@pytest.mark.parametrize(("arch", "options"), VARIANTS)
def test_checkpointing_changes_no_gradient_and_no_statistic(arch: str, options: dict) -> None:
    """Computing activations twice moves no gradient, running mean or power iteration."""
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(1)
        nets = build(arch, 32, options)
        both = (nets.generator, nets.discriminator)
        for net in both:
            net.checkpointing = checkpointing
        total = verdict(nets, nets.generator(torch.randn(4, *nets.latent_shape)))

        total.backward()

        gradients = [p.grad for net in both for p in net.parameters()]
        results.append(gradients + [b.float() for net in both for b in net.buffers()])
    for plain, again in zip(*results, strict=True):
        torch.testing.assert_close(plain, again, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("arch", "options"), list(SMALL.items()))
def test_checkpointing_keeps_fewer_bytes(arch: str, options: dict) -> None:
    """With checkpointing on, less is saved for the way back."""
    nets = build(arch, 32, options)
    z = torch.randn(2, *nets.latent_shape)
    kept = []

    for checkpointing in (False, True):
        nets.generator.checkpointing = checkpointing
        saved: list[int] = []

        def note(t: torch.Tensor, saved: list[int] = saved) -> torch.Tensor:
            saved.append(t.nbytes)
            return t

        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            nets.generator(z)
        kept.append(sum(saved))

    assert kept[1] < kept[0]


@pytest.mark.parametrize(("arch", "options"), list(SMALL.items()))
def test_the_loss_falls_on_eight_pictures(arch: str, options: dict) -> None:
    """A generator can be taught eight pictures, and a discriminator to tell them from noise."""
    nets = build(arch, 32, options)
    reals = torch.rand(8, 3, 1, 1).expand(-1, -1, 32, 32) * 2 - 1
    z = torch.randn(8, *nets.latent_shape)
    g = torch.optim.Adam(nets.generator.parameters(), 5e-3)
    d = torch.optim.Adam(nets.discriminator.parameters(), 2e-3)
    losses = []

    for _ in range(30):
        loss_g = (nets.generator(z) - reals).square().mean()
        real, noise = nets.discriminator(reals), nets.discriminator(torch.randn_like(reals))
        loss_d = torch.relu(1 - real).mean() + torch.relu(1 + noise).mean()
        for adam, loss in ((g, loss_g), (d, loss_d)):
            adam.zero_grad()
            loss.backward()
            adam.step()
        losses.append((loss_g.item(), loss_d.item()))

    assert losses[-1][0] < 0.5 * losses[0][0]
    assert losses[-1][1] < 0.5 * losses[0][1]


@pytest.mark.parametrize(("arch", "options"), VARIANTS)
def test_options_survive_json_and_build_the_same_nets(arch: str, options: dict) -> None:
    """Nets.options is complete: read back from JSON it builds nets of the same shapes."""
    nets = build(arch, 32, options)

    again = build(arch, 32, json.loads(json.dumps(nets.options)))

    assert again.options == nets.options
    for one, other in (
        (nets.generator, again.generator),
        (nets.discriminator, again.discriminator),
    ):
        assert {k: v.shape for k, v in one.state_dict().items()} == {
            k: v.shape for k, v in other.state_dict().items()
        }


@pytest.mark.parametrize("size", [7, 31, 1025, 2000, 0, -1, "750", True])
@pytest.mark.parametrize("arch", ["dcgan", "pyramid"])
def test_a_size_nobody_can_draw_is_refused_in_one_line(arch: str, size: object) -> None:
    """Outside 32 to 1024 px the error names the value, the range and what to use."""
    with pytest.raises(BadConfig) as caught:
        build(arch, size, {})  # type: ignore[arg-type]

    assert str(size) in str(caught.value) and "32 to 1024" in str(caught.value)
    assert "\n" not in str(caught.value) and "750" in caught.value.hint


@pytest.mark.parametrize(
    ("arch", "options", "word"),
    [
        ("dcgan", {"chanels": 8}, "channels"),
        ("dcgan", {"channels": "64"}, "int"),
        ("dcgan", {"channels": 0}, "1 to 512"),
        ("dcgan", {"kernel": 5}, "4, 8"),
        ("dcgan", {"d_depth": 6}, "3 to 5"),
        ("pyramid", {"widths": [8]}, "4 to 4"),
        ("pyramid", {"normalise_d": "layer"}, "spectral"),
    ],
)
def test_a_bad_option_is_refused_with_what_it_can_be(arch: str, options: dict, word: str) -> None:
    """An unknown option, a wrong type and a value out of range each say what would do."""
    with pytest.raises(BadConfig) as caught:
        build(arch, 32, options)

    assert word in caught.value.hint


def test_an_unknown_architecture_names_the_near_ones() -> None:
    """A typo in the architecture's name is answered with the right name."""
    with pytest.raises(UnknownName) as caught:
        build("dcgam", 64, {})

    assert "dcgan" in caught.value.hint


def test_dcgan_passes_through_the_sides_of_the_notes() -> None:
    """At 750 the author's sides come out: 64, 250, 1000."""
    assert dcgan.frame(750, "conv43") == dcgan.Frame(64, 250, 1000, 4)
    assert build("dcgan", 64, {}).latent_shape == (3, 20, 20)


@pytest.mark.parametrize("reduce", ["conv43", "area", "conv21", "none"])
def test_dcgan_lands_on_every_size(reduce: str) -> None:
    """The steps after the latent give exactly size x size, for each size from 32 to 1024."""
    options = dcgan.DcganOptions(channels=1, channels2=1, reduce=reduce)
    low, high = SIDES_PX

    missed = []
    with torch.device("meta"):
        for size in range(low, high + 1):
            sides = dcgan.frame(size, reduce)
            x = torch.empty(1, dcgan.BASE_CHANNELS, sides.base, sides.base)
            first = (sides.base, sides.middle)
            x = dcgan._enlarge(dcgan.BASE_CHANNELS, 1, 4, first, options)[0](x)
            second = (sides.middle, sides.canvas)
            x = dcgan._enlarge(1, 1, sides.stride2, second, options)[0](x)
            for layer in dcgan._last(size, options):
                x = layer(x)
            if x.shape != (1, 3, size, size):
                missed.append(size)

    assert missed == []


@pytest.mark.parametrize("size", [33, 47, 99, 128, 257, 500, 750, 1023, 1024])
@pytest.mark.parametrize(
    ("arch", "options"),
    [("dcgan", {}), ("dcgan", {"latent": "spatial", "upsample": "resize"}), ("pyramid", {})],
)
def test_whole_nets_land_on_odd_and_large_sizes(arch: str, options: dict, size: int) -> None:
    """The whole generator gives size x size, and the discriminator takes it."""
    with torch.device("meta"):
        nets = build(arch, size, options)
        pictures = nets.generator(torch.empty(1, *nets.latent_shape))
        logits = nets.discriminator(pictures)

    assert pictures.shape == (1, 3, size, size)
    assert logits.shape[0] == 1 and logits.shape[1] >= 1


@pytest.mark.parametrize(
    ("channels", "generator_area", "generator_conv21", "discriminator"),
    [
        (16, 78_742_003, 78_722_883, 42_081),
        (32, 78_808_035, 78_755_459, 108_433),
        (64, 79_038_403, 78_875_907, 339_441),
        (128, 79_892_355, 79_337_987, 1_194_673),
    ],
)
def test_parameter_counts_are_those_of_the_design(
    channels: int, generator_area: int, generator_conv21: int, discriminator: int
) -> None:
    """Both variants of the author's net at 750 px have as many weights as the arithmetic says."""
    same = {"channels": channels, "channels2": channels, "latent_norm": False}
    with torch.device("meta"):
        area = build("dcgan", 750, {**same, "kernel": 8, "reduce": "area"})
        conv21 = build("dcgan", 750, {**same, "kernel": 4, "reduce": "conv21"})

    assert count(area.generator) == generator_area
    assert count(conv21.generator) == generator_conv21
    assert count(area.discriminator) == count(conv21.discriminator) == discriminator


def test_parameter_counts_of_each_layer_at_the_defaults() -> None:
    """At C = 64, C2 = 32 every layer has the count of the design's table."""
    with torch.device("meta"):
        dense = build("dcgan", 750, {}).generator.stages
        area = build("dcgan", 750, {"reduce": "area"}).generator.stages
        spatial = build("dcgan", 750, {"latent": "spatial", "latent_norm": False}).generator

    assert [count(s) for s in dense] == [78_708_736 + 32, 16_384 + 128, 32_768 + 64, 31_131]
    assert count(area[3]) == 867
    assert spatial.latent_shape == (3, 20, 20) and count(spatial.stages[0]) == 2_368


@pytest.mark.parametrize("size", [32, 128, 192, 256, 512, 750, 1024])
def test_pyramid_fits_a_shipped_checkpoint(size: int) -> None:
    """In fp16 the default generator stays under 16 MiB at every size."""
    with torch.device("meta"):
        generator = build("pyramid", size, {}).generator

    assert 2 * sum(t.numel() for t in generator.state_dict().values()) < 16 * 2**20


@pytest.mark.parametrize(
    ("size", "ladder"), [(750, (6, 7)), (768, (6, 7)), (128, (4, 5)), (192, (6, 5)), (1024, (4, 8))]
)
def test_pyramid_takes_the_smallest_canvas(size: int, ladder: tuple[int, int]) -> None:
    """750 is cut from 6 * 2^7 = 768, and a size on a ladder is not cut."""
    assert canvas(size) == ladder


def test_large_strides_leave_a_lattice_at_the_start_and_resizing_does_not() -> None:
    """The mean 4 x 4 tile holds a large share of the variance with deconv, none with resize."""
    shares = {}
    for upsample in ("deconv", "resize"):
        torch.manual_seed(3)
        options = {"upsample": upsample, "reduce": "none", "channels": 16, "channels2": 16}
        step = build("dcgan", 256, options).generator.stages[1]
        torch.manual_seed(4)
        with torch.no_grad():
            x = step[0](torch.rand(32, 16, 32, 32)) if upsample == "deconv" else None
            if x is None:
                x = torch.rand(32, 16, 32, 32)
                for layer in list(step)[:5]:
                    x = layer(x)
        x = x[..., 16:-16, 16:-16]
        tiles = x.unflatten(-1, (-1, 4)).unflatten(-3, (-1, 4)).mean((0, 2, 4))
        shares[upsample] = float(tiles.var((1, 2)).mean() / x.var((0, 2, 3)).mean())

    assert shares["deconv"] > 0.2
    assert shares["resize"] < 0.02


def test_spectral_norm_holds_the_largest_singular_value_at_one() -> None:
    """After the start, the normalised weight stretches nothing by more than a few percent."""
    nets = build("dcgan", 64, {"normalise_d": "spectral"})
    convs = [m for m in nets.discriminator.modules() if isinstance(m, SpectralConv2d)]

    with torch.no_grad():
        rows = [(c.weight / c.sigma()).flatten(1) for c in convs]
        largest = [float(torch.linalg.matrix_norm(r, 2)) for r in rows]

    assert len(convs) == 3
    assert all(0.95 < value < 1.1 for value in largest)


def test_spectral_norm_is_exact_under_autocast() -> None:
    """bfloat16 around it does not coarsen the estimate."""
    layer = SpectralConv2d(8, 8, 3).eval()

    with torch.autocast("cpu", torch.bfloat16):
        inside = layer.sigma()

    assert inside.dtype is torch.float32
    assert torch.equal(inside, layer.sigma())


def test_the_smoothing_layer_starts_as_a_box() -> None:
    """smooth = 3 first takes the mean of nine pixels, borders included."""
    last = build("dcgan", 32, {"smooth": 3}).generator.stages[-1]
    picture = torch.full((1, 3, 8, 8), 0.5)

    smoothed = last[-1](picture)

    torch.testing.assert_close(smoothed, picture)


def test_the_unit_scale_shows_the_discriminator_zero_to_one() -> None:
    """scale = unit: the nets work in [0, 1] though pictures outside are in [-1, 1]."""
    nets = build("dcgan", 32, {"scale": "unit", "normalise_d": "none"})
    seen = []
    nets.discriminator.stages[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))

    nets.discriminator(torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32))

    assert float(seen[0].min()) == 0 and float(seen[0].max()) == 1
