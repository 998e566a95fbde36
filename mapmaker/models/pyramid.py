"""`pyramid`: a small resize-convolution net for few pictures and slow machines.

    z -> Linear * a learned base (4 to 7 px a side)
      -> [nearest x2, (conv 3x3, batch norm, GLU) x 2] x k -> conv 3x3 -> tanh

The canvas is the smallest base * 2^k that holds the picture, with base 4, 5, 6 or 7; its border is
cut to land exactly (750 from 768 = 6 * 2^7: 9 px a side). Nearest + convolution has no lattice at
the start where a transposed convolution has it in 31 % of the variance. The discriminator has
spectral AND batch norm: with 360 pictures, spectral norm alone never told real from fake apart.
The picture depends on z alone: there is no noise inside the net.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mapmaker.models.doubled import Layers
from mapmaker.models.layers import GLU, Crop, Resize, Staged, conv, start
from mapmaker.models.nets import ARCHS, Nets, between, one_of, plain_options, read_options

BASES = (4, 5, 6, 7)
WIDTHS = {  # channels after the base and after each of k doublings; 5, 6 and 7 are measured nets
    3: (192, 192, 96, 48),
    4: (192, 192, 96, 48, 24),
    5: (192, 192, 96, 48, 32, 16),
    6: (192, 192, 128, 64, 32, 24, 12),
    7: (256, 256, 192, 128, 64, 32, 24, 8),
    8: (256, 256, 192, 128, 64, 32, 24, 12, 8),
}
D_WIDTHS = (16, 32, 64, 96, 128, 160, 192, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidOptions:
    """How wide the pyramid is.

    latent: numbers in z. convs: convolutions after each doubling.
    widths: channels after the base and each doubling ((): by size).
    d_widths: channels after each halving in the discriminator ((): 16, 32, 64, 96, 128, ...).
    normalise_d: norm in the discriminator: none, batch, spectral or both.
    """

    latent: int = 128
    convs: int = 2
    widths: tuple[int, ...] = ()
    d_widths: tuple[int, ...] = ()
    normalise_d: str = "both"

    def __post_init__(self) -> None:
        between("latent", self.latent, 1, 4096)
        between("convs", self.convs, 1, 4)
        for name, widths in (("widths", self.widths), ("d_widths", self.d_widths)):
            for width in widths:
                between(f"each of {name}", width, 1, 2048)
        one_of("normalise_d", self.normalise_d, ("none", "batch", "spectral", "both"))


def canvas(size: int) -> tuple[int, int]:
    """Return (base, k): base * 2**k is the smallest canvas that holds size x size px."""
    ladders = []
    for base in BASES:
        doublings = max(0, (-(-size // base) - 1).bit_length())
        ladders.append((base << doublings, base, doublings))
    _, base, doublings = min(ladders)
    return base, doublings


@ARCHS.register("pyramid")
def build_pyramid(size: int, options: Mapping[str, Any]) -> Nets:
    """Return the pyramid for size x size px. Raises BadConfig for widths that do not fit."""
    chosen = read_options(PyramidOptions, options, "pyramid")
    base, doublings = canvas(size)
    halvings = _halvings(size)
    widths = chosen.widths or WIDTHS[doublings]
    d_widths = chosen.d_widths or D_WIDTHS[:halvings]
    between(f"the number of widths at {size} px", len(widths), doublings + 1, doublings + 1)
    between(f"the number of d_widths at {size} px", len(d_widths), halvings, halvings)
    return Nets(
        arch="pyramid",
        size=size,
        options=plain_options(chosen) | {"widths": list(widths), "d_widths": list(d_widths)},
        latent_shape=(chosen.latent,),
        generator=Generator(size, base, widths, chosen.latent, chosen.convs),
        discriminator=Discriminator(size, d_widths, chosen.normalise_d),
    )


class Generator(Staged):
    """z (B, latent) -> pictures (B, 3, size, size) in [-1, 1]."""

    def __init__(
        self, size: int, base: int, widths: tuple[int, ...], latent: int, convs: int
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList([Base(latent, widths[0], base)])
        for into, out in pairwise(widths):
            parts: list[nn.Module] = [Resize(2), *_gated(into, out)]
            for _ in range(convs - 1):
                parts += _gated(out, out)
            self.stages.append(Layers(*parts))
        self.last = nn.Sequential(nn.Conv2d(widths[-1], 3, 3, padding=1), Crop(size))
        start(self)
        for name in ("linear", "base"):
            part = getattr(self.stages[0], name)
            nn.init.normal_(part.weight if name == "linear" else part)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.last(self.through(self.stages, z)))


class Base(nn.Module):
    """z (B, latent) -> (B, width, side, side): a learned picture, each channel weighed by z."""

    def __init__(self, latent: int, width: int, side: int) -> None:
        super().__init__()
        self.linear = nn.Linear(latent, 2 * width)
        self.base = nn.Parameter(torch.empty(2 * width, side, side))
        self.after = nn.Sequential(nn.BatchNorm2d(2 * width), GLU())

    def forward(self, z: Tensor) -> Tensor:
        return self.after(self.base * self.linear(z)[:, :, None, None])


class Discriminator(Staged):
    """Pictures (B, 3, size, size) in [-1, 1] -> logits (B, K), one a patch, K 1 to 16."""

    def __init__(self, size: int, widths: tuple[int, ...], norm: str) -> None:
        super().__init__()
        first = norm if norm == "none" else "spectral"
        self.stages = nn.ModuleList(
            [nn.Sequential(conv(3, widths[0], 4, 2, norm=first), nn.LeakyReLU(0.2, inplace=True))]
        )
        for into, out in pairwise(widths):
            self.stages.append(Down(into, out, norm))
        last = widths[-1]
        self.head = nn.Sequential(
            *_block(conv(last, last, 1, norm=norm), last, norm),
            _valid(last, 1, 4, norm),
        )
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.through(self.stages, x)).flatten(1)


class Down(nn.Module):
    """Half the side: the mean of a deep path (two convolutions) and a plain one (mean, 1x1)."""

    def __init__(self, into: int, out: int, norm: str) -> None:
        super().__init__()
        self.deep = nn.Sequential(
            *_block(conv(into, out, 4, 2, norm=norm), out, norm),
            *_block(conv(out, out, 3, norm=norm), out, norm),
        )
        self.plain = nn.Sequential(
            nn.AvgPool2d(2), *_block(conv(into, out, 1, norm=norm), out, norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.deep(x) + self.plain(x)) * 0.5


def _gated(into: int, out: int) -> list[nn.Module]:
    return [conv(into, 2 * out, 3, norm="batch"), nn.BatchNorm2d(2 * out), GLU()]


def _block(layer: nn.Conv2d, out: int, norm: str) -> list[nn.Module]:
    normed: list[nn.Module] = [nn.BatchNorm2d(out)] if norm in ("batch", "both") else []
    return [layer, *normed, nn.LeakyReLU(0.2, inplace=True)]


def _valid(into: int, out: int, kernel: int, norm: str) -> nn.Conv2d:
    layer = conv(into, out, kernel, norm="spectral" if norm in ("spectral", "both") else "none")
    layer.padding = (0, 0)
    return layer


def _halvings(size: int) -> int:
    """Return how often to halve until the side is 4 to 7 px."""
    count = 0
    while size >> count > 7:
        count += 1
    return count
