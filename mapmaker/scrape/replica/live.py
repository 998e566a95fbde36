"""How the replica's live hosts answer: pages, robots.txt, the open redirector, files good and bad.

A file's `behaviour` names the method `_be_...` that serves it.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from functools import cache
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from mapmaker.scrape.replica.pages import SOFT_404, page_of
from mapmaker.scrape.replica.plan import File, Truth
from mapmaker.scrape.replica.server import Reply

OLD = formatdate(1_100_000_000, usegmt=True)
NEWER = formatdate(1_200_000_000, usegmt=True)
OTHER_EDITION = 5_000  # added to a picture's number: what the file was before it changed
_TYPES = {"JPG": "image/jpeg", "TIF": "image/tiff", "GIF": "image/gif", "ZIP": "application/zip"}
_CHUNK = b"\xff\xd8\xff\xe0" + b"\0" * 65_532
_ENDLESS_BYTES = 80_000_000
_ROBOTS = {
    "open": "User-agent: *\nDisallow: /private/\n",
    "no-pictures": "User-agent: *\nDisallow: /dnd/\n",
    "closed": "User-agent: *\nDisallow: /\n",
}


class Archive(Protocol):
    """What serving needs to know of the replica."""

    truth: Truth
    robots: str

    @property
    def files(self) -> Mapping[str, File]:
        """Every file by its path."""
        ...

    def bytes_of(self, file: File) -> bytes:
        """Return the bytes of a whole file."""
        ...


class LiveSite:
    """The three live hosts of an archive."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    def answer(self, reply: Reply, tries: int) -> None:
        """Answer a request; `tries` counts those for the same path, from 1."""
        address = reply.path
        if address == "/robots.txt":
            self._robots(reply)
        elif address.startswith("/leaving.asp"):
            url = parse_qs(urlsplit(address).query).get("url", ["/"])[0]
            reply.say(302, b"", {"Location": url})
        elif (body := page_of(self.archive.truth, address)) is not None:
            # Some of the old pages claim a character set that is not theirs.
            wrong = "; charset=utf-8" if "archive2" in address else ""
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            reply.say_file(body, {"Content-Type": f"text/html{wrong}", "ETag": etag})
        elif file := self.archive.files.get(urlsplit(address).path):
            method = f"_be_{file.behaviour.replace('-', '_')}"
            getattr(self, method, self._be_good)(reply, file, tries)
        elif file := self.archive.files.get(address.replace("/mapofweek/moved/", "/mapofweek/")):
            self._be_good(reply, file, tries)
        else:
            reply.say(404, SOFT_404.encode())

    def _robots(self, reply: Reply) -> None:
        kind = self.archive.robots
        if kind in _ROBOTS:
            reply.say(200, _ROBOTS[kind].encode(), {"Content-Type": "text/plain"})
        else:
            reply.say(503 if kind == "broken" else 404, b"")

    def _be_good(self, reply: Reply, file: File, tries: int) -> None:
        reply.say_file(self.archive.bytes_of(file), _marks(file))

    def _be_octet_stream(self, reply: Reply, file: File, tries: int) -> None:
        said = {"Content-Type": "application/octet-stream"}
        reply.say(200, self.archive.bytes_of(file), said)

    def _be_404(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(404, SOFT_404.encode())

    def _be_410(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(410, b"")

    def _be_403(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(403, b"")

    def _be_500(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(500, b"ASP 0113")

    def _be_soft_404(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(200, SOFT_404.encode())

    def _be_soft_404_as_jpeg(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(200, SOFT_404.encode(), {"Content-Type": "image/jpeg"})

    def _be_busy_once(self, reply: Reply, file: File, tries: int) -> None:
        if tries == 1:
            reply.say(503, b"", {"Retry-After": "0"})
        else:
            self._be_good(reply, file, tries)

    def _be_reset_once(self, reply: Reply, file: File, tries: int) -> None:
        if tries == 1:
            reply.hang_up()
        else:
            self._be_good(reply, file, tries)

    def _be_cut_short(self, reply: Reply, file: File, tries: int) -> None:
        """Promise the whole length and hang up half way, every time."""
        self._half(reply, self.archive.bytes_of(file), _marks(file))

    def _be_cut_once(self, reply: Reply, file: File, tries: int) -> None:
        if tries == 1:
            self._be_cut_short(reply, file, tries)
        else:
            self._be_good(reply, file, tries)

    def _be_cut_no_range(self, reply: Reply, file: File, tries: int) -> None:
        """Cut once; a server that has never heard of Range sends the whole file."""
        if tries == 1:
            self._be_cut_short(reply, file, tries)
        else:
            reply.say(200, self.archive.bytes_of(file), _marks(file))

    def _be_cut_weak_etag(self, reply: Reply, file: File, tries: int) -> None:
        """Cut once; the only validator is weak, so that no part may be asked for on its strength.

        This server sends one all the same to whoever names it in If-Range, of another edition.
        """
        said = {"Content-Type": "image/jpeg", "ETag": f'W/"{file.art:08x}"'}
        body = self.archive.bytes_of(file)
        if tries == 1:
            self._half(reply, body, said)
        elif part := reply.wanted_range(len(body)):
            other = self._other_edition(file)
            reply.say_part(other, range(part.start, len(other)), said)
        else:
            reply.say(200, body, said)

    def _be_cut_misaligned(self, reply: Reply, file: File, tries: int) -> None:
        """Cut once; then parts begin 512 bytes early, and say so."""
        body = self.archive.bytes_of(file)
        part = reply.wanted_range(len(body))
        if tries == 1:
            self._be_cut_short(reply, file, tries)
        elif part:
            reply.say_part(body, range(max(0, part.start - 512), part.stop), _marks(file))
        else:
            self._be_good(reply, file, tries)

    def _be_cut_wrong_total(self, reply: Reply, file: File, tries: int) -> None:
        """Cut once; then parts claim to be of a file of another length."""
        body = self.archive.bytes_of(file)
        part = reply.wanted_range(len(body))
        if tries == 1:
            self._be_cut_short(reply, file, tries)
        elif part:
            claim = f"bytes {part.start}-{part.stop - 1}/{len(body) + 4096}"
            reply.say_part(body, part, _marks(file), claim)
        else:
            self._be_good(reply, file, tries)

    def _be_cut_416(self, reply: Reply, file: File, tries: int) -> None:
        """Cut once; then no part is ever to be had, though the file is not complete."""
        if tries == 1:
            self._be_cut_short(reply, file, tries)
        elif reply.headers.get("Range"):
            length = len(self.archive.bytes_of(file))
            reply.say(416, b"", {"Content-Range": f"bytes */{length}"})
        else:
            self._be_good(reply, file, tries)

    def _be_cut_changed(self, reply: Reply, file: File, tries: int) -> None:
        """Half of an old edition, then the new one, with If-Range understood."""
        if tries == 1:
            self._half(reply, self._other_edition(file), _marks(file, edition=1))
        else:
            self._be_good(reply, file, tries)

    def _be_cut_changed_unsaid(self, reply: Reply, file: File, tries: int) -> None:
        """The same by a server that ignores If-Range: a part of the new edition, with its ETag."""
        body = self.archive.bytes_of(file)
        part = reply.wanted_range(len(body))
        if tries == 1:
            self._half(reply, self._other_edition(file), _marks(file, edition=1))
        elif part:
            reply.say_part(body, part, _marks(file))
        else:
            self._be_good(reply, file, tries)

    def _be_half(self, reply: Reply, file: File, tries: int) -> None:
        """Send half without a length: the end of the connection looks like the end of the file."""
        body = self.archive.bytes_of(file)
        reply.start(200, None, {"Content-Type": "image/jpeg"})
        reply.send(body[: len(body) // 2])
        reply.hang_up()

    def _be_no_length(self, reply: Reply, file: File, tries: int) -> None:
        reply.start(200, None, {"Content-Type": "image/jpeg"})
        reply.send(self.archive.bytes_of(file))
        reply.hang_up()

    def _be_endless(self, reply: Reply, file: File, tries: int) -> None:
        reply.start(200, None, {"Content-Type": "image/jpeg"})
        for _ in range(_ENDLESS_BYTES // len(_CHUNK)):
            reply.send(_CHUNK)
        reply.hang_up()

    def _be_gzip_bomb(self, reply: Reply, file: File, tries: int) -> None:
        """Send 60 kB that unpack to 60 MB, whether the client accepts gzip or not."""
        said = {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}
        reply.say(200, _gzip_bomb(), said)

    def _be_redirect_home(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(302, b"", {"Location": "/default.asp?x=dnd/welcome"})

    def _be_redirect_loop(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(302, b"", {"Location": file.path})

    def _be_redirect_away(self, reply: Reply, file: File, tries: int) -> None:
        reply.say(302, b"", {"Location": "http://www.example.com/gone.jpg"})

    def _be_redirect_within(self, reply: Reply, file: File, tries: int) -> None:
        """Lead to the same picture in another folder of the site."""
        reply.say(301, b"", {"Location": file.path.replace("/mapofweek/", "/mapofweek/moved/")})

    def _half(self, reply: Reply, body: bytes, headers: Mapping[str, str]) -> None:
        reply.start(200, len(body), headers)
        reply.send(body[: len(body) // 2])
        reply.hang_up()

    def _other_edition(self, file: File) -> bytes:
        return self.archive.bytes_of(replace(file, art=file.art + OTHER_EDITION))


def _marks(file: File, edition: int = 2) -> dict[str, str]:
    """Return type and validators of a file."""
    return {
        "Content-Type": _TYPES[file.format],
        "Last-Modified": OLD if edition == 2 else NEWER,
        "ETag": f'"{file.art:08x}-{edition}"',
    }


@cache
def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = b"\xff\xd8\xff\xe0" + b"\0" * 999_996
    parts = [packer.compress(head), *(packer.compress(b"\0" * 1_000_000) for _ in range(59))]
    return b"".join([*parts, packer.flush()])
