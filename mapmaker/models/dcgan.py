"""`dcgan`: the net of the author's notes, at any size; each of his open questions is an option.

    z 3x20x20 -> Linear -> 16 x b x b -> ConvT, stride 4 -> C x m x m
      -> ConvT, stride 4 -> C2 x 4m x 4m -> one convolution down to size x size -> tanh

How it lands exactly (`frame`): m is a third of the size, rounded up, so the canvas 4m is 4/3 of it
and the last convolution takes it to 3m: stride 4 into 3x3 pixels a position. b is the smallest even
number with 4b >= m, and the first step's padding cuts 4b to m. At 750: b 64, m 250, canvas 1000, as
in the notes. Where 3m is not the size (750 = 3 x 250 is), one or two border pixels are cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mapmaker.errors import BadConfig
from mapmaker.models.doubled import Layers
from mapmaker.models.layers import Area, Crop, Resize, Staged, conv, start
from mapmaker.models.nets import ARCHS, Nets, between, one_of, plain_options, read_options

BASE_CHANNELS = 16
LATENT = (3, 20, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class DcganOptions:
    """The author's net by default; what may be asked of it otherwise.

    channels, channels2: maps after the first and the second enlarging step (C and C2).
    kernel: of the enlarging steps, 4 (no overlap) or 8.
    upsample: "deconv" = transposed convolution of stride 4; "resize" and "bilinear" enlarge twice
        by 2, each followed by a 3x3 convolution.
    reduce: the last layer. "conv43" = one convolution 4 -> 3 (stride 4, then 3x3 pixels a
        position); "area" = mean over areas, then 3x3; "conv21" = from twice the size, stride 2;
        "none" = no shrinking, the canvas is the size.
    smooth: 0, or the side of one more learned filter on the picture, which starts as a box.
    latent: "linear" = 3x20x20 through one dense layer (78.7 M weights at 750); "spatial" = a
        transposed convolution of a smaller grid instead (2 368).
    latent_norm: batch norm and ReLU after the latent layer.
    scale: "symmetric" = tanh, nets work in [-1, 1]; "unit" = sigmoid, nets work in [0, 1].
        Seen from outside, pictures are in [-1, 1] either way.
    normalise_d: norm in the discriminator: none, batch, spectral or both.
    d_depth: 3 = the mirror of the generator (strides 2, 4, 4); more = that many steps of stride 2.
    """

    channels: int = 64
    channels2: int = 32
    kernel: int = 4
    upsample: str = "deconv"
    reduce: str = "conv43"
    smooth: int = 0
    latent: str = "linear"
    latent_norm: bool = True
    scale: str = "symmetric"
    normalise_d: str = "batch"
    d_depth: int = 3

    def __post_init__(self) -> None:
        between("channels", self.channels, 1, 512)
        between("channels2", self.channels2, 1, 512)
        one_of("kernel", self.kernel, (4, 8))
        one_of("upsample", self.upsample, ("deconv", "resize", "bilinear"))
        one_of("reduce", self.reduce, ("conv43", "area", "conv21", "none"))
        one_of("smooth", self.smooth, (0, 3, 5))
        one_of("latent", self.latent, ("linear", "spatial"))
        one_of("scale", self.scale, ("symmetric", "unit"))
        one_of("normalise_d", self.normalise_d, ("none", "batch", "spectral", "both"))
        between("d_depth", self.d_depth, 3, 8)


@dataclass(frozen=True, slots=True)
class Frame:
    """The sides [px] the generator passes through: base -> middle -> canvas -> size."""

    base: int
    middle: int
    canvas: int
    stride2: int


def frame(size: int, reduce: str) -> Frame:
    """Return the sides for pictures of size x size px; at 750, 64 -> 250 -> 1000 -> 750."""
    middle = -(-size // 4) if reduce == "none" else -(-size // 3)
    base = -(-middle // 4)
    stride2 = 6 if reduce == "conv21" else 4
    return Frame(base + base % 2, middle, middle * stride2, stride2)


@ARCHS.register("dcgan")
def build_dcgan(size: int, options: Mapping[str, Any]) -> Nets:
    """Return the author's net for size x size px. Raises BadConfig for options that do not fit."""
    chosen = read_options(DcganOptions, options, "dcgan")
    if size >> chosen.d_depth < 1:
        raise BadConfig(
            f"d_depth is {chosen.d_depth}, too deep for pictures of {size} px.",
            hint=f"At {size} px it can be 3 to {size.bit_length() - 1}.",
        )
    generator = Generator(size, chosen)
    return Nets(
        arch="dcgan",
        size=size,
        options=plain_options(chosen),
        latent_shape=generator.latent_shape,
        generator=generator,
        discriminator=Discriminator(size, chosen),
    )


