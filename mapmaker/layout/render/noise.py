"""Seamless noise fields, made once per process: they depend on nothing but their arguments."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.layout.chance import stream

#: A mask or noise over pixels; float32 in practice, whatever the stubs infer.
Field = NDArray[np.floating[Any]]
#: Side of the seamless tile in pixels; even, and large enough that repeats are not seen.
TILE_PX = 576


@lru_cache(maxsize=64)
def cloud(
    name: str, cell_px: int, low: float, high: float, slope: float = 1.0, stretch: float = 1.0
) -> Field:
    """Return seamless noise, TILE_PX squared, mean 0, standard deviation 1, clipped to -3..3.

    low and high bound its frequencies in waves a square; slope is how fast large waves outweigh
    small ones; stretch > 1 draws it out along x.
    """
    rng = stream("cloud", name)
    fy = np.fft.fftfreq(TILE_PX)[:, None] * cell_px
    fx = np.fft.rfftfreq(TILE_PX)[None, :] * cell_px * stretch
    frequency = np.hypot(fx, fy).astype(np.float32)
    weight = np.where(frequency > 0, np.maximum(frequency, 1e-6) ** -slope, 0.0)
    weight *= (frequency >= low) & (frequency <= high)
    spectrum = np.fft.rfft2(rng.standard_normal((TILE_PX, TILE_PX), dtype=np.float32)) * weight
    field = np.fft.irfft2(spectrum, s=(TILE_PX, TILE_PX))
    spread = float(field.std()) or 1.0
    out = np.clip((field - field.mean()) / spread, -3, 3).astype(np.float32)
    out.setflags(write=False)
    return out


def tiled(field: Field, rows: slice, columns: slice, shift: tuple[int, int] = (0, 0)) -> Field:
    """Return the part of the endless plane tiled with the field that these pixel slices cover."""
    side = field.shape[0]
    y = (np.arange(rows.start, rows.stop) + shift[0]) % side
    x = (np.arange(columns.start, columns.stop) + shift[1]) % field.shape[1]
    return field[y[:, None], x[None, :]]


@lru_cache(maxsize=8)
def cobbles(cell_px: int, per_square: int = 3) -> tuple[Field, Field]:
    """Return seamless round stones: tone (-1..1, one a stone) and nearness to a joint (0..1)."""
    rng = stream("cobbles", per_square)
    stones = max(2, TILE_PX * per_square // cell_px // 2)
    side = stones * 2
    jitter = rng.uniform(0.2, 0.8, (side, side, 2))
    shade = rng.uniform(-1, 1, (side, side)).astype(np.float32)
    at = (np.arange(TILE_PX) + 0.5) * side / TILE_PX
    gx, gy = np.meshgrid(at, at)
    cx, cy = gx.astype(int), gy.astype(int)
    nearest = np.full(gx.shape, 9.0, np.float32)
    second = np.full(gx.shape, 9.0, np.float32)
    tone = np.zeros(gx.shape, np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            i, j = (cy + dy) % side, (cx + dx) % side
            away = np.hypot(cx + dx + jitter[i, j, 0] - gx, cy + dy + jitter[i, j, 1] - gy).astype(
                np.float32
            )
            closer = away < nearest
            second = np.where(closer, nearest, np.minimum(second, away))
            tone = np.where(closer, shade[i, j], tone)
            nearest = np.where(closer, away, nearest)
    joint = np.clip(1 - (second - nearest) / 0.22, 0, 1).astype(np.float32)
    return tone, joint
