"""How two pictures that lie upon each other differ: in shape, colour, light, lines and spots."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.median import quantile
from mapmaker.prune.overlap import GREY, Overlap, lessened

_BLOCK_PX = 16
_SOFT = 1.5  # pixels: the shape is the same under grain, blur and the lines of a grid
_LIKE = 0.6  # a block that correlates so well shows the same thing
_COLOUR_PX = 48
_BLACK = 8.0  # levels: darker than this nothing is painted
_COLOURED = 4.0  # levels off grey: less is grey with the noise of an encoding
_HARDLY, _TURNED = 0.8, 0.5  # nearly grey: hues this far apart (a cosine) are no noise
_FAINT, _NOISE = 10.0, 3.0  # a spot differs by more levels than this, and than this times the noise
_LINE = 4.0  # levels a row or column must be off its neighbours (blocks of JPEG q30: 2..3)
_ALONE = 0.5  # and this share of it must be missing in the other picture
_LEAST_LINES, _LEAST_PERIOD_PX = 3, 12
_PARTS = 4  # a line runs through most quarters of the picture, the edge of a logo through one
_SHARPER = 1.5  # times the grain of the other: one of them was blurred or enlarged
_LETTER_PX = 24  # a smaller piece is noise of encoding


@dataclass(frozen=True)
class Shape:
    """How alike the drawing is, whatever its colours: over blocks that show something in either.

    alike is the share of blocks that correlate, middle their median correlation.
    """

    blocks: int
    alike: float
    middle: float


@dataclass(frozen=True)
class Colour:
    """The other's colours against the one's: b = gain * a + offset in each channel.

    apart is the median difference [levels] as they are, left what the line does not explain;
    light is how many times as bright b is, in the median place; spreads are the contrasts of a and
    b; hues (0..1) say how far the colours of a and b lie off one straight line, of which grey and
    sepia are two; same_hues is the cosine between their colours without their brightness.
    """

    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    apart: float
    left: float
    light: float
    spreads: tuple[float, float]
    hues: tuple[float, float]
    same_hues: float


@dataclass(frozen=True)
class Spots:
    """Where the pictures differ once colours are matched.

    area is the share of the ground in coherent spots, rim the share of that near an edge, glass
    how far the ground shows through (1: all, 0: opaque). scattered is the share of pixels in no
    spot; hue is the cosine between the spots' colours in both, 1 when either has none; where
    (h, w) is true in the spots.
    """

    area: float
    rim: float
    glass: float
    scattered: float
    hue: float
    where: NDArray[np.bool_]


def shape(seen: Overlap) -> Shape:
    """Compare the drawing block by block."""
    a, b = (cv2.GaussianBlur(grey, (0, 0), _SOFT) for grey in seen.small)
    block, half = (_BLOCK_PX, _BLOCK_PX), _BLOCK_PX // 2

    def mean(array: NDArray) -> NDArray:
        return cv2.blur(array, block)[half::half, half::half]

    at_a, at_b = mean(a), mean(b)
    of_a = np.sqrt(np.maximum(mean(a * a) - at_a**2, 0))
    of_b = np.sqrt(np.maximum(mean(b * b) - at_b**2, 0))
    together = (mean(a * b) - at_a * at_b) / np.maximum(of_a * of_b, 1e-3)
    shown = (of_a > 1.5 + 0.25 * np.median(of_a)) | (of_b > 1.5 + 0.25 * np.median(of_b))
    if not shown.any():
        return Shape(0, 1.0, 1.0)
    like = together[shown]
    return Shape(int(shown.sum()), float((like > _LIKE).mean()), float(np.median(like)))


def colour(seen: Overlap) -> Colour:
    """Compare the colours of small averages, so that a pixel's shift does not matter."""
    a, b = (lessened(p, _COLOUR_PX).reshape(-1, 3) for p in (seen.a, seen.b))
    red, green, blue = (line(a[:, c], b[:, c]) for c in range(3))
    gain, offset = (red[0], green[0], blue[0]), (red[1], green[1], blue[1])
    left = np.abs(a * np.array(gain) + np.array(offset) - b).mean(axis=1)
    use = _painted(a, b)
    use = use[left[use] <= np.percentile(left[use], 80)]  # a title has its own colours
    a, b, left = a[use], b[use], left[use]
    return Colour(
        gain=gain,
        offset=offset,
        apart=float(np.median(np.abs(a - b).mean(axis=1))),
        left=float(np.median(left)),
        light=float(np.median((b.mean(axis=1) + 1) / (a.mean(axis=1) + 1))),
        spreads=(float(a.mean(axis=1).std()), float(b.mean(axis=1).std())),
        hues=(_hues(a), _hues(b)),
        same_hues=_same_hues(a, b, smooth=True),
    )


