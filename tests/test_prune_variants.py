"""What two pictures of one map are to each other, told from their pixels."""

from collections.abc import Callable
from contextlib import closing
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.random import default_rng
from PIL import Image, ImageDraw, ImageFont
from planted import (
    VARIANTS,
    as_jpeg,
    by_night,
    cropped,
    scaled,
    titled,
    turned,
    watermarked,
    with_logo,
)
from prune_pictures import add, make_dataset, painted, suggested

from mapmaker.events import Step, finish
from mapmaker.layout import plan, render
from mapmaker.prune import variants
from mapmaker.prune.align import find, seen, view
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.hashes import turn
from mapmaker.prune.kept import features_of, kept
from mapmaker.prune.localkeys import keys, meet
from mapmaker.prune.prune import prune
from mapmaker.prune.shot import Shot
from mapmaker.prune.variants import COPIES, VERSION, Pair, Relation, relate, tell

CELL_PX = 32
Change = Callable[[Image.Image], Image.Image]


def drawn(seed: int, kind: str = "dungeon", grid: bool = False) -> Image.Image:
    """Return a floor plan of 15 x 15 squares in ink and colour, with some grain."""
    picture = np.asarray(
        render(plan(kind, seed, 15, 15), cell_px=CELL_PX, grid=grid).convert("RGB")
    )
    grain = default_rng(seed).normal(0, 5, (*picture.shape[:2], 1))
    return Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8))


def clouds(seed: int) -> Image.Image:
    """Return soft noise: nothing in it is like anything else."""
    noise = default_rng(seed).integers(0, 255, (60, 80), np.uint8)
    return Image.fromarray(noise).resize((480, 360), Image.Resampling.BICUBIC).convert("RGB")


