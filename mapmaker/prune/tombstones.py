"""`forget`: take a picture out for good, so that neither a scrape nor an import brings it back.

The tombstone is on the disk before anything moves, and each step can be done again: after kill -9
the same command goes on.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import read_lines, speaking_of, sync, write_lines
from mapmaker.prune import quarantine
from mapmaker.prune.whereabouts import whereabouts
from mapmaker.registry import unknown
from mapmaker.scrape.manifest import gap, write_gaps, write_manifest
from mapmaker.scrape.onemap import head_of
from mapmaker.scrape.tombstones import NAME, Tombstones, bury, looks_of, shared, standing
from mapmaker.workspace import Dataset, Workspace, locked

_SHORTEST = 6  # hex digits of an id that a person may give
_MEASURED = ("features.db", "thumbs.db")

Row = dict[str, Any]


def forget(
    workspace: Workspace,
    dataset: Dataset,
    words: Sequence[str],
    *,
    reason: str = "",
    erase: bool = False,
) -> Iterator[Event]:
    """Remove the pictures that `words` name (id, file, title or address) and keep them out.

    Their files go to dropped/; with `erase` their bytes, thumbnails and measurements go for good.
    Done.data: dataset, removed (ids), files, copies (of them, still here, refused by pack), held
    (where they are still in: shards, runs, other data sets). Raises UnknownName, and MapmakerError
    when a word means several maps.
    """
    with locked(dataset.root):
        stones = Tombstones.of(dataset)
        rows = _chosen(dataset, words, stones)
        for n, row in enumerate(rows):
            _bury(dataset, row, reason, erase, stones)
            yield Step("forget", n, len(rows), "pictures", row["file"])
        ids = {row["id"] for row in rows}
        files = [file for row in rows for file in _take_out(dataset, row, reason, erase)]
        if erase:
            _erase_measured(dataset, ids)
        _unlist(dataset, ids)
        copies = _copies(dataset)
    for file in copies:
        yield Note(f"{file} looks like a removed picture; pack leaves it out. Forget it too?")
    held = whereabouts(workspace, ids, dataset)
    for line in held:
        yield Note(f"Still in {line}.")
    verb = "erased" if erase else "moved to dropped/"
    summary = f"{dataset.name}: {len(rows)} pictures removed ({len(files)} files {verb});"
    summary += " no scrape or import brings them back."
    if held:
        summary += f" {len(held)} places still hold them: pack anew, train anew, or delete those."
    data = {"dataset": dataset.name, "removed": sorted(ids), "files": files}
    yield Done("forget", summary, data | {"copies": copies, "held": held})


def restore(dataset: Dataset, words: Sequence[str]) -> Iterator[Event]:
    """Take removals back: the file and its row return, unless it was erased.

    Done.data: dataset, restored (ids), erased (ids whose bytes are gone: fetch or import them).
    """
    with locked(dataset.root):
        known = standing(shared(dataset)) | standing(dataset.root / NAME)
        stones = [_one_stone(known, word) for word in words]
        lost = {stone["id"]: stone["row"] for stone in stones if stone.get("row")}
        for file, wrong in quarantine.put_back(dataset, only=lost):
            yield Note(f"{file}: {wrong}" if wrong else f"{file} is back.")
        back = {id: row for id, row in lost.items() if (dataset.root / row["file"]).is_file()}
        if back:
            rows = {row["id"]: row for row in _rows(dataset)}
            write_manifest(dataset, (back | rows).values())
        urls = {url for stone in stones for url in stone["urls"]}
        urls |= {row.get("picture_url") or row["file"] for row in lost.values()}
        write_gaps(dataset, [g for g in read_lines(dataset.gaps) if g["picture_url"] not in urls])
        for stone in stones:  # last: what is killed before can be asked for again
            bury(dataset, {"restored": stone["id"]})
    ids = [stone["id"] for stone in stones]
    erased = [id for id in ids if id not in back]
    summary = f"{dataset.name}: {len(ids)} removals taken back, {len(back)} files are in place."
    if erased:
        summary += " The others were erased, or were in another data set: fetch or import them."
    yield Done("forget", summary, {"dataset": dataset.name, "restored": ids, "erased": erased})


def listed(datasets: Sequence[Dataset]) -> Iterator[Event]:
    """List the removals that stand. Done.data: removed (each: id, dataset, file, reason, at)."""
    found: dict[str, dict[str, Any]] = {}
    for dataset in datasets:
        found |= standing(shared(dataset)) | standing(dataset.root / NAME)
    keys = ("id", "dataset", "file", "reason", "at", "erased")
    rows: list[dict[str, Any]] = [{k: stone.get(k) for k in keys} for stone in found.values()]
    lines = [
        f"{r['id'][:12]}  {r['at'][:10]}  {r['dataset']}/{r['file']}  {r['reason']}".rstrip()
        for r in rows
    ]
    yield Done("forget", "\n".join(lines) or "No picture was removed.", {"removed": rows})


def _rows(dataset: Dataset) -> list[Row]:
    return dataset.rows() if dataset.manifest.exists() else []


def _chosen(dataset: Dataset, words: Sequence[str], stones: Tombstones) -> list[Row]:
    """Return the rows that are meant, each once, also those a killed run has begun to remove."""
    buried = read_lines(dataset.root / NAME)
    rows = {line["id"]: line["row"] for line in buried if line.get("row")}
    rows |= {row["id"]: row for row in _rows(dataset)}
    chosen: dict[str, Row] = {}
    for word in words:
        found = [row for row in rows.values() if _means(word, row)]
        if not found:
            names = [row["file"].rsplit("/", 1)[-1] for row in rows.values()]
            raise unknown(f"picture of {dataset.name}", word, names)
        maps = {head_of(row.get("map_id") or row["id"]) for row in found}
        if len(maps) > 1:
            files = ", ".join(sorted(row["file"] for row in found)[:5])
            raise MapmakerError(
                f"{word!r} means pictures of {len(maps)} maps.",
                hint=f"Name them by file or id: {files}.",
            )
        chosen |= {row["id"]: row for row in found}
    return list(chosen.values())


def _means(word: str, row: Mapping[str, Any]) -> bool:
    file = row["file"]
    if len(word) >= _SHORTEST and row["id"].startswith(word.lower()):
        return True
    if word in (file, file.rsplit("/", 1)[-1]) or word in _addresses(row):
        return True
    return word.casefold() == str(row.get("title") or "").casefold()


def _addresses(row: Mapping[str, Any]) -> list[str]:
    """Return where a picture was fetched from, and the page that lists it."""
    named = [row.get("picture_url"), row.get("wrapper_url"), *(row.get("aliases") or [])]
    return [str(url) for url in [*named, row.get("page_url")] if url]


def _bury(dataset: Dataset, row: Row, reason: str, erase: bool, stones: Tombstones) -> None:
    """Write down what must not come back, unless that stands already."""
    before = standing(dataset.root / NAME).get(row["id"])
    if before and row["id"] in standing(shared(dataset)) and (before["erased"] or not erase):
        return
    page = row.get("page_url")
    urls = [url for url in _addresses(row) if url.startswith(("http://", "https://"))]
    line = {"id": row["id"], "urls": [url for url in urls if url != page], "reason": reason}
    line |= {"dataset": dataset.name, "file": row["file"], "erased": erase}
    line |= {"listed": row.get("phash")}
    try:
        looks = looks_of(quarantine.locate(dataset, row))
        line |= {"pixels": looks.pixels, "phash": looks.phash, "dhash": looks.dhash}
    except UnsafeInput:  # gone or broken: its bytes and addresses are all there is to go by
        known = before or stones.stones.get(row["id"], {})
        line |= {key: known.get(key) for key in ("pixels", "phash", "dhash")}
    bury(dataset, line if erase else line | {"row": row})


def _take_out(dataset: Dataset, row: Row, reason: str, erase: bool) -> list[str]:
    """Move the picture (and its walls) to dropped/, or erase every file of it; return which."""
    why = {row["id"]: f"removed: {reason}".rstrip(": ")}
    moved = list(quarantine.set_aside(dataset, [row], why))
    if not erase:
        return moved
    places = {dataset.root / row["file"], quarantine.locate(dataset, row)}
    for line in read_lines(quarantine.record_of(dataset)):
        if line["id"] == row["id"]:
            places.add(dataset.root / line["to"])
    erased = []
    for place in sorted(p for p in places if p.is_file()):
        with speaking_of(place):
            place.unlink()
            sync(place.parent)
        erased.append(place.relative_to(dataset.root).as_posix())
    return erased


def _unlist(dataset: Dataset, ids: set[str]) -> None:
    """Take the rows out of the manifest; each becomes a gap that says why."""
    rows = _rows(dataset)
    out = [row for row in rows if row["id"] in ids]
    if not out:
        return
    gaps = {g["picture_url"]: g for g in read_lines(dataset.gaps)}
    for row in out:
        url = row.get("picture_url") or row["file"]
        known = {key: row.get(key) for key in ("map_id", "page_url", "wrapper_url")}
        gaps[url] = gap(url, "removed", **known)
    write_gaps(dataset, gaps.values())
    write_manifest(dataset, [row for row in rows if row["id"] not in ids])


def _erase_measured(dataset: Dataset, ids: set[str]) -> None:
    """Overwrite what was measured and drawn small of the pictures, wherever it stands."""
    log = read_lines(dataset.fetch_log)
    if any("outlines" in line and line["sha256"] in ids for line in log):
        for line in log:
            if line.get("sha256") in ids:
                line.pop("outlines", None)
        write_lines(dataset.fetch_log, log)
    for path in (dataset.root / name for name in _MEASURED):
        if not path.is_file():
            continue
        with closing(sqlite3.connect(path, timeout=30.0)) as base, speaking_of(path):
            base.execute("PRAGMA secure_delete = ON")
            query = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
            columns = base.execute(f"{query} WHERE m.type = 'table'").fetchall()
            for table, column in columns:
                if column in ("id", "one", "other"):
                    sql = f'DELETE FROM "{table}" WHERE "{column}" = ?'
                    base.executemany(sql, [(id,) for id in ids])
            base.commit()
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copies(dataset: Dataset) -> list[str]:
    """Return the files of pictures that are still listed and look like a removed one."""
    stones = Tombstones.of(dataset)
    return [
        row["file"]
        for row in _rows(dataset)
        if row.get("phash")
        and stones.resembles(row["phash"])
        and stones.refuses(row["id"], quarantine.locate(dataset, row))
    ]


def _one_stone(known: Mapping[str, dict[str, Any]], word: str) -> dict[str, Any]:
    found = [s for id, s in known.items() if id.startswith(word.lower()) or word == s.get("file")]
    if len(found) != 1 or len(word) < _SHORTEST:
        raise unknown("removed picture", word, [id[:12] for id in known])
    return found[0]
