"""Known faults, planted: variants of a good map, each with the answer we want of prune.

Every function takes an upright RGB picture (and a numpy Generator where chance plays a part) and
returns another. VARIANTS says what prune should make of each beside its original; FAULTS what it
should say of a picture on its own.
"""

from collections.abc import Callable
from io import BytesIO
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

Picture = Image.Image
WORDS = (
    "the old keep stands on a hill above the river and its lord has not been seen since winter a "
    "guard of six waits by the gate while two more walk the wall each bears a spear and a horn the "
    "cellar door is locked and the key lies in the chapel under the third stone from the altar"
).split()


# Copies: the same map once more.


def as_jpeg(picture: Picture, quality: int) -> Picture:
    """Return it after a JPEG of that quality."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def scaled(picture: Picture, factor: float, how: int = Image.Resampling.LANCZOS) -> Picture:
    """Return it larger or smaller."""
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, how)


def turned(picture: Picture, orientation: int) -> Picture:
    """Return one of its eight symmetries, 1 to 7 (0 is itself)."""
    how = Image.Transpose
    if orientation & 4:
        picture = picture.transpose(how.TRANSPOSE)
    if orientation & 2:
        picture = picture.transpose(how.FLIP_TOP_BOTTOM)
    return picture.transpose(how.FLIP_LEFT_RIGHT) if orientation & 1 else picture


def watermarked(picture: Picture, rng: Generator, text: str = "PREVIEW") -> Picture:
    """Return it with half-transparent words across, as shops do."""
    layer = Image.new("L", picture.size)
    font = ImageFont.load_default(max(12, picture.width // 6))
    _, _, right, bottom = font.getbbox(text)
    word = Image.new("L", (round(right + 10), round(bottom + 10)))
    ImageDraw.Draw(word).text((4, 0), text, fill=int(rng.integers(90, 150)), font=font)
    word = word.rotate(float(rng.uniform(15, 40)), expand=True)
    layer.paste(word, ((picture.width - word.width) // 2, (picture.height - word.height) // 2))
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, layer)


def with_logo(picture: Picture, rng: Generator) -> Picture:
    """Return it with a round badge and a line of text in one corner."""
    result, side = picture.copy(), max(24, min(picture.size) // 8)
    badge = Image.new("RGBA", (side * 2, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(badge)
    draw.ellipse(
        (1, 1, side - 2, side - 2), fill=(240, 240, 235, 255), outline=(20, 20, 20, 255), width=3
    )
    font = ImageFont.load_default(max(8, side // 4))
    draw.text((side * 0.22, side * 0.32), "Orbs", fill=(160, 20, 20, 255), font=font)
    draw.text((side * 1.05, side * 0.3), "maps.net", fill=(255, 255, 255, 230), font=font)
    x = 6 if rng.random() < 0.5 else picture.width - badge.width - 6
    y = 6 if rng.random() < 0.5 else picture.height - badge.height - 6
    result.paste(badge, (x, y), badge)
    return result


def titled(picture: Picture, rng: Generator, text: str = "The Sunken Crypt") -> Picture:
    """Return it with a title on a band along the top."""
    result = picture.copy()
    draw = ImageDraw.Draw(result)
    height = max(20, picture.height // 11)
    draw.rectangle((0, 0, picture.width, height), fill=(236, 222, 190))
    draw.text(
        (height / 2, height * 0.1),
        text,
        fill=(40, 25, 10),
        font=ImageFont.load_default(height * 0.7),
    )
    return result


# Variants: worth keeping beside the original.


def gridded(picture: Picture, cell_px: float, strength: float = 0.45) -> Picture:
    """Return it with one-pixel dark lines every `cell_px` pixels from the edge."""
    pixels = np.asarray(picture).astype(np.float32)
    for axis in (0, 1):
        at = np.round(np.arange(0, pixels.shape[axis], cell_px)).astype(int)
        at = at[at < pixels.shape[axis]]
        if axis == 0:
            pixels[at] *= 1 - strength
        else:
            pixels[:, at] *= 1 - strength
    return Image.fromarray(pixels.astype(np.uint8))


def by_night(picture: Picture) -> Picture:
    """Return it dark and blue."""
    return Image.fromarray((np.asarray(picture) * np.array([0.28, 0.34, 0.5])).astype(np.uint8))


def in_grey(picture: Picture) -> Picture:
    """Return it without its colours."""
    return ImageOps.grayscale(picture).convert("RGB")


def cropped(picture: Picture, left: float, top: float, share: float) -> Picture:
    """Return the part that is `share` of both sides, left and top its place among the free ones."""
    width, height = round(picture.width * share), round(picture.height * share)
    x, y = round((picture.width - width) * left), round((picture.height - height) * top)
    return picture.crop((x, y, x + width, y + height))


def trimmed(picture: Picture, px: int) -> Picture:
    """Return it without `px` pixels at the left and the top."""
    return picture.crop((px, px, picture.width, picture.height))


# Faults: of little use on their own.


def blurred(picture: Picture, sigma: float) -> Picture:
    """Return it out of focus."""
    return picture.filter(ImageFilter.GaussianBlur(sigma))


def enlarged(picture: Picture, factor: int, how: int = Image.Resampling.BICUBIC) -> Picture:
    """Return it shrunk and blown up again to its size."""
    return scaled(picture, 1 / factor).resize(picture.size, how)


def darkened(picture: Picture, share: float = 0.12) -> Picture:
    """Return it at that share of its brightness."""
    return picture.point(lambda v: round(v * share))


def bleached(picture: Picture, share: float = 0.1) -> Picture:
    """Return it with that share of its contrast, next to white."""
    return picture.point(lambda v: round(255 - (255 - v) * share))


def blank(picture: Picture, rng: Generator) -> Picture:
    """Return a sheet of one colour with some noise."""
    shade = rng.integers(20, 235, 3)
    noise = rng.normal(0, 2, (picture.height, picture.width, 3))
    return Image.fromarray((shade + noise).clip(0, 255).astype(np.uint8))


def surrounded(picture: Picture, share: float = 0.3) -> Picture:
    """Return it small, in the middle of much black: `share` of the area is map."""
    small = scaled(picture, share**0.5)
    result = Image.new("RGB", picture.size)
    result.paste(small, ((picture.width - small.width) // 2, (picture.height - small.height) // 2))
    return result


def text_page(picture: Picture, rng: Generator) -> Picture:
    """Return a page of an adventure of that size: a heading and one or two columns of text."""
    ground = [(255, 255, 255), (240, 228, 200)][int(rng.integers(2))]
    page, columns = Image.new("RGB", picture.size, ground), int(rng.integers(1, 3))
    draw, size = ImageDraw.Draw(page), int(rng.integers(11, 20))
    margin, gap = picture.width // 14, picture.width // 20
    draw.text(
        (margin, margin // 2),
        "Chapter Two",
        fill=(90, 20, 10),
        font=ImageFont.load_default(size * 2),
    )
    wide = (picture.width - 2 * margin - gap * (columns - 1)) / columns
    font = ImageFont.load_default(size)
    for column in range(columns):
        y, at = margin + size * 2, margin + column * (wide + gap)
        while y < picture.height - margin:
            words: list[str] = []
            while font.getlength(" ".join(words)) < wide * 0.88:
                words.append(WORDS[int(rng.integers(len(WORDS)))])
            draw.text((at, y), " ".join(words), fill=(25, 20, 15), font=font)
            y += round(size * (1.3 if rng.random() < 0.93 else 2.4))
    return page


def legend(picture: Picture, rng: Generator) -> Picture:
    """Return a key sheet: rows of a small symbol and what it means."""
    sheet = Image.new("RGB", picture.size, (244, 238, 220))
    draw, row = ImageDraw.Draw(sheet), max(24, picture.height // 16)
    draw.text((row, row // 4), "Legend", fill=(30, 20, 10), font=ImageFont.load_default(row))
    for y in range(2 * row, picture.height - row, row):
        x = row
        while x < picture.width - 8 * row:
            shade = tuple(int(v) for v in rng.integers(40, 200, 3))
            draw.rectangle((x, y, x + row * 0.7, y + row * 0.7), fill=shade, outline="black")
            said = " ".join(WORDS[int(i)] for i in rng.integers(len(WORDS), size=3))
            draw.text((x + row, y), said, fill=(20, 15, 10), font=ImageFont.load_default(row * 0.5))
            x += 9 * row
    return sheet


def photographed(picture: Picture, rng: Generator) -> Picture:
    """Return a photograph of it printed and laid on a table: askew, in uneven light."""
    width, height = picture.size
    grain = rng.normal(0, 1, (height, max(2, width // 60))).cumsum(axis=1)
    wood = cv2.resize(cv2.GaussianBlur(grain, (1, 9), 0), (width, height))
    wood = wood / (np.abs(wood).max() + 1e-9)
    table = np.clip(np.array([120, 82, 48]) + 26 * wood[..., None], 0, 255)
    shift = rng.uniform(0.06, 0.2, (4, 2)) * [width, height]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    seen = (corners + inwards * shift).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, seen)
    sheet = cv2.warpPerspective(np.asarray(picture), warp, (width, height))
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, (width, height))
    photo = np.where(mask[..., None] > 127, sheet, table).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width]
    cx, cy = rng.uniform(0.2, 0.8, 2) * [width, height]
    light = 1.15 - 0.75 * np.hypot((x - cx) / width, (y - cy) / height)
    photo = photo * light[..., None] * [1.05, 1.0, 0.88] + rng.normal(0, 5, photo.shape)
    return Image.fromarray(cv2.GaussianBlur(photo.clip(0, 255).astype(np.uint8), (3, 3), 0))


def isometric(picture: Picture, rng: Generator) -> Picture:
    """Return blocks on a floor as an isometric drawing shows them, on parchment."""
    sheet = Image.new("RGB", picture.size, (232, 220, 190))
    draw, half = ImageDraw.Draw(sheet), picture.width / 21
    heights = rng.integers(0, 4, (10, 10)) * (rng.random((10, 10)) < 0.5)
    for row in range(10):
        for column in range(10):
            x = picture.width / 2 + (column - row) * half
            y = picture.height * 0.25 + (column + row) * half * 0.577
            rise = float(heights[row, column]) * half * 0.7
            top = [
                (x, y - rise),
                (x + half, y + half * 0.577 - rise),
                (x, y + half * 1.155 - rise),
                (x - half, y + half * 0.577 - rise),
            ]
            if rise:
                for (x1, y1), (x2, y2) in pairwise(top[1:]):
                    side = [(x1, y1), (x2, y2), (x2, y2 + rise), (x1, y1 + rise)]
                    draw.polygon(
                        side,
                        fill=(120, 110, 100) if x2 < x1 else (90, 80, 75),
                        outline=(30, 25, 20),
                    )
            draw.polygon(top, fill=(176, 164, 140), outline=(40, 30, 20))
    return sheet


# What we want. A variant: its relation to the original, and whether it should be dropped. A kind
# that ends in q80 is to be saved as a JPEG of that quality.

VARIANTS: dict[str, tuple[Callable[[Picture, Generator, float], Picture], str, bool]] = {
    "jpeg q80": (lambda p, rng, cell: as_jpeg(p, 80), "reencode", True),
    "jpeg q30": (lambda p, rng, cell: as_jpeg(p, 30), "reencode", True),
    "half size": (lambda p, rng, cell: scaled(p, 0.5), "resized", True),
    "turned": (lambda p, rng, cell: turned(p, int(rng.integers(1, 8))), "turned", True),
    "turned, q80": (lambda p, rng, cell: as_jpeg(turned(p, 5), 80), "turned", True),
    "watermark": (lambda p, rng, cell: watermarked(p, rng), "watermark", True),
    "corner logo": (lambda p, rng, cell: with_logo(p, rng), "watermark", True),
    "title": (lambda p, rng, cell: titled(p, rng), "watermark", True),
    "trimmed 10 px": (lambda p, rng, cell: trimmed(p, 10), "crop", True),
    "trimmed a cell": (lambda p, rng, cell: trimmed(p, round(cell)), "crop", False),
    "half of it": (lambda p, rng, cell: cropped(p, *rng.random(2), 0.7), "crop", False),
    "with a grid": (lambda p, rng, cell: gridded(p, cell), "grid", False),
    "by night": (lambda p, rng, cell: by_night(p), "lighting", False),
    "grey": (lambda p, rng, cell: in_grey(p), "recolour", False),
}  # fmt: skip

# A fault: the rule that should speak, whatever its level.
FAULTS: dict[str, tuple[Callable[[Picture, Generator], Picture], str]] = {
    "blur 1": (lambda p, rng: blurred(p, 1), "blurry"),
    "blur 3": (lambda p, rng: blurred(p, 3), "blurry"),
    "enlarged 2x": (lambda p, rng: enlarged(p, 2), "enlarged"),
    "enlarged 2x, q80": (lambda p, rng: as_jpeg(enlarged(p, 2), 80), "enlarged"),
    "enlarged 4x": (lambda p, rng: enlarged(p, 4), "enlarged"),
    "dark": (lambda p, rng: darkened(p), "dark"),
    "bright": (lambda p, rng: bleached(p), "bright"),
    "blank": (blank, "blank"),
    "surround": (lambda p, rng: surrounded(p), "surround"),
    "text page": (text_page, "text-page"),
    "legend": (legend, "text-page"),
    "photo": (photographed, "photo"),
    "isometric": (isometric, "oblique"),
    "PREVIEW": (watermarked, "watermark"),
    "logo": (with_logo, "watermark"),
}
