"""How a run fits into the memory it is given: which micro-batch, how often, what takes the room.

The figures come from a rehearsal of the step itself (`rehearse.py`), so they follow the nets, the
recipe and the loop. On a CPU the peak is the process's high-water mark (VmHWM); on a GPU what is
allocated there, with the driver's context and cuDNN's workspace under "process".
"""

import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import nn

from mapmaker.errors import BadConfig
from mapmaker.models import Nets
from mapmaker.train.recipes import NOTES, Recipe
from mapmaker.train.rehearse import Rehearsal, rehearse
from mapmaker.train.step import Pace

KIB, MIB, GIB = 2**10, 2**20, 2**30
UNITS = {"": 1, "B": 1, "K": KIB, "M": MIB, "G": GIB, "T": 2**40}
AUTO_BATCH = {"cpu": 8, "cuda": 16}

# What a step needs outside its tensors. CPU: oneDNN's compiled kernels and scratch, measured from
# 64 to 750 px with 1 to 8 pictures in both number formats: 0.05 to 0.2 GiB above the imports.
# CUDA: context 0.5 GiB and cuDNN workspace 1 GiB, as published; not yet measured on a GPU.
KERNELS_BYTES = {"cpu": int(0.13 * GIB), "cuda": int(1.5 * GIB)}
IMPORTS_BYTES = int(0.5 * GIB)  # of a process that has torch loaded, when /proc cannot say
SHARE_OF_MACHINE = 0.95
# What is set aside beside the peak: a share of what the step takes, and a little for all else (the
# allocator's gaps, drawing a frame). bench/memory.py saw 0.16 of it at the most (two threads), 0.13
# else, and 40 MB in small whole runs.
MARGIN, SLACK_BYTES = 0.15, 64 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How a step is cut up and what it takes [bytes].

    batch = micro_batch * accumulate. weights_bytes: both nets and the averaged generator.
    activations_bytes: activations, gradients and whatever else lives at the worst moment.
    base_bytes: the process without nets. peak_bytes: their sum. room_bytes: the peak and the margin
    that measurements ask for, never above the memory given.
    """

    batch: int
    micro_batch: int
    accumulate: int
    checkpointing: bool
    weights_bytes: int
    optimiser_bytes: int
    activations_bytes: int
    data_bytes: int
    base_bytes: int
    limit_bytes: int

    @property
    def peak_bytes(self) -> int:
        """The most that is in use at once."""
        parts = self.weights_bytes + self.optimiser_bytes + self.activations_bytes
        return parts + self.data_bytes + self.base_bytes

    @property
    def room_bytes(self) -> int:
        """What to set aside: the peak, and as much again as plans have been off."""
        return int(self.peak_bytes + MARGIN * self.activations_bytes) + SLACK_BYTES

    def __str__(self) -> str:
        again = ", activations computed twice" if self.checkpointing else ""
        rows = {
            "weights": self.weights_bytes,
            "optimiser": self.optimiser_bytes,
            "activations": self.activations_bytes,
            "pictures": self.data_bytes,
            "process": self.base_bytes,
            "peak": self.peak_bytes,
            "with margin": self.room_bytes,
            "given": self.limit_bytes,
        }
        lines = [f"Memory: batch {self.batch} = {self.accumulate} x {self.micro_batch}{again}"]
        lines += [f"  {name:<12}{_gib(value):>9} GB" for name, value in rows.items()]
        return "\n".join(lines)


def plan_memory(
    nets: Nets,
    *,
    batch: int | None,
    memory_bytes: int | None,
    precision: str,
    ema: bool,
    data_bytes: int,
    device: torch.device,
    recipe: Recipe | None = None,
) -> MemoryPlan:
    """Return the plan with the largest micro-batch whose room stays below memory_bytes.

    nets may be on any device, "meta" included: they are only looked at. batch None is 8 on a CPU
    and 16 on a GPU; memory_bytes None is what the machine has, which is also never exceeded.
    Checkpointing comes before a smaller micro-batch, for batch norm's sake. recipe defaults to
    `notes`; what it shows the discriminator takes room too.
    Raises BadConfig, naming the least that would do, when nothing fits.
    """
    whole = batch or AUTO_BATCH[device.type]
    recipe = replace(recipe or NOTES, ema=0.999 if ema else 0.0)
    base = _base(nets, ema, device)
    machine = machine_bytes(device)
    limit = min(memory_bytes or machine, machine)

    @cache
    def attempt(micro: int, checkpointing: bool) -> MemoryPlan:
        pace = Pace(micro, whole // micro, precision)
        need = rehearse(nets, recipe, pace, checkpointing)
        return _plan(need, pace, checkpointing, data_bytes, base, limit)

    # The two ends first: most runs fit whole, and what fits in no way is refused at once.
    if attempt(whole, False).room_bytes <= limit:
        return attempt(whole, False)
    if (least := attempt(1, True)).room_bytes > limit:
        raise BadConfig(
            f"{_size(limit)} is too little to train {nets.arch} at {nets.size} px"
            f" (batch {whole}, {precision}).",
            hint=f"It needs at least --memory {_size(least.room_bytes, up=True)},"
            " or a smaller --size.",
        )
    ways = ((n, twice) for n in range(whole, 0, -1) if whole % n == 0 for twice in (False, True))
    return next(plan for way in ways if (plan := attempt(*way)).room_bytes <= limit)


def parse_memory(text: str) -> int:
    """Return "24GB", "24 GiB", "800M" or "1.5g" in bytes; GB means 2**30, as on a graphics card.

    Raises BadConfig for anything else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text, re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise BadConfig(f"--memory is {text!r}.", hint="Give a size such as 24GB or 800MB.")
    return int(float(found[1]) * UNITS[found[2].upper()])


