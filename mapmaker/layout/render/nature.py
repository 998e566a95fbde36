"""How trees and plants are drawn."""

from collections.abc import Callable

import numpy as np

from mapmaker.layout.chance import pick
from mapmaker.layout.palettes import tint
from mapmaker.layout.render.brush import Brush, darker, lighter, mixed

Draw = Callable[[Brush], None]
#: Drawn above walls and other things.
CANOPY = frozenset({"tree", "pine", "deadtree"})


def _scallops(
    brush: Brush, x: float, y: float, radius: float, lobes: int, deep: float
) -> np.ndarray:
    """Return the outline of a leafy crown: (N, 2)."""
    t = np.linspace(0, 2 * np.pi, lobes * 6, endpoint=False)
    sway = (
        1
        + 0.10 * np.sin(2 * t + brush.rng.uniform(0, 6))
        + 0.07 * np.sin(3 * t + brush.rng.uniform(0, 6))
    )
    r = (
        radius
        * sway
        * (1 - deep + deep * np.abs(np.sin(lobes * t / 2 + brush.rng.uniform(0, 3))) ** 0.6)
    )
    return np.stack([x + r * np.cos(t), y + r * np.sin(t)], -1)


def tree(brush: Brush) -> None:
    r = brush.w / 2
    leaf = tint(pick(brush.rng, brush.palette.leaves))
    leaf = (
        lighter(leaf, 0.12)
        if brush.rng.random() < 0.3
        else darker(leaf, 0.1 * float(brush.rng.random()))
    )
    sx, sy = brush.sun
    lobes = int(brush.rng.integers(9, 13))
    brush.poly(_scallops(brush, 0, 0, r, lobes, 0.16), darker(leaf, 0.3), 0.05, cast=1.6)
    for share, tone in (
        (0.80, darker(leaf, 0.12)),
        (0.60, leaf),
        (0.38, lighter(leaf, 0.13)),
        (0.18, lighter(leaf, 0.26)),
    ):
        off = r * (1 - share) * 0.45
        brush.poly(
            _scallops(brush, sx * off, sy * off, r * share, max(6, lobes - 2), 0.2), tone, 0.0
        )
    for _ in range(6):
        angle, far = brush.rng.uniform(0, 2 * np.pi), r * brush.rng.uniform(0.25, 0.8)
        x, y, turn = far * np.cos(angle), far * np.sin(angle), brush.rng.uniform(0, 6)
        t = np.linspace(turn, turn + 2.2, 5)
        brush.line(
            np.stack([x + 0.11 * np.cos(t), y + 0.11 * np.sin(t)], -1), 0.025, darker(leaf, 0.5)
        )


def pine(brush: Brush) -> None:
    r = brush.w / 2
    leaf = tint(pick(brush.rng, brush.palette.needles))
    points = int(brush.rng.integers(9, 13))
    sx, sy = brush.sun
    for k, (share, tone) in enumerate(
        (
            (1.0, darker(leaf, 0.3)),
            (0.76, darker(leaf, 0.1)),
            (0.52, lighter(leaf, 0.06)),
            (0.28, lighter(leaf, 0.2)),
        )
    ):
        t = np.linspace(0, 2 * np.pi, points * 2, endpoint=False) + 0.35 * k
        radius = (
            r
            * share
            * np.where(np.arange(points * 2) % 2, 0.66, 1.0)
            * (1 + brush.rng.uniform(-0.08, 0.08, points * 2))
        )
        off = r * 0.07 * k
        xy = np.stack([sx * off + radius * np.cos(t), sy * off + radius * np.sin(t)], -1)
        brush.poly(xy, tone, 0.045 if k == 0 else 0.018, cast=1.7 if k == 0 else 0)


def deadtree(brush: Brush) -> None:
    bark = tint(brush.palette.timber)
    for _ in range(int(brush.rng.integers(5, 8))):
        angle, long = brush.rng.uniform(0, 2 * np.pi), brush.w / 2 * brush.rng.uniform(0.6, 1.0)
        knee = np.array([np.cos(angle), np.sin(angle)]) * long * 0.5
        for turn in (-0.5, 0.4):
            tip = knee + np.array([np.cos(angle + turn), np.sin(angle + turn)]) * long * 0.5
            brush.line([(0, 0), tuple(knee), tuple(tip)], 0.11)
            brush.line([(0, 0), tuple(knee), tuple(tip)], 0.06, bark)
    brush.lump(0, 0, 0.16, 0.16, darker(bark, 0.2), 0.04, cast=0.8)


