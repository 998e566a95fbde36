"""How stones and the traces on a floor are drawn."""

import numpy as np

from mapmaker.layout.chance import pick
from mapmaker.layout.palettes import Colour, tint
from mapmaker.layout.render.brush import Brush, darker, lighter, mixed
from mapmaker.layout.render.nature import Draw


def rock(brush: Brush) -> None:
    r = brush.w / 2
    stone = tint(brush.palette.rock)
    seed = brush.rng.integers(1 << 30)
    sx, sy = brush.sun
    brush.lump(0, 0, r, r * 0.82, darker(stone, 0.2), 0.05, cast=0.5)
    brush.lump(sx * r * 0.18, sy * r * 0.18, r * 0.7, r * 0.55, stone, 0.0, points=7)
    brush.lump(
        sx * r * 0.34, sy * r * 0.34, r * 0.36, r * 0.28, lighter(stone, 0.22), 0.0, points=6
    )
    if seed % 3 == 0:
        brush.lump(r * 0.9, r * 0.5, r * 0.35, r * 0.3, stone, 0.035, cast=0.2)


def menhir(brush: Brush) -> None:
    stone = tint(brush.palette.rock)
    sx, sy = brush.sun
    brush.lump(
        0, 0, brush.w / 2, brush.h / 2, darker(stone, 0.12), 0.055, cast=1.6, points=8, rough=0.14
    )
    brush.lump(
        sx * 0.07,
        sy * 0.07,
        brush.w * 0.33,
        brush.h * 0.32,
        lighter(stone, 0.16),
        0.02,
        points=7,
        rough=0.14,
    )


def stalagmite(brush: Brush) -> None:
    stone = lighter(tint(brush.palette.cave), 0.08)
    sx, sy = brush.sun
    for share, x, y in ((1.0, 0, 0), (0.5, brush.w * 0.55, brush.w * 0.25)):
        r = brush.w / 2 * share
        for k, tone in (
            (1.0, darker(stone, 0.3)),
            (0.66, darker(stone, 0.1)),
            (0.34, lighter(stone, 0.2)),
        ):
            brush.lump(
                x + sx * r * (1 - k) * 0.5,
                y + sy * r * (1 - k) * 0.5,
                r * k,
                r * k,
                tone,
                0.035 if k == 1 else 0.016,
                cast=0.7 * share if k == 1 else 0,
                rough=0.12,
            )


def crystals(brush: Brush) -> None:
    gem = tint(pick(brush.rng, (brush.palette.glow, brush.palette.water, brush.palette.glow)))
    for _ in range(4):
        angle = brush.rng.uniform(0, 2 * np.pi)
        long, wide = brush.w * brush.rng.uniform(0.45, 0.85), brush.w * 0.16
        d, n = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        tip, waist = d * long, d * long * 0.65
        brush.poly(
            [-n * wide * 0.6, waist - n * wide, tip, waist + n * wide, n * wide * 0.6],
            gem,
            0.035,
            cast=0.4,
        )
        brush.poly([-n * wide * 0.2, waist - n * wide * 0.7, tip, waist], lighter(gem, 0.4), 0.0)


def mushrooms(brush: Brush) -> None:
    for _ in range(4):
        cap: Colour = tint(pick(brush.rng, (*brush.palette.cloth, brush.palette.glow)))
        x, y = brush.rng.uniform(-0.26, 0.26, 2).tolist()
        r = float(brush.rng.uniform(0.08, 0.17))
        brush.disc(x, y, r, cap, 0.03, cast=0.4)
        brush.disc(x - r * 0.2, y - r * 0.2, r * 0.55, lighter(cap, 0.25), 0.0)
        brush.disc(x + r * 0.35, y + r * 0.2, r * 0.16, lighter(cap, 0.6), 0.0)


def rubble(brush: Brush) -> None:
    stone = mixed(tint(brush.palette.stone), tint(brush.palette.rock), 0.5)
    for _ in range(9):
        x, y = (brush.rng.normal(0, 0.2, 2)).clip(-0.42, 0.42).tolist()
        r = float(brush.rng.uniform(0.05, 0.16))
        tone = darker(stone, float(brush.rng.uniform(0, 0.3)))
        brush.lump(x, y, r, r * 0.85, tone, 0.03, cast=0.25, points=6, rough=0.25)


