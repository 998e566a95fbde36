"""The few layers torch does not have, and gradient checkpointing that leaves batch norm alone."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

INIT_STD = 0.02  # Radford et al. 2015 (DCGAN), section 4


class Staged(nn.Module):
    """A net that is a row of stages; with `checkpointing` on, only the stages' inputs are kept."""

    checkpointing: bool

    def __init__(self) -> None:
        super().__init__()
        self.checkpointing = False

    def through(self, stages: Iterable[nn.Module], x: Tensor) -> Tensor:
        """Return x after every stage in turn."""
        for stage in stages:
            x = self._rerun(stage, x) if self.checkpointing else stage(x)
        return x

    def _rerun(self, stage: nn.Module, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return stage(x)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), frozen_statistics(stage)

        # No stage draws random numbers, so the generator's state need not be kept.
        return checkpoint(
            stage, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
        )


@contextmanager
def frozen_statistics(net: nn.Module) -> Iterator[None]:
    """Within it, a forward pass moves no running mean, no running variance, no power iteration.

    A checkpointed stage runs forward twice a step; without this its statistics would move twice.
    """
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    spectral = [m for m in net.modules() if isinstance(m, SpectralConv2d)]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    for norm in norms:
        # Momentum 0 and not track_running_stats=False: the second pass must save the same tensors.
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    for conv in spectral:
        conv.iterating = False
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
        for conv in spectral:
            conv.iterating = True


class GLU(nn.Module):
    """Half the channels, gated by the other half.

    Not F.glu: on channels_last bf16 that costs twice as much on a CPU. In training it keeps two
    tensors of half the width where a * sigmoid(b) keeps three.
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            return _Gate.apply(x)  # type: ignore[no-any-return]
        return _gated(x)[0]


class _Gate(torch.autograd.Function):
    """a * sigmoid(b), its gradient from what comes out and the sigmoid."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out, gate = _gated(x)
        ctx.save_for_backward(out, gate)
        ctx.layout = _layout(x)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:  # type: ignore[override]
        (grad,) = grad_outputs
        out, gate = ctx.saved_tensors
        n, half, height, width = out.shape
        both = torch.empty(
            (n, 2 * half, height, width),
            dtype=out.dtype,
            device=out.device,
            memory_format=ctx.layout,
        )
        # d a = g s; d b = g a s (1 - s) = g out (1 - s), both written where they belong.
        torch.mul(grad, gate, out=both[:, :half])
        lost = grad * out
        torch.addcmul(lost, lost, gate, value=-1, out=both[:, half:])
        return both


def _gated(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return a * sigmoid(b) and sigmoid(b) of x = (a, b)."""
    a, b = x.chunk(2, dim=1)
    # Copied first: on rows of less than 32 channels a CPU's sigmoid is four times slower.
    gate = torch.sigmoid_(b.clone(memory_format=_layout(x)))
    return a * gate, gate


def _layout(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


class Resize(nn.Module):
    """Enlarge a whole number of times, by "nearest" or "bilinear"."""

    def __init__(self, factor: int, mode: str = "nearest") -> None:
        super().__init__()
        self.factor, self.mode = factor, mode

    def forward(self, x: Tensor) -> Tensor:
        smooth = {"align_corners": False} if self.mode == "bilinear" else {}
        return F.interpolate(x, scale_factor=self.factor, mode=self.mode, **smooth)


class Crop(nn.Module):
    """Keep the middle side x side px; what already has that size passes unchanged."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[-2] - self.side) // 2, (x.shape[-1] - self.side) // 2
        if not top and not left and x.shape[-1] == x.shape[-2] == self.side:
            return x
        return x[..., top : top + self.side, left : left + self.side]


class Area(nn.Module):
    """Resize to side x side px, each pixel the mean of the area it covers."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, self.side)


class SpectralConv2d(nn.Conv2d):
    """A convolution whose weight is divided by its largest singular value (Miyato et al. 2018).

    One power iteration a training step, in float32 even under autocast: in bfloat16 the estimate
    wanders by a percent and the discriminator's scale with it.
    """

    u: Tensor
    v: Tensor

    def __init__(self, *args: int, **kwargs: int | bool) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.iterating = True
        rows = self.weight.flatten(1)
        self.register_buffer("u", F.normalize(torch.randn(rows.shape[0]), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(rows.shape[1]), dim=0))

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight / self.sigma(), self.bias)

    def sigma(self) -> Tensor:
        """Return the estimate of the largest singular value, differentiable in the weight."""
        device = self.weight.device.type
        # Tensors without storage (shapes only) know no autocast.
        plain = nullcontext() if device == "meta" else torch.autocast(device, enabled=False)
        with plain:
            rows = self.weight.float().flatten(1)
            if self.training and self.iterating:
                with torch.no_grad():
                    v = F.normalize(rows.t() @ self.u, dim=0)
                    u = F.normalize(rows @ v, dim=0)
                    self.u.copy_(u)
                    self.v.copy_(v)
            # Copies: the next pass moves the buffers before this pass's backward reads them.
            return torch.dot(self.u.clone(), rows @ self.v.clone())


def conv(into: int, out: int, kernel: int, stride: int = 1, *, norm: str = "none") -> nn.Conv2d:
    """Return a convolution that keeps the side (odd kernel) or divides it by `stride`.

    norm is "none", "batch", "spectral" or "both"; with batch norm to come it has no bias.
    """
    kind = SpectralConv2d if norm in ("spectral", "both") else nn.Conv2d
    bias = norm in ("none", "spectral")
    padding = (kernel - stride + 1) // 2
    return kind(into, out, kernel, stride=stride, padding=padding, bias=bias)


def start(net: nn.Module) -> None:
    """Give every layer the start of the DCGAN paper: weights N(0, 0.02), biases 0, norms 1 and 0.

    A spectral convolution keeps torch's own start (its scale is divided out again) and has its
    power iteration run to convergence once, so that the first steps see the true norm.
    """
    for part in net.modules():
        if isinstance(part, SpectralConv2d):
            with torch.no_grad():
                for _ in range(10):
                    part.sigma()
        elif isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0.0, INIT_STD)
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
