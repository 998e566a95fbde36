"""Finding a picture file's metadata packets, by its format's own structure and within bounds."""

import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 8_000_000  # of metadata in one file; what comes after is not read
MOST_PARTS = 50_000  # segments or chunks looked at in one file
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_XMP_PNG = b"XML:com.adobe.xmp\0"
_GIF_EDGE = 1_000_000

Packet = tuple[str, bytes]


def metadata(path: Path) -> Iterator[Packet]:
    """Yield ("xmp", bytes) and ("c2pa", bytes) for every packet in a picture file.

    JPEG, PNG, WebP, TIFF and GIF; other files have none. Raises OSError, ValueError, struct.error
    for a file that is cut short.
    """
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head.startswith(b"\xff\xd8"):
            yield from _jpeg(file)
        elif head.startswith(b"\x89PNG"):
            yield from _png(file)
        elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
            yield from _webp(file)
        elif head[:4] in (b"II*\0", b"MM\0*"):
            yield from _tiff(file)
        elif head.startswith(b"GIF8"):
            yield from _gif(file)


def _jpeg(file: BinaryIO) -> Iterator[Packet]:
    more, stores = [], {}
    read = 0
    file.seek(2)
    for _ in range(MOST_PARTS):
        mark = file.read(2)
        while mark[1:] == b"\xff":
            mark = b"\xff" + file.read(1)
        if len(mark) < 2 or mark[0] != 0xFF or mark[1] in (0xD9, 0xDA):
            break
        if mark[1] == 1 or 0xD0 <= mark[1] <= 0xD7:
            continue
        size = struct.unpack(">H", file.read(2))[0] - 2
        if mark[1] not in (0xE1, 0xEB) or read + size > MOST_BYTES:
            file.seek(size, os.SEEK_CUR)
            continue
        body = file.read(size)
        read += size
        if body.startswith(_XMP):
            yield "xmp", body[len(_XMP) :]
        elif body.startswith(_XMP_MORE):
            more.append(body[len(_XMP_MORE) + 40 :])  # after its digest, length and offset
        elif mark[1] == 0xEB and body.startswith(b"JP") and len(body) > 16:
            box, number = struct.unpack_from(">HI", body, 2)
            stores.setdefault(box, {})[number] = body[8:]
    if more:
        yield "xmp", b"".join(more)
    for parts in stores.values():
        yield "c2pa", b"".join(_continued(parts[n], n == min(parts)) for n in sorted(parts))


def _continued(part: bytes, first: bool) -> bytes:
    """Return a segment of a store; the later ones repeat the header of the box they go on with."""
    header = 16 if part[:4] == b"\0\0\0\1" else 8
    return part if first else part[header:]


def _png(file: BinaryIO) -> Iterator[Packet]:
    read = 0
    file.seek(8)
    for _ in range(MOST_PARTS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        size, kind = struct.unpack(">I4s", head)
        if kind not in (b"iTXt", b"tEXt", b"zTXt", b"caBX") or read + size > MOST_BYTES:
            file.seek(size + 4, os.SEEK_CUR)
            continue
        body = file.read(size)
        file.seek(4, os.SEEK_CUR)
        read += size
        if kind == b"caBX":
            yield "c2pa", body
        elif body.startswith(_XMP_PNG):
            yield "xmp", _png_text(kind, body[len(_XMP_PNG) :])


def _png_text(kind: bytes, body: bytes) -> bytes:
    """Return the text of a chunk, unpacked where it is packed, but never more than the bound."""
    packed = kind == b"zTXt" or (kind == b"iTXt" and body[:1] == b"\1")
    if kind == b"iTXt":
        body = body[2:].split(b"\0", 2)[-1]  # after two flags, language and translated keyword
    elif kind == b"zTXt":
        body = body[1:]
    try:
        return zlib.decompressobj().decompress(body, MOST_BYTES) if packed else body
    except zlib.error:
        return b""


def _webp(file: BinaryIO) -> Iterator[Packet]:
    read = 0
    file.seek(12)
    for _ in range(MOST_PARTS):
        head = file.read(8)
        if len(head) < 8:
            return
        kind, size = struct.unpack("<4sI", head)
        if kind in (b"XMP ", b"C2PA") and read + size <= MOST_BYTES:
            read += size
            yield "xmp" if kind == b"XMP " else "c2pa", file.read(size)
            file.seek(size & 1, os.SEEK_CUR)
        else:
            file.seek(size + (size & 1), os.SEEK_CUR)


def _tiff(file: BinaryIO) -> Iterator[Packet]:
    """Look into the first directory: tag 700 is XMP, 52545 the C2PA store."""
    order = "<" if file.read(4)[:2] == b"II" else ">"
    file.seek(struct.unpack(order + "I", file.read(4))[0])
    count = struct.unpack(order + "H", file.read(2))[0]
    entries = file.read(12 * count)
    for at in range(0, len(entries) - 11, 12):
        tag, kind, size, place = struct.unpack_from(order + "HHII", entries, at)
        if tag in (700, 52545) and kind in (1, 7) and 4 < size <= MOST_BYTES:
            file.seek(place)
            yield "xmp" if tag == 700 else "c2pa", file.read(size)


def _gif(file: BinaryIO) -> Iterator[Packet]:
    """XMP lies whole in an extension, before or after the frames: the ends of the file are read."""
    data = file.read(_GIF_EDGE)
    size = file.seek(0, os.SEEK_END)
    if size > _GIF_EDGE:
        file.seek(max(_GIF_EDGE, size - _GIF_EDGE))
        data += file.read()
    for found in re.finditer(rb"!\xff\x0bXMP DataXMP(.*?)<\?xpacket end", data, re.DOTALL):
        yield "xmp", found[1]
