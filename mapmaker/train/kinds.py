"""Which kind of map each sample is of, as far as the manifest knows: nothing is asked of shards.

A kind is the picture's theme, else the kind of the floor plan it was drawn from, else the folder
it was imported from; what has none of them, and what is rare, is of the kind "other".
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mapmaker.errors import BadConfig, MapmakerError
from mapmaker.files import read_json
from mapmaker.shards.reader import Shards
from mapmaker.workspace import Dataset

OTHER = "other"
RARE = 4  # pictures; a kind with fewer teaches a net nothing
MOST = 64


def kinds_of(
    dataset: Dataset, shards: Shards, known: Sequence[str] = ()
) -> tuple[list[str], np.ndarray]:
    """Return the kinds' names, sorted, and for each sample of `shards` which of them it is of.

    With `known` (of a run that goes on) it is those names, in their order. Raises BadConfig when
    there are fewer than two or more than MOST, or a kind that is not among the known ones.
    """
    rows = {row["id"]: row for row in dataset.rows()}
    ids = [bytes(id).hex() for id in shards.column("sha256")]
    kinds = {id: _kind(dataset, rows.get(id, {})) for id in dict.fromkeys(ids)}
    often = Counter(kinds.values())
    names = list(known) or sorted(
        {kind if often[kind] >= RARE else OTHER for kind in often} | ({OTHER} & set(often))
    )
    if not 2 <= len(names) <= MOST:
        raise BadConfig(
            f"The pictures of {dataset.name} are of {len(names)} kinds, and a net can learn 2 to"
            f" {MOST} apart.",
            hint="Import a folder for each kind, or leave --kinds out.",
        )
    place = {name: number for number, name in enumerate(names)}
    which = [place.get(kinds[id], place.get(OTHER, -1)) for id in ids]
    if -1 in which:
        raise BadConfig(
            f"{dataset.name} has pictures of the kind {kinds[ids[which.index(-1)]]!r} now, which"
            " this run does not know.",
            hint="Begin another run with --name.",
        )
    return names, np.asarray(which)


def _kind(dataset: Dataset, row: dict[str, Any]) -> str:
    if row.get("theme"):
        return _plain(str(row["theme"]))
    layout = dataset.root / f"{row.get('file', '')}.layout.json"
    if row.get("file") and layout.is_file():
        try:
            said = read_json(layout).get("kind", "imported")
        except (MapmakerError, AttributeError):
            said = "imported"
        if said != "imported":
            return _plain(str(said))
    where = str(row.get("picture_url") or "")
    if row.get("served_by") == "import" and "/" in where:
        return _plain(where.split("/")[0])
    return OTHER


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or OTHER
