"""What the replica's archives hold: captures of pages and files, good ones and traps.

The Wayback Machine has a capture of every file and page, unless the file's `kept` says otherwise;
a second archive (Archive-It, collection 1213) has few. `plant_kept` adds a month of files that the
site has lost and the archives keep in some odd way, one for each name in KEPT.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from mapmaker.scrape.replica.plan import HOSTS, KEPT_MONTH, ROOT, Entry, File, Month, Truth, jpg

STAMP = "20160401000000"
OLDER = "20090602060921"
FAR = "20120101000000"
# file.kept -> what the Wayback Machine's copy is refused for, None when it is good. "second" is in
# the second archive alone; it and the names behind it are asked for there.
KEPT: dict[str, str | None] = {
    "good": None,  # one capture, the same bytes
    "revisit": None,  # the index has it only as a repetition, with status "-"
    "near": None,  # playback leads to a capture three weeks away
    "moved": None,  # the crawler was sent elsewhere, and playback sends us there
    "view-redirect": None,  # the same as a page: "Got an HTTP 302 response at crawl time"
    "double-encoding": None,  # two Content-Encoding headers, '' and gzip
    "lost-flag": None,  # playback leads to an address without id_
    "one-of-two": None,  # the nearest capture has other bytes than the index says
    "circular-once": None,  # round the corner and back, then it comes
    "far": "drift",  # playback leads to a capture four years away
    "circular": "redirected",  # two captures, each leads to the other for ever
    "toolbar": "not-a-picture",  # the picture's page for people, id_ or not
    "other-bytes": "digest",  # not the bytes of which the index has the SHA-1
    "no-memento": "not-found",  # 200 without Memento-Datetime is no capture
    "other-original": "redirected",  # Link says that the capture is of something else
    "blocked": "forbidden",  # AdministrativeAccessControlException
    "gone-then-too": "not-found",  # when it was captured it was a 404 already
    "second": "not-found",  # no capture; the second archive has one
    "second-other-bytes": "not-found",  # the same, but not the bytes its index has the SHA-1 of
    "nowhere": "not-found",  # nobody has it
}
SECOND = frozenset({"second", "other-bytes"})  # kept by the second archive too
SECOND_WRONG = "second-other-bytes"
_BAD_ANYWAY = frozenset({"garbled", "stub", "bomb", "endless", "gzip-bomb", "trap"})


def archived_reason(file: File) -> str | None:
    """Return the gap's reason of a file when archives may be asked, None when it arrives."""
    if file.reason is None or file.kept in SECOND or KEPT[file.kept] is None:
        return file.reason if file.behaviour in _BAD_ANYWAY else None
    return file.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One visit of the crawler. status None: a repetition ("-"). `play` is how playback serves it.

    A file by its `path`, or a `page` by its address with its newest `entries` (0: all). What is not
    `listed` is missing in the index.
    """

    stamp: str
    url: str
    status: int | None = 200
    mime: str = "image/jpeg"
    path: str | None = None
    page: str | None = None
    entries: int = 0
    play: str = "good"
    to: str = ""
    listed: bool = True


def key_of(url: str) -> str:
    """Return an address as the archive sorts it: host turned round, www. and :80 gone, lower case.

    Source: the SURT form, as far as the hosts here need it.
    """
    bare = re.sub(r"^https?://", "", url, flags=re.IGNORECASE)
    host, slash, path = bare.partition("/")
    host = re.sub(r"^www\.", "", host.lower()).removesuffix(":80")
    return f"{','.join(reversed(host.split('.')))}){slash}{path}".lower()


def captures_of(truth: Truth) -> list[Capture]:
    """Return everything that the Wayback Machine has, sorted as its index is."""
    found: list[Capture] = []
    for n, (_, file) in enumerate(truth.files()):
        if file.behaviour != "trap":
            found += _of_file(n, file)
    top = "/default.asp?x=dnd/mwa/archiveall"
    pages = [(top, (3, 0)), *((f"{top[:-3]}{y}", (0,)) for y in {m.year for m in truth.months})]
    for page, revisions in pages:
        for stamp, entries in zip((OLDER, STAMP)[-len(revisions) :], revisions, strict=True):
            found.append(_of_page(stamp, HOSTS[0], page, entries))
        found.append(replace(_of_page("20221231000000", HOSTS[0], page, 0), status=404))
    for month in truth.months:
        page = f"/default.asp?x=dnd/mw/{month.name}"
        for n in range(1, min(5, len(month.entries)) + 1):
            seen = date(month.year, month.month, 1) + timedelta(days=7 * n)
            entries = n if n < min(5, len(month.entries)) else 0
            found.append(_of_page(f"{seen:%Y%m%d}101500", HOSTS[1], page, entries))
        found.append(replace(_of_page("20221231000000", HOSTS[1], page, 0), status=404))
    return sorted(found, key=lambda c: (key_of(c.url), c.stamp))


def second_captures(truth: Truth) -> list[Capture]:
    """Return what the second archive has."""
    return [
        Capture(
            stamp=OLDER, url=f"http://{HOSTS[1]}{file.path}", path=file.path,
            play="good" if file.kept in SECOND else "other-bytes",
        )
        for _, file in truth.files()
        if file.kept in {*SECOND, SECOND_WRONG} and file.behaviour != "trap"
    ]  # fmt: skip


def _of_page(stamp: str, host: str, page: str, entries: int) -> Capture:
    url = f"http://{host}{page}"
    return Capture(stamp=stamp, url=url, mime="text/html", page=page, entries=entries)


def _of_file(n: int, file: File) -> list[Capture]:
    host = HOSTS[n % 2]  # archive. and www. are kept apart
    url = f"http://{host}{':80' if n % 5 == 0 else ''}{file.path}"
    good = Capture(stamp=STAMP, url=url, path=file.path)
    moved = replace(good, url=url.replace("/mapofweek/", "/mapofweek/moved/"))
    later = _later(STAMP, 21)
    back = replace(good, stamp=later, play="leads", to=STAMP)
    kept = {
        "revisit": [replace(good, status=None, mime="warc/revisit")],
        "near": [replace(good, play="leads", to=later), replace(good, stamp=later)],
        "moved": [replace(good, status=302, play="moved", to=f"{STAMP}/{moved.url}"), moved],
        "view-redirect": [replace(good, play="view-redirect", to=f"{STAMP}/{moved.url}"), moved],
        "lost-flag": [replace(good, play="lost-flag", to=later), replace(good, stamp=later)],
        "one-of-two": [replace(good, play="other-bytes"), replace(good, stamp=OLDER)],
        "far": [replace(good, play="leads", to=FAR), replace(good, stamp=FAR, listed=False)],
        "circular": [replace(good, play="leads", to=later), back],
        "circular-once": [replace(good, play="once", to=later), back],
        "gone-then-too": [replace(good, status=404, mime="text/html")],
        "second": [],
        SECOND_WRONG: [],
        "nowhere": [],
    }  # fmt: skip
    if file.kept != "good":
        return kept.get(file.kept, [replace(good, play=file.kept)])
    # Most files were seen more than once, and once when the server was down.
    older = [replace(good, stamp=OLDER), replace(good, stamp="20100101000000", status=503)]
    return [*(older if n % 3 == 0 else []), good]


def _later(stamp: str, days: int) -> str:
    return f"{datetime.strptime(stamp, '%Y%m%d%H%M%S') + timedelta(days=days):%Y%m%d%H%M%S}"


def plant_kept(truth: Truth, *, art: int, side_px: int) -> None:
    """Add the month whose files the site has lost, named in truth.oddities as `kept-...`."""
    year, month = KEPT_MONTH
    entries = []
    for n, kept in enumerate(KEPT):
        path = f"{ROOT}/{date(year, month, 1):%B%Y}/kept_{kept}_72_ppi.jpg"
        gone: dict[str, Any] = {"behaviour": "404", "reason": "not-found", "kept": kept}
        file = jpg(path, art + 1 + n, side_px, 72, **gone)
        day = date(year, month, (1, 8, 15, 22)[min(3, n // 5)])
        files = [file]
        if kept == "nowhere":  # a lower resolution stands in for it
            low = path.replace("_72_", "_50_")
            files = [replace(file, dpi=150), jpg(low, art + 1 + n, side_px, 72)]
        entries.append(
            Entry(
                date=day, title=f"Kept {kept.replace('-', ' ')}", theme=None, cartographer=None,
                description="The site has lost it.", files=tuple(files),
            )
        )  # fmt: skip
        truth.oddities[f"kept-{kept}"] = path
    truth.months.append(
        Month(
            year=year, month=month, name=f"{year}{month:02d}01a", theme="Lost",
            entries=tuple(reversed(entries)),
        )
    )  # fmt: skip
    truth.months.sort(key=lambda m: (m.year, m.month))
