"""Seeds in, maps out: reproducible, alone or in a batch."""

import json

import numpy as np
import pytest
from PIL import Image

from mapmaker.errors import BadConfig
from mapmaker.picture import picture_size
from mapmaker.sample.config import SampleConfig
from mapmaker.sample.latents import latent
from mapmaker.sample.provenance import png_bytes


def test_a_seed_range_names_its_maps():
    """`--seed 0-15` is sixteen maps, `--seed 7 -n 3` is 7, 8, 9."""
    assert list(SampleConfig(seed="0-15").seeds()) == list(range(16))
    assert list(SampleConfig(seed="7", n=3).seeds()) == [7, 8, 9]


@pytest.mark.parametrize(
    "bad",
    [{"n": 0}, {"seed": "x"}, {"seed": "9-3"}, {"seed": "0-3", "n": 2}, {"truncation": 0.0},
     {"size": 7}, {"squares": "15"}, {"squares": "0x9"}],
)  # fmt: skip
def test_bad_values_are_refused_with_a_remedy(bad):
    """Every value nobody can work with names itself and what would do."""
    with pytest.raises(BadConfig) as caught:
        SampleConfig(**bad)

    assert caught.value.hint


def test_the_latent_of_a_seed_never_changes():
    """Counter-based: these four numbers are the same on every machine, for ever."""
    got = latent(7, (2, 2)).flatten().tolist()

    assert got == pytest.approx(latent(7, (2, 2)).flatten().tolist(), abs=0)
    assert np.allclose(latent(7, (2, 2), 0.5) * 2, latent(7, (2, 2)))
    assert not np.allclose(latent(8, (2, 2)), latent(7, (2, 2)))


def test_starter_gives_750_px_maps_right_after_the_install(mapmaker, tmp_path):
    """With no run at all, `sample` uses the checkpoint that came with mapmaker."""
    result = mapmaker("sample", "-n", 3, "--seed", 5)

    assert result.code == 0, result.err
    sizes = [picture_size(p) for p in tmp_path.glob("maps/starter-00000[5-7].png")]
    assert sizes == [(750, 750)] * 3
    assert len(list(tmp_path.glob("maps/*.sheet.png"))) == 1


def test_picture_i_of_a_batch_is_the_single_picture_of_seed_plus_i(mapmaker, tmp_path):
    """Byte for byte."""
    mapmaker("sample", "-n", 3, "--seed", 5, home=tmp_path / "batch")

    mapmaker("sample", "--seed", 6, home=tmp_path / "single")

    batch, single = (tmp_path / h / "maps/starter-000006.png" for h in ("batch", "single"))
    assert batch.read_bytes() == single.read_bytes()


@pytest.mark.parametrize(
    "words", [["--size", 256, "--truncation", 0.7, "--grid"], ["--layout", "cave"]]
)
def test_a_map_can_be_made_again_from_itself(mapmaker, tmp_path, words):
    """`--from map.png` gives the same bytes, options included."""
    mapmaker("sample", "--seed", 9, *words, home=tmp_path / "one")
    first = next((tmp_path / "one/maps").glob("*.png"))

    result = mapmaker("sample", "--from", first, home=tmp_path / "two")

    assert result.code == 0, result.err
    assert (tmp_path / "two/maps" / first.name).read_bytes() == first.read_bytes()


def test_the_png_says_what_made_it(mapmaker, tmp_path):
    """An iTXt chunk `mapmaker` holds model hash, seed and the mark of a machine-made picture."""
    mapmaker("sample", "--seed", 3)

    with Image.open(tmp_path / "maps/starter-000003.png") as image:
        recipe = json.loads(image.text["mapmaker"])

    assert recipe["seed"] == 3 and len(recipe["model"]) == 64
    assert recipe["digital_source_type"] == "trainedAlgorithmicMedia"


def test_an_edited_or_foreign_png_cannot_be_made_again(mapmaker, tmp_path):
    """A picture without a recipe, and a file that is no PNG: exit 3, which file, what to do."""
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("hello")

    for name in ("plain.png", "text.png"):
        result = mapmaker("sample", "--from", tmp_path / name)

        assert result.code == 3
        assert name in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, None) for name in ("seed", "size", "squares", "grid")),
        *(("seed", "7"), ("size", [64]), ("squares", [15]), ("squares", "ab"), ("grid", 1)),
        *(("truncation", "x"), ("layout", 5), ("engine", {}), ("run", ["starter"])),
    ],
)
def test_an_edited_recipe_is_refused(mapmaker, tmp_path, field, value):
    """A field taken out, or of another kind: exit 3 in one line that names file and field."""
    recipe = {"seed": 7, "size": 64, "squares": [15, 15], "grid": False, "model": "0" * 64}
    edited = {k: v for k, v in (recipe | {field: value}).items() if v is not None}
    (tmp_path / "edited.png").write_bytes(png_bytes(Image.new("RGB", (8, 8)), edited))

    result = mapmaker("sample", "--from", tmp_path / "edited.png")

    assert result.code == 3 and result.err.count("\n") == 1
    assert "edited.png" in result.err and f"without a {field}" in result.err


def test_a_different_map_never_overwrites(mapmaker, tmp_path):
    """The same seed at another truncation is written beside, not over."""
    mapmaker("sample", "--seed", 4, "--size", 64)
    before = (tmp_path / "maps/starter-000004.png").read_bytes()

    mapmaker("sample", "--seed", 4, "--size", 64, "--truncation", 0.5)
    mapmaker("sample", "--seed", 4, "--size", 64)

    assert (tmp_path / "maps/starter-000004.png").read_bytes() == before
    assert {p.name for p in tmp_path.glob("maps/*.png")} == {
        "starter-000004.png",
        "starter-000004-2.png",
    }
