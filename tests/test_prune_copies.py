"""Copies of one map: found in every orientation, told from strangers, and the best one stays."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import as_jpeg, turned, watermarked
from prune_pictures import add, make_dataset, painted, suggested

from mapmaker.events import finish
from mapmaker.prune.candidate import Picture
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.copies import doubtful, duplicates, one_each, parts
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.features import Features
from mapmaker.prune.hashes import dhashes, near_pairs, phashes, shrink
from mapmaker.prune.prune import prune
from mapmaker.prune.variants import Relation

SMALL = PruneConfig(min_side_px=32)
MAPS, TURNS = 20, 7


def hashes(pictures: list[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    thumbs = [shrink(np.asarray(p.convert("L"))) for p in pictures]
    return (
        np.array([phashes(t) for t in thumbs], np.uint64),
        np.array([dhashes(t) for t in thumbs], np.uint64),
    )


def fake(name: str, side: int = 500) -> Picture:
    """Return a picture of which only its id and its size are known."""
    features = Features(id=name, width=side, height=side, contrast=40.0, span=200.0, fine=-0.5)
    return Picture({"file": f"pictures/{name}.png", "bytes": side * side}, features, None)


def who(pictures: list[Picture], relations: list[Relation]) -> dict[str, str]:
    """Return the keeper of each copy, by id."""
    return {copy.id: keeper.id for copy, keeper, _ in duplicates(pictures, relations)}


@pytest.mark.parametrize(("quality", "least_share", "bits"), [(0, 1.0, 0), (80, 0.95, 4)])
def test_every_turn_of_a_map_is_near_it(quality: int, least_share: float, bits: int) -> None:
    """140 of 140 turned copies are 0 bits from their map, and after JPEG q80 nearly all are 4."""
    maps = [painted(seed) for seed in range(MAPS)]
    copies = [turned(p, orientation) for p in maps for orientation in range(1, TURNS + 1)]
    copies = [as_jpeg(p, quality) for p in copies] if quality else copies
    wanted = {(n // TURNS, MAPS + n) for n in range(MAPS * TURNS)}

    found = {(i, j) for i, j, _, _ in near_pairs(*hashes([*maps, *copies]), bits)}

    assert len(wanted & found) >= least_share * len(wanted)
    assert all(i >= MAPS or j >= MAPS for i, j in found)


def test_every_turned_copy_is_a_duplicate_of_its_map(tmp_path: Path) -> None:
    """Seven turns of three maps, as JPEG, are each tied to their own original."""
    dataset = make_dataset(tmp_path)
    for seed in range(3):
        add(dataset, f"{seed}.png", painted(seed))
        for orientation in range(1, TURNS + 1):
            add(dataset, f"{seed}-{orientation}.jpg", turned(painted(seed), orientation))

    finish(prune(dataset, SMALL))

    by_file = {r["id"]: r["file"].split("/")[1].split("-")[0].split(".")[0] for r in dataset.rows()}
    found = suggested(dataset)
    assert len(found) == 3 * TURNS
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


@pytest.mark.parametrize("personal", [False, True])
def test_a_clean_picture_beats_a_larger_marked_one(tmp_path: Path, personal: bool) -> None:
    """A watermark outweighs pixels, but not the word of a person."""
    dataset = make_dataset(tmp_path)
    clean = add(dataset, "clean.png", painted(2, 300))
    large = painted(2, 300).resize((600, 600), Image.Resampling.NEAREST)
    marked = add(dataset, "marked.png", watermarked(large, np.random.default_rng(1)))
    if personal:
        with Decisions(dataset.decisions) as decisions:
            decisions.mark(marked, "keep")

    finish(prune(dataset, PruneConfig(min_side_px=32, near=8)))

    copy, keeper = (clean, marked) if personal else (marked, clean)
    assert suggested(dataset)[copy] == ("duplicate-watermark", keeper)


def test_a_copy_was_compared_with_its_keeper_itself() -> None:
    """In a chain of likenesses the far end is not dropped for a map it was never held against."""
    chain = [fake("a", 900), fake("b", 600), fake("c", 300)]
    links = [Relation("a", "b", "resized"), Relation("b", "c", "resized")]

    assert who(chain, links) == {"b": "a"}
    assert who(chain, [*links, Relation("a", "c", "resized")]) == {"b": "a", "c": "a"}


def test_what_is_no_copy_drops_nothing() -> None:
    """Variants, floors, overlaps and parts are left alone, and so are floors named as such."""
    pair = [fake("one"), fake("other", 400)]
    named = [fake("Old Keep - Level 1"), fake("Old Keep - Level 2", 400)]

    for kind in ("grid", "lighting", "recolour", "floor"):
        assert who(pair, [Relation("one", "other", kind)]) == {}
    assert who(pair, [Relation("one", "other", "crop", worse="other", share=0.5)]) == {}
    assert who(pair, [Relation("one", "other", "crop", share=0.95)]) == {}
    assert who(named, [Relation(named[0].id, named[1].id, "reencode")]) == {}


def test_the_part_goes_even_when_it_is_the_larger_file() -> None:
    """Of a map and its trimmed copy the whole one stays; of half a map we only speak."""
    pair = [fake("part", 900), fake("whole", 500)]
    trim, half = (
        Relation("part", "whole", "crop", worse="part", share=share) for share in (0.95, 0.5)
    )

    assert who(pair, [trim]) == {}
    assert who([fake("part", 490), fake("whole", 500)], [trim]) == {"part": "whole"}
    assert [(p.id, w.id) for p, w, _ in parts(pair, [half])] == [("part", "whole")]
    assert list(parts(pair, [trim])) == []


def test_a_guess_about_the_overlay_drops_neither() -> None:
    """Where we cannot tell which of two bears the title, we only speak of the likelier one."""
    pair = [fake("clean"), fake("titled", 700)]
    guess = Relation("clean", "titled", "watermark", worse="titled", sure=False)

    assert who(pair, [guess]) == {}
    assert [(p.id, clean.id) for p, clean, _ in doubtful(pair, [guess])] == [("titled", "clean")]


def test_equal_pixels_and_known_dpi_speak_before_looks() -> None:
    """Of several answers for a pair the surest one stands, and what was seen of it is kept."""
    looks = Relation("a", "b", "resized", worse="a")

    assert [r.kind for r in one_each([looks, Relation("b", "a", "exact")])] == ["exact"]
    [dpi] = one_each([looks, Relation("b", "a", "dpi")])
    assert (dpi.kind, dpi.worse) == ("dpi", "a")
    assert [r.kind for r in one_each([Relation("a", "b", "grid"), Relation("a", "b", "dpi")])] == [
        "grid"
    ]
