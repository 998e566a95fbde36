"""Walls go with the pixels: cut where the crop is cut, turned as it is turned."""

import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw
from shard_tools import add_pictures, kept_from_file, pack_all

from mapmaker.shards.config import ELEMENTS
from mapmaker.shards.crops import Crop
from mapmaker.shards.reader import open_shards
from mapmaker.shards.walls import crop_walls, layout_file
from mapmaker.workspace import Dataset, Workspace

CELL_PX = 20
LAYOUT = {
    "squares": [10, 9],
    "cell_px": CELL_PX,
    "walls": [[[1, 1], [6.5, 1], [6.5, 8], [2, 3]], [[9, 8], [9.5, 8]]],
    "doors": [{"segment": [[3, 5], [3, 6]], "kind": "secret", "open": False}],
    "windows": [[[0.5, 2], [0.5, 8]]],
    "lights": [{"position": [2.5, 3.5], "range": 4}, {"position": [9.9, 0.1], "range": 4}],
}


@pytest.fixture
def dataset(tmp_path, monkeypatch) -> Dataset:
    """A picture with its walls drawn in red, and one without walls."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    dataset = Workspace(tmp_path).dataset("maps")
    image = Image.new("RGB", (10 * CELL_PX, 9 * CELL_PX), "white")
    pen = ImageDraw.Draw(image)
    for line in LAYOUT["walls"]:
        pen.line([(x * CELL_PX, y * CELL_PX) for x, y in line], fill="red", width=5)
    plain = Image.new("RGB", image.size, "navy")
    grid = {"cell_px": float(CELL_PX), "phase": [0.0, 0.0]}
    add_pictures(dataset, [image, plain], grid)
    layout_file(dataset.pictures / "map-00.png").write_text(json.dumps(LAYOUT))
    return dataset


def test_walls_lie_on_the_pixels_of_every_view(dataset):
    """In all eight symmetries of each crop the wall's line runs over the wall's paint."""
    pack_all(dataset, squares=5, size=100, augment="d4", views=8, shard_mb=9.0)
    shards = open_shards(dataset.shards(100))
    views, seen = shards.column("variant"), set()

    for index in range(len(shards)):
        layout = shards.walls(index)
        if layout is None:
            assert tuple(shards[index][50, 50]) == (0, 0, 128)
            continue
        for line in layout["walls"]:
            for start, end in pairwise(line):
                for t in np.linspace(0.1, 0.9, 9):
                    x, y = (np.array(start) * (1 - t) + np.array(end) * t) * 20
                    red, green, _ = shards[index][min(int(y), 99), min(int(x), 99)]
                    assert red > 180 and green < 130, ELEMENTS[views[index]]
                    seen.add(int(views[index]))

    assert seen == set(range(8))


def test_what_lies_outside_is_cut_off(tmp_path):
    """A crop of 4 squares at (2, 2): lines end at its edge, far things are gone."""
    picture = tmp_path / "map.png"
    layout_file(picture).write_text(json.dumps(LAYOUT))

    found = json.loads(crop_walls(picture, Crop(0, 2 * CELL_PX, 2 * CELL_PX, 4 * CELL_PX, 4), 0))

    assert found["squares"] == [4, 4]
    assert found["walls"] == [[[2.7, 4.0], [0.0, 1.0]]]
    assert found["doors"] == [
        {"segment": [[1.0, 3.0], [1.0, 4.0]], "kind": "secret", "open": False}
    ]
    assert found["windows"] == []
    assert found["lights"] == [{"position": [0.5, 1.5], "range": 4}]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cell_px": 0}',
        '{"cell_px": 20, "walls": 3}',
        '{"cell_px": 20, "walls": [[[1], [2]]]}',
        '{"cell_px": 20, "lights": [{"position": [1, 1], "range": NaN}]}',
    ],
)
def test_a_damaged_layout_costs_the_walls_alone(tmp_path, text):
    """The picture is packed; it just has no walls."""
    picture = tmp_path / "map.png"
    layout_file(picture).write_text(text)

    assert crop_walls(picture, Crop(0, 0, 0, 100, 5), 0) == b""


def test_changed_walls_change_the_shards(dataset):
    """A layout that was mended is packed anew though its picture is the same."""
    first, _ = pack_all(dataset, squares=5)
    layout_file(dataset.pictures / "map-00.png").write_text(json.dumps(LAYOUT | {"walls": []}))

    second, _ = pack_all(dataset, squares=5)

    assert second.data["written"] > 0
    assert not any(
        (walls := shards.walls(i)) and walls["walls"]
        for shards in [open_shards(dataset.shards(32))]
        for i in range(len(shards))
    )
    assert first.data["count"] == second.data["count"]
