"""The six questions of the author's notes, each asked of the same net, data and minutes.

    python bench/ablate.py --maps FOLDER --home HOME --minutes 1.2 --seeds 3 --cores 0 1

FOLDER holds maps and a PROVENANCE.csv (file, sha256, kind). Every variant differs from `base` in
one thing alone. base is the author's frame (latent 3x20x20, linear, two transposed convolutions of
stride 4, one convolution that shrinks, batch norm, tanh) at rates and with averaging that do not
diverge: the recipe `recommended` with the nets of `notes`. Trials already done are not run again.
Writes HOME/ablation/: answers.json, a table (Markdown), a sheet of pictures a question and one of
all.
"""

import argparse
import csv
import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trial_data import Trial
from trials import judge, run_all

SIDE_PX = 64
COLUMNS = 14  # pictures of a variant on a sheet
NETS = {  # of the author's notes, but for a discriminator that keeps up (norms as recommended)
    "upsample": "deconv",
    "kernel": 4,
    "reduce": "conv43",
    "channels": 64,
    "channels2": 32,
    "latent": "linear",
}
QUESTIONS: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]] = {
    "stride": (
        "Is a large stride the best way to upsample?",
        {
            "deconv k8": {"options": {"kernel": 8}},
            "resize x2": {"options": {"upsample": "resize"}},
            "bilinear x2": {"options": {"upsample": "bilinear"}},
        },
    ),
    "scale": ("Does scaling to [-1, 1] help?", {"[0, 1]": {"options": {"scale": "unit"}}}),
    "noise": (
        "Does 15 % noise on what the discriminator sees help?",
        {"noise": {"noise": 0.15}, "noise to 0": {"noise": 0.15, "noise_until": 0.5}},
    ),
    "last": (
        "Does a last layer that shrinks help, or one more for smoothing?",
        {
            "no shrinking": {"options": {"reduce": "none"}},
            "area": {"options": {"reduce": "area"}},
            "smooth 3": {"options": {"smooth": 3}},
            "smooth 5": {"options": {"smooth": 5}},
        },
    ),
}
SHOWN = ("swd_mean", "rkid", "coverage", "precision", "ms_ssim", "lattice_4", "memorised_share")


def trials(minutes: float, seeds: int) -> dict[str, list[tuple[str, list[Trial]]]]:
    """Return for each question its variants, the base first, each with its seeds."""

    def of(name: str, changes: Mapping[str, Any] = {}, **more: Any) -> list[Trial]:
        options = NETS | dict(changes.get("options", {}))
        own = {"d_side": 4} | dict(changes) | {"options": options}
        rest = {"size": SIDE_PX, "minutes": minutes} | more
        slug = name.replace(" ", "-").replace("[", "").replace("]", "").replace(",", "")
        return [
            Trial(name=slug, arch="dcgan", changes=own, seed=seed, **rest) for seed in range(seeds)
        ]

    base = ("base", of("base"))
    asked = {
        key: [base, *((name, of(name, changes)) for name, changes in variants.items())]
        for key, (_, variants) in QUESTIONS.items()
    }
    asked["diversity"] = [
        ("90 of all kinds", of("mixed", pictures=90, rest=40)),
        ("90 dungeons", of("dungeons", pictures=90, rest=40, kinds=("dungeon",))),
        base,
    ]
    asked["size"] = [
        base,
        ("128 px", of("size", size=128, judge=SIDE_PX)),
        ("256 px", of("size", size=256, judge=SIDE_PX)),
    ]
    return asked


TEXTS = {key: text for key, (text, _) in QUESTIONS.items()} | {
    "diversity": "Is the diverse little data set a help or a harm?",
    "size": "Is 750 px simply too large? (equal minutes at three sizes, all measured at 64 px)",
}


