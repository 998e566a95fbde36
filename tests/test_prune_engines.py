"""Wherever prune measures and however it ends, it leaves the same and loses nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import prune_runs
import pytest
from distributed import Client, LocalCluster
from prune_pictures import add, make_dataset, painted
from prune_runs import outcome

from mapmaker.events import Step, finish
from mapmaker.prune import measuring
from mapmaker.prune.prune import prune
from mapmaker.workspace import Dataset

COUNT = 18
KILLS = 5


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Eighteen pictures: maps; copies pressed, turned, shrunk; a small, a blank, a broken one."""
    dataset = make_dataset(tmp_path_factory.mktemp("home"))
    for n in range(COUNT - 6):
        add(dataset, f"{n}.png", painted(n, 80))
    add(dataset, "0 again.jpg", painted(0, 80))
    add(dataset, "1 turned.jpg", painted(1, 80).rotate(90))
    add(dataset, "2 less.png", painted(2, 80).resize((64, 64)))
    add(dataset, "small.png", painted(90, 40))
    add(dataset, "blank.png", painted(91, 80).point(lambda v: 90))
    add(dataset, "broken.png", b"no picture")
    return dataset


@pytest.fixture(scope="module")
def calm(pictures: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What an undisturbed serial run leaves."""
    dataset = prune_runs.copy(pictures.root, tmp_path_factory.mktemp("calm") / "own")
    finish(prune(dataset, prune_runs.config()))
    return outcome(dataset)


@pytest.fixture
def dataset(pictures: Dataset, tmp_path: Path) -> Dataset:
    """A copy of the pictures that nobody has pruned yet."""
    return prune_runs.copy(pictures.root, tmp_path / "own")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A real cluster: a scheduler and two worker processes."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as found:
        yield found


def test_the_calm_run_found_something(calm: dict) -> None:
    """The other tests compare with a run that had copies, broken and small ones to find."""
    rules = {s["rule"] for s in calm["suggestions"].values()}

    assert len(calm["features"]) == COUNT
    assert calm["thumbs"] == COUNT - 1
    assert {"broken", "small", "blank"} <= rules
    assert sum(bool(s["keeper"]) for s in calm["suggestions"].values()) == 3
    assert sum(state == "drop" for state, _, _ in calm["marks"].values()) >= 6


@pytest.mark.parametrize("engine", ["processes:2", "auto"])
def test_every_engine_leaves_the_same(
    dataset: Dataset, calm: dict, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, and auto changing from one to two midway, leave what serial leaves."""
    monkeypatch.setattr(measuring, "TRY_S", 0.1)
    monkeypatch.setattr(measuring, "WORTH_S", 0.0)
    monkeypatch.setattr(measuring, "cores", lambda: 2)

    done = finish(prune(dataset, prune_runs.config(engine)))

    assert done.data["measured"] == COUNT
    assert outcome(dataset) == calm


def test_the_order_of_the_manifest_does_not_matter(dataset: Dataset, calm: dict) -> None:
    """Rows in another order give the same features, groups, suggestions and marks."""
    lines = dataset.manifest.read_text().splitlines()
    random.Random(1).shuffle(lines)
    dataset.manifest.write_text("\n".join(lines) + "\n")

    finish(prune(dataset, prune_runs.config()))

    assert outcome(dataset) == calm


def test_a_worker_of_the_cluster_killed_midway_loses_nothing(
    dataset: Dataset, calm: dict, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of two Dask workers gone by SIGKILL at the third picture, every row is there."""
    monkeypatch.setattr(measuring, "BATCH", 2)
    with Client(cluster, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))

        measured = []
        for event in prune(dataset, prune_runs.config(f"dask:{cluster.scheduler_address}")):
            if isinstance(event, Step) and event.unit == "pictures":
                measured.append(event.done)
                if event.done == 3:
                    os.kill(victim, signal.SIGKILL)

    assert measured == list(range(1, COUNT + 1))
    assert outcome(dataset) == calm


def test_kill_nine_at_any_moment_loses_nothing(pictures: Dataset, tmp_path: Path) -> None:
    """Killed anywhere, the same command goes on with the rest and ends where the calm run ended."""
    command = [sys.executable, prune_runs.__file__, "kill", pictures.root, tmp_path, str(KILLS)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["same"] for row in rows] == [True] * KILLS
    assert [row["left"] + row["again"] for row in rows] == [COUNT] * KILLS
    assert len({row["left"] for row in rows}) > 1, "all were killed at the same point"


@pytest.mark.parametrize("engine", ["serial", "processes:2"])
def test_ctrl_c_stops_soon_and_the_next_run_goes_on(
    dataset: Dataset, calm: dict, engine: str
) -> None:
    """SIGINT amid measuring ends the stage with what it has; the rest is measured next time."""
    command = [sys.executable, prune_runs.__file__, "run", dataset.root, engine]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "step\n"
        running.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        said = running.stdout.read().splitlines()[-1]

    took_s = time.monotonic() - began_s
    again = finish(prune(dataset, prune_runs.config())).data["measured"]

    assert running.returncode == 130
    assert said.startswith("stopped") and f"of {COUNT} pictures" in said
    assert took_s < 5
    assert int(said.split()[1]) + again == COUNT
    assert outcome(dataset) == calm
