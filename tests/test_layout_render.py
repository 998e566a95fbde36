"""Pictures of plans: the same bytes, the grid in its place, on time, as they were approved."""

import hashlib
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mapmaker.errors import MapmakerError
from mapmaker.layout import PALETTES, Layout, plan, render

KIND_NAMES = ("building", "cave", "dungeon", "wilderness")
GOLDEN = Path(__file__).parent / "golden"
PROGRAM = """
import hashlib, io
from mapmaker.layout import plan, render
for kind in ("wilderness", "dungeon", "cave", "building"):
    out = io.BytesIO()
    render(plan(kind, 7), cell_px=20).save(out, "PNG")
    print(kind, hashlib.sha256(out.getvalue()).hexdigest())
"""


def sha(picture: Image.Image) -> str:
    """Return the sha256 of the picture as PNG."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return hashlib.sha256(out.getvalue()).hexdigest()


def test_two_processes_draw_the_same_bytes() -> None:
    """The same seed gives the same PNG in two processes, whatever the hash seed and the order."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": number, "PATH": "", "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]

    here = {kind: sha(render(plan(kind, 7), cell_px=20)) for kind in KIND_NAMES}

    assert runs[0] == runs[1]
    assert dict(line.split() for line in runs[0].splitlines()) == here


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_picture_has_the_size_of_its_squares(kind: str) -> None:
    """Columns times cell_px wide, rows times cell_px high, RGB."""
    picture = render(plan(kind, 2, 9, 6), cell_px=17)

    assert picture.size == (9 * 17, 6 * 17)
    assert picture.mode == "RGB"


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("cell_px", [20, 50])
def test_the_grid_lies_on_multiples_of_the_square(kind: str, cell_px: int) -> None:
    """Where grid and no grid differ is exactly on the columns and rows that are multiples."""
    layout = plan(kind, 5, 8, 7)

    drawn = np.asarray(render(layout, cell_px, grid=True), int)
    bare = np.asarray(render(layout, cell_px, grid=False), int)
    rows, columns = np.nonzero(np.abs(drawn - bare).max(2) > 0)

    on_line = (rows % cell_px == 0) | (columns % cell_px == 0)
    assert len(rows) > 100
    assert on_line.all()
    assert {int(c) for c in columns if (columns == c).sum() > 2 * cell_px} <= set(
        range(cell_px, 8 * cell_px, cell_px)
    )


@pytest.mark.parametrize("palette", PALETTES.names())
def test_every_palette_draws_something_to_see(palette: str) -> None:
    """Each palette gives a picture with contrast that is neither black nor blown out."""
    for kind in KIND_NAMES:
        pixels = np.asarray(render(plan(kind, 4, 8, 8), cell_px=20, palette=palette), float)

        assert pixels.std() > 12, (palette, kind)
        assert 15 < pixels.mean() < 245, (palette, kind)
        assert (pixels.min(2) > 252).mean() < 0.5, (palette, kind)


def test_palettes_change_paint_and_not_walls() -> None:
    """One plan in all palettes gives as many different pictures; the plan stays what it was."""
    layout = plan("dungeon", 11, 9, 9)
    before = layout.to_json()

    shas = {sha(render(layout, 16, palette=name)) for name in PALETTES.names()}

    assert len(shas) == len(PALETTES.names()) >= 6
    assert layout.to_json() == before


def test_seeds_draw_palettes_and_pictures_apart() -> None:
    """Twelve seeds of a kind differ as pictures and use at least four palettes."""
    for kind in KIND_NAMES:
        layouts = [plan(kind, seed) for seed in range(12)]

        assert len({layout.palette for layout in layouts}) >= 4
        assert len({sha(render(layout, 8)) for layout in layouts}) == 12


def test_secret_doors_are_hidden_from_players() -> None:
    """A secret door looks like wall unless secrets are asked for; only its place changes then."""
    plans = (plan("building", seed) for seed in range(60))
    layout = next(found for found in plans if any(d.kind == "secret" for d in found.doors))
    as_wall = Layout.from_json(
        {
            **layout.to_json(),
            "doors": [d for d in layout.to_json()["doors"] if d["kind"] != "secret"],
            "walls": layout.to_json()["walls"]
            + [d["segment"] for d in layout.to_json()["doors"] if d["kind"] == "secret"],
        }
    )

    player = np.asarray(render(layout, 30), int)
    keeper = np.asarray(render(layout, 30, secrets=True), int)
    walled = np.asarray(render(as_wall, 30), int)

    assert np.abs(player - keeper).max() > 20
    door = next(d for d in layout.doors if d.kind == "secret")
    (ax, ay), (bx, by) = door.segment
    x, y = int((ax + bx) * 15), int((ay + by) * 15)
    assert np.abs(player - walled)[y - 2 : y + 3, x - 2 : x + 3].mean() < 25


def test_a_lamp_lights_its_room_and_not_the_next() -> None:
    """At night the ground by a lamp is brighter with it than without; behind walls it is not."""
    layout = next(p for p in (plan("building", seed, 10, 10) for seed in range(40)) if p.lights)
    dark = Layout.from_json({**layout.to_json(), "lights": []})

    lit = np.asarray(render(layout, 20, palette="torchlit"), float).mean(2)
    unlit = np.asarray(render(dark, 20, palette="torchlit"), float).mean(2)

    x, y = (int(v * 20) for v in layout.lights[0].position)
    window = (slice(max(0, y - 8), y + 8), slice(max(0, x - 8), x + 8))
    assert (lit - unlit)[window].mean() > 15
    assert (lit - unlit).min() > -2
    assert ((lit - unlit) < 1).mean() > 0.15


@pytest.mark.parametrize("cell_px", [0, 7, 301])
def test_squares_too_small_or_large_are_refused(cell_px: int) -> None:
    """A square of an impossible size is one clear error."""
    with pytest.raises(MapmakerError, match=str(cell_px)):
        render(plan("cave", 1, 5, 5), cell_px=cell_px)


def test_an_unknown_palette_names_its_neighbour() -> None:
    """A misspelt palette is answered with the nearest name."""
    with pytest.raises(MapmakerError) as caught:
        render(plan("cave", 1, 5, 5), palette="parchmint")

    assert "parchment" in caught.value.hint


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_map_is_drawn_in_time(kind: str) -> None:
    """Planning and drawing 750x750 at 15x15 takes under a second of one core."""
    render(plan(kind, 0))

    best = 9.0
    for seed in (1, 2):
        start = time.process_time()
        render(plan(kind, seed))
        best = min(best, time.process_time() - start)

    assert best < 1.0


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_stored_plan_looks_as_approved(kind: str) -> None:
    """A stored plan still renders as the picture that was looked at and approved."""
    layout = Layout.from_json(json.loads((GOLDEN / f"layout-{kind}.json").read_text("utf-8")))
    with Image.open(GOLDEN / f"layout-{kind}.png", formats=["PNG"]) as picture:
        approved = np.asarray(picture.convert("RGB"), int)

    drawn = np.asarray(render(layout, cell_px=16), int)

    assert drawn.shape == approved.shape
    assert np.abs(drawn - approved).mean() < 1.5
