"""Small and screen-sized copies of pictures for the page, made when asked for."""

from io import BytesIO
from pathlib import Path

from mapmaker.errors import MapmakerError
from mapmaker.files import write_atomic
from mapmaker.picture import open_picture

THUMB_PX = 320
LOUPE_PX = 2400


def thumbnail(cache: Path, id: str, picture: Path) -> bytes:
    """Return a WebP of at most 320 px, from `cache` when it is there, else made and put there.

    A cache that cannot be written costs time, not the picture. Raises UnsafeInput for a broken one.
    """
    kept = cache / f"{id}.webp"
    if kept.is_file():
        return kept.read_bytes()
    data = _webp(picture, THUMB_PX, 80)
    try:
        write_atomic(kept, data)
    except (MapmakerError, OSError):
        return data
    return data


def enlarged(picture: Path) -> bytes:
    """Return a WebP of at most 2400 px for a close look, in any format a browser may not know."""
    return _webp(picture, LOUPE_PX, 90)


def _webp(picture: Path, side_px: int, quality: int) -> bytes:
    image = open_picture(picture)
    image.thumbnail((side_px, side_px), reducing_gap=2.0)
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()
