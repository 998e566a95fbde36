"""Runs of prune for the tests that disturb them: each in a process of its own.

python prune_runs.py run ROOT ENGINE          prunes, a line a step
python prune_runs.py kill ROOT SCRATCH TIMES  kills copies of it, each later, runs them again
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from mapmaker.errors import Stopped
from mapmaker.events import Done, finish
from mapmaker.prune import measuring
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.kept import features_of
from mapmaker.prune.prune import prune
from mapmaker.prune.thumbs import thumbs_of
from mapmaker.workspace import Dataset


def config(engine: str = "serial") -> PruneConfig:
    return PruneConfig(min_side_px=60, auto=True, engine=engine)


def outcome(dataset: Dataset) -> dict:
    """Return everything prune has left, but for when it was done."""
    with (
        closing(features_of(dataset)) as store,
        thumbs_of(dataset) as thumbs,
        Decisions(dataset.decisions) as decisions,
    ):
        features = {id: repr(f) for id, f in store.all().items()}
        return {
            "features": features,
            "relations": [list(r) for r in store.relations()],
            "suggestions": store.suggestions(),
            "thumbs": sum(id in thumbs for id in features),
            "groups": decisions.groups(),
            "marks": {id: (m.state, m.reason, m.by) for id, m in decisions.all().items()},
        }


def kill(root: Path, scratch: Path, times: int) -> None:
    """Print, as JSON, at which step each copy was killed and whether nothing was lost."""
    rng = random.Random(3)
    calm = copy(root, scratch / "calm")
    measuring.KEEP = 4
    steps = sum(1 for _ in prune(calm, config()))
    wanted = outcome(calm)
    rows = []
    while len(rows) < times:
        dataset = copy(root, scratch / f"killed{len(rows)}")
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            for _ in prune(dataset, config()):
                os.write(tell, b".")
            os._exit(0)
        os.close(tell)
        for _ in range(steps * len(rows) // times):
            os.read(told, 1)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.close(told)
        os.waitpid(child, 0)
        with closing(features_of(dataset)) as store:
            left = len(store.known())
        again = finish(prune(dataset, config())).data["measured"]
        rows.append({"left": left, "again": again, "same": outcome(dataset) == wanted})
        shutil.rmtree(dataset.root)
    print(json.dumps({"pictures": len(wanted["features"]), "rows": rows}))


def copy(root: Path, to: Path) -> Dataset:
    shutil.copytree(root, to)
    return Dataset(to)


def run(root: Path, engine: str) -> None:
    try:
        for event in prune(Dataset(root), config(engine)):
            print("done" if isinstance(event, Done) else "step", flush=True)
    except Stopped as stopped:
        print("stopped", stopped, flush=True)
        sys.exit(130)


if __name__ == "__main__":
    if sys.argv[1] == "kill":
        kill(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        run(Path(sys.argv[2]), sys.argv[3])
