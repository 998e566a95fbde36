"""Recipes: the author's to the letter, ours beside it, and one's own from a file."""

from dataclasses import replace
from pathlib import Path

import pytest

from mapmaker.errors import BadConfig, UnknownName, UnsafeInput
from mapmaker.models import build
from mapmaker.train.recipes import RECIPES, Recipe, find_recipe


def test_notes_are_the_authors() -> None:
    """The recipe notes: BCE, real labels 0.9, D at 0.0004, no augmentation, the net as drawn."""
    notes = find_recipe("notes", "dcgan")
    nets = build("dcgan", 64, dict(notes.options))

    assert (notes.loss, notes.real_label, notes.lr_d, notes.lr_g) == ("bce", 0.9, 4e-4, 1e-3)
    assert notes.noise == notes.translation == notes.cutout == notes.ema == notes.lecam == 0.0
    assert (nets.options["upsample"], nets.options["reduce"]) == ("deconv", "conv43")
    assert (nets.options["scale"], nets.options["latent"]) == ("symmetric", "linear")


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_builds_its_net(name: str) -> None:
    """A registered recipe's options are ones its architecture knows."""
    arch = "pyramid" if name.endswith("-pyramid") else "dcgan"

    for size in (32, 100):
        assert build(arch, size, RECIPES.get(name).options_at(size)).size == size


@pytest.mark.parametrize(("size", "depth"), [(32, 4), (64, 4), (128, 5), (750, 7), (1024, 8)])
def test_recommended_discriminator_grows_with_the_picture(size: int, depth: int) -> None:
    """The discriminator halves the picture until about 4 px are left; a file's own depth wins."""
    recipe = RECIPES.get("recommended")

    assert recipe.options_at(size)["d_depth"] == depth
    own = replace(recipe, options={"d_depth": 3})
    assert own.options_at(size)["d_depth"] == 3


def test_recommended_is_the_architectures_own() -> None:
    """recommended means another recipe for another architecture."""
    assert find_recipe("recommended", "dcgan") == RECIPES.get("recommended")
    assert find_recipe("recommended", "pyramid") == RECIPES.get("recommended-pyramid")


def test_recipe_file_changes_what_it_names(tmp_path: Path) -> None:
    """A recipe file changes the fields it gives and keeps the rest of its base."""
    file = tmp_path / "noisy.toml"
    file.write_text('base = "notes"\nnoise = 0.15\n[options]\nupsample = "resize"\n')

    recipe = find_recipe(str(file), "dcgan")

    assert (recipe.noise, recipe.loss, recipe.lr_d) == (0.15, "bce", 4e-4)
    assert recipe.options == {"upsample": "resize"}
    assert isinstance(recipe, Recipe)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("wobble = 3\n", BadConfig),
        ('loss = "wishes"\n', BadConfig),
        ("lr_g = 0\n", BadConfig),
        ('ema = "much"\n', BadConfig),
        ('options = "all"\n', BadConfig),
        ("ema = 2.0\n", BadConfig),
        ("betas = [0.5]\n", BadConfig),
        ('base = "none such"\n', UnknownName),
        ("loss = = 3\n", UnsafeInput),
        ("\x00", UnsafeInput),
    ],
)
def test_bad_recipe_files_are_refused(tmp_path: Path, text: str, kind: type) -> None:
    """A recipe file with a wrong field, value or syntax is one clear error."""
    file = tmp_path / "bad.toml"
    file.write_text(text)

    with pytest.raises(kind):
        find_recipe(str(file), "dcgan")


def test_unknown_recipe_names_the_nearest(tmp_path: Path) -> None:
    """A misspelt recipe, or a file that is not there, is refused with what there is."""
    with pytest.raises(UnknownName) as error:
        find_recipe("recomended", "dcgan")
    with pytest.raises(BadConfig):
        find_recipe(str(tmp_path / "none.toml"), "dcgan")

    assert "recommended" in error.value.hint
