"""A plain list of addresses as it lies in a file: its lines or its table, and whom it names."""

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mapmaker.errors import BadConfig
from mapmaker.scrape.guard import is_private

MAX_BYTES = 50_000_000
# What a file knows -> the columns that may say it.
COLUMNS = {
    "url": ("url", "picture_url", "address"),
    "title": ("title", "name"),
    "date": ("date",),
    "map_id": ("map_id", "map"),
    "dpi": ("dpi",),
    "variant": ("variant",),
    "description": ("description",),
    "theme": ("theme", "kind"),
    "cartographer": ("cartographer", "artist", "author", "creator"),
    "license": ("license", "licence"),
    "license_url": ("license_url", "licence_url"),
    "attribution": ("attribution", "credit"),
    "ai_training": ("ai_training",),
    "page_url": ("page_url", "page"),
}


def hosts_of(path: Path) -> tuple[str, ...]:
    """Return the hosts a list on this machine names, sorted; never one of a private network.

    Raises BadConfig for a file that cannot be read.
    """
    hosts = set()
    for row in rows_of(body_of(path)):
        try:
            parts = urlsplit(row["url"].strip())
            plain = parts.port in (None, 80, 443)
        except ValueError:
            continue
        if parts.hostname and not is_private(parts.hostname) and "@" not in parts.netloc:
            hosts.add(parts.hostname if plain else parts.netloc.lower())
    return tuple(sorted(hosts))


def body_of(path: Path) -> bytes:
    """Return the bytes of a list. Raises BadConfig when they cannot be read or are too many."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadConfig(f"{path} is too large for a list of addresses.")
        return path.read_bytes()
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", hint="Check it.") from error


def rows_of(body: bytes) -> Iterator[dict[str, str]]:
    """Yield what each line says, by the names of COLUMNS; `url` is always there."""
    text = body.decode("utf-8-sig", "replace").replace("\0", "")
    lines = [s for line in text.splitlines() if (s := line.strip()) and s[0] != "#"]
    names, mark = _columns(lines[0]) if lines else ([], "")
    if not names:
        yield from ({"url": line} for line in lines)
        return
    try:
        for cells in csv.reader(lines[1:], delimiter=mark):
            said = {n: c.strip() for n, c in zip(names, cells, strict=False) if n and c.strip()}
            if "url" in said:
                yield said
    except csv.Error as error:
        raise BadConfig(
            f"The list is no table: {error}.", hint="Look for a stray quote."
        ) from error


def _columns(head: str) -> tuple[list[str], str]:
    """Return the columns that a first line names and what parts them; ([], "") when it is none."""
    known = {name: column for column, names in COLUMNS.items() for name in names}
    for mark in ",;\t":
        names = [known.get(n.strip().strip('"').lower(), "") for n in head.split(mark)]
        if "url" in names:
            return names, mark
    return [], ""
