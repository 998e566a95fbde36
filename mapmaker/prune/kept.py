"""What the shards are made of: every picture that is whole and not dropped, with group and grid."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.prune import overlay
from mapmaker.prune.consent import Consent
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.lettering import has_text
from mapmaker.prune.priors import choose_grid
from mapmaker.prune.quarantine import locate
from mapmaker.prune.shadow import direction
from mapmaker.prune.store import Features, FeatureStore
from mapmaker.prune.thresholds import limits
from mapmaker.scrape.tombstones import Tombstones
from mapmaker.workspace import Dataset

_PAGE = 500


def features_of(dataset: Dataset) -> FeatureStore:
    """Open what was measured of a data set."""
    return FeatureStore(dataset.root / "features.db")


def kept(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the manifest rows that decode and are not dropped, in the manifest's order.

    Undecided counts as kept; of several files with the same bytes only the first is in. Each row
    has more keys: `group` (pictures of one map share it: split by it), `grid` ({cell_px, phase
    [x, y], source: layout, name or picture} or None), `has_text` (no view may turn or mirror it)
    and `light` (where its shadows fall [degrees clockwise from the right], or None). Measures
    nothing: raises MapmakerError when a picture was not measured yet, or lies in dropped/ without
    being dropped. What `refused` names is never in, whatever a person or a rule decided.
    """
    return list(each_kept(dataset))


def each_kept(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield what `kept` returns, holding a page of rows at a time. Raises as `kept`."""
    no, done = refused(dataset), set[str]()
    if not (dataset.root / "features.db").exists():
        raise _unready(dataset, sum(1 for _ in dataset.each_row()))
    with closing(features_of(dataset)) as store, Decisions(dataset.decisions) as decisions:
        marks, groups = decisions.all(), decisions.groups()
        measured = set(store.known_ids(lasting_only=False).tolist())
        if missing := sum(
            row["id"].encode() not in measured or row["id"] not in groups
            for _, row in dataset.each_row()
        ):
            raise _unready(dataset, missing)
        every = (row for _, row in dataset.each_row())
        while page := list(islice(every, _PAGE)):
            features = store.some(row["id"] for row in page)
            for row in page:
                mark, seen = marks.get(row["id"]), features[row["id"]]
                if seen.problem or (mark and mark.state == "drop") or row["id"] in no:
                    continue
                if row["id"] not in done:
                    done.add(row["id"])
                    yield _kept(dataset, row, seen, groups[row["id"]])


def _kept(dataset: Dataset, row: dict[str, Any], seen: Features, group: str) -> dict[str, Any]:
    path = dataset.root / row["file"]
    if not path.exists():
        raise _away(dataset, row, locate(dataset, row).exists())
    grid = choose_grid(path, row.get("title"), (seen.width, seen.height), seen.grid)
    writing, light = _signs(seen)
    return {**row, "group": group, "grid": grid, "has_text": writing, "light": light}


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
        if row["id"] in stones:
            found[row["id"]] = f"removed: {stones.stones[row['id']].get('reason') or 'no reason'}"
        elif copy := _copy_of_removed(dataset, stones, row):
            found[row["id"]] = f"removed: a copy of {copy[:12]}, which was removed"
        elif objection := consent.objection(row):
            found[row["id"]] = f"opted out: {objection}"
    return found


def _copy_of_removed(dataset: Dataset, stones: Tombstones, row: dict[str, Any]) -> str | None:
    """Return the removed picture that a row's picture looks like. The manifest's hash goes first,
    so that only what may be a copy is opened."""
    if not len(stones) or not row.get("phash") or not stones.resembles(row["phash"]):
        return None
    return stones.refuses(row["id"], locate(dataset, row))


def _signs(seen: Features) -> tuple[bool, float | None]:
    """Return whether there is writing in the picture, and where its shadows fall [degrees].

    A watermark or a logo is writing too: a net that saw it mirrored would draw it mirrored.
    """
    writing = has_text(seen.signs, limits()) or bool(overlay.findings(seen.signs, limits()))
    return writing, direction(seen.signs, limits())


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
