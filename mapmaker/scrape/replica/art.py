"""The replica's pictures: floor plans by rule, encoded as the old site's files were."""

import functools
import io
import random
import struct
import zipfile
import zlib

from PIL import Image, ImageDraw

from mapmaker.scrape.replica.plan import VARIANT, File

BOMB_PX = 30_000
_SQUARES = 15
_KINDS = ("dungeon", "cave", "building", "wilderness")


def file_bytes(file: File, drawn: bool) -> bytes:
    """Return the bytes of a file as they are when it is whole. Equal files give equal bytes.

    drawn=True paints a floor plan of `layout`, else a plain pattern (for tests: 100 times faster).
    """
    if file.behaviour == "bomb":
        return _bomb()
    if file.behaviour == "zip":
        return _zip(file, drawn)
    if file.behaviour == "stub":
        return _encode(Image.new("P", (1, 1)), "GIF")
    image = _painted(file.art, file.side_px, drawn)
    if file.format in ("TIF", "GIF"):
        return _encode(image, {"TIF": "TIFF", "GIF": "GIF"}[file.format])
    mode = "RGB" if file.mode == "progressive" else file.mode
    data = _jpeg(image.convert(mode), file.declared_bytes, file.mode == "progressive")
    return _garbled(data) if file.behaviour == "garbled" else data


def _jpeg(image: Image.Image, wanted_bytes: int | None, progressive: bool) -> bytes:
    """Return a JPEG of exactly `wanted_bytes`: the best quality that fits, then a comment."""
    data = b""
    for quality in (90, 80, 65, 45, 25, 10, 3):
        data = _encode(image, "JPEG", quality=quality, progressive=progressive)
        spare = (wanted_bytes or 0) - len(data)
        if wanted_bytes is None or spare == 0:
            return data
        if spare >= 4:
            return data[:2] + _comments(spare) + data[2:]
    return data


def _comments(count: int) -> bytes:
    """Return comment segments of `count` bytes in all, count >= 4."""
    parts = []
    while count:
        take = min(count, 65_000)
        take -= 4 if 0 < count - take < 4 else 0
        parts.append(b"\xff\xfe" + struct.pack(">H", take - 2) + b" " * (take - 4))
        count -= take
    return b"".join(parts)


def _painted(art: int, side_px: int, drawn: bool) -> Image.Image:
    """Return picture number `art`, side_px square; from VARIANT on it is the same on white."""
    white, base = divmod(art, VARIANT)
    if not drawn:
        return _plain(base, bool(white)).resize((side_px, side_px), Image.Resampling.NEAREST)
    image = _drawn(base, max(8, round(side_px / _SQUARES)), bool(white))
    if image.width != side_px:
        image = image.resize((side_px, side_px), Image.Resampling.LANCZOS)
    return image


@functools.lru_cache(maxsize=8)
def _drawn(art: int, cell_px: int, white: bool) -> Image.Image:
    from mapmaker.layout import plan
    from mapmaker.layout.render import render

    layout = plan(_KINDS[art % len(_KINDS)], art, columns=_SQUARES, rows=_SQUARES)
    light = "parchment" if layout.palette == "winter" else "winter"
    return render(layout, cell_px=cell_px, palette=light if white else None)


@functools.lru_cache(maxsize=64)
def _plain(art: int, white: bool) -> Image.Image:
    """Return rooms as coloured boxes on dark or white ground, unlike for every number."""
    chance = random.Random(art)
    image = Image.new("RGB", (48, 48), "white" if white else (40, 36, 30))
    brush = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, w, h = (chance.randrange(44) for _ in range(4))
        shade = tuple(chance.randrange(90, 255) for _ in range(3))
        brush.rectangle((x, y, x + 3 + w // 4, y + 3 + h // 4), fill=shade)
    return image


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _garbled(data: bytes) -> bytes:
    """Overwrite the first Huffman table: the header is fine, no decoder gets further."""
    at = data.index(b"\xff\xc4") + 4
    return data[:at] + b"\xff" * 24 + data[at + 24 :]


def _bomb() -> bytes:
    """Return a small PNG whose header claims 900 million pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", BOMB_PX, BOMB_PX, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (BOMB_PX + 1) * 8)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def zip_members(file: File, drawn: bool) -> dict[str, bytes]:
    """Return what the replica's ZIP holds; one name would leave the folder."""
    numbers = [file.art + file.inside + n for n in range(3)]
    if file.inside == 0:
        numbers = [file.art, file.art + VARIANT, file.art + 2000]
    side = file.side_px + (8 if file.inside == 0 else 0)
    pictures = [_jpeg(_painted(n, side, drawn), None, False) for n in numbers]
    return {
        "maps/inner/Hall.JPG": pictures[0],
        "maps/inner/cellar.jpg": pictures[1],
        "__MACOSX/maps/inner/._Hall.JPG": b"\0\5\x16\7" * 20,
        "maps/readme.txt": b"Thank you for playing.",
        "../../escape.jpg": pictures[2],
    }


def _zip(file: File, drawn: bool) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in zip_members(file, drawn).items():
            archive.writestr(zipfile.ZipInfo(name, (2005, 5, 5, 12, 0, 0)), data)
    return out.getvalue()
