"""Nets as ONNX: written, checked, painted with, and refused when they are not ours."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from train_tools import packed, run_all, workspace  # noqa: F401

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.sample.config import SampleConfig
from mapmaker.sample.painters import open_painter, run_onnx
from mapmaker.sample.wire import check, read_drawing
from mapmaker.shelf import shelf
from mapmaker.workspace import Workspace

STARTER = shelf("checkpoints") / "starter"


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A workspace in which the starter has been exported by the command."""
    from mapmaker.cli.border import run_line

    home = tmp_path_factory.mktemp("exported")
    assert run_line(["--home", str(home), "export", "starter", "--to", "onnx"]) == 0
    return home


@pytest.fixture
def home(exported, tmp_path) -> Path:
    """A copy of it, to spoil."""
    shutil.copytree(exported / "checkpoints", tmp_path / "checkpoints")
    return tmp_path


def file_of(home: Path) -> Path:
    return home / "checkpoints/starter/generator.onnx"


def test_the_file_stands_alone_and_says_what_it_is(exported):
    """Opset, any batch, no batch norm, no file beside it, no path of the machine that wrote it."""
    model = onnx.load(file_of(exported), load_external_data=False)
    facts = check(file_of(exported).read_bytes())

    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert (facts["arch"], facts["size"], facts["license"]) == ("pyramid", 128, "MIT")
    assert str(Path(__file__).parents[1]).encode() not in file_of(exported).read_bytes()


def test_both_engines_paint_the_same(exported):
    """Within 1e-3 of pictures in [-1, 1], alone or in a batch."""
    ours, theirs = (
        open_painter(Workspace(exported), STARTER, SampleConfig(engine=engine))
        for engine in ("torch", "onnx")
    )
    from mapmaker.sample.latents import latent

    latents = [latent(seed, (128,)) for seed in range(3)]

    for z in latents:
        assert np.abs(ours.paint(z) - theirs.paint(z)).max() < 1e-3
    import onnxruntime

    session = onnxruntime.InferenceSession(file_of(exported))
    batch = session.run(None, {"z": np.concatenate(latents)})[0]
    assert np.abs(batch[2] - theirs.paint(latents[2])).max() < 1e-5


@pytest.mark.parametrize("net", [3, -2], ids=["fewshot", "dcgan"])
def test_other_architectures_have_an_onnx_form_too(net):
    """Gates over maps of 6 px, and transposed convolutions with an odd shrinking step."""
    from test_quick import NETS, trained

    from mapmaker.export.onnx import CLOSE, difference, to_onnx

    arch, size, options = NETS[net]
    generator, z = trained(arch, size, options)
    facts = {"arch": arch, "size": size, "latent_shape": list(z.shape[1:]), "sha256": "0"}

    assert difference(generator, to_onnx(generator, facts), facts) < CLOSE


def test_a_net_without_an_onnx_form_says_so():
    """Areas that overlap are no operation of ONNX: one line, not a file of guesses."""
    from test_quick import NETS, trained

    from mapmaker.export.onnx import to_onnx

    generator, z = trained(*NETS[-1])
    facts = {"arch": "dcgan", "size": 96, "latent_shape": list(z.shape[1:]), "sha256": "0"}

    with pytest.raises(MapmakerError, match="cannot be written as ONNX"):
        to_onnx(generator, facts)


