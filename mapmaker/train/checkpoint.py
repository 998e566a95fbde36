"""Checkpoints: safetensors with sums, written beside and renamed, so that a crash loses nothing.

    checkpoints/<run>/latest          the name of the newest whole step folder
                      step-00012000/  model.safetensors state.safetensors state.json SHA256SUMS

A step folder has its name only when it is whole. There is no pickle in it, nothing is executed.
"""

import json
import re
import shutil
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from mapmaker.errors import BadConfig, MapmakerError, UnsafeInput
from mapmaker.files import need_room, read_plain, sha256_of, speaking_of, sync, write_atomic
from mapmaker.train.counters import COUNTERS, Counters, read_counters
from mapmaker.train.state import (
    State,
    generator_hash,
    model_tensors,
    optimiser_like,
    optimiser_tensors,
    restore,
)
from mapmaker.train.step import Pace
from mapmaker.train.tensors import load_tensors

SUMS = "SHA256SUMS"
MODEL, OPTIMISER = "model.safetensors", "state.safetensors"
_STEP = re.compile(r"step-[0-9]{8,12}")

_HINT = "Delete that step's folder to go on from the one before it, or restore it from a copy."


def save_checkpoint(
    run: Path,
    state: State,
    pace: Pace,
    *,
    keep: int = 2,
    post: bool = True,
    watch: Mapping[str, Any] | None = None,
) -> Path:
    """Write the state as the run's newest checkpoint and return its folder.

    Keeps the newest `keep`, the best, and the newest that is a post, to which a run may be rolled
    back. watch is what watch.py remembers. Raises MissingPart when the disk is full; what was there
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
    counters = _counters(state, pace, post, watch or {}).plain()
    try:
        with speaking_of(folder):
            beside.mkdir(parents=True)
            _save_tensors(beside / MODEL, model)
            _save_tensors(beside / OPTIMISER, optimiser)
            (beside / COUNTERS).write_text(json.dumps(counters, indent=1) + "\n")
            write_sums(beside)
            beside.rename(folder)
            sync(run)
    except MapmakerError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    write_atomic(run / "latest", folder.name + "\n")
    _forget(run, keep)
    return folder


def load_checkpoint(folder: Path, state: State) -> Counters:
    """Put the checkpoint in `folder` into `state` and return its counters.

    Raises UnsafeInput for a sum that does not match or tensors that are not this net's, BadConfig
    for another net's checkpoint. The state is untouched then.
    """
    check_sums(folder)
    counters = read_counters(folder)
    check_same_net(folder, counters, state.nets.arch, state.nets.size, generator_hash(state.nets))
    if f"step-{counters.step:08d}" != folder.name:
        raise UnsafeInput(f"{folder} says it is step {counters.step}.", hint=_HINT)
    if (state.ema is not None) != counters.ema:
        raise BadConfig(
            f"{folder} and this recipe disagree on the averaged generator.",
            hint="Resume with the recipe the run began with.",
        )
    model = load_tensors(folder / MODEL, model_tensors(state))
    # A weight that no gradient has reached yet has no moments.
    optimiser = load_tensors(
        folder / OPTIMISER, optimiser_like(state), optional=lambda name: name != "anchors"
    )
    _check_moments(folder / OPTIMISER, optimiser)
    restore(state, model, optimiser)
    for name in ("step", "images", "seconds", "best", "rate", "attempt"):
        setattr(state, name, getattr(counters, name))
    return counters


def _check_moments(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise UnsafeInput unless each weight has all its moments or none, none below zero."""
    owners = Counter(name.rpartition("|")[0] for name in tensors if "|" in name)
    below = (
        n for n, v in tensors.items() if not n.endswith(("exp_avg", "anchors")) and v.min() < 0
    )
    odd = next((n for n, count in owners.items() if count != 3), next(below, None))
    if odd is not None:
        raise UnsafeInput(f"{path}: the moments of {odd[:80]} are none of Adam's.", hint=_HINT)


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


def last_post(run: Path, *, diverse: float = 0.0) -> Path | None:
    """Return the newest good checkpoint a run may be rolled back to, or None.

    diverse is the least spread its pictures must have, see watch.py.
    """
    for folder in step_folders(run):
        try:
            check_sums(folder)
            counters = read_counters(folder)
        except UnsafeInput:
            continue
        if counters.post and counters.watch.get("spread", 1.0) >= diverse:
            return folder
    return None


