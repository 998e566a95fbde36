"""The pictures as the page gets them: small ones from the store, whole ones as they lie there."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from mapmaker.errors import MapmakerError
from mapmaker.picture import FORMATS, check_pixels, open_picture
from mapmaker.prune.thumbs import ThumbStore

THUMB_PX = 192
_LARGEST_PX = 8192  # of what is converted for the browser
_NATIVE = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


def thumbnail(store: ThumbStore, id: str, picture: Path) -> bytes:
    """Return a JPEG of at most 192 px, made and remembered when prune has not.

    A store that cannot be written costs time, not the picture. Raises UnsafeInput for a broken one.
    """
    if (kept := store.get(id)) is not None:
        return kept
    data = _jpeg(open_picture(picture), THUMB_PX, 80)
    try:
        store.put_all([(id, data)])
    except MapmakerError:
        return data
    return data


def native(picture: Path) -> str:
    """Return the media type of a file every browser shows at full size, or "" for any other.

    From the file's first bytes, never from its name. Raises UnsafeInput for more pixels than we
    would open ourselves.
    """
    try:
        with Image.open(picture, formats=FORMATS) as image:
            check_pixels(image.width, image.height, picture.name)
            return _NATIVE.get(image.format or "", "")
    except (OSError, ValueError, SyntaxError, TypeError):
        return ""


def converted(picture: Path) -> bytes:
    """Return a picture browsers do not know (TIFF, BMP) as a JPEG of at most 8192 px a side."""
    return _jpeg(open_picture(picture), _LARGEST_PX, 95)


def _jpeg(image: Image.Image, side_px: int, quality: int) -> bytes:
    image.thumbnail((side_px, side_px), reducing_gap=2.0)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
