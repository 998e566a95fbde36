"""How a picture sees its map: straight down, or as a photo of a table, or as an oblique drawing."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.finding import Finding
from mapmaker.prune.letterform import shrunk
from mapmaker.prune.median import median
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

_FRAME_PX = 192  # of a picture at least, that the sides of a sheet are looked for in
_EDGES_PX = 270  # of the picture the directions of edges are counted in
_SLOPES = np.linspace(-0.5, 0.5, 51, dtype=np.float32)  # of a side, against the picture's
_BIN_PX = 2.5  # a side is straight when its points lie this close together
_AS_GOOD = 0.85  # a side that fits an upright line nearly as well is upright
_DEPTH = 0.62  # of the picture, from each edge, that a side is looked for in
_LEAST_PX = 24  # of the shorter side, so shrunken
_STEP = 14  # grey levels that part a sheet from a plain ground

Bytes = NDArray[np.uint8]


def view(shot: Shot) -> dict[str, float]:
    """Return the signs of another view than straight down.

    view_side1 to view_side4: the share of a straight side that is seen, of the sheet or the
    ground drawn, worst first, 0 in a picture of less than 192 px a side; view_tilt: the largest
    slope of the four, 0.02 is a degree.
    view_iso: the share of all edges that run along both of the two directions of an isometric
    drawing, the weaker of the two; view_iso_over: that over the share of a usual direction.
    """
    large = min(shot.rgb.shape[:2]) >= _FRAME_PX  # a few pixels of any drawing look like a sheet
    sides = _sides(shot.tiny) if large else np.zeros((4, 2), np.float32)
    seen, slopes = np.sort(sides[:, 0]), np.abs(sides[:, 1])
    share, over = _isometric(shot.small_grey)
    signs = {f"view_side{rank}": round(float(s), 3) for rank, s in enumerate(seen, 1)}
    return signs | {
        "view_tilt": round(float(slopes.max()), 3),
        "view_iso": round(share, 4),
        "view_iso_over": round(over, 2),
    }


def findings(signs: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return a photo finding for a sheet lying askew, an oblique one for a drawing in relief."""
    table, found = limits["view"], []
    side, tilt = signs.get("view_side2", 0.0), signs.get("view_tilt", 0.0)
    if side >= table["side"] and tilt >= table["tilt"]:
        sure = side >= table["sure_side"] and signs.get("view_side1", 0.0) >= table["sure_worst"]
        reason = f"a sheet lies askew in it: {side:.0%} of its sides are straight and not upright"
        found.append(Finding("photo", "drop" if sure else "look", reason))
    iso, over = signs.get("view_iso", 0.0), signs.get("view_iso_over", 0.0)
    if iso >= table["isometric"] and over >= table["isometric_over"]:
        reason = f"its lines run both ways at 30 degrees, {over:.0f} times as many as usual"
        found.append(Finding("oblique", "look", reason))
    return found


def _sides(tiny: NDArray[np.uint8]) -> NDArray[np.float32]:
    # For top, bottom, left and right: the share of the side seen straight, and its slope.
    if min(tiny.shape[:2]) < _LEAST_PX:
        return np.zeros((4, 2), np.float32)
    smooth = cv2.blur(tiny, (3, 3))
    down = _strongest(cv2.absdiff(smooth[3:], smooth[:-3]))
    across = cv2.transpose(_strongest(cv2.absdiff(smooth[:, 3:], smooth[:, :-3])))
    views = (down, down[::-1], across, across[::-1])
    return np.array([_side(steps) for steps in views], np.float32)


def _strongest(steps: NDArray) -> NDArray:
    red, green, blue = cv2.split(steps)
    return cv2.max(cv2.max(red, green), blue)


def _side(steps: NDArray) -> tuple[float, float]:
    # The first step in each column, from the edge inwards; then the line most of them lie on.
    height, width = steps.shape
    ground = float(median(steps[: max(2, height // 40)].ravel().astype(np.float32)))
    stands = steps[: int(height * _DEPTH)] > max(_STEP, 3 * ground + 4)
    depth = stands.argmax(0)
    columns = np.flatnonzero((depth > 0) | stands[0])
    if len(columns) < 0.2 * width:
        return 0.0, 0.0
    depth = depth[columns].astype(np.float32)
    offsets = depth - _SLOPES[:, None] * (columns - width / 2)
    bins = np.round((offsets - offsets.min()) / _BIN_PX).astype(np.int64)
    many = int(bins.max()) + 2
    bins += np.arange(len(_SLOPES))[:, None] * many
    counts = np.bincount(bins.ravel(), minlength=many * len(_SLOPES)).reshape(-1, many)
    counts = counts[:, 1:] + counts[:, :-1]
    seen = counts.max(1)
    upright = int(seen[np.abs(_SLOPES) < 0.03].max())
    best = int(seen.argmax())
    slope = 0.0 if upright > _AS_GOOD * seen[best] else float(_SLOPES[best])
    return float(seen[best]) / width, slope


def _isometric(grey: Bytes) -> tuple[float, float]:
    # How many edges run at +t and at -t degrees, t between 22 and 39, the weaker of the two.
    grey = shrunk(grey, _EDGES_PX)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *axes) for axes in ((1, 0), (0, 1)))
    strength = cv2.magnitude(across, down)
    edges = np.flatnonzero(strength > max(60.0, 1.5 * cv2.mean(strength)[0]))
    if not len(edges):
        return 0.0, 0.0
    weights = np.minimum(strength.ravel()[edges], 600)
    angle = cv2.phase(across.ravel()[edges], down.ravel()[edges], angleInDegrees=True)
    degrees = angle.ravel().astype(np.int64) % 180
    counts = np.bincount(degrees, weights=weights, minlength=180)
    counts /= counts.sum()
    near = counts + np.roll(counts, 1) + np.roll(counts, -1)
    tilts = np.arange(22, 40)
    share = float(np.minimum(near[90 - tilts], near[90 + tilts]).max())
    return share, share / (float(median(near)) + 1e-4)
