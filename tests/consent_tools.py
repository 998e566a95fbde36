"""A small site on loopback whose answers speak for or against learning, and files that do."""

import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from PIL import Image

CARD = r"""
title = "Ann's maps"
homepage = "http://maps.example/index.html"
start = ["http://maps.example/index.html"]
hosts = ["maps.example"]
pictures = ['(?i)\.(jpe?g|png|webp|tiff?|gif)$']
license = "CC-BY-4.0"
attribution = "Ann"
[entry]
head = ['^(?P<title>Map \w+)$']
"""

Answer = tuple[Mapping[str, str], bytes]


@contextmanager
def site(files: Mapping[str, Answer], meta: str = "") -> Iterator[str]:
    """Serve each name with its headers and bytes, listed on one page; yields the origin."""
    entries = "".join(
        f'<p>Map {n}</p><p><a href="/{name}">Download</a></p>' for n, name in enumerate(files)
    )
    page = f"<html><head>{meta}</head><body>{entries}</body></html>".encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            known = name in files or name == "index.html"
            headers, body = files.get(name, ({}, page if known else b"no such thing"))
            self.send_response(200 if known else 404)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def xmp(words: str) -> bytes:
    """Return an XMP packet with `words` in its description."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{words}</rdf:Description></rdf:RDF>'
        "</x:xmpmeta>"
    ).encode()


def in_jpeg(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """Put segments (marker's second byte, body) right behind the beginning of a JPEG."""
    extra = b"".join(
        struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body for mark, body in segments
    )
    return jpeg[:2] + extra + jpeg[2:]


def in_png(png: bytes, kind: bytes, body: bytes) -> bytes:
    """Put a chunk in front of the end of a PNG."""
    chunk = struct.pack(">I", len(body)) + kind + body
    chunk += struct.pack(">I", zlib.crc32(kind + body))
    return png[:-12] + chunk + png[-12:]


def in_webp(webp: bytes, kind: bytes, body: bytes) -> bytes:
    """Put a chunk at the end of a WebP."""
    chunk = kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
    data = webp[8:] + chunk
    return b"RIFF" + struct.pack("<I", len(data)) + data


def jumbf(label: str, content: bytes, kind: bytes = b"cbor") -> bytes:
    """Return a JUMBF store that holds one assertion, two boxes deep as a manifest has it."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body) + 8, kind) + body

    def described(name: str, *inner: bytes) -> bytes:
        about = b"\0" * 16 + b"\3" + name.encode() + b"\0"
        return box(b"jumb", box(b"jumd", about) + b"".join(inner))

    return described("c2pa", described("c2pa.assertions", described(label, box(kind, content))))


def mining(use: str, entry: str = "cawg.ai_training") -> bytes:
    """Return the CBOR of {"entries": {entry: {"use": use}}}."""

    def text(words: str) -> bytes:
        data = words.encode()
        head = bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])
        return head + data

    return b"\xa1" + text("entries") + b"\xa1" + text(entry) + b"\xa1" + text("use") + text(use)


def write_card(folder: Path) -> Path:
    card = folder / "anns-maps.toml"
    card.write_text(CARD)
    return card
