"""Every metric's known answers: equal, disjoint, shuffled, blurred, blocky, cast, collapsed."""

from functools import cache

import numpy as np
import pytest
from evaluate_tools import CELL, SIDE, blocky, blurred, cast, chequered, darker, drawn

from mapmaker.errors import BadConfig
from mapmaker.evaluate import measure
from mapmaker.evaluate.gridphase import comb, likely_cell_px, line_profiles
from mapmaker.evaluate.kernel import kernel_distance
from mapmaker.evaluate.lattice import lattice_share
from mapmaker.evaluate.likeness import mean_likeness, ms_ssim
from mapmaker.evaluate.memorise import nearest, thumbs
from mapmaker.evaluate.neighbours import neighbourhoods
from mapmaker.evaluate.pictures import eight, own_order, without_views
from mapmaker.evaluate.randomnet import features, random_net, standardised
from mapmaker.evaluate.sliced import sides, sliced_wasserstein

REALS, OTHERS = darker(drawn(1, 48)), darker(drawn(2, 48))
NOISE = np.random.default_rng(0).integers(0, 256, REALS.shape, dtype=np.uint8)


@cache
def seen(kind: str, net: int = 0) -> np.ndarray:
    """Return the features of a set, as deviations of REALS'."""
    made = {
        "reals": lambda: REALS,
        "others": lambda: OTHERS,
        "noise": lambda: NOISE,
        "blurred": lambda: blurred(OTHERS),
        "blocky": lambda: blocky(OTHERS),
        "cast": lambda: cast(OTHERS),
        "few": lambda: OTHERS[:3].repeat(16, 0),
    }[kind]()
    layers = random_net(net)
    return standardised(features(REALS, layers), features(made, layers))[0]


def test_sliced_distance_of_equal_sets_is_nothing():
    """The same patches are cut from both: 0 to the last bit, on every scale."""
    assert set(sliced_wasserstein(REALS[:8], REALS[:8].copy()).values()) == {0.0}


def test_sliced_distance_ranks_floor_blur_and_noise():
    """Other pictures of one kind are near, out of focus further, noise furthest."""
    floor, soft, noise = (
        sliced_wasserstein(x[:16], REALS[:16]) for x in (OTHERS, blurred(OTHERS), NOISE)
    )

    assert floor["swd_64"] * 3 < soft["swd_64"]
    assert floor["swd_mean"] < soft["swd_mean"] < noise["swd_mean"]


def test_sliced_distance_is_blind_to_a_cast_but_for_its_colour_part():
    """Each channel is normalised; the coarsest scale as it is sees what that hides."""
    floor, red = (sliced_wasserstein(x[:16], REALS[:16]) for x in (OTHERS, cast(OTHERS)))

    assert red["swd_mean"] == pytest.approx(floor["swd_mean"], rel=0.05)
    assert red["swd_colour"] > 2 * floor["swd_colour"]


def test_the_pyramid_halves_down_to_16_px():
    """Odd sides are rounded up; 16 px is the last that may be."""
    assert sides(128) == [128, 64, 32, 16]
    assert sides(750) == [750, 375, 188, 94, 47, 24]
    assert sides(32) == [32, 16]


def test_kernel_distance_is_without_bias():
    """Halves of one crowd: around 0, above and below, at any count."""
    crowd = np.random.default_rng(3).normal(size=(40, 20, 10))

    found = [kernel_distance(points[:8], points[8:]) for points in crowd]

    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found)) < 3 * error
    assert min(found) < 0 < max(found)


def test_kernel_distance_ranks_what_is_worse():
    """Equal sets are not above 0; blur, blocks and a cast stand clear of the floor; noise most."""
    found = {
        k: kernel_distance(seen(k), seen("reals"))
        for k in ("reals", "others", "blurred", "blocky", "cast", "few", "noise")
    }

    assert found["reals"] <= 0
    for worse in ("blurred", "blocky", "cast", "few"):
        assert found[worse] > found["others"] + 100
    assert found["noise"] > max(found["cast"], found["few"])


def test_all_nets_of_the_ensemble_say_the_same():
    """Blur is worse than the floor to each of the three, by far."""
    for net in range(3):
        floor, soft = (
            kernel_distance(seen(k, net), seen("reals", net)) for k in ("others", "blurred")
        )
        assert soft > floor + 100


def test_neighbourhoods_of_equal_and_disjoint_sets():
    """Equal: all 1, density about 1. Disjoint: all 0."""
    same = neighbourhoods(seen("reals"), seen("reals"))
    apart = neighbourhoods(seen("noise"), seen("reals"))

    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)
    assert same["density"] == pytest.approx(1, abs=0.25)
    assert set(apart.values()) == {0.0}


