"""`fewshot`: a net for a few hundred pictures at any size, and exactly 750.

Generator: z -> Linear * a learned base of 4 to 7 px -> [nearest x2, conv 3x3, batch norm, GLU] x k,
three of the steps with a second convolution; early maps weigh the channels of late ones (skip-layer
excitation, arXiv 2101.04775, section 3.1). The canvas is the smallest {4..7} * 2^k that holds the
picture; its border is cut (750 from 768 = 6 * 2^7).

Discriminator: the same ladder downwards with spectral AND batch norm, the mean of a deep and a
plain path at each step; two small decoders that must paint the real picture, and a window of it,
from what it saw (the paper's self-supervision, section 3.2; plain L1 here, no pretrained net); a
second, local discriminator that sees four windows at full resolution, because the first one throws
the finest octave away in its stem, and maps are texture.

Written from the paper and our own measurements. The picture depends on z alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mapmaker.models.doubled import Layers
from mapmaker.models.layers import GLU, Crop, Resize, Staged, conv, start
from mapmaker.models.nets import ARCHS, Nets, between, plain_options, read_options
from mapmaker.models.pyramid import Base, Down, canvas

WIDTHS = {  # channels after the base and after each of k doublings; up to 5: for a CPU
    3: (128, 128, 64, 32),
    4: (128, 128, 64, 32, 16),
    5: (160, 160, 96, 48, 24, 12),
    6: (320, 320, 256, 128, 64, 32, 16),
    7: (320, 320, 256, 160, 96, 48, 24, 8),
    8: (320, 320, 256, 160, 96, 48, 24, 12, 8),
}
D_WIDTHS = {  # channels after each of k halvings
    3: (32, 64, 128),
    4: (32, 64, 96, 128),
    5: (16, 32, 64, 96, 128),
    6: (16, 32, 64, 128, 256, 256),
    7: (16, 32, 64, 128, 256, 384, 384),
    8: (16, 16, 32, 64, 128, 256, 384, 384),
}
DOUBLE = (2, 3, 5)  # doublings with a second convolution
SKIP = 4  # a map weighs the channels of the one so many doublings later
DECODED = (2, 4)  # doublings of a decoder, three fewer than the net's: at 750, 6 px become 96
WINDOWS = 4  # a picture, that the local discriminator sees
WINDOW_PX = 192


@dataclass(frozen=True, slots=True, kw_only=True)
class FewshotOptions:
    """What can be chosen of the net.

    latent: numbers in z. widths, d_widths: channels by step ((): by size). excite: skip-layer
    excitation. local: widths of the local discriminator ((0,): none). windows: how many it sees.
    kinds: names of the kinds of map it tells apart ((): none).
    """

    latent: int = 256
    widths: tuple[int, ...] = ()
    d_widths: tuple[int, ...] = ()
    excite: bool = True
    local: tuple[int, ...] = (32, 64, 96)
    windows: int = WINDOWS
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        between("latent", self.latent, 1, 4096)
        between("windows", self.windows, 1, 16)
        for name in ("widths", "d_widths"):
            for width in getattr(self, name):
                between(f"each of {name}", width, 1, 2048)
        between("the number of local", len(self.local), 1, 8)
        for width in self.local:
            between("each of local", width, 0, 2048)


@ARCHS.register("fewshot")
def build_fewshot(size: int, options: Mapping[str, Any]) -> Nets:
    """Return the nets for size x size px. Raises BadConfig for widths that do not fit."""
    chosen = read_options(FewshotOptions, options, "fewshot")
    base, doublings = canvas(size)
    widths = chosen.widths or WIDTHS[doublings]
    d_widths = chosen.d_widths or D_WIDTHS[doublings]
    between(f"the number of widths at {size} px", len(widths), doublings + 1, doublings + 1)
    between(f"the number of d_widths at {size} px", len(d_widths), doublings, doublings)
    plain = plain_options(chosen) | {"widths": list(widths), "d_widths": list(d_widths)}
    if not chosen.kinds:
        del plain["kinds"]  # a net without kinds is the net it was before there were any
    return Nets(
        arch="fewshot",
        size=size,
        options=plain,
        latent_shape=(chosen.latent + len(chosen.kinds),),
        generator=Generator(size, base, widths, chosen),
        discriminator=Discriminator(size, base, d_widths, chosen),
    )


class Generator(Staged):
    """z (B, latent + kinds) -> pictures (B, 3, size, size) in [-1, 1].

    The kinds come multiplied by the root of the other numbers' count, so that at the start they
    weigh as much as all of those together.
    """

    def __init__(
        self, size: int, base: int, widths: tuple[int, ...], chosen: FewshotOptions
    ) -> None:
        super().__init__()
        self.latent, self.loud = chosen.latent, chosen.latent**0.5
        self.kinds, excite = len(chosen.kinds), chosen.excite
        self.stages = nn.ModuleList([Base(self.latent + self.kinds, widths[0], base)])
        self.gates = nn.ModuleDict()
        for step, (into, out) in enumerate(pairwise(widths), start=1):
            parts: list[nn.Module] = [Resize(2), *_gated(into, out)]
            if step in DOUBLE and step < len(widths) - 1:  # the last map is wide: one is enough
                parts += _gated(out, out)
            self.stages.append(Layers(*parts))
            if excite and step >= SKIP and base << step < size:  # the last step is wide, not deep
                self.gates[str(step)] = Excite(widths[step - SKIP], out)
        self.last = nn.Sequential(nn.Conv2d(widths[-1], 3, 3, padding=1), Crop(size))
        start(self)
        first = self.stages[0]
        nn.init.normal_(first.linear.weight)  # type: ignore[union-attr, arg-type]
        nn.init.normal_(first.base)  # type: ignore[arg-type]

    def forward(self, z: Tensor) -> Tensor:
        if self.kinds:
            z = torch.cat([z[:, : self.latent], z[:, self.latent :] * self.loud], dim=1)
        maps = [self.through(self.stages[:1], z)]
        for step in range(1, len(self.stages)):
            x = self.through(self.stages[step : step + 1], maps[-1])
            if str(step) in self.gates:
                x = x * self.gates[str(step)](maps[step - SKIP])
            maps.append(x)
        return torch.tanh(self.last(maps[-1]))


class Excite(nn.Module):
    """An early map (B, into, h, w) -> how much each late channel counts, (B, out, 1, 1) in 0..1."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(into, out, 4),
            nn.SiLU(),
            nn.Conv2d(out, out, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.weigh(x)


class Discriminator(Staged):
    """Pictures (B, 3, size, size) in [-1, 1] -> logits (B, K): patches, then windows.

    The windows' logits are half as many as the patches' (one at least), so in a mean over all they
    weigh half as much.
    """

    def __init__(
        self, size: int, base: int, widths: tuple[int, ...], chosen: FewshotOptions
    ) -> None:
        super().__init__()
        side = base << len(widths)
        self.border = (side - size) // 2, side - size - (side - size) // 2
        stems = 2 if side >= 512 else 1
        self.stages = nn.ModuleList()
        for step, (into, out) in enumerate(pairwise((3, *widths))):
            self.stages.append(
                _stem(into, out, first=step == 0) if step < stems else Down(into, out, "both")
            )
        last = widths[-1]
        self.head = nn.Sequential(
            conv(last, last, 1, norm="both"),
            nn.BatchNorm2d(last),
            nn.LeakyReLU(0.2, inplace=True),
            _valid(last),
        )
        # Projection (arXiv 1802.05637): a kind is a direction among the features.
        self.about = conv(len(chosen.kinds), last, 1, norm="spectral") if chosen.kinds else None
        doublings = min(max(len(widths) - 3, DECODED[0]), DECODED[1])
        self.whole, self.part = Decoder(last, doublings), Decoder(widths[-2], doublings)
        local = () if 0 in chosen.local else chosen.local
        patches = (base - 3) ** 2
        self.local = (
            Local(local, min(WINDOW_PX, size // 2), chosen.windows, max(1, patches // 2))
            if local
            else None
        )
        start(self)

    def forward(
        self, x: Tensor, recall: bool = False, kinds: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits; with `recall` also the decoders' mean absolute error, () in 0..4.

        kinds (B, K) has a 1 for the kind a picture should be of; how well it is one counts too.

        One decoder paints the whole picture from the last map, the other a window of it, its place
        drawn anew, from as large a window of the map before.
        """
        padded = F.pad(x, (*self.border, *self.border), mode="reflect") if any(self.border) else x
        late = self.through(self.stages[:-1], padded)
        last = self.through(self.stages[-1:], late)
        features = self.head[:-1](last)
        logits = self.head[-1](features).flatten(1)
        if self.about is not None and kinds is not None:
            wanted = self.about(kinds[:, :, None, None])
            logits = logits + (features.mean((2, 3), keepdim=True) * wanted).sum(1).flatten(1)
        if self.local is not None:
            logits = torch.cat([logits, self.local(x)], dim=1)
        if not recall:
            return logits
        side, scale = last.shape[-1], padded.shape[-1] // late.shape[-1]
        place = torch.randint(late.shape[-1] - side + 1, (2,), device=x.device)
        part = self.part(window(late, place, side))
        seen = window(padded, place * scale, side * scale)
        return logits, _error(self.whole(last), padded) + _error(part, seen)


class Local(nn.Module):
    """Windows of a picture at full resolution -> logits (B, count): is the texture real?

    Where the windows lie is drawn anew each time from torch's generator.
    """

    def __init__(self, widths: tuple[int, ...], side: int, windows: int, count: int) -> None:
        super().__init__()
        self.side, self.windows, self.count = side, windows, count
        layers: list[nn.Module] = []
        for into, out in pairwise((3, *widths)):
            layers += [conv(into, out, 4, 2, norm="spectral"), nn.LeakyReLU(0.2, inplace=True)]
        self.judge = nn.Sequential(*layers, conv(widths[-1], 1, 3, norm="spectral"))

    def forward(self, x: Tensor) -> Tensor:
        room = x.shape[-1] - self.side + 1
        places = torch.randint(room, (self.windows, 2), device=x.device)
        seen = torch.cat([window(x, place, self.side) for place in places])
        logits = self.judge(seen).mean(dim=(1, 2, 3)).view(self.windows, len(x)).t()
        return F.adaptive_avg_pool1d(logits, self.count)


class Decoder(nn.Module):
    """A map (B, width, side, side) -> pictures in [-1, 1], 2**doublings as large."""

    def __init__(self, width: int, doublings: int) -> None:
        super().__init__()
        widths = (width, 64, 48, 32, 16)[: doublings + 1]
        layers: list[nn.Module] = []
        for into, out in pairwise(widths):
            layers += [Resize(2), *_gated(into, out)]
        self.paint = Layers(*layers, nn.Conv2d(widths[-1], 3, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.paint(x)


def window(x: Tensor, place: Tensor, side: int) -> Tensor:
    """Return the side x side part of x (B, C, H, W) at place (top, left); the host never waits."""
    rows, columns = place[:, None] + torch.arange(side, device=x.device)
    return x.index_select(2, rows).index_select(3, columns)


def _error(painted: Tensor, picture: Tensor) -> Tensor:
    if painted.shape[-1] > picture.shape[-1]:
        painted = F.adaptive_avg_pool2d(painted, picture.shape[-1])
    return F.l1_loss(painted.float(), F.adaptive_avg_pool2d(picture, painted.shape[-1]).float())


def _gated(into: int, out: int) -> list[nn.Module]:
    return [conv(into, 2 * out, 3, norm="batch"), nn.BatchNorm2d(2 * out), GLU()]


def _stem(into: int, out: int, *, first: bool) -> nn.Module:
    if first:
        return nn.Sequential(
            conv(into, out, 4, 2, norm="spectral"), nn.LeakyReLU(0.2, inplace=True)
        )
    layer = conv(into, out, 4, 2, norm="both")
    return nn.Sequential(layer, nn.BatchNorm2d(out), nn.LeakyReLU(0.2, inplace=True))


def _valid(width: int) -> nn.Conv2d:
    layer = conv(width, 1, 4, norm="spectral")
    layer.padding = (0, 0)
    return layer
