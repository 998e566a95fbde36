"""Whatever a picture shows, measuring it ends well, and what is measured can be written down."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mapmaker.prune.features import measure
from mapmaker.prune.quality import findings
from mapmaker.prune.thresholds import limits

Picture = np.ndarray
SIZES = ((1, 1), (1, 4000), (4000, 1), (2, 2), (31, 33), (33, 31), (32, 32), (47, 49), (9, 700))
SIDE = 250


def pictures() -> Iterator[tuple[str, Picture]]:
    """Yield pictures that a map never is, each by name."""
    rng = np.random.default_rng(5)
    down, across = np.mgrid[:SIDE, :SIDE]
    for size in SIZES:
        yield f"noise {size}", rng.integers(0, 256, (*size, 3), np.uint8)
        yield f"black {size}", np.zeros((*size, 3), np.uint8)
    yield "black", np.zeros((SIDE, SIDE, 3), np.uint8)
    yield "white", np.full((SIDE, SIDE, 3), 255, np.uint8)
    yield "noise", rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    yield "hardly noise", rng.integers(127, 129, (SIDE, SIDE, 3), np.uint8)
    yield "grey", rng.integers(0, 256, (SIDE, SIDE), np.uint8)
    for step in (1, 2, 3, 8, 40):
        yield f"checkers of {step}", ((down // step + across // step) % 2 * 255).astype(np.uint8)
    yield "getting lighter", across.astype(np.uint8)
    yield "getting lighter askew", ((down + across) // 2).astype(np.uint8)
    yield (
        "two colours",
        np.where((across > 90)[..., None], (200, 30, 30), (10, 10, 90)).astype("u1"),
    )
    yield "dots", ((down % 9 == 4) & (across % 11 == 5)).astype(np.uint8) * 255
    yield "upright lines", (across % 2 * 255).astype(np.uint8)
    yield "one dot", ((down == 7) & (across == 9)).astype(np.uint8) * 255
    for number in range(12):
        height, width = (int(n) for n in rng.integers(20, 320, 2))
        yield f"boxes {number}", boxes(rng, height, width)


def boxes(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Return rectangles and letters of any colour over each other."""
    picture = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(int(rng.integers(1, 150))):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        high, wide = (int(n) for n in rng.integers(1, 80, 2))
        picture[top : top + high, left : left + wide] = rng.integers(0, 256, 3)
    cv2.putText(picture, "Xl 12", (5, height // 2), 0, float(rng.uniform(0.3, 3)), (255, 255, 255))
    return picture


PICTURES = dict(pictures())


@pytest.mark.parametrize("name", PICTURES)
def test_any_picture_is_measured(tmp_path: Path, name: str) -> None:
    """No picture makes measuring fail, and its signs are numbers that survive JSON and rules."""
    picture = PICTURES[name]
    file = tmp_path / "picture.png"
    cv2.imwrite(str(file), picture)
    id = hashlib.sha256(file.read_bytes()).hexdigest()

    found = measure(file, id)

    features = found.features
    assert (features.problem, features.id) == ("", id)
    assert (features.height, features.width) == picture.shape[:2]
    assert all(type(value) is float and math.isfinite(value) for value in features.signs.values())
    assert json.loads(json.dumps(features.signs)) == features.signs
    json.dumps(features.grid, allow_nan=False)
    assert len(features.phash) == len(features.dhash) == 8
    assert found.thumb.startswith(b"\xff\xd8")
    assert all(finding.reason for finding in findings(features, limits()))
