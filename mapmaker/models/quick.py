"""A generator made for drawing: the same pictures for about half the products, no batch norm.

- A batch norm goes into the convolution, dense layer or base before it.
- Nearest x2 and a 3x3 convolution become one 2x2 convolution on the small map: each of the four
  pixels of a square sees only 2x2 different numbers. 16 products instead of 36, the enlarged map is
  never written, and the gate that follows is taken before the pixels go to their places.
- A gate's two halves are two convolutions, so that each is one dense piece of memory.
- The 3x3 convolution that paints may read the four pixels where they lie, before that.

`fewshot` at 750 px is left with 9.8 of 16.9 thousand million products.
"""

import copy
from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

from mapmaker.models.dcgan import DenseLatent, SpatialLatent
from mapmaker.models.doubled import doubles, is_plain_3x3, squares
from mapmaker.models.fewshot import SKIP
from mapmaker.models.layers import GLU, Crop
from mapmaker.models.pyramid import Base


def quick(generator: nn.Module) -> nn.Module:
    """Return a copy of a generator, in eval mode, that paints the same pictures sooner.

    Equal but for rounding, below 1e-4 of pictures in [-1, 1]. It is for drawing alone: its weights
    have other names and shapes.
    """
    net = copy.deepcopy(generator).eval().requires_grad_(False)
    _replace(net)
    _fix_means(net)
    _join_last(net)
    return net.requires_grad_(False)


class Gated(nn.Module):
    """A convolution and the GLU after it."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.carry, self.gate = (_half(conv, half) for half in (0, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.carry(x).mul_(self.gate(x).sigmoid_())


class Up(nn.Module):
    """(B, into, h, w) -> (B, out, 2h, 2w): nearest x2, a 3x3 convolution and what follows it.

    `spread` gives for each channel the four pixels (i, j) of a square, in the order pixel_shuffle
    has. Its place p holds the rows 2p - 1 and 2p, so the outermost row on each side is no pixel's.
    With `placed` off the pixels stay there: (B, 4 out, h + 1, w + 1).
    """

    def __init__(self, conv: nn.Conv2d, after: nn.Module | None) -> None:
        super().__init__()
        spread = nn.Conv2d(conv.in_channels, 4 * conv.out_channels, 2, padding=1)
        weight = squares(conv.weight).unflatten(0, (4, -1)).transpose(0, 1)
        _fill(spread, weight.flatten(0, 1), conv)
        gated = isinstance(after, GLU)
        self.spread = Gated(spread) if gated else nn.Sequential(spread, after or nn.Identity())
        self.placed = True

    def forward(self, x: Tensor) -> Tensor:
        y = self.spread(x)
        return F.pixel_shuffle(y, 2)[..., 1:-1, 1:-1] if self.placed else y


class Joined(nn.Module):
    """A 3x3 convolution on the pixels of an `Up` that were not placed, (B, 4 into, h + 1, w + 1).

    Returns (B, out, 2h, 2w). Its outermost pixels are wrong, for their outer neighbours are not
    zero: what follows must cut them.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        out, into = conv.weight.shape[:2]
        # out, pixel (k, l) of a square; into, pixel (i, j); one of 2x2 squares (p, q)
        weight = torch.zeros(out, 2, 2, into, 2, 2, 2, 2)
        for k, m, t, u in product(range(2), range(2), range(3), range(3)):
            (p, i), (q, j) = divmod(k + t, 2), divmod(m + u, 2)
            weight[:, k, m, :, i, j, p, q] = conv.weight[:, :, t, u]
        self.paint = nn.Conv2d(4 * into, 4 * out, 2)
        _fill(self.paint, weight.reshape(4 * out, 4 * into, 2, 2), conv)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.paint(x), 2)


