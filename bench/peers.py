"""Two other projects for few pictures, with one protocol, so that benches drive them like ours.

    Peer("fastgan", 128, 8, device, seed)         a net of FastGAN's shape, ngf 64; see fastgan.py
    Peer("fastgan-32", ...)                       the same with a generator of half the channels
    Peer("lightweight-gan", ...)                  the package of that name, its own classes
    python bench/peers.py --size 64               are they all there?

lightweight-gan is not among our dependencies; `pip install --no-deps lightweight-gan einops kornia
kornia_rs adabelief-pytorch fire retry py decorator tqdm termcolor --target DIR` and DIR at the end
of PYTHONPATH give it. It asserts a GPU when imported; on a CPU torch is made to say yes meanwhile.
"""

import argparse
import importlib
import random
import time
from typing import Any, Protocol
from unittest.mock import patch

import fastgan
import numpy as np
import torch
from torch import Tensor, nn

from mapmaker.errors import BadConfig, MissingPart

PEERS = ("lightweight-gan", "fastgan", "fastgan-32")
PICTURES = 360  # lightweight-gan derives its chance of augmentation from the data set's size


class Engine(Protocol):
    """What a peer is made of: a step, and the generator it samples from."""

    g: nn.Module
    d: nn.Module

    def step(self, reals: Tensor) -> dict[str, Tensor]: ...
    def ready(self) -> None: ...
    def pictures(self, z: Tensor) -> Tensor: ...


class Peer:
    """Another project's training, one step at a time.

    name: one of PEERS. size [px] of the pictures; batch: pictures a step. Every random number
    follows from `seed` where the process does nothing else.
    Raises BadConfig for another name or a size the project cannot do, MissingPart where it is not
    installed.
    """

    def __init__(
        self, name: str, size: int, batch: int, device: torch.device | str, seed: int = 0
    ) -> None:
        torch.manual_seed(seed)
        random.seed(seed)
        self.name, self.size, self.batch = name, size, batch
        self.device = torch.device(device)
        if name not in PEERS:
            raise BadConfig(f"{name!r} is no peer.", hint=f"Known: {', '.join(PEERS)}.")
        if name == "lightweight-gan":
            self.engine: Engine = LightweightGan(size, self.device)
        else:
            ngf = 32 if name.endswith("-32") else 64
            self.engine = FastGan(size, self.device, ngf, batch=batch)
        self.steps = 0

    def step(self, reals: Tensor) -> dict[str, float]:
        """Train D and G once on reals, float (B, 3, H, W) in [-1, 1]; return the losses."""
        figures = self.engine.step(reals.to(self.device).contiguous())
        self.steps += 1
        return {name: float(value) for name, value in figures.items()}

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> np.ndarray:
        """Return n pictures, uint8 (n, H, W, 3), of the averaged generator; training is left alone.

        The latents are drawn on the CPU from `seed`.
        """
        fixed = torch.Generator().manual_seed(seed)
        z = torch.randn(n, 256, generator=fixed).to(self.device)
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            self.engine.ready()
            torch.manual_seed(seed)
            drawn = torch.cat([self.engine.pictures(part) for part in z.split(self.batch)])
        pixels = (drawn * 127.5 + 127.5).round().clamp(0, 255).byte()
        return pixels.permute(0, 2, 3, 1).cpu().numpy()

    def parameters(self) -> dict[str, int]:
        """Return how many weights the generator and the discriminator have."""
        nets = {"G": self.engine.g, "D": self.engine.d}
        return {k: sum(p.numel() for p in net.parameters()) for k, net in nets.items()}


class FastGan(fastgan.Trainer):
    """The net of fastgan.py; its average is made ready once for each state it samples from."""

    def __init__(
        self, size: int, device: torch.device, ngf: int = 64, ndf: int = 64, *, batch: int
    ) -> None:
        super().__init__(size, device, ngf, ndf)
        self.batch = batch
        self._ready: fastgan.Generator | None = None

    def step(self, reals: Tensor) -> dict[str, Tensor]:
        self._ready = None
        return super().step(reals)

    def ready(self) -> None:
        """Fit the averaged generator's batch norms, unless that was done since the last step."""
        if self._ready is None:
            torch.manual_seed(0)
            self._ready = self.averaged(self.batch)

    def pictures(self, z: Tensor) -> Tensor:
        """Return pictures (B, 3, H, W) in [-1, 1], after `ready`."""
        assert self._ready is not None
        return self._ready(z)[0]


