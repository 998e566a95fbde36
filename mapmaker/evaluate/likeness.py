"""MS-SSIM between pairs of one set: are the pictures different from each other?

Source: Wang, Simoncelli, Bovik, Multiscale structural similarity, 2003; as a measure of a
generator's diversity: Odena et al., ICML 2017. High is collapsed; compare with the reals' own.
"""

from itertools import combinations

import cv2
import numpy as np

from mapmaker.evaluate.pictures import Floats, Images, random, shrunk

PAIRS = 200
SIDE_PX = 128  # larger pictures are measured at this side
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_PAIRS = 3  # purpose of random numbers


def mean_likeness(images: Images, *, seed: int = 0) -> float:
    """Return the mean MS-SSIM of 200 random pairs, or of all pairs where there are fewer."""
    pairs = list(combinations(range(len(images)), 2))
    chosen = random(seed, _PAIRS).permutation(len(pairs))[:PAIRS]
    small = [shrunk(image, SIDE_PX).astype(np.float32) / 255 for image in images]
    return float(np.mean([ms_ssim(small[i], small[j]) for i, j in (pairs[n] for n in chosen)]))


def ms_ssim(a: Floats, b: Floats) -> float:
    """Return the multi-scale structural similarity of two pictures (S, S, 3) in 0..1; 1 is equal.

    Five scales as in the paper where the coarsest has a window's 11 px, else as many as have, with
    the weights scaled to sum to 1. What is negative at a scale counts as 0.
    """
    fitting = [n for n in range(len(_WEIGHTS)) if a.shape[0] >> n >= _WINDOW_PX]
    weights = np.array(_WEIGHTS[: len(fitting)]) / sum(_WEIGHTS[: len(fitting)])
    product = 1.0
    for number, weight in enumerate(weights):
        luminance, structure = _compare(a, b)
        last = number == len(weights) - 1
        product *= max(0.0, luminance if last else structure) ** weight
        a, b = (_half(picture) for picture in (a, b))
    return float(product)


def _compare(a: Floats, b: Floats) -> tuple[float, float]:
    """Return the mean of luminance, contrast and structure together, and of the latter two."""
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    shared = _blur(a * b) - mean_a * mean_b
    structure = (2 * shared + _C2) / (var_a + var_b + _C2)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return float((luminance * structure).mean()), float(structure.mean())


def _blur(picture: Floats) -> Floats:
    """Return the picture under the window, where it lies wholly inside."""
    soft = cv2.GaussianBlur(picture, (_WINDOW_PX, _WINDOW_PX), _SIGMA_PX)
    edge = _WINDOW_PX // 2
    inside = soft[edge : soft.shape[0] - edge, edge : soft.shape[1] - edge]
    return inside.astype(np.float32, copy=False)


def _half(picture: Floats) -> Floats:
    side = picture.shape[0] // 2
    even = picture[: 2 * side, : 2 * side]
    half = cv2.resize(even, (side, side), interpolation=cv2.INTER_AREA)
    return half.astype(np.float32, copy=False)
