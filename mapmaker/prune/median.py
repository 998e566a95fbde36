"""Medians of a few hundred values, which is where numpy spends its time on other things."""

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray) -> NDArray:
    """Return the median along the last axis (at least one value, no NaN), as `np.median` does."""
    count = values.shape[-1]
    half = count // 2
    if count % 2:
        return np.partition(values, half)[..., half]
    middle = np.partition(values, (half - 1, half))
    return (middle[..., half - 1] + middle[..., half]) * values.dtype.type(0.5)


def quantile(values: NDArray, share: float) -> float:
    """Return the value (n,), n at least 1, below which a share lies, as `np.quantile` does."""
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    ordered = np.partition(values, (low, high))
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
