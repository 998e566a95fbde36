"""A person's own augmentation as data: an albumentations 2.0.8 pipeline, as its `A.save` writes it.

Read and checked here with nothing heavy imported, so that a line on the command line is refused
at once; `augment.Own` runs it. Only transforms named here can be asked for: those that need
nothing but the picture, keep 8 bits and three channels, and read no file.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from mapmaker.errors import BadConfig, UnknownName, UnsafeInput
from mapmaker.files import read_json

SUFFIXES = (".json", ".yaml", ".yml")
CLASS = "__class_fullname__"

# Of ImageOnlyTransform: squares and walls stay where they are. Not RGBShift, whose A.save writes
# arguments it does not take: AdditiveNoise, spatial_mode constant, is the same.
PIXELS = frozenset(
    """AdditiveNoise AdvancedBlur AutoContrast Blur CLAHE ChannelDropout ChannelShuffle
    ChromaticAberration ColorJitter Defocus Downscale Emboss Equalize FancyPCA GaussNoise
    GaussianBlur GlassBlur HEStain HueSaturationValue ISONoise Illumination ImageCompression
    InvertImg MedianBlur MotionBlur MultiplicativeNoise PlanckianJitter PlasmaBrightnessContrast
    PlasmaShadow Posterize RandomBrightnessContrast RandomFog RandomGamma RandomGravel
    RandomRain RandomShadow RandomSnow RandomSunFlare RandomToneCurve RingingOvershoot
    SaltAndPepper Sharpen ShotNoise Solarize Spatter Superpixels ToGray ToSepia UnsharpMask
    ZoomBlur""".split()
)
MOVES = frozenset(
    """Affine CenterCrop CoarseDropout Crop D4 ElasticTransform Erasing GridDistortion GridDropout
    GridElasticDeform HorizontalFlip Morphological NoOp OpticalDistortion Perspective
    PixelDropout RandomCrop RandomGridShuffle RandomResizedCrop RandomRotate90
    RandomSizedCrop Resize Rotate SquareSymmetry ThinPlateSpline Transpose VerticalFlip
    XYMasking""".split()
)
GROUPS = frozenset(
    "Compose OneOf OneOrOther RandomOrder SelectiveChannelTransform Sequential SomeOf".split()
)
KNOWN = PIXELS | MOVES | GROUPS

# Within these limits no transform takes gigabytes, or more than a few seconds for a large sample.
MAX_BYTES = 65_536
MAX_DEPTH = 20
MAX_TRANSFORMS = 64
MAX_NUMBER = 1024.0  # the side of the largest sample [px]
MAX_OF = {
    "temperature_limit": 40_000.0,  # kelvin
    "scale": 4.0,  # times the side; so are all that begin with it
    **dict.fromkeys(("blur_limit", "blur_value", "radius", "sigma"), 100.0),
    **dict.fromkeys(("iterations", "max_factor", "num_grid_xy"), 16.0),
    "num_control_points": 6.0,  # its square counts, at every pixel
    "grid": 32.0,
    **dict.fromkeys(("n_segments", "num_holes_range", "num_flare_circles_range"), 500.0),
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What there is to know of a pipeline before it runs."""

    transform: Mapping[str, Any]  # as albumentations reads it
    names: tuple[str, ...]  # of its transforms, in their order, groups left out
    upright_too: bool  # run it on pictures with writing as well

    @classmethod
    def of(cls, text: str) -> "Pipeline":
        """Return the pipeline `checked` wrote as `text`. Raises as `checked`."""
        return _parsed(text)

    @property
    def moves(self) -> bool:
        """Whether squares, walls and shadows may lie elsewhere afterwards."""
        return not PIXELS.issuperset(self.names)

    def card(self) -> dict[str, Any]:
        """Return what the card says of it."""
        told = {"transforms": list(self.names), "moves": self.moves}
        return told | {"upright_too": self.upright_too}


def is_file(augment: str) -> bool:
    """Return whether --augment names a file, not symmetries."""
    return augment.lower().endswith(SUFFIXES)


def read_pipeline(path: Path) -> str:
    """Return the pipeline a JSON or YAML file holds as the text a recipe holds: `checked`.

    Raises BadConfig when there is no such file, UnsafeInput for one that is no JSON or YAML or too
    large, else as `checked`.
    """
    if not path.is_file():
        raise BadConfig(f"{path} is not there.", hint="Write it with albumentations' `A.save`.")
    if path.stat().st_size > MAX_BYTES:
        raise _unsafe(path, f"is larger than {MAX_BYTES} bytes")
    try:
        value = read_json(path) if path.suffix.lower() == ".json" else _read_yaml(path)
    except RecursionError as error:
        raise _unsafe(path, "is nested too deep") from error
    return checked(value, str(path))


