"""The pictures of a data set as columns: some 250 bytes each, however long their rows are."""

import json
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import MapmakerError
from mapmaker.prune.candidate import Picture
from mapmaker.prune.features import Features
from mapmaker.workspace import Dataset

ID_LETTERS = 64
MOST_MAPS = 12  # different maps that bear one name: of more, it is a word such as `preview`
Rows = Iterator[tuple[int, dict[str, Any]]]


class Catalogue:
    """Which pictures the manifest lists, sorted by id; their rows are read when asked for.

    The same bytes twice are one picture: the manifest's first row of it. Raises MapmakerError when
    there is no manifest, or it lists nothing. The manifest must not change meanwhile: hold the
    data set's lock.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._manifest = dataset.manifest
        letters, begins = bytearray(), array("q")
        by_name, by_row, by_map = array("Q"), array("q"), array("Q")
        for begin, row in dataset.each_row():
            letters += row["id"].encode()
            map_key = _key(str(row.get("map_id") or row["id"]))
            for name in Picture(row, Features(id=row["id"]), None).names():
                by_name.append(_key(name))
                by_map.append(map_key)
                by_row.append(len(begins))
            begins.append(begin)
        if not begins:
            raise MapmakerError(
                "The manifest lists no picture.", hint="Fill it with `mapmaker scrape` or `import`."
            )
        ids = np.frombuffer(bytes(letters), f"S{ID_LETTERS}")
        self.ids, first, of_row = np.unique(ids, return_index=True, return_inverse=True)
        self._begins = np.array(begins)[first]
        self.words = Words(np.array(by_name), np.array(by_map))
        telling = ~np.isin(np.array(by_name), self.words.keys)
        self._names = np.array(by_name)[telling], of_row[np.array(by_row, np.int64)[telling]]

    def __len__(self) -> int:
        return len(self.ids)

    def id(self, index: int) -> str:
        """Return the id of one picture."""
        return self.ids[index].decode()

    def find(self, ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """Return the index of each id, or -1 where the manifest does not list it."""
        at = np.searchsorted(self.ids, ids)
        at[at == len(self)] = 0
        return np.where(self.ids[at] == ids, at, -1)

    def indices(self, ids: Iterable[str]) -> list[int]:
        """Return the indices of those ids that the manifest lists, ascending."""
        at = self.find(np.array(list(ids), f"S{ID_LETTERS}"))
        return sorted(at[at >= 0].tolist())

    def rows(self, indices: Iterable[int]) -> Rows:
        """Yield (index, row) of some pictures, in the manifest's order."""
        wanted = np.fromiter(indices, np.int64)
        with self._manifest.open("rb") as lines:
            for index in wanted[np.argsort(self._begins[wanted])].tolist():
                lines.seek(int(self._begins[index]))
                yield index, json.loads(lines.readline())

    def namesakes(self) -> Iterator[tuple[int, int]]:
        """Yield pairs of pictures that name one map or one building; enough to tie all that do."""
        keys, of = self._names
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        return zip(of[order[same]].tolist(), of[order[same + 1]].tolist(), strict=True)


class Words:
    """The names that more than MOST_MAPS different maps bear, and so name none of them."""

    def __init__(self, names: NDArray[np.uint64], maps: NDArray[np.uint64]) -> None:
        pairs = np.unique(np.stack([names, maps], axis=1), axis=0) if len(names) else names
        keys, counts = np.unique(pairs[:, 0] if len(names) else names, return_counts=True)
        self.keys = keys[counts > MOST_MAPS]
        self._known = frozenset(self.keys.tolist())

    def __contains__(self, name: object) -> bool:
        return _key(str(name)) in self._known


def _key(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def together(tops: NDArray[np.int64], least: int) -> Iterator[list[int]]:
    """Yield all indices in parts of at least `least`, those of one component never parted.

    tops is what `join.components` gives.
    """
    order = np.argsort(tops, kind="stable")
    ends = np.flatnonzero(np.r_[tops[order][1:] != tops[order][:-1], True]) + 1
    begin = 0
    for end in ends.tolist():
        if end - begin >= least or end == len(order):
            yield order[begin:end].tolist()
            begin = end
