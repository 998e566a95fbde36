"""Whether a file is the whole picture it claims to be, and the facts the manifest keeps of it."""

import functools
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapmaker.errors import UnsafeInput
from mapmaker.picture import FORMATS, MAX_PIXELS, open_picture

STUB_PX = 16
SUFFIX = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp",
}  # fmt: skip
_TAIL = 65_536


class NotGood(Exception):
    """The file is no whole picture. `reason` is a key of GAP_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def picture_facts(path: Path) -> dict[str, object]:
    """Return width, height, mode, format and phash (16 hex digits) of a picture read to its end.

    Raises NotGood: not-a-picture, too-many-pixels (from the header, before a pixel is decoded),
    stub, corrupt. Labels are not believed: the content says what it is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path, formats=FORMATS)
        except (OSError, ValueError, SyntaxError, TypeError, EOFError) as error:
            raise NotGood("corrupt" if has_magic(path) else "not-a-picture") from error
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise NotGood("too-many-pixels")
            if min(image.size) < STUB_PX:
                raise NotGood("stub")
            mode, kind = image.mode, str(image.format)
            try:
                image.load()
                # A row of a broken JPEG may decode to grey without complaint; its end mark is gone.
                if not _is_closed(path, kind):
                    raise NotGood("corrupt")
                grey = _grey(image, path)
            except (OSError, ValueError, SyntaxError, TypeError, EOFError, MemoryError) as error:
                raise NotGood("corrupt") from error
            except UnsafeInput as error:
                raise NotGood("corrupt") from error
            return {
                "width": image.width, "height": image.height, "mode": mode,
                "format": "JPEG" if kind == "MPO" else kind, "phash": phash(grey),
            }  # fmt: skip


def phash(grey: Image.Image) -> str:
    """Return 64 bits, as 16 hex digits, that pictures alike to the eye share.

    Source: the DCT hash: the 8x8 lowest frequencies of the 32x32 picture against their median.
    """
    values = np.asarray(grey.resize((32, 32), Image.Resampling.BOX), dtype=np.float64)
    waves = _waves()
    low = (waves @ values @ waves.T).ravel()
    bits = low > np.median(low[1:])
    return np.packbits(bits).tobytes().hex()


@functools.cache
def _waves() -> NDArray[np.float64]:
    """Return the first 8 rows of the 32-point DCT-II."""
    k, n = np.arange(8)[:, None], np.arange(32)[None, :]
    return np.cos(np.pi * k * (2 * n + 1) / 64)


def _grey(image: Image.Image, path: Path) -> Image.Image:
    plain = image.mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr")
    return (image if plain else open_picture(path)).convert("L")


def _is_closed(path: Path, kind: str) -> bool:
    """True when the file ends as its format ends; Pillow forgives a missing end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if kind in ("JPEG", "MPO"):
        return b"\xff\xd9" in tail
    if kind == "PNG":
        return b"IEND\xae\x42\x60\x82" in tail
    if kind == "GIF":
        return b"\x3b" in tail[-16:]
    if kind == "WEBP":
        return size >= int.from_bytes(head[4:8], "little") + 8
    return True


def has_magic(path: Path) -> bool:
    """True when the file begins as one of our formats does, whatever it is called."""
    with path.open("rb") as file:
        head = file.read(16)
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
    return head.startswith(starts) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
