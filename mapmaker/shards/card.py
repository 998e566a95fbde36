"""card.json: what a folder of shards is, and which of its files belong to it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mapmaker import __version__
from mapmaker.errors import UnsafeInput
from mapmaker.files import read_json, sha256_of, speaking_of
from mapmaker.shards.config import PackConfig, digest
from mapmaker.shards.deal import left_as_is
from mapmaker.shards.pipeline import Pipeline, symmetry
from mapmaker.shards.walls import turned_light
from mapmaker.shards.writer import Sample

CARD = "card.json"
TOOL = f"mapmaker {__version__}"


def present_card(folder: Path) -> dict[str, Any]:
    """Return the card in `folder`, or {} where there is none that can be used."""
    try:
        card = read_json(folder / CARD)
        files = [Path(line["file"]) for line in card["shards"]]
        return card if all(f.name == str(f) and f.stem.isdigit() for f in files) else {}
    except (FileNotFoundError, UnsafeInput, LookupError, TypeError):
        return {}  # it is written again


def is_whole(folder: Path, line: Mapping[str, Any]) -> bool:
    """Return whether a listed shard file is there and is the bytes it was."""
    path = folder / line["file"]
    if not path.is_file() or path.stat().st_size != line["bytes"]:
        return False
    return sha256_of(path) == line["sha256"]


def describe(
    name: str,
    config: PackConfig,
    samples: Sequence[Sample],
    held: set[str],
    lines: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the card of finished shards, all but where the pictures came from."""
    recipe = config.recipe()
    pictures = {s.picture.id: s.picture for s in samples}.values()
    groups = {p.group for p in pictures}
    counts: Counter[str] = Counter()
    for line in lines:
        counts[line["split"]] += line["count"]
    return {
        "schema": recipe["schema"],
        "tool": TOOL,
        "dataset": name,
        "size": config.size,
        "squares": config.squares,
        "layout": config.layout,
        "seed": config.seed,
        "light": lights(samples, recipe),
        "recipe": recipe,
        "recipe_sha256": digest(recipe),
        "count": len(samples),
        "pictures": len(pictures),
        "without_grid": sum(p.grid is None for p in pictures),
        "enlarged_over_2x": sum(config.size / s.crop.side > 2 for s in samples),
        "groups": len(groups),
        "splits": {
            "train": {"count": counts["train"], "groups": len(groups - held)},
            "held-out": {"count": counts["held-out"], "groups": len(groups & held)},
        },
        "shards": list(lines),
    } | ({"pipeline": of_pipeline(samples, config)} if config.pipeline else {})


def of_pipeline(samples: Sequence[Sample], config: PackConfig) -> dict[str, Any]:
    """Return what a person's own pipeline is and did: how many samples it made, and how many
    pictures it was not given because of their writing or their shadows."""
    pictures = {s.picture.id: s.picture for s in samples}.values()
    return Pipeline.of(config.pipeline).card() | {
        "sha256": digest(config.pipeline),
        "samples": sum(s.view > 0 for s in samples),
        "left_as_they_are": sum(left_as_is(picture, config) for picture in pictures),
    }


def lights(samples: Sequence[Sample], recipe: Mapping[str, Any]) -> dict[str, int]:
    """Return how many samples have their shadows fall in each direction, to 45 degrees."""
    turned = [turned_light(s.picture.light, symmetry(recipe, s.view)) for s in samples]
    counts = Counter("unknown" if d < 0 else str(round(d / 45) % 8 * 45) for d in turned)
    return dict(sorted(counts.items()))


def summary(samples: Sequence[Sample], held: set[str], config: PackConfig, empty: int) -> str:
    """Return one line on what will be packed and what is odd about it."""
    pictures = {s.picture.id: s.picture for s in samples}.values()
    crops = {(s.picture.id, s.crop.index): s.crop for s in samples}.values()
    odd = {
        "pictures have no known grid": sum(p.grid is None for p in pictures),
        f"crops have fewer than {config.squares} squares a side": sum(
            0 < c.squares < config.squares for c in crops
        ),
        "crops are enlarged more than twice": sum(config.size / c.side > 2 for c in crops),
        "crops are left out, nearly empty": empty,
        "maps are held out": len(held),
    }
    parts = [f"{len(pictures)} pictures, {len(crops)} crops, {len(samples)} samples"]
    return "; ".join(parts + [f"{n} {what}" for what, n in odd.items() if n]) + "."


def tidy(folder: Path, keep: Iterable[str]) -> None:
    """Remove shard files that are not in `keep` and what killed runs left behind."""
    keep = set(keep)
    with speaking_of(folder):
        for path in [*folder.glob("*.h5"), *folder.glob(".*.tmp")]:
            if path.name not in keep:
                path.unlink(missing_ok=True)
