"""What a scrape would do, in words: the pages are read for it, no picture is asked for."""

import shutil
import tempfile
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mapmaker.errors import MapmakerError
from mapmaker.scrape.choose import choose
from mapmaker.scrape.config import ScrapeConfig, check_contact
from mapmaker.scrape.grammar import Find, merge
from mapmaker.scrape.index import read_pages
from mapmaker.scrape.ledger import Ledger
from mapmaker.scrape.links import identity
from mapmaker.scrape.manners import FOREIGN_RATE
from mapmaker.scrape.mirrors import Mirrors
from mapmaker.scrape.permit import permitted
from mapmaker.scrape.source import Source, check_ready, read_source
from mapmaker.scrape.urllist import list_of
from mapmaker.scrape.web import Web
from mapmaker.stopping import stoppable
from mapmaker.workspace import Dataset, Workspace

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Survey:
    """What is still to be fetched: pages were asked for already, files will be.

    known_bytes is what the pages say of `sized` of the files; here counts files that have come.
    """

    maps: int
    here: int
    refused: int
    hosts: dict[str, int]
    known_bytes: int
    sized: int
    page_requests: int

    @property
    def files(self) -> int:
        """How many files would be asked for."""
        return sum(self.hosts.values())

    @property
    def bytes(self) -> int | None:
        """Return what they weigh, those of unknown size taken for average ones; None: unknown."""
        return round(self.known_bytes / self.sized * self.files) if self.sized else None


def describe(workspace: Workspace, source: str, config: ScrapeConfig) -> list[str]:
    """Return the lines `--dry-run` prints; nothing is written. Raises as read_source does.

    The pages are read, politely, to say what would be fetched; when they cannot be, or nobody is
    named to their keeper, a line says why.
    """
    card = read_source(source)
    dataset = workspace.dataset(card.name)
    here = len(dataset.rows()) if dataset.manifest.exists() else 0
    rate = f"{config.rate:g}" if config.rate else "unlimited" if config.via else "1"
    via = f", by way of {config.via}" if config.via else ""
    who = config.who or "nobody yet: --contact says whom the site's keeper can write to"
    begins = ", ".join(card.start) or f"the list {card.list}"
    lines = [
        f"scrape: {card.title}",
        f"  starts at {begins}{via}",
        f"  fetches dpi {config.dpi}, {config.jobs} at a time, requests a second and host: {rate}",
        f"  asks web.archive.org for what is missing: {'yes' if config.asks_wayback else 'no'}",
        f"  names as its keeper {who}",
        f"  writes into {dataset.root}, where {here} pictures are already",
        f"  licence: {card.license}",
    ]
    if config.limit:
        lines.insert(3, f"  stops after {config.limit} maps")
    try:
        return [*lines, *_said(survey(card, dataset, config), config)]
    except MapmakerError as error:
        return [*lines, f"  how much that is cannot be said: {error} {error.hint}".rstrip()]


def survey(card: Source, dataset: Dataset, config: ScrapeConfig) -> Survey:
    """Return what a scrape would fetch now. Raises MapmakerError when the pages cannot be read."""
    check_ready(card, with_refused=config.with_refused)
    check_contact(card.hosts, config)
    card = replace(card, hosts=(*card.hosts, *config.allowed_origins))
    web = Web(card, config, threading.Event())
    try:
        finds = _finds(card, dataset, config, web)
        wanted = choose(permitted(card, finds, config.with_refused), config.dpi, config.limit)
        todo, here, refused = _still_to_come((w.choices[0] for w in wanted), card, dataset)
        sizes = [f.declared_bytes for f in todo if f.declared_bytes]
        hosts: dict[str, int] = {}
        for find in todo:
            host = urlsplit(find.link.url).hostname or ""
            hosts[host] = hosts.get(host, 0) + 1
        maps = len({w.choices[0].map_id for w in wanted})
        return Survey(maps, here, refused, hosts, sum(sizes), len(sizes), web.requests)
    finally:
        web.close()


def _finds(card: Source, dataset: Dataset, config: ScrapeConfig, web: Web) -> list[Find]:
    """Read the pages into a folder that goes again; what is remembered of them is made use of."""
    if card.list:
        return merge(card, list_of(card).finds)
    with tempfile.TemporaryDirectory() as scratch, stoppable() as stop:
        there = Dataset(Path(scratch) / dataset.name)
        there.root.mkdir()
        for name in ("index.html", "pages.jsonl"):
            if (dataset.root / name).is_file():
                shutil.copyfile(dataset.root / name, there.root / name)
        finds, _ = _returned(read_pages(card, there, Mirrors(web), stop))
        return merge(card, finds)


def _returned(work: Generator[Any, None, R]) -> R:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def _still_to_come(
    finds: Iterable[Find], card: Source, dataset: Dataset
) -> tuple[list[Find], int, int]:
    """Return (files to ask for, how many are here, how many must not be asked for)."""
    ledger = Ledger(dataset) if dataset.fetch_log.exists() else None
    todo, here, refused = [], 0, 0
    for find in finds:
        key = identity(card, find.link.url)
        if find.link.refusal:
            refused += 1
        elif ledger and (ledger.good(key) or ledger.members(key) is not None):
            here += 1
        else:
            todo.append(find)
    return todo, here, refused


def _said(found: Survey, config: ScrapeConfig) -> list[str]:
    weight = "nothing" if not found.files else "of unknown size"
    if found.bytes is not None and found.files:
        weight = f"about {found.bytes / 1e6:,.1f} MB"
        if found.sized < found.files:
            weight += f" ({found.files - found.sized} of unknown size taken for average ones)"
    lines = [
        f"  the pages list {found.maps} maps ({found.page_requests} requests, made just now)",
        f"  {found.here} files are here, {found.refused} must not be asked for",
        f"  to fetch: {found.files} files, {weight}, in {found.files} requests or a few more",
    ]
    if found.files and (seconds := _least_s(found, config)):
        lines.append(f"  that takes {_spoken(seconds)} at least, by the manners towards each host")
    elif found.files:
        lines.append("  that takes as long as the line needs: no host's manners slow it")
    return lines


def _least_s(found: Survey, config: ScrapeConfig) -> float | None:
    """Return the seconds that the rate a host is asked at makes it take, or None for no limit."""
    if config.via and not config.rate:
        return None
    rate = config.rate or FOREIGN_RATE
    return max(found.hosts.values()) / rate


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
