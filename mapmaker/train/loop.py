"""The training loop: everything a run does, in the order it does it."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

from torch import Tensor

from mapmaker.errors import Diverged, MapmakerError, MissingPart, Stopped
from mapmaker.events import Done, Event, Note
from mapmaker.files import append_line, read_lines, write_atomic
from mapmaker.models import tell_kinds
from mapmaker.stopping import StopFlag, stoppable
from mapmaker.train.checkpoint import save_checkpoint
from mapmaker.train.config import TrainConfig
from mapmaker.train.device import choose_device, peak_bytes
from mapmaker.train.frames import (
    draw,
    frame_name,
    recalibrate,
    recalibration_latents,
    write_sheet,
)
from mapmaker.train.job import (
    Job,
    begun_at,
    measured,
    progress_event,
    ready_shards,
    set_up_job,
)
from mapmaker.train.meter import FIRST_SAVE_S, PULSE_S, TICK_S, Rhythm
from mapmaker.train.plot import write_plot
from mapmaker.train.recover import out_of_memory, roll_back, squeeze
from mapmaker.train.runs import Run, choose_run, note_event
from mapmaker.train.score import distance
from mapmaker.train.state import check_finite
from mapmaker.train.step import train_step
from mapmaker.train.team import Team, joined, quiet
from mapmaker.workspace import Dataset, Workspace, locked


def run(workspace: Workspace, dataset: Dataset, config: TrainConfig) -> Iterator[Event]:
    """Train and yield how it goes; see `mapmaker.train.train`."""
    with joined(choose_device(config.device)) as team:
        events = _run(workspace, dataset, config, team)
        done = yield from events if team.leads else _silently(events, team)
    yield done  # once the team has parted: whoever draws it looks no further


def _run(
    workspace: Workspace, dataset: Dataset, config: TrainConfig, team: Team
) -> Iterator[Event]:
    chosen = team.tell(lambda: choose_run(workspace, dataset.name, config))
    yield Note(chosen.note or f"The run is called {chosen.name}.")
    if team.leads:
        yield from ready_shards(dataset, chosen.config.size)
    with ExitStack() as held, stoppable() as stop:
        team.tell(lambda: held.enter_context(locked(chosen.root)))
        job = yield from _ready(chosen, dataset, team)
        try:
            yield from _train(job, stop)
        except MapmakerError as error:
            with suppress(MissingPart):  # a full disk takes no last word either
                job.beat("stopped" if isinstance(error, Stopped) else "failed", reason=str(error))
            raise
        job.beat("finished")
    return _done(job)


def _silently(events: Iterator[Event], team: Team) -> Iterator[Event]:
    """Follow a run that the first process speaks for; what goes wrong here alone is said here."""
    try:
        while True:
            next(events)
    except StopIteration as end:
        yield from ()
        return Done(end.value.stage, "", end.value.data)
    except MapmakerError as error:
        if str(error):
            error.args = (f"Process {team.rank} of {team.size}: {error}",)
        raise


def _ready(run: Run, dataset: Dataset, team: Team) -> Iterator[Event]:
    """Set the run up in every process and return the Job; one that fails keeps none waiting."""
    begun, warnings = team.tell(lambda: begun_at(run.root))
    yield from map(Note, warnings)
    job, failed = None, None
    try:
        job = yield from set_up_job(run, dataset, team, begun)
    except MapmakerError as error:
        failed = error
    first, other = team.agree(team.leads and failed is not None, failed is not None)
    if failed is not None:
        raise failed if team.leads or not first else quiet(failed)
    if other:
        error = MapmakerError("Another process of this run could not begin; it says why.")
        raise error if team.leads else quiet(error)
    assert job is not None
    job.use(*team.tell(lambda: (job.pace, job.checkpointing)))
    return job


def _train(job: Job, stop: StopFlag) -> Iterator[Event]:
    """Train to the end of the budget, going back where the watch or the memory asks for it."""
    while True:
        trouble: Diverged | str
        try:
            yield from _steps(job, stop)
            return
        except Diverged as error:
            trouble = error.with_traceback(None)  # it would hold the step's tensors
        except (RuntimeError, MemoryError) as error:
            trouble = out_of_memory(error)
            if not trouble:
                raise
        yield from squeeze(job, trouble) if isinstance(trouble, str) else roll_back(job, trouble)


def _steps(job: Job, stop: StopFlag) -> Iterator[Event]:
    state, recipe, config, team = job.state, job.run.recipe, job.run.config, job.team
    tick_images, save_images = _images(config.tick_kimg), _images(config.save_kimg)
    job.ticks, job.saves = Rhythm(TICK_S), Rhythm(config.save_every_s, share=10)
    job.saves.last -= max(0.0, config.save_every_s - FIRST_SAVE_S)
    pulse, began = Rhythm(PULSE_S), time.monotonic() - state.seconds
    job.ticked_at = state.images
    next_tick, next_save = _next(state.images, tick_images), _next(state.images, save_images)
    job.meter.reset()

    while job.done < job.total:
        # One step of each net.
        figures = train_step(
            state,
            job.pictures,
            recipe,
            job.pace,
            seed=config.seed,
            progress=job.progress,
            team=team,
        )
        job.meter.add(figures, job.pace.batch)
        job.watch.add(state.step, figures)

        # What comes next: the first process has the clock, and any may have been asked to stop.
        clocks = (time.monotonic() - began, pulse.due(), job.ticks.due(), job.saves.due())
        stopped, keyboard, state.seconds, look, tick_due, save_due = team.agree(
            bool(stop), stop.signal == signal.SIGINT, *(clocks if team.leads else (0.0,) * 4)
        )
        over = job.done >= job.total or bool(stopped)
        on_grid = state.images >= next_save if save_images else True
        tick_due = state.images >= next_tick if tick_images else tick_due
        save_due = on_grid if save_images else save_due

        # A look whether all goes well, and a word for the person.
        if over or look or tick_due or save_due or state.step == 1:
            yield from _look(job)
            yield progress_event(job, job.meter.read(), peak_bytes(state.device))
            pulse.done(time.monotonic())

        # Measure, log, draw a frame.
        if over or tick_due:
            tick(job)
            next_tick = _next(state.images, tick_images)

        # Save, unless the last step was a bad one.
        if (over or save_due) and not job.watch.suspects:
            save(job, post=on_grid)
        next_save = _next(state.images, save_images)

        # Stop when asked to.
        if over and job.done < job.total:
            if not stop:
                stop.request(signal.SIGINT if keyboard else signal.SIGTERM)
            raise _stopped(job, stop)
    job.watch.settle(state.step)


def _look(job: Job) -> Iterator[Event]:
    """Judge the steps since the last look, and say what is worth knowing."""
    for text in job.watch.look():
        if job.team.leads:
            note_event(job.run, "said", job.state.step, why=text)
        yield Note(text)
    job.beat("running")


def tick(job: Job) -> None:
    """Recalibrate the averaged generator, draw the frame, measure it, write a line and the plot.

    Raises NotFinite or Collapsed, before anything is written, when the nets have gone astray.
    """
    began = time.monotonic()
    state, pace = job.state, job.pace
    means = job.meter.read()
    check_finite(state, means, weights=True)

    # Every process recalibrates, so that all hold the same bits; one draws and writes.
    shape, chunk = state.nets.latent_shape, pace.micro_batch
    more = recalibration_latents(shape, measured(state.nets.size), state.device)
    more = tell_kinds(more, len(state.nets.kinds))
    if state.ema is not None:
        recalibrate(state.ema, more, pace.precision, chunk)
    job.watch.recall(job.team.tell(lambda: _measure(job, means, more)))
    job.ticked_at = state.images
    job.meter.reset()
    job.ticks.done(began)


def _measure(job: Job, means: dict[str, float], more: Tensor) -> dict[str, Any]:
    """Draw, judge, measure and write a tick; return what the watch remembers of it."""
    state, pace, chunk = job.state, job.pace, job.pace.micro_batch
    pictures = draw(state.generator, state.frame_latents(), pace.precision, chunk)
    scored = pictures + draw(state.generator, more[len(pictures) :], pace.precision, chunk)
    job.watch.picture(state.step, scored, job.reals)
    write_sheet(job.run.root / "frames" / frame_name(state.images), pictures)
    far = distance(scored[: len(job.reals)], job.reals)
    row = {
        "kimg": state.images / 1000,
        "step": state.step,
        "seconds": round(state.seconds, 3),
        **{name: round(value, 6) for name, value in means.items()},
        "distance": round(far, 4),
        "spread": round(job.watch.spread, 4),
        "rate": state.rate,
        "img_per_s": round(job.meter.images_per_s, 3),
        "sec_per_kimg": round(job.meter.sec_per_kimg, 3),
        "peak_bytes": peak_bytes(state.device),
        "device": state.device.type,
    }
    append_line(job.run.metrics, row)
    write_plot(job.run.root / "losses.png", read_lines(job.run.metrics), job.run.name)
    return job.watch.memory()


def save(job: Job, *, post: bool) -> None:
    """Write a checkpoint, with a tick of its own; remember the one with the lowest distance."""
    began = time.monotonic()
    if job.ticked_at != job.state.images:
        tick(job)
    job.state.best = job.team.tell(lambda: _write(job, post))
    job.meter.start()
    job.saves.done(began)


def _write(job: Job, post: bool) -> float:
    """Write the checkpoint and return the lowest distance so far."""
    state, run = job.state, job.run
    far = read_lines(run.metrics)[-1]["distance"]
    better, state.best = far <= state.best, min(state.best, far)
    folder = save_checkpoint(
        run.root, state, job.pace, keep=run.config.keep, post=post, watch=job.watch.memory()
    )
    if better:
        write_atomic(run.root / "best", folder.name + "\n")
    return state.best


def _images(kimg: float | None) -> int | None:
    return None if kimg is None else max(1, round(1000 * kimg))


def _next(images: int, every: int | None) -> int:
    return 0 if every is None else (images // every + 1) * every


def _stopped(job: Job, stop: StopFlag) -> MapmakerError:
    where = f"at step {job.state.step} ({job.state.images / 1000:.2f} kimg)"
    text = f"Stopped and saved {job.run.name} {where}."
    if job.watch.suspects:
        text = f"Stopped {job.run.name} {where}, which looks bad: the checkpoint before it is kept."
    error = stop.error(text, hint="The same command goes on from there.")
    return error if job.team.leads else quiet(error)


def _done(job: Job) -> Done:
    state, run = job.state, job.run
    data = {
        "run": run.name,
        "folder": str(run.root),
        "step": state.step,
        "kimg": state.images / 1000,
        "seconds": round(state.seconds, 1),
        "device": state.device.type,
        "distance": state.best,
    }
    summary = (
        f"{run.name}: {state.images / 1000:.2f} kimg in {state.seconds / 60:.1f} min"
        f" on the {state.device.type}."
    )
    return Done("train", summary, data)