class LightweightGan:
    """lightweight-gan's own nets, optimisers, augmentation and average, as its trainer steps them.

    Its command line's defaults, but for one batch a step (it accumulates four): attention at 32 px,
    one logit, translation and cutout at its automatic chance, no amp. Its pictures are in [0, 1].
    Its average begins to move after step 20 000; until then it is a copy of the generator, renewed
    at step 2 and every 1000 after that. `pictures` draws from it only where it moves, else from the
    generator itself, which is newer: in the peer's favour.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        if size & (size - 1) or size < 64:
            raise BadConfig(
                f"lightweight-gan does not draw pictures of {size} px.",
                hint="Its sizes are powers of two, 64 and up.",
            )
        package = _import()
        package.norm_class, package.Blur = nn.BatchNorm2d, nn.Identity  # as its trainer sets them
        with patch.object(nn.Module, "cuda", lambda self, *_: self):
            gan = package.LightweightGAN(
                latent_dim=256, image_size=size, attn_res_layers=[32], disc_output_size=1
            )
        self.package, self.device, self.done = package, device, 0
        self.gan = gan.to(device).train()
        self.g, self.d = gan.G, gan.D
        self.kind = {
            "prob": min(0.5, (1e5 - PICTURES) * 3e-6),
            "types": ["cutout", "translation"],
        }

    def step(self, reals: Tensor) -> dict[str, Tensor]:
        """Train D once and G once; every fourth step with the gradient penalty."""
        gan, batch = self.gan, len(reals)
        penal = self.done % 4 == 0
        reals = (reals + 1) / 2

        # The discriminator: hinge on both heads, the decoders' error on real pictures, the penalty.
        gan.D_opt.zero_grad()
        with torch.no_grad():
            fakes = gan.G(torch.randn(batch, 256, device=self.device))
        reals.requires_grad_(penal)
        fakes, (fake, fake_32, _) = gan.D_aug(
            fakes, detach=True, input_requires_grad=penal, return_discr_input=True, **self.kind
        )
        real, real_32, painted = gan.D_aug(reals, calc_aux_loss=True, **self.kind)
        hinge = self.package.hinge_loss
        loss_d = hinge(real, fake) + hinge(real_32, fake_32) + painted
        if penal:
            loss_d = loss_d + _penalty([real, real_32], reals) + _penalty([fake, fake_32], fakes)
        loss_d.backward()
        gan.D_opt.step()

        # The generator.
        gan.G_opt.zero_grad()
        fake, fake_32, _ = gan.D_aug(
            gan.G(torch.randn(batch, 256, device=self.device)), **self.kind
        )
        loss_g = fake.mean() + fake_32.mean()
        loss_g.backward()
        gan.G_opt.step()

        if self.done % 10 == 0 and self.done > 20000:
            gan.EMA()
        if self.done <= 25000 and self.done % 1000 == 2:
            gan.reset_parameter_averaging()
        self.done += 1
        return {
            "loss_d": loss_d.detach(),
            "loss_g": loss_g.detach(),
            "recall": painted.detach(),
        }

    def ready(self) -> None:
        """Do nothing: its average has batch statistics of its own."""

    def pictures(self, z: Tensor) -> Tensor:
        """Return pictures (B, 3, H, W) in [-1, 1]."""
        net = self.gan.GE if self.done > 20000 else self.gan.G
        net.eval()
        drawn = net(z).clamp(0, 1) * 2 - 1
        net.train()
        return drawn


def _penalty(logits: list[Tensor], pictures: Tensor) -> Tensor:
    """Return its gradient penalty's half: 10 |gradient|^2, the mean over real and drawn alike."""
    ones = [torch.ones_like(one) for one in logits]
    (gradient,) = torch.autograd.grad(logits, pictures, ones, create_graph=True)
    return 10 * gradient.flatten(1).norm(2, dim=1).square().mean() / 2


def _import() -> Any:
    try:
        with patch("torch.cuda.is_available", return_value=True):
            return importlib.import_module("lightweight_gan.lightweight_gan")
    except ImportError as error:
        raise MissingPart(
            f"lightweight-gan is not at hand: {error}.", hint="bench/peers.py says how to get it."
        ) from error


def main() -> None:
    """Step each peer a few times on noise and say how long it took: are they all there?"""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("peers", nargs="*", default=list(PEERS))
    args = parser.parse_args()
    for name in args.peers:
        try:
            peer = Peer(name, args.size, args.batch, args.device)
        except (BadConfig, MissingPart) as error:
            print(f"{name}: {error} {error.hint}")
            continue
        reals = torch.rand(args.batch, 3, args.size, args.size) * 2 - 1
        began = time.perf_counter()
        for _ in range(args.steps):
            figures = peer.step(reals)
        seconds = (time.perf_counter() - began) / args.steps
        weights = ", ".join(f"{k} {v / 1e6:.2f} M" for k, v in peer.parameters().items())
        losses = ", ".join(f"{k} {v:.3f}" for k, v in figures.items())
        drawn = peer.sample(args.batch, 0)
        print(f"{name}: {weights}; {seconds:.2f} s a step; {losses}; samples {drawn.shape}")


if __name__ == "__main__":
    main()
