"""The walls of a sample: a picture's layout, cut to the crop and turned as the crop was."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mapmaker.errors import UnsafeInput
from mapmaker.files import read_json
from mapmaker.shards.config import ELEMENTS
from mapmaker.shards.crops import Crop

Point = tuple[float, float]

# Where a point of a square of side s goes, as albumentations turns the pixels.
_TURNS: Mapping[str, Callable[[float, float, float], Point]] = {
    "e": lambda x, y, s: (x, y),
    "r90": lambda x, y, s: (y, s - x),
    "r180": lambda x, y, s: (s - x, s - y),
    "r270": lambda x, y, s: (s - y, x),
    "h": lambda x, y, s: (s - x, y),
    "v": lambda x, y, s: (x, s - y),
    "t": lambda x, y, s: (y, x),
    "hvt": lambda x, y, s: (s - y, s - x),
}


def turned_light(direction: float | None, view: int | None) -> float:
    """Return where shadows fall after ELEMENTS[view], -1 when nobody knows either.

    In degrees clockwise from the right, as `prune.shadow` counts: 45 is the lower right.
    """
    if direction is None or view is None:
        return -1.0
    angle = math.radians(direction)
    x, y = _TURNS[ELEMENTS[view]](math.cos(angle), math.sin(angle), 0.0)
    return round(math.degrees(math.atan2(y, x)), 2) % 360


def layout_file(picture: Path) -> Path:
    """Return where a picture's layout lies, if it came with one."""
    return picture.with_name(f"{picture.name}.layout.json")


def crop_walls(picture: Path, crop: Crop, view: int) -> bytes:
    """Return a sample's walls as JSON: {squares, walls, doors, windows, lights}, in its squares.

    walls are lists of points, doors and windows have a `segment`, lights a `position`; what lies
    outside is cut off, the origin is the sample's top left. b"" for a picture without a layout, a
    crop off the grid, and a layout that is damaged: that costs the walls, not the picture.
    """
    if not crop.squares or not layout_file(picture).is_file():
        return b""
    try:
        layout = read_json(layout_file(picture))
        cell_px = float(layout["cell_px"])
        frame = _Frame(crop.left / cell_px, crop.top / cell_px, crop.squares, ELEMENTS[view])
        doors = [_segmented(door) for door in layout.get("doors", [])]
        windows = [_segmented(window) for window in layout.get("windows", [])]
        cut = {
            "squares": [crop.squares, crop.squares],
            "walls": [part for line in layout.get("walls", []) for part in frame.polyline(line)],
            "doors": [d | {"segment": s} for d in doors if (s := frame.segment(d["segment"]))],
            "windows": [{"segment": s} for w in windows if (s := frame.segment(w["segment"]))],
            "lights": [
                light | {"position": p}
                for light in layout.get("lights", [])
                if (p := frame.point(light["position"]))
            ],
        }
        text = json.dumps(cut, separators=(",", ":"), sort_keys=True, allow_nan=False)
    except (UnsafeInput, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return b""
    return text.encode()


def _segmented(thing: Any) -> dict[str, Any]:
    return dict(thing) if isinstance(thing, Mapping) else {"segment": thing}


class _Frame:
    """A crop's square: moves points into it, cuts lines at its edge, turns them."""

    def __init__(self, left: float, top: float, side: int, element: str) -> None:
        self.left, self.top, self.side, self.turn = left, top, float(side), _TURNS[element]

    def polyline(self, points: Sequence[Sequence[float]]) -> list[list[list[float]]]:
        """Return the parts of a line that lie inside, each a list of points."""
        parts: list[list[list[float]]] = []
        for start, end in pairwise(points):
            piece = self.segment((start, end))
            if piece and parts and parts[-1][-1] == piece[0]:
                parts[-1].append(piece[1])
            elif piece:
                parts.append(piece)
        return parts

    def segment(self, ends: Sequence[Sequence[float]]) -> list[list[float]] | None:
        """Return the part of a segment that lies inside, or None (Liang and Barsky 1984)."""
        (x0, y0), (x1, y1) = (self._moved(end) for end in ends)
        enter, leave = 0.0, 1.0
        for start, step in ((x0, x1 - x0), (y0, y1 - y0)):
            if step == 0 and not 0 <= start <= self.side:
                return None
            if step:
                low, high = sorted((-start / step, (self.side - start) / step))
                enter, leave = max(enter, low), min(leave, high)
        if enter >= leave:
            return None
        at = ((x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in (enter, leave))
        return [self._turned(*point) for point in at]

    def point(self, place: Sequence[float]) -> list[float] | None:
        """Return a point in the sample's squares, or None outside."""
        x, y = self._moved(place)
        inside = 0 <= x <= self.side and 0 <= y <= self.side
        return self._turned(x, y) if inside else None

    def _moved(self, place: Sequence[float]) -> Point:
        x, y = place
        return float(x) - self.left, float(y) - self.top

    def _turned(self, x: float, y: float) -> list[float]:
        return [round(v, 4) for v in self.turn(x, y, self.side)]
