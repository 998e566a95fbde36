"""Train and publish the checkpoint that ships with mapmaker: `checkpoints/starter/`.

    python bench/starter.py --home /tmp/starter --minutes 55 --publish checkpoints/starter

Draws `--maps` floor plans by rule (our own, so the weights owe nobody anything), imports, prunes
and packs them as any person's pictures, trains `--arch` (fewshot learns each kind of map apart),
measures the net against the plans held out, and writes the card with the figures, the fp16
generator and samples. Run again, it goes on from what is there; --minutes 0 trains nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from mapmaker import layout
from mapmaker.cli.draw import draw
from mapmaker.evaluate import EvaluateConfig, evaluate
from mapmaker.files import write_atomic
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.prune import prune
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.train import TrainConfig, train
from mapmaker.train.load import publish
from mapmaker.workspace import Dataset, Workspace

FIGURES = ("swd_mean", "rkid", "precision", "recall", "coverage", "ms_ssim", "memorised_share")


def draw_maps(folder: Path, kinds: list[str], count: int, cell_px: int) -> None:
    """Write `count` gridless floor plans, the kinds in turn, each with its layout beside it."""
    for seed in range(count):
        draw_plan(folder, kinds[seed % len(kinds)], seed, cell_px)


def draw_plan(folder: Path, kind: str, seed: int, cell_px: int) -> None:
    """Write a gridless floor plan and its layout, unless it is there."""
    path = folder / f"{kind}-{seed:05d}.png"
    if not path.exists():
        plan = layout.plan(kind, seed)
        beside = path.with_suffix(".tmp")
        layout.render(plan, cell_px, grid=False).save(beside, "PNG", compress_level=1)
        write_atomic(
            path.with_name(f"{path.name}.layout.json"),
            json.dumps(plan.to_json() | {"cell_px": cell_px}),
        )
        beside.replace(path)


def prepare(workspace: Workspace, args: argparse.Namespace) -> Dataset:
    """Return the data set of the plans, packed at args.size; what is there is not done again."""
    folder = args.home / "plans"
    folder.mkdir(parents=True, exist_ok=True)
    draw_maps(folder, args.kinds.split(","), args.maps, args.cell_px)
    dataset = workspace.dataset(f"plans-{args.size}")
    if not (dataset.shards(args.size) / "card.json").exists():
        print(draw(import_pictures(workspace, [folder], ImportConfig(name=dataset.name))).summary)
        print(draw(prune(dataset, PruneConfig(auto=True, min_side_px=args.size))).summary)
        print(draw(pack(dataset, PackConfig(size=args.size, views=1))).summary)
    return dataset


def card_of(args: argparse.Namespace, measured: dict[str, Any]) -> dict[str, Any]:
    """Return what only the maker of a checkpoint can say; `publish` adds the net's own facts."""
    rounded = {name: round(float(measured[name]), 4) for name in FIGURES if name in measured}
    kinds = args.kinds.split(",")
    return {
        "about": f"{', '.join(kinds[:-1])} and {kinds[-1]}, learnt from plans drawn by rule.",
        "license": "MIT",
        "data": f"{args.maps} floor plans of mapmaker.layout ({args.kinds}), seeds from 0, no grid",
        "sample_size": 750,
        "honest": f"Paints {args.size} px and is enlarged to 750 px, so it is soft. Small on "
        "purpose, trained on a CPU.",
        "made_by": f"bench/starter.py --arch {args.arch} --maps {args.maps} --size {args.size}, "
        "recipe bench/starter.toml",
        "measured": rounded,  # against plans held out: see docs/metrics.md
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--maps", type=int, default=1500)
    parser.add_argument("--kinds", default="cave,wilderness,dungeon")
    parser.add_argument("--cell-px", type=int, default=26)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--arch", default="fewshot")
    parser.add_argument("--batch", default="8")
    parser.add_argument("--minutes", type=float, default=55)
    parser.add_argument("--recipe", default=str(Path(__file__).with_name("starter.toml")))
    parser.add_argument("--publish", type=Path, default=None, help="Where the shelf folder goes.")
    args = parser.parse_args()
    workspace = Workspace(args.home)
    dataset = prepare(workspace, args)
    name = f"starter-{args.arch}-{args.size}"
    if args.minutes:
        config = TrainConfig(
            arch=args.arch, size=args.size, minutes=args.minutes, recipe=args.recipe, name=name,
            kinds=args.arch == "fewshot", batch=args.batch, resume=workspace.run(name).exists(),
        )  # fmt: skip
        print(draw(train(workspace, dataset, config)).summary)
    if args.publish:
        run = workspace.run(name)
        done = draw(evaluate(workspace, run, EvaluateConfig()))
        print(done.summary)
        publish(run, args.publish, card_of(args, done.data["metrics"]))


if __name__ == "__main__":
    main()
