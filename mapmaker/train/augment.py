"""Differentiable augmentation: what the discriminator sees of real and generated pictures alike.

Source: Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (arXiv 2006.10738);
written from the paper. Ours reflects the border where theirs fills it black (a black rim is a map
feature here), and is mild with colour, which carries meaning on a map.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mapmaker.train.chance import Draws
from mapmaker.train.recipes import Recipe

Random = np.random.Generator | Draws


def eased(recipe: Recipe, passes: float) -> Recipe:
    """Return the recipe as it holds after `passes` over the pictures and their symmetries.

    Augmentation keeps the discriminator from learning the pictures by heart, which it cannot have
    done while each is new to it: until `ease` passes are over it grows from nothing.
    """
    if passes >= recipe.ease:
        return recipe
    force = passes / recipe.ease
    names = ("translation", "cutout_chance", "brightness", "saturation", "contrast")
    return replace(recipe, **{name: getattr(recipe, name) * force for name in names})


def seen(images: Tensor, recipe: Recipe, rng: Random, progress: float) -> Tensor:
    """Return what the discriminator sees of `images` (B, 3, H, W) in [-1, 1].

    progress is the share of the run that is over; it anneals the noise. The parameters are drawn on
    the CPU from `rng`, so no device has to be waited for. Quickest on pictures that are contiguous
    (planes, not channels last): three channels are too short a row for a CPU's vectors.
    """
    images = colour(images, recipe, rng)
    if recipe.translation:
        images = translate(images, recipe.translation, rng)
    if recipe.cutout and recipe.cutout_chance:
        images = cut_out(images, recipe.cutout, recipe.cutout_chance, rng)
    sigma = recipe.noise
    if recipe.noise_until < 1:
        sigma *= max(0.0, 1 - progress / max(recipe.noise_until, 1e-9))
    if sigma:
        images = images + sigma * torch.randn_like(images)
    return images


def colour(images: Tensor, recipe: Recipe, rng: Random) -> Tensor:
    """Return the pictures with saturation, contrast and brightness changed, each by a draw.

    The three are one weighted sum of a picture, its grey and its mean: a pass over the pixels.
    """
    n = len(images)
    saturation, contrast, brightness = (
        rng.uniform(1 - spread, 1 + spread, n) if spread else np.ones(n)
        for spread in (recipe.saturation, recipe.contrast, recipe.brightness)
    )
    if not (recipe.saturation or recipe.contrast or recipe.brightness):
        return images
    grey = images.mean(1, keepdim=True)
    mean = grey.mean((1, 2, 3), keepdim=True)
    drawn = [contrast * saturation, contrast * (1 - saturation), 1 - contrast, brightness - 1]
    own, of_grey, of_mean, offset = _to(images, np.stack(drawn)).view(4, n, 1, 1, 1)
    return torch.addcmul(grey * of_grey + (mean * of_mean + offset), images, own)


def translate(images: Tensor, share: float, rng: Random) -> Tensor:
    """Return each picture shifted by up to `share` of its side, the border filled by reflection."""
    height, width = images.shape[2:]
    reach = min(round(share * height), height - 1, width - 1)
    if reach < 1:
        return images
    shifts = rng.integers(-reach, reach + 1, (len(images), 2)).tolist()
    moved = []
    for one, (y, x) in zip(images.split(1), shifts, strict=True):
        border = (max(-x, 0), max(x, 0), max(-y, 0), max(y, 0))
        wider = F.pad(one, border, mode="reflect") if any(border) else one
        top, left = max(y, 0), max(x, 0)
        moved.append(wider[:, :, top : top + height, left : left + width])
    return torch.cat(moved)


def cut_out(images: Tensor, share: float, chance: float, rng: Random) -> Tensor:
    """Return the pictures with, at `chance` each, a square hole of side share * H in grey (0)."""
    n, _, height, width = images.shape
    centre = rng.integers(0, (height, width), (n, 2))
    half = np.where(rng.random(n) < chance, share * height / 2, -1.0)
    near = _to(images, np.stack([centre[:, 0], centre[:, 1], half]))
    rows = (torch.arange(height, device=images.device) - near[0, :, None]).abs() <= near[2, :, None]
    columns = (torch.arange(width, device=images.device) - near[1, :, None]).abs() <= near[
        2, :, None
    ]
    whole = ~(rows[:, None, :, None] & columns[:, None, None, :])
    return images * whole.float()  # masked_fill is ten times slower on a CPU


def _to(images: Tensor, values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(images.device, non_blocking=True)
