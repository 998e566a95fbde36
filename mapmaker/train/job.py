"""Setting a run up: its pictures, its nets, its memory plan, and the checkpoint it goes on from."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mapmaker.errors import BadConfig, UnsafeInput
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import read_json, sha256_of
from mapmaker.models import Nets, build
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import Shards, open_shards, to_picture
from mapmaker.shards.rows import check_whole
from mapmaker.train.checkpoint import clean, load_checkpoint, newest_good, step_folders
from mapmaker.train.config import TrainConfig
from mapmaker.train.data import Pictures
from mapmaker.train.device import choose_device, choose_precision, environment, set_up
from mapmaker.train.frames import write_sheet
from mapmaker.train.kinds import kinds_of
from mapmaker.train.lacking import recall
from mapmaker.train.memory import (
    AUTO_BATCH,
    MemoryPlan,
    machine_bytes,
    parse_memory,
    plan_memory,
)
from mapmaker.train.meter import Meter, Rhythm
from mapmaker.train.recipes import Recipe
from mapmaker.train.runs import Run, beat, forget_after, read_header, record
from mapmaker.train.state import FRAMES, State, generator_hash, new_state, set_rates
from mapmaker.train.step import Pace
from mapmaker.train.team import ALONE, Team, processes
from mapmaker.train.watch import Watch
from mapmaker.workspace import Dataset

RESIDENT_SHARE = 0.25  # of the memory given, at most, for the data set


@dataclass(slots=True)
class Job:
    """A run that is ready to train."""

    run: Run
    state: State
    pictures: Pictures
    pace: Pace
    reals: list[Image.Image]
    total: float  # of unit, in which the budget is counted
    unit: str  # "kimg" | "min"
    watch: Watch
    fitting: Recipe  # the run's, with the kinds of map that the data set has
    team: Team = ALONE
    checkpointing: bool = False
    trouble: str = ""  # the last that the run was rolled back for
    meter: Meter = field(default_factory=Meter)
    ticks: Rhythm = field(default_factory=lambda: Rhythm(0.0))
    saves: Rhythm = field(default_factory=lambda: Rhythm(0.0))
    ticked_at: int = -1  # images at the last tick

    @property
    def done(self) -> float:
        """How much of the budget is used, in its unit."""
        return self.state.images / 1000 if self.unit == "kimg" else self.state.seconds / 60

    @property
    def progress(self) -> float:
        """The share of the budget that is used, 0 to 1."""
        return min(1.0, self.done / self.total)

    def new_watch(self) -> Watch:
        """Return a watch that has seen nothing yet."""
        return new_watch(self.run)

    def use(self, pace: Pace, checkpointing: bool) -> None:
        """Train at this pace from now on."""
        self.pace, self.checkpointing = pace, checkpointing
        for net in (self.state.nets.generator, self.state.nets.discriminator):
            net.checkpointing = checkpointing

    def beat(self, state: str, **more: Any) -> None:
        """Write the heartbeat, in the process that leads."""
        if self.team.leads:
            figures = {"kimg": self.state.images / 1000, "total": self.total} | more
            if self.state.attempt:
                figures |= {"rollbacks": self.state.attempt, "rate": self.state.rate}
                figures |= {"trouble": self.trouble}
            beat(self.run, state, step=self.state.step, **figures)


def new_watch(run: Run) -> Watch:
    """Return a watch that has seen nothing yet."""
    return Watch(young=run.config.young_steps, hinge=run.recipe.loss == "hinge")


def measured(size: int) -> int:
    """Return how many pictures a tick measures: 64, and fewer where drawing one costs much."""
    return max(FRAMES, min(64, 64 * 256 // size))


def ready_shards(dataset: Dataset, size: int) -> Iterator[Event]:
    """Pack the data set at this size unless that was done, and say so."""
    if (dataset.shards(size) / "card.json").exists():
        return
    yield Note(f"{dataset.name} has no shards of {size} px yet; packing them first.")
    for event in pack(dataset, PackConfig(size=size)):
        yield Note(event.summary) if isinstance(event, Done) else event


def plan_run(config: TrainConfig, recipe: Recipe, pictures: int) -> MemoryPlan:
    """Return how a run would use the memory it is given, without training: what --dry-run prints.

    Raises BadConfig, naming the least that would do, when the memory is too small.
    """
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    with torch.device("meta"):
        nets = build(config.arch, config.size, recipe.options_at(config.size))
    return _plan(nets, config, recipe, device, precision, pictures)


def begun_at(root: Path) -> tuple[str | None, list[str]]:
    """Return the step folder a run goes on from, if any, and lines about corrupt ones."""
    clean(root)
    if not step_folders(root):
        return None, []
    folder, warnings = newest_good(root)
    return folder.name, warnings


def set_up_job(run: Run, dataset: Dataset, team: Team, begun: str | None) -> Iterator[Event]:
    """Make everything a run needs and return it as a Job (the generator's value).

    begun is the step folder to go on from. Only the team's first process writes.
    """
    config, recipe = run.config, run.recipe
    device = choose_device(config.device)
    set_up(device)
    precision = choose_precision(config.precision, device)
    shards = _open(dataset, config.size)
    train_pictures = len(shards.indices("train"))

    # The nets, which may tell kinds of map apart, and what the memory carries.
    fitting, kinds = _tell_apart(run, dataset, shards)
    state = new_state(config.arch, config.size, fitting, device, config.seed)
    plan = _plan(state.nets, config, recipe, device, precision, train_pictures, team.size)
    pace, checkpointing = Pace(plan.micro_batch, plan.accumulate, precision, team.size), False
    yield Note(str(plan))
    if state.nets.kinds:
        yield Note(f"Kinds of map, learnt apart: {', '.join(state.nets.kinds)}.")
    if team.size > 1:
        yield Note(f"{team.size} processes train on {pace.batch} pictures a step, each as planned.")
    pictures = Pictures(
        shards,
        device=device,
        seed=config.seed,
        resident=plan.data_bytes > 0,
        symmetries=recipe.symmetries,
        upright=shards.column("upright"),
        kinds=kinds,
    )

    # Go on from the last good checkpoint.
    watch = new_watch(run)
    if begun is not None:
        before = load_checkpoint(run.root / begun, state)
        set_rates(state, recipe)
        watch.recall(watch.memory() | dict(before.watch))
        checkpointing = before.checkpointing
        yield Note(f"Loaded {begun}: {state.images / 1000:.2f} kimg.")
        if before.pace.world != team.size:
            yield Note(f"It was trained by {before.pace.world} and goes on with {team.size}.")
        pace = _keep_pace(before.pace, pace)

    # Where memory was short before, begin with the plan that was remembered then.
    checkpointing = checkpointing or plan.checkpointing
    given, (pace, checkpointing) = (pace, checkpointing), recall(run, pace, checkpointing)
    if given != (pace, checkpointing):
        yield Note(
            f"Memory was short before: {pace.accumulate} x {pace.micro_batch} pictures a step in"
            " each process, activations computed twice."
        )

    # Say what this run is.
    reals = [to_picture(image) for image in pictures.first(measured(config.size))]
    env = environment(device) | {"precision": precision}
    data = data_card(dataset, config.size, train_pictures)
    if state.step and read_json(run.root / "data.json") != data:
        yield Note(f"{dataset.name} was packed anew since this run began; it goes on with the new.")
    header = {
        "dataset": dataset.name,
        "generator": generator_hash(state.nets),
        "options": state.nets.options,
    }
    if team.leads:
        forget_after(run, state.step, state.images)
        record(run, header, env, data)
        write_sheet(run.root / "reals.webp", reals[:FRAMES])
    unit, total = _budget(config, train_pictures)
    job = Job(run, state, pictures, pace, reals, total, unit, watch, fitting, team)
    job.use(pace, checkpointing)
    return job


def _tell_apart(
    run: Run, dataset: Dataset, shards: Shards
) -> tuple[Recipe, tuple[int, np.ndarray] | None]:
    """Return the recipe with the kinds of map the nets learn apart, and the kind of each sample.

    A run that goes on keeps the kinds it was begun with, in its nets' order.
    """
    recipe, known = run.recipe, run.recipe.options.get("kinds", ())
    if not (run.config.kinds or known):
        return recipe, None
    if (run.root / "config.toml").is_file():
        known = read_header(run.root).get("options", {}).get("kinds", known)
    names, which = kinds_of(dataset, shards, known)
    return replace(recipe, options={**recipe.options, "kinds": names}), (len(names), which)


def data_card(dataset: Dataset, size: int, train_pictures: int) -> dict[str, Any]:
    """Return what data.json records: which shards, by the hash of the card that lists theirs."""
    card = dataset.shards(size) / "card.json"
    return {
        "dataset": dataset.name,
        "size": size,
        "train_pictures": train_pictures,
        "card_sha256": sha256_of(card),
    }


def _open(dataset: Dataset, size: int) -> Shards:
    shards = open_shards(dataset.shards(size))
    if shards.size != size:
        raise UnsafeInput(
            f"{dataset.shards(size)} holds pictures of {shards.size} px.", hint="Pack them again."
        )
    check_whole(shards)  # 1.7 GB a second, once a run: a flipped bit must not be learnt
    return shards


def _plan(
    nets: Nets,
    config: TrainConfig,
    recipe: Recipe,
    device: torch.device,
    precision: str,
    pictures: int,
    processes_in_all: int = 1,
) -> MemoryPlan:
    memory = parse_memory(config.memory)
    if device.type == "cpu":  # processes of one machine share what it has
        memory = min(memory, machine_bytes(device) // processes()[1])
    data = pictures * 3 * config.size**2
    return plan_memory(
        nets,
        batch=_batch_of_each(config, device, processes_in_all),
        memory_bytes=memory,
        precision=precision,
        ema=recipe.ema > 0,
        data_bytes=data if data <= RESIDENT_SHARE * memory else 0,
        device=device,
        recipe=recipe,
    )


def _batch_of_each(config: TrainConfig, device: torch.device, processes_in_all: int) -> int | None:
    """Return how many pictures a step each process takes, or None for what its memory carries."""
    if processes_in_all == 1:
        return config.batch_size
    whole = config.batch_size or AUTO_BATCH[device.type]
    if config.batch_size is not None and whole % processes_in_all:
        raise BadConfig(
            f"A batch of {whole} cannot be shared by {processes_in_all} processes.",
            hint=f"Give --batch {whole - whole % processes_in_all or processes_in_all}.",
        )
    return max(1, whole // processes_in_all)


def _keep_pace(before: Pace, now: Pace) -> Pace:
    """Return the pace a run goes on at: as before, bit for bit, where today's plan allows that."""
    same = replace(before, micro_batch=1, accumulate=1) == replace(now, micro_batch=1, accumulate=1)
    same = same and before.batch == now.batch
    return before if same and before.micro_batch <= now.micro_batch else now


def _budget(config: TrainConfig, pictures: int) -> tuple[str, float]:
    name, amount = config.budget
    if name == "minutes":
        return "min", amount
    kimg = amount if name == "kimg" else amount * pictures / 1000
    if kimg <= 0:
        raise BadConfig(f"{name} {amount} is no budget.")
    return "kimg", kimg


def progress_event(job: Job, figures: dict[str, float], memory_bytes: int) -> Step:
    """Return the line a person watches: how far, how fast, the losses, the memory."""
    note = (
        f"{job.state.images / 1000:.2f} kimg, {job.meter.sec_per_kimg:.1f} s/kimg,"
        f" {job.meter.images_per_s:.1f} img/s, {memory_bytes / 2**30:.1f} GB,"
        f" loss G {figures['loss_g']:.2f} D {figures['loss_d']:.2f}"
    )
    return Step("train", min(job.done, job.total), job.total, job.unit, note)
