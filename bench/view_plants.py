"""Views, planted in many ways: photos of a table, isometric and tilted drawings, cast shadows."""

import math
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from sign_plants import PAPERS

from mapmaker.layout import Layout, plan, render

Picture = Image.Image


def table(rng: Generator, width: int, height: int) -> NDArray[np.float32]:
    """Return a table top (H, W, 3): boards of wood, cloth, or one grey."""
    colour = np.array(
        [(124, 84, 50), (88, 58, 36), (176, 140, 100), (60, 62, 66), (196, 190, 180)][
            int(rng.integers(5))
        ],
        np.float32,
    )
    grain = (
        rng.normal(0, 1, (max(2, height // 3), max(2, width // 80))).astype(np.float32).cumsum(1)
    )
    grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    top = colour + (grain / (abs(grain).max() + 1e-6) * float(rng.uniform(6, 30)))[..., None]
    if rng.random() < 0.5:
        board = int(rng.integers(height // 8, height // 3))
        for y in range(int(rng.integers(board)), height, board):
            top[y : y + 2] *= 0.5
    return top.transpose(1, 0, 2).copy() if width == height and rng.random() < 0.5 else top


def photographed(picture: Picture, rng: Generator) -> Picture:
    """Return a photo of it printed, with or without a margin, askew on a table in uneven light."""
    width, height = picture.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    shift = rng.uniform(0.04, 0.16, (4, 2))
    if rng.random() < 0.6:
        shift[:2, 0] += rng.uniform(0.04, 0.14)
    a = math.radians(float(rng.normal(0, 5)))
    middle = np.array([width / 2, height / 2])
    seen = corners + inwards * shift * [width, height]
    seen = (seen - middle) @ np.array(
        [[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]
    ) + middle
    sheet = np.asarray(picture).copy()
    if rng.random() < 0.5:
        edge = round(min(width, height) * float(rng.uniform(0.02, 0.06)))
        sheet[:edge], sheet[-edge:], sheet[:, :edge], sheet[:, -edge:] = 244, 244, 244, 244
    warp = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    paper_seen = cv2.warpPerspective(sheet, warp, (width, height))
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, (width, height))
    shade = cv2.GaussianBlur(np.roll(mask, (6, 6), (0, 1)), (0, 0), 6).astype(np.float32) / 255
    photo = table(rng, width, height) * (1 - 0.4 * shade[..., None])
    weight = mask[..., None].astype(np.float32) / 255
    photo = paper_seen * weight + photo * (1 - weight)
    y, x = np.mgrid[0:height, 0:width]
    cx, cy = rng.uniform(0.1, 0.9, 2) * [width, height]
    light = 1.15 - float(rng.uniform(0.3, 0.8)) * np.hypot((x - cx) / width, (y - cy) / height)
    photo = photo * light[..., None] * [1.04, 1.0, float(rng.uniform(0.8, 1))] + rng.normal(
        0, float(rng.uniform(2, 7)), photo.shape
    )
    return Image.fromarray(photo.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1)))
    )


def isometric(rng: Generator, side: int = 750) -> Picture:
    """Return a floor plan as an isometric drawing shows it, with walls that stand up."""
    cells = int(rng.integers(8, 14))
    kind = str(rng.choice(["building", "dungeon"]))
    layout = plan(kind, int(rng.integers(1 << 30)), cells, cells)
    palette = str(rng.choice(["painted", "parchment", "mossy", "winter", "sepia", "torchlit"]))
    floor = np.asarray(render(layout, 40, palette))
    slope = float(rng.choice([0.5, math.tan(math.pi / 6)]))
    half = side / cells / 2 * float(rng.uniform(0.85, 1))
    warp = np.array(
        [[half / 40, -half / 40, side / 2], [half * slope / 40, half * slope / 40, side * 0.25]],
        np.float32,
    )
    ground = PAPERS[int(rng.integers(4))] if rng.random() < 0.6 else (30, 30, 34)
    drawn = Image.fromarray(cv2.warpAffine(floor, warp, (side, side), borderValue=ground))
    _stand_walls(
        drawn,
        layout,
        warp * 40 @ np.diag([1, 1, 1 / 40]).astype(np.float32),
        half * float(rng.uniform(0.7, 1.5)),
        rng,
    )
    return drawn


def _stand_walls(
    drawn: Picture, layout: Layout, warp: NDArray, rise: float, rng: Generator
) -> None:
    draw, shade = ImageDraw.Draw(drawn), rng.integers(90, 180, 3)
    pieces = [(a, b) for line in layout.walls for a, b in pairwise(line)]
    for a, b in sorted(pieces, key=lambda p: p[0][0] + p[0][1] + p[1][0] + p[1][1]):
        (x1, y1), (x2, y2) = (tuple(warp @ [*end, 1.0]) for end in (a, b))
        dark = 0.75 if abs(a[0] - b[0]) > abs(a[1] - b[1]) else 1.0
        fill = tuple(int(v * dark) for v in shade)
        draw.polygon(
            [(x1, y1), (x2, y2), (x2, y2 - rise), (x1, y1 - rise)], fill=fill, outline=(25, 20, 18)
        )


def tilted(picture: Picture, rng: Generator) -> Picture:
    """Return it lying on the ground, seen from the side: one vanishing point, sky above."""
    width, height = picture.size
    squeeze, top = float(rng.uniform(0.15, 0.3)), float(rng.uniform(0.25, 0.45)) * height
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array(
        [[width * squeeze, top], [width * (1 - squeeze), top], [width, height], [0, height]],
        np.float32,
    )
    sky = PAPERS[int(rng.integers(4))] if rng.random() < 0.5 else (90, 120, 160)
    warp = cv2.getPerspectiveTransform(corners, seen)
    return Image.fromarray(
        cv2.warpPerspective(np.asarray(picture), warp, (width, height), borderValue=sky)
    )


def shadowed(rng: Generator, degrees: float, side: int = 600) -> Picture:
    """Return things on textured ground that cast shadows towards `degrees` clockwise from east."""
    ground = np.array(
        [(120, 140, 80), (150, 130, 100), (120, 118, 112), (170, 160, 140)][int(rng.integers(4))],
        np.float32,
    )
    grain = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 1.5)
    base = ground + (grain * float(rng.uniform(8, 40)))[..., None]
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(12, 40))):
        x, y = rng.uniform(0.05, 0.95, 2) * side
        w, h = rng.uniform(0.02, 0.08, 2) * side
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(
            (x - w, y - h, x + w, y + h), fill=255
        )
    things = np.asarray(mask, np.float32) / 255
    reach, soft = side * float(rng.uniform(0.008, 0.025)), float(rng.uniform(0.5, 5))
    a = math.radians(degrees)
    moved = cv2.warpAffine(
        things,
        np.array([[1, 0, reach * math.cos(a)], [0, 1, reach * math.sin(a)]], np.float32),
        (side, side),
    )
    shadow = cv2.GaussianBlur(np.maximum(moved, things), (0, 0), soft) * float(
        rng.uniform(0.35, 0.6)
    )
    base = base * (1 - shadow[..., None])
    tone = np.array(
        [(110, 80, 50), (140, 140, 136), (60, 90, 50), (190, 170, 140)][int(rng.integers(4))],
        np.float32,
    )
    body = (
        tone
        + (cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 1) * 20)[
            ..., None
        ]
    )
    rim = things - cv2.erode(things, np.ones((3, 3), np.uint8))
    return Image.fromarray(
        ((base * (1 - things[..., None]) + body * things[..., None]) * (1 - 0.7 * rim[..., None]))
        .clip(0, 255)
        .astype(np.uint8)
    )
