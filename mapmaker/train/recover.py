"""Going back: what a run does when it has gone astray, or when memory is short all the same."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from mapmaker.errors import Collapsed, Diverged, MissingPart
from mapmaker.events import Event, Note
from mapmaker.train.checkpoint import (
    forget_steps,
    last_post,
    load_checkpoint,
    newest_good,
    step_folders,
)
from mapmaker.train.device import give_back
from mapmaker.train.job import Job
from mapmaker.train.lacking import remember
from mapmaker.train.runs import forget_after, note_event
from mapmaker.train.state import new_state, set_rates
from mapmaker.train.step import Pace
from mapmaker.train.watch import COLLAPSED

KERNEL = "could not create a primitive"  # how oneDNN says that it lacks memory
NONE_YET = "There was no checkpoint yet."
RATE = 0.5  # of the learning rates, at each rollback


def roll_back(job: Job, trouble: Diverged) -> Iterator[Event]:
    """Put the last good checkpoint back, halve the rates, and say so.

    A collapse is rolled back past checkpoints that had fallen already; without any good one the
    run begins anew. The second time, steps meet other random numbers (see chance.py). Raises
    `trouble` once the run has been rolled back `config.rollbacks` times.
    """
    most, step, seconds = job.run.config.rollbacks, job.state.step, job.state.seconds
    rate, attempt = RATE * job.state.rate, job.state.attempt + 1
    if attempt > most:
        if most and str(trouble):
            times = "once" if most == 1 else f"{most} times"
            trouble.args = (f"{trouble} The run was rolled back {times} before.",)
        kept = "The last good checkpoint is kept." if step_folders(job.run.root) else NONE_YET
        trouble.hint = f"{kept} {trouble.hint}".strip()
        raise trouble
    diverse = COLLAPSED if isinstance(trouble, Collapsed) else 0.0
    post = job.team.tell(lambda: last_post(job.run.root, diverse=diverse))
    _restart(job, post.name if post else None)
    state = job.state
    state.rate, state.attempt = rate, attempt
    set_rates(state, job.run.recipe)
    if job.unit == "min":
        state.seconds = seconds  # a minute that was lost is over all the same
    job.trouble = str(trouble)
    where = f"step {state.step}" if state.step else "its beginning"
    text = (
        f"{trouble} The run goes on from {where} at {rate:g} times the recipe's learning rates"
        f" (rollback {attempt} of at most {most})."
    )
    if job.team.leads:
        forget_steps(job.run.root, state.step)
        note_event(job.run, "rollback", step, to=state.step, rate=rate, attempt=attempt, why=text)
    yield Note(text)


def squeeze(job: Job, words: str) -> Iterator[Event]:
    """Answer a failed allocation with a smaller plan, from the last good state, and say so.

    Raises MissingPart when nothing smaller is possible. Where this process cannot go on itself, for
    others would wait or oneDNN is out of order, it remembers the smaller plan for the next start.
    """
    step, rate, attempt = job.state.step, job.state.rate, job.state.attempt
    folders = step_folders(job.run.root)
    kept = "The last checkpoint is kept." if folders else NONE_YET
    plan = smaller(job.pace, job.checkpointing)
    too_little = MissingPart(
        f"Out of memory at step {step}, and no smaller plan would do ({words}).",
        hint=f"{kept} Close other programs, or give a smaller --memory, --batch or --size.",
    )
    if plan is None:
        raise too_little
    # A thread in which oneDNN once lacked room makes no kernel again, however much there is then.
    if KERNEL in words or job.team.size > 1:
        remember(job.run, *plan)
        where = " in one of several processes" if job.team.size > 1 else ""
        raise MissingPart(
            f"Out of memory at step {step}{where} ({words}).",
            hint=f"{kept} The same command begins with a smaller plan.",
        )
    job.pace, job.checkpointing = plan
    try:
        _restart(job, newest_good(job.run.root)[0].name if folders else None)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise too_little from error
    state = job.state
    if state.attempt < attempt:  # the checkpoint is older than a rollback to it
        state.rate, state.attempt = rate, attempt
        set_rates(state, job.run.recipe)
    text = (
        f"Out of memory at step {step}: the run goes on from step {state.step} with"
        f" {job.pace.accumulate} x {job.pace.micro_batch} pictures a step,"
        " activations computed twice."
    )
    note_event(job.run, "out of memory", step, to=state.step, why=text, said=words)
    yield Note(text)


def smaller(pace: Pace, checkpointing: bool) -> tuple[Pace, bool] | None:
    """Return the next way that needs less memory for the same batch, or None.

    First activations are computed twice, then micro-batches get smaller.
    """
    if not checkpointing:
        return pace, True
    whole = pace.micro_batch * pace.accumulate
    micro = next((n for n in range(pace.micro_batch - 1, 0, -1) if whole % n == 0), None)
    if micro is None:
        return None
    return replace(pace, micro_batch=micro, accumulate=whole // micro), True


def out_of_memory(error: BaseException) -> str:
    """Return in a few words what could not be allocated, or nothing when that is not the trouble.

    A CPU's allocators say so in several ways: torch's by a RuntimeError, numpy and Python by a
    MemoryError, C++ by std::bad_alloc, which torch hands on as a RuntimeError too; oneDNN, short of
    room for its own code, says that it could not create a primitive.
    """
    text = str(error) or type(error).__name__
    known = isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in text
        for words in (
            "can't allocate memory",
            "Cannot allocate memory",
            "out of memory",
            "bad_alloc",
            "bad allocation",
            KERNEL,
        )
    )
    return text.splitlines()[0][:160] if known else ""


def _restart(job: Job, folder: str | None) -> None:
    """Put a checkpoint's state back, or that of the beginning; the nets are built anew for it."""
    run, device = job.run, job.state.device
    for adam in (job.state.adam_g, job.state.adam_d):  # the largest of what is not needed any more
        adam.zero_grad(set_to_none=True)
        adam.state.clear()
    give_back(device)
    if folder is None:
        job.state = new_state(
            run.config.arch, run.config.size, job.fitting, device, run.config.seed
        )
        job.watch.recall(job.new_watch().memory())
    else:
        counters = load_checkpoint(run.root / folder, job.state)
        job.watch.recall(job.new_watch().memory() | dict(counters.watch))
    job.use(job.pace, job.checkpointing)
    give_back(device)
    if job.team.leads:
        forget_after(run, job.state.step, job.state.images)
