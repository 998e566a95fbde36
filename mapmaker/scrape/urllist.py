"""Maps out of a plain list of addresses: one a line, or a table whose first line names columns."""

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mapmaker.errors import BadConfig
from mapmaker.scrape.grammar import Find, Page, day_in, slug
from mapmaker.scrape.items import distinct_id, plain_text, spdx
from mapmaker.scrape.links import Link, identity, is_private, read_link
from mapmaker.scrape.source import AI_CHOICES, Source

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


def read_list(source: Source, where: str, body: bytes) -> Page:
    """Return the files of a list. `where` is its address, or "" for one on this machine.

    Lines that begin with # and empty lines say nothing. An address that may not be asked is a file
    with a refusal. Lines of one address count once.
    """
    page, seen = Page(), set()
    for row in _rows(body):
        link = read_link(source, where, row["url"])
        if link is None:
            continue
        mark = identity(source, link.url)
        if mark not in seen:
            seen.add(mark)
            page.finds.append(_find(link, where, row))
    return page


def list_of(source: Source) -> Page:
    """Return the files of a source's list on this machine. Raises BadConfig when it is none."""
    return read_list(source, "", _body(Path(source.list or "")))


def hosts_of(path: Path) -> tuple[str, ...]:
    """Return the hosts a list on this machine names, sorted; never one of a private network.

    Raises BadConfig for a file that cannot be read.
    """
    hosts = set()
    for row in _rows(_body(path)):
        try:
            parts = urlsplit(row["url"].strip())
            plain = parts.port in (None, 80, 443)
        except ValueError:
            continue
        if parts.hostname and not is_private(parts.hostname) and "@" not in parts.netloc:
            hosts.add(parts.hostname if plain else parts.netloc.lower())
    return tuple(sorted(hosts))


def _find(link: Link, where: str, row: dict[str, str]) -> Find:
    name = urlsplit(link.url).path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    title = row.get("title") or plain_text(name.replace("_", " ")) or None
    day = day_in(row.get("date"))
    own = slug(row.get("map_id", ""))
    dpi = row.get("dpi", "")
    said = row.get("ai_training", "").lower()
    return Find(
        link=link, page_url=row.get("page_url") or where or link.url, date=day, title=title,
        map_id=f"{day or 'undated'}_{own or distinct_id(title, link.url)}",
        dpi=int(dpi) if dpi.isdigit() and 0 < int(dpi) < 10_000 else None,
        variant=row.get("variant"), description=row.get("description"), theme=row.get("theme"),
        cartographer=row.get("cartographer"),
        license=spdx(row["license"]) if row.get("license") else None,
        license_url=row.get("license_url"), attribution=row.get("attribution"),
        ai_training=said if said in AI_CHOICES else None,
    )  # fmt: skip


def _body(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadConfig(f"{path} is too large for a list of addresses.")
        return path.read_bytes()
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.", hint="Check it.") from error


def _rows(body: bytes) -> Iterator[dict[str, str]]:
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