def test_a_map_is_painted_without_torch(exported, tmp_path):
    """A new process: sample, and sample again from the PNG, never import torch."""
    code = (
        "import sys; from mapmaker.cli.border import run_line\n"
        f"code = run_line(['--home', {str(exported)!r}, *sys.argv[1:]])\n"
        "print(code, sorted({'torch', 'albumentations', 'requests', 'shapely'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "sample"]
    first = subprocess.run([*command, "--seed", "31"], capture_output=True, text=True)
    painted = exported / "maps/starter-000031.png"
    before = painted.read_bytes()
    painted.rename(tmp_path / "mine.png")

    again = subprocess.run(
        [*command, "--from", str(tmp_path / "mine.png")], capture_output=True, text=True
    )

    assert first.stdout.endswith("0 []\n") and again.stdout.endswith("0 []\n"), again.stderr
    assert painted.read_bytes() == before
    with Image.open(painted) as image:
        assert json.loads(image.text["mapmaker"])["engine"] == "onnx"


def test_a_map_of_one_engine_can_be_made_by_the_other(mapmaker, home):
    """`--from` keeps the engine, `--engine` overrules it; rounding is all that differs."""
    mapmaker("sample", "--seed", 8, "--engine", "onnx", home=home)
    first = home / "maps/starter-000008.png"

    result = mapmaker("sample", "--from", first, "--engine", "torch", home=home)

    assert result.code == 0, result.err
    pictures = [np.asarray(Image.open(p), int) for p in sorted(home.glob("maps/starter-000008*"))]
    assert len(pictures) == 2 and np.abs(pictures[0] - pictures[1]).max() <= 1


def test_a_map_from_before_engines_is_still_made_byte_for_byte(mapmaker, home):
    """A recipe that names no engine is painted by the net as it was trained, layer by layer."""
    from mapmaker.sample.provenance import png_bytes, read_recipe
    from mapmaker.sample.sample import paint

    mapmaker("sample", "--seed", 2, "--size", 128, "--engine", "torch", home=home)
    recipe = read_recipe(home / "maps/starter-000002.png")
    old = {k: v for k, v in recipe.items() if k not in ("engine", "precision")}
    plain = open_painter(Workspace(home), STARTER, SampleConfig(engine="plain"))
    made = png_bytes(paint(plain, 2, 1.0), old)
    (home / "old.png").write_bytes(made)

    result = mapmaker("sample", "--from", home / "old.png", home=home)

    assert result.code == 0, result.err
    assert made in [p.read_bytes() for p in home.glob("maps/*.png")]


def test_an_onnx_of_other_weights_is_not_used_and_it_is_said(mapmaker, home):
    """A run that trained on has other weights than its file: auto paints with torch, onnx stops."""
    _rewrite(home, lambda model, facts: facts.update(model="0" * 64))

    auto = mapmaker("sample", "--seed", 1, home=home)
    asked = mapmaker("sample", "--seed", 1, "--engine", "onnx", home=home)

    assert auto.code == 0 and "other weights" in auto.err
    with Image.open(home / "maps/starter-000001.png") as image:
        assert json.loads(image.text["mapmaker"])["engine"] == "torch"
    assert asked.code == 1 and "export starter --to onnx" in asked.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["export", "starter", "--to", "onnx", "--whole"], 2),
        (["export", "starter", "--to", "onnx", "--size", 64], 2),
        (["export", "starter", "--to", "imagefolder"], 2),
        (["export", "nobody", "--to", "onnx"], 2),
        (["sample", "--engine", "onnx", "--precision", "bf16"], 2),
    ],
)
def test_wrong_combinations_are_one_line(mapmaker, words, code):
    """What is of data sets is not of nets, and the other way round."""
    result = mapmaker(*words)

    assert result.code == code and result.err.splitlines()[-1].startswith("Error: ")


def test_no_file_yet_says_the_command_that_writes_it(mapmaker):
    """`--engine onnx` without generator.onnx."""
    result = mapmaker("sample", "--engine", "onnx")

    assert result.code == 1 and "mapmaker export starter --to onnx" in result.err


def _rewrite(home: Path, change, *, seal: bool = True) -> None:
    """Change a file as somebody would who knows how it is made, sums included."""
    import hashlib

    path = file_of(home)
    model = onnx.load(path, load_external_data=False)
    facts = json.loads(model.metadata_props[0].value)
    change(model, facts)
    if seal:
        graph = model.graph.SerializeToString(deterministic=True)
        facts["graph_sha256"] = hashlib.sha256(graph).hexdigest()
    model.metadata_props[0].value = json.dumps(facts)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _outside(model, facts):
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def _huge(model, facts):
    model.graph.initializer[0].ClearField("dims")
    model.graph.initializer[0].dims.extend([2**40, 2**20])


def _own_operation(model, facts):
    model.graph.node[0].domain = "evil"


def _loop(model, facts):
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["z"], ["q"], then_branch=body))


def _function(model, facts):
    model.functions.append(helper.make_function("", "Relu", ["x"], ["y"], [], model.opset_import))


