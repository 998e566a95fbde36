"""From a manifest row to upright pixels, and where its crops lie."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mapmaker import __version__
from mapmaker.errors import UnsafeInput
from mapmaker.files import sha256_of, speaking_of
from mapmaker.picture import open_picture
from mapmaker.shards.config import digest
from mapmaker.shards.crops import Crop, place
from mapmaker.shards.walls import layout_file


@dataclass(frozen=True, slots=True)
class Picture:
    """What of a kept picture matters to a shard."""

    id: str  # sha256 of the file's bytes
    path: str
    map_id: str
    group: str
    grid: tuple[float, float, float] | None  # cell_px, phase x, phase y
    walls: str | None = None  # sha256 of the layout it came with
    upright: bool = False  # it has writing, which no view may turn or mirror
    light: float | None = None  # where its shadows fall [degrees]

    @classmethod
    def of(cls, row: Mapping[str, Any], root: Path) -> "Picture":
        """Return the picture a row of `prune.kept` speaks of."""
        grid, layout = row.get("grid"), layout_file(root / row["file"])
        x, y = grid["phase"] if grid else (0.0, 0.0)
        return cls(
            id=row["id"],
            path=str(root / row["file"]),
            map_id=str(row.get("map_id") or Path(row["file"]).stem),
            group=str(row["group"]),
            grid=(float(grid["cell_px"]), float(x), float(y)) if grid else None,
            walls=sha256_of(layout) if layout.is_file() else None,
            upright=bool(row.get("has_text")),
            light=None if row.get("light") is None else float(row["light"]),
        )

    def key(self) -> list[Any]:
        """Return what of it decides which samples come out: not where the file lies."""
        return [
            self.id,
            self.map_id,
            self.group,
            self.grid,
            self.walls,
            self.upright,
            self.light,
        ]


@dataclass(frozen=True, slots=True)
class Look:
    """Asks where one picture's crops lie; small enough to send to another process."""

    picture: Picture
    squares: int
    limit: int
    max_dark: float
    min_detail: float

    def key(self) -> str:
        how = [self.squares, self.limit, self.max_dark, self.min_detail]
        return digest([__version__, self.picture.id, self.picture.grid, *how])


def look(ask: Look) -> dict[str, Any]:
    """Return {crops, empty}: one picture's crops as plain rows, and how many had nothing in them.

    Raises UnsafeInput for a file gone bad.
    """
    grid = ask.picture.grid
    known = {"cell_px": grid[0], "phase": grid[1:]} if grid else None
    crops, empty = place(
        read_picture(ask.picture),
        known,
        squares=ask.squares,
        limit=ask.limit,
        max_dark=ask.max_dark,
        min_detail=ask.min_detail,
    )
    return {"crops": [asdict(crop) for crop in crops], "empty": empty}


def read_picture(picture: Picture) -> Image.Image:
    """Return the upright RGB pixels. Raises UnsafeInput when the file is not the one kept."""
    return open_picture(read_bytes(picture), name=picture.path)


def read_bytes(picture: Picture) -> bytes:
    """Return the file as it is. Raises UnsafeInput when it is not the one kept."""
    path = Path(picture.path)
    try:
        with speaking_of(path):
            data = path.read_bytes()
    except FileNotFoundError as error:
        raise UnsafeInput(
            f"{path} is gone.", hint="Fetch it again with `mapmaker scrape` or `import`."
        ) from error
    if hashlib.sha256(data).hexdigest() != picture.id:
        raise UnsafeInput(
            f"{path} is not the file the manifest lists; its bytes have changed.",
            hint="Fetch it again with `mapmaker scrape` or `import`.",
        )
    return data


def cut(image: Image.Image, crop: Crop, size: int) -> np.ndarray:
    """Return one crop resampled to uint8 (size, size, 3); its grid lines fall on size/squares px.

    The box may begin between two pixels: the filter is laid where the grid is, so the phase is
    exact. Lanczos shrinks without aliasing; bicubic enlarges with less ringing around ink.
    """
    how = Image.Resampling.LANCZOS if crop.side >= size else Image.Resampling.BICUBIC
    return np.asarray(image.resize((size, size), how, box=crop.box))
