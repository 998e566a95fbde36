"""Which pictures are of one map: they share a group, and a split never tears it apart."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping

from mapmaker.prune.candidate import Picture
from mapmaker.prune.variants import Relation


def groups(
    pictures: list[Picture],
    relations: Iterable[Relation],
    known: Mapping[str, str],
    words: Container[str] = (),
) -> dict[str, str]:
    """Return the group of each picture, by id: those of one map share it, however it is varied.

    One map is: one map_id, one name but for the floor or crop, or any relation, floors and parts
    included. Relations were seen in the pixels of both pictures, so they may chain: the whole
    ties its parts together. A group keeps the name it was `known` by when others join it or
    leave; a new one is named after its smallest id, and so is what breaks off a group. words are
    names that name nothing, such as a title `preview` that every third picture has.
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
            if name not in words:
                parent[top(p.id)] = top(by_name.setdefault(name, p.id))
    for r in relations:
        if r.one in parent and r.other in parent:
            parent[top(r.one)] = top(r.other)
    members = defaultdict(list)
    for id in parent:
        members[top(id)].append(id)
    return _named(sorted(map(sorted, members.values())), known)


def _named(parts: list[list[str]], known: Mapping[str, str]) -> dict[str, str]:
    """Name every part: by an old name of its members no other part has more right to."""
    claims: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for number, ids in enumerate(parts):
        for old in {known[id] for id in ids if id in known}:
            founded = any(id.startswith(old) for id in ids)
            claims[old].append((not founded, number))
    owner = {old: min(wanting)[1] for old, wanting in claims.items()}
    named: dict[str, str] = {}
    for number, ids in enumerate(parts):
        old = sorted({known[id] for id in ids if id in known and owner[known[id]] == number})
        named |= dict.fromkeys(ids, old[0] if old else ids[0][:16])
    return named
