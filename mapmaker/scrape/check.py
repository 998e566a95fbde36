"""Whether a file is the whole picture it claims to be, and the facts the manifest keeps of it."""

import functools
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from mapmaker.errors import UnsafeInput
from mapmaker.picture import FORMATS, MAX_PIXELS, open_picture
from mapmaker.scrape.whole import NotWhole, coded_end

if TYPE_CHECKING:  # 50 ms, for which the first request need not wait
    import numpy as np
    from numpy.typing import NDArray

STUB_PX = 16
STUB_BYTES = 500  # "picture not available" in a few bytes; no map of that side is so small
SUFFIX = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp",
}  # fmt: skip
_PIECE = 1_048_576  # handed to a decoder at a time, so that large files need no more memory
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
                end = coded_end(path, kind)
                if kind == "JPEG":
                    image.draft("L", _DRAFT)
                if end is not None:
                    _draw_to_its_end(image, path, end)
                image.load()
                grey = _grey(image, path)
            except (OSError, ValueError, SyntaxError, TypeError, EOFError, MemoryError) as error:
                raise NotGood("corrupt") from error
            except (UnsafeInput, NotWhole) as error:
                raise NotGood("corrupt") from error
            return {
                "width": width, "height": height, "mode": mode,
                "format": "JPEG" if kind == "MPO" else kind, "phash": phash(grey),
            }  # fmt: skip


def phash(grey: Image.Image) -> str:
    """Return 64 bits, as 16 hex digits, that pictures alike to the eye share.

    Source: the DCT hash: the 8x8 lowest frequencies of the 32x32 picture against their median.
    """
    import numpy as np

    small = grey.resize((32, 32), Image.Resampling.BOX).tobytes()
    values = np.frombuffer(small, dtype=np.uint8).reshape(32, 32).astype(np.float64)
    waves = _waves()
    low = (waves @ values @ waves.T).ravel()
    median = np.partition(low[1:], 31)[31]  # of 63
    return np.packbits(low > median).tobytes().hex()


@functools.cache
def _waves() -> "NDArray[np.float64]":
    """Return the first 8 rows of the 32-point DCT-II."""
    import numpy as np

    k, n = np.arange(8)[:, None], np.arange(32)[None, :]
    return np.cos(np.pi * k * (2 * n + 1) / 64)


def _draw_to_its_end(image: Image.Image, path: Path, end: int) -> None:
    """Draw a JPEG from `path`. Raises NotGood when its coded data is too short or too long for it.

    end is where its one scan ends [bytes].
    """
    if not _draws(image, end, _SENTINELS[0]):
        with Image.open(path, formats=("JPEG",)) as again:  # the last row may be of that colour
            again.draft("L", _DRAFT)
            if not _draws(again, end, _SENTINELS[1]):
                raise NotGood("corrupt")


def _draws(image: Image.Image, end: int, sentinel: tuple[int, ...]) -> bool:
    """Draw, and return whether the last row was seen to come. Raises NotGood when it is early."""
    feed = _Feed(image, end, sentinel)
    image.load()
    if feed.early or feed.stage == 0:  # it was done before it had asked for the rest
        raise NotGood("corrupt")
    return not feed.late


class _Feed(io.RawIOBase):
    """A JPEG handed to its decoder in three parts, so that the last row tells when it was drawn.

    Before the last bytes of coded data came, the row must be missing: else the data is too long.
    After them, and before the end mark, it must be there: else the decoder, which fills rows up
    at an end mark without a word, would draw what never came. Both mean lost or foreign bytes.
    It takes the place of the opened picture's own file.
    """

    def __init__(self, image: Any, end: int, sentinel: tuple[int, ...]) -> None:
        self.image, self.end, self.sentinel = image, end, sentinel
        self.file: BinaryIO = image.fp
        self.stage, self.hidden = 0, False
        self.early = self.late = False
        image.fp = self

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.file.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.file.tell()
        if self.stage == 0 and at < self.end - _LATE_BYTES:
            if not self.hidden:
                self.hidden = True
                bands = len(self.image.getbands())
                self.image.im.paste(self.sentinel[:bands], self._last_row())
            return self.file.read(min(_PIECE, self.end - _LATE_BYTES - at))
        self.stage += 1
        if self.stage == 1:
            self.early = self._is_drawn()
            return self.file.read(self.end - at) + bytes(16)
        if self.stage == 2:
            self.late = not self._is_drawn()
        return self.file.read(-1 if size is None else size)

    def close(self) -> None:
        self.file.close()
        super().close()

    def _last_row(self) -> tuple[int, int, int, int]:
        width, height = self.image.size
        return 0, height - 1, width, height

    def _is_drawn(self) -> bool:
        row = self.image.im.crop(self._last_row())
        bands = (row.getband(n).getextrema() for n in range(row.bands))
        return any(b != (s, s) for b, s in zip(bands, self.sentinel, strict=False))


def _grey(image: Image.Image, path: Path) -> Image.Image:
    plain = image.mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr")
    return (image if plain else open_picture(path)).convert("L")


def has_magic(path: Path) -> bool:
    """True when the file begins as one of our formats does, whatever it is called."""
    with path.open("rb") as file:
        head = file.read(16)
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
    return head.startswith(starts) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
