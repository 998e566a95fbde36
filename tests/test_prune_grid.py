"""Squares found in pictures, and what is believed of their size when several things speak."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from prune_pictures import painted

from mapmaker.layout import plan, render
from mapmaker.prune.gridlines import find_grid
from mapmaker.prune.priors import choose_grid
from mapmaker.scrape.walls import layout_of_scene, layout_of_uvtt

Grey = np.ndarray
KINDS = ("dungeon", "cave", "building", "wilderness")


def pressed(grey: Grey, quality: int) -> Grey:
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("L"))


def scaled(grey: Grey, by: float) -> Grey:
    return np.asarray(Image.fromarray(grey).resize([round(s * by) for s in grey.shape[::-1]], 1))


def off_by(place: float, truth: float, cell_px: float) -> float:
    """Return the distance [px] between two places of a lattice."""
    return abs((place - truth + cell_px / 2) % cell_px - cell_px / 2)


@pytest.fixture(scope="module")
def ruled() -> list[Grey]:
    """Five drawn maps of 20 x 16 squares with lines 50 px apart."""
    chosen = [*((kind, 0) for kind in KINDS), ("cave", 1)]
    plans = [plan(kind, seed, 20, 16) for kind, seed in chosen]
    return [np.array(render(layout, 50, grid=True).convert("L")) for layout in plans]


@pytest.fixture(scope="module")
def bare() -> list[Grey]:
    """Pictures in which nothing repeats: maps without lines, turned, and painted hills."""
    drawn = [render(plan(k, 5, 12, 12), 50, grid=False).convert("L") for k in KINDS]
    turned = [
        picture.rotate(angle, Image.Resampling.BICUBIC).crop((110, 110, 490, 490))
        for picture in drawn
        for angle in (9, 23, 31)
    ]
    return [np.array(p) for p in turned] + [
        np.array(painted(s, 480).convert("L")) for s in range(13)
    ]


def test_every_drawn_grid_is_found_to_a_pixel(ruled) -> None:
    """Of 40 maps with lines at 30 to 70 px all squares are found, and where they begin."""
    sizes = [30, 37.7, 44, 44.3, 50, 56.2, 61.44, 70]
    cases = [(scaled(grey, px / 50), px) for grey in ruled for px in sizes]

    found = [(find_grid(grey), px) for grey, px in cases]

    assert all(seen and abs(seen["cell_px"] - px) <= 0.3 for seen, px in found)
    assert all(seen and max(off_by(p, 0, px) for p in seen["phase"]) <= 1 for seen, px in found)


def test_a_grid_survives_cutting_halving_and_pressing(ruled) -> None:
    """A part of a map, a copy of half the size and a JPEG of quality 30 keep size and phase."""
    rng = np.random.default_rng(7)
    for grey in ruled:
        left, top = (int(v) for v in rng.integers(1, 99, 2))
        part = find_grid(np.ascontiguousarray(grey[top:, left:]))
        half = find_grid(scaled(grey, 0.5))
        jpeg = find_grid(pressed(grey, 30))

        assert part and half and jpeg
        assert part["cell_px"] == pytest.approx(50, abs=0.3)
        starts = zip(part["phase"], (left, top), strict=True)
        assert max(off_by(place, 0.5 - start, 50) for place, start in starts) <= 1
        assert half["cell_px"] == pytest.approx(25, abs=0.2)
        assert jpeg["cell_px"] == pytest.approx(50, abs=0.3)


def test_pictures_in_which_nothing_repeats_have_no_grid(bare) -> None:
    """Of 50 turned maps and painted hills, half of them pressed hard, none is said to have one."""
    pictures = bare + [pressed(grey, 30) for grey in bare]

    assert [find_grid(grey) for grey in pictures] == [None] * 50


def lattice(side: int, lines: dict[float, int], seed: int = 0) -> Grey:
    """Return grainy ground with lines of some depth [grey levels] at some distances [px]."""
    ground = 150 + np.random.default_rng(seed).normal(0, 6, (side, side))
    for distance, depth in lines.items():
        at = np.arange(0, side, distance).astype(int)
        ground[:, at] -= depth
        ground[at, :] -= depth
    return ground.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_tiles_within_squares_are_not_taken_for_squares(parts: int) -> None:
    """Fainter seams at a half, a third or a fifth of a square leave the square its size."""
    found = find_grid(lattice(900, {60: 30, 60 / parts: 10}))

    assert found is not None
    assert found["cell_px"] == pytest.approx(60, abs=0.1)


@pytest.mark.parametrize("times", [2, 3])
def test_walls_along_some_lines_do_not_make_larger_squares(times: int) -> None:
    """Where rooms are two or three squares wide, some lines are walls; all are lines."""
    grey = lattice(900, {50: 25})
    for number, at in enumerate(range(0, 900, 50 * times)):
        start = 200 * (number % 3)
        grey[start : start + 300, max(0, at - 3) : at + 4] = 20
        grey[max(0, at - 3) : at + 4, start : start + 300] = 20

    found = find_grid(grey)

    assert found is not None
    assert found["cell_px"] == pytest.approx(50, abs=0.1)


def test_lines_in_one_direction_are_no_squares() -> None:
    """Planks and rows of a field repeat as well."""
    grey = 150 + np.random.default_rng(1).normal(0, 6, (700, 700))
    grey[:, ::40] -= 40

    assert find_grid(grey.clip(0, 255).astype(np.uint8)) is None


def test_a_picture_larger_than_needed_is_measured_smaller() -> None:
    """Squares of a 3000 px picture are told in its own pixels."""
    small = lattice(1000, {48: 30})

    found = find_grid(scaled(small, 3))

    assert found is not None
    assert found["cell_px"] == pytest.approx(144, abs=0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 3))
def test_no_shape_and_no_flat_picture_is_too_odd(width: int, height: int, seed: int) -> None:
    """Slivers, single pixels, flat and noisy pictures give None or a grid within the picture."""
    noise = np.random.default_rng(seed).integers(0, 1 + 85 * seed, (height, width)).astype(np.uint8)

    found = find_grid(noise)

    assert found is None or all(
        0 <= p < found["cell_px"] < max(width, height) for p in found["phase"]
    )


# What came with a picture, and its name

SURE = {"cell_px": 70.0, "phase": [0.0, 0.0], "score": 200.0, "sure": 0.9}


def asked(name: str, size: tuple[int, int], seen: dict | None = None, title: str | None = None):
    found = choose_grid(Path("/nowhere") / name, title, size, seen)
    return found and (found["cell_px"], found["source"])


@pytest.mark.parametrize(
    ("name", "size", "answer"),
    [
        ("keep 30x20.jpg", (1500, 1000), (50.0, "name")),
        ("keep_20x30_grid.png", (1500, 1000), (50.0, "name")),
        ("Cave [30 x 20] 70px.png", (1500, 1000), (50.0, "name")),
        ("cave_70px.png", (1400, 1050), (70.0, "name")),
        ("cave 100 dpi.png", (3000, 2000), (100.0, "name")),
        ("cave-140ppi.webp", (2800, 1400), (140.0, "name")),
        ("cave_70px.png", (1111, 1050), None),
        ("1500x1000.png", (1500, 1000), None),
        ("page 12 of 300.png", (1200, 1200), None),
    ],
)
def test_names_that_tell_the_squares(name, size, answer) -> None:
    """`30x20` counts squares and `70px` measures them, when that divides the picture."""
    assert asked(name, size) == answer


def test_a_title_is_as_good_as_a_name() -> None:
    """What the page called the map counts where the file's name says nothing."""
    assert asked("x.png", (1500, 1000), title="The Keep (30x20)") == (50.0, "name")


