"""What two pictures of one map are to each other, told from their pixels."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mapmaker.prune.align import Fit, View, find, view, whole
from mapmaker.prune.bearer import SURE, bearer
from mapmaker.prune.blocks import blocks, moved
from mapmaker.prune.compare import Colour, Shape, Spots, colour, lines, shape, spots
from mapmaker.prune.detail import softer
from mapmaker.prune.overlap import Box, Overlap, laid

VERSION = "5"  # raise it when an answer may change: remembered relations are asked again

# The kinds. COPIES show nothing their better one does not; of a crop that depends on its share.
COPIES = ("exact", "reencode", "resized", "dpi", "turned", "watermark")
VARIANTS = ("grid", "lighting", "recolour")  # each worth keeping beside the other
KINDS = (*COPIES, "crop", *VARIANTS, "floor")

# Fitted on planted variants of one half of the real maps, checked on the other.
_SAME_SCALE, _SAME_PLACE_PX = 0.004, 1.5  # as near as points can tell two fits apart
_LATELY = 24  # pictures a process remembers: 3 MB each
_POINTS = 8  # points two crops of one map share at least; chance finds 6 now and then
_WHOLE = 0.985  # more of the area seen: the whole of it (trimmed by 10 of 1000 px: 0.98)
_PART = 0.9  # less seen of both: they overlap, neither is a part of the other
_LEAST_BLOCKS = 24  # blocks of 16 px with something in them that a part must show
_LEAST_SHARE = 0.04  # of the larger picture
_SAME, _SAME_MIDDLE = 0.62, 0.8  # blocks that look alike: JPEG q30 0.9, a watermark 0.75
_SURE = 0.95  # lying on each other like this, with
_STILL, _REACH_PX = 0.85, 3  # so many blocks in their place, they need no search for shared points
_FOUND, _FAR_PX = 0.5, 8  # fewer blocks found where keys lay them: another map (0.41 at most)
_MOSTLY = 0.6  # more, with one of the two laid over all of the other: it lies there or near by
_CERTAIN_PART = 0.85  # more: a part (1.0 for all 49 of the real maps)
_WHOLLY = 0.04  # of its sides a picture may lie off the other and be all of it, by keys
_SAME_GROUND = 0.25  # another floor in the same surround shares so much at least
_LIGHT = 1.2  # times as bright: another light, not another encoding (JPEG and scaling: 1.02)
_FADED = 0.55  # contrast may change so much and be the same picture, faded
_TINT = 0.15  # channels' gains differ by more than this: another colour
_SAME_HUES = 0.88  # JPEG q30 0.95
_HUES, _HUES_LOST = 0.35, 0.02  # share of the hues left, and how much is gone: in grey or sepia
_APART, _LEFT = 6.0, 3.0  # levels of colour apart as they are, and that fading does not explain
_LINES = 3  # columns and rows that run through one picture only
_TRACE, _CERTAIN = 0.0002, 3.0  # a small name: only when it is clear (log-odds) who bears it
_SPOT, _SOFT_SPOT = 0.002, 0.02  # of the area: less is noise of encoding, or lines lost in blur
_SPOTS, _BAND = 0.3, 0.13  # more of it changed, or changed along the edge: not one map
_GLASS = 0.55  # ground that shows through spots so well lies under words
_RIM = 0.85  # opaque spots that lie along the edge: a title or a logo, not another room


class Pair(NamedTuple):
    """Two pictures to compare: ids, files; orientation turns the other, None when unknown."""

    one: str
    other: str
    one_path: Path
    other_path: Path
    orientation: int | None = None
    bits: int = 64
    lying: Box | None = None  # where all of the other lies in the one, turned: in shares of it


@dataclass(frozen=True, slots=True)
class Relation:
    """What two pictures (ids) are to each other.

    orientation turns the other one as the one is; bits of their hashes differ; worse is the one
    that bears the overlay, is the part, or was enlarged or blurred, unless it is not sure which;
    share (0..1) of the whole is in that part.
    """

    one: str
    other: str
    kind: str
    orientation: int = 0
    bits: int = 64
    note: str = ""
    worse: str = ""
    share: float = 1.0
    sure: bool = True

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-able values; `Relation(**values)` is its inverse."""
        return asdict(self)


class Told(NamedTuple):
    """What `tell` says: the kind, how the other is turned, which one is worse (0, 1; -1 none).

    sure is false when which one is worse is a guess.
    """

    kind: str
    orientation: int
    worse: int = -1
    share: float = 1.0
    note: str = ""
    sure: bool = True


def relate(pair: Pair) -> Relation | None:
    """Return what the two are to each other, or None: nothing. Opens both files; for an engine.

    Raises UnsafeInput for a file that is no whole picture.
    """
    one, other = _view(pair.one_path), _view(pair.other_path)
    if pair.lying is None or pair.orientation is None:
        told = tell(one, other, pair.orientation)
    else:
        told = _tell_part(one, other, pair.orientation, pair.lying)
    if told is None:
        return None
    worse = (pair.one, pair.other)[told.worse] if told.worse >= 0 else ""
    return Relation(
        pair.one,
        pair.other,
        told.kind,
        told.orientation,
        pair.bits,
        told.note,
        worse,
        told.share,
        told.sure,
    )


