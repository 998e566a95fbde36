"""The body of an answer, taken in while the limits hold: on the wire, and unpacked."""

import http.client
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from mapmaker.scrape.answer import Refused

_CHUNK = 65_536
_GZIP = b"\x1f\x8b"


class Sink(Protocol):
    """Where a body goes."""

    def write(self, chunk: bytes) -> object:
        """Take the next bytes, at most 64 KiB of them."""


def receive(
    response: BaseHTTPResponse, sink: Sink, limit: int, spend: Callable[[int], None]
) -> None:
    """Hand the body on in pieces, unpacked when the server packed it, asked or not.

    Raises Refused: too-large as soon as more than `limit` bytes came or were unpacked, cut-short,
    corrupt, strange-encoding, unreachable.
    """
    status, wire, unpacked = response.status, 0, 0
    promised = promised_bytes(response)
    if promised is not None and promised > limit:
        raise Refused("too-large", status)
    layers = _layers(response)
    while chunk := _read(response, min(_CHUNK, limit - wire + 1), wire):
        wire += len(chunk)
        if wire > limit:
            raise Refused("too-large", status)
        spend(len(chunk))
        for piece in _unpack(layers, chunk):
            unpacked += len(piece)
            if unpacked > limit:
                raise Refused("too-large", status)
            sink.write(piece)
    if (promised is not None and wire < promised) or not all(layer.whole for layer in layers):
        raise _cut_short(status, wire)


def receive_head(response: BaseHTTPResponse, most: int) -> bytes:
    """Return at most the first `most` bytes of a body, unpacked. Raises as `receive`."""
    head = bytearray()
    layers = _layers(response)
    while len(head) < most and (chunk := _read(response, _CHUNK, len(head))):
        for piece in _unpack(layers, chunk):
            head += piece
            if len(head) >= most:
                break
    return bytes(head[:most])


def promised_bytes(response: BaseHTTPResponse) -> int | None:
    """Return the Content-Length, or None when there is none or it is none."""
    said = response.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 19 else None


def encodings(response: BaseHTTPResponse) -> list[str]:
    """Return the codings a body is packed in, in the order they were applied."""
    said = response.headers.get("Content-Encoding", "").lower().split(",")
    return [name for word in said if (name := word.strip()) not in ("", "identity")]


def _read(response: BaseHTTPResponse, most: int, received: int) -> bytes:
    try:
        return response.read1(most)
    except (HTTPError, OSError) as error:
        broken = any(isinstance(a, http.client.IncompleteRead) for a in error.args)
        if broken or isinstance(error, http.client.IncompleteRead):
            raise _cut_short(response.status, received) from error
        raise Refused("unreachable", response.status, again=True) from error


def _cut_short(status: int, received: int) -> Refused:
    refused = Refused("cut-short", status, again=True)
    refused.received = received
    return refused


def _layers(response: BaseHTTPResponse) -> list["_Layer"]:
    named = encodings(response)
    if len(named) > 2 or not set(named) <= {"gzip", "x-gzip", "deflate"}:
        raise Refused("strange-encoding", response.status)
    return [_Layer(name) for name in reversed(named)]


def _unpack(layers: list["_Layer"], chunk: bytes) -> Iterator[bytes]:
    if not layers:
        yield chunk
        return
    for piece in layers[0].feed(chunk):
        yield from _unpack(layers[1:], piece)


class _Layer:
    """One coding. Bytes that are not packed, whatever their label says, come out as they went in.

    The Internet Archive names gzip twice for what is packed once, and once for what is not.
    """

    def __init__(self, name: str) -> None:
        self.name, self.head, self.plain = name, b"", False
        self.inflater: zlib._Decompress | None = None

    @property
    def whole(self) -> bool:
        """True when nothing is missing at the end."""
        return self.plain or (self.inflater is not None and self.inflater.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to, at most 64 KiB at a time. Raises Refused("corrupt")."""
        if self.inflater is None and not self.plain:
            self.head += data
            if len(self.head) < 2:
                return
            data = self.head
            self._open(data)
        if self.plain:
            yield data
            return
        try:
            yield from self._inflate(data)
        except zlib.error as error:
            raise Refused("corrupt") from error

    def _open(self, head: bytes) -> None:
        if head.startswith(_GZIP):
            self.inflater = zlib.decompressobj(31)
        elif self.name != "deflate":
            self.plain = True
        else:
            wrapped = head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0
            self.inflater = zlib.decompressobj(15 if wrapped else -15)

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        assert self.inflater is not None
        while True:
            piece = self.inflater.decompress(data, _CHUNK)
            if piece:
                yield piece
            data = self.inflater.unconsumed_tail
            if self.inflater.eof:
                data = self.inflater.unused_data
                if not data.startswith(_GZIP):
                    return
                self.inflater = zlib.decompressobj(31)  # gzip files may stand in a row
            elif not data and len(piece) < _CHUNK:
                return
