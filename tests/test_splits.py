"""No map is on both sides: whatever the groups, the seed, the share and the order."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from prune_pictures import add, make_dataset, painted

from mapmaker.events import finish
from mapmaker.files import read_lines
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.prune import prune
from mapmaker.shards.config import PackConfig
from mapmaker.shards.crops import Crop
from mapmaker.shards.deal import FEW_GROUPS, deal_samples, deal_shards, held_out
from mapmaker.shards.pack import pack
from mapmaker.shards.source import Picture

TRIALS = 1000


def pictures(rng: np.random.Generator, count: int, maps: int) -> list[Picture]:
    """Return pictures of `maps` maps, some of many floors and copies, most of one."""
    groups = np.minimum(rng.geometric(min(1.0, 2 / maps), count), maps)
    found = []
    for group in groups:
        id = rng.bytes(32).hex()
        found.append(Picture(id, f"/x/{id}.png", f"map-{group}", f"g{group}", None))
    return found


def dealt(found: list[Picture], config: PackConfig) -> dict[str, set[str]]:
    """Return the splits each group came to be in, by way of real samples and shards."""
    crops = {p.id: [Crop(n, 0.0, 0.0, 64.0, 0) for n in range(1 + ord(p.id[0]) % 3)] for p in found}
    samples = deal_samples(sorted(found, key=lambda p: p.id), crops, config)
    held = held_out([s.picture.group for s in samples], config.held_out)
    jobs = deal_shards(Path("/x"), samples, held, config, {}, again=False)
    assert sum(len(job.samples) for job in jobs) == len(samples)
    splits = defaultdict(set)
    for job in jobs:
        for sample in job.samples:
            splits[sample.picture.group].add(job.split)
    return splits


def test_no_group_spans_two_splits_in_a_thousand_random_trials():
    """Random groups, shares, seeds, shard sizes and symmetries; every group is on one side."""
    rng = np.random.default_rng(0)
    both = held = 0

    for _ in range(TRIALS):
        count = int(rng.integers(1, 30))
        found = pictures(rng, count, maps=int(rng.integers(1, 2 + count)))
        config = PackConfig(
            size=32,
            squares=4,
            seed=int(rng.integers(2**31)),
            held_out=float(rng.uniform(0, 0.6)),
            augment=str(rng.choice(["none", "mirror", "d4"])),
            views=int(rng.integers(1, 4)),
            shard_mb=float(rng.choice([0.01, 0.05, 10])),
        )
        splits = dealt(found, config)
        assert all(len(sides) == 1 for sides in splits.values())
        if len(splits) >= FEW_GROUPS and config.held_out > 0:
            sides = set.union(*splits.values())
            both += sides == {"train", "held-out"}
            held += 1

    assert held > 100 and both > 0.9 * held  # the trials do hold something out


def test_copies_of_a_map_stay_on_its_side(tmp_path):
    """The real way once: turned, mirrored and saved anew, all that is kept of a map is together."""
    dataset = make_dataset(tmp_path)
    for seed in range(12):
        image = painted(seed, 128)
        add(dataset, f"{seed}-a.png", image)
        add(dataset, f"{seed}-b.jpg", image.transpose(Image.Transpose.ROTATE_90))
        add(dataset, f"{seed}-c.png", image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))
    finish(pack(dataset, PackConfig(size=32, squares=4, engine="serial", held_out=0.3)))

    lines = read_lines(dataset.shards(32) / "samples.jsonl")
    sides = defaultdict(set)
    for line in lines:
        sides[line["file"].split("/")[1].split("-")[0]].add(line["split"])

    assert len({line["picture"] for line in lines}) == 36 and len(sides) == 12
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "held-out"}


def test_new_pictures_move_no_map_to_the_other_side():
    """Adding maps to 200 random sets leaves every lot as it was, but for the one held in need."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        before = [f"g{n}" for n in rng.choice(10_000, int(rng.integers(10, 60)), replace=False)]
        more = [f"n{n}" for n in rng.choice(10_000, int(rng.integers(1, 60)), replace=False)]

        first, later = held_out(before, 0.2), held_out(before + more, 0.2)

        assert later & set(before) <= first
        assert len(first - later) <= 1


def test_order_and_repetition_do_not_matter():
    """The same groups in any order, named any number of times, are held out alike."""
    rng = np.random.default_rng(2)
    groups = [f"g{n}" for n in range(40)]
    wanted = held_out(groups, 0.25)

    for _ in range(20):
        mixed = list(rng.permutation(groups * int(rng.integers(1, 4))))
        assert held_out(mixed, 0.25) == wanted
    assert 0 < len(wanted) < 25
