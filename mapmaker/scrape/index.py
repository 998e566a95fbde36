"""Reading a source's pages, from its start to the last page they lead to."""

from collections.abc import Callable, Generator
from pathlib import Path

from mapmaker.errors import Blocked, MapmakerError
from mapmaker.events import Event, Note, Step
from mapmaker.files import write_atomic
from mapmaker.scrape.answer import Refused
from mapmaker.scrape.crew import work_through
from mapmaker.scrape.grammar import Find, Page
from mapmaker.scrape.links import identity
from mapmaker.scrape.manifest import gap
from mapmaker.scrape.mirrors import Mirrors
from mapmaker.scrape.remembered import Remembered
from mapmaker.scrape.source import Source
from mapmaker.scrape.web import Web
from mapmaker.stopping import StopFlag
from mapmaker.workspace import Dataset


def read_pages(
    source: Source, dataset: Dataset, mirrors: Mirrors, stop: StopFlag
) -> Generator[Event, None, tuple[list[Find], list[dict]]]:
    """Read the start pages and every page they lead to, in order, each once.

    Yields steps and returns (finds, gaps). The first page is kept as index.html, as it came: the
    one thing to look at when a site has changed; what every page said is kept in pages.jsonl, and
    an unchanged page is not sent again. Raises MapmakerError when a start page cannot be
    read or lists nothing, Stopped after a signal.
    """
    queue, seen = list(source.start), {identity(source, u) for u in source.start}
    finds: list[Find] = []
    gaps: list[dict] = []
    remembered = Remembered(source, dataset.root / "pages.jsonl")
    kept = dataset.root / "index.html"
    done = 0
    while wave := queue[done : source.max_pages]:
        said = yield from _read_wave(wave, done, _reader(mirrors, remembered, kept), mirrors, stop)
        for n, url in enumerate(wave, done):
            page, is_start = said[n - done], n < len(source.start)
            if isinstance(page, Refused):
                if is_start:
                    raise _no_index(url, page, mirrors.web) from page
                status = {"attempts": page.attempts, "last_status": page.status}
                gaps.append(gap(url, page.reason, page_url=url, **status))
                continue
            if not page.finds and not page.follow:
                if is_start:
                    raise MapmakerError(
                        f"{url} lists no map in any form the card of {source.name} knows.",
                        hint=f"Look at {kept}: the site may have changed.",
                    )
                status = {"attempts": page.attempts, "last_status": 200}
                gaps += [] if page.ended else [gap(url, "no-entries", page_url=url, **status)]
            finds += page.finds
            for further in page.follow:
                if identity(source, further) not in seen:
                    seen.add(identity(source, further))
                    queue.append(further)
        done += len(wave)
    if done < len(queue):
        yield Note(f"{len(queue) - done} pages were not read: the card allows {done}.")
    remembered.save()
    return finds, gaps


def _reader(
    mirrors: Mirrors, remembered: Remembered, kept: Path
) -> Callable[[str], Page | Refused]:
    """Return what asks for a page and reads it; the first one is kept as it came."""
    first = mirrors.web.source.start[0]

    def read(url: str) -> Page | Refused:
        marks = remembered.marks(url) if url != first or kept.exists() else (None, None)
        try:
            body, answer = mirrors.page(url, marks)
        except Refused as refused:  # raised in the crew it would end the run
            return refused
        same = answer.status == 304 or (kept.exists() and kept.read_bytes() == body)
        if url == first and not same:
            write_atomic(kept, body)
        return remembered.read(url, body, answer)

    return read


def _read_wave(
    wave: list[str], done: int, read: Callable[[str], Page | Refused], mirrors: Mirrors,
    stop: StopFlag,
) -> Generator[Event, None, dict[int, Page | Refused]]:  # fmt: skip
    """Read pages that are known of by now, several at a time: a signal waits for no slow server."""
    said: dict[int, Page | Refused] = {}
    yield Step("scrape", done, done + len(wave), "pages", wave[0])
    for result in work_through(wave, read, mirrors.web.config.jobs, mirrors.web.halt):
        if stop:
            mirrors.web.halt.set()
            raise stop.error(
                "Stopped while reading the pages; nothing new was fetched.",
                hint="Run the same command again.",
            )
        if result is not None:
            said[result[0]] = result[1]
            yield Step("scrape", done + len(said), done + len(wave), "pages", wave[result[0]])
    return said


def _no_index(url: str, refused: Refused, web: Web) -> MapmakerError:
    hint = {
        "robots": "The site asks programs to stay away from its list; we do.",
        "rate-limited": "Wait an hour and run the same command again.",
        "blocked": "Wait an hour and run the same command again; do not hurry it.",
        "unreachable": "Check the network"
        + (", or the address given to --via." if web.via else "."),
    }.get(refused.reason, "Try again later.")
    if not web.config.asks_wayback and not web.via:
        hint += " The site may be gone: --wayback asks the Internet Archive."
    status = f", HTTP status {refused.status}" if refused.status else ""
    kind = Blocked if refused.reason in ("blocked", "rate-limited") else MapmakerError
    return kind(f"{url} could not be read ({refused.reason}{status}).", hint=hint)
