"""Whether a file is the whole picture it claims to be, and the facts the manifest keeps of it."""

import functools
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapmaker.errors import UnsafeInput
from mapmaker.picture import FORMATS, MAX_PIXELS, open_picture
from mapmaker.scrape.whole import coded_end, is_whole

STUB_PX = 16
STUB_BYTES = 500  # "picture not available" in a few bytes; no map of that side is so small
SUFFIX = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp",
}  # fmt: skip
_LATE_BYTES = 4  # coded data that a sound JPEG needs to its end, and may have too much of
# Every coefficient of a JPEG is read; that they become few and grey pixels saves a third of the
# time and most of the memory.
_DRAFT = (128, 128)
_SENTINELS = (77, 178, 13, 240), (201, 6, 91, 128)


class NotGood(Exception):
    """The file is no whole picture. `reason` is a key of GAP_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def picture_facts(path: Path, least_bytes: int = STUB_BYTES) -> dict[str, object]:
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
            if min(image.size) < STUB_PX or path.stat().st_size < least_bytes:
                raise NotGood("stub")
            mode, kind, (width, height) = image.mode, str(image.format), image.size
            try:
                if not is_whole(path, kind):
                    raise NotGood("corrupt")
                if kind == "JPEG":
                    image = _drawn_to_its_end(path)
                image.load()
                grey = _grey(image, path)
            except (OSError, ValueError, SyntaxError, TypeError, EOFError, MemoryError) as error:
                raise NotGood("corrupt") from error
            except UnsafeInput as error:
                raise NotGood("corrupt") from error
            return {
                "width": width, "height": height, "mode": mode,
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


class _Feed(io.BytesIO):
    """A JPEG handed to its decoder in three parts, so that the last row tells when it was drawn.

    Before the last bytes of coded data came, the row must be missing: else the data is too long.
    After them, and before the end mark, it must be there: else the decoder, which fills rows up
    at an end mark without a word, would draw what never came. Both mean lost or foreign bytes.
    """

    def __init__(self, data: bytes, end: int, sentinel: tuple[int, ...]) -> None:
        super().__init__(data)
        self.image: Image.Image | None = None  # once its head was read
        self.end, self.sentinel, self.stage = end, sentinel, 0
        self.early = self.late = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.image is None:
            return super().read(size)
        if self.stage == 0:
            self.stage, at = 1, self.tell()
            bands = len(self.image.getbands())
            self.image.im.paste(self.sentinel[:bands], self._last_row(self.image))
            return super().read(max(0, self.end - _LATE_BYTES - at))
        if self.stage == 1:
            self.stage, self.early = 2, self._is_drawn(self.image)
            return super().read(self.end - self.tell()) + bytes(16)
        if self.stage == 2:
            self.stage, self.late = 3, not self._is_drawn(self.image)
        return super().read(size)

    def _last_row(self, image: Image.Image) -> tuple[int, int, int, int]:
        width, height = image.size
        return 0, height - 1, width, height

    def _is_drawn(self, image: Image.Image) -> bool:
        row = image.im.crop(self._last_row(image))
        bands = (row.getband(n).getextrema() for n in range(row.bands))
        return any(b != (s, s) for b, s in zip(bands, self.sentinel, strict=False))


def _drawn_to_its_end(path: Path) -> Image.Image:
    """Return a JPEG, drawn. Raises NotGood when its coded data is too short or too long for it."""
    data = path.read_bytes()
    end = coded_end(data)
    if end is None:
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        image.draft("L", _DRAFT)
        return image
    image = None
    for sentinel in _SENTINELS:  # a last row may happen to be of the first one's colour
        feed = _Feed(data, end, sentinel)
        image = Image.open(feed, formats=("JPEG", "MPO"))
        image.draft("L", _DRAFT)
        feed.image = image
        image.load()
        if feed.early or feed.stage < 2:  # it was done before it had asked for the rest
            break
        if not feed.late:
            return image
    raise NotGood("corrupt")


def _grey(image: Image.Image, path: Path) -> Image.Image:
    plain = image.mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr")
    return (image if plain else open_picture(path)).convert("L")


def has_magic(path: Path) -> bool:
    """True when the file begins as one of our formats does, whatever it is called."""
    with path.open("rb") as file:
        head = file.read(16)
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
    return head.startswith(starts) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
