"""Whether a file's own structure says that it is whole: its marks, its sums, its lengths.

Pillow draws what it can: rows of a JPEG that never came are grey, sums of a PNG are not asked for,
and what is glued behind the end is passed over. Here a file must begin, go on and end as its format
does. A few bytes behind the end are common on old sites and harm nothing; more are another file.
"""

import mmap
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path

TRAILER_BYTES = 4096  # what may lie behind the end
_MARK = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # that ends the coded data of a JPEG
_ANOTHER = re.compile(rb"(?i)\xff\xd8\xff|\x89PNG\r|GIF8[79]a|RIFF....WEBP|<!doctype|<html")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TIFF_STORES = {273: 279, 324: 325}  # offsets of strips, of tiles -> their lengths
_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2)]  # fmt: skip
_PIECE, _MOST_BITS = 65_536, 8_000_000_000
_WINDOW = 4_194_304  # of a file that is held in memory at a time
_MOST_PARTS = 1_000_000

Bytes = mmap.mmap | bytes
Segment = tuple[int, int, int]


class NotWhole(Exception):
    """A file's structure has a hole or a second end."""


def coded_end(path: Path, kind: str) -> int | None:
    """Return where the coded data of a JPEG with one sequential scan ends, or None for others.

    kind is Pillow's name of the format. Raises NotWhole for a file that is cut, glued or holed.
    """
    checks: dict[str, Callable[[Bytes], bool]] = {
        "MPO": _jpeg_start, "PNG": _png, "GIF": _gif, "WEBP": _webp, "TIFF": _tiff, "BMP": _bmp,
    }  # fmt: skip
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            if kind == "JPEG":
                return _jpeg(data)
            if checks[kind](data):
                return None
        except (struct.error, zlib.error, IndexError, ValueError, KeyError) as error:
            raise NotWhole from error
    raise NotWhole


def _jpeg(data: Bytes) -> int | None:
    segments = list(_segments(data))
    if not (_is_trailer(data, segments[-1][2]) and _is_complete(data, segments)):
        raise NotWhole
    ends = [end for marker, _, end in segments if marker == 0xDA]
    return ends[0] if len(ends) == 1 and _frame(data, segments)[0] in (0xC0, 0xC1) else None


def _jpeg_start(data: Bytes) -> bool:
    """Several JPEGs in one file: the first is the picture."""
    return _is_complete(data, list(_segments(data)))


def _segments(data: Bytes) -> Iterator[Segment]:
    """Yield (marker, where its body begins, where it ends), to the end mark; a scan has its data.

    Raises ValueError where no marker stands, struct.error where the file stops.
    """
    at = 2
    for _ in range(_MOST_PARTS):
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        if marker == 0xD9:
            yield marker, at + 2, at + 2
            return
        if marker == 0xD8 or marker < 0xC0:
            raise ValueError("a marker that cannot stand there")
        begin = at + 4
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        if at > len(data):
            raise ValueError("a segment that is cut")
        if marker == 0xDA:
            at = _coded_data_end(data, at)
        yield marker, begin, at
    raise ValueError("too many segments")


def _coded_data_end(data: Bytes, at: int) -> int:
    for begin, end in _windows(data, at, len(data), 1):
        if found := _MARK.search(data, begin, end):
            return found.start()
    raise ValueError("no end")