def step_folders(run: Path) -> list[Path]:
    """Return the run's step folders, newest first; a link is none."""
    found = [
        p
        for p in run.glob("step-*")
        if _STEP.fullmatch(p.name) and p.is_dir() and not p.is_symlink()
    ]
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
    sums = folder / SUMS
    try:
        rows = [line.split("  ", 1) for line in read_plain(sums, most=4096).splitlines()]
        wanted = {name: digest for digest, name in rows}
    except (UnsafeInput, ValueError) as error:
        raise UnsafeInput(f"{sums} is missing or unreadable.", hint=_HINT) from error
    if set(wanted) != {MODEL, OPTIMISER, COUNTERS}:
        raise UnsafeInput(f"{sums} does not list a checkpoint's files.", hint=_HINT)
    for name, digest in wanted.items():
        file = folder / name
        if not file.exists():
            raise UnsafeInput(f"{file} is missing.", hint=_HINT)
        if not stat.S_ISREG(file.lstat().st_mode):
            raise UnsafeInput(f"{file} is a link or no file at all.", hint=_HINT)
        if sha256_of(file) != digest:
            raise UnsafeInput(f"{file} is corrupt: its sha256 is not what was written.", hint=_HINT)


def check_same_net(
    folder: Path, theirs: Counters | Mapping[str, Any], arch: str, size: int, structure: str
) -> None:
    """Raise BadConfig unless the checkpoint is of this architecture, size and structure."""
    table = theirs.plain() if isinstance(theirs, Counters) else theirs
    named = f"{table.get('arch')} at {table.get('size')} px"
    if (table.get("arch"), table.get("size")) != (arch, size):
        raise BadConfig(
            f"{folder} is a {named}, not a {arch} at {size} px.",
            hint="Give the run's own --arch and --size, or another --name for a new run.",
        )
    if table.get("generator") != structure:
        raise BadConfig(
            f"{folder} is a {named} whose layers differ from this recipe's.",
            hint="Resume with the recipe and the version of mapmaker the run began with.",
        )


def clean(run: Path) -> None:
    """Remove what a killed process left half written."""
    for rest in run.glob(".step-*.tmp"):
        shutil.rmtree(rest, ignore_errors=True)


def forget_steps(run: Path, after: int) -> None:
    """Remove the checkpoints of later steps than `after`: a run was rolled back to before them."""
    for folder in step_folders(run):
        if int(folder.name[5:]) > after:
            _remove(folder)
    left = [folder.name for folder in step_folders(run)]
    for mark in (run / "latest", run / "best"):
        if mark.is_file() and mark.read_text().strip() not in left:
            mark.unlink()
            if mark.name == "latest" and left:
                write_atomic(mark, left[0] + "\n")


def _counters(state: State, pace: Pace, post: bool, watch: Mapping[str, Any]) -> Counters:
    nets = state.nets
    return Counters(
        arch=nets.arch,
        size=nets.size,
        options=nets.options,
        generator=generator_hash(nets),
        ema=state.ema is not None,
        step=state.step,
        images=state.images,
        seconds=state.seconds,
        best=state.best,
        pace=pace,
        checkpointing=nets.generator.checkpointing,
        rate=state.rate,
        attempt=state.attempt,
        post=post,
        watch=watch,
    )


def _save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    try:
        save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, path)
        path.chmod(0o644)  # safetensors makes files only their owner may read
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        with speaking_of(path):  # the same words as for every other file
            raise OSError(int(number[1]), str(error)) from error


def _forget(run: Path, keep: int) -> None:
    best = (run / "best").read_text().strip() if (run / "best").is_file() else ""
    folders = step_folders(run)
    newest = folders[:keep]
    if not any(map(_is_post, newest)):
        newest += [post] if (post := last_post(run)) else []
    for folder in folders[keep:]:
        if folder.name != best and folder not in newest:
            _remove(folder)


def _is_post(folder: Path) -> bool:
    try:
        return read_counters(folder).post
    except UnsafeInput:
        return False


def _remove(folder: Path) -> None:
    # Renamed first: a folder half deleted must not look like a checkpoint.
    gone = folder.rename(folder.with_name(f".{folder.name}.tmp"))
    shutil.rmtree(gone, ignore_errors=True)
