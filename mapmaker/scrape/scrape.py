"""`scrape`: read a source's pages, fetch the maps they list, and write down what came."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import refuse_links, speaking_of
from mapmaker.scrape.choose import Wanted, choose
from mapmaker.scrape.config import ScrapeConfig, check_contact
from mapmaker.scrape.crew import work_through
from mapmaker.scrape.fetch import Fetcher, Outcome
from mapmaker.scrape.grammar import merge
from mapmaker.scrape.index import read_pages
from mapmaker.scrape.ledger import Ledger
from mapmaker.scrape.links import identity
from mapmaker.scrape.manifest import write_gaps, write_manifest
from mapmaker.scrape.mirrors import Mirrors
from mapmaker.scrape.parts import part_name, sweep
from mapmaker.scrape.permit import REASON, permitted
from mapmaker.scrape.settle import settled
from mapmaker.scrape.source import Source, check_ready, read_source
from mapmaker.scrape.urllist import list_of
from mapmaker.scrape.web import Web
from mapmaker.stopping import StopFlag, stoppable
from mapmaker.workspace import Dataset, Workspace, locked

CHECKERS = 2  # threads beyond --jobs: they check pictures while every connection is busy
_SIZE = 0.97 * 1000**2 / 1024**2, 1.03  # of what a page says: 3 %, its m being 1000 k of 1000
WANTED_GAPS = {"removed", REASON}  # nothing is missing that should be here


def scrape(workspace: Workspace, source: str, config: ScrapeConfig) -> Iterator[Event]:
    """Bring the maps of the card `source` into datasets/<source>/, politely, and only the new ones.

    Leaves pictures/, manifest.jsonl, gaps.jsonl and fetch_log.jsonl; running it again goes on where
    it stopped and asks for no picture that is here. Done.data: dataset, maps, pictures, fetched,
    bytes, requests, gaps (reason -> count); exit code 4 when there are gaps other than pictures
    removed on request. Raises MapmakerError when the first page cannot be read, Stopped after a
    signal, MissingPart for a full disk.
    """
    card = read_source(source)
    check_ready(card, with_refused=config.with_refused)
    config = replace(config, jobs=min(config.jobs, card.max_jobs or config.jobs))
    check_contact(card.hosts, config)
    card = replace(card, hosts=(*card.hosts, *config.allowed_origins))
    dataset = workspace.dataset(card.name)
    with locked(dataset.root), stoppable() as stop:
        halt = threading.Event()
        web = Web(card, config, halt)
        try:
            yield Note(f"{card.title}. {' '.join(card.terms.split())}".strip())
            yield from _scrape(card, dataset, config, web, stop)
        finally:
            halt.set()
            web.close()


def _scrape(
    source: Source, dataset: Dataset, config: ScrapeConfig, web: Web, stop: StopFlag
) -> Iterator[Event]:
    # The pages.
    mirrors = Mirrors(web)
    if source.list:
        finds, gaps = list_of(source).finds, []
    else:
        finds, gaps = yield from read_pages(source, dataset, mirrors, stop)
    all_read = all(lost["reason"] == "no-entries" for lost in gaps)
    finds = permitted(source, merge(source, finds), config.with_refused)
    wanted = choose(finds, config.dpi, config.limit)
    yield Note(f"The pages list {len({f.map_id for f in finds})} maps in {len(finds)} files.")

    # The pictures.
    parts = dataset.root / "parts"
    refuse_links(dataset.root, ("pictures", "parts", dataset.fetch_log.name))
    with speaking_of(parts):
        dataset.pictures.mkdir(parents=True, exist_ok=True)
        parts.mkdir(exist_ok=True)
    ledger = Ledger(dataset, verify=config.verify)
    fetcher = Fetcher(source, config, mirrors, ledger, parts)
    outcomes: dict[int, Outcome] = {}
    try:
        yield from _fetch_all(wanted, fetcher, config, web, stop, outcomes)
    finally:
        # The lists, also when something stopped us: what is here is listed.
        done = [*(outcomes[n] for n in sorted(outcomes)), *fetcher.cut_off]
        gaps += [lost for outcome in done for lost in outcome.gaps]
        rows = settled(source, dataset, ledger, done, stop)
        rows = [r for r in rows if r["id"] not in fetcher.removed]
        write_manifest(dataset, rows)
        write_gaps(dataset, gaps)
    if stop:
        left = len(wanted) - len(outcomes)
        raise stop.error(
            f"Stopped with {len(rows)} pictures here and {left} still to fetch.",
            hint="Run the same command again; nothing that is here is fetched twice.",
        )
    named = {part_name(identity(source, find.link.url)) for find in finds}
    yield from _put_away(parts, source, wanted, named if all_read else None)
    yield from _surprises(rows)
    yield _done(dataset, rows, gaps, done, web)


def _fetch_all(
    wanted: list[Wanted], fetcher: Fetcher, config: ScrapeConfig, web: Web, stop: StopFlag,
    outcomes: dict[int, Outcome],
) -> Iterator[Event]:  # fmt: skip
    total_bytes = 0
    threads = config.jobs + CHECKERS
    for result in work_through(wanted, fetcher, threads, web.halt):
        if result is not None:
            n, outcome = result
            outcomes[n] = outcome
            total_bytes += outcome.bytes
            yield Step("scrape", len(outcomes), len(wanted), "maps", f"{total_bytes / 1e6:.1f} MB")
        if stop:
            web.halt.set()  # and what is done by now is still told


def _put_away(
    parts: Path, source: Source, wanted: list[Wanted], listed: set[str] | None
) -> Iterator[Event]:
    """Clear up the parts, and say which beginnings stay though this run did not want the rest."""
    asked = {part_name(identity(source, f.link.url)) for w in wanted for f in w.choices}
    idle = [path for path in sweep(parts, listed) if path.name not in asked]
    if idle:
        size = sum(path.stat().st_size for path in idle) / 1e6
        yield Note(
            f"{len(idle)} unfinished files that this run did not ask for stay in {parts} "
            f"({size:.1f} MB): an earlier choice of --dpi or --limit goes on with them."
        )


def _surprises(rows: list[dict]) -> Iterator[Event]:
    """Say when files are not as large as their pages promise: the site has changed them.

    A twentieth or so may be missing where a page counts in thousands, and a k goes in rounding.
    """
    odd = [
        r for r in rows
        if (said := r["declared_bytes"])
        and not _SIZE[0] * said - 1024 <= r["bytes"] <= _SIZE[1] * said + 1024
    ]  # fmt: skip
    if odd:
        yield Note(f"{len(odd)} files are not as large as their pages say; all of them are whole.")


def _done(
    dataset: Dataset, rows: list[dict], gaps: list[dict], outcomes: list[Outcome], web: Web
) -> Done:
    fetched, size = sum(o.fetched for o in outcomes), sum(o.bytes for o in outcomes)
    reasons = dict(sorted(Counter(g["reason"] for g in gaps).items()))
    maps = len({r["map_id"] for r in rows})
    summary = f"{len(rows)} pictures of {maps} maps in {dataset.root}, {fetched} of them new"
    summary += f" ({size / 1e6:.1f} MB)."
    if gaps:
        named = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        summary += f" {len(gaps)} files are missing ({named}): see {dataset.gaps};"
        summary += " --verify asks for them again."
    data = {
        "dataset": dataset.name, "maps": maps, "pictures": len(rows), "fetched": fetched,
        "bytes": size, "requests": web.requests, "gaps": reasons,
    }  # fmt: skip
    return Done("scrape", summary, data, exit_code=4 if reasons.keys() - WANTED_GAPS else 0)
