"""Where the squares of a map are: what came with it first, its name second, its picture last."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import MapmakerError
from mapmaker.files import read_json

LEAST_CELL_PX = 12
SURE = 30.0  # for 768 px; below it the picture has no grid. Textures of such maps reach 32
_LEAST_SQUARES = 4  # fewer across are no grid but furniture
_MANY_SQUARES = 56  # a side of more squares grows unlikely: half squares in floors are common
_HARMONICS = 12
_REFINE_HARMONICS = 6
_FINEST = 0.45  # cycles a pixel
_LOUDEST = 60.0  # no single wave outweighs the others
_LINE = 24  # grey levels
_SMOOTH_PX = 31
_JPEG_PX = 8
_LEFT_OVER = 0.1  # of a square: what a picture of whole squares may seem to have too many
_EDGE = 0.6  # squares that begin at the picture's edge need this share of the best fit
_SQUARES = re.compile(r"(?<![0-9])([1-9][0-9]{0,2})\s*[xX×]\s*([1-9][0-9]{0,2})(?![0-9])")
_SQUARE_ENOUGH = 0.02


def choose_grid(
    picture: Path, title: str | None, size: tuple[int, int], seen: dict | None
) -> dict[str, Any] | None:
    """Return {cell_px, phase [x, y], source} of a picture, or None when nobody can tell.

    picture is its path (its `.layout.json` and its name are asked), size its (width, height) [px],
    seen what `find_grid` said of it. source is layout, name or picture.
    """
    return _from_layout(picture) or _from_names(picture, title, size) or _from_picture(seen)


def _from_layout(picture: Path) -> dict[str, Any] | None:
    path = picture.with_name(picture.name + ".layout.json")
    if not path.is_file():
        return None
    try:
        layout = read_json(path)
    except MapmakerError:
        return None  # a damaged layout costs its walls, not the map
    cell_px = layout.get("cell_px") if isinstance(layout, dict) else None
    if not isinstance(cell_px, int | float) or not cell_px >= 1:
        return None
    return {"cell_px": float(cell_px), "phase": [0.0, 0.0], "source": "layout"}


def _from_names(picture: Path, title: str | None, size: tuple[int, int]) -> dict[str, Any] | None:
    """Believe `30x20` in a name when it divides the picture into squares that are square."""
    for text in (picture.stem, title or ""):
        for first, second in _SQUARES.findall(text.replace("_", " ")):
            for columns, rows in ((int(first), int(second)), (int(second), int(first))):
                wide, tall = size[0] / columns, size[1] / rows
                if wide >= LEAST_CELL_PX and abs(wide - tall) <= _SQUARE_ENOUGH * wide:
                    return {"cell_px": (wide + tall) / 2, "phase": [0.0, 0.0], "source": "name"}
    return None


def _from_picture(seen: dict | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"cell_px": seen["cell_px"], "phase": list(seen["phase"]), "source": "picture"}


def find_grid(grey: NDArray[np.uint8]) -> dict[str, Any] | None:
    """Return {cell_px, phase [x, y], score} of the squares a grey picture (H, W) shows, or None.

    cell_px is to about 0.02 px, phase the place [px] of the first line or seam from the left and
    the top edge. Lines at one distance make a comb; a comb's spectrum is a comb again, so the
    score of a distance is the energy at its first twelve harmonics, in both directions, above the
    noise, over the root of their number (which is what tells a square from half or two of it).
    JPEG's own lattice of 8 px is left out.
    """
    longest, shortest = max(grey.shape), min(grey.shape)
    if shortest <= _LEAST_SQUARES * LEAST_CELL_PX:
        return None
    profiles = [_profile(grey, axis) for axis in (1, 0)]
    step = 0.2 * LEAST_CELL_PX / longest  # a fifth of a pixel of drift over the whole picture
    cells = np.exp(np.arange(np.log(LEAST_CELL_PX), np.log(shortest / _LEAST_SQUARES), step))
    total, count = np.zeros(len(cells)), np.zeros(len(cells))
    for profile in profiles:
        energy, size = _energy(profile)
        for harmonic in range(1, _HARMONICS + 1):
            places = np.round(harmonic / cells * size).astype(int)
            found = energy[np.minimum(places, len(energy) - 1)]
            use = (harmonic / cells < _FINEST) & ~np.isnan(found)
            total += np.where(use, found, 0.0)
            count += use
    score = np.where(count >= _HARMONICS / 2, total / np.sqrt(np.maximum(count, 1)), 0.0)
    likely = score * np.minimum(1.0, (_MANY_SQUARES * cells / longest) ** 2.3)
    best = int(likely.argmax())
    if score[best] < SURE * (longest / 768) ** 0.7:  # more squares, more certainty
        return None
    cell_px = _whole(profiles, _refine(profiles, float(cells[best]), float(step)))
    phase = [round(_phase(profile, cell_px), 2) for profile in profiles]
    return {"cell_px": round(cell_px, 3), "phase": phase, "score": round(float(score[best]), 1)}


def _profile(grey: NDArray[np.uint8], axis: int) -> NDArray[np.float64]:
    """Return how line-like each column (axis 1) or row (axis 0) is: robust units, mean 0.

    The second difference peaks on a line and on both sides of a seam. Clipped twice, so that
    neither one black wall nor one bright label outweighs many faint lines.
    """
    kernel = np.array([[-1.0, 2.0, -1.0]], np.float32)
    curve = cv2.filter2D(grey, cv2.CV_16S, kernel if axis else kernel.T)
    curve = np.minimum(cv2.convertScaleAbs(curve), _LINE)
    mean = cv2.reduce(curve, 1 - axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    mean = mean - cv2.blur(mean[None], (_SMOOTH_PX, 1))[0]
    spread = 1.4826 * float(np.median(np.abs(mean - np.median(mean)))) + 1e-6
    clipped = np.clip(mean / spread, -4, 6).astype(np.float64)
    for place in range(_JPEG_PX):  # the edges of JPEG's blocks, or they leak into every wave
        clipped[place::_JPEG_PX] -= clipped[place::_JPEG_PX].mean()
    return clipped


def _energy(profile: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return (spectral energy over its neighbourhood's, less 1; length of the transform).

    Frequencies of the JPEG lattice are NaN.
    """
    length = len(profile)
    size = 1 << int(np.ceil(np.log2(length * 8)))
    energy = np.abs(np.fft.rfft(profile, size)) ** 2
    width = 2 * (size // length * 20) + 1
    ground = np.exp(cv2.blur(np.log(energy + 1e-9)[None], (width, 1))[0] + np.euler_gamma)
    energy = np.minimum(energy / np.maximum(ground, 1e-3 * np.median(ground)), _LOUDEST)
    frequency = np.arange(len(energy)) / size
    lattice = np.abs(frequency - np.round(frequency * _JPEG_PX) / _JPEG_PX) < 1.5 / length
    return np.where(lattice, np.nan, energy - 1.0), size


def _refine(profiles: list[NDArray[np.float64]], cell_px: float, step: float) -> float:
    """Return the distance near `cell_px` whose comb fits best, without the transform's raster."""
    near = cell_px * np.exp(np.linspace(-2 * step, 2 * step, 41))
    energy = sum(np.abs(_comb(profile, near)).sum(axis=1) for profile in profiles)
    return float(near[int(np.argmax(energy))])


def _whole(profiles: list[NDArray[np.float64]], cell_px: float) -> float:
    """Return `cell_px` such that squares fill the picture, when they so nearly do both ways.

    Only when lines at that distance begin at the edges nearly as well as the best ones anywhere.
    """
    counts = [len(profile) / cell_px for profile in profiles]
    whole = float(np.mean([len(p) / round(n) for p, n in zip(profiles, counts, strict=True)]))
    if max(abs(n - round(n)) for n in counts) >= _LEFT_OVER:
        return cell_px
    for profile in profiles:
        places, fit = _fits(profile, whole)
        if fit[_at_edge(places, whole)].max() < _EDGE * _fits(profile, cell_px)[1].max():
            return cell_px
    return whole


def _phase(profile: NDArray[np.float64], cell_px: float) -> float:
    """Return where the first line lies, 0 <= phase < cell_px; at the edge if that fits as well."""
    places, fit = _fits(profile, cell_px)
    at_edge = np.where(_at_edge(places, cell_px), fit, -np.inf)
    best = at_edge if at_edge.max() > _EDGE * fit.max() else fit
    return float(places[int(best.argmax())])


def _fits(
    profile: NDArray[np.float64], cell_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places a first line can have, from the edge of the first pixel, and their fit."""
    waves = _comb(profile, np.array([cell_px]))[0]
    offsets = np.arange(0.0, cell_px, 0.1)
    harmonics = np.arange(1, len(waves) + 1)[:, None]
    fit = (waves[:, None] * np.exp(2j * np.pi * harmonics * offsets / cell_px)).real.sum(axis=0)
    return (offsets + 0.5) % cell_px, fit  # pixel i is centred on i + 0.5


def _at_edge(places: NDArray[np.float64], cell_px: float) -> NDArray[np.bool_]:
    return np.minimum(places, cell_px - places) < 1.5


def _comb(profile: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the profile's waves at the first harmonics of each distance: (cells, harmonics)."""
    places = np.arange(len(profile))
    base = np.exp(-2j * np.pi * places[None, :] / cells[:, None])
    wave, waves = np.ones_like(base), []
    for _ in range(_REFINE_HARMONICS):
        wave = wave * base
        waves.append(wave @ profile)
    return np.stack(waves, axis=1)