def test_a_name_that_the_picture_contradicts_is_not_believed() -> None:
    """`30x20` on a part of that map: the picture's own squares count, and the doubt is told."""
    found = choose_grid(
        Path("/nowhere/keep 30x20.jpg"), None, (1500, 1000), SURE | {"cell_px": 57.0}
    )

    assert found is not None
    assert (found["cell_px"], found["source"]) == (57.0, "picture")
    assert found["doubt"] == "Its name says squares of 50 px; those in the picture are 57 px wide."


@pytest.mark.parametrize(
    "seen", [None, SURE | {"cell_px": 57.0, "sure": 0.6}, SURE | {"cell_px": 25.0}]
)
def test_a_name_stands_against_a_weak_or_halved_reading(seen) -> None:
    """Tiles of half a square, or lines barely seen, do not speak against a name."""
    assert asked("keep 30x20.jpg", (1500, 1000), seen) == (50.0, "name")


def test_a_cut_map_keeps_its_size_and_tells_its_own_beginning() -> None:
    """A name gives the size; where squares begin a picture that is sure knows better."""
    found = choose_grid(
        Path("/nowhere/keep 30x20.jpg"),
        None,
        (1500, 1000),
        SURE | {"cell_px": 50.1, "phase": [20, 3]},
    )

    assert found is not None
    assert (found["phase"], found["source"]) == ([20, 3], "picture")


