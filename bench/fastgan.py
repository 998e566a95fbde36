"""A net shaped like FastGAN, from the paper's description (Liu et al. 2021, arXiv 2101.04775).

No line of its code is used: that is GPL. What the paper leaves open, and what differs here:

- The decoders' loss is plain L1 on what they paint; the paper takes LPIPS, whose weights must be
  downloaded.
- tanh ends every picture.
- Sizes: the paper has 256, 512 and 1024. Here the canvas is the smallest base * 2**k with base 3 to
  7 that holds the picture, cut (generator) or reflected (discriminator) to size: 750 in 768 =
  3 * 2**8, the net of 1024 on a map of three quarters. A canvas of less than 256 px has fewer
  halvings, and an auxiliary picture of half its side.
- The averaged weights get batch statistics of their own before sampling, in the peer's favour.
"""

import copy
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

G_WIDTHS = (16, 8, 4, 2, 2, 1, 1 / 2, 1 / 4, 1 / 8)  # times ngf, after so many doublings
D_WIDTHS = {1: 8, 2: 4, 3: 2, 4: 1, 5: 1 / 2, 6: 1 / 4}  # times ndf, on a map of base * 2**k
LATENT = 256
AUX = 5  # the auxiliary picture is base * 2**5 = 128 px
RESIDUAL = 5  # halvings with a residual; what is above them is the stem
TRANSLATION = 0.125


