"""Small data sets for the tests of shards: drawn maps with a grid that is known to the pixel."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mapmaker.events import Done, Event
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.workspace import Dataset, Workspace

SMALL = {"size": 32, "squares": 4, "augment": "none", "engine": "serial", "shard_mb": 0.02}


def draw_map(seed: int, cells: tuple[int, int], cell_px: int, phase: tuple[int, int] = (0, 0)):
    """Return a map of coloured cells with black lines, its first line at `phase` px."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(60, 250, (cells[1] + 2, cells[0] + 2, 3), dtype=np.uint8)
    pixels = colours.repeat(cell_px, 0).repeat(cell_px, 1)
    pixels[::cell_px] = 0
    pixels[:, ::cell_px] = 0
    left, top = (cell_px - p for p in phase)
    height, width = cells[1] * cell_px + 2 * phase[1], cells[0] * cell_px + 2 * phase[0]
    return Image.fromarray(pixels[top : top + height, left : left + width])


def make_dataset(home: Path, count: int = 12, cells: tuple[int, int] = (5, 4)) -> Dataset:
    """Write `count` maps of 10 px cells, two a group, as the data set `maps`, with kept.json."""
    dataset = Workspace(home).dataset("maps")
    images = [draw_map(seed, cells, 10) for seed in range(count)]
    return add_pictures(dataset, images, {"cell_px": 10.0, "phase": [0, 0], "source": "layout"})


def add_pictures(
    dataset: Dataset, images: Sequence[Image.Image], grid: dict | None, per_group: int = 2
) -> Dataset:
    """Write pictures as PNG and what `prune.kept` would say of them."""
    dataset.pictures.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, image in enumerate(images):
        path = dataset.pictures / f"map-{number:02d}.png"
        image.save(path)
        rows.append(
            {
                "id": hashlib.sha256(path.read_bytes()).hexdigest(),
                "file": f"pictures/{path.name}",
                "map_id": f"map-{number // per_group}",
                "license": "CC0-1.0",
                "group": f"map-{number // per_group}",
                "grid": grid,
            }
        )
    (dataset.root / "kept.json").write_text(json.dumps(rows))
    return dataset


def kept_from_file(dataset: Dataset) -> list[dict]:
    """Stand in for `prune.kept` in tests that are about shards alone."""
    return json.loads((dataset.root / "kept.json").read_text())


def pack_all(dataset: Dataset, **options) -> tuple[Done, list[Event]]:
    """Pack to the end and return its Done and all that it said."""
    events = list(pack(dataset, PackConfig(**SMALL | options)))
    assert isinstance(events[-1], Done)
    return events[-1], events


def contents(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file in a folder but the lock."""
    files = [p for p in folder.iterdir() if p.name != ".lock"]
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def mark_corner(image: Image.Image) -> Image.Image:
    """Return the picture with a red square in its top left corner, to see which way it is up."""
    image = image.copy()
    ImageDraw.Draw(image).rectangle((0, 0, image.width // 3, image.height // 3), fill="red")
    return image
