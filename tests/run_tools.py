"""Runs as a person starts them: the command line in processes of its own, alone or in a team."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from train_tools import NAME, SMALL_NET, packed  # noqa: F401 - a fixture

NETS = {
    "dcgan": SMALL_NET,
    "fewshot": (
        "ema = 0.9\n[options]\nlatent = 16\nwidths = [16, 16, 8, 8]\n"
        "d_widths = [8, 8, 16]\nlocal = [8, 8]\n"
    ),
}
WAIT_S = 120.0


@pytest.fixture
def home(packed: Path, tmp_path: Path) -> Path:  # noqa: F811
    """A workspace with the packed data set, as the command line finds it, and a recipe a net."""
    import shutil

    home = tmp_path / "home"
    shutil.copytree(packed, home)
    (home / "datasets" / NAME / "manifest.jsonl").touch()
    for arch, text in NETS.items():
        (home / f"{arch}.toml").write_text(text)
    return home


def train_words(home: Path, arch: str, steps: int, **more: object) -> list[str]:
    """Return the words of a small run of so many steps that saves after every tenth."""
    given: dict[str, object] = {
        "arch": arch,
        "recipe": home / f"{arch}.toml",
        "size": 32,
        "batch": 4,
        "precision": "fp32",
        "device": "cpu",
        "kimg": steps * 4 / 1000,
        "tick_kimg": 0.4,
        "save_kimg": 0.04,
    } | more
    words = [w for k, v in given.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    return ["train", NAME, *words]


def start(home: Path, words: list[str], **env: object) -> subprocess.Popen[str]:
    """Start one process with the command line."""
    return _popen([sys.executable, "-m", "mapmaker", "--home", str(home), *words], env)


def torchrun(home: Path, words: list[str], *options: str) -> subprocess.Popen[str]:
    """Start two processes by torchrun."""
    head = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    head += ["--master-port", str(free_port()), *options]
    return _popen([*head, "-m", "mapmaker", "--home", str(home), *words], {})


def pair(home: Path, words: list[str]) -> list[subprocess.Popen[str]]:
    """Start two processes of one team without torchrun, as a cluster's own launcher would."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": 2}
    common |= {"LOCAL_WORLD_SIZE": 2}
    return [start(home, words, RANK=rank, LOCAL_RANK=rank, **common) for rank in (0, 1)]


def _popen(command: list[str], env: dict[str, object]) -> subprocess.Popen[str]:
    full = os.environ | {"OMP_NUM_THREADS": "1"} | {k: str(v) for k, v in env.items()}
    full["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    return subprocess.Popen(
        command, env=full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(true: Callable[[], bool], *children: subprocess.Popen[str]) -> None:
    """Wait until it is true; fail when a process ends before, or after WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        ended = [child for child in children if child.poll() is not None]
        assert not ended, ended[0].communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def free_port() -> int:
    """Return a TCP port nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
