"""Light: lamps that shine as far as walls let them, and night between."""

import numpy as np

from mapmaker.layout.plan import Light
from mapmaker.layout.render.noise import Field
from mapmaker.layout.render.sheet import Sheet, colour

RAYS = 180


def light_up(sheet: Sheet, solid: Field) -> None:
    """Multiply the sheet with night and its lamps; by day only warm it a little round the lamps.

    solid: 1 where walls or rock stop light, (height, width).
    """
    glow = np.zeros_like(sheet.pixels)
    for light in sheet.layout.lights:
        window, shine = _pool(sheet, light, solid)
        glow[window] += shine[..., None] * colour(light.colour)
    if sheet.palette.ambient is None:
        sheet.pixels *= 0.985 + 0.15 * np.minimum(glow, 1.2)
        return
    lit = colour(sheet.palette.ambient) + 1.05 * np.minimum(glow, 1.3)
    sheet.pixels *= lit


def _pool(sheet: Sheet, light: Light, solid: Field) -> tuple[tuple[slice, slice], Field]:
    """Return the window a lamp lights, and how brightly: rays march until something stops them."""
    x, y = light.position
    reach = light.range
    window = sheet.window((x, y, x, y), reach)
    px = sheet.cell_px
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    steps = np.arange(0.12, reach, 0.09)
    sx = ((x + np.cos(angles)[:, None] * steps) * px).astype(int)
    sy = ((y + np.sin(angles)[:, None] * steps) * px).astype(int)
    out = (sx < 0) | (sy < 0) | (sx >= sheet.width) | (sy >= sheet.height)
    hit = out | (solid[sy.clip(0, sheet.height - 1), sx.clip(0, sheet.width - 1)] > 0.5)
    first = np.where(hit.any(1), hit.argmax(1), len(steps) - 1)
    far = steps[first] + 0.16
    stencil = sheet.stencil(window)
    stencil.polygon(np.stack([x + far * np.cos(angles), y + far * np.sin(angles)], -1))
    seen = sheet.blur(stencil.mask(), 0.12)
    rows, columns = window
    gy = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5)[:, None] / px - y
    gx = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5)[None, :] / px - x
    fade = np.clip(1 - np.hypot(gx, gy) / reach, 0, 1)
    return window, (seen * fade * fade * (0.55 + 0.45 * fade)).astype(np.float32)
