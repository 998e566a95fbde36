"""What is laid over maps, planted in many ways: words across, names and logos in a corner."""

import math
import string

from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont
from sign_plants import Colour, Picture, a_font

MARKS = ("PREVIEW", "SAMPLE", "DRAFT", "Preview", "WATERMARK", "© Cartographer", "NOT FOR SALE")
ADDRESSES = ("www.mapmonger.com", "patreon.com/inkandtile", "© 2021 J. Smith", "@dicemaps")


def previewed(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with half-transparent letters across, once or again and again."""
    width, height = picture.size
    text, layer = MARKS[int(rng.integers(len(MARKS)))], Image.new("L", picture.size)
    tiled, opacity = rng.random() < 0.25, round(255 * float(rng.uniform(0.3, 0.6)))
    reach = width * float(rng.uniform(0.2, 0.3) if tiled else rng.uniform(0.6, 1.05))
    font = a_font(rng, 40, own=own)
    font = font.font_variant(size=max(10, 40 * reach / font.getlength(text)))
    box = font.getbbox(text)
    word = Image.new("L", (math.ceil(box[2]) + 8, math.ceil(box[3]) + 8))
    ImageDraw.Draw(word).text((4, 2), text, opacity, font)
    word = word.rotate(
        float(rng.choice([0, 0, rng.uniform(15, 45), -rng.uniform(15, 45)])),
        Image.Resampling.BICUBIC,
        True,
    )
    if tiled:
        for y in range(0, height, round(word.height * 1.5)):
            for x in range(0, width, round(word.width * 1.2)):
                layer.paste(word, (x, y))
    else:
        layer.paste(word, ((width - word.width) // 2, (height - word.height) // 2))
    shades: list[Colour] = [(255, 255, 255)] * 4 + [(210, 210, 210), (0, 0, 0), (200, 30, 30)]
    return Image.composite(
        Image.new("RGB", picture.size, shades[int(rng.integers(7))]), picture, layer
    )


def addressed(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with an address or a name small in a corner."""
    width, height = picture.size
    font = a_font(rng, max(11, min(picture.size) * float(rng.uniform(0.018, 0.035))), own=own)
    text, layer = ADDRESSES[int(rng.integers(len(ADDRESSES)))], Image.new("L", picture.size)
    box, gap = font.getbbox(text), min(picture.size) * 0.015
    x = gap if rng.random() < 0.5 else width - box[2] - gap
    y = gap if rng.random() < 0.3 else height - box[3] - gap
    white = rng.random() < 0.6
    if rng.random() < 0.5:
        shadow = Image.new("L", picture.size)
        ImageDraw.Draw(shadow).text((x, y), text, 220, font, stroke_width=2)
        picture = Image.composite(
            Image.new("RGB", picture.size, "black" if white else "white"), picture, shadow
        )
    ImageDraw.Draw(layer).text((x, y), text, round(255 * float(rng.uniform(0.6, 1))), font)
    return Image.composite(
        Image.new("RGB", picture.size, "white" if white else "black"), picture, layer
    )


def badged(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with a round or square logo in a corner, flat or shaded, some with a name."""
    result, side = picture.copy(), round(min(picture.size) * float(rng.uniform(0.08, 0.18)))
    big = side * 4
    badge = Image.new("RGBA", (big, big))
    draw, box = ImageDraw.Draw(badge), (8, 8, big - 9, big - 9)
    fill = tuple(
        int(v)
        for v in rng.choice(
            [
                [235, 60, 80],
                [245, 245, 240],
                [15, 15, 18],
                [30, 90, 170],
                [240, 190, 40],
                [40, 120, 60],
            ]
        )
    )
    mark = (250, 250, 250) if sum(fill) < 400 else (25, 20, 30)
    shape = int(rng.integers(3))
    if shape == 0:
        draw.ellipse(box, fill=fill, outline=mark, width=big // 24)
    elif shape == 1:
        draw.rectangle(box, fill=fill)
    else:
        draw.rounded_rectangle(box, big // 7, fill=fill, outline=mark, width=big // 30)
    if rng.random() < 0.5:
        word = "".join(rng.choice(list(string.ascii_uppercase), int(rng.integers(1, 5))))
        draw.text(
            (big / 2, big / 2),
            word,
            mark,
            a_font(rng, big * 0.75 / max(1.6, len(word)), own=own),
            anchor="mm",
        )
    else:
        spikes = [
            (
                big / 2 + big * (0.38 if k % 2 else 0.16) * math.sin(k * math.pi / 5),
                big / 2 + big * (0.38 if k % 2 else 0.16) * math.cos(k * math.pi / 5),
            )
            for k in range(10)
        ]
        draw.polygon(spikes, fill=mark)
    badge = badge.resize((side, side), Image.Resampling.LANCZOS)
    gap = round(float(rng.choice([0, 0.01, 0.03])) * min(picture.size))
    x = gap if rng.random() < 0.5 else picture.width - side - gap
    y = gap if rng.random() < 0.4 else picture.height - side - gap
    if rng.random() < 0.25:
        badge.putalpha(badge.getchannel("A").point(lambda v: v * 3 // 4))
    result.paste(badge, (x, y), badge)
    return result


def write_across(layer: Picture, text: str, opacity: int) -> None:
    """Write the text as wide as the layer, in the font that comes with Pillow."""
    font = ImageFont.load_default(100)
    font = ImageFont.load_default(100 * 0.96 * layer.width / font.getlength(text))
    place = (layer.width / 2, layer.height / 2)
    ImageDraw.Draw(layer).text(place, text, opacity, font, anchor="mm")
