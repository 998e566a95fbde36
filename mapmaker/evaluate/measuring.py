"""All metrics at once: one flat table of numbers for one set of pictures."""

from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import BadConfig
from mapmaker.evaluate import gridphase, memorise, sliced
from mapmaker.evaluate.kernel import kernel_distance
from mapmaker.evaluate.lattice import PERIODS_PX, lattice_share
from mapmaker.evaluate.likeness import mean_likeness
from mapmaker.evaluate.neighbours import neighbourhoods
from mapmaker.evaluate.pictures import LEAST, Images, check, own_order, without_views
from mapmaker.evaluate.randomnet import NETS, features, random_net, standardised

MOST = 512  # pictures a set, of which distances are measured; all training pictures are searched
PARTS = 4  # of the larger sets are compared with the smallest, and averaged


def measure(
    ours: Images,
    train: Images,
    held_out: Images,
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
    for name, images in (("generated", ours), ("training", train), ("held-out", held_out)):
        check(name, images)
    if len({images.shape[1] for images in (ours, train, held_out)}) > 1:
        sides = f"{ours.shape[1]}, {train.shape[1]}, {held_out.shape[1]}"
        raise BadConfig(f"The pictures' sides differ: {sides} px.", hint="Give equal sizes.")
    train_order = without_views(train, own_order(train, seed))
    held_order = without_views(held_out, own_order(held_out, seed))
    for name, order in (("training", train_order), ("held-out", held_order)):
        check(name, train[order[:LEAST]])
    maps = _maps(train_order, groups)
    few = [ours[own_order(ours, seed)[:MOST]]]
    few += [train[train_order[:MOST]], held_out[held_order[:MOST]]]
    return {
        "n": float(min(map(len, few))),
        "n_ours": float(len(ours)),
        "n_train": float(len(train_order)),
        "n_held_out": float(len(held_order)),
        **_sliced(few, seed),
        **_featured(few),
        "ms_ssim": mean_likeness(few[0], seed=seed),
        "ms_ssim_real": mean_likeness(few[1], seed=seed),
        **_copied(few[0], train, few[2], maps),
        **_lattices(few[0], few[1]),
        **_grid(few[0], few[1], cell_px),
    }


def _maps(
    order: NDArray[np.int64], groups: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the training pictures that are searched and the source map of each."""
    told = order if groups is None else np.asarray(groups)[order]
    if len(np.unique(told)) < 2:
        raise BadConfig(
            "All training pictures are of one source map.", hint="Two maps at least are needed."
        )
    return order, told


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


def _copied(
    ours: Images,
    train: Images,
    held_out: Images,
    maps: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> dict[str, float]:
    """Return how near ours and the held-out pictures come to a training picture."""
    order, groups = maps
    known = memorise.thumbs(train[order])
    mine, theirs = (
        memorise.nearest(memorise.thumbs(images), known, groups) for images in (ours, held_out)
    )
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
