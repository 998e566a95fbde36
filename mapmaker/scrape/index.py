"""Reading a source's pages, from its start to the last page they lead to."""

from collections.abc import Generator

from mapmaker.errors import Blocked, MapmakerError
from mapmaker.events import Event, Note, Step
from mapmaker.files import write_atomic
from mapmaker.scrape.answer import Answer, Refused
from mapmaker.scrape.crew import work_through
from mapmaker.scrape.grammar import Find
from mapmaker.scrape.links import identity
from mapmaker.scrape.manifest import gap
from mapmaker.scrape.mirrors import Mirrors
from mapmaker.scrape.remembered import Remembered
from mapmaker.scrape.source import Source
from mapmaker.scrape.store import Marks
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
    for n, url in enumerate(queue):  # grows while we read
        if n == source.max_pages:
            yield Note(f"{len(queue) - n} pages were not read: the card allows {n}.")
            break
        yield Step("scrape", n, len(queue), "pages", url)
        is_start = n < len(source.start)
        try:
            marks = remembered.marks(url) if n or kept.exists() else (None, None)
            body, answer = _patiently(mirrors, url, marks, stop)
        except Refused as refused:
            if is_start:
                raise _no_index(url, refused, mirrors.web) from refused
            status = {"attempts": refused.attempts, "last_status": refused.status}
            gaps.append(gap(url, refused.reason, page_url=url, **status))
            continue
        page = remembered.read(url, body, answer)
        if n == 0 and answer.status == 200 and not (kept.exists() and kept.read_bytes() == body):
            write_atomic(kept, body)
        if not page.finds and not page.follow:
            if is_start:
                raise MapmakerError(
                    f"{url} lists no map in any form the card of {source.name} knows.",
                    hint=f"Look at {kept}: the site may have changed.",
                )
            status = {"attempts": answer.attempts, "last_status": 200}
            gaps += [] if page.ended else [gap(url, "no-entries", page_url=url, **status)]
        finds += page.finds
        for further in page.follow:
            if identity(source, further) not in seen:
                seen.add(identity(source, further))
                queue.append(further)
    remembered.save()
    return finds, gaps


def _patiently(mirrors: Mirrors, url: str, marks: Marks, stop: StopFlag) -> tuple[bytes, Answer]:
    """Return a page, asked for in a thread of its own: a signal must not wait for a slow server."""

    def ask(address: str) -> tuple[bytes, Answer] | Refused:
        try:
            return mirrors.page(address, marks)
        except Refused as refused:  # raised in the crew it would end the run
            return refused

    for result in work_through([url], ask, 1, mirrors.web.halt):
        if stop:
            mirrors.web.halt.set()
            raise stop.error(
                "Stopped while reading the pages; nothing new was fetched.",
                hint="Run the same command again.",
            )
        if result is not None:
            if isinstance(result[1], Refused):
                raise result[1]
            return result[1]
    raise AssertionError("the crew gave no result")


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
