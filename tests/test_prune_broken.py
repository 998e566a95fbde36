"""Files that are broken or merely odd: pruning lists the first, takes the second, never stops."""

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from conftest import Result
from PIL import Image
from prune_pictures import add, make_dataset, painted

from mapmaker.events import Done, Note
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.features import measure
from mapmaker.prune.kept import features_of, kept
from mapmaker.prune.prune import prune

SIDE = 96


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def black_png(width: int, height: int, rows: int) -> bytes:
    """Return a PNG that says width x height and holds that many rows of black."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # one bit a pixel
    pixels = zlib.compress(bytes((width // 8 + 1) * rows), 9)
    chunks = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def damaged() -> bytes:
    """Return a PNG with a byte of its pixels changed: its checksum tells."""
    data = bytearray(saved(painted(21, SIDE), "PNG"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut.png": (lambda: saved(painted(1, SIDE), "PNG")[:-2000], "truncated"),
    "cut.jpg": (lambda: saved(painted(2, SIDE), "JPEG")[:2000], "truncated"),
    "head.jpg": (lambda: saved(painted(3, SIDE), "JPEG")[:100], "no whole picture"),
    "cut.webp": (lambda: saved(painted(4, SIDE), "WEBP")[:900], "no whole picture"),
    "cut.gif": (lambda: saved(painted(5, SIDE), "GIF")[:1500], "truncated"),
    "empty.png": (lambda: b"", "not a JPEG, PNG"),
    "text.jpg": (lambda: b"Once upon a time there was no picture.", "not a JPEG, PNG"),
    "page.png": (lambda: b"<!doctype html><title>404</title>", "not a JPEG, PNG"),
    "vector.svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG"),
    "bomb.png": (lambda: black_png(12_000, 12_000, 12_000), "12000x12000 pixels"),
    "lying.png": (lambda: black_png(4_000_000_000, 9, 0), "4000000000x9 pixels"),
    "damaged.png": (damaged, "no whole picture"),
}


def sixteen_bits() -> bytes:
    grey = np.asarray(painted(33, SIDE).convert("L")).astype(np.uint16)
    return saved(Image.fromarray(grey * 257), "PNG")


def floats() -> bytes:
    grey = np.asarray(painted(34, SIDE).convert("L")).astype(np.float32)
    return saved(Image.fromarray(grey), "TIFF")


def film(format: str, seed: int) -> bytes:
    frames = [painted(seed + 1, SIDE), painted(seed + 2, SIDE)]
    return saved(painted(seed, SIDE), format, save_all=True, append_images=frames)


def sideways() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(painted(35, SIDE).crop((0, 0, SIDE, 80)), "JPEG", exif=exif)


def see_through() -> bytes:
    picture = painted(36, SIDE).convert("RGBA")
    picture.putalpha(painted(37, SIDE).convert("L"))
    return saved(picture, "PNG")


ODD: dict[str, Callable[[], bytes]] = {
    "print.jpg": lambda: saved(painted(30, SIDE).convert("CMYK"), "JPEG"),
    "palette.png": lambda: saved(painted(31, SIDE).convert("P"), "PNG"),
    "one_bit.png": lambda: saved(painted(32, SIDE).convert("1"), "PNG"),
    "sixteen.png": sixteen_bits,
    "floats.tif": floats,
    "film.gif": lambda: film("GIF", 40),
    "film.webp": lambda: film("WEBP", 50),
    "film.png": lambda: film("PNG", 60),
    "sideways.jpg": sideways,
    "see_through.png": see_through,
    "named_wrong.gif": lambda: saved(painted(38, SIDE), "JPEG"),
    "progressive.jpg": lambda: saved(painted(39, SIDE), "JPEG", progressive=True),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_row_with_its_reason(tmp_path: Path, name: str) -> None:
    """Nothing a file holds makes measuring fail; what is wrong with it is said and remembered."""
    make, words = BROKEN[name]
    dataset = make_dataset(tmp_path)
    id = add(dataset, name, make())

    seen = measure(dataset.pictures / name, id)

    assert words in seen.features.problem
    assert "\n" not in seen.features.problem and str(tmp_path) not in seen.features.problem
    assert seen.lasting and not seen.thumb


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_a_picture_like_any_other(tmp_path: Path, name: str) -> None:
    """Print colours, palettes, 16 bits, animation, rotation, transparency: all are measured."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, name, ODD[name]())

    seen = measure(dataset.pictures / name, id)

    features = seen.features
    wanted = (80, SIDE) if name == "sideways.jpg" else (SIDE, SIDE)
    assert (features.problem, features.width, features.height) == ("", *wanted)
    assert features.contrast > 10 and all(np.isfinite(list(features.signs.values())))
    assert Image.open(BytesIO(seen.thumb)).size == wanted


def test_prune_lists_each_broken_file_once_and_looks_at_every_whole_one(tmp_path: Path) -> None:
    """One note a broken file, with its reason; every whole one is measured all the same."""
    dataset = make_dataset(tmp_path)
    broken = {add(dataset, name, make()) for name, (make, _) in BROKEN.items()}
    whole = {add(dataset, name, make()) for name, make in ODD.items()}

    events = list(prune(dataset, PruneConfig(auto=True, min_side_px=64)))

    said = Counter(e.text.split(":")[0] for e in events if isinstance(e, Note))
    assert said == {f"pictures/{name}": 1 for name in BROKEN}
    done = events[-1]
    assert isinstance(done, Done) and done.exit_code == 0
    assert done.data["broken"] == len(BROKEN)
    with closing(features_of(dataset)) as store:
        problems = {id: seen.problem for id, seen in store.all().items()}
    assert {id for id, problem in problems.items() if problem} == broken
    assert {id for id, problem in problems.items() if not problem} == whole
    assert not broken & {row["id"] for row in kept(dataset)}


def test_prune_ends_well_in_spite_of_broken_files(
    mapmaker: Callable[..., Result], tmp_path: Path
) -> None:
    """On the command line too: exit code 0, and each broken file named once."""
    dataset = make_dataset(tmp_path)
    add(dataset, "good.png", painted(1, SIDE))
    for name in ("cut.png", "text.jpg", "empty.png"):
        add(dataset, name, BROKEN[name][0]())

    result = mapmaker("prune", "own", "--auto", "--min-side-px", 64, "--size", 64)

    assert result.code == 0
    assert [result.err.count(name) for name in ("cut.png", "text.jpg", "empty.png")] == [1, 1, 1]
