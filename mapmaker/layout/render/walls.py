"""What stands between floors: rock outside, walls with thickness, doors, windows, stairs."""

import numpy as np
import shapely
from shapely.geometry import LineString, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mapmaker.layout.palettes import tint
from mapmaker.layout.plan import Door, Segment, Stairs
from mapmaker.layout.render.brush import Brush, mixed
from mapmaker.layout.render.noise import Field
from mapmaker.layout.render.sheet import Sheet, Stencil, colour

#: Half a wall's thickness in squares.
THICK = {"building": 0.15, "dungeon": 0.1, "cave": 0.07, "wilderness": 0.16}
INDOORS = ("dungeon", "cave")


def floor_shape(sheet: Sheet) -> BaseGeometry:
    """Return all that is floor, as the hand draws it."""
    return sheet.drawn(unary_union([area.shape() for area in sheet.layout.areas]))


def _rock_face(floor: BaseGeometry, columns: int, rows: int) -> BaseGeometry:
    """Return where floor meets rock: its outline, open where it runs off the picture."""
    return floor.boundary.difference(box(0, 0, columns, rows).boundary.buffer(0.06))


def wall_shape(sheet: Sheet, floor: BaseGeometry, secrets: bool) -> BaseGeometry:
    """Return the walls as bodies. A secret door is wall unless secrets are to be seen."""
    layout = sheet.layout
    if layout.kind == "cave":
        return _rock_face(floor, layout.columns, layout.rows).buffer(THICK["cave"])
    lines = [LineString(wall) for wall in layout.walls]
    lines += [
        LineString(door.segment) for door in layout.doors if door.kind == "secret" and not secrets
    ]
    if not lines:
        return shapely.Polygon()
    whole = shapely.line_merge(unary_union(lines))
    return sheet.drawn(whole.buffer(THICK[layout.kind], cap_style="square", join_style="mitre"))


def paint_outside(sheet: Sheet, floor: BaseGeometry) -> Field:
    """Paint what lies outside the floor of a dungeon or cave. Return the floor's mask."""
    window = sheet.whole
    inside = sheet.stencil().fill(floor).mask()
    paper = colour(sheet.palette.paper)
    broad = sheet.noise("broad", window, 0.08, 3.0, 1.3)
    fine = sheet.noise("fine", window, 3.0, 30.0, 0.5)
    sheet.pixels[:] = paper * (1 + 0.03 * broad + 0.018 * fine)[..., None]
    if sheet.palette.outside == "hatch":
        near = np.clip((sheet.blur(inside, 0.42) - 0.06) * 5, 0, 1)
        sheet.darken(window, 0.34 * near, colour(sheet.palette.shade) * 0.6 + 0.25)
        strokes = _hatching(sheet, floor).mask()
        sheet.darken(window, 0.85 * strokes * (1 - inside), colour(sheet.palette.ink))
        return inside
    near = np.clip(sheet.blur(inside, 0.9) * 1.6, 0, 1)
    ridge = np.abs(sheet.noise("ridge", window, 0.25, 5.0, 1.2))
    crags = np.clip(1 - ridge * 3, 0, 1)
    light = 0.62 + 0.5 * near + 0.09 * broad - 0.20 * crags
    sheet.pixels[:] = paper * (light + 0.02 * fine)[..., None]
    sheet.darken(
        window, 0.5 * _hatching(sheet, floor, 0.5).mask() * (1 - inside), colour(sheet.palette.ink)
    )
    return inside


def _hatching(sheet: Sheet, floor: BaseGeometry, plenty: float = 1.0) -> Stencil:
    """Return strokes in threes, laid crosswise along the outside of the floor."""
    stencil = sheet.stencil()
    rng = sheet.rng
    for reach, step in ((0.12, 0.3), (0.36, 0.34), (0.6, 0.6)):
        rings = floor.buffer(reach, quad_segs=3).boundary
        for ring in shapely.get_parts(rings).tolist():
            count = max(1, int(ring.length / step * plenty))
            places = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * ring.length / count
            spots = shapely.get_coordinates(shapely.line_interpolate_point(ring, places))
            spots += rng.normal(0, 0.05, spots.shape)
            angles = rng.uniform(0, np.pi, count)
            half = rng.uniform(0.11, 0.2, count)
            for (x, y), angle, long in zip(
                spots.tolist(), angles.tolist(), half.tolist(), strict=True
            ):
                dx, dy = np.cos(angle), np.sin(angle)
                for k in (-1, 0, 1):
                    sx, sy = x - dy * k * 0.105, y + dx * k * 0.105
                    stencil.line(
                        [(sx - dx * long, sy - dy * long), (sx + dx * long, sy + dy * long)], 0.026
                    )
    return stencil


