"""What a big data set needs: a join that misses nothing, and memory that does not grow."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from prune_pictures import add, make_dataset, painted

from mapmaker.events import finish
from mapmaker.prune import buckets, join, weighing
from mapmaker.prune.catalogue import Catalogue, together
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.features import VERSION, Features
from mapmaker.prune.join import allowed, components, diameter, near, near_pairs
from mapmaker.prune.kept import features_of, kept
from mapmaker.prune.prune import prune
from mapmaker.prune.store import FeatureStore

MANY = 3_000  # beyond what is compared each with each


def hashes(count: int, orientations: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, (count, orientations), dtype=np.uint64)


def plant(kind: np.ndarray, bits: int, seed: int) -> tuple[int, int, int, int]:
    """Make one picture a copy of another, turned and `bits` apart; return what must be found."""
    rng = np.random.default_rng(seed)
    one, other = sorted(rng.choice(len(kind), 2, replace=False).tolist())
    orientation = int(rng.integers(kind.shape[1]))
    flipped = sum(1 << int(bit) for bit in rng.choice(64, bits, replace=False))
    kind[other, orientation] = kind[one, 0] ^ np.uint64(flipped)
    return one, other, bits, orientation


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 6, 8])
def test_the_join_finds_what_comparing_each_with_each_finds(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both hashes in all orientations, bands and plain comparison agree to the pair."""
    kinds = [hashes(MANY, seed=1), hashes(MANY, seed=2)]
    for seed in range(60):
        plant(kinds[seed % 2], seed % (limit + 3), seed)

    banded = list(near(kinds, limit))

    monkeypatch.setattr(join, "_FEW", MANY)
    assert banded == list(near(kinds, limit))
    assert len(banded) > 15


def test_the_join_misses_none_of_the_planted_pairs() -> None:
    """Of 50,000 upright hashes every pair planted within the limit is found, as it was planted."""
    kind = hashes(50_000, 1)
    wanted = {plant(kind, seed % 4, seed) for seed in range(200)}

    found = set(near_pairs(kind[:, 0], 3))

    assert wanted <= found
    assert len(found) < len(wanted) + 5


def test_a_crowd_of_equal_hashes_hangs_together_without_all_its_pairs() -> None:
    """Two thousand equal hashes among others are one component of a few thousand pairs."""
    kind = hashes(5_000)
    kind[1_000:3_000] = kind[1_000]

    found = near([kind], 3)

    tops = components(len(kind), zip(found.one, found.other, strict=True))
    assert set(tops[1_000:3_000]) == {1_000}
    assert len(found) < 10_000


