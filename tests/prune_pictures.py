"""Pictures and data sets for the tests of prune and review."""

import hashlib
import json
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mapmaker.prune.kept import features_of
from mapmaker.workspace import Dataset, Workspace


def painted(seed: int, side: int = 160) -> Image.Image:
    """Return something as lively as a map: hills, rooms and grain, never alike for two seeds."""
    rng = np.random.default_rng(seed)
    hills = Image.fromarray(rng.integers(0, 255, (7, 7), np.uint8)).resize((side, side), 3)
    picture = Image.merge("RGB", [hills, hills.point(lambda v: v * 3 // 4), hills])
    draw = ImageDraw.Draw(picture)
    for _ in range(5):
        x, y, w, h = rng.integers(0, side, 4) * [0.8, 0.8, 0.4, 0.4]
        shade = tuple(int(v) for v in rng.integers(30, 230, 3))
        draw.rectangle((x, y, x + w, y + h), fill=shade, outline="black")
    grain = rng.normal(0, 12, (side, side, 1))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def ruled(cell_px: float, phase: tuple[float, float], side: int, seed: int) -> Image.Image:
    """Return a painted picture with grid lines, anti-aliased to a quarter of a pixel."""
    lines = np.zeros((2, side))
    for axis, start in enumerate(phase):
        for at in np.arange(start, side, cell_px):
            fine = np.zeros(side * 4)
            first = round((at - 0.5) * 4)
            fine[max(first, 0) : max(first + 4, 0)] = 1.0
            lines[axis] = np.maximum(lines[axis], fine.reshape(side, 4).mean(axis=1))
    ink = np.maximum(lines[0][None, :], lines[1][:, None])[..., None]
    grey = np.asarray(painted(seed, side)) * (1 - 0.6 * ink)
    return Image.fromarray(grey.astype(np.uint8))


def make_dataset(home: Path, name: str = "own") -> Dataset:
    """Return an empty data set under `home`."""
    dataset = Workspace(home).dataset(name)
    dataset.pictures.mkdir(parents=True, exist_ok=True)
    return dataset


def add(dataset: Dataset, file: str, content: Image.Image | bytes, **known: object) -> str:
    """Put a picture into the data set and its manifest, and return its id."""
    path = dataset.pictures / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        options = {"quality": 95} if path.suffix == ".jpg" else {}
        content.save(path, **options)
    data = path.read_bytes()
    id = hashlib.sha256(data).hexdigest()
    row = {"id": id, "file": f"pictures/{file}", "map_id": file, "title": None, "dpi": None}
    row |= {"variant": None, "bytes": len(data), **known}
    with dataset.manifest.open("a", encoding="utf-8") as manifest:
        manifest.write(json.dumps(row) + "\n")
    return id


def suggested(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Return (rule, keeper) by id of the pictures the last prune would drop."""
    with closing(features_of(dataset)) as store:
        drops = {id: s for id, s in store.suggestions().items() if s["level"] == "drop"}
    return {id: (s["rule"], s["keeper"]) for id, s in drops.items()}