class Generator(Staged):
    """z (B, 3, n, n) -> pictures (B, 3, size, size) in [-1, 1]."""

    def __init__(self, size: int, options: DcganOptions) -> None:
        super().__init__()
        sides = frame(size, options.reduce)
        first = _latent(sides.base, options)
        self.latent_shape = first.latent_shape
        self.unit = options.scale == "unit"
        self.stages = nn.ModuleList(
            [
                first,
                _enlarge(BASE_CHANNELS, options.channels, 4, (sides.base, sides.middle), options),
                _enlarge(
                    options.channels,
                    options.channels2,
                    sides.stride2,
                    (sides.middle, sides.canvas),
                    options,
                ),
                nn.Sequential(*_last(size, options)),
            ]
        )
        start(self)
        _start_smooth(self.stages[-1])

    def forward(self, z: Tensor) -> Tensor:
        x = self.through(self.stages, z)
        # 2 sigmoid(x) - 1, the picture of a [0, 1] net seen from outside, is tanh(x / 2).
        return torch.tanh(x / 2 if self.unit else x)


class DenseLatent(nn.Module):
    """z (B, 3, 20, 20) -> (B, 16, base, base) through one dense layer over the whole latent."""

    def __init__(self, base: int, norm: bool) -> None:
        super().__init__()
        self.latent_shape = LATENT
        self.shape = (BASE_CHANNELS, base, base)
        self.linear = nn.Linear(LATENT[0] * LATENT[1] * LATENT[2], BASE_CHANNELS * base * base)
        self.after = _norm_relu(BASE_CHANNELS) if norm else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        return self.after(self.linear(z.flatten(1)).unflatten(1, self.shape))


