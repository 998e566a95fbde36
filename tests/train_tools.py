"""A small packed data set and a net of 32 px, for the tests of training."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from shard_tools import kept_from_file, make_dataset, pack_all

from mapmaker.events import Done, Event
from mapmaker.models import Nets
from mapmaker.train import TrainConfig, train
from mapmaker.train.data import Pictures
from mapmaker.train.memory import MemoryPlan, plan_memory
from mapmaker.train.recipes import RECOMMENDED, Recipe
from mapmaker.train.state import State, new_state
from mapmaker.workspace import Workspace

SIZE, BATCH = 32, 4
NAME = "maps"
# Nets of a few thousand weights: what is tested here does not depend on their width.
SMALL_NET = """
ema = 0.9
[options]
channels = 8
channels2 = 8
d_depth = 3
latent = "spatial"
"""


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the data set `maps`, packed at 32 px."""
    home = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mapmaker.shards.pack.kept", kept_from_file)
        pack_all(make_dataset(home, 12))
    return home


_plans: dict[str, MemoryPlan] = {}


def plan_once(nets: Nets, **asked: object) -> MemoryPlan:
    """Return the real memory plan, worked out once for equal questions: it takes seconds."""
    question = f"{nets.arch} {nets.size} {nets.options} {sorted(asked.items(), key=str)}"
    if question not in _plans:
        _plans[question] = plan_memory(nets, **asked)
    return _plans[question]


@pytest.fixture
def workspace(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace of one's own with the packed data set and the recipe small.toml."""
    monkeypatch.setattr("mapmaker.train.job.plan_memory", plan_once)
    home = tmp_path / "home"
    shutil.copytree(packed, home)
    (home / "small.toml").write_text(SMALL_NET)
    return Workspace(home)


@pytest.fixture
def pictures(workspace: Workspace) -> Pictures:
    """The packed pictures, resident on the CPU."""
    from mapmaker.shards.reader import open_shards

    shards = open_shards(workspace.dataset(NAME).shards(SIZE))
    cpu = torch.device("cpu")
    return Pictures(shards, device=cpu, seed=0, resident=True, symmetries=True)


def config(workspace: Workspace, **fields: object) -> TrainConfig:
    """Return a config of eight steps in fp32, unless `fields` say otherwise."""
    plain = {
        "size": SIZE,
        "batch": str(BATCH),
        "recipe": str(workspace.home / "small.toml"),
        "precision": "fp32",
        "device": "cpu",
        "tick_kimg": 0.016,
        "name": "run",
    }
    if not {"kimg", "epochs", "minutes"} & set(fields):
        plain["kimg"] = 0.032
    return TrainConfig(**plain | fields)


def run_all(workspace: Workspace, **fields: object) -> list[Event]:
    """Train to the end and return all that was said."""
    return list(events(workspace, **fields))


def events(workspace: Workspace, **fields: object) -> Iterator[Event]:
    """Begin to train on the packed data set."""
    return train(workspace, workspace.dataset(NAME), config(workspace, **fields))


def done(said: list[Event]) -> Done:
    """Return the Done that ends a stage's events."""
    assert isinstance(said[-1], Done)
    return said[-1]


def small_state(recipe: Recipe = RECOMMENDED, seed: int = 0) -> State:
    """Return a fresh state of a small net on the CPU."""
    from dataclasses import replace

    small = {"channels": 8, "channels2": 8, "d_depth": 3, "latent": "spatial"}
    recipe = replace(recipe, options={**recipe.options, **small})
    return new_state("dcgan", SIZE, recipe, torch.device("cpu"), seed)


def weights_sha256(run: Path) -> str:
    """Return the sha256 of a run's newest model.safetensors."""
    step = run / (run / "latest").read_text().strip()
    return hashlib.sha256((step / "model.safetensors").read_bytes()).hexdigest()


def metrics(run: Path) -> list[dict]:
    """Return the rows of metrics.jsonl."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
