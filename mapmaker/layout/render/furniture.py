"""How furniture is drawn. A thing's back is up (towards -y) in its own frame."""

import numpy as np

from mapmaker.layout.chance import pick
from mapmaker.layout.palettes import Colour, tint
from mapmaker.layout.render.brush import Brush, darker, lighter, mixed
from mapmaker.layout.render.nature import Draw


def wood_of(brush: Brush) -> Colour:
    return mixed(tint(brush.palette.timber), (255, 235, 200), float(brush.rng.uniform(0, 0.15)))


def cloth_of(brush: Brush) -> Colour:
    return tint(pick(brush.rng, brush.palette.cloth))


def ring_of(x: float, y: float, r: float, count: int) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + r * np.cos(t), y + r * np.sin(t)], -1)


def bookshelf(brush: Brush) -> None:
    w, h, wood = brush.w, brush.h, wood_of(brush)
    brush.box(-w / 2, -h / 2, w, h, darker(wood, 0.25), 0.045, cast=0.7)
    x = -w / 2 + 0.05
    while x < w / 2 - 0.08:
        wide = float(brush.rng.uniform(0.05, 0.1))
        brush.box(
            x,
            -h / 2 + 0.06,
            wide,
            h * 0.55 + float(brush.rng.uniform(0, 0.06)),
            mixed(cloth_of(brush), wood, 0.3),
            0.016,
        )
        x += wide
    brush.box(-w / 2, h / 2 - 0.06, w, 0.06, wood, 0.02)


def rack(brush: Brush) -> None:
    w, wood, metal = brush.w, wood_of(brush), tint(brush.palette.metal)
    brush.box(-w / 2, -0.1, w, 0.13, wood, 0.035, cast=0.5)
    for x in np.linspace(-w / 2 + 0.12, w / 2 - 0.12, 4):
        brush.line([(x, -0.14), (x, 0.24)], 0.07)
        brush.line([(x, -0.14), (x, 0.24)], 0.04, lighter(metal, 0.2))
        brush.line([(x - 0.06, 0.0), (x + 0.06, 0.0)], 0.04)


def bed(brush: Brush) -> None:
    w, h, cloth = brush.w, brush.h, cloth_of(brush)
    brush.box(-w / 2, -h / 2, w, h, wood_of(brush), 0.045, cast=0.6)
    brush.box(-w / 2 + 0.05, -h / 2 + 0.08, w - 0.1, h - 0.13, tint(brush.palette.bone), 0.02)
    brush.box(-w / 2 + 0.12, -h / 2 + 0.12, w - 0.24, 0.26, (250, 246, 235), 0.025)
    brush.box(-w / 2 + 0.04, -h / 2 + 0.5, w - 0.08, h - 0.56, cloth, 0.03)
    brush.box(-w / 2 + 0.04, -h / 2 + 0.5, w - 0.08, 0.12, lighter(cloth, 0.35), 0.02)


def chest(brush: Brush) -> None:
    w, h, wood, metal = brush.w, brush.h, wood_of(brush), tint(brush.palette.metal)
    brush.box(-w / 2, -h / 2, w, h, wood, 0.045, cast=0.7)
    brush.box(-w / 2, -h / 2, w, h * 0.5, lighter(wood, 0.14), 0.02)
    for x in (-w * 0.34, w * 0.34):
        brush.box(x - 0.035, -h / 2, 0.07, h, metal, 0.018)
    brush.box(-0.05, h / 2 - 0.12, 0.1, 0.12, lighter(tint(brush.palette.fire), 0.2), 0.02)


def crate(brush: Brush) -> None:
    w, wood = brush.w / 2, wood_of(brush)
    brush.box(-w, -w, 2 * w, 2 * w, wood, 0.045, cast=0.8)
    for y in (-w / 3, w / 3):
        brush.line([(-w, y), (w, y)], 0.02, darker(wood, 0.5))
    brush.line([(-w, -w), (w, w)], 0.11, darker(wood, 0.5))
    brush.line([(-w * 0.95, -w * 0.95), (w * 0.95, w * 0.95)], 0.07, lighter(wood, 0.1))
    for a in (-w, w - 0.09):
        brush.box(a, -w, 0.09, 2 * w, lighter(wood, 0.1), 0.02)
        brush.box(-w, a, 2 * w, 0.09, lighter(wood, 0.1), 0.02)


def barrel(brush: Brush) -> None:
    r, wood = brush.w / 2, wood_of(brush)
    brush.disc(0, 0, r, darker(wood, 0.3), 0.045, cast=0.8)
    brush.disc(0, 0, r * 0.8, wood, 0.025)
    for y in (-r * 0.4, 0.0, r * 0.4):
        half = float(np.sqrt(max(0.0, (r * 0.78) ** 2 - y * y)))
        brush.line([(-half, y), (half, y)], 0.02, darker(wood, 0.5))
    brush.disc(r * 0.3, -r * 0.2, 0.045, brush.ink, 0.0)


