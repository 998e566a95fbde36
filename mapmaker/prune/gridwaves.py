"""How line-like each column and row of a picture is, and which waves that profile is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.median import median

_BLOCK_PX = 32  # a line is straight: averaging along it keeps it, and cancels texture
_NEAR_PX = 41  # what a line must stand out from
_FAINT = 1.5  # grey levels: what stands out from less than this is noise
_LOUD = 5.0  # times its neighbourhood; a wall counts no more than that
_SMOOTH_PX = 31
_LOWEST, _HIGHEST = -4.0, 8.0  # spreads
_LOUDEST = 60.0  # no single wave outweighs the others
_JPEG_PX = 8
_HARMONICS, _LEAST_HARMONICS = 12, 3
_FINEST = 0.45  # cycles a pixel
_BLUR_PX = 1.6  # a line shows with both its sides; its middle is where it lies

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profile:
    """How line-like each pixel column (or row) is: a line, or both sides of a seam, stands out.

    heights: in robust spreads, mean 0 near by. signal: the same, clipped so that neither one black
    wall nor one bright label outweighs many faint lines, without the edges of JPEG's blocks. fine:
    the part of signal that is seen at native resolution only, which places lines best.
    """

    heights: Floats
    signal: Floats
    fine: Floats

    def __len__(self) -> int:
        return len(self.signal)


def profiles(fine: NDArray, broad: NDArray) -> tuple[Profile, Profile]:
    """Return the profiles of the columns and of the rows of a grey picture (H, W).

    It is given as the sums (`shot.summed`) of itself and of its half: fine lines show at native
    resolution, wobbly and broad ones at half of it; both are added up.
    """
    across, down = (_both(_heights(fine, axis), _heights(broad, axis)) for axis in (1, 0))
    return across, down


def shrunk(grey: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture averaged by area to size (width, height)."""
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _both(fine: Floats, broad: Floats) -> Profile:
    places = (np.arange(len(fine)) + 0.5) * len(broad) / len(fine) - 0.5
    broad = np.interp(places, np.arange(len(broad)), broad)
    thin, wide = (
        _even(np.minimum(np.maximum(heights, _LOWEST), _HIGHEST)) for heights in (fine, broad)
    )
    return Profile(fine + broad, thin + wide, thin)


