"""Shared by all tests: the command line as a person meets it, and golden pictures."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mapmaker.scrape.replica import Replica
from mapmaker.workspace import Workspace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["NO_COLOR"] = "1"

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Result:
    """What one command line left behind."""

    code: int
    out: str
    err: str


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Rewrite tests/golden.")


@pytest.fixture
def mapmaker(tmp_path: Path, capfd: pytest.CaptureFixture) -> Callable[..., Result]:
    """Run a command line in this process, in the workspace `tmp_path`."""
    from mapmaker.cli.border import run_line

    def run(*words: object, home: Path = tmp_path) -> Result:
        capfd.readouterr()
        code = run_line(["--home", str(home), *map(str, words)])
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture(autouse=True)
def _denormals() -> Iterator[None]:
    """Give back what training takes from its process: numbers next to zero, which others test."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess]:
    """Run `python -m mapmaker` in a process of its own, as installed."""

    def run(*words: object, **kwargs) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "mapmaker", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, **kwargs)

    return run


@pytest.fixture
def same_as_golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a picture with tests/golden/<name>.png, allowing `off` levels per channel."""

    def check(image: Image.Image, name: str, off: int = 0) -> None:
        path = GOLDEN / f"{name}.png"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            image.save(path)
        wanted = np.asarray(Image.open(path), dtype=int)
        got = np.asarray(image, dtype=int)
        assert got.shape == wanted.shape
        assert abs(got - wanted).max() <= off, f"{path} differs; look before --update-golden"

    return check


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def archive() -> Iterator[Replica]:
    """A small archive on loopback, with plain patterns for pictures and every fault."""
    with Replica(maps=9, side_px=64, drawn=False) as replica:
        yield replica


@pytest.fixture
def fresh(archive: Replica) -> Replica:
    """The archive, with nothing on its record."""
    archive.requests.clear()
    archive.seen.clear()
    return archive