def spots(seen: Overlap, tone: Colour | None = None) -> Spots:
    """Compare pixel by pixel, after giving the one the other's `tone`.

    A pixel differs when it is beyond all its neighbours' values in the other picture: a shift of
    half a pixel, ringing and blur do not count.
    """
    a, b = _equally_sharp(_grey(seen, tone), seen.greys[1])
    off = np.maximum(_beyond(a, b), _beyond(b, a))
    noise = np.percentile(off[::2, ::2], [75, 88])  # an overlay covers less than the rest
    hit = off > max(_FAINT, *(4 + _NOISE * noise * (1.0, 0.75)))
    spot = _coherent(hit)
    scattered = float((hit & ~spot).mean())
    if not spot.any():
        return Spots(0.0, 0.0, 1.0, scattered, 1.0, spot)
    height, width = spot.shape
    y, x = np.nonzero(spot)
    near_x = np.minimum(x, width - 1 - x) < 0.15 * width
    near_y = np.minimum(y, height - 1 - y) < 0.15 * height
    rim = float((near_x | near_y).mean())
    hue = _same_hues(seen.a[spot], seen.b[spot])
    return Spots(float(spot.mean()), rim, _glass(a[spot], b[spot]), scattered, hue, spot)


def lines(seen: Overlap, tone: Colour | None = None) -> tuple[int, int]:
    """Return how many evenly spaced columns and rows run through one picture only."""
    a, b = _grey(seen, tone), seen.greys[1]
    return _comb(a, b), _comb(a.T, b.T)


def _grey(seen: Overlap, tone: Colour | None) -> NDArray:
    """Return the brightness of the one, in the colours of the other when its tone is given."""
    if tone is None:
        return seen.greys[0]
    weights = (*(GREY * np.array(tone.gain, np.float32)), GREY @ tone.offset)
    return cv2.transform(seen.a, np.array([weights], np.float32))


def line(a: NDArray, b: NDArray) -> tuple[float, float]:
    """Return gain and offset of b against a; what most values agree on, outliers left out."""
    u, v, gain, offset = a, b, 1.0, 0.0
    for _ in range(4):
        mean_u, mean_v = float(u.mean()), float(v.mean())
        spread = u - mean_u
        variance = float((spread * spread).mean())
        gain = float((spread * (v - mean_v)).mean()) / variance if variance > 4 else 1.0
        offset = mean_v - gain * mean_u
        error = np.abs(gain * a + (offset - b))
        keep = error <= max(2.0, quantile(error, 0.7))
        u, v = a[keep], b[keep]
    return gain, offset


def _painted(a: NDArray, b: NDArray) -> NDArray[np.intp]:
    """Return which colours (n, 3) are not of a black surround in both; all when hardly any is."""
    shown = np.flatnonzero(np.maximum(a.mean(axis=1), b.mean(axis=1)) > _BLACK)
    return shown if len(shown) > 0.05 * len(a) else np.arange(len(a))


def _hues(colours: NDArray) -> float:
    """Return the spread of colours (n, 3) across their main direction, over that along it."""
    along, across, _ = np.linalg.svd(colours - colours.mean(axis=0), compute_uv=False)
    return float(across / (along + 2.0 * len(colours) ** 0.5))