def _even(signal: Floats) -> Floats:
    """Return a signal without what repeats every 8 px: JPEG's edges would leak into every wave."""
    rows = -(-len(signal) // _JPEG_PX)
    even = np.zeros(rows * _JPEG_PX)
    even[: len(signal)] = signal
    counts = np.full(_JPEG_PX, rows)
    counts[_JPEG_PX - (len(even) - len(signal)) :] -= 1
    table = even.reshape(rows, _JPEG_PX)
    return (table - table.sum(axis=0) / np.maximum(counts, 1)).ravel()[: len(signal)]


def _heights(sums: NDArray, axis: int) -> Floats:
    """Return how much each column (axis 1) or row (axis 0) stands out, in robust spreads.

    The picture is averaged over strips of 32 px along the lines looked for, then every place is
    measured against its own neighbourhood: a faint line on a quiet floor counts like a bold one
    in a thicket.
    """
    bend = np.abs(
        cv2.filter2D(_strips(sums, axis), cv2.CV_32F, np.array([[-0.5, 1.0, -0.5]], np.float32))
    )
    around = cv2.blur(bend, (_NEAR_PX, 1)) + _FAINT
    mean = np.minimum(bend / around, _LOUD).mean(axis=0)
    heights = (mean - cv2.blur(mean[None], (_SMOOTH_PX, 1))[0]).astype(np.float64)
    return heights / (1.4826 * float(median(np.abs(heights - median(heights)))) + 1e-6)


def _strips(sums: NDArray, axis: int) -> NDArray[np.float32]:
    """Return the picture averaged over strips along the lines looked for: (strips, length)."""
    along = sums.shape[1 - axis] - 1
    count = max(1, along // _BLOCK_PX)
    ends = along * np.arange(count + 1) // count
    rows = sums[ends] if axis else sums[:, ends].T
    total = rows[1:] - rows[:-1]
    many = (ends[1:] - ends[:-1])[:, None].astype(np.float32)
    return (total[:, 1:] - total[:, :-1]).astype(np.float32) / many


def scores(profile: Profile, cells: Floats) -> Floats:
    """Return for each distance [px] how much of the profile is a comb of lines that far apart.

    Lines at one distance make a comb; a comb's spectrum is a comb again. The score is the energy
    at the first twelve harmonics above the noise, over the root of their number (which is what
    tells a square from half or two of it). JPEG's own lattice of 8 px is left out.
    """
    energy, size = _energy(profile.signal)
    waves = np.arange(1, _HARMONICS + 1)[:, None] / cells  # cycles a pixel
    places = np.rint(waves * size).astype(np.intp)
    found = energy[np.minimum(places, len(energy) - 1)]
    use = (waves < _FINEST) & ~np.isnan(found)
    count = use.sum(axis=0)
    total = np.where(use, found, 0.0).sum(axis=0)
    score = np.where(count >= _LEAST_HARMONICS, total / np.sqrt(np.maximum(count, 1)), 0.0)
    return np.maximum(score, 0.0)


def _energy(signal: Floats) -> tuple[Floats, int]:
    """Return (spectral energy over its neighbourhood's, less 1; length of the transform).

    Frequencies of the JPEG lattice are NaN.
    """
    length = len(signal)
    size = 1 << int(np.ceil(np.log2(length * 8)))
    energy = np.abs(np.fft.rfft(signal, size)) ** 2
    width = 2 * (size // length * 20) + 1
    ground = np.exp(cv2.blur(np.log(energy + 1e-9)[None], (width, 1))[0] + np.euler_gamma)
    energy = np.minimum(energy / np.maximum(ground, 1e-3 * median(ground) + 1e-9), _LOUDEST)
    return np.where(_lattice(length, size), np.nan, energy - 1.0), size


@lru_cache(maxsize=8)
def _lattice(length: int, size: int) -> NDArray[np.bool_]:
    """Return which waves of a signal's transform are those of JPEG's blocks."""
    frequency = np.arange(size // 2 + 1) / size
    return np.abs(frequency - np.round(frequency * _JPEG_PX) / _JPEG_PX) < 1.5 / length


def strengths(profiled: Sequence[Profile], cells: Floats) -> Floats:
    """Return how well a comb at each distance [px] fits all profiles together, any unit."""
    signals = [p.signal for p in profiled]
    same = len({len(signal) for signal in signals}) == 1
    parts = [np.stack(signals)] if same else [signal[None] for signal in signals]
    return np.sum([np.abs(_waves(part, cells)).sum(axis=(0, 2)) for part in parts], axis=0)


def refine(profiled: Sequence[Profile], cell_px: float, step: float) -> float:
    """Return the distance near `cell_px` whose comb fits best, without the transform's raster.

    step is the raster's, relative.
    """
    for reach, count in ((1.5, 11), (0.3, 9)):
        near = cell_px * np.exp(np.linspace(-reach * step, reach * step, count))
        cell_px = float(near[int(np.argmax(strengths(profiled, near)))])
    return cell_px


def fits(signal: Floats, cell_px: float, step_px: float) -> tuple[Floats, Floats]:
    """Return the places a first line can have, from the edge of the first pixel, and their fit."""
    waves = _waves(signal[None], np.array([cell_px]))[0, 0]
    harmonics = np.arange(1, len(waves) + 1)
    waves = waves * np.exp(-2 * (np.pi * _BLUR_PX / cell_px * harmonics) ** 2)
    offsets = np.arange(0.0, cell_px, step_px)
    turn, fit = np.exp(2j * np.pi / cell_px * offsets), np.zeros(len(offsets))
    for wave in waves[::-1]:
        fit = (fit + wave) * turn  # Horner
    return (offsets + 0.5) % cell_px, fit.real  # pixel i is centred on i + 0.5


def _waves(signals: Floats, cells: Floats) -> NDArray[np.complex128]:
    """Return the waves of signals (n, length) at the first harmonics of each distance: (n, cells,
    harmonics).

    A signal is cut in pieces as long as there are pieces: all waves of a piece are one small
    product (BLAS asks no other thread to help), and they are all that is turned and added up.
    """
    many, length = signals.shape
    count = int(np.clip(_FINEST * cells.min(), 1, _HARMONICS))
    side = int(np.ceil(np.sqrt(length)))
    pieces = np.zeros((many, side * side))
    pieces[:, :length] = signals
    places = -2j * np.pi * np.arange(side)[:, None] / cells
    within, between = (_harmonics(np.exp(step * places), count) for step in (1, side))
    sums = pieces.reshape(many, 1, side, side) @ within.view(np.float64)
    return (sums.view(np.complex128) * between).sum(axis=2).transpose(0, 2, 1)


def _harmonics(base: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    """Return the first powers of the waves `base` (places, cells): (count, places, cells)."""
    powers = np.empty((count, *base.shape), np.complex128)
    powers[:] = base
    return np.multiply.accumulate(powers, axis=0, out=powers)


def line_heights(profile: Profile, cell_px: float, phase: float) -> Floats:
    """Return how much each line of a lattice stands out; the first lies at `phase` [px]."""
    heights = np.ravel(cv2.blur(profile.heights[None], (3, 1)))
    lines = np.arange(phase % cell_px, len(heights), cell_px)
    return np.interp(lines - 0.5, np.arange(len(heights)), heights)
