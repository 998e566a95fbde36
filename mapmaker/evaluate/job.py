"""The evaluate stage: a run's checkpoints against the maps its net never saw.

checkpoints/<run>/  evaluation.json evaluation.png nearest.png
"""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mapmaker import __version__
from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.evaluate import randomnet
from mapmaker.evaluate.config import EvaluateConfig
from mapmaker.evaluate.measuring import Found, compare
from mapmaker.evaluate.report import write_curves, write_pairs
from mapmaker.evaluate.stored import Splits, read_splits
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import read_json, sha256_of, write_json
from mapmaker.sample.config import SampleConfig
from mapmaker.sample.painters import torch_painter
from mapmaker.sample.sample import paint
from mapmaker.shards.reader import open_shards
from mapmaker.train.checkpoint import newest_good, step_folders
from mapmaker.train.runs import read_config, read_header
from mapmaker.workspace import Dataset, Workspace

SCHEMA = "mapmaker-evaluation/1"
TABLE, CURVES, PAIRS = "evaluation.json", "evaluation.png", "nearest.png"


def evaluate(workspace: Workspace, run: Path, config: EvaluateConfig) -> Iterator[Event]:
    """Measure the checkpoints of `run` that are asked for against its data set's held-out maps.

    Leaves evaluation.json, evaluation.png and nearest.png in the run. Numbers of other checkpoints
    that were measured alike, at other times, stay. Raises MapmakerError for a run without a
    checkpoint or shards without held-out pictures, UnsafeInput for what is not as it was written,
    BadConfig for too few pictures, MissingPart without what real FID needs.
    """
    if config.inception is not None:
        from mapmaker.evaluate.inception import check_ready

        check_ready(config.inception)
    steps = list(_steps(run, config))
    yield from (step for step in steps if isinstance(step, Note))
    steps = [step for step in steps if isinstance(step, Path)]
    dataset = workspace.existing_dataset(config.dataset or str(read_header(run)["dataset"]))
    size = read_config(run).size
    card = dataset.shards(size) / "card.json"
    splits = read_splits(open_shards(dataset.shards(size)))
    alike = _settings(config, dataset, size, sha256_of(card), splits)
    same = _trained_on(run) == alike["shards_sha256"]
    if not same:
        yield Note(
            f"{run.name} was not trained on these shards of {dataset.name}: its net may have seen "
            "maps that are held out here."
        )
    rows = _rows_before(run, alike)
    row: dict[str, Any] = {}
    for step in steps:
        row = yield from _measure(run, step, splits, config)
        rows = [r for r in rows if r["sha256"] != row["sha256"]] + [row]
    rows.sort(key=lambda r: (r["step"], r["sha256"]))
    write_json(run / TABLE, {**alike, "trained_on_these": same, "checkpoints": rows})
    write_curves(run / CURVES, rows, f"{run.name} on {dataset.name}")
    data = {
        "run": run.name,
        "dataset": dataset.name,
        **row,
        "evaluation": str(run / TABLE),
        "plot": str(run / CURVES),
        "nearest": str(run / PAIRS),
    }
    yield Done("evaluate", _sentence(run.name, row), data)


def _steps(run: Path, config: EvaluateConfig) -> Iterator[Path | Note]:
    """Yield the checkpoints that are meant, oldest first, and a Note for each that is corrupt."""
    newest, warnings = newest_good(run)
    if config.all:
        from mapmaker.train.checkpoint import check_sums

        for step in reversed(step_folders(run)):
            try:
                check_sums(step)
            except UnsafeInput as error:
                yield Note(str(error))
            else:
                yield step
    elif config.checkpoint is None:
        yield from map(Note, warnings)
        yield newest
    else:
        yield _named(run, config)


def _named(run: Path, config: EvaluateConfig) -> Path:
    kept = {int(step.name[5:]): step for step in step_folders(run)}
    number = config.step()
    if number is None:
        best = run / "best"
        number = int(best.read_text().strip()[5:]) if best.is_file() else -1
    if number not in kept:
        raise MapmakerError(
            f"{run.name} has no checkpoint {config.checkpoint}.",
            hint=f"It still has the steps {', '.join(map(str, sorted(kept)))}.",
        )
    return kept[number]


