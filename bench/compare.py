"""Architectures beside each other: equal minutes of one core, the same pictures, the same split.

    python bench/compare.py --maps FOLDER --home HOME --size 128 --minutes 10 --seeds 1
    python bench/compare.py --maps FOLDER --home HOME --size 64 --minutes 1.5 --seeds 8 --steady

The first gives the table of quality and a sheet of samples, a row a net; the second asks how many
seeds reach their budget without diverging: a figure or weight that is no number, or pictures that
have become one (their mean distance below a quarter of the real ones').
Writes HOME/comparison/: rows.json, table.md, steady.md and samples-SIZE.webp.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate import prepare
from trial_data import Trial
from trials import judge, run_all

OURS = {  # name -> (architecture, recipe)
    "dcgan/notes": ("dcgan", "notes"),
    "dcgan/recommended": ("dcgan", "recommended"),
    "fewshot": ("fewshot", "recommended"),
}
PEERS = ("lightweight-gan", "fastgan", "fastgan-32")
COLUMNS = (
    ("img/s", "img_per_s", "{:.1f}"),
    ("peak GiB", "peak_gib", "{:.2f}"),
    ("kimg", "kimg", "{:.1f}"),
    ("SWD", "swd_mean", "{:.1f}"),
    ("rKID x1e3", "rkid", "{:.0f}"),
    ("precision", "precision", "{:.2f}"),
    ("recall", "recall", "{:.2f}"),
    ("coverage", "coverage", "{:.2f}"),
    ("memorised", "memorised_share", "{:.2f}"),
    ("nearest ratio", "nearest_ratio", "{:.2f}"),
)


def trials(args: argparse.Namespace) -> dict[str, list[Trial]]:
    """Return the trials of each net that is asked for, a seed each."""
    both = {"size": args.size, "minutes": args.minutes}
    asked: dict[str, list[Trial]] = {}
    for name in args.nets:
        arch, recipe = OURS.get(name, (f"peer-{name}", "recommended"))
        asked[name] = [
            Trial(name=name.replace("/", "-"), arch=arch, recipe=recipe, seed=seed, **both)
            for seed in range(args.seeds)
        ]
    return asked


def table(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return the Markdown table: the mean over a net's seeds, with the deviation where several."""
    lines = ["| net | " + " | ".join(title for title, _, _ in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 1) + "|")
    for name, own in rows.items():
        cells = []
        for _, key, form in COLUMNS:
            values = [row[key] for row in own if key in row]
            cell = form.format(statistics.mean(values)) if values else "-"
            if len(values) > 1:
                cell += " ± " + form.format(statistics.stdev(values))
            cells.append(cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def steady(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a Markdown table: how many seeds of each net reached their budget, and what befell."""
    lines = ["| net | seeds that reached their budget | what befell the others |", "|---|---|---|"]
    for name, own in results.items():
        bad = [f"seed {r['trial']['seed']}: {r['bad']}" for r in own if r["bad"]]
        lines.append(f"| {name} | {len(own) - len(bad)} of {len(own)} | {'; '.join(bad) or '-'} |")
    return "\n".join(lines)


def draw_sheet(path: Path, asked: Mapping[str, Sequence[Trial]], out: Path, reals: Any) -> None:
    """Write ten pictures of each net, a row each, real ones first."""
    import numpy as np

    from mapmaker.sheet import sheet

    every = np.linspace(0, len(reals) - 1, 10).astype(int)
    pictures, labels = list(reals[every]), ["real maps"] + [""] * 9
    for name, own in asked.items():
        found = out / own[0].folder / "samples.npz"
        if found.exists():
            with np.load(found) as file:
                pictures += list(file["samples"][:10])
            labels += [name] + [""] * 9
    sheet(pictures, columns=10, cell_px=128, labels=labels).save(path, quality=88)


def main() -> None:
    """Run what is missing, measure, and write the tables."""
    from trial_data import read_data

    parser = argparse.ArgumentParser(description="Compare architectures at equal minutes.")
    parser.add_argument("--maps", type=Path, required=True, help="maps with PROVENANCE.csv")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--minutes", type=float, default=10.0, help="of one core, each trial")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cores", type=int, nargs="+", default=[0])
    parser.add_argument("--nets", nargs="+", default=[*OURS, *PEERS])
    parser.add_argument("--steady", action="store_true", help="count seeds that diverge")
    args = parser.parse_args()
    prepare(args.maps, args.home, (args.size,))
    asked, out = trials(args), args.home / "comparison"
    every = [t for own in asked.values() for t in own]
    done = {t.folder: r for t, r in run_all(every, out, args.home, "maps", args.cores)}
    results = {n: [done[t.folder] for t in own if t.folder in done] for n, own in asked.items()}
    if args.steady:
        (out / "steady.md").write_text(steady(results) + "\n", encoding="utf-8")
        print(steady(results))
        return
    rows = {
        name: [
            done[t.folder]
            | {"peak_gib": done[t.folder]["peak_bytes"] / 2**30}
            | judge(t, args.home, "maps", out / t.folder)
            for t in own
            if t.folder in done
        ]
        for name, own in asked.items()
    }
    (out / "rows.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (out / "table.md").write_text(table(rows) + "\n", encoding="utf-8")
    reals = read_data(args.home, "maps", every[0]).train
    draw_sheet(out / f"samples-{args.size}.webp", asked, out, reals)
    print(table(rows))


if __name__ == "__main__":
    main()