class SpatialLatent(nn.Module):
    """z (B, 3, n, n) -> (B, 16, base, base): 20 -> 64 by kernel 7, stride 3, at 750 px.

    Bases below 40 px would leave fewer than 12 x 12 numbers a map; they take n = base, 3x3.
    """

    def __init__(self, base: int, norm: bool) -> None:
        super().__init__()
        if base >= 40:
            side = -(-(base - 7) // 3) + 1
            layer: nn.Module = nn.ConvTranspose2d(3, BASE_CHANNELS, 7, stride=3)
        else:
            side = base
            layer = nn.Conv2d(3, BASE_CHANNELS, 3, padding=1)
        self.latent_shape = (LATENT[0], side, side)
        self.layers = nn.Sequential(layer, Crop(base))
        self.after = _norm_relu(BASE_CHANNELS) if norm else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        return self.after(self.layers(z))


class Discriminator(Staged):
    """Pictures (B, 3, size, size) in [-1, 1] -> logits (B, 1)."""

    def __init__(self, size: int, options: DcganOptions) -> None:
        super().__init__()
        self.unit = options.scale == "unit"
        norm = options.normalise_d
        steps = _mirror(options) if options.d_depth == 3 else _ladder(options)
        self.stages = nn.ModuleList()
        into, side = 3, size
        for at, (out, kernel, stride) in enumerate(steps):
            side = (side + 2 * ((kernel - stride) // 2) - kernel) // stride + 1
            # No batch norm in the first step, where it would hide the picture's own mean (DCGAN
            # paper), nor on a map of one pixel, which alone has no variance.
            bare = at == 0 or side == 1
            this = {"batch": "none", "both": "spectral"}.get(norm, norm) if bare else norm
            parts: list[nn.Module] = [conv(into, out, kernel, stride, norm=this)]
            if this in ("batch", "both"):
                parts.append(nn.BatchNorm2d(out))
            self.stages.append(nn.Sequential(*parts, nn.LeakyReLU(0.2, inplace=True)))
            into = out
        self.head = nn.Linear(into * side * side, 1)
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.through(self.stages, (x + 1) / 2 if self.unit else x)
        return self.head(x.flatten(1))


def _latent(base: int, options: DcganOptions) -> DenseLatent | SpatialLatent:
    kind = DenseLatent if options.latent == "linear" else SpatialLatent
    return kind(base, options.latent_norm)


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _enlarge(
    into: int, out: int, stride: int, sides: tuple[int, int], options: DcganOptions
) -> nn.Sequential:
    """Return the step from a side of sides[0] to one of sides[1] px, about `stride` times that."""
    have, want = sides
    if options.upsample == "deconv":
        kernel = max(options.kernel, stride)
        over = have * stride - want
        deconv = nn.ConvTranspose2d(
            into,
            out,
            kernel,
            stride=stride,
            padding=(kernel - stride) // 2 + (over + 1) // 2,
            output_padding=over % 2,
            bias=False,
        )
        return nn.Sequential(deconv, *_norm_relu(out))
    mode = "nearest" if options.upsample == "resize" else "bilinear"
    layers: list[nn.Module] = []
    for factor in (2, stride // 2):
        layers += [Resize(factor, mode), conv(into, out, 3, norm="batch"), *_norm_relu(out)]
        into = out
    return Layers(*layers, Crop(want))


def _last(size: int, options: DcganOptions) -> list[nn.Module]:
    """Return the layers from the canvas to the picture, before tanh."""
    into = options.channels2
    layers: list[nn.Module] = {
        "conv43": [nn.Conv2d(into, 27, 6, stride=4, padding=1), nn.PixelShuffle(3), Crop(size)],
        "area": [Area(size), nn.Conv2d(into, 3, 3, padding=1)],
        "conv21": [nn.Conv2d(into, 3, 4, stride=2, padding=1), Crop(size)],
        "none": [Crop(size), nn.Conv2d(into, 3, 3, padding=1)],
    }[options.reduce]
    if options.smooth:
        k = options.smooth
        layers.append(nn.Conv2d(3, 3, k, padding=k // 2, groups=3, padding_mode="replicate"))
    return layers


def _start_smooth(last: nn.Module) -> None:
    """Start the smoothing filter as a box, and conv43 with one filter for all nine pixels.

    The nine pixels of a position equal at the start (ICNR, Aitken et al. 2017) leave no 3 px
    lattice in the first pictures.
    """
    for part in last.modules():
        if isinstance(part, nn.Conv2d) and part.groups == 3:
            nn.init.constant_(part.weight, 1 / part.kernel_size[0] ** 2)
        elif isinstance(part, nn.Conv2d) and part.out_channels == 27:
            with torch.no_grad():
                part.weight.copy_(part.weight[::9].repeat_interleave(9, dim=0))


def _mirror(options: DcganOptions) -> list[tuple[int, int, int]]:
    """Return (channels, kernel, stride) of the author's discriminator: 750 -> 375 -> 93 -> 23."""
    return [(options.channels2, 4, 2), (options.channels, 8, 4), (BASE_CHANNELS, 8, 4)]


def _ladder(options: DcganOptions) -> list[tuple[int, int, int]]:
    """Return steps of stride 2 whose channels double, from C2 to at most 8 C2."""
    return [(options.channels2 * min(2**i, 8), 4, 2) for i in range(options.d_depth)]
