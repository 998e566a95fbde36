"""Shared by the tests of scraping: one run against a replica, and what it left."""

from urllib.parse import urlsplit

from mapmaker.events import Done, finish
from mapmaker.files import read_lines, sha256_of
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.replica import HOSTS
from mapmaker.scrape.scrape import scrape

NAME = "map-of-the-week"


def run(workspace, archive, **options) -> Done:
    config = {"via": archive.url, "max_file_bytes": 400_000, **options}
    return finish(scrape(workspace, NAME, ScrapeConfig(**config)))


def on_site(url: str) -> str:
    """Return the path of an address on the archive's hosts, other addresses as they are."""
    parts = urlsplit(url)
    if parts.hostname not in HOSTS:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return parts.path + query + (f"#{parts.fragment}" if parts.fragment else "")


def planted(workspace) -> dict[str, str]:
    """Return address -> sha256 as the manifest has it, aliases too; every file is hashed."""
    dataset = workspace.dataset(NAME)
    found = {}
    for row in dataset.rows():
        assert sha256_of(dataset.root / row["file"]) == row["id"]
        for url in [row["picture_url"], *row["aliases"]]:
            found[on_site(url)] = row["id"]
    return found


def gaps(workspace) -> dict[str, str]:
    rows = read_lines(workspace.dataset(NAME).gaps)
    return {on_site(row["picture_url"]): row["reason"] for row in rows}


def pictures_on_disk(workspace) -> dict[str, str]:
    root = workspace.dataset(NAME).root
    return {p.name: sha256_of(p) for p in (root / "pictures").rglob("*.*")}
