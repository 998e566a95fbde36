"""The training step as most people write it first: what `bench/train.py` compares ours with.

float32, contiguous tensors, every picture decoded from its PNG file each step, torch's ordinary
Adam, the discriminator's gradients computed (and thrown away) while the generator trains. The nets,
the losses, the rates and the batch are those of the recipe `notes`.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from mapmaker.models import build
from mapmaker.train.recipes import NOTES


class Plain:
    """One net pair trained the plain way on the PNG files of a folder."""

    def __init__(self, folder: Path, size: int, batch: int, device: torch.device) -> None:
        torch.manual_seed(0)
        self.files = sorted(folder.glob("*.png"))
        self.batch, self.device, self.done = batch, device, 0
        self.nets = build("dcgan", size, dict(NOTES.options))
        self.g = self.nets.generator.to(device).train()
        self.d = self.nets.discriminator.to(device).train()
        betas = NOTES.betas
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr=NOTES.lr_g, betas=betas)
        self.adam_d = torch.optim.Adam(self.d.parameters(), lr=NOTES.lr_d, betas=betas)

    def step(self) -> float:
        """Train D once and G once; return the generator's loss."""
        real = self.d(self._pictures())
        loss = bce(real, torch.full_like(real, NOTES.real_label))
        self.adam_d.zero_grad()
        loss.backward()
        pictures = self.g(torch.randn(self.batch, *self.nets.latent_shape, device=self.device))
        fake = self.d(pictures.detach())
        bce(fake, torch.zeros_like(fake)).backward()
        self.adam_d.step()

        self.adam_g.zero_grad()
        fake = self.d(pictures)
        loss = bce(fake, torch.ones_like(fake))
        loss.backward()
        self.adam_g.step()
        return loss.item()

    def _pictures(self) -> Tensor:
        chosen = [self.files[(self.done + i) % len(self.files)] for i in range(self.batch)]
        self.done += self.batch
        decoded = []
        for file in chosen:
            with Image.open(file) as picture:
                pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
            decoded.append(torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1).contiguous())
        return torch.stack(decoded).to(self.device)