def _settings(
    config: EvaluateConfig, dataset: Dataset, size: int, shards: str, splits: Splits
) -> dict[str, Any]:
    """Return what numbers must have in common to stand in one table."""
    weights = sha256_of(config.inception) if config.inception else None
    return {
        "schema": SCHEMA,
        "mapmaker": __version__,
        "dataset": dataset.name,
        "size": size,
        "shards_sha256": shards,
        "train": {"pictures": len(splits.train), "maps": len(np.unique(splits.groups))},
        "held_out": {"pictures": len(splits.held_out), "maps": splits.held_out_maps},
        "n": config.n,
        "seed": config.seed,
        "feature_net": f"{randomnet.NAME}; seeds 0 to {randomnet.NETS - 1}",
        "inception_sha256": weights,
    }


def _rows_before(run: Path, alike: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured before with the same settings; a damaged table counts for none."""
    try:
        before = read_json(run / TABLE)
    except (FileNotFoundError, UnsafeInput):
        return []
    if not isinstance(before, dict) or any(before.get(k) != v for k, v in alike.items()):
        return []
    rows = before.get("checkpoints")
    return [row for row in rows if _good_row(row)] if isinstance(rows, list) else []


def _good_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("metrics"), dict):
        return False
    numbers = [row.get("step"), row.get("kimg"), *row["metrics"].values()]
    whole = all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
    return whole and isinstance(row.get("sha256"), str)


def _trained_on(run: Path) -> str:
    """Return the sha256 of the shards' card that the run recorded, "" where it recorded none."""
    path = run / "data.json"
    found = read_json(path) if path.is_file() else None
    return str(found.get("card_sha256", "")) if isinstance(found, dict) else ""


def _measure(
    run: Path, step: Path, splits: Splits, config: EvaluateConfig
) -> Generator[Event, None, dict[str, Any]]:
    """Paint and measure one checkpoint; returns its row (the generator's value)."""
    begun = time.monotonic()
    painter = torch_painter(run, SampleConfig(), step=step)
    facts = painter.facts
    seeds = range(config.seed, config.seed + config.n)
    side = int(facts["size"])
    ours = np.empty((config.n, side, side, 3), np.uint8)
    for number, seed in enumerate(seeds):
        yield Step("evaluate", number, config.n + 1, "pictures", step.name)
        ours[number] = np.asarray(paint(painter, seed, 1.0))
    yield Step("evaluate", config.n, config.n + 1, "pictures", f"{step.name}, measuring")
    found = compare(
        ours,
        splits.train,
        splits.held_out,
        seed=config.seed,
        cell_px=splits.cell_px,
        groups=splits.groups,
        weights=config.inception,
    )
    write_pairs(run / PAIRS, ours, splits.train, found.nearest, seeds)
    yield Step("evaluate", config.n + 1, config.n + 1, "pictures", step.name)
    return {
        "step": facts["step"],
        "kimg": facts["kimg"],
        "sha256": facts["sha256"],
        "metrics": {k: round(v, 6) for k, v in found.metrics.items()},
        "copies": _copies(found, seeds, splits),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _copies(found: Found, seeds: Sequence[int], splits: Splits) -> list[dict[str, Any]]:
    """Return which seeds gave a copy, and of what: the picture's sha256 and its map."""
    near, train = found.nearest, splits.train
    sums, maps = train.shards.column("sha256"), train.shards.column("map_id")
    rows = []
    for which in np.flatnonzero(near.copied).tolist():
        place = train.places[near.place[which]]
        ratio = near.distance[which] / max(near.second[which], 1e-9)
        rows.append(
            {
                "seed": seeds[which],
                "ratio": round(float(ratio), 3),
                "picture": sums[place].tobytes().hex(),
                "map_id": str(maps[place]),
            }
        )
    return rows


def _sentence(name: str, row: dict[str, Any]) -> str:
    metrics = row["metrics"]
    parts = [
        f"{key} {metrics[key]:.3g} (floor {metrics[f'{key}_floor']:.3g})"
        for key in ("swd_mean", "rkid", "coverage")
    ]
    parts.append(f"MS-SSIM {metrics['ms_ssim']:.2f} (reals {metrics['ms_ssim_real']:.2f})")
    copies = f"{len(row['copies'])} of {metrics['n_ours']:.0f} pictures are near copies"
    return f"{name} at {row['kimg']:.1f} kimg: {', '.join(parts)}; {copies}."
