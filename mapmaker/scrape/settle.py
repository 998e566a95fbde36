"""The manifest's rows, made of what came: one a byte sequence, each with the map that it shows."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mapmaker.errors import MissingPart
from mapmaker.scrape.choose import file_stem
from mapmaker.scrape.fetch import Outcome
from mapmaker.scrape.grammar import Find
from mapmaker.scrape.ledger import Ledger, Record
from mapmaker.scrape.manifest import row
from mapmaker.scrape.onemap import Member, head_of, maps_of, outlines_from
from mapmaker.scrape.source import Source
from mapmaker.stopping import StopFlag
from mapmaker.workspace import Dataset

Listing = tuple[Find, Record]


def settled(
    source: Source, dataset: Dataset, ledger: Ledger, outcomes: Iterable[Outcome], stop: StopFlag
) -> list[dict[str, Any]]:
    """Return the manifest's rows for what is here, and give each file the name of its map.

    Rows of earlier runs whose files are still here stay, and are looked at again with what is new:
    the rows depend on what is here and on nothing that was before. Once told to stop, no picture is
    opened and no file named anew, nor on a full disk: the list is written, the next run does it.
    """
    listed: dict[str, list[Listing]] = {}
    for find, record in (pair for outcome in outcomes for pair in outcome.pictures):
        listed.setdefault(record["sha256"], []).append((find, record))
    kept = [old for old in _rows(dataset) if old["id"] not in listed and _is_here(old, ledger)]
    members = [_member(*listing) for listings in listed.values() for listing in listings]
    if source.kind == "list":  # what is one map is the list's to say
        maps = {m.sha256: (m.entry, m.entry) for m in reversed(members)}
    else:
        members += [_of_row(old) for old in kept if old["served_by"] != "import"]
        files = {sha: listings[0][1]["file"] for sha, listings in listed.items()}
        files |= {old["id"]: old["file"] for old in kept}
        maps = maps_of(
            members, lambda sha: outlines_from(ledger.outlines(sha, files[sha], draw=not stop))
        )
    rows = []
    for sha, listings in listed.items():
        entry, map_id = maps[sha]
        own = [(find, record) for find, record in listings if find.map_id == entry]
        find, record = min(own, key=lambda listing: _member(*listing).rank)
        find = find if find.map_id == map_id else replace(find, map_id=map_id)
        stem = file_stem(find, sha)
        named = record["file"].removeprefix("pictures/").rsplit(".", 1)[0]
        if named != stem and not stop and (dataset.root / record["file"]).is_file():
            with suppress(MissingPart):
                record = ledger.move(record, stem)
        rows.append(_row(source, find, record, _aliases(listings, record)))
    moved = {old["id"]: maps.get(old["id"], ("", old["map_id"]))[1] for old in kept}
    return rows + [{**old, "map_id": moved[old["id"]]} for old in kept]


def _rows(dataset: Dataset) -> list[dict[str, Any]]:
    return dataset.rows() if dataset.manifest.exists() else []


def _is_here(old: Mapping[str, Any], ledger: Ledger) -> bool:
    path = ledger.where(old)
    return path is not None and path.stat().st_size == old["bytes"]


def _member(find: Find, record: Record) -> Member:
    return _as_member(find.map_id, find.dpi, find.variant, record["key"], record["sha256"], record)


def _of_row(old: Mapping[str, Any]) -> Member:
    return _as_member(
        head_of(old["map_id"]), old["dpi"], old["variant"], old["picture_url"], old["id"], old
    )


def _as_member(
    entry: str, dpi: int | None, variant: str | None, key: str, sha: str, facts: Mapping[str, Any]
) -> Member:
    """The best picture of a map: no member of a ZIP file, no variant, the highest resolution."""
    rank = ("#" in key, variant is not None, -(dpi or 0), key)
    return Member(entry, sha, int(facts["phash"], 16), facts["width"] * facts["height"], rank)


def _aliases(listings: list[Listing], record: Record) -> list[str]:
    """Return every other address of the same bytes; of a member of a ZIP file with its "#name"."""
    urls: set[str] = set()
    for find, of in listings:
        _, sharp, name = of["key"].partition("#")
        listed = (find.link.url, *find.aliases)
        urls |= {of["picture_url"], *(f"{url}{sharp}{name}" for url in listed)}
    return sorted(urls - {record["picture_url"]})


def _row(source: Source, find: Find, record: Record, aliases: list[str]) -> dict[str, Any]:
    said = ("map_id", "date", "title", "description", "theme", "cartographer", "dpi", "variant",
            "declared_bytes", "page_url")  # fmt: skip
    got = ("file", "bytes", "width", "height", "mode", "format", "phash", "picture_url",
           "served_by", "capture", "etag", "last_modified")  # fmt: skip
    obeyed = record.get("robots", "allowed")
    return row(
        id=record["sha256"], aliases=aliases, wrapper_url=find.link.wrapper_url,
        license=find.license or source.license,
        license_url=find.license_url if find.license else source.license_url,
        attribution=find.attribution or source.attribution,
        ai_training=find.ai_training or source.ai_training,
        robots="; ".join(filter(None, [obeyed, find.against, record.get("against")])),
        ai_metadata=record.get("ai_metadata"),
        **{k: getattr(find, k) for k in said}, **{k: record[k] for k in got},
    )  # fmt: skip
