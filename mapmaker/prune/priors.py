"""Which squares a picture has: what came with it first, its name second, what it shows last."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.files import read_json
from mapmaker.prune.gridlines import LEAST_CELL_PX

_SQUARES = re.compile(r"(?<![0-9])([1-9][0-9]{0,2})\s*[xX×]\s*([1-9][0-9]{0,2})(?![0-9])")
_SIZE = re.compile(
    r"(?<![0-9.])([1-9][0-9]{1,2}) ?(?:px|ppi|dpi|ppg|ppsq|pps|pixels?)(?![a-z])", re.IGNORECASE
)
_LARGEST_PX = 1e6
_ROUNDED = 0.001  # cell_px is written with a few digits
_SQUARE_ENOUGH = 0.02
_FILLS = 0.02  # of a square, that a picture of whole squares may have too many
_SAME = 0.01
_CLEAR = 0.75  # what the picture shows is believed against a name from this certainty on
_OTHER_PHASE_PX = 2.0
_OCTAVES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 3, 4)  # how a picture is misread


@dataclass(frozen=True, slots=True)
class _Claim:
    """What something other than the picture says of its squares."""

    cell_px: float
    phase: tuple[float, float]
    source: str


def choose_grid(
    picture: Path, title: str | None, size: tuple[int, int], seen: dict | None
) -> dict[str, Any] | None:
    """Return {cell_px, phase [x, y], source} of a picture, or None when nobody can tell.

    picture is its path (its `.layout.json` and its name are asked), size its (width, height) [px],
    seen what `find_grid` said of it. source is layout, name or picture. A layout is believed. A
    name is believed unless the picture shows, without a doubt, squares of another size that is not
    a half, double or third of it: then `doubt` says so in a sentence. Where both agree on the size
    and the picture is sure that the squares begin elsewhere, it has been cropped: its phase counts.
    """
    claim = _from_layout(picture, size) or _from_names(picture, title, size)
    if claim is None:
        return _from_picture(seen)
    if claim.source == "layout" or not seen or seen.get("sure", 0.0) < _CLEAR:
        return _told(claim)
    ratio = seen["cell_px"] / claim.cell_px
    if abs(ratio - 1) <= _SAME:
        return (
            _told(claim) if _same_phase(claim, seen) else _doubted(claim, seen, "begin elsewhere")
        )
    if any(abs(ratio / octave - 1) <= _SAME for octave in _OCTAVES):
        return _told(claim)
    return _doubted(claim, seen, f"are {seen['cell_px']:g} px wide")


def _told(claim: _Claim) -> dict[str, Any]:
    return {"cell_px": claim.cell_px, "phase": list(claim.phase), "source": claim.source}


def _doubted(claim: _Claim, seen: dict, what: str) -> dict[str, Any]:
    doubt = f"Its name says squares of {claim.cell_px:g} px; those in the picture {what}."
    return {"cell_px": seen["cell_px"], "phase": list(seen["phase"]), "source": "picture"} | {
        "doubt": doubt
    }


def _same_phase(claim: _Claim, seen: dict) -> bool:
    offsets = (
        abs((there - here + claim.cell_px / 2) % claim.cell_px - claim.cell_px / 2)
        for there, here in zip(seen["phase"], claim.phase, strict=True)
    )
    return max(offsets) <= max(_OTHER_PHASE_PX, 0.04 * claim.cell_px)


def _from_layout(picture: Path, size: tuple[int, int]) -> _Claim | None:
    path = picture.with_name(picture.name + ".layout.json")
    if not path.is_file():
        return None
    try:
        layout = read_json(path)
    except MapmakerError:
        return None  # a damaged layout costs its walls, not the map
    if not isinstance(layout, dict):
        return None
    [cell_px] = _numbers([layout.get("cell_px")], 1) or [0.0]
    if not 1 <= cell_px < _LARGEST_PX:
        return None
    x, y = _numbers(layout.get("phase"), 2) or (0.0, 0.0)
    cell_px = _exact(cell_px, _numbers(layout.get("squares"), 2), size)
    return _Claim(cell_px, (x % cell_px, y % cell_px), "layout")


def _exact(cell_px: float, squares: list[float] | None, size: tuple[int, int]) -> float:
    """Return the size of a square that the number of squares gives, where both say the same."""
    if not squares or min(squares) < 1:
        return cell_px
    sides = [side / count for side, count in zip(size, squares, strict=True)]
    if all(abs(side - cell_px) < _ROUNDED * cell_px for side in sides):
        return sum(sides) / 2
    return cell_px


def _numbers(values: Any, count: int) -> list[float] | None:
    """Return `count` finite numbers, or None for anything else."""
    if not isinstance(values, list) or len(values) != count:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return None
    return [float(v) for v in values] if all(map(math.isfinite, values)) else None


def _from_names(picture: Path, title: str | None, size: tuple[int, int]) -> _Claim | None:
    texts = [picture.stem.replace("_", " "), (title or "").replace("_", " ")]
    for reading in (_from_count, _from_size):
        for text in texts:
            if cell_px := reading(text, size):
                return _Claim(cell_px, (0.0, 0.0), "name")
    return None


def _from_count(text: str, size: tuple[int, int]) -> float | None:
    """Return the size of a square where `30x20` divides the picture into true squares."""
    for first, second in _SQUARES.findall(text):
        for columns, rows in ((int(first), int(second)), (int(second), int(first))):
            wide, tall = size[0] / columns, size[1] / rows
            if wide >= LEAST_CELL_PX and abs(wide - tall) <= _SQUARE_ENOUGH * wide:
                return (wide + tall) / 2
    return None


def _from_size(text: str, size: tuple[int, int]) -> float | None:
    """Return what `70px`, `50ppi` or `100 dpi` names, where such squares fill the picture.

    Where they do not, the picture was scaled or cropped since, and the name means another one.
    """
    for number in map(int, _SIZE.findall(text)):
        counts = [side / number for side in size]
        if number >= LEAST_CELL_PX and all(n >= 2 and abs(n - round(n)) <= _FILLS for n in counts):
            return float(number)
    return None


def _from_picture(seen: dict | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"cell_px": seen["cell_px"], "phase": list(seen["phase"]), "source": "picture"}
