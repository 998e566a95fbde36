"""What is measured once of every picture and remembered by its content hash."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.errors import MapmakerError
from mapmaker.picture import open_picture
from mapmaker.prune.gridlines import MOST_PX, find_grid
from mapmaker.prune.hashes import THUMB_PX, dhashes, halves, phashes, shrink
from mapmaker.prune.lettering import lettering
from mapmaker.prune.light import light
from mapmaker.prune.localkeys import keys
from mapmaker.prune.memory import keep_freed
from mapmaker.prune.overlay import overlay
from mapmaker.prune.shadow import shadow
from mapmaker.prune.sharpness import NO_DETAIL, sharpness
from mapmaker.prune.shot import MOST_SUMMED, Shot
from mapmaker.prune.view import view

VERSION = 4  # raise it when a measurement changes: remembered rows of another version are redone
_THUMB_QUALITY = 80
_LEAST_PX = 32  # of a side; the signs of less mean nothing
_DIGITS = 4  # more would only make the database longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The measurements of one picture; `problem` says why there are none.

    width, height [px] of the upright picture; mean and contrast (standard deviation) of its
    brightness, 0..255; span is the brightness range of its middle 98 %; fine is the same as in
    `sharpness`; pixels is the sha256 of every pixel's brightness and of the colours averaged to
    384 px; phash and dhash are 64 bits in eight orientations, as hex; grid is {cell_px, phase,
    score} as the picture shows it, or None; signs is everything else, by name; keys is what crops
    are found by; thumb is 32 x 32 grey bytes.
    """

    id: str
    problem: str = ""
    width: int = 0
    height: int = 0
    mean: float = 0.0
    contrast: float = 0.0
    span: float = 0.0
    fine: float = NO_DETAIL
    pixels: str = ""
    phash: tuple[str, ...] = ()
    dhash: tuple[str, ...] = ()
    grid: dict | None = None
    signs: dict[str, float] = field(default_factory=dict)
    keys: bytes = b""
    thumb: bytes = b""

    def small(self) -> NDArray[np.uint8]:
        """Return the thumbnail as a 32 x 32 array."""
        return np.frombuffer(self.thumb, np.uint8).reshape(THUMB_PX, THUMB_PX)


@dataclass(frozen=True, slots=True)
class Measured:
    """The features of one file, a JPEG to show it by (192 px at most; b"" when it is broken), and
    whether they will last or the file should be looked at again next time."""

    features: Features
    thumb: bytes = b""
    lasting: bool = True


def measure(path: Path, id: str) -> Measured:
    """Return what there is to know of the file at `path`, whose sha256 should be `id`.

    Never raises for what is in the file: a broken picture is a row with a problem. A file that is
    missing or holds other bytes than `id` says is such a row too, and does not last.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return _broken(id, f"cannot be read: {error.strerror}", lasting=False)
    if hashlib.sha256(data).hexdigest() != id:
        return _broken(id, "was changed after it was taken in", lasting=False)
    try:
        image = open_picture(data, name="it")
    except MapmakerError as error:
        return _broken(id, str(error).removeprefix("it ").rstrip("."), lasting=True)
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)  # many pictures at once, each on one core
    keep_freed()
    return _measured(Shot(np.asarray(image)), id)


def _broken(id: str, problem: str, *, lasting: bool) -> Measured:
    return Measured(Features(id=id, problem=problem), lasting=lasting)


_SIGNS: dict[str, Callable[[Shot], dict[str, float]]] = {
    "sharpness": sharpness,
    "light": light,
    "lettering": lettering,
    "overlay": overlay,
    "view": view,
    "shadow": shadow,
}


def parts() -> dict[str, Callable[[Shot], Any]]:
    """Return everything that is done with a whole picture, by name."""
    plain = {"brightness": _brightness, "pixels": _pixel_hash, "hashes": _hashes, "grid": _grid}
    return {**plain, **_SIGNS, "keys": keys, "page thumb": _page_thumb}


def _measured(shot: Shot, id: str) -> Measured:
    roomy = _roomy(shot)
    signs = {
        name: round(float(value), _DIGITS)
        for look in _SIGNS.values()
        for name, value in look(roomy).items()
    }
    features = Features(
        id=id,
        width=shot.rgb.shape[1],
        height=shot.rgb.shape[0],
        fine=signs["sharp_fine"],
        pixels=_pixel_hash(shot),
        grid=_grid(shot),
        signs=signs,
        keys=keys(shot),
        **_brightness(shot),
        **_hashes(shot),
    )
    return Measured(features, _page_thumb(shot))


def _roomy(shot: Shot) -> Shot:
    """Return a picture of at least 32 pixels a side: a sliver is continued beyond its edges."""
    height, width = shot.rgb.shape[:2]
    below, right = max(0, _LEAST_PX - height), max(0, _LEAST_PX - width)
    if not (below or right):
        return shot
    wide = cv2.copyMakeBorder(shot.rgb, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return Shot(wide.astype(np.uint8, copy=False))


def _brightness(shot: Shot) -> dict[str, float]:
    counts = np.cumsum(cv2.calcHist([shot.grey[::2]], [0], None, [256], [0, 256]))
    low, high = np.searchsorted(counts, [0.01 * counts[-1], 0.99 * counts[-1]])
    mean, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(shot.grey))
    return {"mean": round(mean, 2), "contrast": round(contrast, 2), "span": float(high - low)}


def _hashes(shot: Shot) -> dict[str, Any]:
    sums = None
    if shot.grey.size <= MOST_SUMMED:
        sums = shot.half_sums if halves(shot.grey) else shot.sums
    thumb = shrink(shot.grey, sums)
    return {
        "phash": tuple(f"{h:016x}" for h in phashes(thumb)),
        "dhash": tuple(f"{h:016x}" for h in dhashes(thumb)),
        "thumb": np.round(thumb).astype(np.uint8).tobytes(),
    }


def _grid(shot: Shot) -> dict | None:
    whole = max(shot.grey.shape) <= MOST_PX
    return find_grid(shot.grey, (shot.sums, shot.half_sums) if whole else None)


def _pixel_hash(shot: Shot) -> str:
    # All of its brightness, and its colours in small: in half of the time of all three colours.
    digest = hashlib.sha256(f"{shot.rgb.shape}".encode())
    for seen in (shot.grey, shot.small):
        digest.update(np.ascontiguousarray(seen).data)
    return digest.hexdigest()


def _page_thumb(shot: Shot) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, _THUMB_QUALITY]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(shot.tiny, cv2.COLOR_RGB2BGR), options)
    return jpeg.tobytes()
