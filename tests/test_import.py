"""Taking in one's own pictures: by content, copied, once, with walls and what is known of them."""

import base64
import io
import json
import signal
import zlib

import numpy as np
import pytest
from PIL import Image

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, Stopped
from mapmaker.events import finish
from mapmaker.files import read_json, read_lines, sha256_of
from mapmaker.layout.plan import Layout
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.manifest import COLUMNS
from mapmaker.scrape.own import import_pictures
from mapmaker.scrape.replica.art import file_bytes
from mapmaker.scrape.replica.plan import File
from mapmaker.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "mine"
    path.mkdir()
    return path


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def run(workspace, *paths, **options):
    return finish(import_pictures(workspace, paths, ImportConfig(**options)))


def test_all_six_formats_come_in_by_content_from_the_deepest_folder(workspace, folder):
    """What a file is called does not matter; every picture keeps its bytes."""
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    kinds = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
    for n, kind in enumerate(kinds):
        (deep / f"map {n}.jpg").write_bytes(encoded(picture(n), kind))
    (deep / "no suffix").write_bytes(encoded(picture(9)))
    (deep / "notes.txt").write_text("not a picture, and not called one")

    done = run(workspace, folder)

    rows = workspace.dataset("own").rows()
    assert sorted(r["format"] for r in rows) == sorted([*kinds, "PNG"])
    assert all(tuple(r) == COLUMNS for r in rows)
    assert all(sha256_of(workspace.dataset("own").root / r["file"]) == r["id"] for r in rows)
    assert done.exit_code == 0 and done.data["new"] == 7
    assert len(list(deep.iterdir())) == 8


def test_importing_twice_changes_nothing(workspace, folder):
    """Content decides: the second time no file and no byte of the lists is new."""
    for n in range(3):
        (folder / f"{n}.png").write_bytes(encoded(picture(n)))
    (folder / "again.png").write_bytes(encoded(picture(0)))
    run(workspace, folder)
    dataset = workspace.dataset("own")
    before = dataset.manifest.read_bytes(), sorted(p.name for p in dataset.pictures.iterdir())

    done = run(workspace, folder)

    after = dataset.manifest.read_bytes(), sorted(p.name for p in dataset.pictures.iterdir())
    assert after == before and done.data["new"] == 0
    assert len(dataset.rows()) == 3
    assert [r["aliases"] for r in dataset.rows() if r["aliases"]] == [["again.png"]]


def test_odd_pictures_come_in_and_broken_ones_are_gaps(workspace, folder):
    """CMYK, 16 bit, palette, animated and rotated are pictures; the rest is named, never fatal."""
    picture(1).convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16).save(folder / "deep.png")
    picture(2).convert("P").save(folder / "palette.gif")
    picture(3).save(folder / "moving.gif", save_all=True, append_images=[picture(4)])
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(5).save(folder / "turned.jpg", exif=exif)
    good = len(list(folder.iterdir()))
    whole = encoded(picture(6, (400, 400)), "JPEG")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("I am a text file.")
    (folder / "empty.png").write_bytes(b"")
    (folder / "dot.png").write_bytes(encoded(picture(7, (4, 4))))
    bomb = file_bytes(File(path="x", art=0, behaviour="bomb"), drawn=False)
    (folder / "bomb.png").write_bytes(bomb)
    (folder / "broken.dd2vtt").write_text("{")

    done = run(workspace, folder)

    lost = {g["picture_url"]: g["reason"] for g in read_lines(workspace.dataset("own").gaps)}
    assert lost == {
        "bomb.png": "too-many-pixels", "broken.dd2vtt": "corrupt", "cut.jpg": "corrupt",
        "dot.png": "stub", "empty.png": "not-a-picture", "text.jpg": "not-a-picture",
    }  # fmt: skip
    assert done.exit_code == 4 and done.data["pictures"] == good


def test_a_gap_stays_listed_until_its_file_is_mended(workspace, folder):
    """Importing something else keeps the gap; importing the mended file closes it."""
    (folder / "bad.png").write_bytes(b"no")
    (folder / "good.png").write_bytes(encoded(picture(1)))
    run(workspace, folder)
    run(workspace, folder / "good.png")
    between = [g["picture_url"] for g in read_lines(workspace.dataset("own").gaps)]

    (folder / "bad.png").write_bytes(encoded(picture(2)))
    run(workspace, folder)

    assert between == ["bad.png"] and read_lines(workspace.dataset("own").gaps) == []


@pytest.mark.parametrize("case", ["missing", "empty", "only-text", "only-broken"])
def test_no_picture_at_all_is_one_clear_error(workspace, folder, case):
    """A missing path, an empty folder, or nothing usable: what was asked, and what to do."""
    path = folder / "nowhere" if case == "missing" else folder
    if case == "only-text":
        (folder / "read.me").write_text("hello")
    if case == "only-broken":
        (folder / "x.jpg").write_text("hello")

    with pytest.raises(MapmakerError) as error:
        run(workspace, path)

    assert error.value.hint and error.value.exit_code == 1
    assert "x.jpg" in str(error.value) if case == "only-broken" else str(path) in str(error.value)