def _windows(data: Bytes, begin: int, end: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of pieces, each `overlap` bytes into the next.

    What was looked at need not stay in memory, however large the file is.
    """
    while begin < end:
        stop = min(begin + _WINDOW, end)
        yield begin, min(stop + overlap, end)
        if isinstance(data, mmap.mmap) and stop - begin == _WINDOW:
            first = begin - begin % mmap.PAGESIZE
            data.madvise(mmap.MADV_DONTNEED, first, _WINDOW)
        begin = stop


def _frame(data: Bytes, segments: list[Segment]) -> tuple[int, int, int, list[tuple[int, int]]]:
    """Return (marker, height, width, sampling factors) of a JPEG's frame."""
    for marker, at, _ in segments:
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, count = struct.unpack_from(">HHB", data, at + 1)
            factors = [data[at + 7 + 3 * n] for n in range(count)]
            return marker, height, width, [(f >> 4, f & 15) for f in factors]
    raise ValueError("no frame")


def _is_complete(data: Bytes, segments: list[Segment]) -> bool:
    """True when the scans hold every coefficient to its last bit, and every restart is there."""
    marker, height, width, factors = _frame(data, segments)
    missing = {n: set(range(64)) for n in range(len(factors))}
    order = _component_ids(data, segments)
    interval, shortest = 0, {}
    for kind, begin, end in segments:
        if kind == 0xDD:
            interval = struct.unpack_from(">H", data, begin)[0]
        if kind == 0xC4:
            shortest |= _shortest_codes(data[begin:end])
        if kind != 0xDA:
            continue
        count = data[begin]
        named = [order.index(data[begin + 1 + 2 * n]) for n in range(count)]
        first, last, precision = data[begin + 1 + 2 * count : begin + 4 + 2 * count]
        if marker != 0xC2:
            first, last, precision = 0, 63, 0
        if precision & 15 == 0:
            for n in named:
                missing[n] -= set(range(first, last + 1))
        tables = [data[begin + 2 + 2 * n] for n in range(count)]
        codes = [shortest.get(0x10 | t & 15 if last else t >> 4, 0) for t in tables]
        run = _longest_zeros(first, precision >> 4, codes)
        if run < end - begin and _has_zeros(data, begin, end, run):
            return False
        found = _restarts(data, begin, end) if interval else []
        if found != _restarts_due(interval, (height, width), factors, named):
            return False
    return not any(missing.values())


def _longest_zeros(first: int, earlier: int, codes: list[int]) -> int:
    """Return how many zero bytes on end no sound scan has: 64, or more than any file for some.

    Blocks of one kind are counted together in scans of higher frequencies, so that nothing there
    is repeated; when they mend earlier ones, up to 1,000 bits may all say that nothing changes.
    """
    if first:
        return 256 if earlier else 64
    # Of the components of one scan each has its turn within such a run.
    return 64 if not earlier and any(c & 15 for c in codes) else 1 << 30


def _shortest_codes(body: bytes) -> dict[int, int]:
    """Return, by table, what a code of zeros stands for in the Huffman tables of a segment.

    Zeros that go on and on are an end of block, or no change, where that has the shortest code.
    Where it is a value (its low four bits are the value's length), a picture would have to hold
    block after block of one same steep pattern: such a run is a hole in the file.
    """
    found, at = {}, 0
    while at + 17 <= len(body):
        found[body[at]] = body[at + 17]
        at += 17 + sum(body[at + 1 : at + 17])
    return found


def _component_ids(data: Bytes, segments: list[Segment]) -> list[int]:
    for marker, at, _ in segments:
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return [data[at + 6 + 3 * n] for n in range(data[at + 5])]
    return []


def _has_zeros(data: Bytes, begin: int, end: int, run: int) -> bool:
    zeros = bytes(run)
    return any(data.find(zeros, a, b) >= 0 for a, b in _windows(data, begin, end, run - 1))


def _restarts(data: Bytes, begin: int, end: int) -> list[int]:
    """Return the numbers of the restart marks in a scan."""
    pieces = _windows(data, begin, end, 1)
    return [mark[1] & 7 for a, b in pieces for mark in _RESTART.findall(data, a, b)]


def _restarts_due(
    interval: int, size: tuple[int, int], factors: list[tuple[int, int]], named: list[int]
) -> list[int]:
    """Return the numbers of the restart marks that a scan's blocks ask for, in their order."""
    if not interval:
        return []
    most = max(h for h, _ in factors), max(v for _, v in factors)
    if len(named) == 1:
        h, v = factors[named[0]]
        across = ceil(ceil(size[1] * h / most[0]) / 8)
        down = ceil(ceil(size[0] * v / most[1]) / 8)
    else:
        across, down = -(-size[1] // (8 * most[0])), -(-size[0] // (8 * most[1]))
    wanted = -(-across * down // interval) - 1
    return [n % 8 for n in range(wanted)]


def _png(data: Bytes) -> bool:
    """Every chunk has its sum, and IEND is the last."""
    at = 8
    for _ in range(_MOST_PARTS):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            return False
        with memoryview(data) as view, view[at + 4 : end - 4] as body:
            said = zlib.crc32(body)
        if said != struct.unpack_from(">I", data, end - 4)[0]:
            return False
        if kind == b"IEND":
            return _is_trailer(data, end) and _has_rows(data)
        at = end
    return False


def _has_rows(data: Bytes) -> bool:
    """True when the packed rows of a PNG are as many as its head says: Pillow draws fewer, too."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if width * height * bits > _MOST_BITS:
        return False
    passes = _ADAM7 if interlaced else [(0, 0, 1, 1)]
    sides = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    wanted = sum(h * (1 + -(-w * bits // 8)) for w, h in sides if w > 0 and h > 0)
    unpacker, found, at = zlib.decompressobj(), 0, 8
    while not unpacker.eof and at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        ends = at + 8 + size
        for piece in range(at + 8, ends, _PIECE) if kind == b"IDAT" else ():
            packed = data[piece : min(piece + _PIECE, ends)]
            while packed and not unpacker.eof and found <= wanted + _PIECE:
                found += len(unpacker.decompress(packed, _PIECE))
                packed = unpacker.unconsumed_tail
        at = ends + 4
    return wanted <= found <= wanted + _PIECE


def _gif(data: Bytes) -> bool:
    """Blocks follow one another to the trailer; there is a picture among them."""
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 128 else 0)
    pictures = 0
    for _ in range(_MOST_PARTS):
        if data[at] == 0x3B:
            return pictures > 0 and _is_trailer(data, at + 1)
        if data[at] == 0x21:
            at += 2
        elif data[at] == 0x2C:
            pictures += 1
            at += 11 + (3 << ((data[at + 9] & 7) + 1) if data[at + 9] & 128 else 0)
        else:
            return False
        while size := data[at]:
            at += size + 1
        at += 1
    return False


def _webp(data: Bytes) -> bool:
    """The length in the head is the file's, and its chunks fill it."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data) or not _is_trailer(data, end):
        return False
    at = 12
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        # Coded data looks like noise; only what needs thousands of equal codes has such runs.
        run = {b"VP8 ": 256, b"ANMF": 256, b"VP8L": 2048}.get(kind)
        if run and bytes(run) in data[at + 8 : at + 8 + size]:
            return False
        at += 8 + size + (size & 1)
    return at in (end, end + 1)  # some writers leave the last even byte out


def _tiff(data: Bytes) -> bool:
    """Every strip, tile and value lies within the file, and the file ends where they do."""
    order = "<" if data[:2] == b"II" else ">"
    place = struct.unpack_from(order + "I", data, 4)[0]
    last, seen = 8, set()
    while place and place not in seen and len(seen) < 1000:
        seen.add(place)
        count = struct.unpack_from(order + "H", data, place)[0]
        last = max(last, place + 2 + 12 * count + 4)
        values: dict[int, list[int]] = {}
        for n in range(count):
            tag, kind, number = struct.unpack_from(order + "HHI", data, place + 2 + 12 * n)
            size = _TIFF_SIZES.get(kind, 1) * number
            at = place + 10 + 12 * n
            if size > 4:
                at = struct.unpack_from(order + "I", data, at)[0]
                last = max(last, at + size)
            if tag in (273, 279, 324, 325) and kind in (3, 4) and number <= _MOST_PARTS:
                letter = "H" if kind == 3 else "I"
                values[tag] = list(struct.unpack_from(f"{order}{number}{letter}", data, at))
        for offsets, lengths in _TIFF_STORES.items():
            pairs = zip(values.get(offsets, []), values.get(lengths, []), strict=False)
            last = max([last, *(offset + length for offset, length in pairs)])
        place = struct.unpack_from(order + "I", data, place + 2 + 12 * count)[0]
    return last <= len(data) and _is_trailer(data, last)


def _bmp(data: Bytes) -> bool:
    """The rows that the head promises are there, and little more."""
    start, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if packing not in (0, 3):
        return len(data) - struct.unpack_from("<I", data, 2)[0] in range(TRAILER_BYTES)
    end = start + (-(-width * bits // 32) * 4) * abs(height)
    return end <= len(data) and _is_trailer(data, end)


def _is_trailer(data: Bytes, end: int) -> bool:
    """True when what lies behind the end of a picture is little, and neither picture nor page."""
    rest = data[end : end + TRAILER_BYTES + 1]
    return len(rest) <= TRAILER_BYTES and _ANOTHER.search(rest) is None