def _view(path: Path) -> View:
    """Open a picture, or return it as it was seen a short while ago: pairs come sorted."""
    about = path.stat()
    return _seen_lately(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=_LATELY)
def _seen_lately(path: Path, changed_ns: int, size: int) -> View:
    return view(path)


def tell(
    one: View, other: View, orientation: int | None = None, known: Fit | None = None
) -> Told | None:
    """Return what the other picture is to the one, or None when they show no common ground.

    orientation is how hashes say the other must be turned; None searches all eight. known is where
    it lies, when that is: then nothing is searched.
    """
    best: tuple[float, Fit, Overlap, Shape] | None = None
    for fit in [known] if known else _fits(one, other, orientation):
        seen = laid(one, other, fit)
        if seen is None or min(seen.shares) < _LEAST_SHARE:
            continue
        drawn = shape(seen)
        if max(seen.shares) < _WHOLE and drawn.blocks < _LEAST_BLOCKS:
            continue
        if best is None or drawn.alike > best[0] + 0.05:
            best = drawn.alike, fit, seen, drawn
        elif drawn.alike > best[0] - 0.05 and _agree(fit, best[1]):
            best = best[0], replace(best[1], points=fit.points), *best[2:]
        if not fit.points and drawn.middle > _SURE and blocks(seen, _REACH_PX).still > _STILL:
            break  # it lies there as a whole: no need to search
    if best is None:
        return None
    _, fit, seen, drawn = best
    if drawn.alike < _SAME or drawn.middle < _SAME_MIDDLE:
        return _unlike(seen, drawn, fit)
    if min(seen.shares) < _PART and not _sure_part(seen, drawn, fit):
        return None
    tone = colour(seen)
    varied = _light_or_colour(tone) or _grid(seen, tone)
    if varied:
        return Told(varied[0], fit.orientation, note=varied[1])
    return _copy(one, other, fit, seen, tone)


def _fits(one: View, other: View, orientation: int | None) -> Iterator[Fit]:
    """Yield the ways the other may lie on the one, the quicker first."""
    if orientation is not None:
        full = whole(one, other, orientation)
        yield full
        if near := _moved(one, other, full):
            yield near
            return
    found = find(one, other, orientation)
    if found and found.points >= _POINTS:
        exact = whole(one, other, found.orientation)
        yield replace(exact, points=found.points) if _agree(found, exact) else found


def _moved(one: View, other: View, full: Fit) -> Fit | None:
    """Return the fit near `full` that most blocks agree on, or None: points must be sought then.

    An edge trimmed off or words over half of a map leave enough blocks; points take ten times as
    long to find.
    """
    seen = laid(one, other, full, grey=True)
    if seen is None:
        return None
    found = blocks(seen, _FAR_PX)
    fit = moved(full, seen, found) if found.found > _MOSTLY else full
    if fit.points < 3 * _POINTS:
        return None
    fit = replace(full, points=fit.points) if _agree(fit, full) else fit
    seen = laid(one, other, fit, grey=True)
    if seen is None or blocks(seen, _REACH_PX).still < _STILL * found.found:
        return None
    return fit


def _tell_part(one: View, other: View, orientation: int, lying: Box) -> Told | None:
    """Return what the other is to the one where keys lay it, searching elsewhere only in doubt.

    Blocks of a part are all found where keys lay it, of another map few. Only what is a part for
    certain, and so never dropped, goes without a search. Two floors of one building are not alike
    in most places: what lies on all of the other is searched in any case.
    """
    if max(abs(edge - all) for edge, all in zip(lying, (0, 0, 1, 1), strict=True)) < _WHOLLY:
        return tell(one, other)
    height, width = one.rgb.shape[:2]
    left, top, right, bottom = lying
    full = whole(one, other, orientation)
    sx, sy = (right - left) * full.scale[0], (bottom - top) * full.scale[1]
    shift = (left * width + 0.5 * sx - 0.5, top * height + 0.5 * sy - 0.5)
    fit = Fit(orientation, (sx, sy), shift)
    for _ in range(2):  # the second time they are found in their place
        seen = laid(one, other, fit, grey=True)
        if seen is None:
            return tell(one, other)
        found = blocks(seen, _FAR_PX)
        if found.found < _FOUND:
            return None
        if found.found < _CERTAIN_PART or found.shown < 2 * _POINTS:
            return tell(one, other)
        if min(seen.shares) > _PART - 0.05:
            return tell(one, other)
        fit = moved(fit, seen, found)
    return tell(one, other, known=fit)


