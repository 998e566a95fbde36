"""Figures over time, drawn with Pillow: a run's losses.png, and whatever else has kimg."""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from mapmaker.files import write_atomic

WIDTH, PANEL_HEIGHT, SCALE = 960, 250, 2
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 34, 44
INK, PALE, PAPER = "#22262b", "#dfe2e6", "#ffffff"
# Okabe and Ito's colours, which colour-blind people can tell apart.
Panels = Sequence[tuple[str, Sequence[tuple[str, str, str]]]]  # title, (key, name, colour) a line
PANELS: Panels = (
    ("loss", (("loss_d", "discriminator", "#d55e00"), ("loss_g", "generator", "#0072b2"))),
    (
        "mean logit",
        (("logit_real", "real", "#009e73"), ("logit_fake", "generated", "#cc79a7")),
    ),
    ("distance to real pictures", (("distance", "sliced Wasserstein", "#56748c"),)),
)


def write_plot(
    path: Path, rows: Sequence[Mapping[str, Any]], title: str, panels: Panels = PANELS
) -> None:
    """Draw the metrics' rows (one a tick) as panels over kimg, and write them as PNG."""
    image = Image.new("RGB", (WIDTH * SCALE, len(panels) * PANEL_HEIGHT * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    kimg = [float(row["kimg"]) for row in rows]
    for index, (label, lines) in enumerate(panels):
        last = index == len(panels) - 1
        named = [
            (name, colour, [(k, row.get(key)) for k, row in zip(kimg, rows, strict=True)])
            for key, name, colour in lines
        ]
        _panel(draw, index * PANEL_HEIGHT, label, named, title if index == 0 else "", last)
    data = BytesIO()
    image.resize((WIDTH, len(panels) * PANEL_HEIGHT), Image.Resampling.LANCZOS).save(data, "PNG")
    write_atomic(path, data.getvalue())


def _panel(
    draw: ImageDraw.ImageDraw,
    top: int,
    label: str,
    lines: Sequence[tuple[str, str, list[tuple[float, float | None]]]],
    title: str,
    last: bool,
) -> None:
    points = [(x, y) for _, _, line in lines for x, y in line if y is not None and math.isfinite(y)]
    xs = ticks(0.0, max([x for x, _ in points] or [1.0]) or 1.0)
    ys = ticks(min([y for _, y in points] or [0.0]), max([y for _, y in points] or [1.0]))
    x0, x1, y0, y1 = LEFT, WIDTH - RIGHT, top + PANEL_HEIGHT - BOTTOM, top + TOP

    def place(x: float, y: float) -> tuple[float, float]:
        across = x0 + (x1 - x0) * (x - xs[0]) / (xs[-1] - xs[0])
        up = y0 + (y1 - y0) * (y - ys[0]) / (ys[-1] - ys[0])
        return across * SCALE, up * SCALE

    for y in ys:
        draw.line([place(xs[0], y), place(xs[-1], y)], PALE, SCALE)
        _text(draw, (x0 - 8, place(0, y)[1] / SCALE), number(y), "rm")
    for x in xs:
        draw.line([place(x, ys[0]), place(x, ys[-1])], PALE, SCALE)
        _text(draw, (place(x, 0)[0] / SCALE, y0 + 6), number(x), "mt")
    draw.line([place(xs[0], ys[-1]), place(xs[0], ys[0]), place(xs[-1], ys[0])], INK, SCALE)
    for _, colour, line in lines:
        path = [place(x, y) for x, y in line if y is not None and math.isfinite(y)]
        if len(path) > 1:
            draw.line(path, colour, 2 * SCALE, joint="curve")
        for x, y in path if len(path) < 40 else []:
            draw.ellipse([x - 5, y - 5, x + 5, y + 5], fill=colour)
    _text(draw, (LEFT, top + 17), f"{label}, {title}" if title else label, "lm")
    right = WIDTH - RIGHT
    for name, colour, _ in reversed(lines):
        right -= _text(draw, (right, top + 17), name, "rm") + 8
        stroke = [(right - 22, top + 17), (right, top + 17)]
        draw.line([(x * SCALE, y * SCALE) for x, y in stroke], colour, 3 * SCALE)
        right -= 38
    if last:
        _text(draw, ((x0 + x1) / 2, y0 + 24), "thousand pictures seen (kimg)", "mt")


def ticks(low: float, high: float) -> list[float]:
    """Return 3 to 8 round numbers that enclose [low, high], in steps of 1, 2 or 5 times 10^n."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= 6)
    first, final = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, final + 1)]


def number(value: float) -> str:
    """Return a tick's number without a tail of zeros."""
    return f"{value:.6g}" if abs(value) >= 1e-9 else "0"


def _text(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str) -> float:
    font = ImageFont.load_default(12 * SCALE)
    place = (at[0] * SCALE, at[1] * SCALE)
    draw.text(place, text, INK, font=font, anchor=anchor)
    return draw.textlength(text, font=font) / SCALE
