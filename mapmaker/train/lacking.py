"""What a run lacked memory for, remembered for its next start.

checkpoints/<run>/smaller.json: the plan that a process could not change to by itself.
"""

from dataclasses import asdict, replace

from mapmaker.errors import UnsafeInput
from mapmaker.files import read_json, write_json
from mapmaker.train.runs import Run
from mapmaker.train.step import Pace

FILE = "smaller.json"


def remember(run: Run, pace: Pace, checkpointing: bool) -> None:
    """Write down the plan that the next start of `run` shall take."""
    plan = {**asdict(pace), "checkpointing": checkpointing, "memory": run.config.memory}
    write_json(run.root / FILE, plan)


def recall(run: Run, pace: Pace, checkpointing: bool) -> tuple[Pace, bool]:
    """Return the plan to begin with: the remembered one where it needs less than what is given.

    What was remembered of another batch, number of processes, precision or --memory does not count.
    Raises UnsafeInput for a file that is not what `remember` wrote.
    """
    path = run.root / FILE
    if not path.is_file():
        return pace, checkpointing
    plan = read_json(path)
    kinds = {field: type(value) for field, value in asdict(pace).items()}
    kinds |= {"checkpointing": bool, "memory": str}
    sound = isinstance(plan, dict) and {k: type(v) for k, v in plan.items()} == kinds
    if not sound or plan["micro_batch"] < 1:
        raise UnsafeInput(f"{path} is not a plan as we write it.", hint="Remove it.")
    memory, twice = plan.pop("memory"), plan.pop("checkpointing")
    before = Pace(**plan)
    alike = replace(before, micro_batch=1, accumulate=1) == replace(
        pace, micro_batch=1, accumulate=1
    )
    alike = alike and before.batch == pace.batch and memory == run.config.memory
    if not alike or before.micro_batch > pace.micro_batch:
        return pace, checkpointing
    return before, twice or checkpointing
