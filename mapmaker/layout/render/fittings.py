"""How hearths, lamps, statues and other fittings are drawn."""

import numpy as np

from mapmaker.layout.palettes import tint
from mapmaker.layout.render.brush import Brush, darker, lighter, mixed
from mapmaker.layout.render.furniture import cloth_of, ring_of
from mapmaker.layout.render.nature import Draw


def sarcophagus(brush: Brush) -> None:
    w, h, stone = (
        brush.w / 2,
        brush.h / 2,
        mixed(tint(brush.palette.rock), tint(brush.palette.stone), 0.5),
    )
    brush.box(-w, -h, 2 * w, 2 * h, darker(stone, 0.15), 0.05, cast=0.9)
    coffin = [
        (-w * 0.5, -h * 0.82),
        (w * 0.5, -h * 0.82),
        (w * 0.75, -h * 0.35),
        (w * 0.45, h * 0.85),
        (-w * 0.45, h * 0.85),
        (-w * 0.75, -h * 0.35),
    ]
    brush.poly(coffin, lighter(stone, 0.2), 0.035)
    brush.line([(0, -h * 0.6), (0, h * 0.5)], 0.035)
    brush.line([(-w * 0.32, -h * 0.28), (w * 0.32, -h * 0.28)], 0.035)


def altar(brush: Brush) -> None:
    w, h, stone = brush.w / 2, brush.h / 2, tint(brush.palette.stone)
    brush.box(-w, -h, 2 * w, 2 * h, darker(stone, 0.2), 0.05, cast=1.0)
    brush.box(-w + 0.07, -h + 0.07, 2 * w - 0.14, 2 * h - 0.14, lighter(stone, 0.25), 0.025)
    brush.box(-w * 0.4, -h, w * 0.8, 2 * h, cloth_of(brush), 0.03)
    for x in (-w * 0.75, w * 0.75):
        brush.disc(x, 0, 0.07, tint(brush.palette.fire), 0.025)


def hearth(brush: Brush) -> None:
    w, h, stone, fire = brush.w / 2, brush.h / 2, tint(brush.palette.wall), tint(brush.palette.fire)
    brush.box(-w, -h, 2 * w, 2 * h, stone, 0.05, cast=0.8)
    for x in np.linspace(-w, w, 6)[1:-1]:
        brush.line([(x, -h), (x, -h + 0.16)], 0.025)
    brush.box(-w * 0.68, -h + 0.14, w * 1.36, 2 * h - 0.14, darker(stone, 0.7), 0.03)
    brush.line([(-w * 0.45, 0.06), (w * 0.45, 0.1)], 0.1, tint(brush.palette.timber))
    brush.lump(0, 0.06, w * 0.42, 0.16, fire, 0.02, points=11, rough=0.35)
    brush.lump(0, 0.07, w * 0.2, 0.08, lighter(fire, 0.6), 0.0, points=9, rough=0.3)


def pillar(brush: Brush) -> None:
    r, stone = brush.w / 2, tint(brush.palette.wall)
    sx, sy = brush.sun
    brush.box(-r, -r, 2 * r, 2 * r, darker(stone, 0.2), 0.045, cast=1.3)
    brush.disc(0, 0, r * 0.86, stone, 0.035)
    brush.disc(sx * r * 0.15, sy * r * 0.15, r * 0.55, lighter(stone, 0.25), 0.0)


def statue(brush: Brush) -> None:
    r, stone = brush.w / 2, tint(brush.palette.rock)
    brush.box(-r, -r, 2 * r, 2 * r, darker(tint(brush.palette.wall), 0.1), 0.045, cast=0.8)
    brush.box(-r * 0.8, -r * 0.8, 1.6 * r, 1.6 * r, tint(brush.palette.wall), 0.02)
    brush.oval(0, r * 0.05, r * 0.66, r * 0.36, lighter(stone, 0.12), 0.035, cast=0.9)
    brush.disc(0, -r * 0.05, r * 0.26, lighter(stone, 0.35), 0.03)
    brush.line([(r * 0.5, r * 0.2), (r * 0.75, -r * 0.6)], 0.05)