def test_a_layout_is_believed_with_its_broken_size_and_phase(tmp_path: Path) -> None:
    """45 squares on 1536 px are 34.1333 px each, not the 34.13 that were written."""
    layout = {"squares": [45, 30], "cell_px": 34.13, "phase": [30.0, -4.0]}
    (tmp_path / "a.png.layout.json").write_text(json.dumps(layout))

    found = choose_grid(tmp_path / "a.png", None, (1536, 1024), SURE)

    assert found is not None
    assert found["cell_px"] == pytest.approx(1536 / 45)
    assert found["phase"] == pytest.approx([30.0, 1536 / 45 - 4])
    assert found["source"] == "layout"


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["cell_px", "squares", "phase"]), inner)
        ),
        max_leaves=6,
    )
)
def test_no_layout_is_too_odd(tmp_path_factory, layout) -> None:
    """Whatever JSON lies beside a picture, it costs no more than itself."""
    path = tmp_path_factory.getbasetemp() / "odd.png"
    path.with_name("odd.png.layout.json").write_text(json.dumps(layout))

    found = choose_grid(path, None, (100, 100), None)

    assert found is None or all(0 <= p < found["cell_px"] for p in found["phase"])


def scene(**more) -> dict:
    known = {"width": 640, "height": 480, "padding": 0.25, "lights": []}
    return {**known, "walls": [{"c": [260, 240, 400, 240]}], **more}


def test_a_scene_moved_against_its_grid_has_a_phase() -> None:
    """Foundry 9 calls it shift, later ones offset: the picture lies that far before the padding."""
    old = layout_of_scene(scene(grid=80, gridType=1, shiftX=20, shiftY=-8), 320, 240)
    new = layout_of_scene(
        scene(grid={"size": 80, "type": 1}, background={"offsetX": 20, "offsetY": -8}), 320, 240
    )

    assert old["phase"] == new["phase"] == [10.0, 36.0]
    assert old["walls"] == new["walls"] == [[[1.5, 0.9], [3.25, 0.9]]]
    assert "phase" not in layout_of_scene(scene(grid=80, gridType=1), 320, 240)


def test_a_universal_file_that_begins_within_a_square_has_a_phase() -> None:
    """Lines lie on whole squares of the original map, wherever the export began."""
    resolution = {"map_origin": {"x": 2.25, "y": 4}, "map_size": {"x": 8, "y": 6}}

    layout = layout_of_uvtt({"resolution": resolution}, 400, 300)

    assert (layout["cell_px"], layout["phase"]) == (50, [37.5, 0.0])
