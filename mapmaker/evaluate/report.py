"""What a person looks at: the curves over a run's checkpoints, and copies beside what they copy."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from mapmaker.evaluate.memorise import Nearest, thumbs
from mapmaker.evaluate.pictures import Images, Pictures, eight
from mapmaker.files import write_atomic
from mapmaker.sheet import sheet
from mapmaker.train.plot import Panels, write_plot

PAIRS = 24
_COLUMNS, _CELL_PX = 6, 160
# Okabe and Ito's colours, as in a run's losses.png.
_PANELS: Panels = (
    (
        "sliced Wasserstein distance x1000",
        (("swd_mean", "generated", "#d55e00"), ("swd_mean_floor", "floor", "#0072b2")),
    ),
    (
        "random-net KID x1000",
        (
            ("rkid", "generated", "#d55e00"),
            ("rkid_train", "to training", "#cc79a7"),
            ("rkid_floor", "floor", "#0072b2"),
        ),
    ),
    (
        "neighbourhoods",
        (
            ("precision", "precision", "#009e73"),
            ("recall", "recall", "#56b4e9"),
            ("coverage", "coverage", "#d55e00"),
            ("coverage_floor", "coverage's floor", "#0072b2"),
        ),
    ),
    (
        "alike, or copied",
        (
            ("ms_ssim", "MS-SSIM", "#d55e00"),
            ("ms_ssim_real", "of reals", "#0072b2"),
            ("memorised_share", "copies", "#cc79a7"),
        ),
    ),
)


def write_curves(path: Path, rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Draw the metrics of a run's checkpoints (rows with kimg and metrics) over kimg, as PNG."""
    flat = [{"kimg": row["kimg"], **row["metrics"]} for row in rows]
    write_plot(path, sorted(flat, key=lambda row: row["kimg"]), title, _PANELS)


def write_pairs(
    path: Path, ours: Images, train: Pictures, nearest: Nearest, seeds: Sequence[int]
) -> None:
    """Write the pictures that are nearest to a training picture, each beside it, as PNG.

    The most suspicious first: by the distance to it, as a share of that to the next map. The
    training picture is turned as ours is.
    """
    ratio = nearest.distance / np.maximum(nearest.second, 1e-9)
    images, labels = [], []
    for which in np.argsort(ratio, kind="stable")[:PAIRS]:
        images += [ours[which], _turned_like(ours[which], train[nearest.place[which]])]
        mark = " copy" if nearest.copied[which] else ""
        labels += [f"seed {seeds[which]}", f"{ratio[which]:.2f}{mark}"]
    data = BytesIO()
    sheet(images, columns=_COLUMNS, cell_px=_CELL_PX, labels=labels).save(data, "PNG")
    write_atomic(path, data.getvalue())


def _turned_like(ours: Images, real: Images) -> Images:
    views = np.stack(eight(real))
    far = ((thumbs(views) - thumbs(ours[None])) ** 2).sum(axis=(1, 2, 3))
    return np.ascontiguousarray(views[far.argmin()])
