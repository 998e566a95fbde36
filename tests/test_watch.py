"""A run that goes astray: noticed, rolled back at a lower rate, said; given up in good order."""

import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from train_tools import (  # noqa: F401 - fixtures
    done,
    events,
    metrics,
    packed,
    run_all,
    weights_sha256,
    workspace,
)

from mapmaker.errors import Collapsed, Diverged, NotFinite
from mapmaker.events import Event, Note
from mapmaker.train.checkpoint import step_folders
from mapmaker.train.load import load_generator
from mapmaker.train.watch import LASTING, MEMORY, PATIENCE, Watch, spread
from mapmaker.workspace import Workspace

# Ticks, looks and saves at fixed pictures, so that a run repeats to the bit, rollbacks included.
STEADY = {"tick_kimg": 0.016, "save_kimg": 0.016, "batch": "4"}


def recipe(workspace: Workspace, name: str, text: str) -> str:  # noqa: F811
    """Write a recipe beside small.toml, from it and `text`, and return its path."""
    path = workspace.home / f"{name}.toml"
    path.write_text(text + (workspace.home / "small.toml").read_text())
    return str(path)


def until_it_fails(workspace: Workspace, **fields: object) -> tuple[list[Event], Diverged]:  # noqa: F811
    """Train, and return what was said and the error that ended it."""
    said: list[Event] = []
    with pytest.raises(Diverged) as error:
        said.extend(iter_into(said, workspace, **fields))
    return said, error.value


def iter_into(said: list[Event], workspace: Workspace, **fields: object) -> list[Event]:  # noqa: F811
    """Train and append each event to `said`, so that an error loses none."""
    for event in events(workspace, **fields):
        said.append(event)
    return []


def rolled_back(run: Path) -> list[dict]:
    """Return the rollbacks that events.jsonl tells of."""
    rows = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [row for row in rows if row["event"] == "rollback"]


def figures(**changed: float) -> dict[str, torch.Tensor]:
    """Return the figures of a healthy step, with some changed."""
    plain = {"loss_d": 1.5, "loss_g": 0.2, "grad_d": 3.0, "grad_g": 1.0}
    plain |= {"logit_real": 0.5, "logit_fake": -0.5}
    return {name: torch.tensor(value) for name, value in (plain | changed).items()}


def test_an_absurd_rate_is_rolled_back_and_given_up_in_good_order(
    workspace: Workspace,  # noqa: F811
) -> None:
    """At a rate of 1e30 the nets blow up; the run goes back three times, halving, then ends.

    The checkpoint from before stays as it was, byte for byte, and the run's state says what was.
    """
    run_all(workspace, **STEADY, kimg=0.016)
    run = workspace.run("run")
    before = weights_sha256(run)
    table = run / "recipe.toml"
    table.write_text(table.read_text().replace("lr_g = 0.0002", "lr_g = 1e30"))

    said, error = until_it_fails(workspace, kimg=0.064, resume=True)

    notes = [e.text for e in said if isinstance(e, Note) and "rollback" in e.text]
    assert [row["rate"] for row in rolled_back(run)] == [0.5, 0.25, 0.125]
    assert all(row["to"] == 4 for row in rolled_back(run))
    assert len(notes) == 3 and "goes on from step 4 at 0.5 times" in notes[0]
    assert error.exit_code == 1 and "rolled back 3 times" in str(error)
    assert error.hint.count("is kept") == 1
    assert weights_sha256(run) == before and [f.name for f in step_folders(run)] == [
        "step-00000004"
    ]
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["rollbacks"], status["rate"]) == ("failed", 3, 0.125)
    assert "diverged" in status["trouble"]


def too_fast(workspace: Workspace) -> dict[str, object]:  # noqa: F811
    """Return a run whose discriminator's rate is eighty thousand times the usual one."""
    path = recipe(workspace, "fast", 'base = "notes"\nlr_d = 16.0\nlr_g = 0.0002\n')
    seldom = {"tick_kimg": 0.032, "save_kimg": 0.032}
    return STEADY | seldom | {"kimg": 0.128, "recipe": path, "rollbacks": 20}


def test_a_collapse_is_no_good_checkpoint(workspace: Workspace) -> None:  # noqa: F811
    """A generator that a huge rate drives to one picture is noticed at the tick, and never saved.

    The run goes back to a checkpoint whose pictures still differed, and ends there when it may not
    go back any more.
    """
    run_all(workspace, **STEADY, kimg=0.016, young_steps=0)
    run = workspace.run("run")
    table = run / "recipe.toml"
    table.write_text(table.read_text().replace("lr_g = 0.0002", "lr_g = 1.0"))

    _, error = until_it_fails(workspace, kimg=0.256, resume=True, rollbacks=0, young_steps=0)

    assert isinstance(error, Collapsed) and "pictures differ by" in str(error)
    assert error.exit_code == 1 and "kept" in error.hint
    spreads = [row["spread"] for row in metrics(run)]
    assert len(spreads) >= 1 and min(spreads) >= 0.05
    for folder in step_folders(run):
        assert json.loads((folder / "state.json").read_text())["watch"]["spread"] >= 0.05
    assert load_generator(run)[1]["step"] == metrics(run)[-1]["step"] < 64