def _agree(fit: Fit, other: Fit) -> bool:
    """Whether two fits lay a picture in the same way."""
    apart = np.subtract(fit.scale, other.scale), np.subtract(fit.shift, other.shift)
    same = np.abs(apart[0]).max() < _SAME_SCALE and np.abs(apart[1]).max() < _SAME_PLACE_PX
    return same and fit.orientation == other.orientation


def _sure_part(seen: Overlap, drawn: Shape, fit: Fit) -> bool:
    """Whether a part is none of the tiles and trees that many maps share."""
    inside = max(seen.shares) > _PART
    points = _POINTS if inside else 2 * _POINTS
    return fit.points >= points and drawn.alike > 0.8 and drawn.middle > 0.9


def _unlike(seen: Overlap, drawn: Shape, fit: Fit) -> Told | None:
    """Tell what two pictures are that do not look alike: much hidden, another floor, nothing."""
    if min(seen.shares) < _PART or fit.points < 3 * _POINTS:
        return None
    tone = colour(seen)
    if tone.apart < _APART and (drawn_over := _grid(seen, tone)):
        return Told(drawn_over[0], fit.orientation, note=drawn_over[1])
    marks = spots(seen)
    if tone.apart < _LEFT and marks.glass > 0.8 and _SPOT < marks.area < _SPOTS:
        return _watermark(fit, seen, marks)
    if drawn.alike > _SAME_GROUND:
        return Told("floor", fit.orientation, note="the same surround, another floor")
    return None


def _watermark(fit: Fit, seen: Overlap, marks: Spots, sure: float = SURE) -> Told:
    odds = bearer(seen, marks.where)
    note = f"words or a logo on {marks.area:.0%} of it"
    share = min(seen.shares)
    return Told("watermark", fit.orientation, int(odds > 0), share, note, abs(odds) > sure)


def _overlaid(marks: Spots) -> bool:
    """Whether the spots are words, a title or a logo on the same map."""
    if marks.glass > _GLASS:
        return marks.area < _SPOTS
    return marks.rim > _RIM and marks.area < _BAND


def _light_or_colour(tone: Colour) -> tuple[str, str] | None:
    """Return the kind and a note when light or colours were changed; None when not, or faded."""
    plain, coloured = sorted(tone.hues)
    if plain < _HUES * coloured and coloured - plain > _HUES_LOST:
        return "recolour", "one of them in shades of one colour"
    times = max(tone.light, 1 / tone.light)
    harder = tone.spreads[1] > tone.spreads[0]
    low, high = min(tone.gain), max(tone.gain)
    tinted = high - low > _TINT * high
    if times > _LIGHT and (harder == (tone.light > 1) or tinted):
        return "lighting", f"{times:.1f} times as bright"
    if tone.same_hues < _SAME_HUES:
        return "recolour", "in other colours"
    if tone.apart > _APART and (
        tone.left > _LEFT or tinted or not _FADED < low <= high < 1 / _FADED
    ):
        return "recolour", "in other colours"
    return None


def _grid(seen: Overlap, tone: Colour) -> tuple[str, str] | None:
    columns, rows = lines(seen, tone)
    if min(columns, rows) >= _LINES:
        return "grid", f"one of them has a grid ({columns} x {rows} lines)"
    return None


def _copy(one: View, other: View, fit: Fit, seen: Overlap, tone: Colour) -> Told | None:
    """Tell apart overlays, parts, turns, sizes and encodings of one picture."""
    marks = spots(seen, tone if tone.apart > 2 else None)
    share = min(seen.shares)
    times = (one.size[0] * one.size[1] / (other.size[0] * other.size[1])) ** 0.5
    soft = softer(one, other, times) if share > _PART else -1
    if marks.area > (_SPOT if soft < 0 else _SOFT_SPOT):
        badge = marks.rim > _RIM and marks.area < _BAND
        if marks.hue < _SAME_HUES and marks.glass > _GLASS and not badge:
            return Told("recolour", fit.orientation, note="in other colours")
        if not _overlaid(marks):
            if share < _PART:
                return None
            return Told("floor", fit.orientation, note=f"{marks.area:.0%} of it is another map")
        if share > _PART:
            return _watermark(fit, seen, marks)
    elif soft < 0 and share > _PART and marks.area > _TRACE and _overlaid(marks):
        told = _watermark(fit, seen, marks, _CERTAIN)
        if told.sure:
            return told
    if share < _WHOLE:
        inner = int(seen.shares[1] > seen.shares[0])
        if max(seen.shares) < _PART:
            return Told("crop", fit.orientation, -1, share, f"they share {share:.0%}")
        return Told("crop", fit.orientation, inner, share, f"{share:.0%} of the larger one")
    blurred = ", enlarged or blurred" if soft >= 0 else ""
    if fit.orientation:
        return Told("turned", fit.orientation, soft, note=f"turned or mirrored{blurred}")
    if 0.97 < times < 1.03:
        return Told("reencode", 0, soft, note=f"encoded again{blurred}")
    note = f"{max(times, 1 / times):.2g} times the size{blurred}"
    return Told("resized", 0, soft, note=note)
