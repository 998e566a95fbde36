"""How near healthy runs come to what the watch goes back for.

    python bench/watch.py DATASET --home HOME --steps 600 --seeds 2 --out watch.json

For each architecture and recipe: the largest loss, how often a gradient passed its running median
and by how much, the longest streak beyond a limit, and how far the generated pictures are apart
(share of the real ones') step by step. The data set must be packed at --size.
"""

import argparse
import json
from pathlib import Path
from statistics import median

import torch

from mapmaker.shards.reader import open_shards, to_picture
from mapmaker.train.data import Pictures
from mapmaker.train.device import choose_precision, set_up
from mapmaker.train.frames import draw, recalibrate, recalibration_latents
from mapmaker.train.recipes import find_recipe
from mapmaker.train.state import new_state
from mapmaker.train.step import Pace, train_step
from mapmaker.train.watch import EXPLODES, LEAST, MEMORY, spread
from mapmaker.workspace import Workspace

CPU = torch.device("cpu")
NETS = (("dcgan", "notes"), ("dcgan", "recommended"), ("fewshot", "recommended"))


def watch(args: argparse.Namespace, arch: str, name: str, seed: int) -> dict:
    """Train and return the figures."""
    recipe = find_recipe(name, arch)
    shards = open_shards(Workspace(args.home).dataset(args.dataset).shards(args.size))
    pictures = Pictures(shards, device=CPU, seed=seed, resident=True, symmetries=recipe.symmetries)
    state = new_state(arch, args.size, recipe, CPU, seed)
    pace = Pace(args.batch, 1, choose_precision("auto", CPU))
    real = spread([to_picture(image) for image in pictures.first(32)])
    past: dict[str, list[float]] = {"grad_d": [], "grad_g": []}
    worst, ratios, streak, longest, apart = 0.0, [], 0, 0, {}
    for step in range(1, args.steps + 1):
        figures = train_step(state, pictures, recipe, pace, seed=seed, progress=step / args.steps)
        values = {k: float(v) for k, v in figures.items()}
        worst = max(worst, abs(values["loss_d"]), abs(values["loss_g"]))
        far = 0.0
        for key, row in past.items():
            if len(row) == MEMORY:
                far = max(far, values[key] / max(median(row), LEAST))
            row.append(values[key])
            del row[:-MEMORY]
        ratios.append(far)
        streak = streak + 1 if far > EXPLODES else 0
        longest = max(longest, streak)
        if step in (1, 10, 25, 50, 100, 200, 300) or step % 500 == 0:
            latents = recalibration_latents(state.nets.latent_shape, 32, CPU)
            if state.ema is not None:
                recalibrate(state.ema, latents, pace.precision, pace.micro_batch)
            shown = draw(state.generator, latents, pace.precision, pace.micro_batch)
            apart[step] = round(spread(shown) / real, 3)
    return {
        "arch": arch,
        "recipe": name,
        "seed": seed,
        "largest_loss": round(worst, 2),
        "largest_gradient_over_median": round(max(ratios), 1),
        "steps_over_a_tenth_of_the_limit": sum(r > EXPLODES / 10 for r in ratios),
        "longest_streak": longest,
        "spread": apart,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("--home", type=Path, default=Path())
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("watch.json"))
    args = parser.parse_args()
    set_up(CPU)
    rows = []
    for seed in range(args.seeds):
        for arch, name in NETS:
            rows.append(watch(args, arch, name, seed))
            print(json.dumps(rows[-1]), flush=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
