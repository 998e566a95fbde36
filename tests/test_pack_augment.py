"""A person's own albumentations pipeline: as data, by counter, and never over writing."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster
from shard_tools import contents, kept_from_file, make_dataset, pack_all

from mapmaker.errors import BadConfig, MapmakerError, UnknownName, UnsafeInput
from mapmaker.events import Note
from mapmaker.shards.augment import Own, stream, try_out
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pipeline import CLASS, GROUPS, KNOWN, PIXELS, Pipeline, checked
from mapmaker.shards.reader import open_shards
from mapmaker.shards.walls import layout_file

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
import albumentations as A
from albumentations.core.serialization import serialize_enum

FADED = A.Compose([A.HueSaturationValue(p=1.0), A.OneOf([A.GaussNoise(), A.ISONoise()], p=0.7)])
BENT = A.Compose([A.ElasticTransform(alpha=20, p=1.0), A.RandomGamma()])
PLAIN = {"transform": {CLASS: "Blur", "p": 1.0, "blur_limit": [3, 3]}}


@pytest.fixture(autouse=True)
def _kept(monkeypatch):
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)


def saved(folder: Path, pipeline: A.Compose, name: str = "own.json", **more) -> str:
    """Write a pipeline as a person does, and return what follows `--augment`."""
    path = folder / name
    A.save(pipeline, path, data_format="json" if path.suffix == ".json" else "yaml")
    if more:
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    return str(path)


def written(folder: Path, text: str, name: str = "own.json") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def change(dataset, **values) -> str:
    """Change what is known of the first picture; returns its id."""
    rows = kept_from_file(dataset)
    rows[0] |= values
    (dataset.root / "kept.json").write_text(json.dumps(rows))
    return rows[0]["id"]


def test_the_first_view_is_the_crop_the_others_are_the_pipelines(tmp_path):
    """Each further view is another draw; the card says what was done, not from which file."""
    dataset = make_dataset(tmp_path, count=4)

    pack_all(dataset, augment=saved(tmp_path, FADED), views=3, shard_mb=1.0)
    shards = open_shards(dataset.shards(32))
    views = [shards[i] for i in range(3)]
    pack_all(plain := make_dataset(tmp_path / "plain", count=4), shard_mb=1.0)

    assert shards.column("variant").tolist() == [0, 1, 2] * 4
    assert np.array_equal(views[0], open_shards(plain.shards(32))[0])
    assert not any(np.array_equal(views[a], views[b]) for a, b in [(0, 1), (0, 2), (1, 2)])
    assert shards.card["pipeline"]["transforms"] == ["HueSaturationValue", "GaussNoise", "ISONoise"]
    assert shards.card["pipeline"]["samples"] == 8
    assert shards.card["recipe"]["augment"] == "own"
    assert str(tmp_path) not in json.dumps(shards.card["recipe"])


@pytest.mark.slow
def test_engines_and_order_make_no_difference(tmp_path):
    """Serial, a process, a cluster and shuffled input give the same bytes; nobody but the first
    process sees the file."""
    first = make_dataset(tmp_path / "serial", count=8)
    file = saved(tmp_path, A.Compose([BENT, FADED, A.Spatter(), A.PlasmaShadow(), A.GlassBlur()]))
    options = {"augment": file, "views": 3, "shard_mb": 0.015}
    pack_all(first, **options)
    serial = contents(first.shards(32))

    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        for engine in ["processes:1", f"dask:{cluster.scheduler_address}"]:
            other = make_dataset(tmp_path / engine[:4], count=8)
            rows = kept_from_file(other)
            (other.root / "kept.json").write_text(json.dumps(rows[3:] + rows[:3]))
            pack_all(other, **options, engine=engine)
            assert contents(other.shards(32)) == serial, engine


@pytest.mark.slow
def test_every_transform_draws_from_the_counter_alone():
    """Each transform that can be named, as A.save writes it, makes the same of a picture again,
    whatever was made before and whatever the state of the global generators."""
    image = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    arguments = {
        "Crop": {"x_max": 48, "y_max": 48},
        **{name: {"height": 48, "width": 48} for name in ("CenterCrop", "RandomCrop", "Resize")},
        "GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 4},
        "RandomResizedCrop": {"size": [48, 48]},
        "RandomSizedCrop": {"size": [48, 48], "min_max_height": [20, 40]},
    }

    for name in sorted(KNOWN - GROUPS):
        made = getattr(A, name)(p=1.0, **arguments.get(name, {}))
        pipeline = Pipeline.of(checked(json.loads(json.dumps(serialize_enum(A.to_dict(made))))))
        own = Own(pipeline)
        first = [own(image, stream(3, "ab" * 32, 0, view)) for view in (1, 2)]
        random.seed(0)
        again = [own(image, stream(3, "ab" * 32, 0, view)) for view in (2, 1)]

        try_out(pipeline, 48)

        assert np.array_equal(first, again[::-1]), name


def test_pictures_with_writing_stay_as_they_are(tmp_path):
    """A picture that must stay upright is not given to the pipeline, unless the file says so."""
    dataset = make_dataset(tmp_path, count=4)
    id = change(dataset, has_text=True)

    for more, wanted in [({}, [0]), ({"upright_too": True}, [0, 1])]:
        pack_all(dataset, augment=saved(tmp_path, FADED, **more), views=2)
        found = open_shards(dataset.shards(32))

        own = [bytes(row).hex() == id for row in found.column("sha256")]
        assert found.column("variant")[own].tolist() == wanted
        assert found.card["pipeline"]["left_as_they_are"] == 2 - len(wanted)


@pytest.mark.parametrize(("pipeline", "moves"), [(FADED, False), (BENT, True)])
def test_squares_walls_and_light_are_known_as_long_as_pixels_stay(tmp_path, pipeline, moves):
    """Colour leaves them where they are; where pixels move they are unknown, and with `--light
    keep` such a picture is left as it is."""
    dataset = make_dataset(tmp_path, count=2)
    change(dataset, light=45.0)
    layout = {"cell_px": 10, "walls": [[[1, 1], [3, 1]]]}
    layout_file(dataset.pictures / "map-00.png").write_text(json.dumps(layout))
    options = {"augment": saved(tmp_path, pipeline), "views": 2, "shard_mb": 1.0}

    pack_all(dataset, **options)
    shards = open_shards(dataset.shards(32))
    row = shards.column("light").tolist().index(45.0)
    pack_all(dataset, **options, light="keep")
    kept = open_shards(dataset.shards(32))

    assert shards.column("squares")[row : row + 2].tolist() == [4, 0 if moves else 4]
    assert shards.column("cell_px")[row : row + 2].tolist() == [8, 0 if moves else 8]
    assert shards.column("light")[row : row + 2].tolist() == [45, -1 if moves else 45]
    assert shards.walls(row) and bool(shards.walls(row + 1)) != moves
    assert shards.card["pipeline"]["moves"] == moves
    assert len(kept) == 4 - moves
    assert kept.card["pipeline"]["left_as_they_are"] == int(moves)


def test_what_the_file_says_counts_not_where_it_lies(tmp_path):
    """YAML elsewhere with the same pipeline packs nothing anew; another value does."""
    dataset = make_dataset(tmp_path, count=2)
    (tmp_path / "elsewhere").mkdir()
    first = saved(tmp_path, FADED)
    pack_all(dataset, augment=first)

    same, _ = pack_all(dataset, augment=saved(tmp_path / "elsewhere", FADED, "p.yaml"))
    text = Path(first).read_text().replace("0.7", "0.8")
    other, _ = pack_all(dataset, augment=written(tmp_path, text))

    assert same.data["written"] == 0
    assert other.data["written"] > 0


def test_the_lists_are_what_albumentations_has():
    """Every name can be had, none that only changes pixels is missing, and the split is its own."""
    for name in KNOWN - GROUPS:
        assert issubclass(getattr(A, name), A.ImageOnlyTransform) == (name in PIXELS), name
    known = {n for n, c in vars(A).items() if isinstance(c, type) and issubclass(c, A.BaseCompose)}
    assert known - GROUPS == {"BaseCompose", "ReplayCompose"}
    only = {
        n for n, c in vars(A).items() if isinstance(c, type) and issubclass(c, A.ImageOnlyTransform)
    }
    others = "FDA HistogramMatching PixelDistributionAdaptation TextImage"  # files, other pictures
    faulty = "RGBShift"  # A.save writes of it what it does not take, and of SafeRotate
    types = "FromFloat ToFloat Normalize ToRGB ImageOnlyTransform"  # no 8 bits, three channels
    assert only - PIXELS == {*others.split(), *types.split(), faulty}


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        ({CLASS: "CenterCrop", "height": 16, "width": 16, "p": 1.0}, r"\(16, 16, 3\)"),
        ({CLASS: "Blur", "blur_limt": 3}, "blur_limt"),
        ({CLASS: "Blur", "blur_limit": "wide"}, "blur_limit"),
        ({CLASS: "OneOf", "transforms": [], "probability": 1}, "probability"),
    ],
)
def test_what_cannot_run_is_said_before_anything_is_written(tmp_path, transform, why):
    """Another size, a misspelt argument or a wrong value is one line and exit code 2."""
    dataset = make_dataset(tmp_path, count=2)
    file = written(tmp_path, json.dumps({"transform": transform}))

    with pytest.raises(BadConfig, match=why) as caught:
        pack_all(dataset, augment=file)

    assert "\n" not in str(caught.value)
    assert not list(dataset.shards(32).glob("*.h5"))


@pytest.mark.parametrize("name", ["Lambda", "TextImage", "Blurr", "os.system", "ReplayCompose"])
def test_other_names_are_refused_before_anything_is_made(tmp_path, name):
    """Whether no transform, one that runs code, or one that reads a file; at any depth."""
    inner = {"transform": {CLASS: "OneOf", "transforms": [{CLASS: name, "font_path": "/etc/x"}]}}

    with pytest.raises(UnknownName, match=name) as caught:
        PackConfig(augment=written(tmp_path, json.dumps(inner)))

    assert caught.value.exit_code == 2
    assert name != "Blurr" or "Blur" in caught.value.hint


HOSTILE = {
    "cut.json": '{"transform": {',
    "list.json": "[]",
    "deep.json": '{"transform": ' + "[" * 50_000,
    "deep_whole.json": '{"transform": {"a": ' + "[" * 400 + "]" * 400 + "}}",
    "long.json": " " * 70_000 + "{}",
    "digits.json": json.dumps(PLAIN).replace("3", "9" * 5000),
    "many_digits.json": json.dumps(PLAIN).replace("3, 3", "3, " + "9" * 400),
    "nan.json": json.dumps(PLAIN).replace("3, 3", "3, NaN"),
    "huge.json": json.dumps(PLAIN).replace("3, 3", "3, 99999999"),
    "infinite.json": json.dumps(PLAIN).replace("3, 3", "3, Infinity"),
    "scale.json": '{"transform": {"__class_fullname__": "Affine", "scale": {"x": 2000, "y": 1}}}',
    "slow.json": '{"transform": {"__class_fullname__": "RandomGridShuffle", "grid": [999, 999]}}',
    "many.json": json.dumps(
        {"transform": {CLASS: "OneOf", "transforms": [PLAIN["transform"]] * 99}}
    ),
    "often.json": '{"transform": {"__class_fullname__": "SomeOf", "transforms": [], "n": 4000}}',
    "classless.json": '{"transform": {"transforms": []}}',
    "odd.json": json.dumps(PLAIN | {"upright_too": "yes"}),
    "code.yaml": "transform: !!python/object/apply:os.system ['true']",
    "laughs.yaml": "a: &a [x, x]\nb: &b [*a, *a]\ntransform: [*b, *b]",
    "deep.yaml": "transform: " + "[" * 5000,
    "cut.yaml": "transform: {",
    "day.yaml": "transform: {__class_fullname__: Blur, p: 2001-01-01}",
    "bytes.yaml": "\x00\x01",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_line(tmp_path, name):
    """Cut short, nested, repeated, endless or with code in it: exit code 3 and the file's name."""
    path = written(tmp_path, HOSTILE[name], name)

    with pytest.raises(UnsafeInput, match=name) as caught:
        PackConfig(augment=path)

    assert caught.value.exit_code == 3
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_values_that_do_not_go_together(tmp_path):
    """No file, `own` without one, and one view only, which would be the crop as it is."""
    file = saved(tmp_path, FADED)
    for wrong in [{"augment": "gone.json"}, {"augment": "own"}, {"augment": file, "views": 1}]:
        with pytest.raises(BadConfig) as caught:
            PackConfig(**wrong)
        assert caught.value.hint


