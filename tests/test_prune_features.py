"""What prune measures: hashes, fineness, grids, and every way a file can be broken."""

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
from mapmaker.prune.hashes import ORIENTATIONS, changed, dhashes, near_pairs, phashes, shrink, turn
from mapmaker.prune.priors import choose_grid
from mapmaker.prune.sharpness import fineness
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
def test_features_of_slivers_do_not_fail(tmp_path: Path, shape: tuple[int, int]) -> None:
    """A picture of any shape, down to one pixel, is measured."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "sliver.png", Image.new("RGB", shape[::-1], "red"))

    seen = measure(dataset.pictures / "sliver.png", id)

    features = seen.features
    assert (features.problem, features.height, features.width) == ("", *shape)
    assert seen.lasting and seen.thumb


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


def bomb() -> bytes:
    buffer = BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"this is a text file", "no whole picture"),
        (b"", "no whole picture"),
        (None, "truncated"),
        (bomb, "30000x30000"),
    ],
    ids=["text", "empty", "cut", "bomb"],
)
def test_measure_says_why_a_file_is_broken(tmp_path: Path, content: object, word: str) -> None:
    """A broken file is a row with its reason, remembered like any other."""
    dataset = make_dataset(tmp_path)
    if content is None:
        buffer = BytesIO()
        painted(1).save(buffer, "PNG")
        content = buffer.getvalue()[:-2000]
    data = content() if callable(content) else content
    id = add(dataset, "bad.jpg", data)

    seen = measure(dataset.pictures / "bad.jpg", id)

    assert word in seen.features.problem
    assert seen.lasting and not seen.thumb


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "RGBA", "LA", "I;16", "1"])
def test_measure_takes_every_kind_of_picture(tmp_path: Path, mode: str) -> None:
    """Print colours, palettes, transparency and 16 bits are measured, not refused."""
    dataset = make_dataset(tmp_path)
    source = painted(2)
    picture = (
        Image.fromarray(grey(source).astype(np.uint16) * 257)
        if mode == "I;16"
        else source.convert(mode)
    )
    id = add(dataset, "odd.tif", picture)

    features = measure(dataset.pictures / "odd.tif", id).features

    assert (features.problem, features.width, features.height) == ("", 160, 160)
    assert features.contrast > 20


def test_measure_turns_a_photo_upright_and_takes_the_first_frame(tmp_path: Path) -> None:
    """EXIF rotation is applied before anything is measured; of an animation the start counts."""
    dataset = make_dataset(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways, film = BytesIO(), BytesIO()
    painted(4).crop((0, 0, 160, 100)).save(sideways, "JPEG", exif=exif)
    painted(5).save(film, "GIF", save_all=True, append_images=[painted(6)])
    first, second = (
        measure(dataset.pictures / name, add(dataset, name, data.getvalue())).features
        for name, data in (("sideways.jpg", sideways), ("film.gif", film))
    )

    assert (first.width, first.height, first.problem) == (100, 160, "")
    assert (second.width, second.height, second.problem) == (160, 160, "")


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
