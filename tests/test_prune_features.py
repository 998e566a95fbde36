"""What prune measures of a picture: hashes, fineness, grids, signs; and what it remembers."""

import ctypes
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from prune_pictures import add, make_dataset, painted, ruled

from mapmaker.prune.features import Features, measure
from mapmaker.prune.gridlines import find_grid
from mapmaker.prune.hashes import (
    ORIENTATIONS,
    changed,
    dhashes,
    halves,
    near_pairs,
    phashes,
    shrink,
    turn,
)
from mapmaker.prune.median import quantile
from mapmaker.prune.priors import choose_grid
from mapmaker.prune.sharpness import fineness
from mapmaker.prune.shot import halved
from mapmaker.prune.store import FeatureStore


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_hashes_know_all_orientations_from_one_dct(seed: int) -> None:
    """The eight hashes of a picture are, to the bit, the hashes of the eight turned pictures."""
    thumb = shrink(grey(painted(seed)))

    turned = [np.ascontiguousarray(turn(thumb, o)) for o in range(ORIENTATIONS)]

    assert phashes(thumb) == [phashes(t)[0] for t in turned]
    assert dhashes(thumb) == [dhashes(t)[0] for t in turned]
    assert len({*phashes(thumb)}) == ORIENTATIONS


def test_hashes_find_a_turned_copy_among_strangers() -> None:
    """Only the mirrored copy is within four bits, and the orientation says how it was turned."""
    pictures = [grey(painted(seed)) for seed in range(30)]
    pictures.append(np.ascontiguousarray(turn(pictures[7], 5)))
    thumbs = [shrink(p) for p in pictures]
    phash = np.array([phashes(t) for t in thumbs], np.uint64)
    dhash = np.array([dhashes(t) for t in thumbs], np.uint64)

    pairs = list(near_pairs(phash, dhash, 4))

    assert [(i, j, bits) for i, j, bits, _ in pairs] == [(7, 30, 0)]
    assert changed(thumbs[7], thumbs[30], pairs[0][3]) == 0


@pytest.mark.parametrize("size", [(1, 1), (20, 7), (33, 500), (601, 517), (750, 640)])
def test_thumbnails_from_sums_are_averages_by_area(size: tuple[int, int]) -> None:
    """What is read off the sums of a picture is what averaging its pixels by area gives."""
    picture = np.random.default_rng(5).integers(0, 256, size, dtype=np.uint8)
    plain = halved(picture) if halves(picture) else picture
    share = [np.clip(np.arange(33)[:, None] * n / 32 - np.arange(n), 0, 1) for n in plain.shape]
    down, across = (np.diff(s, axis=0) * 32 / len(s.T) for s in share)

    thumb = shrink(picture)

    assert np.abs(thumb - down @ plain @ across.T).max() < 1e-3


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.integers(-50, 50), min_size=1, max_size=40), share=st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[int], share: float) -> None:
    """Ours is faster, and the same."""
    array = np.array(values, float)

    ours = quantile(array, share)

    assert ours == pytest.approx(np.quantile(array, share))


AGAIN = """
import resource
from mapmaker.prune.memory import keep_freed
keep_freed()
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(2_000_000) for _ in range(10)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="no glibc")
def test_freed_memory_is_kept_for_the_next_picture() -> None:
    """Blocks as a picture takes and frees them cost next to no fresh pages the next time."""
    done = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 500  # some 4,850 when all of it goes back to the system


def test_changed_sees_two_plans_on_one_black_ground() -> None:
    """Plans that share a wide black surround differ in what is painted, however alike they hash."""
    one, other = np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.uint8)
    one[8:16, 8:24], other[16:24, 8:24] = 200, 200

    share = changed(one, other, 0)

    assert share > 0.9
    assert changed(one, (one * 0.5).astype(np.uint8), 0) == 0


def test_fineness_tells_enlarged_and_blurred_from_small() -> None:
    """Halving keeps the grain; enlarging by two and blurring by a pixel lose it."""
    original = painted(3, 256).convert("L")

    whole, half = fineness(grey(original)), fineness(grey(original.resize((128, 128))))
    enlarged = fineness(grey(original.resize((512, 512), Image.Resampling.BICUBIC)))
    blurred = fineness(grey(original.filter(ImageFilter.GaussianBlur(1))))

    assert min(whole, half) > -1.1 > max(enlarged, blurred)


@pytest.mark.parametrize("cell_px", [24.0, 31.35, 50.0, 70.4])
def test_find_grid_gives_pitch_and_phase_below_a_pixel(cell_px: float) -> None:
    """Lines at any distance, whole or not, are found to 0.1 px, and where they begin to 1."""
    phase = (5.0, 11.0)

    found = find_grid(grey(ruled(cell_px, phase, 640, seed=1)))

    assert found is not None
    assert found["cell_px"] == pytest.approx(cell_px, abs=0.1)
    assert found["phase"] == pytest.approx(phase, abs=1.0)


def test_find_grid_is_honest_about_having_seen_none() -> None:
    """Pictures without lines have no grid, and neither have their JPEG copies with 8 px blocks."""
    for seed in range(6):
        picture = painted(seed, 480)
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=40)

        seen = [find_grid(grey(picture)), find_grid(grey(Image.open(buffer)))]

        assert seen == [None, None]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (40, 40), (64, 500)])
@pytest.mark.parametrize("fill", ["flat", "noise"])
def test_features_of_slivers_do_not_fail(tmp_path: Path, shape: tuple[int, int], fill: str) -> None:
    """A picture of any shape, down to one pixel, is measured."""
    dataset = make_dataset(tmp_path)
    noise = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
    picture = Image.fromarray(noise if fill == "noise" else np.full_like(noise, 90))
    id = add(dataset, "sliver.png", picture)

    seen = measure(dataset.pictures / "sliver.png", id)

    features = seen.features
    assert (features.problem, features.height, features.width) == ("", *shape)
    assert seen.lasting and seen.thumb
    assert all(np.isfinite(list(features.signs.values())))


def test_measure_gives_the_same_signs_to_the_same_pixels(tmp_path: Path) -> None:
    """What is measured depends on the pixels alone: not on the file's format, name or company."""
    dataset = make_dataset(tmp_path)
    files = ("a.png", "b.bmp")
    ids = [add(dataset, file, painted(9, 300)) for file in files]

    one, other = (measure(dataset.pictures / f, id) for f, id in zip(files, ids, strict=True))

    assert replace(one.features, id="") == replace(other.features, id="")
    assert one.thumb == other.thumb
    assert {name.split("_")[0] for name in one.features.signs} >= {"sharp", "light"}