class Means(nn.Module):
    """`AdaptiveAvgPool2d(out)` of maps of a known side, as two products with a fixed matrix.

    Where the side is no multiple of `out` its windows overlap, and ONNX has no word for that.
    """

    weights: Tensor

    def __init__(self, side: int, out: int) -> None:
        super().__init__()
        self.register_buffer("weights", F.adaptive_avg_pool1d(torch.eye(side)[None], out)[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.weights.t() @ x @ self.weights


class Plain(nn.Module):
    """A `Base` with its batch norm in it: z (B, latent) -> (B, width, side, side)."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        norm, self.after = base.after
        scale, shift = _affine(norm)
        self.linear = base.linear
        self.base = nn.Parameter(base.base * scale[:, None, None])
        self.shift = nn.Parameter(shift[:, None, None])

    def forward(self, z: Tensor) -> Tensor:
        return self.after(self.base * self.linear(z)[:, :, None, None] + self.shift)


def _replace(net: nn.Module) -> None:
    """Put quicker parts in the place of the net's own, all the way down."""
    for name, part in list(net.named_children()):
        if isinstance(part, nn.Sequential):
            setattr(net, name, nn.Sequential(*_lifted(_folded(_leaves(part)))))
        elif isinstance(part, Base):
            setattr(net, name, Plain(part))
        elif isinstance(part, SpatialLatent):
            setattr(net, name, nn.Sequential(*_folded(_leaves(part.layers, part.after))))
        elif isinstance(part, DenseLatent):
            _fold_dense(part)
        else:
            _replace(part)


def _leaves(*parts: nn.Module) -> list[nn.Module]:
    """Return the layers of nested rows in order."""
    found: list[nn.Module] = []
    for part in parts:
        found += _leaves(*part) if isinstance(part, nn.Sequential) else [part]
    return found


def _folded(parts: Iterable[nn.Module]) -> list[nn.Module]:
    """Return the layers with each batch norm folded into the convolution before it."""
    done: list[nn.Module] = []
    for part in parts:
        at = -2 if done and isinstance(done[-1], Crop) else -1  # a cut changes no number
        before = done[at] if len(done) >= -at else None
        if isinstance(part, nn.BatchNorm2d) and isinstance(before, nn.Conv2d | nn.ConvTranspose2d):
            turned = isinstance(before, nn.ConvTranspose2d)
            done[at] = fuse_conv_bn_eval(before, part, transpose=turned)  # type: ignore[type-var]
        else:
            done.append(part)
    return done


def _lifted(parts: list[nn.Module]) -> list[nn.Module]:
    """Return the layers with nearest x2, 3x3 convolution and gate as `Up`, others as `Gated`."""
    done: list[nn.Module] = []
    rest = list(reversed(parts))
    while rest:
        part = rest.pop()
        if doubles(part) and rest and is_plain_3x3(rest[-1]):
            conv = rest.pop()
            gate = rest.pop() if rest and isinstance(rest[-1], GLU | nn.ReLU) else None
            part = Up(conv, gate)  # type: ignore[arg-type]
        elif type(part) is nn.Conv2d and rest and isinstance(rest[-1], GLU):
            rest.pop()
            part = Gated(part)
        done.append(part)
    return done


def _fix_means(net: nn.Module) -> None:
    """Fix the sides of the maps that `fewshot`'s gates look at."""
    gates, stages = getattr(net, "gates", None), getattr(net, "stages", None)
    if isinstance(gates, nn.ModuleDict) and isinstance(stages, nn.ModuleList):
        for step, gate in gates.items():
            parts, side = gate.weigh, stages[0].base.shape[-1] << (int(step) - SKIP)  # type: ignore
            parts[0] = Means(side, parts[0].output_size)  # type: ignore[index]


def _join_last(net: nn.Module) -> None:
    """Let the painting convolution read the pixels unplaced, where the border is cut anyway."""
    last, stages = getattr(net, "last", None), getattr(net, "stages", None)
    if not (isinstance(last, nn.Sequential) and isinstance(stages, nn.ModuleList)):
        return
    first, up = stages[0], stages[-1][-1]  # type: ignore[index]
    if not (isinstance(first, Plain) and isinstance(up, Up) and is_plain_3x3(last[0])):
        return
    canvas_px = first.base.shape[-1] << sum(isinstance(part, Up) for part in net.modules())
    cut = last[1]
    if isinstance(cut, Crop) and canvas_px - 2 >= cut.side:
        up.placed = False
        last[0] = Joined(last[0])  # type: ignore[arg-type]


def _half(conv: nn.Conv2d, half: int) -> nn.Conv2d:
    """Return the convolution that gives the first or second half of the channels."""
    weight, bias = conv.weight.chunk(2)[half], conv.bias
    part = nn.Conv2d(
        conv.in_channels,
        conv.out_channels // 2,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        conv.padding,  # type: ignore[arg-type]
        bias=bias is not None,
    )
    part.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if bias is not None:
        part.bias = nn.Parameter(bias.chunk(2)[half].clone(), requires_grad=False)
    return part


def _fold_dense(part: DenseLatent) -> None:
    norm = part.after[0] if isinstance(part.after, nn.Sequential) else None
    if isinstance(norm, nn.BatchNorm2d):
        scale, shift = (v.repeat_interleave(part.shape[1] ** 2) for v in _affine(norm))
        part.linear.weight.mul_(scale[:, None])
        part.linear.bias.mul_(scale).add_(shift)
        part.after = part.after[1]  # type: ignore[index]


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return what a batch norm in eval mode does to a channel: times scale, plus shift."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def _fill(conv: nn.Conv2d, weight: Tensor, of: nn.Conv2d) -> None:
    """Give `conv` its weight, and each of its pixels the bias its channel has in `of`."""
    bias = torch.zeros(of.out_channels) if of.bias is None else of.bias
    conv.weight = nn.Parameter(weight, requires_grad=False)
    conv.bias = nn.Parameter(bias.repeat_interleave(4), requires_grad=False)
