"""All metrics at once: one flat table of numbers for one set of pictures."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import BadConfig
from mapmaker.evaluate import gridphase, sliced
from mapmaker.evaluate.config import LEAST
from mapmaker.evaluate.kernel import kernel_distance
from mapmaker.evaluate.lattice import PERIODS_PX, lattice_share
from mapmaker.evaluate.likeness import mean_likeness
from mapmaker.evaluate.memorise import Nearest, nearest, thumbs
from mapmaker.evaluate.neighbours import neighbourhoods
from mapmaker.evaluate.pictures import (
    Images,
    Pictures,
    check,
    own_order,
    without_views,
)
from mapmaker.evaluate.randomnet import NETS, features, random_net, standardised

MOST, MOST_BYTES = 512, 600_000_000  # a set; but all training pictures are searched for copies
PARTS = 4  # of the larger sets are compared with the smallest, and averaged


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers, and for each of our pictures its nearest training picture (place: its index)."""

    metrics: dict[str, float]
    nearest: Nearest


def measure(
    ours: Images,
    train: Pictures,
    held_out: Pictures,
    *,
    seed: int = 0,
    cell_px: float | None = None,
    groups: NDArray[np.int64] | None = None,
) -> dict[str, float]:
    """Return every metric of `ours`, generated pictures of a net that learned from `train`.

    All are uint8 (N, S, S, 3), S 32 to 1024, any N from 8 on. `held_out` must show other source
    maps than `train`: it is what ours are compared with, and `*_floor` is how train compares, at
    equal counts: no net can be expected to be better. cell_px is the side of a square, looked for
    in train when left out; groups is each training picture's source map, without which every crop
    counts as a map of its own. Turned and mirrored views count once, whichever.

    The same pictures in any order, with the same seed, give the same numbers to the last bit.
    Raises BadConfig for pictures that cannot be measured.
    """
    return compare(ours, train, held_out, seed=seed, cell_px=cell_px, groups=groups).metrics