def machine_bytes(device: torch.device) -> int:
    """Return how much memory the device has for us: the card's, or the machine's or container's."""
    if device.type == "cuda":
        return int(SHARE_OF_MACHINE * torch.cuda.get_device_properties(device).total_memory)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = Path("/sys/fs/cgroup/memory.max")
    allowed = group.read_text().strip() if group.exists() else "max"
    return int(SHARE_OF_MACHINE * min(total, int(allowed) if allowed.isdigit() else total))


def _plan(
    need: Rehearsal, pace: Pace, checkpointing: bool, data_bytes: int, base: int, limit: int
) -> MemoryPlan:
    # The gradients of the last step still live while a checkpoint is written.
    saving = need.weights + need.optimiser + need.gradients + need.saving
    worst = max(need.step, saving)
    return MemoryPlan(
        batch=pace.batch,
        micro_batch=pace.micro_batch,
        accumulate=pace.accumulate,
        checkpointing=checkpointing,
        weights_bytes=need.weights,
        optimiser_bytes=need.optimiser,
        activations_bytes=worst - need.weights - need.optimiser,
        data_bytes=data_bytes,
        base_bytes=base,
        limit_bytes=limit,
    )


def _base(nets: Nets, ema: bool, device: torch.device) -> int:
    """Return what the process takes beside the nets, which may or may not exist yet."""
    if device.type == "cuda":
        return KERNELS_BYTES["cuda"]
    there = _real_bytes(nets.generator) * (2 if ema else 1) + _real_bytes(nets.discriminator)
    status = Path("/proc/self/status")
    resident = 0
    if status.exists():
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
        resident = int(found[1]) * KIB if found else 0
    return max(resident - there, IMPORTS_BYTES) + KERNELS_BYTES["cpu"]


def _real_bytes(net: nn.Module) -> int:
    return sum(t.nbytes for t in net.state_dict().values() if t.device.type == "cpu")


def _gib(value: int) -> str:
    return f"{value / GIB:.2f}"


def _size(value: int, *, up: bool = False) -> str:
    """Return bytes as --memory takes them; up rounds so that the size given is enough."""
    for unit, name in ((GIB, "GB"), (MIB, "MB"), (KIB, "KB")):
        if value >= unit:
            tenths = -(-value * 10 // unit) if up else round(value * 10 / unit)
            return f"{tenths / 10:g}{name}"
    return f"{value}B"
