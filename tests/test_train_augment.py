"""Differentiable augmentation: mild, reflected at the border, and open to gradients."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mapmaker.train.augment import colour, cut_out, eased, seen, translate
from mapmaker.train.chance import chance
from mapmaker.train.data import Pictures
from mapmaker.train.recipes import RECOMMENDED, Recipe


class Held:
    """Black pictures of 8 px, as shards hold them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def indices(self, split: str) -> np.ndarray:
        return np.arange(self.count)

    def load(self, indices: np.ndarray) -> np.ndarray:
        return np.zeros((len(indices), 8, 8, 3), np.uint8)


def pictures(count: int = 4, side: int = 16) -> Tensor:
    """Return smooth bright pictures (count, 3, side, side) within [0.2, 0.8]."""
    torch.manual_seed(0)
    return 0.2 + 0.6 * torch.rand(count, 3, side, side)


def test_plain_recipe_shows_the_pictures_as_they_are() -> None:
    """Without augmentation and noise the discriminator sees the very pictures."""
    images = pictures()

    assert torch.equal(seen(images, Recipe(), chance(0, 0), 0.0), images)


def test_same_counter_same_view() -> None:
    """The view follows from the counter: a resumed run shows the discriminator the same."""
    views = [seen(pictures(), RECOMMENDED, chance(0, step), 0.0) for step in (7, 7, 8)]

    assert torch.equal(views[0], views[1]) and not torch.equal(views[0], views[2])


def test_gradient_reaches_every_picture() -> None:
    """The generator learns through the augmentation: every picture gets a finite gradient."""
    images = pictures().requires_grad_()

    seen(images, RECOMMENDED, chance(0, 1), 0.0).square().sum().backward()

    assert images.grad is not None and torch.isfinite(images.grad).all()
    assert (images.grad.abs().amax((1, 2, 3)) > 0).all()


def test_augmentation_grows_with_the_passes() -> None:
    """With `ease` new pictures are shown as they are, half-way half as changed, then as told."""
    recipe, images = replace(RECOMMENDED, ease=8.0), pictures()

    assert torch.equal(seen(images, eased(recipe, 0.0), chance(0, 1), 0.0), images)
    half = eased(recipe, 4.0)
    assert (half.translation, half.cutout_chance) == (
        recipe.translation / 2, recipe.cutout_chance / 2
    )  # fmt: skip
    assert half.cutout == recipe.cutout  # as large a hole, but in fewer pictures
    assert eased(recipe, 8.0) == eased(recipe, 900.0) == recipe
    at_once = replace(RECOMMENDED, ease=0.0)
    assert eased(at_once, 0.0) == at_once


def test_ease_counts_every_orientation_as_a_picture() -> None:
    """Ten pictures are eighty where each may be turned: what is seen of them is new so long."""
    shapes = [(True, 80), (False, 10)]

    for symmetries, views in shapes:
        held = Pictures(
            Held(10), device=torch.device("cpu"), seed=0, resident=True, symmetries=symmetries
        )
        assert held.views == views


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.05, 0.9), seed=st.integers(0, 1000))
def test_translation_invents_no_colour(share: float, seed: int) -> None:
    """A shifted picture holds only values of its own: the border is reflected, never black."""
    images = pictures(2, 8)

    moved = translate(images, share, chance(seed, 0))

    assert moved.shape == images.shape
    for one, other in zip(images, moved, strict=True):
        assert set(other.flatten().tolist()) <= set(one.flatten().tolist())


def test_cut_out_makes_holes_of_the_given_size() -> None:
    """At chance 1 each picture has one grey square hole; at chance 0 none has."""
    images = pictures(64, 16)

    holes = (cut_out(images, 0.5, 1.0, chance(0, 0)) == 0).float().mean((1, 2, 3))
    whole = cut_out(images, 0.5, 0.0, chance(0, 0))

    assert torch.equal(whole, images)
    assert (holes > 0).all() and float(holes.max()) <= (9 / 16) ** 2


def test_colour_is_mild() -> None:
    """Recommended colours stay near the picture's: a wall stays a wall."""
    images = pictures()

    off = (colour(images, RECOMMENDED, chance(0, 3)) - images).abs()

    assert 0 < float(off.mean()) < 0.2 and float(off.max()) < 0.6


def test_one_pass_of_colour_is_saturation_contrast_and_brightness_in_turn() -> None:
    """The weighted sum equals the three changes written out one after the other."""
    images, rng = pictures(), chance(0, 4)
    spreads = (RECOMMENDED.saturation, RECOMMENDED.contrast, RECOMMENDED.brightness)
    draws = [torch.tensor(rng.uniform(1 - s, 1 + s, 4)).float().view(4, 1, 1, 1) for s in spreads]
    grey = images.mean(1, keepdim=True)
    wanted = grey + (images - grey) * draws[0]
    mean = wanted.mean((1, 2, 3), keepdim=True)
    wanted = mean + (wanted - mean) * draws[1] + draws[2] - 1

    assert torch.allclose(colour(images, RECOMMENDED, chance(0, 4)), wanted, atol=1e-6)


@pytest.mark.parametrize("share", [0.125, 0.9])
def test_a_translated_picture_is_a_window_of_the_mirrored_one(share: float) -> None:
    """Each picture is the crop, at its draw, of the picture reflected on all sides."""
    images, reach = pictures(6), round(share * 16)
    wider = torch.nn.functional.pad(images, (reach,) * 4, mode="reflect")
    places = chance(0, 1).integers(-reach, reach + 1, (6, 2)) + reach

    moved = translate(images, share, chance(0, 1))

    for one, whole, (y, x) in zip(moved, wider, places, strict=True):
        assert torch.equal(one, whole[:, y : y + 16, x : x + 16])


@pytest.mark.parametrize(
    ("until", "progress", "sigma"), [(1.0, 0.9, 0.15), (0.5, 0.25, 0.075), (0.5, 0.5, 0.0)]
)
def test_noise_is_as_strong_as_said(until: float, progress: float, sigma: float) -> None:
    """The author's 15 % noise has sigma 0.15, and can fall to nothing over a share of the run."""
    recipe = replace(Recipe(), noise=0.15, noise_until=until)
    torch.manual_seed(1)

    noise = seen(torch.zeros(8, 3, 32, 32), recipe, chance(0, 0), progress)

    assert np.std(noise.numpy()) == pytest.approx(sigma, rel=0.03)
