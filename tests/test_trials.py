"""Short trainings beside each other: what the benches of quality are made of."""

import numpy as np
import pytest
import trials
from ablate import TEXTS, summary, table
from ablate import trials as ablation
from compare import steady

from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.workspace import Workspace

TINY = {"options": {"channels": 4, "channels2": 4, "latent": "spatial"}, "d_side": 8}


def tiny(**more):
    return trials.Trial(
        **{"name": "tiny", "arch": "dcgan", "size": 32, "seed": 0, "minutes": 0.01, "changes": TINY}
        | more
    )


@pytest.fixture(scope="module")
def maps_dataset(tmp_path_factory):
    """Twelve drawn plans, imported, pruned and packed at 32 px."""
    from mapmaker import layout
    from mapmaker.cli.draw import draw
    from mapmaker.prune.config import PruneConfig
    from mapmaker.prune.prune import prune
    from mapmaker.scrape.config import ImportConfig
    from mapmaker.scrape.own import import_pictures

    home = tmp_path_factory.mktemp("trials")
    folder = home / "plans"
    folder.mkdir()
    for seed in range(12):
        layout.render(layout.plan("cave", seed), 10).save(folder / f"{seed}.png")
    workspace = Workspace(home)
    draw(import_pictures(workspace, [folder], ImportConfig(name="plans")))
    draw(prune(workspace.dataset("plans"), PruneConfig(auto=True, min_side_px=32)))
    draw(pack(workspace.dataset("plans"), PackConfig(size=32, crops=1, views=1, held_out=0.3)))
    return "plans", home


def test_trial_leaves_samples_and_a_result_and_is_not_run_again(maps_dataset, tmp_path):
    """Done means that the result is there; the same trials again take no time."""
    dataset, home = maps_dataset
    asked = [tiny()]

    first = list(trials.run_all(asked, tmp_path, home, dataset, [0]))
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("result.json")}
    again = list(trials.run_all(asked, tmp_path, home, dataset, [0]))

    with np.load(tmp_path / "tiny-32-0" / "samples.npz") as file:
        assert file["samples"].shape == (trials.SAMPLES, 32, 32, 3)
    assert [r["trial"]["seed"] for _, r in first] == [0]
    assert all(r["steps"] > 0 and r["peak_bytes"] > 2**20 for _, r in first)
    assert again == first
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("result.json")} == files


def test_trial_that_diverges_says_so(maps_dataset, tmp_path):
    """A rate no net survives ends the trial, and the table of steady nets counts it."""
    dataset, home = maps_dataset
    wild = tiny(minutes=0.1, changes=TINY | {"lr_g": 1e30, "lr_d": 1e30})

    result = trials.run_trial(wild, home, dataset, tmp_path)

    assert result["bad"] in ("not finite", "NotFinite")
    assert "0 of 1" in steady({"wild": [result]})


def test_every_question_is_asked_of_three_seeds_and_one_change():
    """A variant differs from the base in one thing, and every question has its text."""
    asked = ablation(1.0, 3)

    assert set(asked) == set(TEXTS)
    for variants in asked.values():
        assert all(len(own) == 3 for _, own in variants)
    for key in ("stride", "scale", "noise", "last"):
        (_, (base, *_)), *others = asked[key]
        for _, (other, *_) in others:
            flat = {**other.changes, **other.changes["options"]}
            plain = {**base.changes, **base.changes["options"]}
            changed = {k for k in flat if k != "options" and flat[k] != plain.get(k)}
            assert changed - {"noise_until"} and len(changed - {"noise_until"}) == 1


def test_table_gives_mean_and_deviation():
    """What stands in the table is the mean of the seeds and how far they lie apart."""
    rows = [
        ({"bad": "", "kimg": 2.0}, {"swd_mean": 1.0}),
        ({"bad": "", "kimg": 4.0}, {"swd_mean": 3.0}),
    ]

    text = table({"scale": {"base": summary(rows)}})

    assert "| base | 3.0 | 2 ± 1.4 |" in text
