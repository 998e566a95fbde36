"""Train and publish the checkpoint that ships with mapmaker: `checkpoints/starter/`.

    python bench/starter.py --home /tmp/starter --maps 600 --size 128 --minutes 47

Draws `--maps` floor plans by rule (our own, so the weights owe nobody anything), imports, prunes
and packs them as any person's pictures, trains `pyramid`, and writes the card, the fp16 generator
and samples. Run again, it goes on from what is there.
"""

import argparse
import json
from pathlib import Path

from mapmaker import layout
from mapmaker.cli.draw import draw
from mapmaker.files import write_atomic
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.prune import prune
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.train import TrainConfig, train
from mapmaker.train.load import publish
from mapmaker.workspace import Workspace


def draw_maps(folder: Path, kinds: list[str], count: int, cell_px: int) -> None:
    """Write `count` gridless floor plans, the kinds in turn, each with its layout beside it."""
    for seed in range(count):
        path = folder / f"{kinds[seed % len(kinds)]}-{seed:05d}.png"
        if not path.exists():
            plan = layout.plan(kinds[seed % len(kinds)], seed)
            beside = path.with_suffix(".tmp")
            layout.render(plan, cell_px, grid=False).save(beside, "PNG", compress_level=1)
            write_atomic(
                path.with_name(f"{path.name}.layout.json"),
                json.dumps(plan.to_json() | {"cell_px": cell_px}),
            )
            beside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--maps", type=int, default=600)
    parser.add_argument("--kinds", default="cave,wilderness")
    parser.add_argument("--cell-px", type=int, default=26)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--minutes", type=float, default=47)
    parser.add_argument("--recipe", default=str(Path(__file__).with_name("starter.toml")))
    parser.add_argument("--publish", type=Path, default=None, help="Where the shelf folder goes.")
    args = parser.parse_args()
    workspace = Workspace(args.home)
    folder = args.home / "plans"
    folder.mkdir(parents=True, exist_ok=True)
    draw_maps(folder, args.kinds.split(","), args.maps, args.cell_px)
    name = f"plans-{args.size}"
    print(draw(import_pictures(workspace, [folder], ImportConfig(name=name))).summary)
    dataset = workspace.dataset(name)
    print(draw(prune(dataset, PruneConfig(auto=True, min_side_px=args.size))).summary)
    print(draw(pack(dataset, PackConfig(size=args.size, views=1))).summary)
    config = TrainConfig(
        arch="pyramid", size=args.size, minutes=args.minutes, recipe=args.recipe,
        name=f"starter-{args.size}", resume=workspace.run(f"starter-{args.size}").exists(),
    )  # fmt: skip
    done = draw(train(workspace, dataset, config))
    print(done.summary)
    if args.publish:
        card = {
            "about": "Caves and wilderness, learnt from plans drawn by rule.",
            "license": "MIT",
            "data": f"{args.maps} floor plans of mapmaker.layout ({args.kinds}), seeds from 0",
            "sample_size": 750,
            "honest": f"Paints {args.size} px and is enlarged to 750 px, so it is soft. Small on "
            "purpose, trained on one CPU core.",
            "made_by": f"python bench/starter.py --maps {args.maps} --size {args.size} "
            f"--minutes {args.minutes:g}",
        }
        publish(workspace.run(done.data["run"]), args.publish, card)


if __name__ == "__main__":
    main()