def sacks(brush: Brush) -> None:
    cloth = mixed(tint(brush.palette.sand), tint(brush.palette.timber), 0.25)
    for x, y in ((-0.24, -0.05), (0.2, -0.08), (0.0, 0.12)):
        brush.lump(
            x,
            y,
            0.23,
            0.19,
            mixed(cloth, (255, 245, 220), float(brush.rng.uniform(0, 0.2))),
            0.038,
            cast=0.5,
            rough=0.1,
            points=12,
        )
        brush.line([(x - 0.04, y - 0.05), (x + 0.05, y + 0.04)], 0.03)


def throne(brush: Brush) -> None:
    stone = tint(brush.palette.wall)
    brush.box(-0.4, -0.35, 0.8, 0.7, stone, 0.05, cast=0.9)
    brush.box(-0.26, -0.14, 0.52, 0.46, cloth_of(brush), 0.03)
    brush.box(-0.42, -0.38, 0.84, 0.18, lighter(stone, 0.15), 0.04)
    for x in (-0.4, 0.26):
        brush.box(x, -0.2, 0.14, 0.5, lighter(stone, 0.1), 0.03)


def table(brush: Brush) -> None:
    w, h, wood = brush.w / 2, brush.h / 2, wood_of(brush)
    brush.box(-w, -h, 2 * w, 2 * h, wood, 0.045, cast=0.8)
    for y in np.linspace(-h, h, 4)[1:-1]:
        brush.line([(-w, y), (w, y)], 0.02, darker(wood, 0.45))
    brush.disc(-w * 0.4, -h * 0.2, 0.1, tint(brush.palette.metal), 0.025)
    brush.box(w * 0.15, -h * 0.5, 0.26, 0.2, tint(brush.palette.bone), 0.02)
    brush.disc(w * 0.5, h * 0.4, 0.06, darker(wood, 0.3), 0.022)


def desk(brush: Brush) -> None:
    w, h, wood = brush.w / 2, brush.h / 2, wood_of(brush)
    brush.disc(0, h + 0.12, 0.16, darker(wood, 0.2), 0.035, cast=0.4)
    brush.box(-w, -h, 2 * w, 2 * h, wood, 0.045, cast=0.8)
    brush.box(-0.16, -h + 0.1, 0.3, 0.36, tint(brush.palette.bone), 0.02)
    brush.disc(w * 0.65, -h * 0.3, 0.06, cloth_of(brush), 0.02)


def tableset(brush: Brush) -> None:
    wood = wood_of(brush)
    for x, y in ring_of(0, 0, 0.6, 4) if brush.rng.random() < 0.5 else ring_of(0, 0, 0.6, 5):
        brush.disc(float(x), float(y), 0.15, darker(wood, 0.2), 0.035, cast=0.4)
    brush.disc(0, 0, 0.46, wood, 0.045, cast=0.8)
    brush.disc(0, 0, 0.37, lighter(wood, 0.1), 0.016)
    for x, y in ring_of(0.02, 0.0, 0.24, 3):
        brush.disc(float(x), float(y), 0.07, tint(brush.palette.metal), 0.022)


def feast(brush: Brush) -> None:
    w, h, wood = brush.w / 2, brush.h / 2, wood_of(brush)
    for side in (-1, 1):
        brush.box(
            -w + 0.1, side * (h + 0.14) - 0.1, 2 * w - 0.2, 0.2, darker(wood, 0.2), 0.035, cast=0.4
        )
    brush.box(-w, -h, 2 * w, 2 * h, wood, 0.045, cast=0.8)
    brush.box(-w, -h * 0.3, 2 * w, h * 0.6, cloth_of(brush), 0.02)
    for x in np.arange(-w + 0.3, w - 0.1, 0.5):
        for y in (-h * 0.62, h * 0.62):
            brush.disc(float(x), y, 0.085, tint(brush.palette.bone), 0.022)


def counter(brush: Brush) -> None:
    w, h, wood = brush.w / 2, brush.h / 2, wood_of(brush)
    brush.box(-w, -h, 2 * w, 2 * h, wood, 0.045, cast=0.8)
    for _ in range(3):
        x, y = brush.rng.uniform(-w * 0.8, w * 0.8), brush.rng.uniform(-h * 0.5, h * 0.5)
        brush.disc(
            float(x),
            float(y),
            0.08,
            tint(pick(brush.rng, (brush.palette.metal, brush.palette.bone, *brush.palette.cloth))),
            0.022,
        )


