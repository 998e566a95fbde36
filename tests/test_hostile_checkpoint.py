"""A stranger's checkpoint, its sums right in every case: refused with exit code 3, nothing run.

Each of these is tried by `sample` and by `train --resume`, through the command line.
"""

import json
import os
import pickle
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from run_tools import home, train_words  # noqa: F401
from safetensors.torch import load_file, save_file
from train_tools import packed  # noqa: F401

from mapmaker.train.checkpoint import write_sums

MODEL, OPTIMISER, STATE = "model.safetensors", "state.safetensors", "state.json"


@pytest.fixture(scope="module")
def trained(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A workspace with a finished run of two steps."""
    from run_tools import NETS

    from mapmaker.cli.border import run_line

    home = tmp_path_factory.mktemp("trained") / "home"  # noqa: F811
    shutil.copytree(packed, home)
    (home / "datasets/maps/manifest.jsonl").touch()
    (home / "dcgan.toml").write_text(NETS["dcgan"])
    assert run_line(["--home", str(home), *train_words(home, "dcgan", 2, name="run")]) == 0
    return home


class Bomb:
    """What a pickle would run if anybody loaded it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def pickled(folder: Path) -> None:
    (folder / MODEL).write_bytes(pickle.dumps(Bomb(folder / "executed")))


def header(folder: Path, length: int, text: bytes = b"{}") -> None:
    (folder / MODEL).write_bytes(struct.pack("<Q", length) + text)


def huge_header(folder: Path) -> None:
    entries = b'{"a":' * 2_000_000
    header(folder, len(entries), entries)


def overlapping(folder: Path) -> None:
    data = (folder / MODEL).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    table = json.loads(data[8 : 8 + size])
    first, second = [k for k in table if k != "__metadata__"][:2]
    table[first]["data_offsets"] = table[second]["data_offsets"]
    text = json.dumps(table).encode()
    (folder / MODEL).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


def beyond(folder: Path) -> None:
    text = b'{"G.x":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}'
    header(folder, len(text), text)


def change(folder: Path, change: Callable[[dict], object], file: str = MODEL) -> None:
    tensors = load_file(folder / file)
    change(tensors)
    save_file(tensors, folder / file)


def first_weight(tensors: dict) -> str:
    return next(k for k, v in sorted(tensors.items()) if v.ndim == 4)


def as_int(tensors: dict) -> None:
    name = first_weight(tensors)
    tensors[name] = tensors[name].to(torch.int64)


def not_finite(tensors: dict) -> None:
    tensors[first_weight(tensors)].view(-1)[0] = float("nan")


def reshaped(tensors: dict) -> None:
    name = first_weight(tensors)
    tensors[name] = tensors[name].repeat(2, 1, 1, 1)


def negative(tensors: dict) -> None:
    name = next(k for k in tensors if k.endswith("exp_avg_sq"))
    tensors[name] = tensors[name] - 1


def half_moments(tensors: dict) -> None:
    del tensors[next(k for k in tensors if k.endswith("exp_avg_sq"))]


def says(folder: Path, **values: object) -> None:
    path = folder / STATE
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def deep(folder: Path) -> None:
    (folder / STATE).write_text("[" * 10_000 + "]" * 10_000)


def watching(folder: Path, **values: object) -> None:
    table = json.loads((folder / STATE).read_text())
    says(folder, watch=table["watch"] | values)


BOTH: dict[str, Callable[[Path], object]] = {
    "a pickle": pickled,
    "a header of 2**60 bytes": lambda f: header(f, 2**60),
    "a header of 10 MB": huge_header,
    "tensors that overlap": overlapping,
    "tensors beyond the file": beyond,
    "an empty file": lambda f: (f / MODEL).write_bytes(b""),
    "a strange tensor": lambda f: change(f, lambda t: t.update({"G.evil": torch.zeros(3)})),
    "a missing tensor": lambda f: change(f, lambda t: t.pop(first_weight(t))),
    "whole numbers": lambda f: change(f, as_int),
    "NaN": lambda f: change(f, not_finite),
    "another shape": lambda f: change(f, reshaped),
    "nesting 10000 deep": deep,
    "text for a number": lambda f: says(f, step="2"),
    "a huge step": lambda f: says(f, step=10**30),
    "a number of 10000 digits": lambda f: (f / STATE).write_text(
        (f / STATE).read_text().replace('"step": 2', '"step": ' + "9" * 10_000)
    ),
    "a size below zero": lambda f: says(f, size=-32),
    "options in options": lambda f: says(f, options={"channels": {"a": 1}}),
    "a strange key": lambda f: says(f, code="import os"),
    "a rate of 1e9": lambda f: says(f, rate=1e9),
    "a pace of text": lambda f: says(f, pace={"micro_batch": "4", "accumulate": 1}),
    "a past of text": lambda f: watching(f, past={"grad_d": ["x"], "grad_g": []}),
    "no table": lambda f: (f / STATE).write_text("[]"),
}
RESUME: dict[str, Callable[[Path], object]] = {
    "moments below zero": lambda f: change(f, negative, OPTIMISER),
    "moments that are not whole": lambda f: change(f, half_moments, OPTIMISER),
    "a strange moment": lambda f: change(f, lambda t: t.update({"x": torch.zeros(1)}), OPTIMISER),
    "another step than its name's": lambda f: says(f, step=7),
}
NAMES = [
    ("a link for the weights", "link"),
    ("a pipe for the weights", "pipe"),
    ("sums that point elsewhere", "../../../../etc/passwd"),
    ("a pipe for the sums", "sums"),
]


@pytest.fixture
def victim(trained: Path, tmp_path: Path) -> Path:
    """A copy of the workspace, to do harm to."""
    return Path(shutil.copytree(trained, tmp_path / "victim"))


def refused(mapmaker: Callable, home: Path, *words: object) -> str:  # noqa: F811
    """Run a command line; it must end soon, with exit code 3, in one line. Returns that line."""
    began = time.monotonic()
    result = mapmaker(*words, home=home)
    assert result.code == 3, result
    assert "Traceback" not in result.err and time.monotonic() - began < 30
    return result.err


@pytest.mark.parametrize("name", [*BOTH, *RESUME])
def test_what_no_run_would_write_is_refused(victim: Path, mapmaker: Callable, name: str) -> None:
    """Whatever is wrong inside a checkpoint is found before anything is built or run from it."""
    folder = victim / "checkpoints" / "run" / "step-00000002"
    (BOTH | RESUME)[name](folder)
    write_sums(folder)

    said = refused(mapmaker, victim, "train", "--resume", "--name", "run", "--kimg", "0.016")
    if name in BOTH:
        said += refused(mapmaker, victim, "sample", "run", "-n", "1")

    assert "step-00000002" in said
    assert not (folder / "executed").exists()


@pytest.mark.parametrize(("name", "kind"), NAMES, ids=[name for name, _ in NAMES])
def test_names_that_lead_elsewhere_are_refused(
    victim: Path, mapmaker: Callable, name: str, kind: str
) -> None:
    """Links, pipes and sums over other files are refused, and nothing waits for a pipe's writer."""
    folder = victim / "checkpoints" / "run" / "step-00000002"
    if kind == "link":
        (folder / MODEL).rename(victim / "weights")
        (folder / MODEL).symlink_to(victim / "weights")
    elif kind == "pipe":
        (folder / MODEL).unlink()
        os.mkfifo(folder / MODEL)
    elif kind == "sums":
        (folder / "SHA256SUMS").unlink()
        os.mkfifo(folder / "SHA256SUMS")
    else:
        sums = folder / "SHA256SUMS"
        sums.write_text(sums.read_text() + f"{'0' * 64}  {kind}\n")

    said = refused(mapmaker, victim, "train", "--resume", "--name", "run", "--kimg", "0.016")
    said += refused(mapmaker, victim, "sample", "run", "-n", "1")

    assert "step-00000002" in said


def test_the_run_itself_is_not_refused(victim: Path, mapmaker: Callable) -> None:
    """The same run without harm resumes and samples: what is refused above is the harm."""
    resume = mapmaker("train", "--resume", "--name", "run", "--kimg", "0.012", home=victim)
    sample = mapmaker("sample", "run", "-n", "1", home=victim)

    assert (resume.code, sample.code) == (0, 0), (resume, sample)
