"""Maps out of a plain list of addresses: one a line, or a table whose first line names columns."""

from pathlib import Path
from urllib.parse import urlsplit

from mapmaker.scrape.grammar import Find, Page, day_in, slug
from mapmaker.scrape.items import distinct_id, plain_text, spdx
from mapmaker.scrape.links import Link, identity, read_link
from mapmaker.scrape.listfile import body_of, rows_of
from mapmaker.scrape.source import AI_CHOICES, Source


def read_list(source: Source, where: str, body: bytes) -> Page:
    """Return the files of a list. `where` is its address, or "" for one on this machine.

    Lines that begin with # and empty lines say nothing. An address that may not be asked is a file
    with a refusal. Lines of one address count once.
    """
    page, seen = Page(), set()
    for row in rows_of(body):
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
    return read_list(source, "", body_of(Path(source.list or "")))


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
        dpi=int(dpi) if dpi.isdecimal() and len(dpi) < 6 and 0 < int(dpi) < 10_000 else None,
        variant=row.get("variant"), description=row.get("description"), theme=row.get("theme"),
        cartographer=row.get("cartographer"),
        license=spdx(row["license"]) if row.get("license") else None,
        license_url=row.get("license_url"), attribution=row.get("attribution"),
        ai_training=said if said in AI_CHOICES else None,
    )  # fmt: skip
