"""A run's folder: which one a command means, what is recorded in it, and how far it has come.

checkpoints/<run>/  config.toml recipe.toml env.json data.json metrics.jsonl status.json
                    events.jsonl frames/ reals.webp losses.png latest best step-*/
"""

import json
import os
import time
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from mapmaker.config import fingerprint, from_table, from_toml, to_toml
from mapmaker.errors import BadConfig, MapmakerError, MissingPart, UnsafeInput
from mapmaker.files import (
    append_line,
    read_json,
    read_lines,
    read_plain,
    write_atomic,
    write_json,
    write_lines,
)
from mapmaker.registry import unknown
from mapmaker.train.config import TrainConfig, changed
from mapmaker.train.recipes import Recipe, find_recipe
from mapmaker.workspace import Workspace, locked

# What makes a run another run; the rest (budget, memory, device, rhythm) may change on --resume.
IDENTITY = ("arch", "size", "seed", "recipe", "kinds")


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder, the config and recipe to train it with, and a word on the choice."""

    root: Path
    config: TrainConfig
    recipe: Recipe
    note: str = ""

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"


def choose_run(workspace: Workspace, dataset: str, config: TrainConfig) -> Run:
    """Return the run that `config` means: a new one, or one to go on with. Writes nothing.

    The same command again goes on with its unfinished run. --resume goes on with the named or the
    data set's newest run, finished or not; what is not said stays as it was. Raises BadConfig when
    the name is taken by another run, UnknownName when --resume finds none.
    """
    if config.resume:
        return _resumed(workspace, dataset, config)
    recipe = find_recipe(config.recipe, config.arch)
    if config.name is not None:
        root = workspace.run(config.name)
        if not (root / "config.toml").exists():
            return Run(root, config, recipe)
        if _same_command(root, dataset, config, recipe):
            if state_of(root) != "finished":
                return Run(root, config, recipe, _going_on(root))
            # Not an error: a command that was killed at its very end is run again all the same.
            more = f"--resume --name {root.name} and a larger budget go on with it"
            return Run(root, config, recipe, f"The run {root.name} is finished; {more}.")
        raise BadConfig(
            f"The run {root.name} exists with another configuration ({root / 'config.toml'}).",
            hint="Choose another --name, or --resume to go on with it as it was begun.",
        )
    for name in workspace.run_names():
        root = workspace.run(name)
        mine = state_of(root) != "finished" and not in_use(root)
        if mine and _same_command(root, dataset, config, recipe):
            return Run(root, config, recipe, _going_on(root))
    number = 1
    while workspace.run(f"{dataset}-{config.size}-{number}").exists():
        number += 1
    return Run(workspace.run(f"{dataset}-{config.size}-{number}"), config, recipe)


def _resumed(workspace: Workspace, dataset: str, config: TrainConfig) -> Run:
    names = [
        n for n in workspace.run_names() if read_header(workspace.run(n))["dataset"] == dataset
    ]
    if config.name is None and not names:
        raise MapmakerError(
            f"There is no run of {dataset} to resume.", hint="Leave --resume out to begin one."
        )
    name = names[0] if config.name is None else config.name
    if name not in names:
        raise unknown(f"run of {dataset}", name, names)
    root = workspace.run(name)
    before = read_config(root)
    said = changed(config)
    for field in IDENTITY:
        if field in said and said[field] != getattr(before, field):
            raise BadConfig(
                f"The run {name} has {field} {getattr(before, field)}, not {said[field]}.",
                hint="Leave it out to resume that run, or leave --resume out to begin another.",
            )
    if {"kimg", "epochs", "minutes"} & set(said):
        before = replace(before, kimg=None, epochs=None, minutes=None)
    recipe = from_toml(Recipe, root / "recipe.toml")
    return Run(root, replace(before, **said | {"resume": False}), recipe, _going_on(root))


def _going_on(root: Path) -> str:
    latest = root / "latest"
    where = latest.read_text().strip() if latest.is_file() else "its beginning"
    return f"Going on with the run {root.name} from {where}."


def _same_command(root: Path, dataset: str, config: TrainConfig, recipe: Recipe) -> bool:
    return (
        (root / "recipe.toml").exists()
        and read_header(root)["dataset"] == dataset
        and _essence(read_config(root)) == _essence(config)
        and fingerprint(from_toml(Recipe, root / "recipe.toml")) == fingerprint(recipe)
    )


def _essence(config: TrainConfig) -> str:
    return fingerprint(replace(config, name=None, resume=False, recipe="recommended"))


def in_use(root: Path) -> bool:
    """Return whether another process holds the run."""
    try:
        with locked(root):
            return False
    except MissingPart:
        return True


def state_of(root: Path) -> str:
    """Return running, stopped, failed or finished: the last thing the run said of itself."""
    status = root / "status.json"
    return str(read_json(status).get("state", "")) if status.exists() else "running"


def read_header(root: Path) -> dict[str, Any]:
    """Return the [run] table of config.toml: data set, generator hash, options."""
    return _tables(root)[1]


def read_config(root: Path) -> TrainConfig:
    """Return the config a run was last trained with."""
    return from_table(TrainConfig, _tables(root)[0], str(root / "config.toml"))


def _tables(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = root / "config.toml"
    try:
        table = tomllib.loads(read_plain(path))
        header = table.pop("run")
        return table, {"dataset": header["dataset"], **header}
    except (tomllib.TOMLDecodeError, RecursionError, KeyError, TypeError) as error:
        raise UnsafeInput(f"{path} is no run's config: {error}.", hint="Restore it.") from error


def record(run: Run, header: Mapping[str, Any], env: Mapping[str, Any], data: Any) -> None:
    """Write what the run is: recipe.toml, env.json, data.json, and config.toml last."""
    write_atomic(
        run.root / "recipe.toml", tomli_w.dumps(json.loads(json.dumps(asdict(run.recipe))))
    )
    write_json(run.root / "env.json", env)
    write_json(run.root / "data.json", data)
    text = to_toml(replace(run.config, name=run.name, resume=False))
    write_atomic(run.root / "config.toml", text + "\n" + tomli_w.dumps({"run": header}))


def beat(run: Run, state: str, **figures: Any) -> None:
    """Write the heartbeat: status.json with the state, this process and the figures."""
    row = {"state": state, "pid": os.getpid(), "at": round(time.time(), 1), **figures}
    write_json(run.root / "status.json", row)


def note_event(run: Run, kind: str, step: int, **facts: Any) -> None:
    """Write a line of events.jsonl: what the run did about trouble, and when."""
    row = {"event": kind, "step": step, "at": round(time.time(), 1), **facts}
    append_line(run.root / "events.jsonl", row)


def forget_after(run: Run, step: int, images: int) -> None:
    """Take back the metrics and frames that a killed run left after the checkpoint at `step`."""
    rows = read_lines(run.metrics)
    kept = [row for row in rows if row["step"] <= step]
    if len(kept) < len(rows):
        write_lines(run.metrics, kept)
    for frame in (run.root / "frames").glob("kimg*.webp"):
        if float(frame.stem[4:].replace("_", ".")) > images / 1000 + 1e-6:
            frame.unlink()
