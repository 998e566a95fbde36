"""The replica's archives: the Wayback Machine (index and playback) and a second one of its kind."""

import base64
import gzip
import hashlib
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

from mapmaker.scrape.replica.captures import Capture, captures_of, key_of, second_captures
from mapmaker.scrape.replica.cdx import BadQuery, Row, answer, rows_of
from mapmaker.scrape.replica.live import OTHER_EDITION, Archive
from mapmaker.scrape.replica.pages import page_of
from mapmaker.scrape.replica.server import Reply

HOST = "web.archive.org"
SECOND_HOST, COLLECTION = "wayback.archive-it.org", "/1213"
_ADDRESS = re.compile(r"/(\d{1,14})(id_|im_|if_|js_|cs_|)/(.+)")
_TOOLBAR = (
    "<html><head><script src='//archive.org/includes/analytics.js'></script></head><body>\n"
    "<!-- BEGIN WAYBACK TOOLBAR INSERT -->\n<div id='wm-ipp'>{stamp}</div>\n"
    "<!-- END WAYBACK TOOLBAR INSERT -->\n{body}</body></html>"
)
_REDIRECT = (
    "<html><body><h1>Loading...</h1><p>Got an HTTP 302 response at crawl time</p>"
    "<p>Redirecting to...</p><p class='code shift target'><a href='/web/{to}'>{to}</a></p>"
    "</body></html>"
)


class WaybackMachine:
    """Both archives of one replica. Captures are worked out when they are first asked for.

    busy: so many of the next requests are answered 429, without Retry-After. most_rows: what an
    index gives at a time, whatever `limit` says. second_is_unlisted: the second has no index.
    """

    def __init__(self, archive: Archive, most_rows: int) -> None:
        self.archive, self.most_rows = archive, most_rows
        self.busy = 0
        self.second_is_unlisted = False
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, list[Capture]]] = {}
        self._rows: dict[str, list[Row]] = {}

    def answer(self, reply: Reply, tries: int) -> None:
        """Answer a request to either archive."""
        second = reply.headers.get("Host") == SECOND_HOST
        base = COLLECTION if second else "/web"
        index = f"{COLLECTION}/timemap/cdx?" if second else "/cdx/search/cdx?"
        match = _ADDRESS.fullmatch(reply.path.removeprefix(base))
        if self.busy:
            self.busy -= 1
            reply.say(429, b"<html><h1>429 Too Many Requests</h1></html>")
        elif reply.path.startswith(index) and not (second and self.second_is_unlisted):
            self._index(reply, base)
        elif match and reply.path.startswith(f"{base}/"):
            self._play(reply, base, match[1], match[2], match[3], tries)
        else:  # robots.txt among them
            reply.say(404, b"<html>no such thing here</html>")

    def captures(self, base: str) -> dict[str, list[Capture]]:
        """Return key -> captures of the archive with this base path, each in the order of time."""
        with self._lock:
            if base not in self._found:
                found = captures_of if base == "/web" else second_captures
                groups: dict[str, list[Capture]] = {}
                for capture in found(self.archive.truth):
                    groups.setdefault(key_of(capture.url), []).append(capture)
                self._found[base] = groups
        return self._found[base]

    def _index(self, reply: Reply, base: str) -> None:
        captures = [c for group in self.captures(base).values() for c in group]
        with self._lock:
            if base not in self._rows:
                self._rows[base] = list(rows_of(captures, self._digest))
        try:
            body, kind = answer(self._rows[base], reply.path.partition("?")[2], self.most_rows)
        except (BadQuery, ValueError) as error:
            reply.say(400, str(error).encode())
        else:
            reply.say(200, body, {"Content-Type": kind})

    def _play(
        self, reply: Reply, base: str, stamp: str, flag: str, url: str, tries: int
    ) -> None:  # fmt: skip
        known = self.captures(base).get(key_of(url), [])
        if not known:
            reply.say(404, b"<html>Wayback Machine has not archived that URL.</html>")
            return
        wanted = _when(stamp)
        capture = min(known, key=lambda c: abs((_when(c.stamp) - wanted).total_seconds()))
        if capture.stamp != stamp:
            where = f"{base}/{capture.stamp}{flag}/{capture.url}"
            reply.say(302, b"", {"Location": where})
        elif capture.play in ("leads", "lost-flag") or (capture.play == "once" and tries == 1):
            flag = "" if capture.play == "lost-flag" else flag
            reply.say(302, b"", {"Location": f"{base}/{capture.to}{flag}/{capture.url}"})
        else:
            self._show(reply, base, capture, flag)

    def _show(self, reply: Reply, base: str, capture: Capture, flag: str) -> None:
        said = _headers(capture, base)
        body = self._body(capture)
        page = {**said, "Content-Type": "text/html; charset=utf-8"}
        if capture.play == "blocked":
            error = "AdministrativeAccessControlException: Blocked Site Error"
            reply.say(403, error.encode(), {"X-Archive-Wayback-Runtime-Error": error})
        elif capture.play == "moved":
            to = capture.to.replace("/", f"{flag}/", 1)
            reply.say(302, b"", {**said, "Location": f"{base}/{to}"})
        elif capture.play == "view-redirect":
            reply.say(200, _REDIRECT.format(to=capture.to).encode(), page)
        elif not flag or capture.play == "toolbar":
            text = body.decode("cp1252") if capture.page else "<img src='...'>"
            reply.say(200, _TOOLBAR.format(stamp=capture.stamp, body=text).encode(), page)
        elif capture.play == "no-memento":
            reply.say(200, body, {"Content-Type": capture.mime})
        elif capture.play == "double-encoding":
            self._say_twice_encoded(reply, body, said)
        else:
            reply.say(capture.status or 200, body, said)

    def _say_twice_encoded(self, reply: Reply, body: bytes, headers: dict[str, str]) -> None:
        """Two Content-Encoding headers, the first of them empty: seen on old captures."""
        packed = gzip.compress(body, 1)
        reply.start(
            200, len(packed), {**headers, "Content-Encoding": "", "content-encoding": "gzip"}
        )
        reply.send(packed)

    def _body(self, capture: Capture) -> bytes:
        if capture.status not in (200, 302, None):
            return b"<html>The page cannot be found</html>"
        if capture.page is not None:
            return page_of(self.archive.truth, capture.page, capture.entries) or b""
        file = self.archive.files[capture.path or ""]
        if capture.play == "other-bytes":
            return self.archive.bytes_of(replace(file, art=file.art + OTHER_EDITION))
        return self.archive.bytes_of(file)

    def _digest(self, capture: Capture) -> tuple[str, int]:
        """Return SHA-1 in base32 and the length, as the index has them: of what was captured."""
        body = self._body(replace(capture, play="good"))
        return base64.b32encode(hashlib.sha1(body).digest()).decode(), len(body)


def _when(stamp: str) -> datetime:
    whole = stamp + "00000101000000"[len(stamp) :]
    return datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _headers(capture: Capture, base: str) -> dict[str, str]:
    original = capture.url
    if capture.play == "other-original":
        original = "http://www.wizards.com/dnd/images/symbol/x.gif"
    here = f"https://web.archive.org{base}/timemap/link/{original}"
    return {
        "Content-Type": capture.mime if capture.mime != "warc/revisit" else "image/jpeg",
        "Memento-Datetime": format_datetime(_when(capture.stamp), usegmt=True),
        "Link": f'<{original}>; rel="original", <{here}>; rel="timemap"; type="application/link"',
        "X-Archive-Src": "replica.warc.gz",
    }