@pytest.mark.parametrize(("size", "shown"), [((800, 400), (192, 96)), ((90, 60), (90, 60))])
def test_the_thumb_for_the_page_is_a_small_jpeg(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    """At most 192 px a side, never enlarged, in the picture's own colours."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "a.png", Image.new("RGB", size, (200, 120, 40)))

    thumb = Image.open(BytesIO(measure(dataset.pictures / "a.png", id).thumb))

    assert (thumb.format, thumb.size) == ("JPEG", shown)
    assert np.abs(np.asarray(thumb).astype(int) - [200, 120, 40]).max() <= 4


def test_choose_grid_believes_layout_then_name_then_picture(tmp_path: Path) -> None:
    """Walls that came with a map beat its name, its name beats its picture."""
    path = tmp_path / "keep 30x20.png"
    seen = {"cell_px": 33.0, "phase": [1.0, 2.0], "score": 90.0}

    from_name = choose_grid(path, None, (1500, 1000), seen)
    from_picture = choose_grid(path, None, (1500, 1400), seen)
    (tmp_path / "keep 30x20.png.layout.json").write_text('{"cell_px": 70}')
    from_layout = choose_grid(path, None, (1500, 1000), seen)

    assert from_name == {"cell_px": 50.0, "phase": [0.0, 0.0], "source": "name"}
    assert from_picture == {"cell_px": 33.0, "phase": [1.0, 2.0], "source": "picture"}
    assert from_layout == {"cell_px": 70.0, "phase": [0.0, 0.0], "source": "layout"}
    assert choose_grid(tmp_path / "x.png", "Cave [20x30]", (1500, 1000), None) == from_name
    assert choose_grid(tmp_path / "1500x1000.png", None, (1500, 1000), None) is None


@pytest.mark.parametrize("layout", ["not json", "[]", '{"cell_px": "x"}', '{"cell_px": 0}'])
def test_choose_grid_survives_a_damaged_layout(tmp_path: Path, layout: str) -> None:
    """A layout nobody can read costs its walls, not the map."""
    (tmp_path / "a.png.layout.json").write_text(layout)

    assert choose_grid(tmp_path / "a.png", None, (100, 100), None) is None


def test_measure_does_not_remember_what_may_heal(tmp_path: Path) -> None:
    """A missing file, and one that is not what the manifest says, are looked at again next time."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "a.png", painted(1))
    (dataset.pictures / "a.png").write_bytes(b"something else")

    other = measure(dataset.pictures / "a.png", id)
    missing = measure(dataset.pictures / "gone.png", id)

    assert "changed" in other.features.problem and "cannot be read" in missing.features.problem
    assert (other.lasting, missing.lasting) == (False, False)


def test_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """Features come out of the database as they went in, and fleeting ones are not known."""
    store = FeatureStore(tmp_path / "features.db")
    dataset = make_dataset(tmp_path)
    features = measure(dataset.pictures / "a.png", add(dataset, "a.png", painted(1))).features

    store.keep(features)
    store.keep(Features(id="f" * 64, problem="cannot be read"), lasting=False)

    assert store.all()[features.id] == features
    assert store.known() == {features.id}
    store.close()