def cast_shadows(sheet: Sheet, inside: Field | None, walls: BaseGeometry) -> Field:
    """Darken the floor beside walls and to their lower right. Return the walls' mask."""
    window = sheet.whole
    solid = body = (
        sheet.stencil().fill(walls).mask()
        if not walls.is_empty
        else np.zeros((sheet.height, sheet.width), np.float32)
    )
    if inside is not None:
        solid = np.maximum(body, 1 - inside)
    elif walls.is_empty:
        return body
    strength = 0.5 if sheet.palette.outside == "rock" else 0.34
    shade = colour(sheet.palette.shade)
    cast = np.maximum(sheet.shifted(solid, 0.12, 0.16), 0.8 * sheet.shifted(solid, 0.06, 0.08))
    cast = sheet.blur(cast, 0.05)
    close = sheet.blur(solid, 0.3)
    lit = 1 - solid if inside is not None else 1 - body
    sheet.darken(window, np.clip(strength * cast + 0.42 * strength * close, 0, 0.8) * lit, shade)
    return body


def paint_walls(sheet: Sheet, floor: BaseGeometry | None, walls: BaseGeometry, body: Field) -> None:
    """Paint the walls' tops and ink their outlines."""
    if walls.is_empty:
        return
    window, kind = sheet.whole, sheet.layout.kind
    ink = colour(sheet.palette.ink)
    if kind in INDOORS and sheet.palette.outside == "hatch":
        sheet.lay(window, body, ink * 1.15)
        return
    if kind == "cave" and floor is not None:
        _paint_cliffs(sheet, floor, body)
        return
    top = (
        colour(sheet.palette.wall)
        * (
            1
            + 0.07 * sheet.noise("broad", window, 0.08, 3.0, 1.3)
            + 0.05 * sheet.noise("fine", window, 3.0, 30.0, 0.5)
        )[..., None]
    )
    mask = body
    outline = [walls]
    if kind in INDOORS and floor is not None:
        band = floor.buffer(
            0.24 if kind == "dungeon" else 0.17,
            join_style="mitre" if kind == "dungeon" else "round",
        )
        ring = unary_union([band.difference(floor), walls])
        mask = sheet.stencil().fill(ring).mask()
        outline = [ring]
    sheet.lay(window, mask, top)
    lines = sheet.stencil().lines(outline, 0.05)
    if kind in ("dungeon", "building", "wilderness"):
        _courses(sheet, lines)
    sheet.darken(
        window, 0.9 * lines.mask() * np.clip(mask * 2 + sheet.blur(mask, 0.04) * 2, 0, 1), ink
    )
    lit = np.clip(mask - sheet.shifted(mask, 0.05, 0.05), 0, 1)
    sheet.pixels[window] += (0.10 * lit * mask)[..., None]


def _paint_cliffs(sheet: Sheet, floor: BaseGeometry, body: Field) -> None:
    """Paint the rock's face round a cave: a lit ragged rim, an inked edge, strokes running back."""
    window, ink = sheet.whole, colour(sheet.palette.ink)
    inside = sheet.stencil().fill(floor).mask()
    ragged = 0.22 * sheet.noise("ridge", window, 0.25, 5.0, 1.2)
    rim = np.clip((sheet.blur(inside, 0.3) * 2 + ragged - 0.18) * 3.0, 0, 1) * (1 - inside)
    rim *= np.clip(sheet.blur(inside, 0.3) * 9 - 0.15, 0, 1)
    stone = (
        colour(sheet.palette.wall)
        * (1.02 + 0.09 * sheet.noise("broad", window, 0.08, 3.0, 1.3))[..., None]
    )
    sheet.lay(window, 0.9 * rim, stone)
    lip = np.clip((rim - sheet.blur(rim, 0.09)) * 2.2, 0, 1)
    sheet.darken(window, 0.35 * lip, ink)
    strokes, rng = sheet.stencil(), sheet.rng
    face = _rock_face(floor, sheet.layout.columns, sheet.layout.rows)
    for line in shapely.get_parts(shapely.line_merge(face)).tolist():
        place = float(rng.uniform(0, 0.2))
        while place < line.length - 0.05:
            a, b = line.interpolate(place), line.interpolate(place + 0.05)
            out = np.array([a.y - b.y, b.x - a.x]) / 0.05
            out = (
                out
                if not floor.contains(shapely.Point(a.x + out[0] * 0.1, a.y + out[1] * 0.1))
                else -out
            )
            long, lean = rng.uniform(0.1, 0.36), rng.normal(0, 0.25)
            side = np.array([-out[1], out[0]]) * lean
            start = np.array([a.x, a.y])
            strokes.line(
                [start, start + (out + side) * long * 0.6, start + (out + side * 0.4) * long], 0.03
            )
            place += float(rng.uniform(0.1, 0.34))
    sheet.darken(window, 0.7 * strokes.mask() * (1 - inside), ink)
    edge = np.clip(body * (0.75 + 0.3 * sheet.noise("broken", window, 0.4, 4.0, 0.8)), 0, 1)
    sheet.darken(window, 0.92 * edge, ink)


