"""Which of two copies of a map was enlarged or blurred: it shows less than its size promises."""

import numpy as np

from mapmaker.prune.align import Pixels, View

_ENLARGED, _BLURRED = 0.3, 0.6  # of the finest detail of the other: less was never there


def softer(one: View, other: View, times: float) -> int:
    """Return which of two (0, 1) was enlarged or blurred, or -1: what its size promises is missing.

    times is how many times as large (a side) the one is. We weigh the waves that only a picture
    so much larger can show: of an enlarged one next to nothing is left.
    """
    factor = max(times, 1 / times, 1.5)
    left = [_finest(view.centre, factor) for view in (one, other)]
    if 0.97 < times < 1.03:
        low = int(left[1] < left[0])
        return low if left[low] < _BLURRED * left[1 - low] else -1
    large = 0 if times > 1 else 1
    return large if left[large] < _ENLARGED * left[1 - large] else -1


def _finest(grey: Pixels, factor: float) -> float:
    """Return the strength [levels] of the waves that are lost in shrinking `factor` times."""
    height, width = grey.shape
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    energy = np.square(np.abs(np.fft.rfft2((grey - np.float32(grey.mean())) * window)))
    rows, columns = np.abs(np.fft.fftfreq(height))[:, None], np.fft.rfftfreq(width)[None, :]
    lost = np.maximum(rows, columns) > min(0.45, 0.55 / factor)
    return float(np.sqrt(energy[lost].sum())) / (height * width) ** 0.5
