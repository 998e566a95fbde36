"""What the shards are made of: every picture that is whole and not dropped, with group and grid."""

from contextlib import closing
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.prune.consent import Consent
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.priors import choose_grid
from mapmaker.prune.quarantine import locate
from mapmaker.prune.store import Features, FeatureStore
from mapmaker.scrape.tombstones import Tombstones
from mapmaker.workspace import Dataset


def features_of(dataset: Dataset) -> FeatureStore:
    """Open what was measured of a data set."""
    return FeatureStore(dataset.root / "features.db")


def kept(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the manifest rows that decode and are not dropped, in the manifest's order.

    Undecided counts as kept; of several files with the same bytes only the first is in. Each row
    has more keys: `group` (pictures of one map share it: split by it), `grid` ({cell_px, phase
    [x, y], source: layout, name or picture} or None), `has_text` (no view may turn or mirror it)
    and `light` (the direction its shadows fall [degrees], or None). Measures nothing: raises
    MapmakerError when a picture was not measured yet, or lies in dropped/ without being dropped.
    What `refused` names is never in, whatever a person or a rule decided.
    """
    rows, no = dataset.rows(), refused(dataset)
    if not (dataset.root / "features.db").exists():
        raise _unready(dataset, len(rows))
    with closing(features_of(dataset)) as store, Decisions(dataset.decisions) as decisions:
        features, marks, groups = store.all(), decisions.all(), decisions.groups()
    if missing := [r for r in rows if r["id"] not in features or r["id"] not in groups]:
        raise _unready(dataset, len(missing))
    chosen: dict[str, dict[str, Any]] = {}
    for row in rows:
        mark, seen = marks.get(row["id"]), features[row["id"]]
        if seen.problem or (mark and mark.state == "drop") or row["id"] in chosen:
            continue
        if row["id"] in no:
            continue
        path = dataset.root / row["file"]
        if not path.exists():
            raise _away(dataset, row, locate(dataset, row).exists())
        grid = choose_grid(path, row.get("title"), (seen.width, seen.height), seen.grid)
        has_text, light = _signs(seen)
        known = {"group": groups[row["id"]], "grid": grid, "has_text": has_text, "light": light}
        chosen[row["id"]] = {**row, **known}
    return list(chosen.values())


def refused(dataset: Dataset) -> dict[str, str]:
    """Return why a picture must not be learnt from, by the id of each the manifest lists.

    A reason begins with `removed` (somebody asked for it, or it is a copy of such a picture) or
    with `opted out`. Opens a file only to tell a copy, or where an old manifest says too little.
    """
    stones, consent = Tombstones.of(dataset), Consent(dataset)
    found: dict[str, str] = {}
    for _, row in dataset.each_row() if dataset.manifest.exists() else ():
        if row["id"] in found:
            continue
        path = locate(dataset, row)
        if row["id"] in stones:
            found[row["id"]] = f"removed: {stones.stones[row['id']].get('reason') or 'no reason'}"
        elif copy := _copy_of_removed(stones, row, path):
            found[row["id"]] = f"removed: a copy of {copy[:12]}, which was removed"
        elif objection := consent.objection(row, path):
            found[row["id"]] = f"opted out: {objection}"
    return found


def _copy_of_removed(stones: Tombstones, row: dict[str, Any], path: Path) -> str | None:
    """Return the removed picture that a row's picture looks like. The manifest's hash goes first,
    so that only what may be a copy is opened."""
    if not len(stones) or not row.get("phash") or not stones.resembles(row["phash"]):
        return None
    return stones.refuses(row["id"], path)


def _signs(seen: Features) -> tuple[bool, float | None]:
    """Return whether there is writing in the picture, and where its shadows fall [degrees]."""
    return False, None


def _unready(dataset: Dataset, count: int) -> MapmakerError:
    return MapmakerError(
        f"{count} pictures of {dataset.name} have not been looked at yet.",
        hint=f"Run `mapmaker prune {dataset.name}` first.",
    )


def _away(dataset: Dataset, row: dict[str, Any], in_dropped: bool) -> MapmakerError:
    if in_dropped:
        return MapmakerError(
            f"{row['file']} is kept, but its file still lies in dropped/.",
            hint=f"Run `mapmaker prune {dataset.name} --restore`.",
        )
    return MapmakerError(
        f"{dataset.root / row['file']} is missing.",
        hint="Fetch or import it again, or drop it in the review.",
    )