def pew(brush: Brush) -> None:
    w, h, wood = brush.w / 2, brush.h / 2, wood_of(brush)
    brush.box(-w, -h, 2 * w, 2 * h, wood, 0.04, cast=0.5)
    brush.box(-w, h - 0.13, 2 * w, 0.13, darker(wood, 0.25), 0.025)


def rug(brush: Brush) -> None:
    w, h, cloth = brush.w / 2, brush.h / 2, cloth_of(brush)
    for x in (-w, w):
        for y in np.arange(-h + 0.06, h, 0.11):
            brush.line(
                [(x * 0.99, y), (x * 0.99 + (0.09 if x > 0 else -0.09), y)],
                0.02,
                darker(cloth, 0.2),
            )
    brush.box(-w, -h, 2 * w, 2 * h, cloth, 0.035)
    for inset, tone in (
        (0.12, lighter(cloth, 0.4)),
        (0.17, darker(cloth, 0.12)),
        (0.34, lighter(cloth, 0.22)),
        (0.38, cloth),
    ):
        if min(w, h) > inset + 0.1:
            brush.box(-w + inset, -h + inset, 2 * (w - inset), 2 * (h - inset), tone, 0.0)
    m = min(w, h) - 0.42
    if m > 0.12:
        brush.poly([(-m, 0), (0, -m), (m, 0), (0, m)], lighter(cloth, 0.3), 0.0)
        brush.poly(
            [(-m * 0.6, 0), (0, -m * 0.6), (m * 0.6, 0), (0, m * 0.6)], darker(cloth, 0.15), 0.0
        )


def trough(brush: Brush) -> None:
    w, h = brush.w / 2, brush.h / 2
    brush.box(-w, -h, 2 * w, 2 * h, wood_of(brush), 0.04, cast=0.6)
    brush.box(-w + 0.08, -h + 0.08, 2 * w - 0.16, 2 * h - 0.16, tint(brush.palette.water), 0.025)


def bucket(brush: Brush) -> None:
    r = brush.w / 2
    brush.disc(0, 0, r, wood_of(brush), 0.035, cast=0.4)
    brush.disc(0, 0, r * 0.68, tint(brush.palette.deep), 0.02)


def plant(brush: Brush) -> None:
    leaf = tint(brush.palette.leaves[-1])
    brush.disc(0, 0, 0.17, mixed(tint(brush.palette.dirt), (170, 90, 60), 0.5), 0.035, cast=0.5)
    for k in range(7):
        t = 2 * np.pi * k / 7 + brush.rng.uniform(-0.2, 0.2)
        d, n = np.array([np.cos(t), np.sin(t)]), np.array([-np.sin(t), np.cos(t)])
        brush.poly(
            [(0, 0), d * 0.16 + n * 0.06, d * 0.32, d * 0.16 - n * 0.06], darker(leaf, 0.1), 0.02
        )


def tent(brush: Brush) -> None:
    w, h, cloth = brush.w / 2, brush.h / 2, mixed(cloth_of(brush), tint(brush.palette.sand), 0.45)
    brush.poly([(-w, -h), (w, -h), (w, 0), (-w, 0)], lighter(cloth, 0.15), 0.045, cast=1.0)
    brush.poly([(-w, 0), (w, 0), (w, h), (-w, h)], darker(cloth, 0.18), 0.045, cast=1.0)
    brush.poly([(w, -h * 0.35), (w * 0.55, 0), (w, h * 0.35)], darker(cloth, 0.6), 0.03)
    brush.line([(-w - 0.05, 0), (w + 0.05, 0)], 0.05)
    for x, y in ((-w, -h), (w, -h), (-w, h), (w, h)):
        brush.line([(x, y), (x * 1.16, y * 1.16)], 0.024)


def cart(brush: Brush) -> None:
    w, h, wood = brush.w / 2, brush.h / 2, wood_of(brush)
    for y in (-h - 0.02, h - 0.08):
        brush.box(-0.28, y, 0.56, 0.11, darker(wood, 0.45), 0.03, cast=0.5)
    brush.box(-w * 0.75, -h + 0.08, w * 1.35, 2 * h - 0.16, wood, 0.045, cast=0.7)
    for x in np.linspace(-w * 0.75, w * 0.6, 6)[1:-1]:
        brush.line([(x, -h + 0.1), (x, h - 0.1)], 0.02, darker(wood, 0.45))
    for y in (-0.16, 0.16):
        brush.line([(w * 0.6, y), (w * 1.1, y)], 0.05)


FURNITURE: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        bookshelf,
        rack,
        bed,
        chest,
        crate,
        barrel,
        sacks,
        throne,
        table,
        desk,
        tableset,
        feast,
        counter,
        pew,
        rug,
        trough,
        bucket,
        plant,
        tent,
        cart,
    )
}
