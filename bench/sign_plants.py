"""Signs, planted in many ways: pages, legends, titles, numbers, watermarks, logos.

Beside `planted.py`, whose one recipe a fault is the check, these vary fonts, sizes, grounds, angles
and colours, so that `mapmaker prune` is fitted on kinds and not on one drawing of each.
"""

import functools
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from mapmaker.layout import plan, render

Picture = Image.Image
Colour = tuple[int, int, int]
SYLLABLES = (
    "an bar ced dor el far gol hin ir kar lo mun ner ost pra quil ras sil tor ul ven wyr".split()
)
NAMES = ("Forge", "Crypt", "Great Hall", "Kitchen", "Well", "Guard Room", "Old Mine", "To the Keep")
TITLES = (
    "The Sunken Crypt",
    "RAVENSPIRE KEEP",
    "Map 12: The Docks",
    "Goblin Warrens",
    "Inn, Level 2",
)
PAPERS: tuple[Colour, ...] = ((255, 255, 255), (244, 232, 204), (226, 205, 160), (236, 236, 230))


@functools.cache
def font_files() -> tuple[Path, ...]:
    """Return the upright text fonts of this computer; empty where there are none."""
    folder = Path("/usr/share/fonts/truetype")
    odd = ("Math", "Oblique", "Symbol")
    found = (p for p in folder.rglob("*.ttf") if not any(word in p.name for word in odd))
    return tuple(sorted(found))


def a_font(rng: Generator, size: float, *, own: bool = False) -> ImageFont.FreeTypeFont:
    """Return a font of that height [px]; own takes only the one that comes with Pillow."""
    files = () if own else font_files()
    choice = int(rng.integers(len(files) + 1))
    if choice == len(files):
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    return ImageFont.truetype(str(files[choice]), round(size))


def a_line(rng: Generator, font: ImageFont.FreeTypeFont, width: float) -> str:
    """Return made-up words that are nearly `width` px wide."""
    words: list[str] = []
    while not words or font.getlength(" ".join(words)) < width * 0.86:
        syllables = rng.choice(SYLLABLES, int(rng.integers(1, 4)))
        word = "".join(syllables) + ("," if rng.random() < 0.06 else "")
        words.append(word.capitalize() if rng.random() < 0.12 else word)
        if len(words) > 60:
            break
    return " ".join(words)


def paper(rng: Generator, size: tuple[int, int]) -> Picture:
    """Return white or stained paper, some with dark edges."""
    ground = np.array(PAPERS[int(rng.integers(len(PAPERS)))], np.float32)
    width, height = size
    stains = rng.normal(0, 1, (7, 7)).astype(np.float32)
    stains = cv2.resize(stains, size, interpolation=cv2.INTER_CUBIC) * float(rng.uniform(0, 9))
    grain = rng.normal(0, float(rng.uniform(0, 4)), (height, width)).astype(np.float32)
    sheet = (
        ground + (stains + grain)[..., None]
        if ground[2] < 230
        else np.tile(ground, (height, width, 1))
    )
    if ground[2] < 210 and rng.random() < 0.6:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        sheet = sheet * (1 - 0.35 * np.maximum(abs(x), abs(y)) ** 8)[..., None]
    return Image.fromarray(sheet.clip(0, 255).astype(np.uint8))


