"""Floors and ground: washes with grain, stones, planks, tiles, water with its shore."""

from itertools import groupby

import numpy as np
import shapely
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring, unary_union

from mapmaker.layout.geometry import polygons
from mapmaker.layout.plan import Area
from mapmaker.layout.render.noise import Field, cobbles, tiled
from mapmaker.layout.render.sheet import Sheet, Stencil, Window, colour

#: Floors whose joints are drawn stone by stone, board by board.
LAID = ("flagstone", "slabs", "tiles", "planks")
WET = ("water", "chasm")


def paint_floors(sheet: Sheet) -> None:
    """Paint every area in order: consecutive areas of one kind together."""
    laid: list[Area] = []
    for kind, group in groupby(sheet.layout.areas, key=lambda area: area.kind):
        run = list(group)
        shape = sheet.drawn(unary_union([area.shape() for area in run]))
        if shape.is_empty:
            continue
        window = sheet.window(shape.bounds, 0.1)
        mask = sheet.stencil(window).fill(shape).mask()
        if kind in WET:
            _wet(sheet, kind, shape, window, mask)
        elif kind == "ford":
            _ford(sheet, shape, window, mask)
        elif kind == "bridge":
            for area in run:
                _bridge(sheet, area)
        else:
            _wash(sheet, kind, window, mask)
            laid += [area for area in run if area.kind in LAID]
            if kind in ("path", "sand", "meadow", "dirt") and sheet.layout.kind != "dungeon":
                _soft_rim(sheet, shape, window, 0.35 if kind != "meadow" else 0.16)
    if laid:
        _lay_stones(sheet, laid)


def _wash(sheet: Sheet, kind: str, window: Window, mask: Field) -> None:
    """Lay the colour of the ground, mottled and grained as its kind is."""
    grain = sheet.palette.grain
    base = colour(sheet.palette.ground(kind))
    broad = sheet.noise("broad", window, 0.08, 3.0, 1.3)
    fine = sheet.noise("fine", window, 3.0, 30.0, 0.5)
    rough = {
        "grass": 0.06,
        "meadow": 0.05,
        "cave": 0.06,
        "dirt": 0.06,
        "path": 0.055,
        "sand": 0.04,
    }.get(kind, 0.04)
    tone = 1 + grain * (rough * broad + 0.028 * fine)
    paint = base * tone[..., None]
    if kind in ("grass", "meadow"):
        other = colour(sheet.palette.leaves[0]) if kind == "grass" else colour(sheet.palette.sand)
        share = np.clip(
            0.22 + 0.2 * sheet.noise("patch", window, 0.05, 1.2, 1.0),
            0,
            0.6 if kind == "grass" else 0.45,
        )
        paint += (
            (other * tone[..., None] - paint)
            * share[..., None]
            * (0.8 if kind == "grass" else 0.55)
        )
        if kind == "meadow":
            paint *= 1.04
    if kind == "cobble":
        paint *= 0.86 if sheet.layout.kind == "building" else 0.95
        shade, joint = cobbles(sheet.cell_px)
        paint *= (1 + 0.085 * tiled(shade, *window) - 0.33 * tiled(joint, *window))[..., None]
    if kind in ("cave", "dirt", "path"):
        ridge = np.abs(sheet.noise("ridge", window, 0.25, 5.0, 1.2))
        paint *= (1 - 0.10 * np.clip(1 - ridge * 4, 0, 1))[..., None]
    if kind in ("path", "meadow"):
        mask = np.clip(mask * 1.6 - 0.3, 0, 1)
    sheet.lay(window, mask, paint)


def _soft_rim(sheet: Sheet, shape: BaseGeometry, window: Window, strength: float) -> None:
    """Run a broken darker line along the edge, where the wash dried."""
    rim = sheet.stencil(window).lines([shape], 0.07).mask()
    broken = np.clip(0.5 + 0.6 * sheet.noise("broken", window, 0.4, 4.0, 0.8), 0, 1)
    sheet.darken(window, strength * sheet.blur(rim, 0.03) * broken, colour(sheet.palette.ink))


