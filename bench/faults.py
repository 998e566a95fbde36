"""Whole pictures and broken ones: what the check before a picture is kept refuses, and what not.

    python bench/faults.py [--maps FOLDER] [--json OUT]

900 good files of every kind and mode (and all of --maps) must pass, every planted fault must be
refused. A third list has what no check of a file alone can tell from a picture: it is counted, not
judged; there the server's length, its sums and the archive's SHA-1 speak. Exit code 1 for a false
accept or a false reject.
"""

import argparse
import io
import json
import os
import random
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mapmaker.scrape.check import NotGood, picture_facts

HTML = b"<html><head><title>Not found</title></head><body>" + b"<p>It has been moved. " * 60
# kind, mode, how it is saved
FORMS = [
    ("JPEG", "RGB", {}), ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
    ("JPEG", "RGB", {"quality": 30}), ("JPEG", "RGB", {"optimize": True}),
    ("JPEG", "RGB", {"progressive": True}), ("JPEG", "L", {}), ("JPEG", "L", {"progressive": True}),
    ("JPEG", "CMYK", {}), ("JPEG", "CMYK", {"progressive": True}),
    ("JPEG", "RGB", {"restart_marker_rows": 1}), ("JPEG", "RGB", {"restart_marker_blocks": 7}),
    ("JPEG", "RGB", {"exif": b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0\0\0\0\0", "comment": b"c" * 999}),
    ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "L", {}), ("PNG", "LA", {}), ("PNG", "P", {}),
    ("PNG", "1", {}), ("PNG", "I;16", {}),
    ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}), ("TIFF", "CMYK", {}),
    ("TIFF", "RGB", {"compression": "jpeg"}), ("TIFF", "L", {}), ("TIFF", "I;16", {}),
    ("TIFF", "1", {"compression": "group4"}), ("TIFF", "RGBA", {}),
    ("GIF", "P", {}), ("GIF", "L", {}), ("GIF", "P", {"save_all": True}),
    ("WEBP", "RGB", {}), ("WEBP", "RGB", {"lossless": True}), ("WEBP", "RGBA", {}),
    ("WEBP", "RGB", {"save_all": True}), ("BMP", "RGB", {}), ("BMP", "L", {}), ("BMP", "1", {}),
]  # fmt: skip