def with_band(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return it with a name on a dark band along the bottom."""
    result = picture.copy()
    draw, top = ImageDraw.Draw(result), picture.height * 9 // 10
    draw.rectangle((0, top, *picture.size), fill=(60, 40, 50))
    font = ImageFont.load_default(picture.height / 14)
    draw.text((rng.uniform(5, 90), top), "Harbour of Ghosts", fill=(210, 205, 200), font=font)
    return result


def told(one: Image.Image, other: Image.Image, orientation: int | None = None) -> str:
    found = tell(seen(np.asarray(one)), seen(np.asarray(other)), orientation)
    return found.kind if found else ""


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_planted_variant_is_told_by_its_kind(variant: str) -> None:
    """Of each kind of variant, all of three maps are told right, without help from hashes."""
    change, kind, _ = VARIANTS[variant]
    maps = [painted(4, 480), drawn(1), drawn(3, "cave")]

    kinds = [told(p, change(p, default_rng(n), CELL_PX)) for n, p in enumerate(maps)]

    assert kinds == [kind] * 3


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_does_not_matter_which_comes_first(variant: str) -> None:
    """The ids decide which of a pair comes first; what they are to each other must not change."""
    change, kind, _ = VARIANTS[variant]
    maps = [painted(4, 480), drawn(1), drawn(3, "cave")]

    kinds = [told(change(p, default_rng(n), CELL_PX), p) for n, p in enumerate(maps)]

    assert kinds == [kind] * 3


def test_two_maps_are_nothing_to_each_other() -> None:
    """Maps of one kind, drawn with the same brush, share no ground and no kind."""
    maps = [drawn(1), drawn(2), painted(1, 480), painted(2, 480)]

    kinds = {told(one, other) for one, other in combinations(maps, 2)}

    assert kinds == {""}


def test_two_floors_of_one_building_are_no_copies() -> None:
    """The same walls and garden with other rooms inside are two floors, whatever their names."""
    ground = painted(7, 480)
    upper = ground.copy()
    upper.paste(painted(8, 200), (140, 140))

    assert told(ground, upper, 0) == "floor"
    assert told(ground, turned(upper, 5)) == "floor"


@pytest.mark.parametrize("orientation", range(8))
def test_find_says_where_a_part_lies(orientation: int) -> None:
    """A part, turned and half as large again, is found to the pixel in the picture it is from."""
    whole = painted(5, 480)
    part = turned(scaled(whole.crop((120, 60, 360, 300)), 1.5), orientation)

    fit = find(seen(np.asarray(whole)), seen(np.asarray(part)))

    assert fit is not None
    assert fit.scale == pytest.approx((2 / 3, 2 / 3), abs=0.01)
    corner = [s * -0.5 + shift + 0.5 for s, shift in zip(fit.scale, fit.shift, strict=True)]
    assert corner == pytest.approx([120, 60], abs=2)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: scaled(p, 2),
        lambda p: as_jpeg(scaled(p, 1.5), 90),
        lambda p: scaled(scaled(p, 0.5), 2),
        lambda p: scaled(p, 0.5),
    ],
    ids=["enlarged", "enlarged, pressed", "blurred", "smaller"],
)
def test_more_pixels_do_not_make_the_better_copy(tmp_path: Path, change: Change) -> None:
    """A copy that was enlarged or blurred loses against the sharp one, as does a smaller one."""
    dataset = make_dataset(tmp_path)
    copy = add(dataset, "a copy.png", change(drawn(2)))
    original = add(dataset, "b original.png", drawn(2))

    finish(prune(dataset, PruneConfig(min_side_px=32)))

    assert {id: keeper for id, (_, keeper) in suggested(dataset).items()} == {copy: original}


def test_parts_are_found_from_their_pixels_alone(tmp_path: Path) -> None:
    """Halves, quarters, turned, enlarged or by night, join their map's group; others do not."""
    dataset = make_dataset(tmp_path)
    changes: list[Change] = [
        lambda p: cropped(p, 0.1, 0.8, 0.7),
        lambda p: scaled(cropped(p, 0.7, 0.3, 0.5), 1.6),
        lambda p: as_jpeg(turned(cropped(p, 0.5, 0.5, 0.6), 5), 80),
        lambda p: by_night(cropped(p, 0.2, 0.2, 0.7)),
    ]
    for seed in range(5):
        add(dataset, f"{seed} whole.png", painted(seed, 400))
    for seed, change in enumerate(changes):
        add(dataset, f"{seed} part.png", change(painted(seed, 400)))

    finish(prune(dataset, PruneConfig(min_side_px=32, auto=True)))

    rows = kept(dataset)
    groups = {row["file"].removeprefix("pictures/"): row["group"] for row in rows}
    assert len(rows) == 9
    assert len(set(groups.values())) == 5
    assert all(groups[f"{n} part.png"] == groups[f"{n} whole.png"] for n in range(4))


def test_a_part_is_looked_at_and_a_trim_is_dropped(tmp_path: Path) -> None:
    """Half a map may be worth keeping, so a person decides; one without its rim is a copy."""
    dataset = make_dataset(tmp_path)
    whole = add(dataset, "whole.png", painted(3, 480))
    half = add(dataset, "half.png", cropped(painted(3, 480), 0, 1, 0.7))
    trimmed = add(dataset, "trimmed.png", painted(3, 480).crop((8, 8, 480, 480)))

    finish(prune(dataset, PruneConfig(min_side_px=32, auto=True)))

    store = features_of(dataset)
    found = {id: (s["level"], s["rule"], s["keeper"]) for id, s in store.suggestions().items()}
    store.close()
    assert found[half] == ("look", "crop", whole)
    assert found[trimmed] == ("drop", "duplicate-crop", whole)
    assert found.get(whole, ("look",))[0] == "look"


@pytest.mark.parametrize("variant", ["with a grid", "by night", "grey"])
def test_variants_worth_keeping_are_never_dropped(tmp_path: Path, variant: str) -> None:
    """A grid, another light and other colours make a picture of its own, in its map's group."""
    dataset = make_dataset(tmp_path)
    for seed in range(4):
        picture = painted(seed, 320)
        add(dataset, f"{seed}.png", picture)
        add(dataset, f"{seed} other.png", VARIANTS[variant][0](picture, default_rng(0), 40))

    finish(prune(dataset, PruneConfig(min_side_px=32, near=8, auto=True)))

    assert suggested(dataset) == {}
    assert len({row["group"] for row in kept(dataset)}) == 4


def test_keys_turn_with_their_picture() -> None:
    """A picture and any of its turns have keys in common, and strangers have none."""
    pictures = [turned(clouds(0), orientation) for orientation in range(8)]
    strangers = [clouds(seed) for seed in range(1, 9)]
    data = [keys(Shot(np.asarray(p))) for p in (*pictures, *strangers)]

    met = meet(enumerate(data), len(data))

    pairs = set(zip(met.one.tolist(), met.other.tolist(), strict=True))
    assert pairs == set(combinations(range(8), 2))
    assert all(0 < len(d) <= 2000 for d in data)
    for one, other, way in zip(met.one, met.other, met.orientation, strict=True):
        assert np.array_equal(
            turn(np.asarray(pictures[other].convert("L")), int(way)),
            np.asarray(pictures[one].convert("L")),
        )


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (40, 40), (500, 20)])
def test_slivers_and_blank_sheets_have_no_keys(size: tuple[int, int]) -> None:
    """What shows no place to hold on to gives no keys, and joins nothing."""
    blank = Image.new("RGB", size, "#d8c9a0")

    data = keys(Shot(np.asarray(blank)))

    assert data == b""
    assert len(meet([(0, data), (1, data)], 2).one) == 0