def brazier(brush: Brush) -> None:
    metal, fire = darker(tint(brush.palette.metal), 0.3), tint(brush.palette.fire)
    for x, y in ring_of(0, 0, 0.24, 3):
        brush.disc(float(x), float(y), 0.05, metal, 0.025)
    brush.disc(0, 0, 0.22, metal, 0.04, cast=0.8)
    brush.lump(0, 0, 0.15, 0.15, fire, 0.02, points=11, rough=0.35)
    brush.lump(0, 0, 0.07, 0.07, lighter(fire, 0.6), 0.0, points=8, rough=0.3)


def torch(brush: Brush) -> None:
    brush.box(-0.05, -0.22, 0.1, 0.2, darker(tint(brush.palette.metal), 0.2), 0.03)
    brush.line([(0, -0.12), (0, 0.05)], 0.07, tint(brush.palette.timber))
    brush.lump(0, 0.07, 0.09, 0.1, tint(brush.palette.fire), 0.025, points=9, rough=0.3)
    brush.disc(0, 0.07, 0.04, lighter(tint(brush.palette.fire), 0.6), 0.0)


def candles(brush: Brush) -> None:
    for x, y in ((-0.1, 0.03), (0.08, -0.06), (0.05, 0.11)):
        brush.disc(x, y, 0.07, tint(brush.palette.bone), 0.026, cast=0.3)
        brush.disc(x, y, 0.03, tint(brush.palette.fire), 0.0)


def lantern(brush: Brush) -> None:
    brush.disc(0, 0, 0.13, darker(tint(brush.palette.timber), 0.3), 0.035, cast=1.2)
    brush.disc(0, 0, 0.07, tint(brush.palette.fire), 0.02)


def mosaic(brush: Brush) -> None:
    r = min(brush.w, brush.h) / 2
    base, pale = tint(brush.palette.tile), lighter(tint(brush.palette.stone), 0.15)
    brush.disc(0, 0, r, darker(base, 0.3), 0.035)
    brush.disc(0, 0, r * 0.92, pale, 0.02)
    for k in range(8):
        a, b = 2 * np.pi * k / 8, 2 * np.pi * (k + 0.5) / 8
        tip, side = (r * 0.86 * np.cos(a), r * 0.86 * np.sin(a)), 0.34 * r
        mid, pre = (
            (side * np.cos(b), side * np.sin(b)),
            (side * np.cos(b - np.pi / 4), side * np.sin(b - np.pi / 4)),
        )
        brush.poly([(0, 0), pre, tip], cloth_of(brush) if k % 2 else darker(base, 0.2), 0.02)
        brush.poly([(0, 0), mid, tip], darker(base, 0.05), 0.02)
    brush.disc(0, 0, r * 0.16, cloth_of(brush), 0.025)


def circle(brush: Brush) -> None:
    r = min(brush.w, brush.h) / 2
    chalk = lighter(tint(brush.palette.glow), 0.3)
    ring = ring_of(0, 0, r, 48)
    for share in (1.0, 0.86):
        brush.line(np.concatenate([ring, ring[:1]]) * share, 0.06)
        brush.line(np.concatenate([ring, ring[:1]]) * share, 0.035, chalk)
    points = int(brush.rng.integers(5, 8))
    star = ring_of(0, 0, r * 0.86, points)
    path = (
        star[np.arange(points + 1) * 2 % points]
        if points % 2
        else np.concatenate([star[::2], star[:1], star[1::2], star[1:2]])
    )
    brush.line(path, 0.05)
    brush.line(path, 0.03, chalk)
    for x, y in star * 1.08:
        brush.disc(float(x), float(y), 0.07, tint(brush.palette.bone), 0.025, cast=0.2)


def dais(brush: Brush) -> None:
    w, h, stone = brush.w / 2, brush.h / 2, tint(brush.palette.stone)
    brush.box(-w, -h, 2 * w, 2 * h, darker(stone, 0.12), 0.04, cast=0.5)
    brush.box(-w + 0.2, -h + 0.2, 2 * w - 0.4, 2 * h - 0.4, darker(stone, 0.02), 0.035, cast=0.4)


