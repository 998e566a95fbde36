"""Differentiable augmentation: what the discriminator sees of real and generated pictures alike.

Source: Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (arXiv 2006.10738);
written from the paper. Ours reflects the border where theirs fills it black (a black rim is a map
feature here), and is mild with colour, which carries meaning on a map.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mapmaker.train.recipes import Recipe


def seen(images: Tensor, recipe: Recipe, rng: np.random.Generator, progress: float) -> Tensor:
    """Return what the discriminator sees of `images` (B, 3, H, W) in [-1, 1].

    progress is the share of the run that is over; it anneals the noise. The parameters are drawn on
    the CPU from `rng`, so no device has to be waited for.
    """
    images = colour(images, recipe, rng)
    if recipe.translation:
        images = translate(images, recipe.translation, rng)
    if recipe.cutout:
        images = cut_out(images, recipe.cutout, recipe.cutout_chance, rng)
    sigma = recipe.noise
    if recipe.noise_until < 1:
        sigma *= max(0.0, 1 - progress / max(recipe.noise_until, 1e-9))
    if sigma:
        images = images + sigma * torch.randn_like(images)
    return images


def colour(images: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """Return the pictures with saturation, contrast and brightness changed, each by a draw."""
    n = len(images)
    if recipe.saturation:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * _factors(images, n, recipe.saturation, rng)
    if recipe.contrast:
        mean = images.mean((1, 2, 3), keepdim=True)
        images = mean + (images - mean) * _factors(images, n, recipe.contrast, rng)
    if recipe.brightness:
        images = images + (_factors(images, n, recipe.brightness, rng) - 1)
    return images


def translate(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Return each picture shifted by up to `share` of its side, the border filled by reflection."""
    height, width = images.shape[2:]
    reach = min(round(share * height), height - 1, width - 1)
    if reach < 1:
        return images
    shifts = rng.integers(0, 2 * reach + 1, (len(images), 2))
    padded = F.pad(images, (reach,) * 4, mode="reflect").unbind(0)
    moved = [
        one[:, y : y + height, x : x + width] for one, (y, x) in zip(padded, shifts, strict=True)
    ]
    return torch.stack(moved).contiguous(memory_format=torch.channels_last)


def cut_out(images: Tensor, share: float, chance: float, rng: np.random.Generator) -> Tensor:
    """Return the pictures with, at `chance` each, a square hole of side share * H in grey (0)."""
    n, _, height, width = images.shape
    centre = rng.integers(0, (height, width), (n, 2))
    half = np.where(rng.random(n) < chance, share * height / 2, -1.0)
    near = _to(images, np.stack([centre[:, 0], centre[:, 1], half]))
    rows = (torch.arange(height, device=images.device) - near[0, :, None]).abs() <= near[2, :, None]
    columns = (torch.arange(width, device=images.device) - near[1, :, None]).abs() <= near[
        2, :, None
    ]
    hole = rows[:, None, :, None] & columns[:, None, None, :]
    return images.masked_fill(hole, 0.0)


def _factors(images: Tensor, n: int, spread: float, rng: np.random.Generator) -> Tensor:
    return _to(images, rng.uniform(1 - spread, 1 + spread, n)).view(n, 1, 1, 1)


def _to(images: Tensor, values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(images.device, non_blocking=True)
