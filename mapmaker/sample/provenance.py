"""How a map was made, inside its PNG: enough to make it again, byte for byte."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mapmaker.errors import UnsafeInput

KEY = "mapmaker"
# The IPTC's term for pictures a trained model made; the EU AI Act (art. 50) asks for such a mark.
MADE_BY_NET = "trainedAlgorithmicMedia"
MADE_BY_RULE = "algorithmicMedia"


def png_bytes(image: Image.Image, recipe: dict[str, Any]) -> bytes:
    """Return `image` as PNG with `recipe` as JSON in an iTXt chunk called `mapmaker`."""
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(recipe, sort_keys=True, separators=(",", ":")))
    out = BytesIO()
    image.save(out, "PNG", pnginfo=info, compress_level=4)
    return out.getvalue()


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the recipe a PNG carries. Raises UnsafeInput when it is no PNG or carries none."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            text = image.info.get(KEY)  # type: ignore[union-attr]
    except (OSError, ValueError, SyntaxError) as error:
        raise UnsafeInput(
            f"{path} is no whole PNG.", hint="Give a map that mapmaker made."
        ) from error
    try:
        recipe = json.loads(text or "")
    except ValueError as error:
        raise UnsafeInput(
            f"{path} does not say how it was made.",
            hint="Only PNG files that mapmaker wrote, unedited, can be made again.",
        ) from error
    if not isinstance(recipe, dict) or "seed" not in recipe:
        raise UnsafeInput(
            f"{path} carries a recipe without a seed.", hint="It was edited; sample anew."
        )
    return recipe
