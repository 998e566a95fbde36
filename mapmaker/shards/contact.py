"""A look at what a net will learn from."""

from pathlib import Path

import numpy as np
from PIL import Image

from mapmaker.shards.config import ELEMENTS, OWN
from mapmaker.shards.reader import open_shards
from mapmaker.sheet import sheet


def contact_sheet(
    folder: Path, n: int = 36, *, columns: int = 6, cell_px: int = 200
) -> Image.Image:
    """Return `n` samples of the shards in `folder`, evenly over all, as stored after augmentation.

    Below each: its map, its squares a side (? when unknown) and its view. Raises as
    `open_shards` does.
    """
    shards = open_shards(folder)
    chosen = np.unique(np.linspace(0, len(shards) - 1, min(n, len(shards))).astype(int))
    names, squares, views = (shards.column(c)[chosen] for c in ("map_id", "squares", "variant"))
    own = shards.card["recipe"]["augment"] == OWN
    labels = [
        f"{count or '?'} {f'{OWN} {view}' if own and view else ELEMENTS[view]} {name}"
        for name, count, view in zip(names, squares, views, strict=True)
    ]
    images = [shards[int(i)] for i in chosen]
    return sheet(images, columns=columns, cell_px=cell_px, labels=labels)
