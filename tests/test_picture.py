"""Pictures of strangers: every odd kind opens upright, every bad one is one clear refusal."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mapmaker.errors import UnsafeInput
from mapmaker.picture import open_picture, picture_size


def bomb_png(side: int) -> bytes:
    """A PNG header that claims side x side pixels and holds almost none."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "P", "L", "LA", "RGBA", "1", "F"])
def test_every_mode_opens_as_rgb(tmp_path, mode):
    """CMYK, 16-bit, palette, grey and transparent pictures become 8-bit RGB."""
    grey = np.linspace(0, 1, 64 * 48).reshape(48, 64)
    if mode == "I;16":
        image = Image.fromarray((grey * 65535).astype(np.uint16))
    elif mode == "F":
        image = Image.fromarray((grey * 255).astype(np.float32))
    else:
        image = Image.fromarray((grey * 255).astype(np.uint8)).convert(mode)
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.tif" if mode == "F" else "x.png")
    image.save(path)

    opened = open_picture(path)

    assert (opened.mode, opened.size) == ("RGB", (64, 48))
    dark, bright = opened.getpixel((2, 2)), opened.getpixel((61, 45))
    assert sum(bright) > sum(dark) + 300


def test_animated_pictures_give_their_first_frame(tmp_path):
    """A GIF that moves is its first frame."""
    path = tmp_path / "x.gif"
    frames = [Image.new("RGB", (20, 20), c) for c in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])

    assert open_picture(path).getpixel((5, 5)) == (255, 0, 0)


def test_exif_rotation_is_applied(tmp_path):
    """A camera's sideways picture is turned upright."""
    path = tmp_path / "x.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(path, exif=exif)

    assert open_picture(path).size == (20, 40)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.jpg", b"this is a text file", "not a JPEG"),
        ("empty.png", b"", "not a JPEG"),
        ("page.jpg", b"<!doctype html><title>Not found</title>", "not a JPEG"),
        ("bomb.png", bomb_png(30_000), "30000x30000"),
    ],
)
def test_bad_files_are_refused_with_their_name(tmp_path, name, content, words):
    """Text named .jpg, nothing, a web page, a bomb: one line with the file and the reason."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(UnsafeInput, match=words) as caught:
        open_picture(path)

    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_truncated_picture_is_refused(tmp_path):
    """Half a JPEG is no picture, even though its header is fine."""
    path = tmp_path / "x.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])

    assert picture_size(path) == (200, 200)
    with pytest.raises(UnsafeInput, match=r"x\.jpg"):
        open_picture(path)


def test_a_missing_file_says_so(tmp_path):
    """The path is wrong: say which."""
    with pytest.raises(UnsafeInput, match="does not exist"):
        open_picture(tmp_path / "none.png")