def well(brush: Brush) -> None:
    stone, r = tint(brush.palette.rock), min(brush.w, brush.h) / 2
    brush.disc(0, 0, r, darker(stone, 0.3), 0.04, cast=0.9)
    for k in range(11):
        t = 2 * np.pi * k / 11
        brush.lump(
            r * 0.82 * np.cos(t),
            r * 0.82 * np.sin(t),
            r * 0.22,
            r * 0.2,
            darker(stone, float(brush.rng.uniform(-0.0, 0.2))),
            0.03,
            points=7,
            rough=0.1,
        )
    brush.disc(0, 0, r * 0.62, tint(brush.palette.deep), 0.035)
    brush.line(
        [(-r * 0.3, -r * 0.1), (r * 0.1, -r * 0.2)], 0.025, lighter(tint(brush.palette.water), 0.4)
    )


def anvil(brush: Brush) -> None:
    brush.disc(0, 0, 0.26, darker(tint(brush.palette.timber), 0.15), 0.035, cast=0.5)
    brush.poly(
        [(-0.3, -0.04), (-0.12, -0.11), (0.22, -0.11), (0.22, 0.11), (-0.12, 0.11), (-0.3, 0.04)],
        darker(tint(brush.palette.metal), 0.25),
        0.035,
        cast=0.5,
    )


def straw(brush: Brush) -> None:
    hay = mixed(tint(brush.palette.sand), (222, 184, 90), 0.5)
    brush.lump(0, 0, 0.4, 0.34, darker(hay, 0.08), 0.0, points=16, rough=0.25)
    for _ in range(22):
        x, y, t = (
            brush.rng.uniform(-0.34, 0.34),
            brush.rng.uniform(-0.28, 0.28),
            brush.rng.uniform(0, np.pi),
        )
        dx, dy = 0.12 * np.cos(t), 0.12 * np.sin(t)
        tone = lighter(hay, 0.25) if brush.rng.random() < 0.6 else darker(hay, 0.4)
        brush.line([(x - dx, y - dy), (x + dx, y + dy)], 0.024, tone)


def hay(brush: Brush) -> None:
    dry = mixed(tint(brush.palette.sand), (222, 184, 90), 0.5)
    brush.box(-0.38, -0.26, 0.76, 0.52, dry, 0.04, cast=0.8)
    for x in (-0.16, 0.16):
        brush.line([(x, -0.26), (x, 0.26)], 0.03, darker(dry, 0.5))
    straw_lines = brush.rng.uniform(-0.24, 0.24, (8, 2))
    for x, y in straw_lines.tolist():
        brush.line([(x - 0.1, y), (x + 0.1, y + 0.03)], 0.018, darker(dry, 0.3))


def shackles(brush: Brush) -> None:
    metal = tint(brush.palette.metal)
    for x in (-0.12, 0.12):
        brush.line([(x, -0.2), (x * 1.3, -0.02)], 0.035, metal)
        loop = ring_of(x * 1.4, 0.06, 0.08, 12)
        brush.line(np.concatenate([loop, loop[:1]]), 0.045)
        brush.line(np.concatenate([loop, loop[:1]]), 0.025, metal)


def coins(brush: Brush) -> None:
    gold = lighter(tint(brush.palette.fire), 0.2)
    for _ in range(16):
        x, y = (brush.rng.normal(0, 0.15, 2)).clip(-0.4, 0.4).tolist()
        brush.disc(x, y, 0.05, darker(gold, float(brush.rng.uniform(0, 0.25))), 0.018)


def cauldron(brush: Brush) -> None:
    brush.disc(0, 0, 0.32, darker(tint(brush.palette.metal), 0.45), 0.045, cast=0.7)
    brush.disc(0, 0, 0.24, mixed(tint(brush.palette.leaves[0]), (120, 220, 110), 0.5), 0.025)
    for x, y in ((-0.08, 0.03), (0.06, -0.08), (0.09, 0.09)):
        brush.disc(x, y, 0.04, (214, 240, 190), 0.015)


FITTINGS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        sarcophagus,
        altar,
        hearth,
        pillar,
        statue,
        brazier,
        torch,
        candles,
        lantern,
        mosaic,
        circle,
        dais,
        well,
        anvil,
        straw,
        hay,
        shackles,
        coins,
        cauldron,
    )
}
