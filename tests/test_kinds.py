"""Kinds of map: learnt apart from what the manifest knows, asked for by name."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from shard_tools import kept_from_file, pack_all

from mapmaker.errors import BadConfig
from mapmaker.files import write_json, write_lines
from mapmaker.models import build
from mapmaker.models.quick import quick
from mapmaker.shards.reader import open_shards
from mapmaker.train.checkpoint import load_checkpoint, save_checkpoint
from mapmaker.train.data import Pictures
from mapmaker.train.kinds import kinds_of
from mapmaker.train.recipes import Recipe, find_recipe
from mapmaker.train.state import State, new_state
from mapmaker.train.step import Pace, train_step
from mapmaker.workspace import Workspace

CPU = torch.device("cpu")
SMALL = {
    "latent": 8, "widths": [16, 16, 8, 8], "d_widths": [8, 12, 16], "local": [8], "windows": 1,
    "kinds": ["bright", "dark"],
}  # fmt: skip
TOY = Recipe(options=SMALL, loss="hinge", margin=0.8, lr_g=2e-3, lr_d=2e-3, ema=0.9, recall=1.0)


class Toy:
    """32 pictures of 32 px, every other one bright or dark, with some noise."""

    def __init__(self) -> None:
        noise = np.random.Generator(np.random.Philox(key=1)).integers(-30, 30, (32, 32, 32, 3))
        self.images = (np.where(np.arange(32) % 2, 40, 215)[:, None, None, None] + noise).astype(
            np.uint8
        )

    def indices(self, split: str) -> np.ndarray:
        return np.arange(32)

    def load(self, indices: np.ndarray) -> np.ndarray:
        return self.images[indices]


def toy_pictures() -> Pictures:
    kinds = 2, np.arange(32) % 2
    return Pictures(Toy(), device=CPU, seed=0, resident=True, symmetries=True, kinds=kinds)


def toy_state(steps: int) -> State:
    """Return small nets after so many steps on the toy."""
    state, pictures = new_state("fewshot", 32, TOY, CPU, 0), toy_pictures()
    for _ in range(steps):
        train_step(state, pictures, TOY, Pace(8, 1, "fp32"), seed=0, progress=0.0)
    return state


def brightness(net: torch.nn.Module, kind: int) -> torch.Tensor:
    """Return the mean of 16 pictures of a kind, each in [-1, 1]."""
    z = torch.randn(16, 10, generator=torch.Generator().manual_seed(5))
    z[:, -2:] = torch.eye(2)[kind]
    with torch.no_grad():
        return net.eval()(z).mean((1, 2, 3))


def test_a_net_learns_to_obey_the_kind():
    """After 90 small steps every bright picture is brighter than every dark one, folded too."""
    net = toy_state(90).nets.generator

    assert brightness(net, 0).min() > brightness(net, 1).max() + 0.3
    assert brightness(quick(net), 0).min() > brightness(quick(net), 1).max() + 0.3


def test_without_kinds_the_discriminator_does_not_care_and_with_them_it_does():
    """The kind counts in the logits of patches; the same picture is judged by what it should be."""
    torch.manual_seed(0)
    judge = build("fewshot", 32, SMALL).discriminator.eval()
    pictures, kinds = torch.randn(2, 3, 32, 32), torch.eye(2)

    logits = []
    for asked in (kinds, kinds.flip(0)):
        torch.manual_seed(1)  # where the windows lie
        logits.append(judge(pictures, kinds=asked))

    assert not torch.allclose(logits[0], logits[1])
    assert "kinds" not in build("fewshot", 32, {**SMALL, "kinds": []}).options


def test_gradient_reaches_every_parameter():
    """Of both nets, the direction of each kind included."""
    state = toy_state(0)
    nets, kinds = state.nets, torch.eye(2)
    z = state.latents(2)

    logits, painted = nets.discriminator(nets.generator(z), recall=True, kinds=kinds)
    (logits.square().sum() + painted).backward()

    for net in (nets.generator, nets.discriminator):
        without = [k for k, p in net.named_parameters() if p.grad is None or not p.grad.any()]
        assert without == []


def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path):
    """Two steps, a checkpoint, two steps: the same bits as four."""
    whole, half = toy_state(4), toy_state(2)
    save_checkpoint(tmp_path, half, Pace(8, 1, "fp32"))
    again = new_state("fewshot", 32, TOY, CPU, 9)
    load_checkpoint(next(tmp_path.glob("step-*")), again)

    for _ in range(2):
        train_step(again, toy_pictures(), TOY, Pace(8, 1, "fp32"), seed=0, progress=0.0)

    ours, theirs = again.nets.generator.state_dict(), whole.nets.generator.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_fakes_are_of_the_kinds_the_real_pictures_are_of():
    """Position by position, so that the kinds' shares tell the discriminator nothing."""
    pictures = toy_pictures()

    kinds = pictures.kinds(3, 5)

    bright = pictures.batch(3, 5).mean((1, 2, 3)) > 0
    assert torch.equal(kinds[:, 0].bool(), bright) and kinds.sum() == 5


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workspace with a run of two kinds, from folders of pictures, by the commands."""
    from mapmaker.cli.border import run_line

    home = tmp_path_factory.mktemp("kinds")
    chance = np.random.Generator(np.random.Philox(key=4))
    for kind, level in (("Sea Caves", 200), ("wood", 60)):
        for number in range(6):
            (home / "art" / kind).mkdir(parents=True, exist_ok=True)
            small = chance.integers(level - 40, level + 40, (8, 8, 3)).astype(np.uint8)
            picture = Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)
            picture.save(home / "art" / kind / f"{number}.png")
    options = {k: v for k, v in SMALL.items() if k != "kinds"}
    lines = [f"{k} = {json.dumps(v)}" for k, v in options.items()]
    (home / "small.toml").write_text("ema = 0.9\n[options]\n" + "\n".join(lines) + "\n")
    assert run_line(["--home", str(home), "import", str(home / "art"), "--name", "art"]) == 0
    dataset = Workspace(home).dataset("art")
    grid = {"cell_px": 24.0, "phase": [0, 0], "source": "layout"}
    kept = [row | {"group": row["map_id"], "grid": grid} for row in dataset.rows()]
    (dataset.root / "kept.json").write_text(json.dumps(kept))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mapmaker.shards.pack.kept", kept_from_file)
        pack_all(dataset)
    assert run_line(line(home, "--kimg", "0.016")) == 0
    return home


def line(home, *more) -> list[str]:
    words = "train art --arch fewshot --size 32 --batch 4 --precision fp32 --kinds --name run"
    recipe = ["--recipe", str(home / "small.toml")]
    return ["--home", str(home), *words.split(), *recipe, *map(str, more)]


def test_a_kind_is_asked_for_by_name(mapmaker, trained):
    """`--kind` paints it, the PNG says it, `--from` makes it again, `list runs` names them."""
    result = mapmaker("sample", "run", "--seed", 3, "--kind", "wood", home=trained)
    assert result.code == 0, result.err
    first = trained / "maps/run-000003.png"
    before = first.read_bytes()
    with Image.open(first) as image:
        assert json.loads(image.text["mapmaker"])["kind"] == "wood"

    again = mapmaker("sample", "--from", first, home=trained)
    other = mapmaker("sample", "run", "--seed", 3, "--kind", "sea-caves", home=trained)

    assert again.code == 0 and first.read_bytes() == before
    assert other.code == 0 and (trained / "maps/run-000003-2.png").read_bytes() != before
    assert "kinds sea-caves wood" in mapmaker("list", "runs", home=trained).out


def test_a_kind_nobody_knows_names_the_known_ones(mapmaker, trained):
    """Exit 2 with the nearest names, and a net without kinds says that it has none."""
    wrong = mapmaker("sample", "run", "--kind", "woods", home=trained)
    none = mapmaker("sample", "starter", "--kind", "wood", home=trained)

    assert wrong.code == 2 and "Try wood" in wrong.err
    assert none.code == 2 and "knows no kinds" in none.err


def test_a_run_with_kinds_goes_on_and_has_an_onnx_form(mapmaker, trained):
    """Resumed it keeps its kinds in their order; onnxruntime paints the kind that torch paints."""
    went_on = mapmaker(*line(trained, "--kimg", "0.024", "--resume")[2:], home=trained)
    assert went_on.code == 0, went_on.err

    exported = mapmaker("export", "run", "--to", "onnx", home=trained)
    painted = []
    for engine in ("torch", "onnx"):
        words = ["sample", "run", "--seed", 77, "--kind", "wood", "--engine", engine, "--json"]
        said = mapmaker(*words, home=trained)
        painted.append(np.asarray(Image.open(json.loads(said.out)["maps"][0]), int))

    assert exported.code == 0, exported.err
    assert np.abs(painted[0] - painted[1]).max() <= 1


def test_a_theme_goes_before_a_plan_before_a_folder_and_what_is_rare_is_other(trained, tmp_path):
    """Four of a kind make a kind; a data set of one kind has nothing to learn apart."""
    shutil.copytree(trained / "datasets", tmp_path / "datasets")
    dataset = Workspace(tmp_path).dataset("art")
    shards, rows = open_shards(dataset.shards(32)), dataset.rows()
    for number, row in enumerate(rows):
        row["theme"] = "The Deep" if number < 5 else None
        if 5 <= number < 9:
            write_json(dataset.root / f"{row['file']}.layout.json", {"kind": "dungeon"})
    write_lines(dataset.manifest, rows)

    names, which = kinds_of(dataset, shards)

    assert names == ["dungeon", "other", "the-deep"]
    by_id = dict(zip([bytes(i).hex() for i in shards.column("sha256")], which, strict=True))
    assert [names[by_id[row["id"]]] for row in rows] == (
        ["the-deep"] * 5 + ["dungeon"] * 4 + ["other"] * 3
    )
    write_lines(dataset.manifest, [row | {"theme": "one"} for row in rows])
    with pytest.raises(BadConfig, match="of 1 kinds"):
        kinds_of(dataset, shards)
    with pytest.raises(BadConfig, match="'one'"):
        kinds_of(dataset, shards, ["sea", "wood"])


def test_only_fewshot_learns_kinds(mapmaker, trained):
    """Another architecture says what it has, before anything is trained."""
    words = ["train", "art", "--arch", "pyramid", "--size", 32, "--kinds", "--kimg", "0.01"]

    result = mapmaker(*words, home=trained)

    assert result.code == 2 and "kinds" in result.err


def test_the_recipe_for_fewshot_knows_no_kinds_of_its_own():
    """They come from the data set or not at all."""
    assert "kinds" not in find_recipe("recommended", "fewshot").options