def _courses(sheet: Sheet, stencil: Stencil) -> None:
    """Draw the joints between the stones of every wall."""
    half = THICK[sheet.layout.kind] + (0.1 if sheet.layout.kind == "dungeon" else 0)
    for wall in sheet.layout.walls:
        line = LineString(wall)
        place = float(sheet.rng.uniform(0.1, 0.4))
        while place < line.length:
            a, b = line.interpolate(place - 0.03), line.interpolate(place + 0.03)
            dx, dy = b.x - a.x, b.y - a.y
            norm = np.hypot(dx, dy) or 1.0
            nx, ny = -dy / norm * half, dx / norm * half
            stencil.line(
                sheet.unsteady(np.array([(a.x - nx, a.y - ny), (a.x + nx, a.y + ny)])), 0.028, 190
            )
            place += float(sheet.rng.uniform(0.3, 0.62))


def draw_door(brush: Brush, door: Door, secrets: bool) -> None:
    """Draw a door leaf in its gap: shut, ajar, barred with iron, or marked S."""
    brush.fit(door.segment)
    if door.kind == "secret":
        if secrets:
            brush.box(-0.5, -0.1, 1.0, 0.2, tint(brush.palette.wall), 0.05)
            brush.line(
                [
                    (0.09, -0.16),
                    (-0.09, -0.12),
                    (-0.09, -0.02),
                    (0.09, 0.02),
                    (0.09, 0.12),
                    (-0.09, 0.16),
                ],
                0.05,
            )
        return
    wood, metal = tint(brush.palette.timber), tint(brush.palette.metal)
    for side in (-1, 1):
        brush.box(side * 0.46 - 0.07, -0.17, 0.14, 0.34, tint(brush.palette.wall), 0.04)
    if door.open:
        brush.line(
            [(0.4 * np.cos(t), 0.78 * np.sin(t)) for t in np.linspace(0.1, 1.4, 7)],
            0.02,
            tint(brush.palette.shade),
        )
        brush.box(-0.42, 0.02, 0.12, 0.76, wood, 0.04, cast=0.5)
        return
    brush.box(-0.4, -0.085, 0.8, 0.17, wood, 0.045, cast=0.6)
    brush.line([(-0.13, -0.08), (-0.13, 0.08)], 0.025)
    brush.line([(0.13, -0.08), (0.13, 0.08)], 0.025)
    if door.kind == "locked":
        for at in (-0.27, 0.0, 0.27):
            brush.box(at - 0.04, -0.1, 0.08, 0.2, metal, 0.025)
    else:
        brush.disc(0.28, 0.0, 0.045, metal, 0.02)


def draw_window(brush: Brush, window: Segment) -> None:
    """Draw a window: glass between two sills."""
    brush.fit(window)
    brush.box(-0.5, -0.15, 1.0, 0.3, tint(brush.palette.wall), 0.04)
    brush.box(-0.4, -0.075, 0.8, 0.15, tint(brush.palette.glow), 0.03)
    brush.line([(0, -0.075), (0, 0.075)], 0.025)


def draw_stairs(brush: Brush, flight: Stairs) -> None:
    """Draw a flight: treads that narrow and darken the way down."""
    (x, y), (w, h) = flight.position, flight.size
    long, wide = (w, h) if flight.heading % 180 == 0 else (h, w)
    brush.place(x + w / 2, y + h / 2, long, wide, flight.heading)
    stone, ink = tint(brush.palette.stone), tint(brush.palette.ink)
    steps = max(4, round(long * 4))
    for k in range(steps):
        share = k / steps
        dark = share if flight.goes == "down" else 0.35 * (1 - share)
        shade = mixed(stone, ink, 0.08 + 0.62 * dark)
        squeeze = 0.09 + (0.16 * share if flight.goes == "down" else 0.0)
        brush.box(
            -long / 2 + long * share,
            -wide / 2 + squeeze,
            long / steps,
            wide - 2 * squeeze,
            shade,
            0.028,
        )


def paint_grid(sheet: Sheet, where: Field | None) -> None:
    """Draw one line on every multiple of cell_px, pixel exact; with a mask only where it is set."""
    px = sheet.cell_px
    amount = np.zeros((sheet.height, sheet.width), np.float32)
    thick = max(1, px // 50)
    for k in range(1, sheet.layout.columns):
        amount[:, k * px : k * px + thick] = sheet.palette.grid
    for k in range(1, sheet.layout.rows):
        amount[k * px : k * px + thick, :] = sheet.palette.grid
    if where is not None:
        amount *= where
    sheet.darken(sheet.whole, amount, colour(sheet.palette.ink))