def test_provenance_says_whose_pictures_are_and_which_belong_together(workspace, folder):
    """PROVENANCE.csv fills licence, map and title; pictures it does not know keep their names."""
    for n, name in enumerate(("one.png", "one_crop.png", "other.png")):
        (folder / name).write_bytes(encoded(picture(n)))
    (folder / "PROVENANCE.csv").write_text(
        "file,licence,source_map,kind,title,repo\n"
        "one.png,CC0-1.0,who:one,cave,The One,who/maps\n"
        "one_crop.png,CC0-1.0,who:one,cave,,who/maps\n"
    )

    run(workspace, folder, license="mine")

    rows = {r["picture_url"]: r for r in workspace.dataset("own").rows()}
    assert rows["one.png"]["map_id"] == rows["one_crop.png"]["map_id"] == "who:one"
    assert [rows[n]["license"] for n in rows] and rows["one.png"]["license"] == "CC0-1.0"
    assert (rows["one.png"]["theme"], rows["one.png"]["title"]) == ("cave", "The One")
    assert (rows["other.png"]["map_id"], rows["other.png"]["license"]) == ("other", "mine")


def vtt(**more) -> dict:
    """Return a Universal VTT file of a picture cut out of a bigger map at (10, 20)."""
    values = {
        "format": 0.3,
        "resolution": {"map_origin": {"x": 10, "y": 20}, "map_size": {"x": 8, "y": 6},
                       "pixels_per_grid": 8},
        "line_of_sight": [
            [{"x": 11, "y": 21}, {"x": 13, "y": 21}, {"x": 13, "y": 23}, {"x": 11, "y": 21}],
            [{"x": 5, "y": 22}, {"x": 14, "y": 22}],
            [{"x": 50, "y": 50}, {"x": 60, "y": 50}],
        ],
        "portals": [
            {"bounds": [{"x": 12, "y": 21}, {"x": 12, "y": 22}], "closed": True},
            {"bounds": [{"x": 15, "y": 21}, {"x": 15, "y": 22}], "closed": False},
            {"bounds": [{"x": 90, "y": 21}, {"x": 90, "y": 22}], "closed": True},
        ],
        "lights": [{"position": {"x": 12, "y": 22}, "range": 4, "color": "ffffad58"},
                   {"position": {"x": 2, "y": 2}, "range": 4, "color": "ffffad58"}],
        "image": base64.b64encode(encoded(picture(1))).decode(),
        **more,
    }  # fmt: skip
    return {k: v for k, v in values.items() if v is not None}


def layout_of(workspace, name="own") -> dict:
    (path,) = workspace.dataset(name).pictures.glob("*.layout.json")
    return read_json(path)


def test_walls_of_a_cropped_vtt_file_are_moved_and_cut_to_the_picture(workspace, folder):
    """The origin is taken off; what lies outside goes; what crosses the edge ends there."""
    (folder / "keep.dd2vtt").write_text(json.dumps(vtt()))

    done = run(workspace, folder)

    layout = layout_of(workspace)
    assert layout["squares"] == [8, 6] and layout["cell_px"] == 8
    assert layout["walls"] == [[[1, 1], [3, 1], [3, 3], [1, 1]], [[0, 2], [4, 2]]]
    assert [d["segment"] for d in layout["doors"]] == [[[2, 1], [2, 2]]]
    assert layout["windows"] == [[[5, 1], [5, 2]]]
    assert layout["lights"] == [{"position": [2, 2], "range": 4.0, "colour": "#ffad58"}]
    assert done.data["walls"] == 1
    assert Layout.from_json(layout).columns == 8


@pytest.mark.parametrize("missing", ["objects_line_of_sight", "portals", "lights", "line_of_sight"])
def test_a_vtt_file_may_lack_any_list(workspace, folder, missing):
    """Old versions have no objects, maps without walls have no lines."""
    (folder / "keep.uvtt").write_text(json.dumps(vtt(**{missing: None})))

    run(workspace, folder)

    assert layout_of(workspace)["squares"] == [8, 6]


@pytest.mark.parametrize(
    "resolution",
    [None, {"map_size": {"x": 0, "y": 6}}, {"map_size": {"x": "wide", "y": 6}},
     {"map_size": {"x": 1e9, "y": 6}}],
)  # fmt: skip
def test_unreadable_walls_cost_the_walls_and_not_the_picture(workspace, folder, resolution):
    """The picture comes in; the gap list says that its walls did not."""
    (folder / "keep.dd2vtt").write_text(json.dumps(vtt(resolution=resolution)))

    done = run(workspace, folder)

    assert done.data == {
        "dataset": "own", "pictures": 1, "new": 1, "walls": 0, "gaps": {"bad-walls": 1},
    }  # fmt: skip