def test_on_the_command_line(tmp_path, mapmaker):
    """`pack --augment FILE` and `prune --augment FILE` check the file before any work."""
    file = written(tmp_path, "{")

    for command in ("pack", "prune"):
        result = mapmaker(command, "maps", "--augment", file)

        assert result.code == 3
        assert "own.json is not readable as JSON" in result.err


def test_doubts_about_grids_are_said_once(tmp_path):
    """Names that contradict their pictures: the first three, and how many more."""
    dataset = make_dataset(tmp_path, count=5)
    rows = kept_from_file(dataset)
    for row in rows:
        row["grid"]["doubt"] = "Its name says squares of 70 px; those in the picture are 50 px."
    (dataset.root / "kept.json").write_text(json.dumps(rows))

    _, events = pack_all(dataset)
    said = [e.text for e in events if isinstance(e, Note) and "Its name says" in e.text]

    assert len(said) == 1
    assert said[0].count("squares of 70 px") == 3 and said[0].endswith("and 2 more")


def test_a_pipeline_that_fails_now_and_then_ends_the_run_with_a_line():
    """What a trial did not show is still no traceback."""
    own = Own(Pipeline.of(checked(PLAIN)))
    run = {"set_random_state": lambda *_: None, "__call__": lambda *_, **__: 1 / 0}
    own._run = type("Run", (), run)()

    with pytest.raises(MapmakerError, match="fails: division by zero"):
        own(np.zeros((8, 8, 3), np.uint8), stream(0, "0" * 64, 0, 1))