def painted(seed: int, side: tuple[int, int], mode: str) -> Image.Image:
    """Rooms on a floor, some with paper grain, some flat with a wide white or black margin."""
    chance = np.random.default_rng(seed)
    rooms = chance.integers(30, 240, (9, 11, 3), dtype=np.uint8)
    smooth = Image.Resampling.NEAREST if seed % 2 else Image.Resampling.BICUBIC
    image = Image.fromarray(rooms).resize(side, smooth)
    if seed % 3 == 0:
        grain = chance.normal(0, 12, (side[1], side[0], 1))
        image = Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))
    if seed % 4 == 0:
        whole = Image.new("RGB", side, (255, 255, 255) if seed % 8 else (0, 0, 0))
        whole.paste(image.crop((0, 0, side[0] // 2, side[1] // 2)), (side[0] // 4, side[1] // 5))
        image = whole
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return image.convert(mode)


def good(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of `count` whole files, every form in turn, each of another size."""
    for n in range(count):
        kind, mode, options = FORMS[n % len(FORMS)]
        chance = random.Random(n)
        side = chance.randint(90, 420), chance.randint(90, 420)
        yield f"{n}-{kind}-{mode}-{'-'.join(options)}", encoded(n, side, kind, mode, options)


def encoded(n: int, side: tuple[int, int], kind: str, mode: str, options: dict) -> bytes:
    out = io.BytesIO()
    options = dict(options)
    if options.get("save_all"):
        options["append_images"] = [painted(n + 1, side, mode)]
    painted(n, side, mode).save(out, kind, **options)
    return out.getvalue()


def broken(seeds: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of planted faults; every one must be refused."""
    for seed in range(seeds):
        for n, (kind, mode, options) in enumerate(FORMS):
            data = encoded(seed * 100 + n + 1, (300, 260), kind, mode, options)
            other = encoded(seed * 100 + n + 51, (310, 255), kind, mode, options)
            label = f"{kind}-{mode}-{'-'.join(options)}"
            for fault, bad in _faults(data, other, kind, mode, options):
                yield f"{fault}: {label} {seed}", bad
    yield from _no_pictures()


def _faults(data: bytes, other: bytes, kind: str, mode: str, options: dict) -> Iterator[tuple]:
    size = len(data)
    for share in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        yield f"cut at {share:.0%}", data[: int(size * share)]
    yield "cut by two bytes", data[:-2]
    yield "a hundred bytes short", data[:-100]
    yield "900,000 zero bytes behind the end", data + bytes(900_000)
    yield "a page behind the end", data + HTML * 5
    yield "the file twice", data + data
    half = min(size, len(other)) // 2
    if not _is_plain(kind, options):
        yield "nothing but zeros from the middle", data[:half] + bytes(size - half)
    if kind in ("JPEG", "PNG") and "progressive" not in options:
        yield "the end of another file", data[:half] + other[half:]
    if kind == "PNG":
        yield "512 zeros in the middle", data[:half] + bytes(512) + data[half + 512 :]
        flipped = bytearray(data)
        flipped[half] ^= 4
        yield "a bit flipped", bytes(flipped)
    if kind == "JPEG" and "progressive" not in options:
        yield "cut and closed with an end mark", data[:half] + b"\xff\xd9"
        yield "cut late and closed", data[: int(size * 0.97)] + b"\xff\xd9"
        yield "512 zeros in the middle", data[:half] + bytes(512) + data[half + 512 :]
    if kind == "JPEG" and "progressive" in options:
        yield "cut early and closed", data[: size // 4] + b"\xff\xd9"
    if kind == "JPEG":
        at = next(
            i for i in range(size) if data[i : i + 1] == b"\xff" and data[i + 1] in (192, 194)
        )
        for word, height in (("lower", 100), ("higher", 900)):
            wrong = data[: at + 5] + struct.pack(">H", height) + data[at + 7 :]
            if "progressive" not in options:
                yield f"a head that claims a {word} picture", wrong
        at = data.index(b"\xff\xc4") + 4
        yield "a table of nonsense", data[:at] + b"\xff" * 24 + data[at + 24 :]


def _is_plain(kind: str, options: dict) -> bool:
    """True for rows that lie unpacked in the file: any bytes are a picture there."""
    return kind == "BMP" or (kind == "TIFF" and not options)


def _no_pictures() -> Iterator[tuple[str, bytes]]:
    yield "a page", HTML
    yield "a page that begins late", b"\r\n\r\n" + HTML
    yield "JSON", b'{"error": "not found"}' * 40
    yield "a PDF", b"%PDF-1.4\n" + b"x" * 3000
    yield "a ZIP file", b"PK\3\4" + b"\0" * 3000
    yield "nothing", b""
    yield "one byte", b"\xff"
    yield "the mark of a JPEG and a page", b"\xff\xd8\xff\xe0" + HTML
    yield "zeros", bytes(5000)
    yield "a PNG of 900 million pixels", _png(30_000, 30_000, 1)
    yield "a PNG with 8 rows of 20,000", _png(4_000, 20_000, 8)
    for kind in ("PNG", "GIF", "BMP", "JPEG"):
        for side in (1, 10, 15):
            yield f"{side} px, {kind}", encoded(1, (side, side), kind, "L", {})
    out = io.BytesIO()
    Image.new("L", (64, 64), 200).save(out, "PNG")
    yield "a stub below 500 bytes", out.getvalue()


def _png(width: int, height: int, rows: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(random.Random(0).randbytes((width + 1) * rows))
    mark = b"\x89PNG\r\n\x1a\n"
    return mark + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def unknowable(tries: int = 20) -> Iterator[tuple[str, bytes]]:
    """Yield (class, bytes) of files that are wrong, and are pictures all the same, or may be."""
    chance = random.Random(0)
    for n, (kind, mode, options) in enumerate(FORMS):
        data = encoded(n + 1, (300, 260), kind, mode, options)
        other = encoded(n + 51, (310, 255), kind, mode, options)
        label = f"{kind}{' progressive' if 'progressive' in options else ''}"
        if kind == "TIFF":
            label += " packed" if options else " plain"
        for _ in range(tries):
            at = chance.randrange(len(data) // 3, len(data) - 4)
            flipped = bytearray(data)
            flipped[at] ^= 1 << chance.randrange(8)
            yield f"a bit flipped, {label}", bytes(flipped)
            zeros = data[:at] + bytes(len(data[at : at + 200])) + data[at + 200 :]
            yield f"200 zeros, {label}", zeros
            if "progressive" in options:
                yield "cut and closed late, JPEG progressive", data[:at] + b"\xff\xd9"
        half = min(len(data), len(other)) // 2
        if kind == "GIF" or "progressive" in options:
            yield f"the end of another file, {label}", data[:half] + other[half:]
        if _is_plain(kind, options):
            zeros = data[:half] + bytes(len(data) - half)
            yield f"nothing but zeros from the middle, {label}", zeros
        yield "1,000 bytes behind the end", data + b"x" * 1000


def accepted(path: Path, data: bytes) -> str | None:
    """Return None when the check takes `data` for a picture, else why not."""
    path.write_bytes(data)
    try:
        picture_facts(path)
    except NotGood as bad:
        return bad.reason
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--good", type=int, default=900)
    parser.add_argument("--seeds", type=int, default=2, help="of the planted faults")
    parser.add_argument("--maps", type=Path, help="a folder of pictures that are good as well")
    parser.add_argument("--json", type=Path, metavar="OUT")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path, began_s = Path(scratch) / "x", time.process_time()
        rejected = {n: why for n, data in good(args.good) if (why := accepted(path, data))}
        count = args.good
        for file in sorted(args.maps.rglob("*")) if args.maps else ():
            if file.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".tif", ".gif"):
                count += 1
                rejected |= {str(file): w for w in [accepted(path, file.read_bytes())] if w}
        faults = [(name, accepted(path, data)) for name, data in broken(args.seeds)]
        unseen, tried = Counter(), Counter()
        for name, data in unknowable():
            tried[name] += 1
            unseen[name] += accepted(path, data) is None
        spent_s = time.process_time() - began_s
    taken = [name for name, why in faults if why is None]
    print(f"{count} good files, {len(rejected)} refused; {len(faults)} faults, {len(taken)} taken")
    for line in [*rejected.items(), *taken]:
        print("  WRONG", line)
    print("what passes for a picture, of how many:")
    for name in sorted(tried):
        print(f"  {name}: {unseen[name]} of {tried[name]}")
    print(f"{spent_s:.0f} CPU seconds, load {os.getloadavg()[0]:.1f}")
    if args.json:
        report = {"good": count, "refused": rejected, "faults": len(faults), "taken": taken,
                  "passes": {n: [unseen[n], tried[n]] for n in sorted(tried)}}  # fmt: skip
        args.json.write_text(json.dumps(report, indent=1))
    sys.exit(1 if rejected or taken else 0)


if __name__ == "__main__":
    main()
