"""What prune says of one picture: sharpness, light, emptiness, and the file of thresholds."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import planted
import pytest
from PIL import Image, ImageDraw
from prune_pictures import add, make_dataset, painted

from mapmaker.errors import BadConfig, UnsafeInput
from mapmaker.layout import KINDS, plan, render
from mapmaker.prune import light, sharpness
from mapmaker.prune.features import measure
from mapmaker.prune.finding import Finding
from mapmaker.prune.quality import findings
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import limits

Picture = Image.Image
R = Image.Resampling
LIMITS = limits()
MAPS = 20


@cache
def drawn() -> list[Picture]:
    """Return 20 floor plans of every kind, as sharp as ink is."""
    kinds = KINDS.names()
    return [render(plan(kinds[i % len(kinds)], i), cell_px=32) for i in range(MAPS)]


def rules_of(picture: Picture) -> dict[str, str]:
    """Return the level of every rule of light and sharpness that speaks against a picture."""
    shot = Shot(np.asarray(picture))
    found = light.findings(light.light(shot), LIMITS)
    found += sharpness.findings(sharpness.sharpness(shot), LIMITS, min(picture.size))
    return {finding.rule: finding.level for finding in found}


def unsharp(picture: Picture) -> bool:
    return bool({"enlarged", "blurry"} & rules_of(picture).keys())


SPOILT: dict[str, Callable[[Picture], Picture]] = {
    "blur 1": lambda p: planted.blurred(p, 1),
    "blur 3": lambda p: planted.blurred(p, 3),
    "2x nearest": lambda p: planted.enlarged(p, 2, R.NEAREST),
    "2x bilinear": lambda p: planted.enlarged(p, 2, R.BILINEAR),
    "2x bicubic": lambda p: planted.enlarged(p, 2, R.BICUBIC),
    "2x lanczos": lambda p: planted.enlarged(p, 2, R.LANCZOS),
    "2x bicubic, q80": lambda p: planted.as_jpeg(planted.enlarged(p, 2), 80),
    "2x nearest, q80": lambda p: planted.as_jpeg(planted.enlarged(p, 2, R.NEAREST), 80),
    "3x nearest": lambda p: planted.enlarged(p, 3, R.NEAREST),
    "4x nearest": lambda p: planted.enlarged(p, 4, R.NEAREST),
    "4x bilinear": lambda p: planted.enlarged(p, 4, R.BILINEAR),
    "4x bicubic": lambda p: planted.enlarged(p, 4, R.BICUBIC),
    "4x lanczos": lambda p: planted.enlarged(p, 4, R.LANCZOS),
    "4x bicubic, q80": lambda p: planted.as_jpeg(planted.enlarged(p, 4), 80),
}


@pytest.mark.parametrize("how", SPOILT)
def test_blurring_and_enlarging_is_seen_at_native_resolution(how: str) -> None:
    """Whatever the kernel, and pressed as JPEG too: at least 19 of 20 are told."""
    spoilt = [SPOILT[how](picture) for picture in drawn()]

    told = sum(unsharp(picture) for picture in spoilt)

    assert told >= MAPS - 1


@pytest.mark.parametrize(
    "how",
    [
        lambda p: p,
        lambda p: planted.as_jpeg(p, 80),
        lambda p: planted.as_jpeg(p, 30),
        lambda p: planted.scaled(p, 0.7),
        lambda p: planted.turned(p, 5),
        lambda p: planted.gridded(p, 16),
        lambda p: planted.by_night(p),
    ],
    ids=["as it is", "q80", "q30", "smaller", "turned", "grid of 16 px", "by night"],
)
def test_what_is_sharp_stays_sharp(how: Callable[[Picture], Picture]) -> None:
    """Pressing hard, shrinking, turning, drawing a fine grid: nothing of it is blur."""
    pictures = [how(picture) for picture in drawn()]

    told = sum(unsharp(picture) for picture in pictures)

    assert told == 0


def test_enlarged_and_blurred_are_told_apart() -> None:
    """Enlarging leaves a beat of two or four pixels, blurring none."""
    enlarged = [rules_of(planted.enlarged(p, 2)) for p in drawn()]
    blurred = [rules_of(planted.blurred(p, 2)) for p in drawn()]

    assert sum("enlarged" in found for found in enlarged) >= MAPS - 1
    assert sum("blurry" in found for found in blurred) >= MAPS - 1


def test_a_large_soft_picture_may_be_shrunk_instead() -> None:
    """Enlarged to 480 px it is dropped, since 240 px are too few; where 240 px do, it is shown."""
    soft = sharpness.sharpness(Shot(np.asarray(planted.enlarged(drawn()[0], 2, R.NEAREST))))

    strict = sharpness.findings(soft, limits(min_side_px=256), 480)
    easy = sharpness.findings(soft, limits(min_side_px=240), 480)

    assert [f.level for f in strict] == ["drop"] and "from 240 px" in strict[0].reason
    assert [f.level for f in easy] == ["look"]


@pytest.mark.parametrize("fault", ["dark", "bright", "blank", "surround"])
def test_light_is_judged_on_every_map(fault: str) -> None:
    """12 % of the light, a tenth of the contrast, an empty sheet, much black around: each told."""
    spoil, rule = planted.FAULTS[fault]
    rng = np.random.default_rng(7)

    told = sum(rule in rules_of(spoil(picture, rng)) for picture in drawn())

    assert told == MAPS
    assert sum(rule in rules_of(picture) for picture in drawn()) <= 1


def parchment(ink: int) -> Picture:
    """Return a floor plan in thin lines on parchment, `ink` grey levels darker than the paper."""
    grain = np.random.default_rng(3).normal(0, 2, (640, 640, 1))
    paper = (np.array([233, 222, 196]) + grain).clip(0, 255).astype(np.uint8)
    sheet = Image.fromarray(paper)
    draw, line = ImageDraw.Draw(sheet), (233 - ink, 222 - ink, 196 - ink)
    for left, top, wide, high in ((90, 80, 210, 150), (340, 120, 180, 260), (120, 330, 160, 190)):
        draw.rectangle((left, top, left + wide, top + high), outline=line, width=2)
    return sheet


@pytest.mark.parametrize("ink", [60, 120, 200])
def test_line_art_on_parchment_is_never_dropped_unseen(ink: int) -> None:
    """However little of the sheet is ink: other tools throw it away as holding no information."""
    found = rules_of(parchment(ink))

    assert "blank" not in found and "drop" not in found.values()
    assert "blank" in rules_of(parchment(0))


def test_a_very_dark_cave_is_for_a_person_to_judge() -> None:
    """Hardly any light is no reason to drop a cave unseen."""
    cave = Image.fromarray(6 + np.asarray(painted(5, 640)) // 6)

    assert rules_of(cave) == {"dark": "look"}


def test_empty_sheets_and_thumbnails_are_to_be_dropped(tmp_path: Path) -> None:
    """A sheet of paper without a line, and a picture of 120 px, whatever it shows."""
    dataset = make_dataset(tmp_path)
    ids = {
        "empty.png": add(dataset, "empty.png", Image.new("RGB", (600, 600), (236, 226, 201))),
        "thumb.png": add(dataset, "thumb.png", painted(1, 120)),
    }

    said = {
        name: findings(measure(dataset.pictures / name, id).features, LIMITS)
        for name, id in ids.items()
    }

    empty = {f.rule: f.level for f in said["empty.png"]}
    assert empty["blank"] == "drop"
    assert said["thumb.png"][0] == Finding(
        "small", "drop", "120x120 px; its shorter side is below 512 px"
    )


def test_findings_give_reasons_gravest_first(tmp_path: Path) -> None:
    """Drops come before looks, broken says nothing else, and the limit is the one asked for."""
    dataset = make_dataset(tmp_path)
    dim = planted.darkened(planted.enlarged(drawn()[0], 4))
    id = add(dataset, "dim.png", dim)
    features = measure(dataset.pictures / "dim.png", id).features

    found = findings(features, LIMITS)

    assert [f.level for f in found] == sorted((f.level for f in found), key="drop look".index)
    assert {"small", "dark"} <= {f.rule for f in found}
    assert all(f.reason for f in found)
    assert "small" not in {f.rule for f in findings(features, limits(min_side_px=400))}
    broken = replace(features, problem="is cut short")
    assert findings(broken, LIMITS) == [Finding("broken", "drop", "is cut short")]


def test_limits_name_their_version_in_decisions() -> None:
    """A decision says which rule of which version of the thresholds made it."""
    assert LIMITS.by("dark") == f"dark@{LIMITS.version}"
    assert LIMITS.version >= 2


def test_limits_of_ones_own_change_only_what_they_name(tmp_path: Path) -> None:
    """A file with one figure and a version changes that figure and the version."""
    path = tmp_path / "mine.toml"
    path.write_text("version = 7\n[dark]\nhigh = 20\n")

    mine = limits(path, min_side_px=99)

    assert (mine.version, mine["dark"]["high"], mine.min_side_px) == (7, 20.0, 99)
    assert mine["blank"] == LIMITS["blank"]


@pytest.mark.parametrize(
    ("text", "error", "word"),
    [
        ("version = 3\n[dark]\nhihg = 1", BadConfig, "dark.hihg"),
        ("version = 3\n[drak]\nhigh = 1", BadConfig, "drak.high"),
        ("[dark]\nhigh = 1", BadConfig, "no version"),
        ("version = 3\nhigh = 1", BadConfig, "no table"),
        ('version = 3\n[dark]\nhigh = "1"', BadConfig, "dark.high"),
        ("version = 3\n[dark]\nhigh = true", BadConfig, "dark.high"),
        ("version =", UnsafeInput, "not readable"),
    ],
)
def test_limits_refuse_what_they_do_not_know(
    tmp_path: Path, text: str, error: type[Exception], word: str
) -> None:
    """A misspelt threshold is an error, not a threshold that never speaks."""
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(error, match=word):
        limits(path)
