"""Walls that come with a picture: Universal VTT files and Foundry scenes, read as a layout.

Units of everything that comes out are squares from the picture's top left corner.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from mapmaker.layout.plan import Door, Layout, Light, Point, Segment

UVTT_SUFFIXES = (".dd2vtt", ".uvtt", ".df2vtt")
MAX_SQUARES = 1000
SHAPE_TOLERANCE = 0.005
_WINDOW_SIGHT = 0  # Foundry: a wall that stops feet and not eyes
_STATES = {2: "locked"}


class BadWalls(ValueError):
    """The file is not what its name says, or not whole."""


def read_uvtt(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the picture inside a Universal VTT file, and the file's values. Raises BadWalls."""
    data = _read_json(path)
    image = data.get("image")
    if not isinstance(image, str) or not image:
        raise BadWalls("there is no picture in it")
    try:
        return base64.b64decode(image.partition(",")[2] or image, validate=False), data
    except (binascii.Error, ValueError) as error:
        raise BadWalls("its picture is no base64") from error


def layout_of_uvtt(data: Mapping[str, Any], width: int, height: int) -> dict[str, Any]:
    """Return the layout of a Universal VTT file whose picture is width x height [px].

    Coordinates are absolute: the origin is taken off, and what lies outside the picture left out.
    A portal that is not closed lets light through: a window. Raises BadWalls.
    """
    try:
        resolution = data["resolution"]
        left, top = _xy(resolution.get("map_origin") or {"x": 0, "y": 0})
        columns, rows = _xy(resolution["map_size"])
        _check_size(columns, rows)
        lines = [
            [_moved(p, left, top) for p in line]
            for key in ("line_of_sight", "objects_line_of_sight")
            for line in data.get(key) or []
        ]
        doors, windows = [], []
        for portal in data.get("portals") or []:
            first, last = (_moved(p, left, top) for p in portal["bounds"])
            for segment in _clipped([first, last], columns, rows):
                if portal.get("closed", True):
                    doors.append(Door(segment=(segment[0], segment[-1])))
                else:
                    windows.append((segment[0], segment[-1]))
        lights = [
            Light(_moved(lamp["position"], left, top), float(lamp.get("range", 0)), _argb(lamp))
            for lamp in data.get("lights") or []
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadWalls(f"its walls cannot be read ({error})") from error
    layout = _layout("uvtt", columns, rows, width, lines, doors, windows, lights)
    return layout | _phase(-left, -top, layout["cell_px"])


def read_scene(path: Path) -> dict[str, Any] | None:
    """Return a Foundry scene, or None for JSON that is something else. Raises BadWalls."""
    data = _read_json(path)
    known = {"walls", "width", "height"} <= set(data) and isinstance(data["walls"], list)
    return data if known and scene_picture(data) else None


def scene_picture(scene: Mapping[str, Any]) -> str:
    """Return the stem of a scene's picture, lower case, or "" when it has none."""
    background = scene.get("background")
    source = background.get("src") if isinstance(background, Mapping) else None
    source = source or scene.get("img") or ""
    return PurePosixPath(unquote(str(source))).stem.lower()


def fits_scene(scene: Mapping[str, Any], width: int, height: int) -> bool:
    """True when a picture has the scene's shape: a crop of the map must not get all its walls."""
    try:
        shape = float(scene["width"]) / float(scene["height"])
    except (TypeError, ValueError, ZeroDivisionError):
        return False
    return abs(width / height / shape - 1) < SHAPE_TOLERANCE


def layout_of_scene(scene: Mapping[str, Any], width: int, height: int) -> dict[str, Any]:
    """Return the layout of a Foundry scene (v9 to v13) whose picture is width x height [px].

    The scene's padding shifts every coordinate by whole squares, its offset (shift in v9) moves the
    picture against the grid: then the layout has a `phase`. The picture may have been scaled since.
    A secret door is one; ds 1 is open, 2 locked. Raises BadWalls.
    """
    try:
        grid = scene.get("grid", 100)
        grid = grid if isinstance(grid, Mapping) else {"size": grid, "type": scene.get("gridType")}
        cell = float(grid.get("size") or 100)
        if grid.get("type") not in (None, 0, 1):
            raise BadWalls("its grid is hexagonal")
        wide, high = float(scene["width"]), float(scene["height"])
        padding = scene.get("padding", 0.25)
        moved_x, moved_y = (moved / cell for moved in _offset(scene))
        left = math.ceil(padding * wide / cell) - moved_x
        top = math.ceil(padding * high / cell) - moved_y
        columns, rows = wide / cell, high / cell
        _check_size(columns, rows)
        lines: list[list[Point]] = []
        doors, windows = [], []
        for wall in scene["walls"]:
            x0, y0, x1, y1 = (float(v) / cell for v in wall["c"])
            line = [(x0 - left, y0 - top), (x1 - left, y1 - top)]
            _sort_wall(wall, line, (columns, rows), lines, doors, windows)
        lights = [
            Light((lamp["x"] / cell - left, lamp["y"] / cell - top), *_scene_light(scene, lamp))
            for lamp in scene.get("lights") or []
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadWalls(f"its walls cannot be read ({error})") from error
    layout = _layout("foundry", columns, rows, width, lines, doors, windows, lights)
    return layout | _phase(moved_x, moved_y, layout["cell_px"])


def _phase(x: float, y: float, cell_px: float) -> dict[str, Any]:
    """Return where the squares begin [px], unless at the picture's corner; x, y in squares."""
    x, y = x % 1, y % 1
    return {"phase": [round(x * cell_px, 4), round(y * cell_px, 4)]} if x or y else {}


def _offset(scene: Mapping[str, Any]) -> Point:
    """Return how far a scene's picture lies left of and above where its padding ends."""
    background = scene.get("background")
    if isinstance(background, Mapping):
        return float(background.get("offsetX") or 0), float(background.get("offsetY") or 0)
    return float(scene.get("shiftX") or 0), float(scene.get("shiftY") or 0)


def _sort_wall(
    wall: Mapping[str, Any], line: list[Point], size: tuple[float, float],
    lines: list[list[Point]], doors: list[Door], windows: list[Segment],
) -> None:  # fmt: skip
    kind = wall.get("door", 0)
    blocks = wall.get("move", 1)
    sight = wall.get("sight", wall.get("sense", 1))
    if kind:
        name = "secret" if kind == 2 else _STATES.get(wall.get("ds", 0), "door")
        for part in _clipped(line, *size):
            doors.append(Door((part[0], part[-1]), name, wall.get("ds") == 1))
    elif blocks and sight == _WINDOW_SIGHT:
        windows += [(part[0], part[-1]) for part in _clipped(line, *size)]
    elif blocks:
        lines.append(line)


def _scene_light(scene: Mapping[str, Any], lamp: Mapping[str, Any]) -> tuple[float, str]:
    """Return a lamp's reach in squares and its colour; reach is stored in the scene's feet."""
    config = lamp.get("config") or lamp
    grid = scene.get("grid")
    feet = grid.get("distance") if isinstance(grid, Mapping) else scene.get("gridDistance")
    reach = max(float(config.get("dim") or 0), float(config.get("bright") or 0))
    return reach / float(feet or 5), _colour(config.get("color") or config.get("tintColor"))


def _layout(
    source: str, columns: float, rows: float, width: int, lines: Iterable[list[Point]],
    doors: list[Door], windows: list[Segment], lights: list[Light],
) -> dict[str, Any]:  # fmt: skip
    walls = [part for line in lines for part in _clipped(line, columns, rows)]
    inside = [
        lamp for lamp in lights
        if 0 <= lamp.position[0] <= columns and 0 <= lamp.position[1] <= rows
    ]  # fmt: skip
    layout = Layout(
        kind="imported", seed=0, columns=round(columns), rows=round(rows), theme="", palette="",
        cells=(), walls=tuple(tuple(_rounded(p) for p in wall) for wall in walls),
        doors=tuple(doors), windows=tuple(windows), lights=tuple(inside), source=source,
    )  # fmt: skip
    cell_px = round(width / columns, 4)
    return {**layout.to_json(), "cell_px": int(cell_px) if cell_px == int(cell_px) else cell_px}


def _clipped(line: list[Point], columns: float, rows: float) -> list[list[Point]]:
    """Return the parts of a polyline inside the picture, each as long as it can be."""
    parts: list[list[Point]] = []
    for first, last in pairwise(line):
        piece = _inside(first, last, columns, rows)
        if piece is None or piece[0] == piece[1]:
            continue
        if parts and parts[-1][-1] == piece[0]:
            parts[-1].append(piece[1])
        else:
            parts.append(list(piece))
    return parts


def _inside(first: Point, last: Point, columns: float, rows: float) -> Segment | None:
    """Return the part of a segment inside [0, columns] x [0, rows] (Liang and Barsky, 1984)."""
    (x0, y0), (x1, y1) = first, last
    dx, dy, enter, leave = x1 - x0, y1 - y0, 0.0, 1.0
    for slope, room in ((-dx, x0), (dx, columns - x0), (-dy, y0), (dy, rows - y0)):
        if slope == 0:
            if room < 0:
                return None
        elif slope < 0:
            enter = max(enter, room / slope)
        else:
            leave = min(leave, room / slope)
    if enter > leave:
        return None
    start = first if enter == 0 else (x0 + enter * dx, y0 + enter * dy)
    end = last if leave == 1 else (x0 + leave * dx, y0 + leave * dy)
    return start, end


def _check_size(columns: float, rows: float) -> None:
    if not (0 < columns <= MAX_SQUARES and 0 < rows <= MAX_SQUARES):
        raise ValueError(f"{columns} x {rows} squares")


def _xy(point: Mapping[str, Any]) -> Point:
    x, y = float(point["x"]), float(point["y"])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("a coordinate is no number")
    return x, y


def _moved(point: Mapping[str, Any], left: float, top: float) -> Point:
    x, y = _xy(point)
    return x - left, y - top


def _rounded(point: Point) -> Point:
    return round(point[0], 5), round(point[1], 5)


def _argb(lamp: Mapping[str, Any]) -> str:
    """Return #rrggbb for a colour that puts its opacity first, as Universal VTT does."""
    text = str(lamp.get("color") or "")
    return _colour(text[2:] if len(text) == 8 else text)


def _colour(value: object) -> str:
    text = str(value or "").lstrip("#").lower()
    return f"#{text}" if re.fullmatch(r"[0-9a-f]{6}", text) else "#ffb45a"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadWalls("it is not readable as JSON") from error
    if not isinstance(data, dict):
        raise BadWalls("it holds no map")
    return data
