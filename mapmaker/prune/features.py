"""What is measured once of every picture and remembered by its content hash."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import MapmakerError
from mapmaker.picture import open_picture
from mapmaker.prune.gridlines import find_grid
from mapmaker.prune.hashes import THUMB_PX, dhashes, phashes, shrink

VERSION = 1  # raise it when a measurement changes: remembered rows of another version are redone
_PATCH_PX = 256
_FINE, _COARSE = (0.3, 0.45), (0.1, 0.2)  # cycles a pixel: blur and enlarging lose the first
_NO_DETAIL = -6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The measurements of one picture; `problem` says why there are none.

    width, height [px] of the upright picture; mean and contrast (standard deviation) of its
    brightness, 0..255; span is the brightness range of its middle 98 %; fine is `fineness`;
    pixels is the sha256 of the upright RGB values; phash and dhash are 64 bits in eight
    orientations, as hex; grid is {cell_px, phase, score} as the picture shows it, or None; thumb
    is 32 x 32 grey bytes.
    """

    id: str
    problem: str = ""
    width: int = 0
    height: int = 0
    mean: float = 0.0
    contrast: float = 0.0
    span: float = 0.0
    fine: float = _NO_DETAIL
    pixels: str = ""
    phash: tuple[str, ...] = ()
    dhash: tuple[str, ...] = ()
    grid: dict | None = None
    thumb: bytes = b""

    def small(self) -> NDArray[np.uint8]:
        """Return the thumbnail as a 32 x 32 array."""
        return np.frombuffer(self.thumb, np.uint8).reshape(THUMB_PX, THUMB_PX)


def measure(path: Path, id: str) -> tuple[Features, bool]:
    """Return the features of the file at `path`, and whether they will last.

    Never raises for what is in the file: a broken picture is a row with a problem. A file that is
    missing or holds other bytes than `id` says is such a row too, looked at again next time.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return Features(id=id, problem=f"cannot be read: {error.strerror}"), False
    if hashlib.sha256(data).hexdigest() != id:
        return Features(id=id, problem="was changed after it was taken in"), False
    try:
        image = open_picture(data, name="it")
    except MapmakerError as error:
        return Features(id=id, problem=str(error).removeprefix("it ").rstrip(".")), True
    return _measure(np.asarray(image), np.asarray(image.convert("L")), id), True


def __getattr__(name: str) -> Any:
    """Give `FeatureStore`, which lives in `store` now, to those who still look for it here."""
    if name == "FeatureStore":
        from mapmaker.prune.store import FeatureStore

        return FeatureStore
    raise AttributeError(name)


def _measure(rgb: NDArray[np.uint8], grey: NDArray[np.uint8], id: str) -> Features:
    thumb = shrink(grey)
    low, high = _span(grey)
    return Features(
        id=id,
        width=grey.shape[1],
        height=grey.shape[0],
        mean=round(float(grey.mean()), 2),
        contrast=round(float(grey.std()), 2),
        span=high - low,
        fine=round(fineness(grey), 3),
        pixels=hashlib.sha256(f"{rgb.shape}".encode() + rgb.tobytes()).hexdigest(),
        phash=tuple(f"{h:016x}" for h in phashes(thumb)),
        dhash=tuple(f"{h:016x}" for h in dhashes(thumb)),
        grid=find_grid(grey),
        thumb=np.round(thumb).astype(np.uint8).tobytes(),
    )


def fineness(grey: NDArray[np.uint8]) -> float:
    """Return log10 of the energy at 0.3-0.45 cycles a pixel over that at 0.1-0.2; -6 at least.

    From up to nine patches spread over the picture (H, W), at native resolution. Painted maps have
    -1.1..0.1, also when scaled down or pressed as JPEG; enlarged twice -2.0..-1.3, blurred by a
    pixel -2.6..-1.5 (measured on 43 maps).
    """
    side = min(_PATCH_PX, *grey.shape)
    window = np.hanning(side)[:, None] * np.hanning(side)[None, :]
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    waves = np.maximum(np.abs(rows), np.abs(columns))
    is_fine, is_coarse = ((waves > low) & (waves < high) for low, high in (_FINE, _COARSE))
    fine = coarse = 0.0
    for top in np.unique(np.linspace(0, grey.shape[0] - side, 3).astype(int)):
        for left in np.unique(np.linspace(0, grey.shape[1] - side, 3).astype(int)):
            patch = grey[top : top + side, left : left + side].astype(np.float32)
            energy = np.abs(np.fft.rfft2((patch - patch.mean()) * window)) ** 2
            fine += float(energy[is_fine].sum())
            coarse += float(energy[is_coarse].sum())
    return math.log10(max(fine / coarse, 1e-6)) if coarse > 0 else _NO_DETAIL


def _span(grey: NDArray[np.uint8]) -> tuple[float, float]:
    counts = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    low, high = np.searchsorted(counts, [0.01 * counts[-1], 0.99 * counts[-1]])
    return float(low), float(high)
