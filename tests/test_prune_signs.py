"""Signs in the picture: writing, watermarks, logos, photos, oblique views, shadows."""

from collections.abc import Callable
from functools import cache

import mark_plants as marks
import numpy as np
import pytest
import sign_plants as signs
import view_plants as views
from numpy.random import Generator
from PIL import Image

from mapmaker.layout import plan, render
from mapmaker.prune import lettering, overlay, shadow, view
from mapmaker.prune.badge import badge
from mapmaker.prune.finding import Finding
from mapmaker.prune.letterform import dark_ink, shrunk, words
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import limits

Picture = Image.Image
LIMITS = limits()
KINDS = ("building", "cave", "dungeon", "wilderness")


def shot(picture: Picture) -> Shot:
    """Return what the measurements take."""
    return Shot(np.asarray(picture.convert("RGB")))


def found(picture: Picture) -> dict[str, Finding]:
    """Return what the rules of this part say of a picture, by rule."""
    seen = shot(picture)
    values = lettering.lettering(seen) | overlay.overlay(seen) | view.view(seen)
    said = [f for theme in (lettering, overlay, view) for f in theme.findings(values, LIMITS)]
    return {finding.rule: finding for finding in said}


def reads(picture: Picture) -> bool:
    """Return whether prune takes the picture for one with writing in it."""
    return lettering.has_text(lettering.lettering(shot(picture)), LIMITS)


@cache
def floor_plan(seed: int, kind: str = "dungeon", palette: str = "painted") -> Picture:
    """Return a clean map of 560 px."""
    return render(plan(kind, seed, 14, 14), 40, palette)


def rng(seed: int) -> Generator:
    """Return the chance of one picture."""
    return np.random.default_rng(seed)


@pytest.mark.parametrize("make", [signs.page, signs.legend])
def test_lettering_drops_pages_and_legends(make: Callable[..., Picture]) -> None:
    """A page of text or a sheet of symbols is no map, in one column or three, on any paper."""
    sheets = [make(rng(seed), 600, own=True) for seed in range(10)]

    said = [found(sheet) for sheet in sheets]

    assert sum("text-page" in rules for rules in said) >= 9
    assert any(rules["text-page"].level == "drop" for rules in said if "text-page" in rules)


def test_lettering_drops_no_floor_of_tiles() -> None:
    """Rows of small tiles are as even as text, but so are their columns: a person looks."""
    y, x = np.mgrid[0:600, 0:600]
    tiles = np.where((y % 24 < 14) & (x % 24 < 14), 70, 200).astype(np.uint8)

    values = lettering.lettering(shot(Image.fromarray(tiles)))

    assert values["text_share"] > LIMITS["lettering"]["page_share"]
    assert [finding.level for finding in lettering.findings(values, LIMITS)] == ["look"]
    assert not lettering.has_text(values, LIMITS)


def test_signs_leave_floor_plans_alone() -> None:
    """Maps of all kinds and palettes, full of small things, planks and tiles, are not dropped."""
    palettes = ("painted", "parchment", "blueprint", "winter", "torchlit", "sepia")
    plans = [floor_plan(n, KINDS[n % 4], palettes[n % 6]) for n in range(12)]

    said = [found(picture) for picture in plans]
    read = [reads(picture) for picture in plans]

    assert not any(f.level == "drop" for rules in said for f in rules.values())
    assert sum(map(bool, said)) <= 1
    assert sum(read) <= 1


@pytest.mark.parametrize("plant", [signs.titled, signs.labelled])
def test_has_text_reads_titles_and_names(plant: Callable[..., Picture]) -> None:
    """A title or the names of places make a map one that is not mirrored."""
    maps = [plant(floor_plan(seed), rng(seed), own=True) for seed in range(8)]

    read = [reads(picture) for picture in maps]

    assert sum(read) >= 7


def test_has_text_reads_room_numbers() -> None:
    """Most maps with numbered rooms are seen to have writing."""
    maps = [signs.numbered(floor_plan(seed), rng(seed), own=True) for seed in range(8)]

    read = [reads(picture) for picture in maps]

    assert sum(read) >= 5