def test_neighbourhoods_see_a_collapse():
    """Three pictures, sixteen times each: precise, but little is covered, nothing recalled."""
    floor = neighbourhoods(seen("others"), seen("reals"))
    few = neighbourhoods(seen("few"), seen("reals"))

    assert few["precision"] > 0.5
    assert few["coverage"] < 0.6 * floor["coverage"]
    assert few["recall"] == 0.0


def test_too_few_have_no_neighbours():
    """Five points have no fifth neighbour."""
    with pytest.raises(ValueError, match="fewer than 6"):
        neighbourhoods(seen("others")[:5], seen("reals"))


def test_ms_ssim_of_a_picture_and_itself_is_one_and_of_noise_about_none():
    """And it does not depend on which of the two comes first."""
    a, b, noise = (x[0].astype(np.float32) / 255 for x in (REALS, OTHERS, NOISE))

    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-5)
    assert ms_ssim(a, b) == pytest.approx(ms_ssim(b, a), abs=1e-6)
    assert ms_ssim(a, noise) < 0.1 < ms_ssim(a, blurred(REALS)[0].astype(np.float32) / 255)


def test_likeness_sees_a_collapse():
    """A net that paints three pictures has pairs that are equal."""
    assert mean_likeness(OTHERS[:3].repeat(16, 0)) > mean_likeness(OTHERS) + 0.2


@pytest.mark.parametrize("period", [2, 4, 16])
def test_the_lattice_is_its_share_of_the_variance(period):
    """A raster of known strength over plain noise is measured to a few per cent of the truth."""
    noise = np.random.default_rng(1).normal(128, 20, (16, 64, 64, 3)).round().clip(0, 255)
    tiles = chequered(noise.astype(np.uint8), period, 15)
    truth = 15**2 / (15**2 + 20**2)

    assert abs(lattice_share(noise.astype(np.uint8), period)) < 0.01
    assert lattice_share(tiles, period) == pytest.approx(truth, abs=0.03 if period < 16 else 0.1)


def test_chequers_and_blocks_raise_the_lattice_only_where_they_are():
    """A 2 px chequer shows at 2 px; maps without a grid of their own have next to none."""
    plain = drawn(5, 16, cell=0)

    assert abs(lattice_share(plain, 4)) < 0.01
    assert lattice_share(chequered(plain, 2), 2) > 0.05
    assert lattice_share(chequered(plain, 16), 16) > 0.05
    assert abs(lattice_share(chequered(plain, 4), 2)) < 0.01


def test_the_grid_is_found_where_packing_puts_it():
    """Lines at the edge every 8 px: clear at their place, less than nothing midway."""
    profiles = line_profiles(OTHERS)

    assert likely_cell_px(profiles) == CELL
    assert comb(profiles, CELL) > 0.3
    assert comb(profiles, CELL, 0.5) < 0
    assert comb(profiles, SIDE / 7) < 0.5 * comb(profiles, CELL)