def _wet(sheet: Sheet, kind: str, shape: BaseGeometry, window: Window, mask: Field) -> None:
    """Paint water: pale at the shore, deep in the middle, ringed. A chasm falls to ink."""
    palette = sheet.palette
    shallow, deep = (colour(palette.water), colour(palette.deep))
    if kind == "chasm":
        shallow, deep = colour(palette.wall) * 0.55, colour(palette.ink) * 0.6
    depth = np.clip((sheet.blur(mask, 0.55) - 0.45) * 2.0, 0, 1)
    flow = sheet.noise("flow", window, 0.2, 5.0, 1.2, 0.5)
    depth = np.clip(depth + 0.10 * flow * mask, 0, 1)[..., None]
    paint = (shallow + (deep - shallow) * depth) * (
        1 + 0.03 * sheet.noise("fine", window, 3.0, 30.0, 0.5)
    )[..., None]
    sheet.lay(window, mask, paint)
    ink = colour(palette.ink)
    edge = sheet.stencil(window).lines([shape], 0.055).mask()
    frame = shapely.box(0.02, 0.02, sheet.layout.columns - 0.02, sheet.layout.rows - 0.02)
    rings, light = sheet.stencil(window), sheet.stencil(window)
    for depth_sq, width, every in ((0.17, 0.03, 0.9), (0.36, 0.022, 0.62), (0.6, 0.02, 0.3)):
        inner = shape.buffer(-depth_sq).boundary.intersection(frame)
        for line in shapely.get_parts(inner).tolist():
            _dashes(
                sheet, rings if kind == "chasm" or depth_sq != 0.17 else light, line, width, every
            )
    sheet.darken(window, 0.8 * edge, ink)
    sheet.darken(window, 0.42 * rings.mask() * mask, ink)
    if kind != "chasm":
        sheet.lay(window, 0.6 * light.mask() * mask, np.clip(shallow * 1.25 + 0.05, 0, 1))


def _ford(sheet: Sheet, shape: BaseGeometry, window: Window, mask: Field) -> None:
    """Paint shallow water over sand, with stones to step on."""
    soft = sheet.blur(mask, 0.14) * mask
    bed = (colour(sheet.palette.sand) + 2 * colour(sheet.palette.water)) / 3 * 1.06
    sheet.lay(
        window,
        0.85 * soft,
        bed * (1 + 0.04 * sheet.noise("flow", window, 0.2, 5.0, 1.2, 0.5))[..., None],
    )
    stones, edges = sheet.stencil(window), sheet.stencil(window)
    for part in polygons(shape):
        left, top, right, bottom = part.bounds
        spots = sheet.rng.uniform((left, top), (right, bottom), (14, 2))
        sizes = sheet.rng.uniform(0.07, 0.17, 14)
        for (x, y), size in zip(spots.tolist(), sizes.tolist(), strict=True):
            if part.buffer(-0.1).contains(shapely.Point(x, y)):
                edges.disc(x, y, size + 0.035)
                stones.disc(x, y, size)
    sheet.darken(window, 0.85 * edges.mask(), colour(sheet.palette.ink))
    sheet.lay(window, stones.mask(), colour(sheet.palette.rock))


def _dashes(sheet: Sheet, stencil: Stencil, line: LineString, width: float, share: float) -> None:
    """Draw a line in strokes of uneven length, `share` of it drawn."""
    place = float(sheet.rng.uniform(0, 0.4))
    while place < line.length:
        stroke = float(sheet.rng.uniform(0.35, 1.3)) * (0.5 + share)
        part = substring(line, place, min(place + stroke, line.length))
        if part.length > 0.05:
            stencil.line(part.coords, width)
        place += stroke + float(sheet.rng.uniform(0.15, 0.6)) * (1.3 - share)