def checked(value: Any, name: str = "The pipeline") -> str:
    """Return {transform, upright_too} as JSON, the same text for the same pipeline however written.

    Raises UnsafeInput for what no A.save writes or no machine can do, UnknownName for a transform
    that cannot be used.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("transform"), Mapping):
        raise _unsafe(name, "has no `transform`, which a pipeline of A.save begins with")
    strange = value.keys() - {"__version__", "transform", "upright_too"}
    upright_too = value.get("upright_too", False)
    if strange or not isinstance(upright_too, bool):
        raise _unsafe(name, f"sets {', '.join(sorted(map(str, strange))) or 'upright_too'} oddly")
    _check_values(value["transform"], name)
    nodes = list(_nodes(value["transform"], name))
    if len(nodes) > MAX_TRANSFORMS:
        raise _unsafe(name, f"has {len(nodes)} transforms; {MAX_TRANSFORMS} may be")
    for node in nodes:
        _check_node(node, name)
    plain = {"transform": value["transform"], "upright_too": upright_too}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def symmetry(recipe: Mapping[str, Any], view: int) -> int | None:
    """Return which of ELEMENTS a view of a recipe is, as far as squares and walls go.

    None where a person's own pipeline may have moved them.
    """
    if not recipe.get("pipeline"):
        return view
    return None if view and Pipeline.of(recipe["pipeline"]).moves else 0


@lru_cache(maxsize=4)
def _parsed(text: str) -> Pipeline:
    value = json.loads(checked(json.loads(text)))
    names = [node[CLASS] for node in _nodes(value["transform"], "The pipeline")]
    names = tuple(name for name in names if name not in GROUPS)
    return Pipeline(value["transform"], names, value["upright_too"])


def _read_yaml(path: Path) -> Any:
    import yaml  # albumentations brings it

    try:
        text, depth = path.read_text(encoding="utf-8"), 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _unsafe(path, "is nested too deep")
            if isinstance(event, yaml.AliasEvent):
                raise _unsafe(path, "uses `*` for what it said before; write that out")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UnsafeInput(f"{path} is not readable as YAML: {why}.") from error


def _check_values(value: Any, name: str) -> None:
    """Raise unless all is plain, finite, of a sane size and not nested too deep."""
    waiting: list[tuple[str, Any, int]] = [("", value, 1)]
    while waiting:
        key, value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _unsafe(name, "is nested too deep")
        if isinstance(value, Mapping):
            for inner, of in value.items():
                if not isinstance(inner, str):
                    raise _unsafe(name, f"has the key {inner!r}, which is no text")
                waiting.append((key if inner in ("x", "y") else inner, of, depth + 1))
        elif isinstance(value, list):
            waiting += [(key, of, depth + 1) for of in value]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            most = MAX_OF.get("scale" if key.startswith("scale") else key, MAX_NUMBER)
            if not abs(value) <= most:  # so is NaN
                raise _unsafe(name, f"sets {key} to {str(value)[:12]}; {most:g} may be")
        elif not (value is None or isinstance(value, (bool, str))):
            raise _unsafe(name, f"sets {key} to a {type(value).__name__}")


def _nodes(node: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield a transform and all within it."""
    if not isinstance(node, Mapping) or not isinstance(node.get(CLASS), str):
        raise _unsafe(name, f"has a transform without {CLASS}")
    yield node
    inner = node.get("transforms", [])
    if not isinstance(inner, list):
        raise _unsafe(name, f"has no list of transforms in {node[CLASS]}")
    for each in inner:
        yield from _nodes(each, name)


def _check_node(node: Mapping[str, Any], name: str) -> None:
    own = node[CLASS]
    if own not in KNOWN:
        near = ", ".join(get_close_matches(own, KNOWN, 3)) or "those that need only the picture"
        raise UnknownName(f"{name} asks for {own[:60]!r}.", hint=f"What can be used: {near}.")
    if ("transforms" in node) != (own in GROUPS):
        raise _unsafe(name, f"has {own} with no transforms, or with some it cannot have")
    if isinstance(n := node.get("n", 0), int) and n > len(node.get("transforms", ())):
        raise _unsafe(name, f"draws {n} of fewer transforms in {own}")


def _unsafe(name: str | Path, what: str) -> UnsafeInput:
    return UnsafeInput(f"{name} {what}.", hint="Write it with albumentations' `A.save`.")
