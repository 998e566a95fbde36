"""Dask as an engine: a cluster of this machine's cores, or one that runs elsewhere.

A worker that dies takes nothing with it: the scheduler gives its batches to another. A cluster
that others use as well is left as it was found, but for our own batches.
"""

import concurrent.futures as cf
import logging
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar, cast

from mapmaker import __version__
from mapmaker.engine import Futures, cores, one_thread, run_batch
from mapmaker.errors import MapmakerError, MissingPart
from mapmaker.files import speaking_of

try:
    import dask.config

    quiet = dict.fromkeys(("distributed", "distributed.client", "distributed.nanny"), "critical")
    dask.config.set({"logging": quiet | dask.config.get("logging", {})})
    import distributed
    from distributed import Client, LocalCluster
except ImportError as error:
    raise MissingPart(
        "The engine dask needs a part that is not installed.",
        hint="Run `pip install 'dnd-mapmaker[cluster]'`.",
    ) from error

T = TypeVar("T")
BEACON = ".beacon-"
DAY_S = 86_400.0  # after which a beacon is what a killed run left
CONNECT_S = 10.0
COUNT_S = 5.0  # how long the number of workers is believed
DECIDING = ("numpy", "pillow", "h5py", "opencv-python-headless")  # other versions, other bytes


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker must have before it may work for us: our versions, and our files."""

    versions: tuple[str, ...]
    beacon: str  # a file in the folder that must be within reach; goes out when we stop
    word: str  # what stands in it

    def check(self) -> None:
        """Raise MissingPart when this worker would do other work than the one who asks."""
        if versions() != self.versions:
            raise MissingPart(
                f"A worker has {', '.join(versions())}; here is {', '.join(self.versions)}.",
                hint="Install the same versions on every machine, or the samples would differ.",
            )
        with suppress(OSError):
            if Path(self.beacon).read_text() == self.word:
                return
        raise MissingPart(
            f"A worker cannot see {Path(self.beacon).parent}.",
            hint="Put the workspace on a disk that every worker mounts at the same path.",
        )


@cache
def versions() -> tuple[str, ...]:
    """Return the versions that decide what comes out, ours first."""
    found = {}
    for name in DECIDING:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return (f"mapmaker {__version__}", *(f"{name} {v}" for name, v in found.items()))


def run_far(
    terms: Terms, fn: Callable[[T], Any], some: tuple[T, ...]
) -> list[tuple[Any, MapmakerError | None]]:
    """Return the results of a batch. Raises MissingPart where it must not be worked on."""
    terms.check()
    one_thread()
    return run_batch(fn, some)


class Cluster(Futures):
    """The workers behind one Dask client; they may come and go."""

    def __init__(self, client: Client, terms: Terms) -> None:
        self.client, self.terms, self.counted_s = client, terms, -COUNT_S
        self.left = set[cf.Future]()
        super().__init__(client.get_executor(pure=False), 1)

    def submit(self, fn: Callable[[T], Any], some: tuple[T, ...]) -> cf.Future:
        if time.monotonic() - self.counted_s > COUNT_S:
            threads: Any = self.client.nthreads()
            self.workers, self.counted_s = max(1, sum(threads.values())), time.monotonic()
        return self.executor.submit(run_far, self.terms, fn, some)

    def drop(self, live: Iterable[cf.Future]) -> None:
        self.left |= set(live)  # waited for at the end: what runs now may be writing a file

    def explain(self, error: Exception) -> Exception:
        if isinstance(error, distributed.KilledWorker):
            return MissingPart(
                "The same few items have killed several workers; most likely the memory ran out.",
                hint="Give the workers more memory or fewer threads, and run the same command "
                "again; what is finished is kept.",
            )
        if isinstance(error, cf.CancelledError | OSError) and self.client.status != "running":
            return MissingPart(
                "The cluster's scheduler has gone away.",
                hint="Start it and run the same command again; what is finished is kept.",
            )
        if isinstance(error, ImportError) or "deserialization" in str(error):
            return MissingPart(
                "The cluster cannot load mapmaker.",
                hint=f"Its scheduler and its workers need {', '.join(versions())}.",
            )
        return error


@contextmanager
def open_cluster(address: str, reach: Path | None) -> Iterator[Cluster]:
    """Give the cluster at `address`, or a new one of this machine's cores for "".

    Raises MissingPart when no scheduler answers there, or it has no workers, within CONNECT_S.
    """
    with _connect(address) if address else _local() as client:
        cluster = None
        try:
            with _beacon(reach) as terms:
                cluster = Cluster(client, terms)
                yield cluster
        finally:
            # The beacon is out: what had not begun ends at once, what had is let finish.
            cf.wait(cluster.left if cluster else ())


@contextmanager
def _connect(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MissingPart(
            f"No Dask scheduler answers at {address}.",
            hint="Start one with `dask scheduler`, or look at its address.",
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise MissingPart(
                f"The Dask scheduler at {address} has no workers.",
                hint=f"Start some with `dask worker {address}`.",
            ) from error
        yield client


@contextmanager
def _local() -> Iterator[Client]:
    # Dask serves its state over HTTP in any case: on a free port, to this machine alone.
    resource_tracker.ensure_running()  # it would let the signal through again when it begins
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # workers are born deaf to it
    try:
        cluster = LocalCluster(
            n_workers=cores(),
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            memory_limit=cast(str, 0),  # as with processes: the system's own limit
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        raise MissingPart(
            "Dask's workers on this machine were stopped before they began.",
            hint="Run the same command again, or take --engine processes:N.",
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    try:
        with Client(cluster, set_as_default=False) as client:
            client.register_plugin(_Calm())
            yield client
    finally:
        with suppress(Exception):  # a worker that dies while it is being ended is no news
            cluster.close()


class _Calm(distributed.WorkerPlugin):
    """Leaves Ctrl-C, which reaches every process of a terminal, to the one that asks."""

    def setup(self, worker: distributed.Worker) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _beacon(folder: Path | None) -> Iterator[Terms]:
    """Light a file in `folder` by which a worker can tell that it sees this very folder."""
    folder = (folder or Path(tempfile.gettempdir())).absolute()
    path, word = folder / f"{BEACON}{secrets.token_hex(4)}", secrets.token_hex(16)
    with speaking_of(path):
        for left in folder.glob(f"{BEACON}*"):
            if left.stat().st_mtime < time.time() - DAY_S:
                left.unlink(missing_ok=True)
        path.write_text(word)
    try:
        yield Terms(versions(), str(path), word)
    finally:
        path.unlink(missing_ok=True)
