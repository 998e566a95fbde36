"""Where a picture has gone: which shards, runs and other data sets hold something made from it.

Plain files that `pack` and `export` leave say so. `samples.jsonl` beside the shards has a line a
sample. `packed/<first 16 digits of the card's sha256>.ids` lists every picture of a card for good,
32 bytes each, sorted: a run remembers its card's sha256, and the card may since have been replaced.
`exported.jsonl` says where exports went.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

from mapmaker.errors import UnsafeInput
from mapmaker.files import append_line, read_json, read_lines, write_atomic
from mapmaker.workspace import Dataset, Workspace

SAMPLES, PACKED, CARD, RUN_DATA = "samples.jsonl", "packed", "card.json", "data.json"
EXPORTED = "exported.jsonl"
_ID_BYTES = 32


def remember_packed(dataset: Dataset, sha256: str, ids: Iterable[str]) -> None:
    """Write down which pictures the shards of a card (or an export), by its sha256, hold."""
    path = _packed(dataset, sha256)
    if not path.exists():
        write_atomic(path, b"".join(sorted(bytes.fromhex(id) for id in set(ids))))


def remember_exported(dataset: Dataset, out: Path, sha256: str, ids: Iterable[str]) -> None:
    """Write down which pictures were exported to where; exports are made to be passed on."""
    remember_packed(dataset, sha256, ids)
    line = {"out": str(out.absolute()), "sha256": sha256}
    if line not in read_lines(dataset.root / EXPORTED):
        append_line(dataset.root / EXPORTED, line)


def whereabouts(workspace: Workspace, ids: Iterable[str], dataset: Dataset) -> list[str]:
    """Return a line for each shard, export, run and other data set that holds one of them.

    `dataset` is the one they were removed from; that it lists them is no news.
    """
    wanted = sorted(set(ids))
    sets = [workspace.dataset(name) for name in sorted(workspace.dataset_names())]
    found = []
    for other in sets:
        if other.root != dataset.root and any(r["id"] in wanted for r in other.rows()):
            found.append(f"data set {other.name}, whose pack refuses it")
        for card in sorted(other.root.glob(f"shards/*/{CARD}")):
            found += _in_shards(card.parent, wanted)
        found += _in_exports(other, wanted)
    for data in sorted(workspace.checkpoints.glob(f"*/{RUN_DATA}")):
        found += _in_run(workspace, data, wanted)
    return found


def _in_shards(folder: Path, wanted: Sequence[str]) -> list[str]:
    name = f"{folder.parents[1].name}/shards/{folder.name}"
    path = folder / SAMPLES
    if not path.is_file():
        return [f"{name}, perhaps: it was packed before samples were listed; pack it again to know"]
    rows: dict[str, int] = {}
    with path.open(encoding="utf-8") as lines:  # one line at a time: there may be millions
        for line in lines:
            if any(id in line for id in wanted):
                shard = line.partition('"shard": "')[2].partition('"')[0]
                rows[shard] = rows.get(shard, 0) + 1
    return [f"{name}/{shard} ({count} samples)" for shard, count in sorted(rows.items())]


def _in_exports(dataset: Dataset, wanted: Sequence[str]) -> list[str]:
    found = {}
    for line in read_lines(dataset.root / EXPORTED):
        if _lists(_packed(dataset, line["sha256"]), wanted):
            found[line["out"]] = "" if Path(line["out"]).exists() else ", which is no longer there"
    return [f"the export {out}{gone}" for out, gone in found.items()]


def _in_run(workspace: Workspace, path: Path, wanted: Sequence[str]) -> list[str]:
    try:
        data = read_json(path)
        packed = _packed(workspace.dataset(data["dataset"]), data["card_sha256"])
    except (UnsafeInput, LookupError, TypeError):
        return []
    run = f"run {path.parent.name}"
    if not packed.is_file():
        return [f"{run}, perhaps: what its shards held was not written down"]
    return [f"{run}, which was trained on it"] if _lists(packed, wanted) else []


def _packed(dataset: Dataset, sha256: str) -> Path:
    return dataset.root / PACKED / f"{sha256[:16]}.ids"


def _lists(path: Path, wanted: Iterable[str]) -> bool:
    """Return whether a list of sorted ids of 32 bytes each holds one of `wanted`."""
    ids = path.read_bytes() if path.is_file() else b""

    def at(n: int) -> bytes:
        return ids[n * _ID_BYTES : (n + 1) * _ID_BYTES]

    places = range(len(ids) // _ID_BYTES)
    return any(at(bisect_left(places, id, key=at)) == id for id in map(bytes.fromhex, wanted))