def _many_inputs(model, facts):
    model.graph.input.append(model.graph.input[0])


def _lying_size(model, facts):
    facts["size"] = 4000


def _old_opset(model, facts):
    model.opset_import[0].version = 7


@pytest.mark.parametrize(
    "harm",
    [_outside, _huge, _own_operation, _loop, _function, _many_inputs, _lying_size, _old_opset],
    ids=lambda f: f.__name__[1:],
)
def test_a_file_built_to_do_harm_is_refused_before_it_runs(mapmaker, home, harm):
    """Exit 3 and one line, though its sums are right."""
    _rewrite(home, harm)

    result = mapmaker("sample", "--seed", 1, home=home)

    assert result.code == 3, result.err
    assert "generator.onnx" in result.err.splitlines()[-1] and not list(home.glob("maps/*"))


def test_a_flipped_bit_is_seen(mapmaker, home):
    """One bit of one weight, which onnxruntime would take."""
    data = bytearray(file_of(home).read_bytes())
    data[len(data) // 2] ^= 4
    file_of(home).write_bytes(data)

    result = mapmaker("sample", "--seed", 1, home=home)

    assert result.code == 3 and "corrupt" in result.err


@pytest.mark.parametrize(
    "junk", [b"", b"hello", b"\x08\x0a" * 50, b"\x3a\xff\xff\xff\xff\x0f", b"PK\3\4"]
)
def test_what_is_no_onnx_is_refused(mapmaker, home, junk):
    """Empty, text, half a message, a length beyond the end, a zip."""
    file_of(home).write_bytes(junk)

    assert mapmaker("sample", "--seed", 1, home=home).code == 3


def test_every_cut_of_a_file_is_refused(exported):
    """Cut short anywhere, it is never taken for whole and never a traceback."""
    whole = file_of(exported).read_bytes()

    for at in [*range(1, 200), *np.linspace(200, len(whole) - 1, 60).astype(int)]:
        with pytest.raises(ValueError):
            check(whole[:at])


def test_a_small_file_that_wants_much_memory_is_stopped():
    """Two enlargements by 100 want 19 GB: an error at once, not the end of the machine."""
    nodes, at = [], "z"
    for step in range(2):
        nodes.append(helper.make_node("Resize", [at, "", "s"], [f"y{step}"], mode="nearest"))
        at = f"y{step}"
    graph = helper.make_graph(
        [*nodes, helper.make_node("ReduceMean", [at], ["o"])],
        "bomb",
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, [1, 1, 1, 1])],
        [numpy_helper.from_array(np.array([1, 1, 100, 100], np.float32), "s")],
    )
    opset = [helper.make_opsetid("", 18)]
    bomb = helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
    paint = run_onnx(bomb, "The bomb")

    with pytest.raises(UnsafeInput, match="more than 4 GiB"):
        paint(np.ones((1, 3, 4, 4), np.float32))


def test_a_run_is_exported_beside_itself_and_stale_when_it_has_trained_on(
    mapmaker,
    workspace,  # noqa: F811
):
    """The newest checkpoint's averaged weights; two steps later they are others."""
    run_all(workspace)

    result = mapmaker("export", "--to", "onnx", "--json", home=workspace.home)

    said = json.loads(result.out)
    assert result.code == 0 and said["run"] == "run" and said["off"] < 1e-3, result.err
    facts = read_drawing(workspace.run("run") / "generator.onnx").facts
    assert (facts["arch"], facts["size"], facts["step"]) == ("dcgan", 32, 8)
    assert mapmaker("sample", "run", "--engine", "onnx", home=workspace.home).code == 0
    run_all(workspace, kimg=0.04, resume=True)
    assert mapmaker("sample", "run", "--engine", "onnx", home=workspace.home).code == 1


def test_a_file_that_paints_other_pictures_would_be_seen(exported):
    """Before it gets its name a file is compared with torch; here torch's net is another."""
    from mapmaker.export.onnx import CLOSE, difference
    from mapmaker.train.load import load_generator

    generator, facts = load_generator(STARTER)
    data = file_of(exported).read_bytes()

    assert difference(generator, data, facts) < CLOSE
    generator.last[0].weight.mul_(1.02)
    assert difference(generator, data, facts) > CLOSE
