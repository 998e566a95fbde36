"""Draws a layout in ink and wash."""

import numpy as np
from PIL import Image
from shapely.geometry import Polygon

from mapmaker.errors import MapmakerError
from mapmaker.layout.palettes import PALETTES
from mapmaker.layout.plan import Layout
from mapmaker.layout.render.brush import Brush
from mapmaker.layout.render.floors import paint_floors
from mapmaker.layout.render.glow import light_up
from mapmaker.layout.render.nature import CANOPY
from mapmaker.layout.render.sheet import Sheet
from mapmaker.layout.render.things import FLAT, THINGS
from mapmaker.layout.render.walls import (
    INDOORS,
    cast_shadows,
    draw_door,
    draw_stairs,
    draw_window,
    floor_shape,
    paint_grid,
    paint_outside,
    paint_walls,
    wall_shape,
)

__all__ = ["render"]

SMALLEST_PX, LARGEST_PX = 8, 300


def render(
    layout: Layout,
    cell_px: int = 50,
    palette: str | None = None,
    grid: bool = True,
    secrets: bool = False,
) -> Image.Image:
    """Return the layout's picture: RGB, columns * cell_px wide, rows * cell_px high.

    palette: a name from PALETTES, else the one the layout drew.
    grid: lines on the multiples of cell_px.
    secrets: mark secret doors, which otherwise look like wall. Equal arguments give equal bytes.
    Raises UnknownName for a palette that is not in PALETTES, MapmakerError for squares too small
    or too large.
    """
    if not SMALLEST_PX <= cell_px <= LARGEST_PX:
        raise MapmakerError(
            f"A square cannot be {cell_px} pixels wide.",
            hint=f"Take a whole number from {SMALLEST_PX} to {LARGEST_PX}.",
        )
    sheet = Sheet(layout, cell_px, PALETTES.get(palette or layout.palette))
    indoors = layout.kind in INDOORS

    # Ground and floors
    floor = floor_shape(sheet) if indoors else Polygon()
    inside = paint_outside(sheet, floor) if indoors else None
    paint_floors(sheet)
    if grid:
        paint_grid(sheet, inside)
    walls = wall_shape(sheet, floor, secrets)
    body = cast_shadows(sheet, inside, walls)

    # Things on the floor
    brush = Brush(sheet)
    for flight in layout.stairs:
        draw_stairs(brush, flight)
    for prop in sorted(layout.props, key=lambda p: p.kind not in FLAT):
        if prop.kind in THINGS and prop.kind not in CANOPY:
            brush.thing(prop)
            THINGS[prop.kind](brush)
    brush.lay()

    # Walls, doors, windows, crowns
    paint_walls(sheet, floor if indoors else None, walls, body)
    above = Brush(sheet)
    for door in layout.doors:
        draw_door(above, door, secrets)
    for window in layout.windows:
        draw_window(above, window)
    for prop in sorted((p for p in layout.props if p.kind in CANOPY), key=lambda p: p.size):
        above.thing(prop)
        THINGS[prop.kind](above)
    above.lay()

    # Light
    solid = np.maximum(body, 1 - inside) if inside is not None else body
    light_up(sheet, solid)
    return Image.fromarray((np.clip(sheet.pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