def scene(**more) -> dict:
    wall = {"move": 20, "sight": 20, "door": 0, "ds": 0}
    return {
        "width": 640, "height": 480, "padding": 0.25,
        "grid": {"size": 80, "type": 1, "distance": 5},
        "background": {"src": "modules/x/Old%20Mill.webp"},
        "walls": [
            {**wall, "c": [160 + 80, 160, 160 + 240, 160]},
            {**wall, "c": [160, 200, 160, 280], "door": 1, "ds": 2},
            {**wall, "c": [240, 200, 240, 280], "door": 2},
            {**wall, "c": [320, 200, 320, 280], "sight": 0},
            {**wall, "c": [400, 200, 400, 280], "move": 0},
        ],
        "lights": [{"x": 240, "y": 240, "config": {"dim": 20, "bright": 10, "color": "#FFAD58"}}],
        **more,
    }  # fmt: skip


def test_a_foundry_scene_lends_its_walls_to_the_picture_beside_it(workspace, folder):
    """Padding shifts by whole squares, doors know their kind, and the picture may be scaled."""
    (folder / "Old Mill.png").write_bytes(encoded(picture(1, (320, 240))))
    (folder / "scene.json").write_text(json.dumps(scene()))
    (folder / "settings.json").write_text("[1, 2]")

    run(workspace, folder)

    layout = layout_of(workspace)
    assert (layout["squares"], layout["cell_px"]) == ([8, 6], 40)
    assert layout["walls"] == [[[1, 0], [3, 0]]]
    assert [d["kind"] for d in layout["doors"]] == ["locked", "secret"]
    assert layout["windows"] == [[[2, 0.5], [2, 1.5]]]
    assert layout["lights"] == [{"position": [1, 1], "range": 4.0, "colour": "#ffad58"}]


def test_a_scene_does_not_fit_a_crop_of_its_picture(workspace, folder):
    """Another shape is another picture: it gets no walls."""
    (folder / "Old Mill.png").write_bytes(encoded(picture(1, (240, 240))))
    (folder / "scene.json").write_text(json.dumps(scene()))

    assert run(workspace, folder).data["walls"] == 0


def test_our_own_maps_come_back_with_their_layout(workspace, folder):
    """`<map>.layout.json` beside a map is taken along."""
    (folder / "hall.png").write_bytes(encoded(picture(1)))
    own = {"squares": [8, 6], "walls": [], "cell_px": 8}
    (folder / "hall.layout.json").write_text(json.dumps(own))

    run(workspace, folder)

    assert layout_of(workspace) == own


def test_a_picture_that_vanished_or_was_dropped_is_treated_as_such(workspace, folder):
    """A deleted copy is made again; one that pruning moved aside is left there."""
    for n in range(2):
        (folder / f"{n}.png").write_bytes(encoded(picture(n)))
    run(workspace, folder)
    dataset = workspace.dataset("own")
    gone, dropped = (dataset.root / r["file"] for r in dataset.rows())
    gone.unlink()
    aside = dataset.root / "dropped" / "pictures" / dropped.name
    aside.parent.mkdir(parents=True)
    dropped.rename(aside)

    run(workspace, folder)

    assert gone.exists() and aside.exists() and not dropped.exists()


def test_a_signal_keeps_what_is_in(workspace, folder):
    """Ctrl-C after the first picture: the list holds it, and the rest comes next time."""
    for n in range(4):
        (folder / f"{n}.png").write_bytes(encoded(picture(n)))
    events = import_pictures(workspace, [folder], ImportConfig())
    next(events)
    next(events)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(Stopped) as stopped:
        list(events)

    assert stopped.value.exit_code == 130
    assert 1 <= len(workspace.dataset("own").rows()) < 4
    assert run(workspace, folder).data["pictures"] == 4


def test_a_folder_that_cannot_be_written_is_one_clear_line(workspace, folder):
    """A file where the data set should be: MissingPart with a remedy."""
    (folder / "a.png").write_bytes(encoded(picture(1)))
    workspace.home.mkdir()
    workspace.datasets.write_text("in the way")

    with pytest.raises(MissingPart) as error:
        run(workspace, folder)

    assert error.value.hint


@pytest.mark.parametrize("name", ["../out", "", "a/b", "x."])
def test_a_name_no_folder_can_have_is_refused(workspace, folder, name):
    """--name cannot lead outside the workspace."""
    (folder / "a.png").write_bytes(encoded(picture(1)))

    with pytest.raises(BadConfig):
        run(workspace, folder, name=name)


def test_the_bomb_is_small_and_claims_900_million_pixels():
    """The bomb that the tests plant is a bomb: a small file whose header claims 30000 x 30000."""
    bomb = file_bytes(File(path="x", art=0, behaviour="bomb"), drawn=False)

    assert len(bomb) < 10_000
    assert int.from_bytes(bomb[16:20], "big") == int.from_bytes(bomb[20:24], "big") == 30_000
    assert zlib.crc32(bomb[12:29]) == int.from_bytes(bomb[29:33], "big")
