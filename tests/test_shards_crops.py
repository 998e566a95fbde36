"""Where crops lie: on the grid, within the picture, not on surround."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shard_tools import draw_map

from mapmaker.shards.crops import place
from mapmaker.shards.source import cut


def grid(cell_px: float, *phase: float) -> dict:
    return {"cell_px": cell_px, "phase": list(phase or (0.0, 0.0))}


def place_all(image: Image.Image, known: dict | None, squares: int = 15, limit: int = 4):
    return place(image, known, squares=squares, limit=limit, max_dark=0.35)[0]


@pytest.mark.parametrize(("cell_px", "phase"), [(37, (11, 5)), (20, (0, 0)), (53, (52, 1))])
def test_grid_lines_fall_on_multiples_of_a_square(cell_px, phase):
    """A map with 37 px cells that begins in mid-cell is cut so that line k is at k x 20 px."""
    image = draw_map(1, (17, 16), cell_px, phase)

    crops = place_all(image, grid(cell_px, *phase))
    pieces = [cut(image, crop, 300).astype(int).sum(axis=2) for crop in crops]

    assert len(crops) == 1
    for piece in pieces:
        for profile in (piece.mean(axis=0), piece.mean(axis=1)):
            lines = np.array([profile[k * 20 : k * 20 + 2].min() for k in range(15)])
            between = np.array([profile[k * 20 + 5 : k * 20 + 17].min() for k in range(15)])
            assert (lines < 0.8 * between).all()


def test_fractional_cells_keep_their_phase_to_the_last_square():
    """Cells of 34.1333 px (1536 px for 45 squares) drift by less than a tenth of a pixel."""
    wide = draw_map(2, (45, 30), 64).resize((1536, 1024), Image.Resampling.BOX)

    crops = place_all(wide, grid(1536 / 45))

    assert {crop.squares for crop in crops} == {15}
    for crop in crops:
        assert crop.left / (1536 / 45) == pytest.approx(round(crop.left / (1536 / 45)), abs=1e-6)
        assert crop.side == pytest.approx(512, abs=1e-6)


def test_crops_cover_a_big_map_evenly():
    """Four crops of a 30 x 30 map are its four quarters."""
    image = draw_map(3, (30, 30), 10)

    crops = place_all(image, grid(10.0))

    assert {(c.left, c.top) for c in crops} == {(0, 0), (150, 0), (0, 150), (150, 150)}


def test_a_map_one_square_larger_gives_one_crop():
    """16 x 15 squares do not become two crops that differ by one column."""
    assert len(place_all(draw_map(4, (16, 15), 10), grid(10.0))) == 1


def test_a_small_map_gives_fewer_squares_and_says_so():
    """A map of 9 x 20 squares is cut into pieces of 9 x 9, at whole squares."""
    crops = place_all(draw_map(5, (9, 20), 12), grid(12.0))

    assert {crop.squares for crop in crops} == {9}
    assert len(crops) == 3
    assert all(crop.top % 12 == 0 and crop.side == 108 for crop in crops)


def test_an_unknown_grid_gives_the_largest_squares():
    """A wide picture nobody knows the grid of gives overlapping squares of its height."""
    crops = place_all(draw_map(6, (40, 20), 10), None)

    assert [(c.left, c.top, c.side, c.squares) for c in crops] == [(0, 0, 200, 0), (200, 0, 200, 0)]


def test_black_surround_is_cut_around_and_left_out():
    """Of a map in the corner of a black sheet only the map is cut."""
    sheet = Image.new("RGB", (600, 600))
    sheet.paste(draw_map(7, (15, 15), 20), (0, 300))

    with_grid = place_all(sheet, grid(20.0))
    without = place_all(sheet, None)

    assert [c.box for c in with_grid] == [(0, 300, 300, 600)]
    assert [c.box for c in without] == [(0, 300, 300, 600)]


def test_a_dark_map_still_gives_one_crop():
    """A cave that is nearly all black is not lost: its brightest crop stays."""
    cave = Image.new("RGB", (400, 200))
    cave.paste((90, 80, 70), (250, 50, 330, 120))
    cave.paste((90, 80, 70), (10, 10, 20, 20))

    crops = place_all(cave, None)

    assert len(crops) == 1
    assert crops[0].left > 50


def test_nearly_empty_crops_are_left_out_and_counted():
    """Of a wide plain with a house at its end only the crops with something in them stay."""
    plain = np.random.default_rng(0).integers(50, 60, (200, 800, 3), dtype=np.uint8)
    image = Image.fromarray(plain)
    image.paste(draw_map(1, (10, 10), 20).resize((180, 180)), (610, 10))

    crops, empty = place(image, None, squares=15, limit=4, max_dark=0.35, min_detail=0.02)

    assert [crop.left for crop in crops] == [600]
    assert empty == 3
    assert place(
        Image.fromarray(plain), None, squares=15, limit=4, max_dark=1, min_detail=0.02
    ) == (
        [],
        4,
    )


def test_what_is_faint_in_a_dark_picture_is_not_empty():
    """A cave of black and almost black has its shapes; so little on a bright map is grain."""
    shades = np.random.default_rng(1).integers(0, 3, (40, 40, 1)).repeat(10, 0).repeat(10, 1) * 6
    cave, plain = (Image.fromarray((shades + base).repeat(3, 2).astype("u1")) for base in (10, 200))

    of_cave, of_plain = (
        place(image, None, squares=15, limit=1, max_dark=1, min_detail=0.02)[1]
        for image in (cave, plain)
    )

    assert (of_cave, of_plain) == (0, 1)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(20, 700),
    height=st.integers(20, 700),
    cell=st.floats(2.0, 300.0, allow_subnormal=False),
    phase=st.tuples(*[st.floats(-50, 400, allow_subnormal=False)] * 2),
    squares=st.integers(1, 30),
    limit=st.integers(1, 9),
    known=st.booleans(),
)
def test_every_crop_lies_within_its_picture(width, height, cell, phase, squares, limit, known):
    """Whatever grid somebody claims, there are 1 to `limit` crops and none leaves the picture."""
    image = Image.new("RGB", (width, height), "white")

    crops = place_all(image, grid(cell, *phase) if known else None, squares, limit)

    assert 1 <= len(crops) <= limit
    for crop in crops:
        left, top, right, bottom = crop.box
        assert left >= 0 and top >= 0 and right <= width + 1e-9 and bottom <= height + 1e-9
        assert crop.side >= 1 and crop.squares <= squares
        assert cut(image, crop, 8).shape == (8, 8, 3)


def test_a_layout_at_an_odd_scale_has_its_lines_on_the_squares():
    """Of a layout drawn at 37 px a square a 300 px sample has its lines at multiples of 20."""
    from mapmaker.layout import plan, render

    layout = plan("wilderness", 4, 17, 16)
    ruled, bare = render(layout, 37, grid=True), render(layout, 37, grid=False)

    crop = place_all(ruled, grid(37.0))[0]
    lines = np.abs(cut(ruled, crop, 300).astype(int) - cut(bare, crop, 300)).sum(axis=2)

    for profile in (lines.mean(axis=0), lines.mean(axis=1)):
        around = [profile[20 * k - 10 : 20 * k + 10] for k in range(1, 15)]
        assert [int(part.argmax()) for part in around] == pytest.approx([10] * 14, abs=1)
