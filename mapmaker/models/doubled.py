"""Nearest x2 and a 3x3 convolution as one 2x2 convolution, in training too.

Each of the four pixels of a square sees only 2x2 different numbers of the small map: 16 products
instead of 36, and the enlarged map is neither written nor kept for the gradient. The weights are
the 3x3 ones, summed anew each time, so names, shapes, checkpoints and starts are as they were.
"""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mapmaker.models.layers import Resize

# From this side of the small map on. Forward and backward in bf16 on one core, the plain way
# against this one (8 pictures): 6 px 0.8 times as fast, 8 px 1.0, 10 px 1.3, 16 px 1.6, 64 px 1.7;
# below, one place more a side and weights of 16 taps for 9 cost more than the products save.
LEAST_PX = 10


class Layers(nn.Sequential):
    """Layers in a row; where nearest x2 stands before a plain 3x3 convolution, both in one."""

    def forward(self, input: Tensor) -> Tensor:
        x, parts = input, iter(self)
        for part in parts:
            after = next(parts, None) if doubles(part) else None
            if after is None:
                x = part(x)
            elif is_plain_3x3(after) and min(x.shape[-2:]) >= LEAST_PX:
                x = doubled(x, after.weight, after.bias)
            else:
                x = after(part(x))
        return x


def doubles(part: nn.Module) -> bool:
    """Return whether the layer repeats each pixel twice in both directions."""
    return isinstance(part, Resize) and part.factor == 2 and part.mode == "nearest"


def is_plain_3x3(part: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Return whether the layer is a 3x3 convolution that keeps the side, its weight as stored."""
    return (
        type(part) is nn.Conv2d
        and (part.kernel_size, part.padding, part.stride) == ((3, 3), (1, 1), (1, 1))
        and (part.groups, part.dilation, part.padding_mode) == (1, (1, 1), "zeros")
    )


def doubled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the 3x3 convolution of x (B, into, h, w) after nearest x2: (B, out, 2h, 2w)."""
    y = F.conv2d(x, squares(weight), None if bias is None else bias.repeat(4), padding=1)
    return _Place.apply(y)  # type: ignore[no-any-return]


def squares(weight: Tensor) -> Tensor:
    """Return weights (out, into, 3, 3) as what the four pixels of a square see, a pixel at a time.

    (4 out, into, 2, 2): all channels of pixel (0, 0), then of (0, 1), (1, 0) and (1, 1).
    """
    rows = (_pair(weight, 2, i) for i in (0, 1))
    return torch.cat([_pair(row, 3, j) for row in rows for j in (0, 1)])


def _pair(weight: Tensor, dim: int, pixel: int) -> Tensor:
    """Return three taps along `dim` as the two that the first or second pixel of a pair sees."""
    a, b, c = weight.unbind(dim)
    return torch.stack([a + b, c] if pixel == 0 else [a, b + c], dim)


class _Place(torch.autograd.Function):
    """(B, 4 C, h + 1, w + 1) -> (B, C, 2h, 2w): each pixel to its place, channels last.

    Place p of y holds rows 2p - 1 (pixel 0) and 2p (pixel 1): the outermost on each side is no
    pixel's. Not F.pixel_shuffle: there a pixel's channels lie apart, and its gradient took half as
    long again as the whole convolution's.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        n, four, height, width = y.shape
        shape = (n, four // 4, 2 * (height - 1), 2 * (width - 1))
        x = _empty(shape, y)
        for (i, j), (of_y, of_x) in zip(SQUARE, _shares(y, x), strict=True):
            of_x.copy_(of_y[:, :, 1 - i : height - i, 1 - j : width - j])
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:  # type: ignore[override]
        (grad,) = grad_outputs
        n, channels, height, width = grad.shape
        y = _empty((n, 4 * channels, height // 2 + 1, width // 2 + 1), grad)
        for (i, j), (of_y, of_x) in zip(SQUARE, _shares(y, grad), strict=True):
            of_y[:, :, 1 - i : height // 2 + 1 - i, 1 - j : width // 2 + 1 - j].copy_(of_x)
            of_y[:, :, -i].zero_()
            of_y[..., -j].zero_()
        return y


SQUARE = ((0, 0), (0, 1), (1, 0), (1, 1))


def _shares(y: Tensor, x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return for each pixel of a square its channels of y, and its places in x."""
    shares = y.chunk(4, dim=1)
    # Place 0 of the second pixel of a pair is row 0, so the first pixels are the odd rows.
    return [(s, x[:, :, 1 - i :: 2, 1 - j :: 2]) for s, (i, j) in zip(shares, SQUARE, strict=True)]


def _empty(shape: tuple[int, ...], like: Tensor) -> Tensor:
    last = torch.channels_last
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=last)