def compare(
    ours: Images,
    train: Pictures,
    held_out: Pictures,
    *,
    seed: int = 0,
    cell_px: float | None = None,
    groups: NDArray[np.int64] | None = None,
    weights: Path | None = None,
) -> Found:
    """Return what `measure` does, and which training picture is nearest to each of ours.

    weights is a file of Inception's, for real FID and KID beside the rest.
    """
    for name, images in (("generated", ours), ("training", train), ("held-out", held_out)):
        check(name, images)
    if len({images.shape[1] for images in (ours, train, held_out)}) > 1:
        sides = f"{ours.shape[1]}, {train.shape[1]}, {held_out.shape[1]}"
        raise BadConfig(f"The pictures' sides differ: {sides} px.", hint="Give equal sizes.")
    orders = [own_order(ours, seed)]
    for name, images in (("training", train), ("held-out", held_out)):
        orders.append(without_views(images, own_order(images, seed)))
        check(name, images[orders[-1][:LEAST]])
    maps = orders[1] if groups is None else np.asarray(groups)[orders[1]]
    if len(np.unique(maps)) < 2:
        raise BadConfig(
            "All training pictures are of one source map.", hint="Two maps at least are needed."
        )
    most = min(MOST, MOST_BYTES // (3 * ours.shape[1] ** 2))
    few = [i[order[:most]] for i, order in zip((ours, train, held_out), orders, strict=True)]
    known = thumbs(train, orders[1])
    mine = nearest(thumbs(ours, orders[0]), known, maps)
    theirs = nearest(thumbs(held_out, orders[2]), known, maps)
    metrics = {
        "n": float(min(map(len, few))),
        "n_ours": float(len(ours)),
        "n_train": float(len(orders[1])),
        "n_held_out": float(len(orders[2])),
        **_sliced(few, seed),
        **_featured(few),
        **_learned(few, weights),
        "ms_ssim": mean_likeness(few[0], seed=seed),
        "ms_ssim_real": mean_likeness(few[1], seed=seed),
        **_copied(mine, theirs),
        **_lattices(few[0], few[1]),
        **_grid(few[0], few[1], cell_px),
    }
    back = np.argsort(orders[0])
    as_given = Nearest(orders[1][mine.place[back]], mine.distance[back], mine.second[back])
    return Found(metrics, as_given)


def _parts(items: Any, count: int) -> list[Any]:
    """Return up to PARTS stretches of `count` items each."""
    return [items[i * count : (i + 1) * count] for i in range(min(PARTS, len(items) // count))]


def _mean(tables: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of every number over tables of the same keys."""
    return {key: fmean(table[key] for table in tables) for key in tables[0]}


def _sliced(few: list[Images], seed: int) -> dict[str, float]:
    """Return swd_*: ours, and as swd_*_floor the training pictures, by the held-out ones."""
    count = min(sliced.MOST, *map(len, few))
    most = max(count, sliced.MOST)
    ours, train = (_parts(images[:most], count) for images in few[:2])
    cut = [sliced.patches(part, seed) for part in (*ours, *train, few[2][:count])]
    found = sliced.distances(cut[:-1], cut[-1], few[0].shape[1], seed)
    return _mean(found[: len(ours)]) | _as_floor(_mean(found[len(ours) :]))


def _featured(few: list[Images]) -> dict[str, float]:
    """Return rkid*, precision, recall, density and coverage, each with its floor."""
    found = [_by_net(few, number) for number in range(NETS)]
    kernels = ("rkid", "rkid_floor", "rkid_train")
    table = {key: median(f[key] for f in found) for key in kernels}
    for key in ("rkid", "rkid_floor"):
        values = [f[key] for f in found]
        table[f"{key}_spread"] = max(values) - min(values)
    return _mean(found) | table


def _by_net(few: list[Images], number: int) -> dict[str, float]:
    net = random_net(number)
    plain = [features(images, net) for images in few]
    ours, train, held = standardised(plain[1], *plain)
    count = min(map(len, few))
    mine, theirs = (
        _mean([neighbourhoods(part, held[:count]) for part in _parts(each, count)])
        for each in (ours, train)
    )
    return {
        "rkid": kernel_distance(ours, held),
        "rkid_floor": kernel_distance(train, held),
        "rkid_train": kernel_distance(ours, train),
        **mine,
        **_as_floor(theirs),
    }


def _learned(few: list[Images], weights: Path | None) -> dict[str, float]:
    if weights is None:
        return {}
    from mapmaker.evaluate.inception import inception_distances

    return inception_distances(*few, weights=weights)


def _copied(mine: Nearest, theirs: Nearest) -> dict[str, float]:
    """Return how near ours and the held-out pictures come to a training picture."""
    near, usual = float(np.median(mine.distance)), float(np.median(theirs.distance))
    return {
        "nearest": near,
        "nearest_held_out": usual,
        "nearest_ratio": near / max(usual, 1e-9),
        "memorised_share": float(mine.copied.mean()),
        "memorised_share_held_out": float(theirs.copied.mean()),
    }


def _lattices(ours: Images, reals: Images) -> dict[str, float]:
    table = {}
    for period in PERIODS_PX:
        table[f"lattice_{period}"] = lattice_share(ours, period)
        table[f"lattice_{period}_real"] = lattice_share(reals, period)
    return table


def _grid(ours: Images, reals: Images, cell_px: float | None) -> dict[str, float]:
    """Return how clear the grid is at its place, midway between, and both for the reals."""
    mine, theirs = gridphase.line_profiles(ours), gridphase.line_profiles(reals)
    cell = cell_px or gridphase.likely_cell_px(theirs)
    return {
        "grid_cell_px": float(cell),
        "grid_phase": gridphase.comb(mine, cell),
        "grid_phase_real": gridphase.comb(theirs, cell),
        "grid_midway": gridphase.comb(mine, cell, 0.5),
        "grid_midway_real": gridphase.comb(theirs, cell, 0.5),
    }


def _as_floor(table: dict[str, float]) -> dict[str, float]:
    return {f"{key}_floor": value for key, value in table.items()}