def test_too_full_a_bucket_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not everything could be compared, the result says so in words."""
    monkeypatch.setattr(buckets, "BUCKET", 64)
    kind = hashes(MANY, 1)
    kind &= np.uint64(2**63 - 2**20)

    assert "may be missed" in " ".join(near([kind], 3).warnings)
    assert not near([hashes(MANY, 1)], 3).warnings


@pytest.mark.parametrize("few", [0, MANY])
def test_hashes_of_one_owner_are_not_paired(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture's own keys are like each other; only those of two pictures are pairs."""
    monkeypatch.setattr(join, "_FEW", few)
    kind = np.repeat(hashes(MANY // 10, 1), 10, axis=0)
    kind[25] = kind[47] = kind[3]

    found = list(near([kind], 2, np.arange(MANY) // 10))

    assert {(i // 10, j // 10) for i, j, _, _ in found} == {(0, 2), (0, 4), (2, 4)}


def test_what_everybody_has_says_nothing_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of a tile that hundreds use are left out; those that two share are found all the same.

    However few pairs are held at a time, they are the same pairs.
    """
    kind = hashes(MANY, 1)
    kind[1_000:2_500] = kind[0] ^ (np.uint64(1) << np.arange(1_500, dtype=np.uint64)[:, None] % 64)
    kind[2_600] = kind[2_700]
    owners = np.arange(MANY)

    found = list(near([kind], 2, owners, most=20))
    monkeypatch.setattr(buckets, "_MEET", 500)
    monkeypatch.setattr(join, "_MANY", 10)

    assert (2_600, 2_700, 0, 0) in found
    assert len(found) < 1_500 * 20 < len(near([kind], 2, owners))
    assert list(near([kind], 2, owners, most=20)) == found


def test_hashes_that_say_nothing_are_near_nothing() -> None:
    """Empty sheets, all of whose bits are alike, are left out instead of paired with each other."""
    kind = hashes(100, 1)
    kind[:50] = np.arange(50, dtype=np.uint64)[:, None] % 4

    assert not list(near_pairs(kind, 4))


def test_the_limit_shrinks_as_the_data_set_grows() -> None:
    """What is near among a thousand pictures is chance among a million."""
    assert [allowed(12, count) for count in (360, 1_000, 10_000, 100_000, 10**6, 10**8)] == [
        12, 10, 8, 6, 4, 3,
    ]  # fmt: skip
    assert allowed(2, 360) == allowed(2, 10**8) == 2


def test_components_are_those_of_all_links() -> None:
    """Whatever the order of the links, members hang on the smallest of their component."""
    links = [(5, 3), (8, 9), (3, 1), (9, 5), (2, 4)]

    assert components(10, links).tolist() == [0, 1, 2, 1, 2, 1, 6, 7, 1, 1]
    assert components(10, links[::-1]).tolist() == components(10, links).tolist()


def test_the_diameter_of_a_chain_is_wider_than_its_links() -> None:
    """Ten pictures, each three bits from the next, lie 27 bits apart at the ends."""
    steps = [sum(7 << 3 * n for n in range(m)) for m in range(10)]
    kind = hashes(1, 1)[0] ^ np.array(steps, np.uint64)

    assert diameter([kind], range(10)) == 27
    assert diameter([kind, np.repeat(kind[:1], 10)], range(10)) == 0


def test_parts_never_part_what_hangs_together() -> None:
    """Every index is in one part, beside all of its component, and parts are as small as may be."""
    tops = components(40, [(n, n + 5) for n in range(25)])

    parts = list(together(tops, 6))

    assert sorted(index for part in parts for index in part) == list(range(40))
    assert all(
        len({n for n, p in enumerate(parts) for i in p if tops[i] == top}) == 1 for top in tops
    )
    assert [len(part) for part in parts] == [6] * 5 + [6, 4]


def test_judging_in_small_parts_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether pictures are weighed at once or a few at a time, all is said of them alike."""
    found = []
    for part in (500, 1):
        monkeypatch.setattr(weighing, "PART", part)
        dataset = make_dataset(tmp_path / str(part))
        for n in range(12):
            add(dataset, f"{n}.png", painted(n % 8, 80 + n), map_id=f"map {n // 2}")
        finish(prune(dataset, PruneConfig(min_side_px=32)))
        with closing(features_of(dataset)) as store, Decisions(dataset.decisions) as decisions:
            found.append((store.suggestions(), decisions.groups()))

    assert found[0] == found[1]
    assert len(found[0][0]) >= 4


def test_a_group_that_falls_apart_keeps_its_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When what tied two pictures goes, one keeps the group's name and the other has a new one."""
    monkeypatch.setattr(weighing, "PART", 1)
    dataset = make_dataset(tmp_path)
    for n in range(2):
        add(dataset, f"{n}.png", painted(n, 80), map_id="the tower")
    finish(prune(dataset, PruneConfig(min_side_px=32)))
    before = [row["group"] for row in kept(dataset)]
    dataset.manifest.write_text(dataset.manifest.read_text().replace('"the tower"', "null", 1))

    finish(prune(dataset, PruneConfig(min_side_px=32)))

    after = [row["group"] for row in kept(dataset)]
    assert before[0] == before[1]
    assert after[0] != after[1]
    assert before[0] in after


def test_a_title_that_every_map_bears_names_none(tmp_path: Path) -> None:
    """Thirty maps called `preview` are thirty groups; two floors of one keep are one."""
    dataset = make_dataset(tmp_path)
    for n in range(30):
        add(dataset, f"{n}.png", painted(n, 40), title="Preview")
    for n, floor in enumerate(("upper level", "cellar"), 30):
        add(dataset, f"{n}.png", painted(n, 40), title=f"Old Keep, {floor}")

    finish(prune(dataset, PruneConfig(min_side_px=32)))

    groups = [row["group"] for row in kept(dataset)]
    assert len(set(groups[:30])) == 30
    assert groups[30] == groups[31]


def test_a_group_stays_when_the_data_set_outgrows_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy found while more bits were allowed stays one when strangers make the limit shrink."""
    dataset = make_dataset(tmp_path)
    page = painted(1, 200)
    add(dataset, "a.png", page)
    add(dataset, "b.png", page.crop((6, 6, 200, 200)))
    config = PruneConfig(min_side_px=32)
    finish(prune(dataset, config))
    before = {row["file"]: row["group"] for row in kept(dataset)}
    monkeypatch.setattr(join, "ALLOWED", ())
    monkeypatch.setattr(join, "BEYOND", 0)
    add(dataset, "c.png", painted(2, 200))

    finish(prune(dataset, config))

    after = {row["file"]: row["group"] for row in kept(dataset)}
    assert len(set(before.values())) == 1
    assert before.items() < after.items()


def test_the_catalogue_reads_rows_where_they_stand(tmp_path: Path) -> None:
    """Rows come back by index in the manifest's order; the first row of the same bytes counts."""
    dataset = make_dataset(tmp_path)
    for file in ("b.png", "a.png"):
        add(dataset, file, painted(1, 24), title="Höhle")
    ids = [add(dataset, f"{n}.png", painted(n, 24)) for n in range(2, 7)]

    catalogue = Catalogue(dataset)

    assert len(catalogue) == 6
    assert [row["file"][9:] for _, row in catalogue.rows(range(6))][:2] == ["b.png", "2.png"]
    assert all(catalogue.id(index) == row["id"] for index, row in catalogue.rows(range(6)))
    assert len(catalogue.indices([*ids, "0" * 64, "f" * 64])) == 5


def test_what_is_held_of_a_picture_is_small_whatever_its_row_says(tmp_path: Path) -> None:
    """Rows of two kilobytes each are held in some two hundred bytes each."""
    dataset, count = make_dataset(tmp_path), 3_000
    with dataset.manifest.open("w") as manifest:
        for n in range(count):
            row = {"id": f"{n:064x}", "file": f"pictures/{n}.png", "words": "x " * 1_000}
            manifest.write(json.dumps(row) + "\n")
    tracemalloc.start()

    catalogue = Catalogue(dataset)

    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(catalogue) == count
    assert held < 300 * count
    assert most < 900 * count


def some_features(count: int) -> Iterator[tuple[Features, bool]]:
    values = hashes(2 * count)
    for n in range(count):
        p, d = ([f"{int(v):016x}" for v in values[2 * n + k]] for k in (0, 1))
        yield (
            Features(
                id=f"{n:064x}", width=n + 1, phash=tuple(p), dhash=tuple(d), thumb=b"x" * 1024
            ),
            n % 10 != 0,
        )


def test_the_store_gives_back_what_it_was_given_page_by_page(tmp_path: Path) -> None:
    """More rows than a page come back whole, in order, and hashes as two arrays of eight."""
    store = FeatureStore(tmp_path / "features.db")
    given = [features for features, _ in some_features(1_203)]
    store.keep_all(some_features(1_203))

    ids, phash, dhash = store.hashes()

    assert list(store.each()) == given
    assert store.some([given[7].id, "unknown"]) == {given[7].id: given[7]}
    assert len(store.known_ids()) == 1_203 - 121
    assert [id.decode() for id in ids] == [features.id for features in given]
    assert f"{int(phash[5, 3]):016x}" == given[5].phash[3]
    assert f"{int(dhash[1_202, 7]):016x}" == given[1_202].dhash[7]
    store.close()


def test_the_store_forgets_relations_of_another_version(tmp_path: Path) -> None:
    """What two pictures are to each other is asked again when the answer may have changed."""
    store = FeatureStore(tmp_path / "features.db")
    found = [(a, b, {"kind": "crop"} if a == "a" else {}) for a, b in combinations("abc", 2)]
    store.keep_relations(found, "1")

    asked = [("a", "c"), ("b", "c"), ("c", "d")]

    assert list(store.known_relations(asked, "1")) == [{"kind": "crop"}, {}, None]
    assert list(store.known_relations(asked, "2")) == [None] * 3
    assert list(store.relations()) == found[:2]
    store.close()


def test_a_file_of_an_older_layout_is_measured_again(tmp_path: Path) -> None:
    """Features are a cache: a file this version cannot read costs time, not an error."""
    import sqlite3

    with sqlite3.connect(tmp_path / "features.db") as old:
        old.execute("CREATE TABLE features (id TEXT PRIMARY KEY, version, lasting, data, thumb)")
        old.execute("INSERT INTO features VALUES ('a', ?, 1, '{}', x'00')", (VERSION,))
    old.close()

    store = FeatureStore(tmp_path / "features.db")

    assert store.all() == {}
    store.keep_all(some_features(2))
    assert len(store.all()) == 2
    store.close()


def test_no_hashes_are_no_pairs() -> None:
    """A data set of broken pictures alone has no hashes, and nothing to compare."""
    found = near([np.empty((0, 8), np.uint64), np.empty(0, np.uint64)], 8)

    assert len(found) == 0
