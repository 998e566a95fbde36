"""Serial, processes and Dask do the same work, and say the same when it cannot be done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import dask
import engine_work as work
import pytest
from distributed import Client, LocalCluster

from mapmaker.engine import AHEAD, check_name, cluster, cores, open_engine, resolve
from mapmaker.errors import BadConfig, MissingPart, UnsafeInput

KINDS = ["serial", "processes:2", "dask"]


@pytest.fixture(scope="module", params=KINDS)
def engine(request):
    """Each engine once, for all the tests that break none."""
    with open_engine(request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared() -> Iterator[str]:
    """The address of a cluster that others use too."""
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as found:
        yield found.scheduler_address


@pytest.mark.parametrize("batch", [1, 7])
def test_every_item_comes_back_once(engine, batch):
    """Whatever the batches; a bad item is an outcome that does not take its batch along."""
    outcomes = {i: (r, e) for i, r, e in engine.imap(work.square, range(40), batch=batch)}

    assert {i: r for i, (r, e) in outcomes.items() if not e} == {
        n: n * n for n in range(40) if n != 13
    }
    error = outcomes[13][1]
    assert isinstance(error, UnsafeInput) and error.hint == "Take another."


def test_few_items_are_under_way(engine):
    """Items are taken as they are needed: a million of them cost no memory."""
    taken, done, most = 0, 0, 0

    def items():
        nonlocal taken
        for number in range(200):
            taken += 1
            yield number

    for _ in engine.imap(work.square, items(), batch=2):
        done += 1
        most = max(most, taken - done)

    assert done == 200
    assert most <= 2 * AHEAD * engine.workers


def test_a_bug_is_raised_here(engine):
    """A mistake in our code stays a traceback wherever it was made, and the engine goes on."""
    with pytest.raises(ZeroDivisionError):
        list(engine.imap(work.divide, range(6)))

    assert [r for _, r, _ in engine.imap(work.square, [4])] == [16]


def test_a_killed_worker_of_dask_loses_nothing(tmp_path):
    """Two workers, one killed with SIGKILL amid its batch: every item is there, each once."""
    paths = [tmp_path / f"{n:02d}" for n in range(24)]
    paths[7].touch()

    with open_engine("dask", reach=tmp_path) as engine:
        names = [name for _, name, error in engine.imap(work.die_once, paths, batch=3)]

    assert sorted(names) == [p.name for p in paths]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_worker_of_a_pool_is_one_clear_error():
    """A pool cannot replace it; the person hears what to do."""
    with (
        open_engine("processes:2") as engine,
        pytest.raises(MissingPart, match="worker process was killed") as caught,
    ):
        list(engine.imap(work.die, range(4)))

    assert "--engine serial" in caught.value.hint


@pytest.mark.slow
def test_what_kills_every_worker_is_given_up(monkeypatch):
    """Work that no worker survives ends the run with a sentence, not in a circle."""
    monkeypatch.setattr(cluster, "cores", lambda: 1)
    few = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    killed = pytest.raises(MissingPart, match="killed several workers")
    with few, open_engine("dask") as engine, killed:
        list(engine.imap(work.die, [0]))


def test_others_work_on_a_shared_cluster_is_left_alone(shared, tmp_path):
    """When we stop in the middle, our waiting batches go and somebody else's stay."""
    with Client(shared, set_as_default=False) as other:
        theirs = other.map(work.slow_pid, range(100, 140))
        with open_engine(f"dask:{shared}", reach=tmp_path) as engine:
            ours = engine.imap(work.note_down, (tmp_path / str(n) for n in range(400)))
            next(ours)
            ours.close()

        assert other.gather(theirs) == [os.getpid()] * 40
    assert 1 <= len(list(tmp_path.iterdir())) <= 2 * AHEAD * cores()


def test_a_scheduler_that_is_not_there(monkeypatch):
    """One sentence with the address, soon, and exit code 5."""
    monkeypatch.setattr(cluster, "CONNECT_S", 0.3)

    with (
        pytest.raises(MissingPart, match="No Dask scheduler answers at tcp://127") as caught,
        open_engine("dask:tcp://127.0.0.1:9"),
    ):
        pass

    assert caught.value.exit_code == 5
    assert "dask scheduler" in caught.value.hint


def test_a_scheduler_without_workers(monkeypatch):
    """It is told apart from one that is not there."""
    monkeypatch.setattr(cluster, "CONNECT_S", 0.3)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=":0") as empty,
        pytest.raises(MissingPart, match="has no workers"),
        open_engine(f"dask:{empty.scheduler_address}"),
    ):
        pass


def test_a_worker_that_sees_other_files_or_has_other_versions(tmp_path):
    """Such a worker refuses, since its samples would differ or lie elsewhere."""
    (tmp_path / "beacon").write_text("word")
    good = cluster.Terms(cluster.versions(), str(tmp_path / "beacon"), "word")

    good.check()

    with pytest.raises(MissingPart, match=f"cannot see {tmp_path}"):
        cluster.Terms(good.versions, good.beacon, "another word").check()
    with pytest.raises(MissingPart, match=f"cannot see {tmp_path / 'gone'}"):
        cluster.Terms(good.versions, str(tmp_path / "gone/beacon"), "word").check()
    with pytest.raises(MissingPart, match=r"here is mapmaker 0\.0\.0"):
        cluster.Terms(("mapmaker 0.0.0",), good.beacon, "word").check()


def test_without_the_extra_the_install_line_is_said(monkeypatch):
    """Dask is optional; who asks for it learns how to get it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "mapmaker.engine.cluster")

    with pytest.raises(MissingPart) as caught, open_engine("dask"):
        pass

    assert caught.value.hint == "Run `pip install 'dnd-mapmaker[cluster]'`."


@pytest.mark.parametrize("kind", ["processes:2", "dask"])
def test_ctrl_c_lets_what_was_begun_finish(kind, tmp_path):
    """SIGINT to the whole group, as a terminal sends it: quiet workers, no file half-made."""
    with subprocess.Popen(
        [sys.executable, work.__file__, kind, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout
        run.stdout.readline()
        time.sleep(0.1)
        os.killpg(run.pid, signal.SIGINT)
        try:
            _, said = run.communicate(timeout=20)
        finally:
            run.kill()

    assert said.rstrip().endswith("KeyboardInterrupt") and said.count("Traceback") == 1
    assert 2 <= len(list(tmp_path.iterdir())) < 20
    assert not any(path.name.endswith(".tmp") for path in tmp_path.iterdir())


def test_auto_is_resolved_by_the_work_and_the_machine(monkeypatch):
    """Few items are not worth a second process; a name is left as it is."""
    monkeypatch.setattr("mapmaker.engine.cores", lambda: 8)

    assert resolve("auto", 5) == "serial"
    assert resolve("auto", 500) == "processes:8"
    assert resolve("dask", 5) == "dask"


@pytest.mark.parametrize("name", ["", "dusk", "processes", "processes:0", "dask:", "dask:/tmp"])
def test_a_name_that_is_no_engine(name):
    """It is refused before anything is opened, with the names there are."""
    with pytest.raises(BadConfig, match="is no engine") as caught:
        check_name(name)

    assert "processes:N" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["auto", "dask:tcp://10.0.0.5:8786", "dask:tls://[::1]:1", "dask:host:8786"]
)
def test_a_name_that_is_an_engine(name):
    """An address may be encrypted or IPv6."""
    assert check_name(name) == name