def ladder(size: int) -> tuple[int, int]:
    """Return (base, k) of the smallest canvas base * 2**k that holds the picture, base 3 to 7."""
    fits = []
    for base in (3, 4, 5, 7):
        k = max(2, (-(-size // base) - 1).bit_length())
        fits.append((base << k, base, k))
    return min(fits)[1:]


class Generator(nn.Module):
    """z (B, 256) -> the picture (B, 3, size, size) and a small one, both in [-1, 1]."""

    def __init__(self, size: int, ngf: int) -> None:
        super().__init__()
        self.size = size
        base, k = ladder(size)
        widths = [max(3, int(ngf * w)) for w in G_WIDTHS[: k + 1]]
        self.aux = min(AUX, k - 1)
        self.start = nn.Sequential(
            spectral_norm(nn.ConvTranspose2d(LATENT, 2 * widths[0], base, bias=False)),
            nn.BatchNorm2d(2 * widths[0]),
            nn.GLU(dim=1),
        )
        self.steps = nn.ModuleList(
            _up(widths[i], widths[i + 1], twice=i % 2 == 0) for i in range(k)
        )
        self.gates = nn.ModuleDict(
            {str(i + 4): _excite(widths[i], widths[i + 4]) for i in range(4) if i + 4 <= k}
        )
        self.to_small = _conv(widths[self.aux], 3, 1)
        self.to_picture = _conv(widths[k], 3, 3)
        _initialise(self)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        maps = [self.start(z[:, :, None, None])]
        for i, step in enumerate(self.steps, start=1):
            x = step(maps[-1])
            maps.append(x * self.gates[str(i)](maps[i - 4]) if str(i) in self.gates else x)
        picture, small = torch.tanh(self.to_picture(maps[-1])), self.to_small(maps[self.aux])
        cut = (picture.shape[-1] - self.size) // 2
        return picture[..., cut : cut + self.size, cut : cut + self.size], torch.tanh(small)


class Noise(nn.Module):
    """x + w * noise, one w for the layer, which starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight * torch.randn_like(x[:, :1])


class Discriminator(nn.Module):
    """The picture and the small one -> logits (B, K); on real ones also the decoders' error."""

    def __init__(self, size: int, ndf: int) -> None:
        super().__init__()
        base, k = ladder(size)
        self.canvas, self.size = base << k, size
        self.small_side = base << min(AUX, k - 1)
        top = min(k, RESIDUAL + 1)
        width = {i: max(3, int(ndf * w)) for i, w in D_WIDTHS.items()}
        self.stem = _stem(k - top, width[top])
        self.steps = nn.ModuleList(_Down(width[i], width[i - 1]) for i in range(top, 1, -1))
        # Early maps weigh the channels of the one three halvings later.
        self.gates = nn.ModuleDict(
            {str(n): _excite(width[top - n + 3], width[top - n]) for n in range(3, len(self.steps))}
            if len(self.steps) > 3
            else {}
        )
        self.head = nn.Sequential(
            _conv(width[1], 2 * width[1], 1),
            nn.BatchNorm2d(2 * width[1]),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(2 * width[1], 1, 4, bias=False)),
        )
        halvings = min(AUX, k - 1) - 1
        small = [max(3, int(ndf * 2.0 ** (i - 1))) for i in range(halvings)]
        self.small_stem = nn.Sequential(
            spectral_norm(nn.Conv2d(3, small[0], 4, 2, 1, bias=False)),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.small_steps = nn.Sequential(
            *(_Down(small[i], small[i + 1]) for i in range(halvings - 1))
        )
        self.small_head = spectral_norm(nn.Conv2d(small[-1], 1, 4, bias=False))
        self.decoders = nn.ModuleList(
            _decoder(w, ndf) for w in (width[1], small[-1], width[min(2, top)])
        )
        _initialise(self)

    def forward(
        self, picture: Tensor, small: Tensor | None = None, part: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits (B, K) and, where `part` names a quadrant 0..3, the decoders' L1, else 0.

        small None: the picture itself, shrunk.
        """
        before, side = self.canvas - picture.shape[-1], self.small_side
        pad = (before // 2, before - before // 2)
        whole = F.pad(picture, (*pad, *pad), mode="reflect") if before else picture
        if small is None:
            small = F.interpolate(whole, side, mode="bilinear", align_corners=False)
        maps = [self.stem(whole)]
        for n, step in enumerate(self.steps, start=1):
            x = step(maps[-1])
            maps.append(x * self.gates[str(n)](maps[n - 3]) if str(n) in self.gates else x)
        late = self.small_steps(self.small_stem(small))
        logits = torch.cat([self.head(maps[-1]).flatten(1), self.small_head(late).flatten(1)], 1)
        if part is None:
            return logits, logits.new_zeros(())
        error = _painted(self.decoders[0](maps[-1]), whole)
        error = error + _painted(self.decoders[1](late), small)
        quarter = self.decoders[2](_quadrant(maps[-2], part))
        return logits, error + _painted(quarter, _quadrant(whole, part))


class _Down(nn.Module):
    """Half the side: the mean of a deep path and a plain one."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.deep = nn.Sequential(
            spectral_norm(nn.Conv2d(into, out, 4, 2, 1, bias=False)),
            nn.BatchNorm2d(out),
            nn.LeakyReLU(0.2, inplace=True),
            _conv(out, out, 3),
            nn.BatchNorm2d(out),
            nn.LeakyReLU(0.2),
        )
        self.plain = nn.Sequential(
            nn.AvgPool2d(2), _conv(into, out, 1), nn.BatchNorm2d(out), nn.LeakyReLU(0.2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (self.deep(x) + self.plain(x)) / 2


class Trainer:
    """Nets, optimisers and average, stepping as the paper trains; see `peers.Peer`."""

    def __init__(self, size: int, device: torch.device, ngf: int = 64, ndf: int = 64) -> None:
        self.device = device
        self.g = Generator(size, ngf).to(device).train()
        self.d = Discriminator(size, ndf).to(device).train()
        self.average = [p.detach().clone() for p in self.g.parameters()]
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.adam_d = torch.optim.Adam(self.d.parameters(), lr=2e-4, betas=(0.5, 0.999))

    def step(self, reals: Tensor) -> dict[str, Tensor]:
        """Train D once and G once on reals (B, 3, H, W) in [-1, 1]; return the losses."""
        flips = torch.rand(len(reals), 1, 1, 1, device=self.device) < 0.5
        reals = _augment(torch.where(flips, reals.flip(3), reals))
        fakes = self.g(torch.randn(len(reals), LATENT, device=self.device))
        seen = [_augment(fake) for fake in fakes]

        self.adam_d.zero_grad()
        real, painted = self.d(reals, part=int(torch.randint(4, ())))
        loss_real = F.relu(_margin(real) - real).mean() + painted
        loss_real.backward()
        fake, _ = self.d(*(f.detach() for f in seen))
        loss_fake = F.relu(_margin(fake) + fake).mean()
        loss_fake.backward()
        self.adam_d.step()

        self.adam_g.zero_grad()
        loss_g = -self.d(*seen)[0].mean()
        loss_g.backward()
        self.adam_g.step()
        with torch.no_grad():
            for mean, new in zip(self.average, self.g.parameters(), strict=True):
                mean.mul_(0.999).add_(new, alpha=0.001)
        return {
            "loss_d": (loss_real + loss_fake).detach(),
            "loss_g": loss_g.detach(),
            "recall": painted.detach(),
        }

    @torch.no_grad()
    def averaged(self, batch: int) -> Generator:
        """Return the averaged generator, its batch norms fitted to its weights by 16 batches."""
        net = copy.deepcopy(self.g)
        for mine, mean in zip(net.parameters(), self.average, strict=True):
            mine.copy_(mean)
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        fixed = torch.Generator().manual_seed(0)
        for _ in range(16):
            net(torch.randn(max(2, batch), LATENT, generator=fixed).to(self.device))
        return net.eval()


def _conv(into: int, out: int, kernel: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(into, out, kernel, padding=kernel // 2, bias=False))


def _up(into: int, out: int, *, twice: bool) -> nn.Sequential:
    """Return nearest x2, then a gated convolution, or two of them with noise."""
    layers: list[nn.Module] = [nn.Upsample(scale_factor=2)]
    for width in (into, out)[: 2 if twice else 1]:
        layers += [_conv(width, 2 * out, 3), *([Noise()] if twice else [])]
        layers += [nn.BatchNorm2d(2 * out), nn.GLU(dim=1)]
    return nn.Sequential(*layers)


def _excite(into: int, out: int) -> nn.Sequential:
    """Return skip-layer excitation: an early map -> how much each late channel counts."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(4),
        spectral_norm(nn.Conv2d(into, out, 4, bias=False)),
        nn.SiLU(),
        _conv(out, out, 1),
        nn.Sigmoid(),
    )


def _stem(halvings: int, width: int) -> nn.Sequential:
    if not halvings:
        return nn.Sequential(_conv(3, width, 3), nn.LeakyReLU(0.2, inplace=True))
    layers: list[nn.Module] = []
    into = 3
    for left in range(halvings - 1, -1, -1):
        out = max(3, width >> left)
        layers.append(spectral_norm(nn.Conv2d(into, out, 4, 2, 1, bias=False)))
        layers += [nn.BatchNorm2d(out)] if into != 3 else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        into = out
    return nn.Sequential(*layers)


def _decoder(width: int, ndf: int) -> nn.Sequential:
    """Return what paints a picture of 16 times its map's side."""
    widths = [width] + [max(3, int(ndf * w)) for w in (2, 1, 1, 1 / 2)]
    layers: list[nn.Module] = []
    for into, out in pairwise(widths):
        layers += [nn.Upsample(scale_factor=2), _conv(into, 2 * out, 3)]
        layers += [nn.BatchNorm2d(2 * out), nn.GLU(dim=1)]
    return nn.Sequential(*layers, _conv(widths[-1], 3, 3), nn.Tanh())


def _initialise(net: nn.Module) -> None:
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, 0.02)


def _quadrant(x: Tensor, part: int) -> Tensor:
    half = x.shape[-1] // 2
    top, left = part // 2 * half, part % 2 * half
    return x[..., top : top + half, left : left + half]


def _painted(painted: Tensor, picture: Tensor) -> Tensor:
    side = min(painted.shape[-1], picture.shape[-1])
    return F.l1_loss(F.adaptive_avg_pool2d(painted, side), F.adaptive_avg_pool2d(picture, side))


def _margin(logits: Tensor) -> Tensor:
    return 0.8 + 0.2 * torch.rand_like(logits)


def _augment(x: Tensor) -> Tensor:
    """Return x with brightness, saturation, contrast and place changed; borders go black (0)."""
    n = len(x)

    def draw() -> Tensor:
        return torch.rand(n, 1, 1, 1, device=x.device)

    x = x + draw() - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2 * draw()
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * (0.5 + draw())
    side = x.shape[-1]
    reach = int(side * TRANSLATION + 0.5)
    rows, columns = torch.randint(0, 2 * reach + 1, (2, n)).tolist()
    padded = F.pad(x, (reach,) * 4)
    moved = [
        padded[i, :, rows[i] : rows[i] + side, columns[i] : columns[i] + side] for i in range(n)
    ]
    return torch.stack(moved)
