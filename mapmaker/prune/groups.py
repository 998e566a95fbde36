"""Which pictures are of one map: they share a group, and a split never tears it apart."""

from collections import defaultdict
from collections.abc import Mapping

from mapmaker.prune.candidate import Picture
from mapmaker.prune.copies import Alike


def groups(pictures: list[Picture], likes: list[Alike], known: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each picture, by id: those of one map share it, however it is varied.

    One map is: one map_id, one name but for the floor or crop, or near duplicates. A group keeps
    the name it was `known` by when others join it; a new one is named after its smallest id.
    """
    parent = {p.id: p.id for p in pictures}

    def top(id: str) -> str:
        while parent[id] != id:
            parent[id] = parent[parent[id]]
            id = parent[id]
        return id

    by_name: dict[str, str] = {}
    for p in pictures:
        for name in p.names():
            parent[top(p.id)] = top(by_name.setdefault(name, p.id))
    for one, other, _, _ in likes:
        parent[top(one.id)] = top(other.id)
    members = defaultdict(list)
    for id in parent:
        members[top(id)].append(id)
    named = {}
    for ids in members.values():
        old = sorted({known[id] for id in ids if id in known})
        named |= dict.fromkeys(ids, old[0] if old else min(ids)[:16])
    return named
