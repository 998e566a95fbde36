"""How well prune sees writing, watermarks, logos, photos and oblique views. Prints two tables.

    python bench/signs.py MAPS [--each 40] [--only titled,photo]

MAPS is a folder of maps with a PROVENANCE.csv (file, source_map); labels.csv beside this script
says which of them have writing or a logo of their own. Signs are planted on the maps and on floor
plans drawn here. The halves are split by source_map: thresholds were fitted on the first, the
second is the check. A planted picture counts when the rule speaks, whatever its level; `drop`
counts those that --auto would drop.
"""

import argparse
import csv
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import mark_plants as marks
import numpy as np
import planted
import sign_plants as signs
import view_plants as views
from numpy.random import Generator
from PIL import Image

from mapmaker.prune import lettering, overlay, shadow, view
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import limits

Picture = Image.Image
LIMITS = limits()
RULES = ("text-page", "has_text", "watermark", "photo", "oblique")
#: What is planted, and the rule that should see it. The last seven are drawn by planted.py.
PLANTS: dict[str, tuple[Callable[[Picture, Generator], Picture], str]] = {
    "page": (lambda p, rng: signs.page(rng, int(rng.choice([600, 750, 1000]))), "text-page"),
    "legend": (lambda p, rng: signs.legend(rng, int(rng.choice([600, 750, 1000]))), "text-page"),
    "title": (signs.titled, "has_text"),
    "names": (signs.labelled, "has_text"),
    "numbers": (signs.numbered, "has_text"),
    "compass": (signs.compassed, "has_text"),
    "words across": (marks.previewed, "watermark"),
    "name in corner": (marks.addressed, "watermark"),
    "logo in corner": (marks.badged, "watermark"),
    "photo": (views.photographed, "photo"),
    "isometric": (lambda p, rng: views.isometric(rng), "oblique"),
    "tilted": (views.tilted, "oblique"),
    "text page 2": (planted.text_page, "text-page"),
    "legend 2": (planted.legend, "text-page"),
    "title 2": (planted.titled, "has_text"),
    "PREVIEW 2": (planted.watermarked, "watermark"),
    "logo 2": (planted.with_logo, "watermark"),
    "photo 2": (planted.photographed, "photo"),
    "isometric 2": (planted.isometric, "oblique"),
}


def main() -> None:
    """Print what the rules say of each half."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("maps", type=Path)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for half, files in halves(options.maps).items():
        clean = [f for f, has_writing in files.items() if not has_writing]
        print(f"\n{half}: {len(files)} maps   " + "  ".join(f"{r:>9}" for r in RULES) + "     drop")
        report("real maps", [said(Image.open(f).convert("RGB")) for f in clean])
        report(
            "  with writing", [said(Image.open(f).convert("RGB")) for f in set(files) - set(clean)]
        )
        plain = [signs.a_layout(np.random.default_rng([i, 8]), 750) for i in range(options.each)]
        report("floor plans", [said(p) for p in plain])
        for number, (name, (plant, rule)) in enumerate(PLANTS.items()):
            if options.only and name not in options.only.split(","):
                continue
            found = []
            for i in range(options.each):
                rng = np.random.default_rng([i, number, half == "fitted"])
                ground = plain[i] if rng.random() < 0.2 else opened(clean, rng)
                found.append(said(pressed(plant(ground, rng), rng)))
            report(f"{name} -> {rule}", found)
        light(half, options.each)


def halves(folder: Path) -> dict[str, dict[Path, bool]]:
    """Return the files of either half, and whether a person saw writing or a logo in them."""
    labels = Path(__file__).with_name("labels.csv")
    with labels.open(encoding="utf-8") as file:
        written = {r["file"] for r in csv.DictReader(file) if r["has_text"] or r["watermark"]}
    with (folder / "PROVENANCE.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, dict[Path, bool]] = {"fitted": {}, "check": {}}
    for row in rows:
        half = "fitted" if zlib.crc32(row["source_map"].encode()) % 2 else "check"
        found[half][folder / row["file"]] = row["file"] in written
    return found


def opened(files: list[Path], rng: Generator) -> Picture:
    """Return one of the maps at 750, 1100 or 1536 px."""
    picture = Image.open(files[int(rng.integers(len(files)))]).convert("RGB")
    side = int(rng.choice([750, 750, 1100, 1536]))
    picture.thumbnail((side, side))
    return picture


def pressed(picture: Picture, rng: Generator) -> Picture:
    """Return it after a JPEG as data sets have them."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.choice([80, 90, 95])))
    return Image.open(buffer).convert("RGB")


def said(picture: Picture) -> dict[str, str]:
    """Return the level of every rule that speaks; has_text has none."""
    shot = Shot(np.asarray(picture))
    seen = lettering.lettering(shot) | overlay.overlay(shot) | view.view(shot)
    found = [f for theme in (lettering, overlay, view) for f in theme.findings(seen, LIMITS)]
    levels = {finding.rule: str(finding.level) for finding in found}
    return levels | ({"has_text": ""} if lettering.has_text(seen, LIMITS) else {})


def report(name: str, found: list[dict[str, str]]) -> None:
    """Print one row: the share of the pictures each rule speaks of, and that would be dropped."""
    shares = [np.mean([rule in levels for levels in found]) for rule in RULES]
    dropped = np.mean(["drop" in levels.values() for levels in found])
    print(f"{name:24}" + "  ".join(f"{s:9.0%}" for s in [*shares, dropped]), flush=True)


def light(half: str, count: int) -> None:
    """Print how often the direction of planted shadows is told, and told within 30 degrees."""
    errors = []
    for i in range(count):
        rng = np.random.default_rng([i, 99, half == "fitted"])
        degrees = float(rng.uniform(0, 360))
        shot = Shot(np.asarray(pressed(views.shadowed(rng, degrees), rng)))
        told = shadow.direction(shadow.shadow(shot), LIMITS)
        if told is not None:
            errors.append(abs((told - degrees + 180) % 360 - 180))
    right = np.mean([e <= 30 for e in errors])
    print(f"shadows: {len(errors)} of {count} told, {right:.0%} of them within 30 degrees")


if __name__ == "__main__":
    main()