def page(rng: Generator, side: int = 750, *, own: bool = False) -> Picture:
    """Return a page of an adventure: a heading, one or two columns, at times a boxed note."""
    size = (side, round(side * float(rng.choice([1.0, 1.3, 1.41, 0.72]))))
    sheet, columns = paper(rng, size), int(rng.integers(1, 3))
    dark = rng.random() < 0.08
    if dark:
        sheet = Image.new("RGB", size, (28, 26, 30))
    draw, height = ImageDraw.Draw(sheet), float(rng.uniform(0.014, 0.03)) * side
    ink = (225, 220, 210) if dark else (30, 22, 18)
    font, margin = a_font(rng, height, own=own), side * float(rng.uniform(0.05, 0.12))
    wide = (side - margin * (1 + columns) / (1 if columns == 1 else 1.2)) / columns
    draw.text(
        (margin, margin * 0.4),
        TITLES[int(rng.integers(5))],
        ink if dark else (110, 25, 15),
        a_font(rng, height * 2, own=own),
    )
    for column in range(columns):
        x, y = margin + column * (wide + margin * 0.6), margin + height * 2
        while y < size[1] - margin:
            if rng.random() < 0.04:
                y += height * float(rng.uniform(0.6, 2))
            part = 1.0 if rng.random() < 0.87 else float(rng.uniform(0.2, 0.9))
            draw.text((x, y), a_line(rng, font, wide * part), ink, font)
            y += height * 1.28
    if rng.random() < 0.3:
        box = side * float(rng.uniform(0.2, 0.35))
        x, y = rng.uniform(0.1, 0.6, 2) * (side, size[1])
        sheet.paste(a_layout(rng, round(box)), (round(x), round(y)))
    return sheet


def legend(rng: Generator, side: int = 750, *, own: bool = False) -> Picture:
    """Return a sheet of symbols with words beside them, in one to three columns."""
    sheet = paper(rng, (side, side))
    draw, columns = ImageDraw.Draw(sheet), int(rng.integers(1, 4))
    row = side / float(rng.uniform(11, 22))
    font, wide = a_font(rng, row * float(rng.uniform(0.38, 0.6)), own=own), side * 0.9 / columns
    draw.text(
        (side * 0.06, row * 0.3),
        str(rng.choice(["Legend", "Map Key", "SYMBOLS"])),
        (50, 20, 10),
        a_font(rng, row, own=own),
    )
    for column in range(columns):
        x, y = side * 0.06 + column * wide, 2 * row
        while y < side - 1.5 * row:
            fill = tuple(int(v) for v in rng.integers(40, 210, 3))
            box = (x, y, x + row * 0.72, y + row * 0.72)
            shapes = (draw.rectangle, draw.ellipse, draw.rounded_rectangle)
            shapes[int(rng.integers(3))](
                box, fill=fill, outline="black", width=max(1, round(row / 18))
            )
            room = min(wide - row * 1.6, side * 0.5)
            draw.text(
                (x + row, y + row * 0.08),
                a_line(rng, font, room * float(rng.uniform(0.5, 1))),
                (25, 20, 15),
                font,
            )
            y += row
    return sheet


def a_layout(rng: Generator, side: int) -> Picture:
    """Return a floor plan by rule in any kind and palette, side px square."""
    kind = str(rng.choice(["building", "cave", "dungeon", "wilderness"]))
    palette = str(
        rng.choice(
            ["blueprint", "desert", "mossy", "painted", "parchment", "sepia", "torchlit", "winter"]
        )
    )
    cells = int(rng.integers(10, 20))
    layout = plan(kind, int(rng.integers(1 << 30)), cells, cells)
    drawn = render(layout, max(8, math.ceil(side / cells)), palette, grid=bool(rng.random() < 0.6))
    return drawn.resize((side, side), Image.Resampling.LANCZOS)


def written(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    rng: Generator,
) -> None:
    """Write in ink, in white, or outlined, as map makers do."""
    style = int(rng.integers(3))
    fill, edge = (
        ((20, 15, 10), None),
        ((250, 246, 235), (10, 10, 10)),
        ((15, 10, 10), (245, 240, 225)),
    )[style]
    stroke = 0 if edge is None else max(1, round(font.size / 14))
    if edge is None:
        x0, y0, x1, y1 = draw.textbbox(at, text, font)
        draw.rectangle((x0 - 4, y0 - 3, x1 + 4, y1 + 3), fill=(238, 226, 196))
    draw.text(at, text, fill, font, stroke_width=stroke, stroke_fill=edge)