def _same_hues(a: NDArray, b: NDArray, *, smooth: bool = False) -> float:
    """Return the cosine between what makes a and b (n, 3) coloured; 1 when either hardly is.

    Of smooth averages we believe less colour: an encoding's noise is gone from them.
    """
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(a), np.linalg.norm(b)
    cosine = float((a * b).sum() / max(sizes[0] * sizes[1], 1e-6))
    coloured = min(sizes) / a.size**0.5
    if coloured < _COLOURED and not (smooth and coloured > _HARDLY and cosine < _TURNED):
        return 1.0
    return cosine


def _equally_sharp(a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """Return both a little softened, and the sharper one as far as makes it most like the other."""
    grain = [float(np.abs(cv2.Laplacian(p, cv2.CV_32F)).mean()) for p in (a, b)]
    a, b = (cv2.GaussianBlur(p, (0, 0), 0.7) for p in (a, b))
    if max(grain) < _SHARPER * min(grain):
        return a, b
    sharp, soft = (a, b) if grain[0] > grain[1] else (b, a)
    tries = [sharp, *(cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1.0, 1.5, 2.2, 3.3))]
    best = min(tries, key=lambda p: float(np.abs(p - soft).mean()))
    return (best, soft) if grain[0] > grain[1] else (soft, best)


def _beyond(a: NDArray, b: NDArray) -> NDArray:
    """Return how far a is outside of what b shows within a pixel [levels]."""
    around = np.ones((3, 3), np.uint8)
    return np.maximum(np.maximum(a - cv2.dilate(b, around), cv2.erode(b, around) - a), 0)


def _coherent(hit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pieces that are large enough for a letter, without the noise."""
    joined = cv2.morphologyEx(hit.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= _LETTER_PX
    large[0] = False
    return large[labels.astype(np.intp)]


def _glass(u: NDArray, v: NDArray) -> float:
    """Return how well the spots of one picture (n,) are those of the other seen through glass.

    Through glass of one colour the ground keeps its shape and loses contrast; opaque spots keep
    nothing of it. Either of the two may lie under the glass.
    """
    return max(_through(u, v), _through(v, u))


def _through(u: NDArray, v: NDArray) -> float:
    gain, offset = line(u, v)
    error = np.abs(gain * u + offset - v)
    clear = error <= np.percentile(error, 70)  # the rims of letters are half glass
    if min(u[clear].std(), v[clear].std()) <= 1:
        return 0.0
    return max(0.0, float(np.corrcoef(u[clear], v[clear])[0, 1]))


def _comb(a: NDArray, b: NDArray) -> int:
    """Return how many columns at even distances stand out in one picture and not in the other."""
    stand_a, stand_b = _stands(a), _stands(b)
    off, most = np.abs(stand_a - stand_b), np.maximum(np.abs(stand_a), np.abs(stand_b))
    off[off < _ALONE * most] = 0
    off[off < max(_LINE, 6 * float(np.median(most)))] = 0
    highest = cv2.dilate(off.astype(np.float32)[None, :], np.ones((1, 5), np.uint8))[0]
    at = np.flatnonzero((off > 0) & (off.astype(np.float32) == highest))
    if len(at) < _LEAST_LINES:
        return 0
    weight = off[at]
    best = 0
    for first in at[np.argsort(weight)[-3:]]:
        gaps = np.abs(at - first)[at != first][:, None] / np.arange(1, 9)
        periods = np.unique(gaps[gaps >= _LEAST_PERIOD_PX])[:, None]
        steps = np.round((at - first) / periods)
        on = np.abs(at - first - steps * periods) < np.maximum(1.5, 0.02 * periods)
        for row in np.flatnonzero((on * weight).sum(axis=1) > 0.75 * weight.sum()):
            used = steps[row][on[row]]
            slots, full = len(set(used)), used.max() - used.min() + 1
            if slots >= max(_LEAST_LINES, full / 2):
                best = max(best, slots)
    return best


def _stands(grey: NDArray) -> NDArray:
    """Return how far each column is off the median of the five around it, in most of its parts."""
    parts = np.stack([p.mean(axis=0) for p in np.array_split(grey, _PARTS)]).astype(np.float32)
    if parts.shape[1] < 6:
        return np.zeros(parts.shape[1])
    return np.median(parts - [cv2.medianBlur(p[None, :], 5)[0] for p in parts], axis=0)
