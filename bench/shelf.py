"""What the checkpoint that ships is worth, beside plans it learnt from and plans it never saw.

    python bench/shelf.py --home /tmp/shelf

Draws the plans its card names (caves of seeds 0, 3, ... 897, wildernesses of 2, 5, ... 899) and
`--unseen` of each kind from seed 3000 on, packs all of them as a person's pictures are packed, and
measures 256 pictures of the checkpoint as `mapmaker evaluate` does. Prints JSON; `floor` is what
the plans it learnt from read by the unseen ones.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from starter import draw_plan

from mapmaker.cli.draw import draw
from mapmaker.evaluate import measure
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.prune import prune
from mapmaker.sample.config import SampleConfig
from mapmaker.sample.painters import torch_painter
from mapmaker.sample.sample import paint
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import open_shards
from mapmaker.shelf import shelf
from mapmaker.workspace import Dataset, Workspace

LEARNT = {"cave": range(0, 900, 3), "wilderness": range(2, 900, 3)}
FIRST_UNSEEN = 3000
SHOWN = (
    "swd_mean rkid precision recall density coverage ms_ssim lattice_4 "
    "memorised_share nearest_ratio"
).split()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--unseen", type=int, default=100, help="plans of each kind")
    parser.add_argument("--n", type=int, default=256, help="pictures of the checkpoint")
    args = parser.parse_args()
    checkpoint = shelf("checkpoints") / "starter"
    painter = torch_painter(checkpoint, SampleConfig())
    size = int(painter.facts["size"])
    sets = {}
    for name in ("learnt", "unseen"):
        dataset = packed(Workspace(args.home), name, args.unseen, size)
        shards = open_shards(dataset.shards(size))
        sets[name] = shards.load(np.arange(len(shards)))
    ours = np.stack([np.asarray(paint(painter, seed, 1.0)) for seed in range(args.n)])
    found = measure(ours, sets["learnt"], sets["unseen"])
    rows = {n: round(found[n], 4) for n in SHOWN}
    floor = {n: round(found[f"{n}_floor"], 4) for n in SHOWN if f"{n}_floor" in found}
    counts = {name: len(pictures) for name, pictures in sets.items()}
    print(json.dumps({"pictures": args.n, **counts, "measured": rows, "floor": floor}, indent=1))


def packed(workspace: Workspace, name: str, unseen: int, size: int) -> Dataset:
    """Return the data set of plans, drawn, imported and packed where that is not done."""
    dataset = workspace.dataset(name)
    if (dataset.shards(size) / "card.json").exists():
        return dataset
    folder = workspace.home / "drawn" / name
    folder.mkdir(parents=True, exist_ok=True)
    for kind, seeds in LEARNT.items():
        for seed in seeds if name == "learnt" else range(FIRST_UNSEEN, FIRST_UNSEEN + unseen):
            draw_plan(folder, kind, seed, cell_px=26)
    draw(import_pictures(workspace, [folder], ImportConfig(name=name)))
    draw(prune(dataset, PruneConfig(min_side_px=size)))
    draw(pack(dataset, PackConfig(size=size, views=1, held_out=0)))
    return dataset


if __name__ == "__main__":
    main()