def test_overlay_reads_words_across() -> None:
    """White half-transparent letters across a map, in any slant, are a watermark to look at."""
    said = []
    for seed, degrees in enumerate((0, 18, 27, 36, -27, 9)):
        picture = floor_plan(seed % 2, "cave", "mossy").copy()
        layer = Image.new("L", (540, 140))
        marks.write_across(layer, "PREVIEW", 120)
        layer = layer.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        picture.paste("white", ((560 - layer.width) // 2, (560 - layer.height) // 2), layer)

        said.append(found(picture).get("watermark"))

    seen = [finding for finding in said if finding]
    assert len(seen) >= 5
    assert {finding.level for finding in seen} == {"look"}


def test_overlay_reads_a_name_in_a_corner() -> None:
    """The address of who drew it, small in a corner, is a watermark to look at."""
    maps = [marks.addressed(floor_plan(seed), rng(seed), own=True) for seed in range(8)]

    said = [found(picture).get("watermark") for picture in maps]

    assert sum(finding is not None for finding in said) >= 5


def test_badge_finds_a_logo_and_no_furniture() -> None:
    """A patch of one foreign colour in a corner is a logo; a map's own things are not."""
    plain = [floor_plan(seed) for seed in range(8)]
    logos = [marks.badged(picture, rng(n), own=True) for n, picture in enumerate(plain)]

    likeness = [
        (badge(shot(a).small), badge(shot(b).small)) for a, b in zip(plain, logos, strict=True)
    ]

    assert sum(clean < 0.1 for clean, _ in likeness) >= 7
    assert sum(with_logo >= 0.1 for _, with_logo in likeness) >= 6


def test_a_tiny_picture_is_no_photo() -> None:
    """A photo shrunk to 160 px is too little to be told from a drawing of a few pixels."""
    photo = views.photographed(floor_plan(0), rng(20))
    tiny = photo.resize((160, 160))

    signs = view.view(shot(tiny))

    assert any(f.rule == "photo" for f in view.findings(view.view(shot(photo)), LIMITS))
    assert not view.findings(signs, LIMITS)


def test_view_tells_a_photo_of_a_printed_map() -> None:
    """A sheet askew on a table is a photo, whatever the table and the light."""
    photos = [views.photographed(floor_plan(seed), rng(seed + 20)) for seed in range(8)]

    said = [found(photo) for photo in photos]

    assert sum("photo" in rules for rules in said) >= 7


def test_view_tells_an_isometric_drawing() -> None:
    """Walls that stand up at 30 degrees are an oblique view, for a person to look at."""
    drawings = [views.isometric(rng(seed), 600) for seed in range(6)]

    said = [found(drawing).get("oblique") for drawing in drawings]

    assert sum(finding is not None for finding in said) >= 5
    assert {finding.level for finding in said if finding} == {"look"}


def test_view_takes_a_turned_map_for_no_isometric_one() -> None:
    """A map turned by 30 degrees has both its directions at right angles: it is seen from above."""
    turned = floor_plan(3).rotate(30, Image.Resampling.BICUBIC).crop((110, 110, 490, 490))

    signs_of_it = view.view(shot(turned))

    assert signs_of_it["view_iso"] < LIMITS["view"]["isometric"]


def test_shadow_tells_where_shadows_fall() -> None:
    """The direction is told within 30 degrees for most, and not told where unsure."""
    errors = []
    for seed in range(16):
        degrees = seed * 22.5
        told = shadow.direction(shadow.shadow(shot(views.shadowed(rng(seed), degrees))), LIMITS)
        if told is not None:
            errors.append(abs((told - degrees + 180) % 360 - 180))

    assert len(errors) >= 8
    assert sum(error <= 30 for error in errors) >= 0.9 * len(errors)


def test_shadow_turns_with_the_picture() -> None:
    """A quarter turn of the picture is a quarter turn of its shadows."""
    picture = views.shadowed(rng(3), 40)

    first = shadow.shadow(shot(picture))["shadow_degrees"]
    second = shadow.shadow(shot(picture.transpose(Image.Transpose.ROTATE_270)))["shadow_degrees"]

    assert abs((second - first - 90 + 180) % 360 - 180) < 8


def test_shadow_says_nothing_of_noise() -> None:
    """Where nothing casts a shadow no direction is told."""
    grain = rng(0).normal(120, 25, (400, 400, 3)).clip(0, 255).astype(np.uint8)

    told = shadow.direction(shadow.shadow(Shot(grain)), LIMITS)

    assert told is None


def test_words_strings_letters_into_words() -> None:
    """Letters on one line are one word, with their boxes from left to right."""
    sheet = Image.new("L", (400, 80), 230)
    signs.write(sheet, (20, 20), "Crypt", 30)
    grey = shrunk(np.asarray(sheet))

    longest = max(words(dark_ink(grey)), key=lambda word: len(word.scores))

    assert len(longest.scores) == 5
    assert longest.scores.mean() > 0.8
    assert (np.diff(longest.boxes[:, 0]) > 0).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (40, 40), (64, 1536)])
def test_signs_take_pictures_of_any_shape(size: tuple[int, int]) -> None:
    """Specks, slips and plain sheets give finite signs and no finding to drop them for."""
    picture = Image.new("RGB", size, (90, 120, 60))

    seen = shot(picture)
    values = lettering.lettering(seen) | overlay.overlay(seen) | view.view(seen)
    values |= shadow.shadow(seen)

    assert all(np.isfinite(value) for value in values.values())
    assert not any(finding.level == "drop" for finding in found(picture).values())
