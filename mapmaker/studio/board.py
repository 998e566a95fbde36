"""What the review page is told once: the pictures in order, what we suggest, what belongs together.

Columns, not rows, and numbers for pictures: ten thousand pictures are a megabyte, packed a third.
"""

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.kept import features_of, refused
from mapmaker.workspace import Dataset


class Board:
    """The pictures of a data set as the page shows them, until prune looks at them again.

    rows: the manifest row of each picture by id; order: their ids as shown, the pictures of one
    map side by side; clusters: each keeper with the copies that name it; clusters_of: the places
    of a picture's clusters in that list; key: the data set's own, for what a browser keeps of it;
    body and packed: the JSON and its gzip. Raises MapmakerError when the data set has not been
    pruned yet.
    """

    def __init__(self, dataset: Dataset, decisions: Decisions) -> None:
        self.name = dataset.name
        self.key = f"{dataset.name}-{_digest(str(dataset.root.resolve()))}"
        self.rows = {row["id"]: row for row in reversed(dataset.rows())}
        with closing(features_of(dataset)) as store:
            seen = {f.id: (f.width, f.height, f.problem) for f in store.each()}
            found = store.suggestions()
            relations = list(store.relations())
        if missing := self.rows.keys() - seen.keys():
            raise MapmakerError(
                f"{len(missing)} pictures of {dataset.name} have not been looked at yet.",
                hint=f"Run `mapmaker prune {dataset.name}` first.",
            )
        self.suggestions = {id: s for id, s in found.items() if id in self.rows}
        for id, reason in refused(dataset).items():
            self.suggestions[id] = _refused(reason, self.suggestions.get(id, {}))
        self.clusters = _clusters(self.suggestions, self.rows, ("drop",))
        self.clusters_of: dict[str, list[int]] = defaultdict(list)
        for number, cluster in enumerate(self.clusters):
            for id in cluster:
                self.clusters_of[id].append(number)
        groups = decisions.groups()
        beside = _clusters(self.suggestions, self.rows, ("drop", "look"))
        self.order = _in_order(list(self.rows)[::-1], groups, beside)
        shown = self._shown(seen, groups, relations)
        self.edition = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]
        self.body = json.dumps({"edition": self.edition} | shown, separators=(",", ":")).encode()
        self.packed = gzip.compress(self.body, 3, mtime=0)

    def title(self, id: str) -> str:
        """Return what a person calls a picture."""
        row = self.rows[id]
        # Taking a file in may have added the start of its hash to its name.
        return row.get("title") or Path(row["file"]).stem.removesuffix(f"_{id[:8]}")

    def _shown(
        self,
        seen: Mapping[str, tuple[int, int, str]],
        groups: Mapping[str, str],
        relations: Iterable[tuple[str, str, Mapping[str, Any]]],
    ) -> dict[str, Any]:
        place = {id: n for n, id in enumerate(self.order)}
        sizes = Counter(groups.get(id, "") for id in self.order)
        numbers = {name: n for n, name in enumerate(k for k, c in sizes.items() if k and c > 1)}
        return {
            "dataset": self.name,
            "key": self.key,
            "id": self.order,
            "name": [self.title(id) for id in self.order],
            "file": [self.rows[id]["file"].removeprefix("pictures/") for id in self.order],
            "width": [seen[id][0] for id in self.order],
            "height": [seen[id][1] for id in self.order],
            "group": [numbers.get(groups.get(id, ""), -1) for id in self.order],
            "problem": {place[id]: seen[id][2] for id in self.order if seen[id][2]},
            "suggestions": {place[id]: _suggestion(s, place) for id, s in self.suggestions.items()},
            "relations": [
                [place[one], place[other], *_relation(relation)]
                for one, other, relation in relations
                if one in place and other in place
            ],
        }


def _clusters(
    suggestions: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Any], levels: Iterable[str]
) -> list[tuple[str, ...]]:
    """Return (keeper, copy, copy, ...) for each picture that stays for others.

    What a person should only look at (a crop) shows something of its own: with levels ("drop",)
    it is no copy.
    """
    copies = defaultdict(list)
    for id, suggestion in suggestions.items():
        keeper = suggestion.get("keeper")
        if keeper in rows and (suggestion.get("level") or "drop") in levels:
            copies[keeper].append(id)
    return [(keeper, *sorted(ids)) for keeper, ids in sorted(copies.items())]


def _in_order(
    ids: Sequence[str], groups: Mapping[str, str], clusters: Iterable[tuple[str, ...]]
) -> list[str]:
    """Return the ids group by group, in each a keeper before its copies, else as they came."""
    at = {id: n for n, id in enumerate(ids)}
    beside: dict[str, tuple[int, int, int]] = {}
    for cluster in clusters:
        first = min(at[id] for id in cluster)
        for id in cluster:
            if id not in beside or id == cluster[0]:
                beside[id] = (first, id != cluster[0], at[id])
    group_at: dict[str, int] = {}
    for id in ids:
        group_at.setdefault(groups.get(id) or id, at[id])
    return sorted(
        ids, key=lambda id: (group_at[groups.get(id) or id], *beside.get(id, (at[id], 0, 0)))
    )


def _refused(reason: str, suggestion: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a picture that pack will not take, whatever a person decides."""
    further = [suggestion["reason"], *(suggestion.get("also") or ())] if suggestion else []
    reason = f"{reason}; it is never packed"
    return {"rule": "refused", "level": "look", "reason": reason, "keeper": "", "also": further}


def _suggestion(suggestion: Mapping[str, Any], place: Mapping[str, int]) -> list[Any]:
    """Return [rule, level, reason, the keeper's place or -1, further reasons]."""
    return [
        suggestion.get("rule", ""),
        suggestion.get("level") or "drop",
        suggestion.get("reason", ""),
        place.get(suggestion.get("keeper") or "", -1),
        list(suggestion.get("also") or ()),
    ]


def _relation(relation: Mapping[str, Any]) -> list[Any]:
    """Return [kind, orientation, note]."""
    kind, note = relation.get("kind", ""), relation.get("note", "")
    return [kind, relation.get("orientation") or 0, note]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
