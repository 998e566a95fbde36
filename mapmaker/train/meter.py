"""Figures and clocks of a run: summed on the device, read only when somebody looks."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

PULSE_S = 2.0  # a person wants a sign of life this often
TICK_S = 20.0  # by the clock, a tick no sooner than this
FIRST_SAVE_S = 10.0  # soon, so that a run killed early need not begin again


@dataclass(slots=True)
class Meter:
    """The mean of each figure since the last tick, and the speed."""

    images: int = 0
    seconds: float = 0.0
    _sums: dict[str, Tensor] = field(default_factory=dict)
    _read: dict[str, float] = field(default_factory=dict)
    _steps: int = 0
    _since: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Begin to count time: what came before was no training."""
        self._since = time.monotonic()

    def add(self, figures: Mapping[str, Tensor], images: int) -> None:
        """Add one step's figures; nothing is waited for."""
        for name, value in figures.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._steps += 1
        self.images += images

    def read(self) -> dict[str, float]:
        """Return the means since the last reset. Waits for the device."""
        if self._sums:
            values = torch.stack(list(self._sums.values())).tolist()
            for name, value in zip(self._sums, values, strict=True):
                self._read[name] = self._read.get(name, 0.0) + value
            self._sums.clear()
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now
        return {name: value / self._steps for name, value in self._read.items()}

    def reset(self) -> None:
        """Begin a new tick."""
        self._read.clear()
        self._sums.clear()
        self._steps = self.images = 0
        self.seconds = 0.0
        self._since = time.monotonic()

    @property
    def images_per_s(self) -> float:
        return self.images / self.seconds if self.seconds > 0 else 0.0

    @property
    def sec_per_kimg(self) -> float:
        return 1000 * self.seconds / self.images if self.images else 0.0


@dataclass(slots=True)
class Rhythm:
    """When something costly is due again: by the clock, and at most one `share`-th of the time."""

    least_s: float
    share: int = 20
    last: float = field(default_factory=time.monotonic)
    cost_s: float = 0.0

    def due(self) -> bool:
        return time.monotonic() - self.last >= max(self.least_s, self.share * self.cost_s)

    def done(self, began: float) -> None:
        """Note that it was done, from `began` (time.monotonic) until now."""
        self.last = time.monotonic()
        self.cost_s = self.last - began
