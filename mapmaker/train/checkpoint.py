"""Checkpoints: safetensors with sums, written beside and renamed, so that a crash loses nothing.

    checkpoints/<run>/latest          the name of the newest whole step folder
                      step-00012000/  model.safetensors state.safetensors state.json SHA256SUMS

A step folder has its name only when it is whole. There is no pickle in it, nothing is executed.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, UnsafeInput
from mapmaker.files import need_room, read_json, sha256_of, speaking_of, sync, write_atomic
from mapmaker.train.state import (
    State,
    generator_hash,
    model_tensors,
    optimiser_tensors,
    restore,
)
from mapmaker.train.step import Pace

SUMS = "SHA256SUMS"
MODEL, OPTIMISER, COUNTERS = "model.safetensors", "state.safetensors", "state.json"
_STEP = re.compile(r"step-\d{8,}")


def save_checkpoint(run: Path, state: State, pace: Pace, *, keep: int = 2) -> Path:
    """Write the state as the run's newest checkpoint and return its folder.

    Keeps the newest `keep` and the best. Raises MissingPart when the disk is full; what was there
    before is then untouched.
    """
    model, optimiser = model_tensors(state), optimiser_tensors(state)
    need_room(
        run, int(1.02 * sum(t.nbytes for t in [*model.values(), *optimiser.values()])) + 65536
    )
    folder = run / f"step-{state.step:08d}"
    clean(run)
    if folder.exists():  # saved before a crash, or found corrupt and trained again
        _remove(folder)
    beside = run / f".{folder.name}.tmp"
    try:
        with speaking_of(folder):
            beside.mkdir(parents=True)
            _save_tensors(beside / MODEL, model)
            _save_tensors(beside / OPTIMISER, optimiser)
            (beside / COUNTERS).write_text(json.dumps(_counters(state, pace), indent=1) + "\n")
            write_sums(beside)
            beside.rename(folder)
            sync(run)
    except MapmakerError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    write_atomic(run / "latest", folder.name + "\n")
    _forget(run, keep)
    return folder


def load_checkpoint(folder: Path, state: State) -> Pace:
    """Put the checkpoint in `folder` into `state` and return the pace it was trained at.

    Raises UnsafeInput for a sum that does not match, BadConfig for another net's checkpoint.
    """
    check_sums(folder)
    counters = read_json(folder / COUNTERS)
    check_same_net(folder, counters, state.nets.arch, state.nets.size, generator_hash(state.nets))
    model = load_tensors(folder / MODEL)
    if ("G_ema" in state.modules()) != any(k.startswith("G_ema.") for k in model):
        raise BadConfig(
            f"{folder} and this recipe disagree on the averaged generator.",
            hint="Resume with the recipe the run began with.",
        )
    restore(state, model, load_tensors(folder / OPTIMISER))
    for name in ("step", "images", "seconds", "best"):
        setattr(state, name, counters[name])
    return Pace(**counters["pace"])


def newest_good(run: Path) -> tuple[Path, list[str]]:
    """Return the newest checkpoint whose sums match, and a line for each newer one that is corrupt.

    Raises MapmakerError when the run has none yet, UnsafeInput when none is good.
    """
    folders = step_folders(run)
    if not folders:
        raise MapmakerError(
            f"{run} holds no checkpoint yet.", hint="Train it for a minute: `mapmaker train`."
        )
    errors: list[UnsafeInput] = []
    for folder in folders:
        try:
            check_sums(folder)
            return folder, [f"{error} The checkpoint before it is used." for error in errors]
        except UnsafeInput as error:
            errors.append(error)
    raise errors[0]


def step_folders(run: Path) -> list[Path]:
    """Return the run's step folders, newest first."""
    found = [p for p in run.glob("step-*") if p.is_dir() and _STEP.fullmatch(p.name)]
    return sorted(found, key=lambda p: int(p.name[5:]), reverse=True)


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every other file of `folder` (`sha256sum -c` reads it); all fsynced."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name != SUMS)
    for file in files:
        sync(file)
    (folder / SUMS).write_text("".join(f"{sha256_of(p)}  {p.name}\n" for p in files))
    sync(folder / SUMS)
    sync(folder)


def check_sums(folder: Path) -> None:
    """Raise UnsafeInput, naming the file, unless every file of `folder` is as it was written."""
    hint = "Delete that step's folder to go on from the one before it, or restore it from a copy."
    sums = folder / SUMS
    try:
        rows = [line.split("  ", 1) for line in sums.read_text().splitlines()]
        wanted = {name: digest for digest, name in rows}
    except (OSError, ValueError) as error:
        raise UnsafeInput(f"{sums} is missing or unreadable.", hint=hint) from error
    if not {MODEL, COUNTERS} <= set(wanted) or any("/" in name for name in wanted):
        raise UnsafeInput(f"{sums} does not list a checkpoint's files.", hint=hint)
    for name, digest in wanted.items():
        file = folder / name
        if not file.is_file():
            raise UnsafeInput(f"{file} is missing.", hint=hint)
        if sha256_of(file) != digest:
            raise UnsafeInput(f"{file} is corrupt: its sha256 is not what was written.", hint=hint)


def check_same_net(
    folder: Path, counters: Mapping[str, Any], arch: str, size: int, structure: str
) -> None:
    """Raise BadConfig unless the checkpoint is of this architecture, size and structure."""
    theirs = f"{counters.get('arch')} at {counters.get('size')} px"
    if (counters.get("arch"), counters.get("size")) != (arch, size):
        raise BadConfig(
            f"{folder} is a {theirs}, not a {arch} at {size} px.",
            hint="Give the run's own --arch and --size, or another --name for a new run.",
        )
    if counters.get("generator") != structure:
        raise BadConfig(
            f"{folder} is a {theirs} whose layers differ from this recipe's.",
            hint="Resume with the recipe and the version of mapmaker the run began with.",
        )


def load_tensors(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Return the tensors of a safetensors file. Raises UnsafeInput when it is none."""
    try:
        with safe_open(path, framework="pt", device=device) as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UnsafeInput(f"{path} is no whole safetensors file: {error}.") from error


def clean(run: Path) -> None:
    """Remove what a killed process left half written."""
    for rest in run.glob(".step-*.tmp"):
        shutil.rmtree(rest, ignore_errors=True)


def _counters(state: State, pace: Pace) -> dict[str, Any]:
    nets = state.nets
    return {
        "arch": nets.arch,
        "size": nets.size,
        "options": nets.options,
        "generator": generator_hash(nets),
        "ema": state.ema is not None,
        "step": state.step,
        "images": state.images,
        "seconds": state.seconds,
        "best": state.best,
        "pace": asdict(pace),
    }


def _save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    try:
        save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, path)
        path.chmod(0o644)  # safetensors makes files only their owner may read
    except SafetensorError as error:
        if "os error 28" in str(error) or "os error 122" in str(error):
            raise MissingPart(
                f"The disk is full; {path} was not written.",
                hint="Free some room and run the same command again; the last checkpoint is kept.",
            ) from error
        raise


def _forget(run: Path, keep: int) -> None:
    best = (run / "best").read_text().strip() if (run / "best").is_file() else ""
    for folder in step_folders(run)[keep:]:
        if folder.name != best:
            _remove(folder)


def _remove(folder: Path) -> None:
    # Renamed first: a folder half deleted must not look like a checkpoint.
    gone = folder.rename(folder.with_name(f".{folder.name}.tmp"))
    shutil.rmtree(gone, ignore_errors=True)
