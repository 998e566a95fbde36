"""The lists a data set carries: one row a picture, one row a gap, always in the same order."""

from collections.abc import Iterable, Mapping
from typing import Any

from mapmaker.files import write_lines
from mapmaker.workspace import Dataset

COLUMNS = (
    "id", "file", "map_id", "date", "title", "description", "theme", "cartographer", "dpi",
    "variant", "declared_bytes", "bytes", "width", "height", "mode", "format", "phash", "page_url",
    "picture_url", "wrapper_url", "aliases", "served_by", "capture", "etag", "last_modified",
    "license", "license_url", "attribution", "ai_training", "robots", "ai_metadata",
)  # fmt: skip

GAP_COLUMNS = (
    "picture_url", "map_id", "reason", "attempts", "last_status", "page_url", "wrapper_url",
    "mirrors",
)  # fmt: skip

GAP_REASONS = {
    "robots": "The site's robots.txt asks programs not to fetch it.",
    "foreign-host": "The link leaves the hosts the source's card names.",
    "unsafe-link": "The link is no web address, or one inside a private network.",
    "not-found": "The server says there is no such file (404, 410).",
    "forbidden": "The server refuses (401, 403 or another 4xx).",
    "rate-limited": "The server kept asking us to wait (429).",
    "server-error": "The server failed every time it was asked (5xx).",
    "blocked": "The host refused three connections in a row; it is down or keeps us out for now.",
    "unreachable": "No connection, or it broke every time.",
    "redirected": "The link leads in circles, or to something that is not the file.",
    "not-a-picture": "The answer is no JPEG, PNG, WebP, TIFF, GIF or BMP, whatever its label says.",
    "corrupt": "The file does not decode to its last row.",
    "strange-encoding": "The answer is packed in a way nobody asked for and we cannot read.",
    "cut-short": "Fewer bytes came than the server promised.",
    "stub": "The picture is too small to be a map.",
    "too-large": "The file is larger than the limit for one file.",
    "too-many-pixels": "The picture claims more pixels than we are willing to decode.",
    "unsafe-name": "A member of the archive would be written outside the folder.",
    "bad-archive": "The ZIP file cannot be read, or unpacks to too much.",
    "zip-in-zip": "A ZIP file within a ZIP file is not opened; unpack it and `import` it.",
    "bad-walls": "The walls that came with the picture could not be read; the picture is kept.",
    "drift": "An archive has it only from another time than --drift allows.",
    "digest": "The bytes are not those whose SHA-1 the archive or the source names.",
    "no-entries": "The page was read and lists no map in any form we know.",
    "unreadable": "The file on this machine could not be read.",
    "no-training": "Its maker lets no net learn from it; `--with-refused` fetches it all the same.",
    "removed": "Somebody asked for it to be removed (`mapmaker forget`), or it is a copy of such.",
}


def row(**known: Any) -> dict[str, Any]:
    """Return a manifest row with every column in order; what is not given is None (aliases: [])."""
    strange = set(known) - set(COLUMNS)
    if strange:
        raise TypeError(f"no manifest column is called {', '.join(sorted(strange))}")
    return {c: known.get(c, [] if c == "aliases" else None) for c in COLUMNS}


def gap(picture_url: str, reason: str, **known: Any) -> dict[str, Any]:
    """Return a gap row with every column in order. `reason` is a key of GAP_REASONS."""
    if reason not in GAP_REASONS:
        raise ValueError(f"{reason!r} is not a documented reason")
    known = {"attempts": 0, **known, "picture_url": picture_url, "reason": reason}
    return {column: known.get(column) for column in GAP_COLUMNS}


def write_manifest(dataset: Dataset, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write manifest.jsonl, sorted by map, dpi and id. Equal rows give equal bytes."""
    write_lines(dataset.manifest, sorted(rows, key=_manifest_order))


def write_gaps(dataset: Dataset, gaps: Iterable[Mapping[str, Any]]) -> None:
    """Write gaps.jsonl, sorted; with no gap the file is empty, which says that one has looked."""
    write_lines(
        dataset.gaps, sorted(gaps, key=lambda g: (g["map_id"] or "", g["picture_url"], g["reason"]))
    )


def _manifest_order(row: Mapping[str, Any]) -> tuple[str, int, str, str]:
    return row["map_id"] or "", row["dpi"] or 0, row["variant"] or "", row["id"]