def bush(brush: Brush) -> None:
    r = brush.w / 2
    leaf = mixed(tint(pick(brush.rng, brush.palette.leaves)), tint(brush.palette.grass), 0.3)
    sx, sy = brush.sun
    brush.poly(_scallops(brush, 0, 0, r, 6, 0.22), darker(leaf, 0.22), 0.04, cast=0.6)
    brush.poly(_scallops(brush, sx * r * 0.2, sy * r * 0.2, r * 0.66, 6, 0.25), leaf, 0.0)
    brush.poly(
        _scallops(brush, sx * r * 0.35, sy * r * 0.35, r * 0.36, 5, 0.25), lighter(leaf, 0.16), 0.0
    )


def tuft(brush: Brush) -> None:
    blade = darker(mixed(tint(brush.palette.leaves[0]), tint(brush.palette.grass), 0.3), 0.3)
    for _ in range(5):
        x = float(brush.rng.uniform(-0.13, 0.13))
        lean = x * 1.2 + float(brush.rng.uniform(-0.05, 0.05))
        brush.line(
            [(x, 0.06), (x + lean * 0.4, -0.05), (x + lean, -float(brush.rng.uniform(0.12, 0.2)))],
            0.028,
            blade,
        )


def flowers(brush: Brush) -> None:
    tuft(brush)
    petal = tint(pick(brush.rng, brush.palette.cloth))
    for _ in range(6):
        x, y = brush.rng.uniform(-0.28, 0.28, 2).tolist()
        brush.disc(x, y, 0.05, lighter(petal, 0.2), 0.018)


def reeds(brush: Brush) -> None:
    blade = darker(mixed(tint(brush.palette.leaves[0]), tint(brush.palette.sand), 0.3), 0.2)
    for _ in range(7):
        x, y = brush.rng.uniform(-0.22, 0.22, 2).tolist()
        brush.line([(x, y), (x + 0.03, y - 0.22)], 0.03, blade)
        brush.line(
            [(x + 0.03, y - 0.22), (x + 0.03, y - 0.13)],
            0.055,
            darker(tint(brush.palette.timber), 0.2),
        )


def lily(brush: Brush) -> None:
    pad = mixed(tint(brush.palette.leaves[0]), tint(brush.palette.water), 0.25)
    for _ in range(3):
        x, y = brush.rng.uniform(-0.25, 0.25, 2).tolist()
        t = np.linspace(0.3, 5.9, 12) + brush.rng.uniform(0, 6)
        brush.poly(
            [(x, y), *np.stack([x + 0.13 * np.cos(t), y + 0.13 * np.sin(t)], -1).tolist()],
            pad,
            0.022,
        )


def stump(brush: Brush) -> None:
    wood = tint(brush.palette.timber)
    r = max(0.18, brush.w * 0.4)
    brush.lump(0, 0, r, r, darker(wood, 0.25), 0.04, cast=0.4, points=11, rough=0.1)
    brush.disc(0, 0, r * 0.72, lighter(wood, 0.25), 0.02)
    brush.disc(0, 0, r * 0.4, lighter(wood, 0.15), 0.016)


def log(brush: Brush) -> None:
    wood = tint(brush.palette.timber)
    long, wide = max(0.6, brush.w) / 2, min(0.15, max(0.09, brush.h / 2))
    brush.box(-long, -wide, 2 * long, 2 * wide, darker(wood, 0.1), 0.04, cast=0.5)
    brush.line([(-long * 0.8, -wide * 0.3), (long * 0.5, -wide * 0.35)], 0.022, darker(wood, 0.45))
    brush.line([(-long * 0.4, wide * 0.35), (long * 0.8, wide * 0.3)], 0.022, darker(wood, 0.45))
    brush.oval(long, 0, 0.06, wide, lighter(wood, 0.3), 0.03)


def logs(brush: Brush) -> None:
    wood = tint(brush.palette.timber)
    for y in (-0.22, 0.0, 0.22):
        shift = float(brush.rng.uniform(-0.08, 0.08))
        brush.box(
            -0.5 + shift,
            y - 0.1,
            1.0,
            0.2,
            mixed(wood, (255, 240, 210), float(brush.rng.uniform(0, 0.18))),
            0.035,
            cast=0.5,
        )
        brush.oval(0.5 + shift, y, 0.045, 0.1, lighter(wood, 0.35), 0.025)


NATURE: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (tree, pine, deadtree, bush, tuft, flowers, reeds, lily, stump, log, logs)
}
