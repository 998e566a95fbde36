"""Groups: every picture of one map in one of them, whatever joins or leaves."""

from pathlib import Path

import pytest
from prune_pictures import add, make_dataset, painted, suggested

from mapmaker.events import finish
from mapmaker.prune.candidate import Picture
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.features import Features
from mapmaker.prune.groups import groups
from mapmaker.prune.kept import kept
from mapmaker.prune.names import building
from mapmaker.prune.prune import prune
from mapmaker.prune.variants import Relation

SMALL = PruneConfig(min_side_px=32)
AUTO = PruneConfig(min_side_px=32, auto=True)


def test_floors_share_a_group_and_none_is_dropped(tmp_path: Path) -> None:
    """Two floors that look alike are two maps of one group, by their names; strangers are not."""
    dataset = make_dataset(tmp_path)
    deck = painted(5)
    other_deck = deck.copy()
    other_deck.paste("red", (70, 70, 90, 90))
    add(dataset, "Old Ship - Upper Level_23cdf585.png", deck)
    add(dataset, "Old Ship - Lower Level_400eb4e0.png", other_deck)
    add(dataset, "Keep_crop01.png", painted(6))
    add(dataset, "Keep.png", painted(7))
    add(dataset, "Tower of Glass.png", painted(8))

    finish(prune(dataset, AUTO))

    groups = [row["group"] for row in kept(dataset)]
    assert len(groups) == 5
    assert groups[0] == groups[1] != groups[2] == groups[3] != groups[4]


def test_one_map_id_is_one_group_and_keeps_its_best_resolution(tmp_path: Path) -> None:
    """Of the dpi versions of a page the highest stays; another picture of the page stays too."""
    dataset = make_dataset(tmp_path)
    page = {"map_id": "2004-05/crypt"}
    low = add(dataset, "1.png", painted(1, 200).resize((100, 100)), dpi=72, **page)
    high = add(dataset, "2.png", painted(1, 200), dpi=150, **page)
    add(dataset, "3.png", painted(2, 100), dpi=72, **page)

    finish(prune(dataset, PruneConfig(min_side_px=32, near=0, auto=True)))

    assert suggested(dataset) == {low: ("duplicate-dpi", high)}
    assert [row["file"] for row in kept(dataset)] == ["pictures/2.png", "pictures/3.png"]
    assert len({row["group"] for row in kept(dataset)}) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20_StagLordsFort_Cellar", ("20 stag lords fort", ("cellar",))),
        ("28_VordakaisTomb_Level_2_crop01", ("28 vordakais tomb", ("level 2", "crop01"))),
        ("bm_orb_boat_1_btm", ("bm orb boat 1", ("btm",))),
        ("Inn - Second Floor (72 dpi)", ("inn", ("second floor",))),
        ("Ice Room", ("ice room", ())),
    ],
)
def test_building_is_the_name_without_its_floor(name: str, expected: tuple) -> None:
    """Floor, crop, sheet number and dpi are taken off; what is left names the building."""
    assert building(name) == expected


def test_groups_keep_their_names_when_pictures_join(tmp_path: Path) -> None:
    """Strangers change no group, and a better copy takes the name its map already had."""
    dataset = make_dataset(tmp_path)
    for n in range(6):
        add(dataset, f"{n}.png", painted(n, 96))
    finish(prune(dataset, SMALL))
    before = {row["file"]: row["group"] for row in kept(dataset)}
    for n in range(6, 30):
        add(dataset, f"{n}.png", painted(n, 96))
    for n in range(6):
        add(dataset, f"{n} better.jpg", painted(n, 96).resize((192, 192)))

    finish(prune(dataset, SMALL))

    after = {row["file"]: row["group"] for row in kept(dataset)}
    assert {file: after[file] for file in before} == before
    assert [after[f"pictures/{n} better.jpg"] for n in range(6)] == list(before.values())


def fakes(*names: str) -> list[Picture]:
    return [Picture({"file": f"pictures/{n * 4}.png"}, Features(id=n * 20), None) for n in names]


def tie(one: str, other: str, kind: str = "crop") -> Relation:
    return Relation(one * 20, other * 20, kind)


def test_the_whole_ties_its_parts_together() -> None:
    """Two parts that share nothing are of one group through their whole, and a stranger is not."""
    named = groups(fakes("a", "b", "c", "d"), [tie("b", "a"), tie("b", "c")], {})

    assert named["a" * 20] == named["b" * 20] == named["c" * 20] == "a" * 16
    assert named["d" * 20] == "d" * 16


def test_strangers_that_leave_change_no_name() -> None:
    """Groups keep their names when a stranger, or the picture they were named after, goes."""
    pictures, ties = fakes("a", "b", "c", "d"), [tie("a", "b"), tie("a", "c"), tie("b", "c")]
    before = groups(pictures, ties, {})

    without_stranger = groups(pictures[:3], ties, before)
    without_founder = groups(pictures[1:], ties, before)

    assert without_stranger == {id: before[id] for id in without_stranger}
    assert without_founder == {id: before[id] for id in without_founder}


def test_what_breaks_off_takes_a_name_of_its_own() -> None:
    """When the whole goes, its parts are two groups: one keeps the name, never both."""
    pictures, ties = fakes("a", "b", "c"), [tie("b", "a"), tie("b", "c")]
    before = groups(pictures, ties, {})

    after = groups([pictures[0], pictures[2]], ties, before)

    assert after == {"a" * 20: "a" * 16, "c" * 20: "c" * 16}


def test_two_groups_that_meet_take_the_older_name_of_one() -> None:
    """A relation found later joins two groups under one of their names."""
    pictures = fakes("a", "b", "c", "d")
    before = groups(pictures, [tie("a", "b"), tie("c", "d")], {})

    after = groups(pictures, [tie("a", "b"), tie("c", "d"), tie("b", "c", "floor")], before)

    assert set(after.values()) == {before["a" * 20]}


def test_a_title_of_one_word_is_no_building() -> None:
    """Two taverns are two maps; the levels of one keep are one."""
    titles = {"a": "Tavern", "b": "Tavern", "c": "Old Keep - Level 1", "d": "Old Keep - Level 2"}
    pictures = [
        Picture({"file": f"{id * 3}.png", "title": title}, Features(id=id * 20), None)
        for id, title in titles.items()
    ]

    named = groups(pictures, [], {})

    assert [named[id * 20][0] for id in titles] == ["a", "b", "c", "c"]