def prepare(maps: Path, home: Path, sides: tuple[int, ...]) -> None:
    """Import, prune and pack the maps once, and write down the kind of each by its hash."""
    from mapmaker.cli.draw import draw
    from mapmaker.prune.config import PruneConfig
    from mapmaker.prune.prune import prune
    from mapmaker.scrape.config import ImportConfig
    from mapmaker.scrape.own import import_pictures
    from mapmaker.shards.config import PackConfig
    from mapmaker.shards.pack import pack
    from mapmaker.workspace import Workspace

    workspace = Workspace(home)
    dataset = workspace.dataset("maps")
    if not (home / "kinds.json").exists():
        print(draw(import_pictures(workspace, [maps], ImportConfig(name="maps"))).summary)
        print(draw(prune(dataset, PruneConfig(auto=True, min_side_px=128))).summary)
        with (maps / "PROVENANCE.csv").open(encoding="utf-8", newline="") as file:
            kinds = {row["sha256"]: row["kind"] for row in csv.DictReader(file)}
        (home / "kinds.json").write_text(json.dumps(kinds), encoding="utf-8")
    for side in sides:
        if not (dataset.shards(side) / "card.json").exists():
            print(draw(pack(dataset, PackConfig(size=side))).summary)


def summary(results: list[tuple[Mapping[str, Any], Mapping[str, float]]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds of every figure, and what went wrong."""
    rows = [figures for _, figures in results if figures]
    means: dict[str, Any] = {"seeds": len(results), "bad": [r["bad"] for r, _ in results]}
    means["kimg"] = statistics.mean(r["kimg"] for r, _ in results)
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        means[name] = [statistics.mean(values), spread]
    return means


def table(answers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return a Markdown table a question: mean and standard deviation over the seeds."""
    lines = []
    for key, variants in answers.items():
        lines += [f"**{TEXTS[key]}**", "", "| variant | kimg | " + " | ".join(SHOWN) + " |"]
        lines.append("|---" * (len(SHOWN) + 2) + "|")
        for name, row in variants.items():
            cells = [
                "{:.3g} ± {:.2g}".format(*row[figure]) if figure in row else "-" for figure in SHOWN
            ]
            lines.append(f"| {name} | {row['kimg']:.1f} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def draw_sheet(path: Path, variants: Iterable[tuple[str, list[Trial]]], cell_px: int) -> None:
    """Write fourteen pictures of each variant, a row each, from the first seed that has samples."""
    import numpy as np

    from mapmaker.sheet import sheet

    pictures, labels = [], []
    for name, own in variants:
        found = [path.parent / t.folder / "samples.npz" for t in own]
        found = [samples for samples in found if samples.exists()]
        if not found:
            continue
        with np.load(found[0]) as file:
            pictures += list(file["samples"][:COLUMNS])
        labels += [name] + [""] * (COLUMNS - 1)
    if pictures:
        page = sheet(pictures, columns=COLUMNS, cell_px=cell_px, labels=labels)
        page.save(path, quality=85)


def main() -> None:
    """Run what is missing, measure, and write the answers."""
    parser = argparse.ArgumentParser(description="Measure the six open questions.")
    parser.add_argument("--maps", type=Path, required=True, help="maps with PROVENANCE.csv")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.2, help="of one core, each trial")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cores", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=list(TEXTS), default=list(TEXTS))
    args = parser.parse_args()
    asked = {k: v for k, v in trials(args.minutes, args.seeds).items() if k in args.only}
    every = {t.folder: t for variants in asked.values() for _, own in variants for t in own}
    prepare(args.maps, args.home, tuple(sorted({t.size for t in every.values()})))
    out = args.home / "ablation"
    done = dict_of(run_all(every.values(), out, args.home, "maps", args.cores))
    answers = {}
    for key, variants in asked.items():
        answers[key] = {
            name: summary(
                [
                    (done[t.folder], judge(t, args.home, "maps", out / t.folder))
                    for t in own
                    if t.folder in done
                ]
            )
            for name, own in variants
        }
        draw_sheet(out / f"{key}.webp", variants, 128)
    each = {name: own for variants in asked.values() for name, own in variants}
    draw_sheet(out / "all.webp", each.items(), 88)
    (out / "answers.json").write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    (out / "table.md").write_text(table(answers) + "\n", encoding="utf-8")
    print(table(answers))


def dict_of(results: Any) -> dict[str, Any]:
    """Return run_all's results by the trial's folder."""
    return {trial.folder: result for trial, result in results}


if __name__ == "__main__":
    main()
