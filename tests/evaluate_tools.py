"""Sets of small drawn pictures whose metrics are known beforehand."""

import cv2
import numpy as np

SIDE, CELL = 64, 8


def drawn(
    seed: int, count: int, *, side: int = SIDE, cell: int = CELL, palette: tuple = (40, 215)
) -> np.ndarray:
    """Return uint8 (count, side, side, 3): soft colours, grain, lines every `cell` px (0: none).

    Each picture has a large shape of its own, so no two are alike and none is symmetric.
    """
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        small = rng.uniform(*palette, (5, 5, 3)).astype(np.float32)
        picture = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
        picture += rng.normal(0, 12, (side, side, 1))
        if cell:
            picture[::cell] *= 0.6
            picture[:, ::cell] *= 0.6
        pictures.append(picture.clip(0, 255))
    return np.stack(pictures).round().astype(np.uint8)


def blurred(pictures: np.ndarray, sigma_px: float = 1.0) -> np.ndarray:
    """Return the pictures out of focus."""
    return np.stack([cv2.GaussianBlur(p, (0, 0), sigma_px) for p in pictures])


def blocky(pictures: np.ndarray, block_px: int = 2) -> np.ndarray:
    """Return the pictures in blocks, as if enlarged."""
    small = pictures[:, ::block_px, ::block_px]
    return small.repeat(block_px, 1).repeat(block_px, 2)


def chequered(pictures: np.ndarray, period_px: int, strength: float = 15) -> np.ndarray:
    """Return the pictures under a raster of bright and dark tiles, period_px from one to the next
    of a kind: what a transposed convolution leaves."""
    tile = np.indices(pictures.shape[1:3]) // (period_px // 2)
    raster = np.where(tile.sum(axis=0) % 2, strength, -strength)[None, ..., None]
    return (pictures + raster).clip(0, 255).astype(np.uint8)


def cast(pictures: np.ndarray, red: float = 25) -> np.ndarray:
    """Return the pictures with more red in them."""
    return (pictures + np.array([red, 0, 0])).clip(0, 255).astype(np.uint8)


def darker(pictures: np.ndarray) -> np.ndarray:
    """Return the pictures squeezed into 0..200, so that a cast is not clipped away."""
    return (pictures * (200 / 255)).astype(np.uint8)
