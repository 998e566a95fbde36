"""How good prune's suggestions are, on planted faults and on real maps labelled by eye.

    python bench/prune.py --maps FOLDER [--peers PYTHON] [--each 20] [--json FILE]

FOLDER holds maps listed in bench/labels.csv (without it the originals are our own floor plans, and
the third table is left out). PYTHON is an environment with `pip install cleanvision imagededup`.

Table 1: copies and variants beside their originals: is the pair found, is its kind right, is it
dropped or kept as we want (`planted.VARIANTS`). Table 2: faults alone, and clean maps (false
flags). Table 3: precision and recall of every rule on the real maps, crops among them.
"""

import argparse
import csv
import json
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from planted import FAULTS, VARIANTS

from mapmaker.events import Done, Event, Step
from mapmaker.files import sha256_of
from mapmaker.layout import KINDS, plan, render
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.features import measure
from mapmaker.prune.kept import features_of
from mapmaker.prune.prune import prune
from mapmaker.prune.quality import findings
from mapmaker.prune.thresholds import limits
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.workspace import Workspace

LABELS = Path(__file__).with_name("labels.csv")
PEERS = Path(__file__).with_name("prune_peers.py")
SIDE_PX = 750
CLEAN = 40  # originals without a fault
Row = dict[str, Any]


def main() -> None:
    """Plant, run, compare, print."""
    args = _arguments()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        originals = _originals(args.maps)
        result["copies"] = _copies(work, originals[::2][:CLEAN], args.each, args.peers)
        result["faults"] = _faults(work, originals[1::2][:CLEAN], args.each, args.peers)
        if args.maps:
            result["real"] = _real(work, args.maps)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