def pebbles(brush: Brush) -> None:
    stone = darker(tint(brush.palette.rock), 0.05)
    for _ in range(6):
        x, y = brush.rng.uniform(-0.3, 0.3, 2).tolist()
        brush.lump(x, y, 0.05, 0.04, stone, 0.022, points=6)


def crack(brush: Brush) -> None:
    reach = min(brush.w, brush.h) * 0.45
    for k in range(2):
        angle = brush.rng.uniform(0, 2 * np.pi) + k * 2.4
        t = np.linspace(0, reach, 6)
        bend = np.cumsum(brush.rng.normal(0, 0.06, 6))
        brush.line(
            np.stack(
                [
                    t * np.cos(angle) - bend * np.sin(angle),
                    t * np.sin(angle) + bend * np.cos(angle),
                ],
                -1,
            ),
            0.026,
            mixed(brush.ink, tint(brush.palette.stone), 0.25),
        )


def puddle(brush: Brush) -> None:
    base = mixed(tint(brush.palette.water), tint(brush.palette.stone), 0.45)
    brush.lump(0, 0, brush.w / 2, brush.h / 2.4, base, 0.02, points=14, rough=0.12)
    brush.line([(-0.1, -0.06), (0.12, -0.08)], 0.022, lighter(base, 0.4))


def bones(brush: Brush) -> None:
    bone = tint(brush.palette.bone)
    for _ in range(4):
        x, y, angle = (
            brush.rng.uniform(-0.22, 0.22),
            brush.rng.uniform(-0.22, 0.22),
            brush.rng.uniform(0, np.pi),
        )
        dx, dy = 0.14 * np.cos(angle), 0.14 * np.sin(angle)
        brush.line([(x - dx, y - dy), (x + dx, y + dy)], 0.075)
        brush.line([(x - dx, y - dy), (x + dx, y + dy)], 0.045, bone)
    brush.disc(0.16, -0.1, 0.1, bone, 0.028, cast=0.2)
    brush.disc(0.13, -0.1, 0.022, brush.ink, 0.0)
    brush.disc(0.19, -0.1, 0.022, brush.ink, 0.0)


def web(brush: Brush) -> None:
    corner, pale = (
        np.array([brush.w * 0.55, -brush.h * 0.55]),
        mixed(tint(brush.palette.stone), (255, 255, 255), 0.55),
    )
    angles = np.radians([95, 117, 140, 163, 178])
    reach = brush.rng.uniform(0.55, 0.85, 5)
    tips = corner + np.stack([np.cos(angles), np.sin(angles)], -1) * reach[:, None]
    for tip in tips:
        brush.line([tuple(corner), tuple(tip)], 0.014, pale)
    for share in (0.35, 0.6, 0.85):
        brush.line(corner + (tips - corner) * share, 0.014, pale)


def campfire(brush: Brush) -> None:
    stone, wood, fire = (
        tint(brush.palette.rock),
        tint(brush.palette.timber),
        tint(brush.palette.fire),
    )
    brush.disc(0, 0, 0.3, mixed(brush.ink, stone, 0.3), 0.0)
    for k in range(9):
        t = 2 * np.pi * k / 9
        brush.lump(
            0.33 * np.cos(t),
            0.33 * np.sin(t),
            0.09,
            0.08,
            darker(stone, float(brush.rng.uniform(0, 0.2))),
            0.03,
            cast=0.2,
            points=7,
        )
    for angle in (0.4, 1.5, 2.6):
        d = np.array([np.cos(angle), np.sin(angle)]) * 0.23
        brush.line([tuple(-d), tuple(d)], 0.1)
        brush.line([tuple(-d), tuple(d)], 0.06, wood)
    brush.lump(0, 0, 0.15, 0.15, fire, 0.025, points=10, rough=0.4)
    brush.lump(0, 0, 0.07, 0.07, lighter(fire, 0.6), 0.0, points=8, rough=0.3)


STONES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        rock,
        menhir,
        stalagmite,
        crystals,
        mushrooms,
        rubble,
        pebbles,
        crack,
        puddle,
        bones,
        web,
        campfire,
    )
}
