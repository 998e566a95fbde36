"""From a map with squares of any size to samples whose lines fall where they should.

The lattice is measured in the sample's own pixels, without the finder that placed the crops.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prune_pictures import add, make_dataset

from mapmaker.events import finish
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.kept import kept
from mapmaker.prune.prune import prune
from mapmaker.shards.config import PackConfig
from mapmaker.shards.crops import place
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import open_shards
from mapmaker.shards.source import cut

SIZE, SQUARES = 400, 8
ODD = [
    (37.0, (0.0, 0.0)),
    (44.3, (11.0, 30.5)),
    (50.0, (17.0, 49.0)),
    (61.44, (0.4, 33.3)),
    (70.4, (69.0, 5.0)),
]


def ruled(cell_px: float, phase: tuple[float, float], side: int, seed: int) -> Image.Image:
    """Return ground with hills and grain and lines 1 px wide, laid to a 16th of a pixel."""
    rng = np.random.default_rng(seed)
    hills = Image.fromarray(rng.integers(90, 250, (5, 5), np.uint8)).resize((side, side), 3)
    ground = np.asarray(hills) + rng.normal(0, 4, (side, side))
    light = []
    for start in phase:
        fine = np.ones(side * 16)
        for at in np.arange(start - cell_px, side + 1, cell_px):
            fine[max(0, round((at - 0.5) * 16)) : max(0, round((at + 0.5) * 16))] = 0.4
        light.append(fine.reshape(side, 16).mean(axis=1))
    grey = (ground * np.minimum(light[0][None, :], light[1][:, None])).clip(0, 255)
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def offsets(sample: np.ndarray, squares: int = SQUARES) -> list[float]:
    """Return how far each line inside a sample lies from its multiple of a square [px].

    A line is where the picture is darker than beside it; its middle is the darkness's centre.
    """
    grey = sample.astype(float).mean(axis=2)
    found = []
    for profile in (np.median(grey, axis=0), np.median(grey, axis=1)):
        for line in np.arange(1, squares) * SIZE / squares:
            near = np.arange(round(line) - 8, round(line) + 8)
            depth = np.maximum(np.median(profile[near]) - profile[near] - 5, 0)
            assert depth.sum() > 0, f"there is no line near {line:.0f} px"
            found.append(float((depth * (near + 0.5)).sum() / depth.sum()) - line)
    return found


def packed(dataset, **options) -> np.ndarray:
    config = PackConfig(
        size=SIZE, squares=SQUARES, augment="none", crops=4, held_out=0, engine="serial", **options
    )
    finish(prune(dataset, PruneConfig(min_side_px=64, engine="serial")))
    finish(pack(dataset, config))
    shards = open_shards(dataset.shards(SIZE))
    return np.stack([shards[i] for i in range(len(shards))])


def test_every_sample_of_maps_with_odd_squares_has_its_lines_in_place(tmp_path: Path) -> None:
    """Whatever the size and the first line of a map's squares, each line is within a pixel."""
    dataset = make_dataset(tmp_path)
    for number, (cell_px, phase) in enumerate(ODD):
        side = round(cell_px * 13.4)
        add(dataset, f"map-{number}.png", ruled(cell_px, phase, side, seed=number))

    samples = packed(dataset)

    assert all(row["grid"]["source"] == "picture" for row in kept(dataset))
    assert len(samples) >= len(ODD)
    assert max(abs(offset) for sample in samples for offset in offsets(sample)) <= 1.0


def test_a_name_that_counts_the_squares_puts_lines_in_place(tmp_path: Path) -> None:
    """`12x12` in the name of a picture of 531 px is squares of 44.25 px, to the last line."""
    dataset = make_dataset(tmp_path)
    add(dataset, "hall 12x12.png", ruled(44.25, (0.0, 0.0), 531, seed=3))

    samples = packed(dataset)

    assert [row["grid"]["source"] for row in kept(dataset)] == ["name"]
    assert max(abs(offset) for sample in samples for offset in offsets(sample)) <= 1.0


def test_a_layout_that_begins_in_a_square_puts_lines_in_place(tmp_path: Path) -> None:
    """The phase and the broken size a layout tells reach the sample."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "scene.png", ruled(44.3, (20.0, 8.6), 560, seed=4))
    layout = '{"squares": [13, 13], "walls": [], "cell_px": 44.3, "phase": [20.0, 8.6]}'
    (dataset.pictures / "scene.png.layout.json").write_text(layout)

    samples = packed(dataset)

    assert [(row["id"], row["grid"]["source"]) for row in kept(dataset)] == [(id, "layout")]
    assert max(abs(offset) for sample in samples for offset in offsets(sample)) <= 1.0


@pytest.mark.parametrize("phase", [0.45, 19.6])
def test_small_squares_are_not_pushed_aside_at_the_edge(phase: float) -> None:
    """Half a pixel of a 20 px square is more than one of 50: a crop does not slip by that much."""
    picture = ruled(20.0, (phase, phase), 161, seed=5)

    crops, _ = place(
        picture,
        {"cell_px": 20.0, "phase": [phase, phase]},
        squares=SQUARES,
        limit=4,
        max_dark=1.0,
    )

    for crop in crops:
        sample = cut(picture, crop, SIZE)
        assert max(map(abs, offsets(sample, crop.squares))) <= 1.0
