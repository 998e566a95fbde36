"""The way to a capture: which redirects of an archive lead to it, and what counts as the capture.

Source of the rules: EDGI's `wayback` client (semantics, no code): raw bodies by `id_`, a
Memento-Datetime on everything that is a capture, `rel="original"` for what was captured, view-mode
pages taken for the redirects they are, an end to drifting and to circles.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from mapmaker.scrape.answer import Refused
from mapmaker.scrape.captures import is_stamp, key_of, when
from mapmaker.scrape.clock import http_date
from mapmaker.scrape.links import path_and_query
from mapmaker.scrape.source import Source

WAYBACK = "https://web.archive.org/web/"
_REDIRECT_PAGE = re.compile(rb"Got an? HTTP 3\d\d response at crawl time", re.IGNORECASE)
_LINK = re.compile(rb"""<a\s[^>]*href=["']([^"']*/\d{14}[a-z_]*/[^"']+)["']""", re.IGNORECASE)
_TOOLBAR = b"BEGIN WAYBACK TOOLBAR INSERT"
_ORIGINAL = re.compile(r"""<([^<>]*)>\s*;[^<]*?rel="?original"?""")
_LOOK_BYTES = 200_000


class ToCapture:
    """A route to the capture of `url` near `stamp` in the archive at `base` (`.../web/`).

    stamp may be a year: then the first whole stamp that the archive leads to is where we wanted to
    go. After an answer, `stamp` and `url` are those of the capture that came; `visited` has every
    capture on the way.
    """

    def __init__(self, source: Source, base: str, stamp: str, url: str, drift_days: int) -> None:
        self.source, self.base, self.drift_days = source, base, drift_days
        self.stamp, self.url = stamp, url
        self.packed = False
        self._wanted = stamp if len(stamp) == 14 else None
        self._first = key_of(url)
        self.visited = [f"{stamp}/{key_of(url)}"]

    @property
    def address(self) -> str:
        """Where to ask."""
        return f"{self.base}{self.stamp}id_/{self.url}"

    def owns(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self.base).netloc

    def returns(self, to: str) -> bool:
        return True  # once: `leads` counts

    def leads(self, url: str, to: str, *, is_file: bool) -> str:
        """Return where a redirect goes, with the `id_` that some of them lose."""
        base = re.escape(urlsplit(self.base).path)
        place = re.fullmatch(base + r"(\d{14})[a-z_]*/(.+)", path_and_query(to))
        if not self.owns(to) or place is None:
            raise Refused("redirected", 302)
        stamp, inner = place.groups()
        inner = re.sub(r"^(https?):/+", r"\1://", inner)
        if not self._is_same_thing(inner, is_file):
            raise Refused("redirected", 302)
        if not is_stamp(stamp):
            raise Refused("redirected", 302)
        self._wanted = self._wanted or stamp
        if abs(when(stamp) - when(self._wanted)) > timedelta(days=self.drift_days):
            raise Refused("drift", 302)
        self.visited.append(f"{stamp}/{key_of(inner)}")
        if len(self.visited) > len(set(self.visited)) + 1:  # once back is seen and does no harm
            raise Refused("redirected", 302)
        self.stamp, self.url = stamp, inner
        return self.address

    def admit(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise Refused for what is no capture, or one of something else."""
        if "Memento-Datetime" not in headers:
            raise Refused("not-found", status)
        there = http_date(headers["Memento-Datetime"])
        if there is None:
            raise Refused("not-found", status)
        if self._wanted and abs(there - when(self._wanted)) > timedelta(days=self.drift_days):
            raise Refused("drift", status)
        if len(self.stamp) < 14:
            self.stamp = f"{there:%Y%m%d%H%M%S}"
        original = _ORIGINAL.search(headers.get("Link", ""))
        if original and not self._is_this(original[1]):
            raise Refused("redirected", status)
        self.packed = bool(headers.get("Content-Encoding", "").strip(" ,"))

    def onward(self, body: bytes, *, is_file: bool) -> "ToCapture | None":
        """Return the route that a view-mode page tells of, None for a body that is the thing.

        Raises Refused for a page with the archive's toolbar: it is not what was captured.
        """
        if _REDIRECT_PAGE.search(body):
            link = _LINK.search(body)
            if link is None:
                raise Refused("redirected", 200)
            to = urljoin(self.address, link[1].decode("utf-8", "replace").replace("&amp;", "&"))
            self.leads(self.address, to, is_file=is_file)
            return self
        if _TOOLBAR in body:
            raise Refused("not-a-picture" if is_file else "redirected", 200)
        return None

    def _is_this(self, original: str) -> bool:
        return path_and_query(key_path(original)) == path_and_query(key_path(self.url))

    def _is_same_thing(self, url: str, is_file: bool) -> bool:
        """True for the address we asked for, and for pictures of the same site elsewhere on it."""
        if key_of(url) == self._first:
            return True
        parts = urlsplit(url)
        if (parts.hostname or "") not in self.source.hosts:
            return False
        patterns = self.source.pictures if is_file else self.source.follow
        return any(p.search(path_and_query(url)) for p in patterns)


def key_path(url: str) -> str:
    """Return an address in the form in which two spellings of it are equal."""
    return "http://" + key_of(url)


def head_of(part: Path) -> bytes:
    """Return a file that is short enough to be an archive's page, else nothing."""
    if part.stat().st_size > _LOOK_BYTES:
        return b""
    data = part.read_bytes()
    return data if b"<" in data[:200] else b""