def _copies(work: Path, originals: list[Row], each: int, peers: str) -> list[Row]:
    """Plant variants beside their originals and say what became of each pair."""
    folder, pairs = work / "copies", []
    folder.mkdir()
    for number, original in enumerate(originals):
        original["picture"].save(folder / f"original--{number:02d}.png", compress_level=1)
    for kind, (plant, relation, drop) in VARIANTS.items():
        for turn in range(each):
            number = (turn * 7 + len(pairs) // each) % len(originals)
            rng = np.random.default_rng([number, turn])
            map_ = originals[number]
            name = _save(plant(map_["picture"], rng, map_["cell_px"]), folder, kind, number)
            pairs.append((kind, name, f"original--{number:02d}.png", relation, drop))
    ours, said = _prune(work, folder), _ask(peers, folder)
    counts: dict[str, Row] = defaultdict(lambda: defaultdict(int))
    odd: list[tuple] = []
    for kind, name, original, relation, drop in pairs:
        row = counts[kind]
        row["pairs"] += 1
        known = ours["relations"].get(frozenset((name, original)))
        row["found"] += known is not None
        row["kind"] += known == relation
        out = [n for n in (name, original) if ours["dropped"].get(n)]
        as_wanted = _as_wanted(out, name, drop, lossless=kind == "turned")
        row["as wanted"] += as_wanted
        if known != relation or not as_wanted:
            odd.append((name, known, *(f"{n}: {ours['reasons'][n]}" for n in out)))
        for tool, found in said.items():
            row[tool] += original in found["copies"].get(name, ())
            row[f"{tool} issues"] += bool(found["issues"].get(name))
    table = [{"variant": kind, **row} for kind, row in counts.items()]
    _print("1. Copies and variants: pairs found, typed and treated as wanted", table, ours, said)
    _list(odd)
    return table


def _faults(work: Path, originals: list[Row], each: int, peers: str) -> list[Row]:
    """Plant faults alone, clean maps among them, and say which rule spoke."""
    folder, planted = work / "faults", []
    folder.mkdir()
    half = len(originals) // 2
    for number, original in enumerate(originals[half:]):
        for kind, picture in {"clean": original["picture"], "clean q30": None}.items():
            name = _save(picture or original["picture"], folder, kind, number)
            planted.append((kind, name, ""))
    for kind, (plant, rule) in FAULTS.items():
        for turn in range(each):
            number = turn % half
            rng = np.random.default_rng([turn, 5])
            name = _save(plant(originals[number]["picture"], rng), folder, kind, turn)
            planted.append((kind, name, rule))
    ours, said = _measure(folder), _ask(peers, folder)
    planted.append(("broken", "broken--00.png", "broken"))
    few = work / "broken"
    few.mkdir()
    for name in ("clean--00.png", "clean--01.png"):
        (few / name).symlink_to(folder / name)
    (few / "broken--00.png").write_bytes((folder / "clean--00.png").read_bytes()[:5000])
    ours["rules"] |= _measure(few)["rules"]
    for tool, found in _ask(peers, few).items():
        said[tool]["broken"] = found.get("error", "goes on past a broken file")
    counts: dict[str, Row] = defaultdict(lambda: defaultdict(int))
    odd: list[tuple] = []
    for kind, name, rule in planted:
        row, rules = counts[kind], ours["rules"].get(name, {})
        row["pictures"] += 1
        row["right rule"] += rule in rules
        row["drop"] += "drop" in rules.values()
        row["look"] += bool(rules) and "drop" not in rules.values()
        if bool(rule) != bool(rules) or (rule and rule not in rules):
            odd.append((name, rules))
        for tool, found in said.items():
            row[tool] += bool(set(found["issues"].get(name, ())) - {"near_duplicates"})
    table = [{"fault": kind, **row} for kind, row in counts.items()]
    _print("2. Faults alone: pictures our rule speaks of (drop or look)", table, ours, said)
    _list(odd)
    return table


def _real(work: Path, maps: Path) -> list[Row]:
    """Compare the suggestions on real maps with what the eye saw; unsure labels do not count."""
    labels = {row["file"]: row for row in csv.DictReader(LABELS.open())}
    folder = work / "real"
    folder.mkdir()
    for name in labels:
        (folder / name).symlink_to((maps / name).resolve())
    ours, table = _prune(work, folder), []
    columns = "watermark surround dark blurry enlarged text_page oblique photo".split()
    for column in columns:
        rule, counts = column.replace("_", "-"), defaultdict(int)
        for name, label in labels.items():
            if label[column] != "?":
                counts[label[column] == "yes", rule in ours["rules"].get(name, {})] += 1
        table.append(
            {"rule": rule, **_rates(counts[True, True], counts[False, True], counts[True, False])}
        )
    crops = {frozenset((n, row["crop_of"])) for n, row in labels.items() if row["crop_of"]}
    said = {pair for pair, kind in ours["relations"].items() if kind == "crop"}
    strange = {p for p in ours["relations"] if len({labels[n]["source_map"] for n in p}) > 1}
    right = crops & set(ours["relations"])
    table.append({"rule": "crop", **_rates(len(right), len(said & strange), len(crops - right))})
    table.append({"rule": "pairs of two maps", "flagged wrongly": len(strange)})
    _print("3. Real maps, labelled by eye", table, ours, {})
    _list((name, "drop", ours["reasons"][name]) for name, out in ours["dropped"].items() if out)
    _list((*sorted(pair), ours["relations"][pair]) for pair in strange)
    for column in columns:
        rule = column.replace("_", "-")
        flagged = {n for n, rules in ours["rules"].items() if rule in rules}
        _list((rule, "wrongly", n) for n in flagged if not labels[n][column])
        _list(
            (rule, "missed", n)
            for n, row in labels.items()
            if row[column] == "yes" and n not in flagged
        )
    _list(("crop", "missed", *sorted(pair)) for pair in crops - right)
    return table


def _rates(right: int, wrong: int, missed: int) -> Row:
    precision = right / (right + wrong) if right + wrong else float("nan")
    recall = right / (right + missed) if right + missed else float("nan")
    counts = {"labelled": right + missed, "flagged right": right, "flagged wrongly": wrong}
    return counts | {"precision": round(precision, 3), "recall": round(recall, 3)}


def _as_wanted(out: list[str], name: str, drop: bool, *, lossless: bool) -> bool:
    """Say whether of a pair the right one goes; of two that are equally good either may.

    The original may have gone for an equally good one of its other copies.
    """
    if drop and lossless:
        return bool(out)
    return (name in out) == drop


def _save(picture: Image.Image, folder: Path, kind: str, number: int) -> str:
    """Write a planted picture under a telling name, as a real JPEG where its kind says so."""
    name = f"{kind.replace(' ', '_').replace(',', '')}--{number:02d}"
    quality = re.search(r"q([0-9]+)$", kind)
    name += ".jpg" if quality else ".png"
    options = {"quality": int(quality[1])} if quality else {"compress_level": 1}
    picture.save(folder / name, **options)
    return name


def _list(odd: Iterable[tuple]) -> None:
    for line in sorted(odd, key=str):
        print("   -", *line)


def _prune(work: Path, folder: Path) -> Row:
    """Import and prune a folder; return what was said, by the files' names."""
    workspace = Workspace(work / "home")
    _run(import_pictures(workspace, [folder], ImportConfig(name=folder.name)))
    dataset = workspace.dataset(folder.name)
    started, measured, done = time.process_time(), 0.0, None
    for event in prune(dataset, PruneConfig(auto=True, min_side_px=300, engine="serial")):
        if isinstance(event, Step) and event.unit == "pictures":
            measured = time.process_time() - started
        done = event
    assert isinstance(done, Done)
    seconds = time.process_time() - started
    names = {sha256_of(path): path.name for path in folder.iterdir()}
    with closing(features_of(dataset)) as store:
        suggestions, relations = (
            store.suggestions(),
            [(a, b, r.get("kind")) for a, b, r in store.relations()],
        )
        features = list(store.all().values())
    return {
        "seconds": seconds,
        "measuring": measured,
        "pictures": done.data["pictures"],
        "relations": {
            frozenset((names[one], names[other])): kind for one, other, kind in relations
        },
        "rules": {
            names[f.id]: {said.rule: said.level for said in findings(f, limits())} for f in features
        },
        "dropped": {names[i]: s["level"] == "drop" for i, s in suggestions.items()},
        "reasons": {names[i]: s["reason"] for i, s in suggestions.items()},
    }


def _measure(folder: Path) -> Row:
    """Return what every rule says of each picture by itself."""
    started, rules = time.process_time(), {}
    for path in sorted(folder.iterdir()):
        features = measure(path, sha256_of(path)).features
        rules[path.name] = {f.rule: f.level for f in findings(features, limits())}
    seconds = time.process_time() - started
    counts = {"pictures": len(rules), "relations": {}}
    return {"rules": rules, "seconds": seconds, "measuring": seconds, **counts}


def _ask(peers: str, folder: Path) -> dict[str, Row]:
    if not peers:
        return {}
    command = [peers, str(PEERS), str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _originals(maps: Path | None) -> list[Row]:
    """Return clean pictures of 750 px on their shorter side, each of another map."""
    if maps is None:
        return list(_drawn(2 * CLEAN))
    found: dict[str, Row] = {}
    for row in csv.DictReader(LABELS.open()):
        flawed = any(row[c] for c in row if c not in ("file", "sha256", "source_map"))
        if flawed or row["source_map"] in found:
            continue
        picture = Image.open(maps / row["file"]).convert("RGB")
        if min(picture.size) >= SIDE_PX:
            scale = SIDE_PX / min(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            found[row["source_map"]] = {"picture": picture.resize(size), "cell_px": 50.0}
    drawn = _drawn(max(0, 2 * CLEAN - len(found)))
    return [*found.values(), *drawn]


def _drawn(count: int) -> Iterator[Row]:
    for number in range(count):
        layout = plan(KINDS.names()[number % 4], number, 15, 15)
        yield {"picture": render(layout, cell_px=50, grid=number % 2 == 0), "cell_px": 50.0}


def _run(events: Iterator[Event]) -> Done:
    *_, done = events
    assert isinstance(done, Done)
    return done


def _print(title: str, table: list[Row], ours: Row, said: dict[str, Row]) -> None:
    columns = list(dict.fromkeys(column for row in table for column in row))
    print(f"\n{title}\n")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in table:
        print("| " + " | ".join(str(row.get(column, "")) for column in columns) + " |")
    count, rest = ours["pictures"], ours["seconds"] - ours["measuring"]
    print(
        f"\n   prune: {count} pictures, {1000 * ours['measuring'] / count:.0f} ms each to measure, "
        f"{rest:.0f} s to compare {len(ours['relations'])} related pairs and more (CPU)"
    )
    for tool, found in said.items():
        print(
            f"   {tool}: {ours['pictures'] / max(found.get('seconds', 0), 1e-9):.0f} a core-second",
            found.get("error", ""),
            found.get("broken", ""),
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--peers", default="")
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
