"""Training: shards in, a run with checkpoints, frames and figures out.

Nothing heavy is imported until a run begins, so that the command line stays quick.
"""

from collections.abc import Iterator

from mapmaker.events import Event
from mapmaker.train.config import TrainConfig
from mapmaker.train.recipes import RECIPES, Recipe, find_recipe
from mapmaker.workspace import Dataset, Workspace

__all__ = ["RECIPES", "Recipe", "TrainConfig", "find_recipe", "train"]


def train(workspace: Workspace, dataset: Dataset, config: TrainConfig) -> Iterator[Event]:
    """Train a net on a data set and yield how it goes; ends with Done, whose data has "run".

    Shards of the size are packed first when they are missing. The same command again goes on with
    its unfinished run, so a run that was killed is finished by running it again.

    Raises BadConfig for another run's name or too little memory, UnsafeInput for corrupt shards or
    checkpoints, NotFinite when the nets diverge, MissingPart when the disk is full, and Stopped
    after a signal; in each case the last good checkpoint is kept.
    """
    from mapmaker.train.loop import run

    yield from run(workspace, dataset, config)
