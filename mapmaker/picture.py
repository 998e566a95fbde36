"""Opening pictures that strangers made: nothing is trusted, a failure is one UnsafeInput."""

import warnings
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from mapmaker.errors import UnsafeInput

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp")
MAX_PIXELS = 100_000_000  # six times a 300 dpi sheet of 11 x 17 inch

# Pillow's own limit only warns; ours refuses before a pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


def open_picture(source: Path | bytes, *, name: str = "") -> Image.Image:
    """Return the first frame as upright 8-bit RGB, whatever it was.

    CMYK, 16-bit, palette, grey, animated and EXIF-rotated pictures are converted; transparent
    parts become white. Raises UnsafeInput for anything that is not a whole picture of one of
    FORMATS with at most MAX_PIXELS pixels.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF or TIFF tags are no reason to drop a map
            with Image.open(
                BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
            ) as image:
                check_pixels(image.width, image.height, name)
                image.load()
                return _upright_rgb(image)
    except FileNotFoundError as error:
        raise UnsafeInput(f"{name} does not exist.", hint="Check the path.") from error
    except PermissionError as error:
        raise UnsafeInput(f"{name} may not be read.", hint="Give yourself permission.") from error
    except (OSError, ValueError, SyntaxError, MemoryError, TypeError, EOFError) as error:
        raise UnsafeInput(
            f"{name} is no whole picture: {_reason(error)}.",
            hint="Fetch or export it again, or leave it out.",
        ) from error


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) as stored, from the header alone. Raises as `open_picture` does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                check_pixels(image.width, image.height, str(path))
                return image.size
    except (OSError, ValueError, SyntaxError, TypeError) as error:
        raise UnsafeInput(f"{path} is no picture: {_reason(error)}.") from error


def check_pixels(width: int, height: int, name: str) -> None:
    """Raise UnsafeInput when width x height is more than MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise UnsafeInput(
            f"{name} claims {width}x{height} pixels, more than {MAX_PIXELS // 1_000_000} million.",
            hint="Scale it down first; such a file can fill the memory.",
        )


def _upright_rgb(image: Image.Image) -> Image.Image:
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        image = _eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # converting copies all the same


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit and float greys to 0..255: Pillow's own convert clips them to white."""
    import numpy as np

    values = np.asarray(image, dtype=np.float64)
    low, high = (0.0, 65535.0) if values.min() >= 0 and values.max() > 255 else (0.0, 255.0)
    return Image.fromarray(((values - low) / (high - low) * 255).clip(0, 255).astype(np.uint8))


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0].strip(" .")
    return "not a JPEG, PNG, WebP, TIFF, GIF or BMP" if "cannot identify" in text else text
