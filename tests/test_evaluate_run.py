"""`mapmaker evaluate`: what it leaves beside a run, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shard_tools import kept_from_file, make_dataset, pack_all
from train_tools import SMALL_NET, plan_once

from mapmaker.cli.border import run_line
from mapmaker.errors import BadConfig
from mapmaker.evaluate import EvaluateConfig
from mapmaker.files import sha256_of
from mapmaker.train.checkpoint import step_folders

TRAIN = ["--size", "32", "--batch", "4", "--device", "cpu", "--precision", "fp32", "--name", "run"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose run `run` was trained and evaluated in one line."""
    home = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mapmaker.shards.pack.kept", kept_from_file)
        dataset = make_dataset(home, 36)
        patch.setattr("mapmaker.train.job.plan_memory", plan_once)
        pack_all(dataset, held_out=0.3, crops=1)
        dataset.manifest.write_text("")
        (home / "small.toml").write_text(SMALL_NET)
        first = ["train", "maps", *TRAIN, "--recipe", str(home / "small.toml"), "--kimg", "0.016"]
        more = ["train", "maps", "--resume", "--name", "run", "--kimg", "0.032"]
        assert run_line(["--home", str(home), *first, *more, "evaluate", "-n", "12"]) == 0
    return home


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Path:
    """The same workspace, to spoil."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


def table(home: Path) -> dict:
    return json.loads((home / "checkpoints/run/evaluation.json").read_text())


def test_evaluate_takes_the_run_that_was_just_trained(finished):
    """`train ... evaluate` leaves numbers, curves and copies, and says what they are numbers of."""
    run = finished / "checkpoints/run"
    found = table(finished)

    assert found["n"] == 12 and found["seed"] == 0 and found["dataset"] == "maps"
    assert "random" in found["feature_net"] and found["inception_sha256"] is None
    assert found["trained_on_these"] and found["held_out"]["maps"] == 5
    row = found["checkpoints"][0]
    newest = step_folders(run)[0]
    assert row["sha256"] == sha256_of(newest / "model.safetensors")
    assert row["seconds"] > 0 and np.isfinite(list(row["metrics"].values())).all()
    with Image.open(run / "evaluation.png") as curves, Image.open(run / "nearest.png") as pairs:
        assert curves.size == (960, 1000)
        assert pairs.width > 900
    assert not list(run.glob(".*.tmp"))


def test_the_same_again_gives_the_same_numbers(mapmaker, home):
    """Alone it takes the newest run and says so; the row is replaced, not doubled."""
    before = table(home)["checkpoints"][0]

    result = mapmaker("evaluate", "-n", 12, "--json")

    assert result.code == 0, result.err
    assert "Using run." in result.err
    assert json.loads(result.out)["metrics"] == before["metrics"]
    assert [row["sha256"] for row in table(home)["checkpoints"]] == [before["sha256"]]


def test_all_measures_every_checkpoint_but_a_corrupt_one(mapmaker, home):
    """Two checkpoints are kept; with one flipped bit it is one, and the other is named."""
    run = home / "checkpoints/run"
    newest, older = step_folders(run)[:2]

    result = mapmaker("evaluate", "run", "--all", "-n", 12)
    both = [row["step"] for row in table(home)["checkpoints"]]
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    spoilt = mapmaker("evaluate", "run", "--all", "-n", 13)

    assert result.code == 0, result.err
    assert both == sorted(int(step.name[5:]) for step in (newest, older))
    assert spoilt.code == 0 and newest.name in spoilt.err and "corrupt" in spoilt.err
    assert [row["step"] for row in table(home)["checkpoints"]] == [int(older.name[5:])]


def test_numbers_of_other_settings_do_not_stand_beside_each_other(mapmaker, home):
    """Another count of pictures begins another table; another checkpoint joins the one there is."""
    older = step_folders(home / "checkpoints/run")[1]

    mapmaker("evaluate", "run", "--checkpoint", int(older.name[5:]), "-n", 12)
    joined = len(table(home)["checkpoints"])
    mapmaker("evaluate", "run", "-n", 13)

    assert joined == 2
    assert len(table(home)["checkpoints"]) == 1


def test_a_net_that_copies_is_given_away_by_the_seed_and_the_map(mapmaker, home, monkeypatch):
    """Where the generator gives back training pictures, each is named with what it copies."""
    from mapmaker.shards.reader import open_shards

    shards = open_shards(home / "datasets/maps/shards/32")
    places = shards.indices("train")

    def recite(painter, seed, truncation):
        return Image.fromarray(np.rot90(shards[places[seed % len(places)]]))

    monkeypatch.setattr("mapmaker.evaluate.job.paint", recite)
    result = mapmaker("evaluate", "run", "-n", 8, "--json")

    copies = json.loads(result.out)["copies"]
    assert [copy["seed"] for copy in copies] == list(range(8))
    assert copies[3]["picture"] == shards.column("sha256")[places[3]].tobytes().hex()
    assert copies[3]["map_id"] == shards.column("map_id")[places[3]]


def test_shards_packed_anew_since_are_told(mapmaker, home):
    """The net may then have seen what is held out now: said, and written down."""
    card = home / "datasets/maps/shards/32/card.json"
    card.write_text(card.read_text() + " ")

    result = mapmaker("evaluate", "run", "-n", 12)

    assert result.code == 0
    assert "was not trained on these shards" in result.err
    assert table(home)["trained_on_these"] is False


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:100],
        lambda text: "[]",
        lambda text: text.replace('"sha256"', '"sum"'),
        lambda text: text.replace('"kimg": ', '"kimg": NaN, "was": '),
    ],
    ids=["cut", "list", "no sums", "no numbers"],
)
def test_a_damaged_table_is_written_anew(mapmaker, home, damage):
    """What can be measured again is no reason to stop; the rows that are whole stay."""
    path = home / "checkpoints/run/evaluation.json"
    before = table(home)["checkpoints"][0]
    path.write_text(damage(path.read_text()))

    result = mapmaker("evaluate", "run", "-n", 12)

    assert result.code == 0, result.err
    assert [row["metrics"] for row in table(home)["checkpoints"]] == [before["metrics"]]


def test_dry_run_says_what_it_would_and_leaves_nothing(mapmaker, home):
    """Not even in a chain."""
    (home / "checkpoints/run/evaluation.json").unlink()

    result = mapmaker("evaluate", "run", "-n", 12, "--dry-run")

    assert result.out == "evaluate: 12 pictures of the newest checkpoint of run\n"
    assert not (home / "checkpoints/run/evaluation.json").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["other"], 2, "other"),
        (["run", "-n", "3"], 2, "-n is 3"),
        (["run", "--checkpoint", "first"], 2, "'first'"),
        (["run", "--checkpoint", "999999"], 1, "still has the steps"),
        (["run", "--checkpoint", "1", "--all"], 2, "both given"),
        (["run", "--dataset", "none"], 2, "none"),
        (["run", "--inception", "nowhere.pth"], 5, "nowhere.pth"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(mapmaker, home, words, code, said):
    """With the documented exit code, and what would do."""
    result = mapmaker("evaluate", *words)

    assert result.code == code
    assert said in result.err and result.err.count("\n") == 1


def test_a_run_without_a_checkpoint_is_one_line(mapmaker, home):
    """It was begun and never saved: exit 1 and how to go on."""
    for step in step_folders(home / "checkpoints/run"):
        shutil.rmtree(step)

    result = mapmaker("evaluate", "run")

    assert result.code == 1
    assert "no checkpoint yet" in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(("share", "code"), [(0.0, 1), (0.06, 2)])
def test_a_data_set_without_enough_held_out_is_one_line(mapmaker, home, monkeypatch, share, code):
    """None held out: exit 1, pack again. Too few to say anything: exit 2, how many are needed."""
    from mapmaker.workspace import Workspace

    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    pack_all(Workspace(home).dataset("maps"), held_out=share, crops=1, seed=1)

    result = mapmaker("evaluate", "run", "-n", 8)

    assert result.code == code
    assert ("--held-out" if code == 1 else "At least 8") in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    "bad",
    [{"n": 7}, {"n": 10_001}, {"seed": -1}, {"checkpoint": "x"}, {"checkpoint": "1", "all": True}],
)
def test_config_refuses_what_cannot_be_measured(bad):
    """Each value names itself and what would do."""
    with pytest.raises(BadConfig) as caught:
        EvaluateConfig(**bad)

    assert caught.value.hint
