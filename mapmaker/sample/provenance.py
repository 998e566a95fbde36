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
    """Return the recipe a PNG carries, its fields of the kinds that `sample` writes.

    Raises UnsafeInput when it is no PNG, carries none, or one that lacks a field.
    """
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
    except (ValueError, RecursionError) as error:
        raise UnsafeInput(
            f"{path} does not say how it was made.",
            hint="Only PNG files that mapmaker wrote, unedited, can be made again.",
        ) from error
    wrong = _wrong_field(recipe if isinstance(recipe, dict) else {})
    if wrong:
        raise UnsafeInput(
            f"{path} carries a recipe without a {wrong} that mapmaker wrote.",
            hint="It was edited; sample anew.",
        )
    return recipe


def _wrong_field(recipe: dict[str, Any]) -> str | None:
    """Return the first field that is missing or of another kind than `sample` writes, if any."""
    for name, kind in {"seed": int, "size": int, "squares": list, "grid": bool}.items():
        if type(recipe.get(name)) is not kind:
            return name
    if [type(n) for n in recipe["squares"]] != [int, int]:
        return "squares"
    if type(recipe.get("truncation", 1.0)) not in (int, float):
        return "truncation"
    texts = ("layout", "kind", "engine", "precision", "run", "model")
    return next((name for name in texts if type(recipe.get(name, "")) is not str), None)