def test_a_run_without_a_good_checkpoint_begins_anew(workspace: Workspace) -> None:  # noqa: F811
    """Flat from its first tick on, a run is rolled back to its beginning, and leaves no checkpoint.

    `notes` starts with pictures that are one grey when rounded, and at such a rate it stays there;
    no step is young here.
    """
    path = recipe(workspace, "flat", 'base = "notes"\nlr_g = 1e-9\n')
    text = Path(path).read_text()
    Path(path).write_text(text.replace("ema = 0.9", "ema = 0.0"))

    said, error = until_it_fails(
        workspace, **STEADY, kimg=0.064, recipe=path, rollbacks=1, young_steps=0
    )

    run = workspace.run("run")
    assert isinstance(error, Collapsed) and "rolled back once before" in str(error)
    assert "no checkpoint yet" in error.hint and "kept" not in error.hint
    assert any("goes on from its beginning" in e.text for e in said if isinstance(e, Note))
    assert [(row["step"], row["to"]) for row in rolled_back(run)] == [(4, 0)]
    assert not step_folders(run) and not metrics_of(run)


def metrics_of(run: Path) -> list[dict]:
    """Return the rows of metrics.jsonl, which a run without a good tick does not have."""
    return metrics(run) if (run / "metrics.jsonl").exists() else []


def test_a_lower_rate_saves_a_run_and_repeats_to_the_bit(workspace: Workspace) -> None:  # noqa: F811
    """A rate whose losses explode is halved until they do not, and the run ends well.

    Cut short between two rollbacks, the same command ends with the same weights.
    """
    fields = too_fast(workspace)
    said = run_all(workspace, **fields, name="one")
    stage = events(workspace, **fields, name="cut")
    for event in stage:
        if isinstance(event, Note) and "(rollback 2 of" in event.text:
            break
    stage.close()
    run_all(workspace, **fields, name="cut")

    one, cut = workspace.run("one"), workspace.run("cut")
    rates = [row["rate"] for row in rolled_back(one)]
    assert done(said).data["step"] == 32
    assert len(rates) >= 2 and rates == [0.5**n for n in range(1, len(rates) + 1)]
    assert all("loss" in row["why"] for row in rolled_back(one))
    assert [row["step"] for row in metrics(one)] == [8, 16, 24, 32]
    assert weights_sha256(one) == weights_sha256(cut)
    state = json.loads((cut / "step-00000032" / "state.json").read_text())
    assert (state["attempt"], state["rate"]) == (len(rates), rates[-1])


def test_a_rollback_changes_the_random_numbers(workspace: Workspace) -> None:  # noqa: F811
    """Of two states that differ in the attempt alone, a step makes different ones."""
    from train_tools import small_state

    from mapmaker.shards.reader import open_shards
    from mapmaker.train.data import Pictures
    from mapmaker.train.recipes import RECOMMENDED
    from mapmaker.train.step import Pace, train_step

    shards = open_shards(workspace.dataset("maps").shards(32))
    cpu = torch.device("cpu")
    pictures = Pictures(shards, device=cpu, seed=0, resident=True, symmetries=True)
    losses = []
    for attempt in (0, 1, 0):
        state = small_state()
        state.attempt = attempt
        found = train_step(state, pictures, RECOMMENDED, Pace(4, 1, "fp32"), seed=0, progress=0.0)
        losses.append(float(found["loss_d"]))

    assert losses[0] == losses[2] != losses[1]


def test_explosions_are_told_from_spikes() -> None:
    """A few wild steps pass; as many as PATIENCE running are an explosion, and none is saved."""
    watch = Watch(young=0, hinge=True)
    for step in range(MEMORY):
        watch.add(step, figures())
    for step in range(PATIENCE - 1):
        watch.add(step, figures(grad_g=1e4))
    watch.look()

    assert watch.suspects
    watch.add(0, figures())
    watch.look()
    assert not watch.suspects
    for step in range(100, 100 + PATIENCE):
        watch.add(step, figures(loss_d=1e5))
    with pytest.raises(Diverged, match=f"loss_d 1e.05 at step {99 + PATIENCE}"):
        watch.look()


def test_looking_seldom_or_often_is_the_same() -> None:
    """The verdict falls on the same step however often somebody looks, and after a resume."""
    steps = [figures(grad_d=3.0 + step % 5) for step in range(70)] + [figures(grad_d=2e3)] * 40

    def verdict(every: int, forget: int) -> str:
        watch = Watch(young=0, hinge=True)
        try:
            for step, row in enumerate(steps):
                watch.add(step, row)
                if step % every == 0:
                    watch.look()
                if step == forget:
                    watch.look()
                    kept, watch = watch.memory(), Watch(young=0, hinge=True)
                    watch.recall(json.loads(json.dumps(kept)))
            watch.look()
        except Diverged as error:
            return str(error)
        return "none"

    assert verdict(1, 999) == verdict(50, 999) == verdict(7, 75) != "none"


def test_not_a_number_is_named() -> None:
    """The first figure that is no number is named with its step."""
    watch = Watch(young=0, hinge=True)
    watch.add(7, figures(loss_g=math.nan))

    with pytest.raises(NotFinite, match="loss_g is not finite at step 7"):
        watch.look()


def test_a_game_that_is_won_or_lost_is_only_said() -> None:
    """A discriminator that always wins, or tells nothing, is one remark, not a rollback."""
    watch, lost = Watch(young=0, hinge=True), Watch(young=0, hinge=True)
    for step in range(LASTING + 50):
        watch.add(step, figures(loss_d=0.0, logit_real=1.5, logit_fake=-1.5))
        lost.add(step, figures(logit_real=0.01, logit_fake=0.0))

    (won,), (told,) = watch.look(), lost.look()
    assert "been right about everything" in won and "hardly told" in told


def test_spread_is_the_distance_of_two_pictures() -> None:
    """Equal pictures are 0 apart, black and white ones 1 a pair."""
    black, white = (Image.new("RGB", (40, 40), c) for c in ("black", "white"))

    assert spread([black, black, black]) == 0.0
    assert spread([black, white]) == pytest.approx(1.0)
