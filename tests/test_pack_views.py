"""Which views a crop gets and what they look like: by the symmetries of the square, and by lot."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from shard_tools import (
    add_pictures,
    contents,
    draw_map,
    kept_from_file,
    make_dataset,
    mark_corner,
    pack_all,
)

from mapmaker.shards.augment import apply_view
from mapmaker.shards.config import ELEMENTS, SYMMETRIES
from mapmaker.shards.deal import draw_views
from mapmaker.shards.reader import open_shards
from mapmaker.shards.walls import turned_light
from mapmaker.workspace import Workspace


@pytest.fixture(autouse=True)
def _kept(monkeypatch):
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["raw", "encoded"])
def test_engines_and_order_make_no_difference(tmp_path, layout):
    """Serial, one process, four, Dask and shuffled input give the same bytes in every file; so
    does JPEG, which is made where the rest is."""
    options = {"augment": "d4", "views": 3, "layout": layout}
    first = make_dataset(tmp_path / "serial")
    pack_all(first, **options)
    serial = contents(first.shards(32))

    assert len(serial) > 5
    pack_all(again := make_dataset(tmp_path / "again"), **options)
    assert contents(again.shards(32)) == serial
    for engine in ["processes:1", "processes:4", "dask"][: 3 if layout == "raw" else 1]:
        other = make_dataset(tmp_path / engine.replace(":", ""))
        rows = kept_from_file(other)
        (other.root / "kept.json").write_text(json.dumps(rows[::-1][5:] + rows[::-1][:5]))
        pack_all(other, **options, engine=engine)
        assert contents(other.shards(32)) == serial, engine


@pytest.mark.parametrize("view", range(8), ids=ELEMENTS)
def test_views_are_what_albumentations_makes(view):
    """Our eight moves of pixels are its eight symmetries, to the bit; and workers need it not."""
    from albumentations.augmentations.geometric.functional import d4

    image = np.random.default_rng(view).integers(0, 256, (37, 37, 3), dtype=np.uint8)

    made = apply_view(image, view)

    assert made.flags.c_contiguous
    assert np.array_equal(made, d4(image, ELEMENTS[view]))


def test_workers_do_not_import_albumentations():
    """It takes four seconds and 690 MB a process; writing shards with all symmetries needs none."""
    code = "import sys, mapmaker.shards.writer as w; print('albumentations' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_views_are_symmetries_of_one_crop(tmp_path):
    """Eight views of a crop are its eight symmetries, each once, the first untouched."""
    dataset = Workspace(tmp_path).dataset("maps")
    add_pictures(dataset, [mark_corner(draw_map(1, (4, 4), 10))], None)

    pack_all(dataset, augment="d4", views=8, size=40, shard_mb=1.0)
    shards = open_shards(dataset.shards(40))
    views = {int(v): shards[i].astype(int) for i, v in enumerate(shards.column("variant"))}

    assert shards.column("variant")[0] == 0
    assert len(views) == 8
    upright = views[0]
    by_hand = {
        "e": upright,
        "r90": np.rot90(upright, 1),
        "r180": np.rot90(upright, 2),
        "r270": np.rot90(upright, 3),
        "h": upright[:, ::-1],
        "v": upright[::-1],
        "t": upright.transpose(1, 0, 2),
        "hvt": np.rot90(upright, 2).transpose(1, 0, 2),
    }
    for index, view in views.items():
        assert np.array_equal(view, by_hand[ELEMENTS[index]]), ELEMENTS[index]


def test_views_are_drawn_by_counter():
    """More views only add to the first ones; seed, picture and crop each change the draw."""
    ids = [f"{n:064x}" for n in range(1, 200)]

    def draw(seed=0, sha256=ids[0], crop=0, count=8):
        return draw_views("d4", count, seed=seed, sha256=sha256, crop=crop)

    assert sorted(draw()) == list(range(8))
    assert draw(count=3) == draw()[:3]
    assert len({tuple(draw(seed=s)) for s in range(50)}) > 40
    assert len({tuple(draw(crop=c)) for c in range(50)}) > 40
    assert {draw(sha256=i, count=2)[1] for i in ids} == set(range(1, 8))
    assert draw_views("none", 8, seed=0, sha256=ids[0], crop=0) == [0]
    assert len(draw_views("turns", 8, seed=0, sha256=ids[0], crop=0)) == len(SYMMETRIES["turns"])


def test_another_seed_gives_other_views(tmp_path):
    """The seed reaches the pixels."""
    one, two = make_dataset(tmp_path / "1"), make_dataset(tmp_path / "2")

    pack_all(one, augment="d4", seed=1)
    pack_all(two, augment="d4", seed=2)

    first, second = (open_shards(d.shards(32)).column("variant") for d in (one, two))
    assert first.shape == second.shape
    assert (first != second).any()


@pytest.mark.parametrize("view", range(8), ids=ELEMENTS)
@pytest.mark.parametrize("direction", [0.0, 45.0, 100.0, 359.0])
def test_light_turns_as_the_pixels_do(view, direction):
    """A ray drawn from the middle points, after every symmetry, where the number says."""
    image = np.zeros((101, 101, 3), np.uint8)
    for far in range(20, 45):
        x = 50 + far * math.cos(math.radians(direction))
        y = 50 + far * math.sin(math.radians(direction))
        image[round(y), round(x)] = 255

    ys, xs = np.nonzero(apply_view(image, view)[..., 0])
    found = math.degrees(math.atan2(ys.mean() - 50, xs.mean() - 50))

    assert abs((turned_light(direction, view) - found + 180) % 360 - 180) < 2


@pytest.mark.parametrize("light", ["any", "keep"])
def test_light_is_recorded_and_kept_on_request(tmp_path, light):
    """`--light keep` makes no view whose shadows fall elsewhere; unknown light hinders nothing."""
    dataset = make_dataset(tmp_path)
    rows = kept_from_file(dataset)
    rows[0]["light"] = 45.0
    (dataset.root / "kept.json").write_text(json.dumps(rows))

    pack_all(dataset, augment="d4", views=8, light=light)
    shards = open_shards(dataset.shards(32))
    own = np.array([bytes(row).hex() == rows[0]["id"] for row in shards.column("sha256")])

    assert set(shards.column("light")[~own]) == {-1.0} and (~own).sum() == 11 * 8
    fall, views = shards.column("light")[own], shards.column("variant")[own]
    if light == "any":
        assert sorted(fall) == [45, 45, 135, 135, 225, 225, 315, 315]
        assert shards.card["light"] == {"45": 2, "135": 2, "225": 2, "315": 2, "unknown": 88}
    else:
        assert [(ELEMENTS[v], f) for v, f in zip(views, fall, strict=True)] == [
            ("e", 45),
            ("t", 45),
        ]
    assert shards.column("upright")[own].tolist() == [int(light == "keep")] * len(views)


def test_writing_is_never_turned_or_mirrored(tmp_path):
    """A picture marked has_text gives its upright view alone."""
    dataset = make_dataset(tmp_path)
    rows = kept_from_file(dataset)
    rows[0]["has_text"] = True
    (dataset.root / "kept.json").write_text(json.dumps(rows))

    pack_all(dataset, augment="d4", views=4)
    shards = open_shards(dataset.shards(32))
    own = [bytes(row).hex() == rows[0]["id"] for row in shards.column("sha256")]

    assert shards.column("variant")[own].tolist() == [0]
    assert np.array_equal(shards.column("upright") > 0, own)
    assert len(shards) == 1 + 4 * 11