@pytest.mark.parametrize("put", [titled, with_band, watermarked, with_logo])
def test_the_clean_one_of_two_is_never_taken_for_the_marked_one(put: Callable) -> None:
    """Titles, bands, words and logos, whichever comes first: the clean one is never the worse."""
    maps = [painted(4, 480), drawn(1), drawn(3, "cave"), painted(6, 480)]
    answers = []
    for n, clean in enumerate(maps):
        one, other = (seen(np.asarray(p)) for p in (clean, put(clean, default_rng(n))))
        answers += [(tell(one, other, 0), 1), (tell(other, one, 0), 0)]

    assert all(found.kind == "watermark" for found, _ in answers)
    assert all(found.worse == marked for found, marked in answers if found.sure)
    assert sum(found.sure for found, _ in answers) >= 7


def test_relate_opens_the_files_and_says_who_bears_the_mark(tmp_path: Path) -> None:
    """The relation names the ids, the kind and the one with the watermark, and is plain data."""
    clean, marked = tmp_path / "clean.png", tmp_path / "marked.jpg"
    painted(9, 480).save(clean)
    VARIANTS["watermark"][0](painted(9, 480), default_rng(1), CELL_PX).save(marked, quality=90)

    relation = relate(Pair("a", "b", clean, marked, 0, 2))

    assert relation is not None
    assert (relation.kind, relation.worse, relation.bits) == ("watermark", "b", 2)
    assert Relation(**relation.plain()) == relation
    assert relation.kind in COPIES
    assert view(clean).size == (480, 480)


def test_where_keys_lay_a_part_nothing_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part lies where its keys lay it, a little off; another map there is nothing to it."""

    def never(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(variants, "find", never)
    painted(5, 480).save(tmp_path / "whole.png")
    turned(scaled(painted(5, 480).crop((120, 60, 360, 300)), 1.5), 3).save(tmp_path / "part.png")
    painted(6, 360).save(tmp_path / "other.png")
    box = (0.255, 0.12, 0.753, 0.628)

    part, other = (
        relate(Pair("a", "b", tmp_path / "whole.png", tmp_path / file, 3, lying=box))
        for file in ("part.png", "other.png")
    )

    assert part is not None
    assert (part.kind, part.worse, part.orientation) == ("crop", "b", 3)
    assert part.share == pytest.approx(0.25, abs=0.01)
    assert other is None


def stamped(seed: int, x: int, y: int) -> Image.Image:
    """Return a map with a dozen things on it that others have as well, as they lie together."""
    picture = painted(seed, 480)
    for n in range(12):
        at = (x + n % 4 * 70, y + n // 4 * 80)
        picture.paste(painted(90, 480).crop((n * 36, 100, n * 36 + 34, 134)), at)
    return picture


def test_things_that_maps_share_do_not_make_them_one(tmp_path: Path) -> None:
    """Maps with the same things on them have keys in common; but nobody opens them to compare."""
    dataset = make_dataset(tmp_path)
    pictures = [stamped(1, 30, 30), stamped(2, 120, 150), stamped(3, 80, 200)]
    for n, picture in enumerate(pictures):
        add(dataset, f"{n}.png", picture)
    data = [keys(Shot(np.asarray(p))) for p in pictures]

    steps = list(prune(dataset, PruneConfig(min_side_px=32)))

    assert len(meet(enumerate(data), 3).one) == 3
    assert not [step for step in steps if isinstance(step, Step) and step.unit == "pairs"]
    assert len({row["group"] for row in kept(dataset)}) == 3


def test_what_an_older_version_said_is_asked_again(tmp_path: Path) -> None:
    """Relations that an older rule found are asked again by the next run; nothing else is lost."""
    dataset = make_dataset(tmp_path)
    one = add(dataset, "one.png", painted(3, 480))
    other = add(dataset, "other.png", as_jpeg(painted(3, 480), 70))
    finish(prune(dataset, PruneConfig(min_side_px=32)))
    with closing(features_of(dataset)) as store:
        pair = (min(one, other), max(one, other))
        store.keep_relations([(*pair, Relation(*pair, "floor", bits=0).plain())], "3")
        store.note("compared", "as an older version noted")

    finish(prune(dataset, PruneConfig(min_side_px=32)))

    with closing(features_of(dataset)) as store:
        assert [data["kind"] for _, _, data in store.relations(VERSION)] == ["reencode"]
        assert len(store.known()) == 2
    assert suggested(dataset) == {other: ("duplicate-near", one)}