def test_a_grid_half_a_cell_off_is_told_from_a_right_one_and_from_none():
    """Rolled by half a square the two places change roles; a picture without lines has neither."""
    off = line_profiles(np.roll(OTHERS, (CELL // 2, CELL // 2), (1, 2)))
    none = line_profiles(drawn(6, 24, cell=0))

    assert comb(off, CELL) < 0 < 0.3 < comb(off, CELL, 0.5)
    assert abs(comb(none, CELL)) < 0.05 and abs(comb(none, CELL, 0.5)) < 0.05


@pytest.mark.parametrize("squares", [15, 13])
def test_the_grid_may_lie_between_pixels(squares):
    """64 px of 15 squares have 4.27 px each; it is found all the same."""
    big = drawn(7, 24, side=squares * 16, cell=16)
    import cv2

    small = np.stack([cv2.resize(p, (64, 64), interpolation=cv2.INTER_AREA) for p in big])
    profiles = line_profiles(small)

    assert likely_cell_px(profiles) == 64 / squares
    assert comb(profiles, 64 / squares) > 3 * abs(comb(profiles, 64 / (squares - 2)))


@pytest.mark.parametrize("turn", range(8))
def test_a_copy_is_known_in_every_orientation(turn):
    """A training picture turned, mirrored and moved a little is flagged, and which one is said."""
    copies = np.roll(np.stack([eight(p)[turn] for p in REALS[:6]]), 2, axis=1)

    found = nearest(thumbs(copies), thumbs(REALS))

    assert found.copied.all()
    assert found.place.tolist() == list(range(6))


def test_new_pictures_are_no_copies():
    """Of 48 others of the same kind none is near one training picture alone."""
    found = nearest(thumbs(OTHERS), thumbs(REALS))

    assert not found.copied.any()
    assert (found.distance > 3).all()


def test_the_second_nearest_is_of_another_map():
    """A twin crop of the same map would hide a copy; told the maps, it does not."""
    twice = thumbs(np.concatenate([REALS, blurred(REALS, 3)]))
    maps = np.tile(np.arange(len(REALS)), 2)
    copies = thumbs(blurred(REALS[:4], 2))

    blind, told = nearest(copies, twice), nearest(copies, twice, maps)

    assert not blind.copied.any()
    assert told.copied.all()
    with pytest.raises(ValueError, match="no second"):
        nearest(thumbs(REALS[:4]), thumbs(REALS), np.zeros(len(REALS), int))


def test_views_of_one_picture_are_one():
    """Turned and mirrored repeats are dropped, the first stays."""
    views = np.concatenate([REALS[:3], np.stack(eight(REALS[1])), REALS[2:5]])

    assert without_views(views, np.arange(14)).tolist() == [0, 1, 2, 12, 13]
    assert without_views(views, np.array([5, 1, 0])).tolist() == [5, 0]


def test_the_own_order_does_not_depend_on_the_given_one():
    """Nor does the choice from many equal pictures fall on one of them alone."""
    order = np.random.default_rng(4).permutation(len(REALS))
    few = REALS[:4].repeat(12, 0)

    assert (REALS[own_order(REALS, 0)] == REALS[order][own_order(REALS[order], 0)]).all()
    assert (own_order(REALS, 0) != own_order(REALS, 1)).any()
    assert len({p.tobytes() for p in few[own_order(few, 0)[:16]]}) == 4


def test_measure_gives_the_same_numbers_in_any_order():
    """To the last bit, for every key; another seed gives others."""
    rng = np.random.default_rng(5)
    sets = (OTHERS[:24, :32, :32], REALS[:32, :32, :32], drawn(8, 12, side=32))
    shuffled = [images[rng.permutation(len(images))] for images in sets]

    found = measure(*sets)

    assert measure(*shuffled) == found
    assert all(np.isfinite(v) for v in found.values())
    assert measure(*sets, seed=1)["swd_mean"] != found["swd_mean"]
    wanted = "n swd_32 swd_16 swd_mean swd_colour swd_mean_floor rkid rkid_spread rkid_floor"
    wanted += " precision recall density coverage coverage_floor ms_ssim ms_ssim_real grid_phase"
    wanted += " memorised_share nearest_ratio lattice_4 lattice_4_real lattice_16 grid_phase_real"
    assert set(wanted.split()) <= set(found)


def test_measure_of_the_training_set_tells_a_copyist():
    """Better than the floor by most numbers, and given away by one."""
    train, held_out = (drawn(seed, 32, side=32, cell=0) for seed in (11, 12))
    turned = np.stack([eight(p)[3] for p in train])

    found = measure(turned, train, held_out)

    assert found["memorised_share"] == 1 and found["memorised_share_held_out"] == 0
    assert found["nearest_ratio"] < 0.1
    assert found["rkid_train"] < min(0, found["rkid"])


@pytest.mark.parametrize(
    ("ours", "word"),
    [
        (OTHERS[:7], "7 generated"),
        (OTHERS.astype(np.float32), "float32"),
        (OTHERS[:, :32], "48, 32, 64"),
        (OTHERS[:, :32, :32], "sides differ"),
        (OTHERS[..., :1], "64, 1"),
    ],
    ids=["few", "float", "oblong", "sizes", "grey"],
)
def test_what_cannot_be_measured_is_refused_with_a_remedy(ours, word):
    """Too few, no pictures, not square, another size: said, with what would do."""
    with pytest.raises(BadConfig, match=word) as caught:
        measure(ours, REALS, OTHERS)

    assert caught.value.hint


def test_one_map_alone_has_no_second_to_compare_with():
    """A training set of crops of one map cannot tell a copy; views of one picture are too few."""
    with pytest.raises(BadConfig, match="one source map"):
        measure(OTHERS, REALS, OTHERS, groups=np.zeros(len(REALS), int))
    with pytest.raises(BadConfig, match="1 training"):
        measure(OTHERS, np.stack(eight(REALS[0])), OTHERS)
