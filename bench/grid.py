"""How often the squares of a map are found, and how exactly. Prints tables.

    python bench/grid.py                                  on pictures drawn here
    python bench/grid.py --maps DIR --vtt DIR             and on real maps whose scenes know

DIR are a folder of maps with PROVENANCE.csv (file, original path, source_map) and one of Universal
VTT files and Foundry scenes with PROVENANCE.csv each. Maps are split in two halves by source_map:
the first alone gives the cuts on the score, the second checks them. An octave error is a half, a
third, one and a half, two, three ... of the true size.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapmaker.events import finish
from mapmaker.layout import plan, render
from mapmaker.picture import open_picture
from mapmaker.prune.gridlines import find_grid
from mapmaker.prune.priors import choose_grid
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.workspace import Workspace

SAME = 0.01
OCTAVES = (1 / 5, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 3, 4, 5)
CELLS_PX = (30, 44, 50, 70, 100, 150)
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Truth:
    """The squares a picture has: their side and where the first line lies [px]."""

    cell_px: float
    phase: tuple[float, float] = (0.0, 0.0)


@dataclass
class Tally:
    """How the answers about one set of pictures turned out."""

    kinds: Counter[str] = field(default_factory=Counter)
    phases: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, found: dict[str, Any] | None, truth: Truth | None) -> None:
        kind, phase = judge(found, truth)
        self.kinds[kind] += 1
        if phase is not None:
            self.phases.append(phase)
        if kind in ("octave", "wrong", "false") and found:
            says = f"{truth.cell_px:.2f}" if truth else "none"
            self.wrong.append(f"{name}: {found['cell_px']:.2f} px, truth {says}")

    def line(self, title: str) -> str:
        count = sum(self.kinds.values())
        answered = count - self.kinds["none"]
        median, most = (np.median(self.phases), max(self.phases)) if self.phases else (0.0, 0.0)
        over = sum(phase > 1.5 for phase in self.phases)
        return (
            f"{title:34} {count:5} {answered:8} {self.kinds['right']:6} {self.kinds['octave']:6} "
            f"{self.kinds['wrong'] + self.kinds['false']:6}   {median:5.2f} {most:6.2f} {over:5}"
        )


HEAD = f"{'':34} {'maps':>5} answered  right octave  wrong   phase: median  max  >1.5"


def judge(found: dict[str, Any] | None, truth: Truth | None) -> tuple[str, float | None]:
    """Return none, right, octave, wrong or false (there is no grid), and the phase error [px]."""
    if found is None:
        return "none", None
    if truth is None:
        return "false", None
    ratio = found["cell_px"] / truth.cell_px
    if abs(ratio - 1) <= SAME:
        offsets = (
            abs((a - b + truth.cell_px / 2) % truth.cell_px - truth.cell_px / 2)
            for a, b in zip(found["phase"], truth.phase, strict=True)
        )
        return "right", max(offsets)
    octave = any(abs(ratio / o - 1) <= 1.5 * SAME for o in OCTAVES)
    return ("octave" if octave else "wrong"), None


def main() -> int:
    """Print every table that can be made."""
    parser = argparse.ArgumentParser(
        description="How often and how exactly the squares of a map are found."
    )
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--vtt", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.maps and options.vtt:
        real(options.maps, options.vtt)
    drawn(options.seeds)
    speed()
    return 0


# Real maps


def truths(maps: Path, vtt: Path) -> dict[str, tuple[Truth, str, str]]:
    """Return for each map whose scene is known its squares, source_map, and scene or crop."""
    scenes = dict(_foundry(vtt / "foundry")) | dict(_universal(vtt))
    known = {}
    for row in _rows(maps / "PROVENANCE.csv"):
        path = row["original path"]
        part = re.search(r"\(crop (\d+),(\d+),(\d+)x(\d+) after 1/([\d.]+) ", path)
        scene = scenes.get(Path(path.partition(" (")[0]).stem.lower())
        if scene is None:
            continue
        size, (wide, tall, cell) = (int(row["width"]), int(row["height"])), scene
        if part is None:
            if abs(size[0] / size[1] / (wide / tall) - 1) < 0.005:
                known[row["file"]] = Truth(cell * size[0] / wide), row["source_map"], "scene"
            continue
        left, top, width, scale = int(part[1]), int(part[2]), int(part[3]), float(part[5])
        side, zoom = cell / scale * size[0] / width, size[0] / width
        phase = (-left * zoom) % side, (-top * zoom) % side
        known[row["file"]] = Truth(side, phase), row["source_map"], "crop"
    return known


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _foundry(folder: Path) -> Iterator[tuple[str, tuple[float, float, float]]]:
    for row in _rows(folder / "PROVENANCE.csv"):
        scene = json.loads((folder / row["file"]).read_text(encoding="utf-8"))
        grid = scene["grid"] if isinstance(scene["grid"], dict) else {"size": scene["grid"]}
        if grid.get("type", scene.get("gridType")) == 1:
            yield Path(row["image"]).stem.lower(), (scene["width"], scene["height"], grid["size"])


def _universal(folder: Path) -> Iterator[tuple[str, tuple[float, float, float]]]:
    for row in _rows(folder / "PROVENANCE.csv"):
        squares, px = (json.loads(row["resolution"])[k] for k in ("map_size", "pixels_per_grid"))
        yield Path(row["original_path"]).stem.lower(), (squares["x"] * px, squares["y"] * px, px)


def half_of(source_map: str) -> int:
    return hashlib.sha256(source_map.encode()).digest()[0] % 2


def real(maps: Path, vtt: Path) -> None:
    """Print what the picture says, what came with it says, and both, against the scenes."""
    known = truths(maps, vtt)
    seen = {name: find_grid(_grey(open_picture(maps / name))) for name in known}
    told = _import(maps, vtt)
    print(f"Real maps\n{HEAD}")
    wrong: list[str] = []
    for kind in ("scene", "crop"):
        for title, answer in (
            ("picture alone", lambda name: seen[name]),
            ("what came with it alone", lambda name: told[name](None)),
            ("both", lambda name: told[name](seen[name])),
        ):
            tallies = [Tally(), Tally()]
            for name, (truth, source, sort) in known.items():
                if sort == kind:
                    tallies[half_of(source)].add(name, answer(name), truth)
            for tally, half in zip(tallies, ("fit", "check"), strict=True):
                print(tally.line(f"{kind}: {title}, {half} half"))
                wrong += tally.wrong if title == "picture alone" else []
    others = [r["file"] for r in _rows(maps / "PROVENANCE.csv") if r["file"] not in known]
    print(f"  {len(others)} more maps have no scene.")
    print("".join(f"  wrong: {line}\n" for line in wrong))
    nothing(maps)


def nothing(maps: Path) -> None:
    """Print how often squares are claimed in real textures that no longer have any."""
    tallies = {"turned by 7 to 37 degrees": Tally(), "stretched unevenly": Tally()}
    for number, row in enumerate(_rows(maps / "PROVENANCE.csv")):
        grey = _grey(open_picture(maps / row["file"]))
        for tally, made in zip(tallies.values(), without_squares(grey, number), strict=True):
            tally.add(row["file"], find_grid(made), None)
    print("Real maps whose squares were destroyed: every answer is false")
    for title, tally in tallies.items():
        print(tally.line(title))
        print("".join(f"  false: {line}\n" for line in tally.wrong), end="")


def without_squares(grey: Grey, number: int) -> tuple[Grey, Grey]:
    """Return a picture's inner part turned, and all of it stretched by 35 % from side to side."""
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 7 + 10 * (number % 4), 1.0)
    turned = cv2.warpAffine(grey, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    top, left = round(height * 0.17), round(width * 0.17)

    def bent(length: int, by: float) -> NDArray[np.float32]:
        part = np.linspace(0, 1, length)
        return ((part + by * part * (1 - part)) * (length - 1)).astype(np.float32)

    where = np.meshgrid(bent(width, 0.35), bent(height, -0.35))
    stretched = cv2.remap(grey, where[0], where[1], cv2.INTER_LINEAR)
    inner = np.ascontiguousarray(turned[top : height - top, left : width - left])
    return inner.astype(np.uint8, copy=False), stretched.astype(np.uint8, copy=False)


def _import(maps: Path, vtt: Path) -> dict[str, Callable[[dict | None], dict[str, Any] | None]]:
    """Import the maps with their Foundry scenes; return for each what choose_grid makes of it."""
    answers = {}
    with tempfile.TemporaryDirectory() as home:
        config = ImportConfig(name="bench")
        dataset = Workspace(Path(home)).dataset("bench")
        finish(import_pictures(Workspace(Path(home)), [maps, vtt / "foundry"], config))
        for row in dataset.rows():
            path, size = dataset.root / row["file"], (row["width"], row["height"])
            layout = path.with_name(f"{path.name}.layout.json")
            text = layout.read_text(encoding="utf-8") if layout.is_file() else None
            for name in (row["picture_url"], *row["aliases"]):
                answers[Path(name).name] = _answer(Path(name), row.get("title"), size, text)
    return answers


def _answer(
    name: Path, title: str | None, size: tuple[int, int], layout: str | None
) -> Callable[[dict | None], dict[str, Any] | None]:
    def answer(seen: dict | None) -> dict[str, Any] | None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name.name
            if layout:
                path.with_name(f"{path.name}.layout.json").write_text(layout, encoding="utf-8")
            return choose_grid(path, title, size, seen)

    return answer


# Pictures drawn here


def drawn(seeds: int) -> None:
    """Print how layouts with and without lines fare, whole, cut, scaled and pressed."""
    print(f"\nPictures drawn here\n{HEAD}")
    tallies = {name: Tally() for name in (*SPOILT, "walls only, no lines", "no squares at all")}
    for kind in ("dungeon", "cave", "building", "wilderness"):
        for seed in range(seeds):
            layout = plan(kind, seed, 20, 16)
            for cell_px in CELLS_PX:
                name = f"{kind} {seed} at {cell_px} px"
                ruled = render(layout, cell_px, grid=True).convert("L")
                rng = np.random.default_rng([seed, cell_px])
                for spoilt, spoil in SPOILT.items():
                    picture, truth = spoil(ruled, float(cell_px), rng)
                    tallies[spoilt].add(name, find_grid(_grey(picture)), truth)
            bare = render(layout, 50, grid=False).convert("L")
            tallies["walls only, no lines"].add(kind, find_grid(_grey(bare)), Truth(50.0))
            for picture in without_squares(_grey(bare), seed):
                tallies["no squares at all"].add(kind, find_grid(picture), None)
    for title, tally in tallies.items():
        print(tally.line(title))
        print("".join(f"  wrong: {line}\n" for line in tally.wrong), end="")


def _scaled(picture: Image.Image, cell_px: float, to: float) -> tuple[Image.Image, Truth]:
    size = tuple(round(side * to / cell_px) for side in picture.size)
    small = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return small, Truth(cell_px * size[0] / picture.width)


def _cut(
    picture: Image.Image, cell_px: float, rng: np.random.Generator
) -> tuple[Image.Image, Truth]:
    """Cut anywhere. A line is drawn from its square's edge on; its middle is where it lies."""
    left, top = (int(rng.integers(1, round(3 * cell_px))) for _ in range(2))
    side = min(picture.width - left, picture.height - top)
    cut = picture.crop((left, top, left + side, top + side))
    middle = max(1, cell_px // 50) / 2
    return cut, Truth(cell_px, ((middle - left) % cell_px, (middle - top) % cell_px))


def _pressed(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("L")


SPOILT: dict[str, Callable[..., tuple[Image.Image, Truth]]] = {
    "as drawn": lambda p, c, rng: (p, Truth(c)),
    "scaled by 0.886 (50 px to 44.3)": lambda p, c, rng: _scaled(p, c, 0.886 * c),
    "cut anywhere": _cut,
    "half size": lambda p, c, rng: _scaled(p, c, c / 2),
    "JPEG q30": lambda p, c, rng: (_pressed(p, 30), Truth(c)),
}


def speed() -> None:
    """Print the milliseconds of one core a picture costs."""
    picture = render(plan("cave", 1, 48, 32), 32, grid=True).convert("L")
    for size in ((750, 750), (1536, 1024)):
        grey = _grey(picture.crop((0, 0, *size)))
        find_grid(grey)
        costs = []
        for _ in range(20):
            start = time.process_time()
            find_grid(grey)
            costs.append(time.process_time() - start)
        print(f"find_grid at {size[0]} x {size[1]}: {np.median(costs) * 1e3:.1f} ms of one core")


def _grey(picture: Image.Image) -> Grey:
    return np.ascontiguousarray(picture.convert("L"))


if __name__ == "__main__":
    sys.exit(main())
