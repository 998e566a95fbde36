"""Copies of one map: found in every orientation, told from strangers, and the best one stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from prune_pictures import add, make_dataset, painted, suggested

from mapmaker.events import finish
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.prune import prune

SMALL = PruneConfig(min_side_px=32)
TURNS = list(Image.Transpose)


def test_every_turned_copy_is_a_duplicate_of_its_map(tmp_path: Path) -> None:
    """Seven turns of six maps, as PNG and as JPEG, are each tied to their own original."""
    dataset = make_dataset(tmp_path)
    for seed in range(6):
        picture = painted(seed)
        original = add(dataset, f"{seed}.png", picture)
        for turn in TURNS:
            add(dataset, f"{seed}-{turn.name}.jpg", picture.transpose(turn))
        assert original

    finish(prune(dataset, SMALL))

    by_file = {r["id"]: r["file"].split("/")[1].split("-")[0].split(".")[0] for r in dataset.rows()}
    found = suggested(dataset)
    assert len(found) == 6 * len(TURNS)
    assert all(by_file[id] == by_file[keeper] for id, (_, keeper) in found.items())
    assert {rule for rule, _ in found.values()} == {"duplicate-turned"}


@pytest.mark.parametrize(
    ("worse", "rule"),
    [
        (lambda p: p, "duplicate-exact"),
        (lambda p: p.resize((128, 128)), "duplicate-near"),
        (lambda p: p.resize((512, 512), Image.Resampling.BICUBIC), "duplicate-near"),
        (lambda p: p.resize((64, 64)).resize((256, 256)), "duplicate-near"),
        (lambda p: p.point(lambda v: 120 + (v - 120) * 2 // 3), "duplicate-near"),
    ],
    ids=["same pixels", "half", "enlarged", "blurred", "faded"],
)
def test_the_better_picture_is_the_keeper(
    tmp_path: Path, worse: Callable[[Image.Image], Image.Image], rule: str
) -> None:
    """Of one map twice the original stays: not the smaller, enlarged, blurred or faded copy."""
    dataset = make_dataset(tmp_path)
    copy = add(dataset, "a copy.tif", worse(painted(1, 256)))
    original = add(dataset, "b original.png", painted(1, 256))

    finish(prune(dataset, PruneConfig(min_side_px=32, near=6)))

    found = suggested(dataset)
    assert {rule for rule, _ in found.values()} == {rule}
    if rule != "duplicate-exact":
        assert list(found.items()) == [(copy, (rule, original))]
