"""An archive's index of captures, asked once a host and kind of thing, not once a file.

Source of the format: the README of wayback-cdx-server; of its dirt: EDGI's `wayback` client, whose
semantics are followed here. Archive-It's help pages ("CDX/C API") say that its index is the same
server's, one a collection, with the same SHA-1 in base32.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.links import path_and_query
from mapmaker.scrape.source import Source
from mapmaker.scrape.web import Web

CDX = "https://web.archive.org/cdx/search/cdx"
FIELDS = ("timestamp", "original", "mimetype", "statuscode", "digest")
_ALL_FIELDS = 7  # of a server that knows no `fl`, at least: urlkey comes first, then ours
_ROWS_AT_A_TIME = 100_000
_MOST_CALLS = 20  # for one host and kind, resumed ones too
_PORT = re.compile(r"^(https?://[^/:]+):(?:80|443)(?=/|$)")
_STAMP = re.compile(r"\d{14}", re.ASCII)
_ADDRESS = re.compile(r"https?://[\w.-]+\.\w\w+(:\d+)?/[^\s]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Capture:
    """A visit of the crawler: 14 digits of time, the address as it was asked for, and SHA-1.

    status None stands for a repetition ("-" in the index: the bytes are those of an earlier visit).
    """

    stamp: str
    url: str
    status: int | None
    digest: str

    @property
    def when(self) -> datetime:
        """The time of the visit."""
        return when(self.stamp)


class CaptureIndex:
    """What an archive holds of a source; `address` is its index. Safe to use from several threads.

    Each host is asked for at most twice a run, for the pages and for the pictures, and only when
    something of the kind is missing; www. and the bare host are one there.
    """

    def __init__(self, source: Source, web: Web, address: str = CDX) -> None:
        self.source, self.web, self.address = source, web, address
        self._lock = threading.Lock()
        self._known: dict[tuple[str, bool], Mapping[str, list[Capture]] | Refused] = {}

    def of(self, url: str, *, is_file: bool) -> list[Capture]:
        """Return the captures of `url`, the oldest first; on one site those by its other hosts too.

        Raises Refused when the index cannot be had.
        """
        found: list[Capture] = []
        for host in self.hosts(url):
            rows = self._rows(host, is_file)
            found += rows.get(key_of(on_host(url, host)), [])
        return sorted(found, key=lambda c: c.stamp)

    def hosts(self, url: str) -> list[str]:
        """Return the hosts under which `url` may have been captured, its own first."""
        own = bare(urlsplit(url).hostname or "")
        others = map(bare, self.source.hosts) if self.source.one_site else ()
        return list(dict.fromkeys([own, *others]))

    def _rows(self, host: str, is_file: bool) -> Mapping[str, list[Capture]]:
        with self._lock:
            if (host, is_file) not in self._known:
                try:
                    self._known[host, is_file] = self._ask(host, is_file)
                except Refused as refused:
                    self._known[host, is_file] = refused
            known = self._known[host, is_file]
        if isinstance(known, Refused):
            raise known
        return known

    def _ask(self, host: str, is_file: bool) -> dict[str, list[Capture]]:
        query = {
            "url": host + prefix_of(self.source, is_file=is_file) + "*",
            "fl": ",".join(FIELDS),
            "filter": r"!statuscode:[45]\d\d",
            "limit": str(_ROWS_AT_A_TIME),
            "showResumeKey": "true",
        }
        words = [f"{name}={quote(value, safe='/:.*,')}" for name, value in query.items()]
        address, direct = f"{self.address}?{'&'.join(words)}", _Direct(self.address)
        found: dict[str, dict[Capture, None]] = {}
        resume: str | None = ""
        for _ in range(_MOST_CALLS):
            body, _ = self.web.page(address + (f"&resumeKey={resume}" if resume else ""), direct)
            rows, resume = read_index(body)
            for capture in rows:
                found.setdefault(key_of(capture.url), {})[capture] = None
            if not resume:
                break
        return {key: list(captures) for key, captures in found.items()}


class _Direct:
    """An index itself: it leads nowhere else."""

    def __init__(self, address: str) -> None:
        self.address = address

    def owns(self, url: str) -> bool:
        return url.startswith(f"{self.address}?")

    def leads(self, url: str, to: str, *, is_file: bool) -> str:
        raise Refused("redirected", 302)

    def returns(self, to: str) -> bool:
        return False

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Its answers are taken as they are; rows that are none are left out."""


def read_index(body: bytes) -> tuple[list[Capture], str | None]:
    """Return the captures in an answer of the index, text or JSON, and the key to go on with.

    Lines that are no capture of a web address are left out, ports 80 and 443 taken off.
    """
    rows, resume = [], None
    for row in _table(body):
        if len(row) == 1:
            resume = quote(row[0], safe="%+!*")
            continue
        row = row[1 : 1 + len(FIELDS)] if len(row) >= _ALL_FIELDS else row
        if len(row) == len(FIELDS):
            stamp, url, mime, status, digest = row
            url = _PORT.sub(r"\1", url)
            if is_stamp(stamp) and _ADDRESS.fullmatch(url):
                again = mime == "warc/revisit" or not (status.isascii() and status.isdecimal())
                rows.append(Capture(stamp, url, None if again else int(status), digest))
    return rows, resume


def _table(body: bytes) -> Iterator[list[str]]:
    """Yield rows of words; a row of one word is the resume key."""
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("["):
        try:
            rows = json.loads(text)
        except (ValueError, RecursionError):
            return
        for row in rows[1:] if isinstance(rows, list) else ():
            if isinstance(row, list) and all(isinstance(word, str) for word in row):
                yield row
        return
    before = "-"
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) > 1 or not before:  # a blank line comes before the key
            yield words
        before = line


def prefix_of(source: Source, *, is_file: bool) -> str:
    """Return the longest beginning that all addresses of a kind share, from the card's patterns."""
    if is_file:
        texts = [_literal(p.pattern) for p in source.pictures]
    else:
        texts = [path_and_query(u) for u in source.start]
        texts += [_literal(p.pattern) for p in source.follow]
    first, last = min(texts), max(texts)
    same = (n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(same, min(len(first), len(last)))]


def _literal(pattern: str) -> str:
    """Return what every match of a regular expression begins with, as far as it is plain text."""
    text = re.sub(r"^(\(\?[a-z]+\))?\^?", "", pattern)
    if "|" in text.partition("(")[0]:
        return ""
    words = re.match(r"(?:(?:\\[^\w\s]|[\w\s/:;=&%@!~,'-])(?![*?{]))*", text)
    return re.sub(r"\\(.)", r"\1", words[0]) if words else ""


def key_of(url: str) -> str:
    """Return what the archive takes for one address: no scheme, www., port 80 or capitals."""
    parts = urlsplit(_PORT.sub(r"\1", url))
    return f"{bare(parts.netloc)}{parts.path}{'?' + parts.query if parts.query else ''}".lower()


def bare(host: str) -> str:
    """Return a host without www."""
    return host.lower().removeprefix("www.")


def on_host(url: str, host: str) -> str:
    """Return `url` as it would be on another host."""
    parts = urlsplit(url)
    return parts._replace(netloc=host).geturl()


def is_stamp(text: str) -> bool:
    """True for 14 digits that are a time: there is no 30th of February."""
    try:
        return _STAMP.fullmatch(text) is not None and bool(when(text))
    except ValueError:
        return False


def when(stamp: str) -> datetime:
    """Return the time of a stamp of 4 to 14 digits. Raises ValueError."""
    whole = stamp + "00000101000000"[len(stamp) :]
    return datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