def titled(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with a title: on a band, on a scroll, or right on the map."""
    result, side = picture.copy(), min(picture.size)
    draw, height = ImageDraw.Draw(result), side * float(rng.uniform(0.045, 0.1))
    text, font = TITLES[int(rng.integers(5))], a_font(rng, height, own=own)
    while font.getlength(text) > picture.width * 0.9:
        height *= 0.85
        font = a_font(rng, height, own=own)
    y = float(rng.choice([0.02, 0.86])) * picture.height
    if rng.random() < 0.5:
        band = (236, 222, 190) if rng.random() < 0.6 else (30, 24, 22)
        draw.rectangle((0, y - height * 0.2, picture.width, y + height * 1.4), fill=band)
        draw.text((height, y), text, (40, 25, 10) if band[0] > 99 else (240, 230, 200), font)
    else:
        written(
            draw,
            ((picture.width - font.getlength(text)) * float(rng.uniform(0.1, 0.9)), y),
            text,
            font,
            rng,
        )
    return result


def numbered(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with room numbers, in discs or bare."""
    result, side = picture.copy(), min(picture.size)
    draw, height = ImageDraw.Draw(result), max(11, side * float(rng.uniform(0.022, 0.045)))
    font, disc, count = a_font(rng, height, own=own), rng.random() < 0.6, int(rng.integers(6, 22))
    for number in range(1, count + 1):
        x, y = rng.uniform(0.06, 0.94, 2) * picture.size
        if disc:
            r = height * 0.8
            draw.ellipse(
                (x - r, y - r, x + r, y + r),
                fill=(245, 240, 228),
                outline=(20, 15, 10),
                width=max(1, round(height / 10)),
            )
            draw.text((x, y), str(number), (20, 15, 10), font, anchor="mm")
        else:
            draw.text(
                (x, y),
                str(number),
                (250, 246, 235),
                font,
                anchor="mm",
                stroke_width=max(1, round(height / 9)),
                stroke_fill=(10, 10, 10),
            )
    return result


def labelled(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with the names of three to eight places."""
    result, side = picture.copy(), min(picture.size)
    draw, font = (
        ImageDraw.Draw(result),
        a_font(rng, side * float(rng.uniform(0.025, 0.05)), own=own),
    )
    for _ in range(int(rng.integers(3, 9))):
        x, y = rng.uniform(0.03, 0.75, 2) * picture.size
        written(draw, (x, y), NAMES[int(rng.integers(len(NAMES)))], font, rng)
    return result


def compassed(picture: Picture, rng: Generator, *, own: bool = False) -> Picture:
    """Return it with a compass rose and its letters."""
    result, r = picture.copy(), min(picture.size) * float(rng.uniform(0.05, 0.09))
    draw, font = ImageDraw.Draw(result), a_font(rng, r * 0.6, own=own)
    x = float(rng.choice([2 * r, picture.width - 2 * r]))
    y = float(rng.choice([2 * r, picture.height - 2 * r]))
    draw.ellipse((x - 1.9 * r, y - 1.9 * r, x + 1.9 * r, y + 1.9 * r), fill=(240, 230, 205))
    for turn, letter in enumerate("NESW"):
        a = turn * math.pi / 2
        tip = (x + r * math.sin(a), y - r * math.cos(a))
        side = [(x + r * 0.2 * math.sin(a + s), y - r * 0.2 * math.cos(a + s)) for s in (-0.8, 0.8)]
        draw.polygon([tip, *side], fill=(30, 25, 20))
        draw.text(
            (x + 1.4 * r * math.sin(a), y - 1.4 * r * math.cos(a)),
            letter,
            (30, 25, 20),
            font,
            anchor="mm",
        )
    return result


def write(sheet: Picture, at: tuple[float, float], text: str, size: float) -> None:
    """Write the text in black, in the font that comes with Pillow."""
    ImageDraw.Draw(sheet).text(at, text, "black", ImageFont.load_default(size))