def _bridge(sheet: Sheet, area: Area) -> None:
    """Paint a plank bridge: boards across the way, a beam on either side."""
    shape = area.shape()
    window = sheet.window(shape.bounds, 0.4)
    sheet.darken(
        window,
        0.45
        * sheet.blur(
            sheet.stencil(window).fill(shapely.affinity.translate(shape, 0.1, 0.16)).mask(), 0.06
        ),
        colour(sheet.palette.shade),
    )
    base = colour(sheet.palette.wood)
    mask = sheet.stencil(window).fill(shape).mask()
    grain = sheet.noise("fibre", window, 1.0, 30.0, 0.6, 0.3)
    sheet.lay(window, mask, base * (1 + 0.06 * grain)[..., None])
    joints = sheet.stencil(window)
    angle = np.radians(area.turn)
    along, side = (
        np.array([np.cos(angle), np.sin(angle)]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    middle = np.asarray(shape.centroid.coords[0])
    reach = np.hypot(shape.bounds[2] - shape.bounds[0], shape.bounds[3] - shape.bounds[1]) / 2
    for t in np.arange(-reach, reach, 0.24):
        joints.line([middle + along * t - side, middle + along * t + side], 0.03)
    sheet.darken(window, 0.75 * joints.mask() * mask, colour(sheet.palette.ink))
    rails = sheet.stencil(window).lines([shape], 0.06).mask()
    sheet.darken(window, 0.9 * rails, colour(sheet.palette.ink))
    beams = sheet.stencil(window)
    for edge in (-0.68, 0.68):
        beams.line(
            [middle - along * reach + side * edge, middle + along * reach + side * edge], 0.13
        )
    sheet.lay(window, beams.mask() * mask, base * 0.72)


def _lay_stones(sheet: Sheet, laid: list[Area]) -> None:
    """Draw the joints and uneven tones of laid floors, cell by cell."""
    shapes = [area.shape() for area in laid]
    whole = unary_union(shapes)
    window = sheet.window(whole.bounds, 0.05)
    joints, tones = sheet.stencil(window), sheet.stencil(window)
    tones.image.paste(128, (0, 0, *tones.image.size))
    for area, shape in zip(laid, shapes, strict=True):
        left, top, right, bottom = (round(v) for v in shape.bounds)
        inside = [
            (c, r)
            for r in range(top, bottom)
            for c in range(left, right)
            if shape.intersects(shapely.box(c + 0.15, r + 0.15, c + 0.85, r + 0.85))
        ]
        draw = {"planks": _planks, "tiles": _tiles, "slabs": _slabs}.get(area.kind, _flags)
        draw(sheet, joints, tones, inside, area.turn)
    floor = sheet.stencil(window).fill(sheet.drawn(whole)).mask()
    ink = colour(sheet.palette.ink)
    sheet.pixels[window] *= (1 + (tones.mask() * 2 - 1) * 0.42 * floor)[..., None]
    worn = np.clip(0.62 + 0.3 * sheet.noise("worn", window, 0.2, 4.0, 1.0), 0.12, 1)
    sheet.darken(window, 0.55 * joints.mask() * worn * floor, ink)


def _stone(
    sheet: Sheet,
    joints: Stencil,
    tones: Stencil,
    x: float,
    y: float,
    w: float,
    h: float,
    spread: float = 34,
) -> None:
    """Draw one stone: its tone, its joint, now and then a chip or a crack."""
    corners = sheet.unsteady(np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]))
    tones.polygon(corners[:4], int(np.clip(128 + sheet.rng.normal(0, spread / 2), 60, 200)))
    joints.line(corners, 0.035)
    dice = sheet.rng.random()
    if dice < 0.07 and w > 0.4 and h > 0.4:
        a, b, c = sheet.rng.uniform(0.15, 0.85, 3)
        joints.line([(x + a * w, y), (x + b * w, y + h * 0.45), (x + c * w, y + h)], 0.025, 210)
    elif dice < 0.13:
        joints.polygon([(x, y), (x + 0.16 * w, y), (x, y + 0.2 * h)], 190)


