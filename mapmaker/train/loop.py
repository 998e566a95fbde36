"""The training loop: everything a run does, in the order it does it."""

import time
from collections.abc import Iterator

from mapmaker.errors import MapmakerError
from mapmaker.events import Done, Event, Note
from mapmaker.files import append_line, read_lines, write_atomic
from mapmaker.stopping import StopFlag, stoppable
from mapmaker.train.checkpoint import save_checkpoint
from mapmaker.train.config import TrainConfig
from mapmaker.train.device import peak_bytes
from mapmaker.train.frames import (
    draw,
    frame_name,
    recalibrate,
    recalibration_latents,
    write_sheet,
)
from mapmaker.train.job import Job, measured, progress_event, ready_shards, set_up_job
from mapmaker.train.meter import FIRST_SAVE_S, PULSE_S, TICK_S, Rhythm
from mapmaker.train.plot import write_plot
from mapmaker.train.runs import beat, choose_run
from mapmaker.train.score import distance
from mapmaker.train.state import check_finite
from mapmaker.train.step import train_step
from mapmaker.workspace import Dataset, Workspace, locked


def run(workspace: Workspace, dataset: Dataset, config: TrainConfig) -> Iterator[Event]:
    """Train and yield how it goes; see `mapmaker.train.train`."""
    chosen = choose_run(workspace, dataset.name, config)
    yield Note(chosen.note or f"The run is called {chosen.name}.")
    yield from ready_shards(dataset, chosen.config.size)
    with locked(chosen.root), stoppable() as stop:
        job = yield from set_up_job(chosen, dataset)
        try:
            yield from _train(job, stop)
        except MapmakerError as error:
            beat(chosen, "stopped" if stop else "failed", step=job.state.step, reason=str(error))
            raise
        beat(chosen, "finished", step=job.state.step, kimg=job.state.images / 1000)
    yield _done(job)


def _train(job: Job, stop: StopFlag) -> Iterator[Event]:
    state, recipe, config = job.state, job.run.recipe, job.run.config
    tick_images = None if config.tick_kimg is None else max(1, round(1000 * config.tick_kimg))
    job.ticks, job.saves = Rhythm(TICK_S), Rhythm(config.save_every_s, share=10)
    job.saves.last -= max(0.0, config.save_every_s - FIRST_SAVE_S)
    pulse, began = Rhythm(PULSE_S), time.monotonic() - state.seconds
    job.ticked_at, next_tick = state.images, _next(state.images, tick_images)
    job.meter.reset()

    while job.done < job.total:
        # One step of each net.
        figures = train_step(
            state, job.pictures, recipe, job.pace, seed=config.seed, progress=job.progress
        )
        job.meter.add(figures, job.pace.batch)
        state.seconds = time.monotonic() - began
        over = job.done >= job.total or bool(stop)

        # A word for the person, and a look whether the numbers are still numbers.
        if over or pulse.due() or state.step == 1:
            means = job.meter.read()
            check_finite(state, means, weights=False)
            beat(job.run, "running", step=state.step, kimg=state.images / 1000, total=job.total)
            yield progress_event(job, means, peak_bytes(state.device))
            pulse.done(time.monotonic())
            over = over or bool(stop)

        # Measure, log, draw a frame.
        due = job.ticks.due() if tick_images is None else state.images >= next_tick
        if over or due:
            tick(job)
            next_tick = _next(state.images, tick_images)

        # Save.
        if over or job.saves.due():
            save(job)
        state.seconds = time.monotonic() - began

        # Stop when asked to.
        if over and job.done < job.total:
            raise stop.error(
                f"Stopped and saved {job.run.name} at step {state.step}"
                f" ({state.images / 1000:.2f} kimg).",
                hint="The same command goes on from there.",
            )


def tick(job: Job) -> None:
    """Recalibrate the averaged generator, draw the frame, measure it, write a line and the plot."""
    began = time.monotonic()
    state, pace = job.state, job.pace
    means = job.meter.read()
    check_finite(state, means, weights=True)

    # Draw from the averaged weights.
    shape, chunk = state.nets.latent_shape, pace.micro_batch
    more = recalibration_latents(shape, measured(state.nets.size), state.device)
    if state.ema is not None:
        recalibrate(state.ema, more, pace.precision, chunk)
    pictures = draw(state.generator, state.frame_latents(), pace.precision, chunk)
    write_sheet(job.run.root / "frames" / frame_name(state.images), pictures)

    # Measure them.
    scored = pictures + draw(state.generator, more[len(pictures) :], pace.precision, chunk)
    far = distance(scored[: len(job.reals)], job.reals)
    row = {
        "kimg": state.images / 1000,
        "step": state.step,
        "seconds": round(state.seconds, 3),
        **{name: round(value, 6) for name, value in means.items()},
        "distance": round(far, 4),
        "img_per_s": round(job.meter.images_per_s, 3),
        "sec_per_kimg": round(job.meter.sec_per_kimg, 3),
        "peak_bytes": peak_bytes(state.device),
        "device": state.device.type,
    }
    append_line(job.run.metrics, row)
    write_plot(job.run.root / "losses.png", read_lines(job.run.metrics), job.run.name)
    job.ticked_at = state.images
    job.meter.reset()
    job.ticks.done(began)


def save(job: Job) -> None:
    """Write a checkpoint, with a tick of its own; remember the one with the lowest distance."""
    began = time.monotonic()
    if job.ticked_at != job.state.images:
        tick(job)
    far = read_lines(job.run.metrics)[-1]["distance"]
    better = far <= job.state.best
    job.state.best = min(job.state.best, far)
    folder = save_checkpoint(job.run.root, job.state, job.pace, keep=job.run.config.keep)
    if better:
        write_atomic(job.run.root / "best", folder.name + "\n")
    job.meter.start()
    job.saves.done(began)


def _next(images: int, tick_images: int | None) -> int:
    return 0 if tick_images is None else (images // tick_images + 1) * tick_images


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
