"""Where the squares of a map are: what came with it first, its name second, its picture last."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import MapmakerError
from mapmaker.files import read_json

LEAST_CELL_PX = 12
SURE = 0.65  # below this the picture's own answer is "no grid"
_SQUARES = re.compile(r"(?<![0-9])([1-9][0-9]{0,2})\s*[xX×]\s*([1-9][0-9]{0,2})(?![0-9])")
_SQUARE_ENOUGH = 0.02


def choose_grid(
    picture: Path, title: str | None, size: tuple[int, int], seen: dict | None
) -> dict[str, Any] | None:
    """Return {cell_px, phase [x, y], source} of a picture, or None when nobody can tell.

    picture is its path (its `.layout.json` and its name are asked), size its (width, height) [px],
    seen what `find_grid` said of it. source is layout, name or picture.
    """
    return _from_layout(picture) or _from_names(picture, title, size) or _from_picture(seen)


def _from_layout(picture: Path) -> dict[str, Any] | None:
    path = picture.with_name(picture.name + ".layout.json")
    if not path.is_file():
        return None
    try:
        layout = read_json(path)
    except MapmakerError:
        return None  # a damaged layout costs its walls, not the map
    cell_px = layout.get("cell_px") if isinstance(layout, dict) else None
    if not isinstance(cell_px, int | float) or not cell_px >= 1:
        return None
    return {"cell_px": float(cell_px), "phase": [0.0, 0.0], "source": "layout"}


def _from_names(picture: Path, title: str | None, size: tuple[int, int]) -> dict[str, Any] | None:
    """Believe `30x20` in a name when it divides the picture into squares that are square."""
    for text in (picture.stem, title or ""):
        for first, second in _SQUARES.findall(text.replace("_", " ")):
            for columns, rows in ((int(first), int(second)), (int(second), int(first))):
                wide, tall = size[0] / columns, size[1] / rows
                if wide >= LEAST_CELL_PX and abs(wide - tall) <= _SQUARE_ENOUGH * wide:
                    return {"cell_px": (wide + tall) / 2, "phase": [0.0, 0.0], "source": "name"}
    return None


def _from_picture(seen: dict | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"cell_px": seen["cell_px"], "phase": list(seen["phase"]), "source": "picture"}


def find_grid(grey: NDArray[np.uint8]) -> dict[str, Any] | None:
    return None
