"""Many pictures on one: the sheet a person looks at before believing a number."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP_PX = 4
LABEL_PX = 16
PAPER, INK = (24, 26, 30), (214, 208, 196)


def sheet(
    images: Sequence[Image.Image | np.ndarray],
    *,
    columns: int = 6,
    cell_px: int = 200,
    labels: Sequence[str] = (),
) -> Image.Image:
    """Return the pictures in rows of `columns`, each within cell_px x cell_px, in reading order.

    Arrays are uint8 (H, W, 3). labels, when given, stand below, cut to the width of a cell.
    Raises ValueError without a picture.
    """
    if not images:
        raise ValueError("a sheet needs a picture")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    pitch_y = cell_px + GAP_PX + (LABEL_PX if labels else 0)
    page = Image.new("RGB", (columns * (cell_px + GAP_PX) + GAP_PX, rows * pitch_y + GAP_PX), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    for number, image in enumerate(images):
        x = GAP_PX + number % columns * (cell_px + GAP_PX)
        y = GAP_PX + number // columns * pitch_y
        small = _fit(image, cell_px)
        page.paste(small, (x + (cell_px - small.width) // 2, y + (cell_px - small.height) // 2))
        if number < len(labels):
            text = _cut(labels[number], cell_px, font)
            pen.text((x, y + cell_px + 1), text, fill=INK, font=font)
    return page


def _fit(image: Image.Image | np.ndarray, side_px: int) -> Image.Image:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture = picture.convert("RGB")
    scale = side_px / max(picture.size)
    size = tuple(max(1, round(s * scale)) for s in picture.size)
    how = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    return picture if size == picture.size else picture.resize(size, how)  # type: ignore[arg-type]


def _cut(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while text and font.getlength(text) > width_px:
        text = text[:-1]
    return text
