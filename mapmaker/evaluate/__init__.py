"""How good is a net, by numbers that each see something else, always beside what is real.

Nothing heavy is imported until something is measured, so that the command line stays quick.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mapmaker.evaluate.config import EvaluateConfig
from mapmaker.events import Event
from mapmaker.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["EvaluateConfig", "evaluate", "measure"]


def measure(
    ours: "NDArray[np.uint8]",
    train: "NDArray[np.uint8]",
    held_out: "NDArray[np.uint8]",
    *,
    seed: int = 0,
    cell_px: float | None = None,
    groups: "NDArray[np.int64] | None" = None,
) -> dict[str, float]:
    """Return every metric of generated pictures: `measuring.measure`, which says the rest."""
    from mapmaker.evaluate import measuring

    return measuring.measure(ours, train, held_out, seed=seed, cell_px=cell_px, groups=groups)


def evaluate(workspace: Workspace, run: Path, config: EvaluateConfig) -> Iterator[Event]:
    """Measure a run against its data set's held-out maps: `job.evaluate`, which says the rest."""
    from mapmaker.evaluate import job

    yield from job.evaluate(workspace, run, config)
