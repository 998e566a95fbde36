"""Several processes that train one run together, as `torchrun` starts them.

Each has the same nets and computes its share of the batch; gradients, figures and running
statistics are added up in one flat all-reduce a net and step, so every process takes the same step
and holds the same bits. Why not DistributedDataParallel: its hooks expect one backward
pass to a forward pass, and a step here has two forwards of the discriminator and one of the
generator that serves both nets; its buckets sum in an order that changes after the first step, ours
in a fixed one. What it would give, sending while the backward pass still runs, matters for nets far
larger than these.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mapmaker.errors import MapmakerError, MissingPart

T = TypeVar("T")

# A process that dies is noticed at once, by its closed connection. One that hangs is given up on
# after this long; while the first process packs shards or measures a tick, the others wait.
PEER_WAIT_S = 600.0
PACKING_WAIT_S = 12 * 3600.0


class PeerGone(MapmakerError):
    """Another process of the team has died or hangs."""


class Team:
    """This process among those that train the run; alone by default."""

    rank, size = 0, 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def add_up(
        self, net: nn.Module, figures: dict[str, Tensor], moved: Sequence[nn.Module] = ()
    ) -> dict[str, Tensor]:
        """Sum net's gradients and the figures over all processes, and return the figures.

        The running statistics of the nets `moved` are averaged. Raises PeerGone for a lost peer.
        """
        return figures

    def agree(self, *numbers: float) -> list[float]:
        """Return, for each number, the largest that any process gave."""
        return list(numbers)

    def tell(self, make: Callable[[], T]) -> T:
        """Return what `make` gives in the first process; there alone it is called.

        An error of it is raised in every process, with a text in the first one only.
        """
        return make()


class Several(Team):
    """One process of several."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        wait = timedelta(seconds=PEER_WAIT_S)
        self._numbers: Any = dist.new_group(backend="gloo", timeout=wait)
        backend = "nccl" if device.type == "cuda" else "gloo"
        self._tensors: Any = dist.new_group(backend=backend, timeout=wait)

    def add_up(
        self, net: nn.Module, figures: dict[str, Tensor], moved: Sequence[nn.Module] = ()
    ) -> dict[str, Tensor]:
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        means = [
            value
            for other in moved
            for name, value in other.named_buffers()
            if name.rpartition(".")[2] in ("running_mean", "running_var")
        ]
        sent = [*grads, *(value / self.size for value in means), *figures.values()]
        flat = torch.cat([value.detach().reshape(-1) for value in sent])
        with _peers():
            dist.all_reduce(flat, group=self._tensors)
        parts = [
            p.view(v.shape)
            for p, v in zip(flat.split([v.numel() for v in sent]), sent, strict=True)
        ]
        for own, common in zip([*grads, *means], parts, strict=False):
            own.copy_(common)
        return dict(zip(figures, parts[len(grads) + len(means) :], strict=True))

    def agree(self, *numbers: float) -> list[float]:
        values = torch.tensor(numbers, dtype=torch.float64)
        with _peers():
            dist.all_reduce(values, op=dist.ReduceOp.MAX, group=self._numbers)
        return values.tolist()

    def tell(self, make: Callable[[], T]) -> T:
        told: list[Any] = [None, None]
        error: MapmakerError | None = None
        if self.leads:
            try:
                told[0] = make()
            except MapmakerError as caught:
                error, told[1] = caught, type(caught)
        with _peers():
            dist.broadcast_object_list(told, src=0)  # the first group: packing may take hours
        if error is not None:
            raise error
        if told[1] is not None:
            raise quiet(told[1].__new__(told[1]))
        return told[0]


ALONE = Team()


def processes() -> tuple[int, int]:
    """Return (this process's rank on its machine, processes on this machine); alone: (0, 1)."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return 0, 1
    local = int(os.environ.get("LOCAL_RANK", "0"))
    return local, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """Give the team this process belongs to, by the environment that torchrun sets; else ALONE.

    Raises MissingPart when the others do not come.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield ALONE
        return
    try:
        dist.init_process_group("gloo", timeout=timedelta(seconds=PACKING_WAIT_S))
        team = Several(device)
    except (RuntimeError, ValueError) as error:
        raise MissingPart(
            f"The processes of this run do not find each other: {error}.",
            hint="Start them with torchrun, and let the machines reach each other.",
        ) from error
    gone = False
    try:
        yield team
    except PeerGone:
        gone = True
        raise
    finally:
        # Its threads must not outlive the interpreter. NCCL would wait for a peer that is gone.
        if not (gone and device.type == "cuda"):
            dist.destroy_process_group()


def quiet(error: MapmakerError) -> MapmakerError:
    """Return the error without its text: another process says it."""
    error.args, error.hint = ("",), ""
    return error


@contextmanager
def _peers() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise PeerGone(
            "Another process of this run is gone, so this one stops too;"
            " the last checkpoint is kept.",
            hint="Start torchrun again: the same command goes on from there.",
        ) from error