def _flags(
    sheet: Sheet, joints: Stencil, tones: Stencil, cells: list[tuple[int, int]], turn: int
) -> None:
    """Lay each square with one, two, three or four stones."""
    for c, r in cells:
        form = float(sheet.rng.random())
        a, b = sheet.rng.uniform(0.38, 0.62, 2).tolist()
        if form < 0.3:
            parts = [(0, 0, 1, 1)]
        elif form < 0.5:
            parts = [(0, 0, a, 1), (a, 0, 1 - a, 1)]
        elif form < 0.7:
            parts = [(0, 0, 1, a), (0, a, 1, 1 - a)]
        elif form < 0.88:
            parts = [(0, 0, a, b), (a, 0, 1 - a, b), (0, b, 1, 1 - b)]
        else:
            parts = [(0, 0, a, b), (a, 0, 1 - a, b), (0, b, a, 1 - b), (a, b, 1 - a, 1 - b)]
        for x, y, w, h in parts:
            _stone(sheet, joints, tones, c + x, r + y, w, h)


def _slabs(
    sheet: Sheet, joints: Stencil, tones: Stencil, cells: list[tuple[int, int]], turn: int
) -> None:
    """Lay one great stone on each square."""
    for c, r in cells:
        _stone(sheet, joints, tones, c, r, 1, 1, 40)


def _tiles(
    sheet: Sheet, joints: Stencil, tones: Stencil, cells: list[tuple[int, int]], turn: int
) -> None:
    """Lay a chequer of half squares, or of diamonds."""
    for c, r in cells:
        if turn % 2:
            tones.polygon([(c + 0.5, r), (c + 1, r + 0.5), (c + 0.5, r + 1), (c, r + 0.5)], 92)
            joints.line(
                sheet.unsteady(
                    np.array(
                        [
                            (c + 0.5, r),
                            (c + 1, r + 0.5),
                            (c + 0.5, r + 1),
                            (c, r + 0.5),
                            (c + 0.5, r),
                        ]
                    )
                ),
                0.03,
            )
            continue
        for i in (0, 1):
            for j in (0, 1):
                x, y = c + i / 2, r + j / 2
                shade = (92 if (i + j) % 2 else 148) + int(sheet.rng.integers(-9, 10))
                tones.polygon([(x, y), (x + 0.5, y), (x + 0.5, y + 0.5), (x, y + 0.5)], shade)
                joints.line(sheet.unsteady(np.array([(x, y + 0.5), (x, y), (x + 0.5, y)])), 0.025)


def _planks(
    sheet: Sheet, joints: Stencil, tones: Stencil, cells: list[tuple[int, int]], turn: int
) -> None:
    """Lay boards a third of a square wide, along x for an odd turn, along y for an even one."""
    across = turn % 2 == 1
    lanes: dict[int, list[int]] = {}
    for c, r in cells:
        lanes.setdefault(r if across else c, []).append(c if across else r)
    for lane, places in sorted(lanes.items()):
        start, end = min(places), max(places) + 1
        for board in range(3):
            low, high = lane + board / 3, lane + (board + 1) / 3
            place = start - float(sheet.rng.uniform(0, 2.2))
            while place < end:
                long = float(sheet.rng.uniform(1.6, 3.4))
                a, b = max(place, start), min(place + long, end)
                if b > a:
                    _board(sheet, joints, tones, (a, low, b, high), across)
                place += long


def _board(
    sheet: Sheet,
    joints: Stencil,
    tones: Stencil,
    span: tuple[float, float, float, float],
    across: bool,
) -> None:
    a, low, b, high = span
    corners = np.array([(a, low), (b, low), (b, high), (a, high), (a, low)])
    grain_y = low + (high - low) * sheet.rng.uniform(0.25, 0.75)
    grain = np.array(
        [
            (a + 0.1, grain_y),
            ((a + b) / 2, grain_y + float(sheet.rng.normal(0, 0.03))),
            (b - 0.1, grain_y),
        ]
    )
    if not across:
        corners, grain = corners[:, ::-1], grain[:, ::-1]
    corners = sheet.unsteady(corners)
    tones.polygon(corners[:4], int(np.clip(128 + sheet.rng.normal(0, 17), 70, 190)))
    joints.line(corners, 0.03)
    if b - a > 0.5:
        joints.line(grain, 0.018, 110)
