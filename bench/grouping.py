"""Which pictures are one map: map_id beside the truth of the replica's 900 files.

    python bench/grouping.py [--drawn] [--side-px 96] [--seed 0]
    python bench/grouping.py --only hash           pHashes alone; title: date and title alone
    python bench/grouping.py --margins FOLDER      how far apart one map and two maps are

Scrapes the full replica (360 maps, 83 months, copies under other weeks, variants on white ground)
with every file, as it is and with every JPEG encoded anew at a random quality; then both again
with STRANGERS of its variants showing what no other file does, as a handout under a map's head. A
pair of files counts as found when both have one map_id, as right when both show one map.
--margins looks at floor plans in eight palettes, and at the real maps of FOLDER, by the two
measures that decide. Exit code 1 when precision or recall falls below what is asked: 1.0, and 0.99
for what was encoded anew.
"""

import argparse
import io
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from PIL import Image

from mapmaker.events import finish
from mapmaker.files import read_lines
from mapmaker.layout import plan
from mapmaker.layout.kinds import KINDS
from mapmaker.layout.palettes import PALETTES
from mapmaker.layout.render import render
from mapmaker.scrape import onemap
from mapmaker.scrape.check import phash
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.onemap import Outlines, outlines_from, outlines_in
from mapmaker.scrape.replica import Replica
from mapmaker.scrape.replica.plan import VARIANT, File
from mapmaker.scrape.scrape import scrape
from mapmaker.workspace import Dataset, Workspace

STRANGERS = 24
QUALITY = (40, 95)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs of files under one map_id that show one map (precision), and the other way round.

    files: those that are here, copies too; maps: the map_ids of manifest and gaps together.
    """

    files: int
    maps: int
    precision: float
    recall: float


class EncodedAnew(Replica):
    """The replica with every good JPEG at a quality by chance: copies are no equal bytes then."""

    def bytes_of(self, file: File) -> bytes:
        data = super().bytes_of(file)
        if file.format != "JPG" or file.reason is not None:
            return data
        chance = random.Random(file.path)
        out = io.BytesIO()
        Image.open(io.BytesIO(data)).save(out, "JPEG", quality=chance.randint(*QUALITY))
        return out.getvalue()


def agreement(archive: Replica, dataset: Dataset) -> Agreement:
    """Return how the manifest's map_ids agree with what each file of the replica shows."""
    shown = {file.path: file.art % VARIANT for _, file in archive.truth.files()}
    rows = dataset.rows()
    files = {  # by their path, with the name within a ZIP file: three hosts have the same
        (url.partition("/dnd/images/")[2], row["map_id"])
        for row in rows
        for url in [row["picture_url"], *row["aliases"]]
    }
    found = [(map_id, shown[f"/dnd/images/{path.partition('#')[0]}"]) for path, map_id in files]
    both = _pairs(Counter(found).values())
    maps = {r["map_id"] for r in [*rows, *read_lines(dataset.gaps)] if r["map_id"]}
    return Agreement(
        files=len(found), maps=len(maps),
        precision=both / _pairs(Counter(map_id for map_id, _ in found).values()),
        recall=both / _pairs(Counter(art for _, art in found).values()),
    )  # fmt: skip


def add_strangers(archive: Replica, count: int) -> None:
    """Let `count` of the variants show what no other file shows."""
    variants = [f for _, f in archive.truth.files() if f.style == "variant" and f.reason is None]
    chosen = random.Random(0).sample(sorted(f.path for f in variants), count)
    archive.truth.change_all(
        {path: {"art": 5000 + n, "variant": "Handout"} for n, path in enumerate(chosen)}
    )


def measure(kind: type[Replica], strangers: int, args: argparse.Namespace) -> Agreement:
    """Scrape one replica into a folder that goes again."""
    options = {"side_px": args.side_px, "drawn": args.drawn, "seed": args.seed}
    with tempfile.TemporaryDirectory() as folder, kind(full=True, **options) as archive:
        add_strangers(archive, strangers)
        workspace = Workspace(Path(folder))
        config = ScrapeConfig(via=archive.url, dpi="all", max_file_bytes=2_000_000)
        finish(scrape(workspace, "map-of-the-week", config))
        return agreement(archive, workspace.dataset("map-of-the-week"))


def margins(folder: Path) -> None:
    """Print both measures for pairs of pictures that show one map, and two."""
    kinds = KINDS.names()
    plans = {
        (n, name): _look(render(plan(kinds[n % 4], n, columns=15, rows=15), 24, name))
        for n in range(24) for name in PALETTES.names()
    }  # fmt: skip
    pairs = list(combinations(plans, 2))
    _tell("one plan, two palettes", [(plans[a], plans[b]) for a, b in pairs if a[0] == b[0]])
    _tell("two plans", [(plans[a], plans[b]) for a, b in pairs if a[0] != b[0] and a[1] == b[1]])
    maps = {p.stem: _small(p) for p in sorted(folder.glob("*.jpg")) if "_crop" not in p.stem}
    looks = {name: _look(picture) for name, picture in maps.items()}
    _tell("two real maps", [(looks[a], looks[b]) for a, b in combinations(looks, 2)])
    near = sorted(combinations(looks, 2), key=lambda p: -(looks[p[0]][1] @ looks[p[1]][1]))
    for a, b in near[:8]:
        print(f"    outlines {looks[a][1] @ looks[b][1]:.2f}: {a}, {b}")
    _tell("one, and as JPEG 40", [(looks[n], _look(_encoded(p, 40))) for n, p in maps.items()])
    _tell("one, and its middle", [(looks[n], _look(_middle(p))) for n, p in maps.items()])
    _tell("one, dark made white", [(looks[n], _look(_on_white(p))) for n, p in maps.items()])


Look = tuple[int, Outlines]


def _tell(name: str, pairs: list[tuple[Look, Look]]) -> None:
    bits = sorted((a[0] ^ b[0]).bit_count() for a, b in pairs)
    lines = sorted(a[1] @ b[1] for a, b in pairs)
    few = len(pairs) // 20
    print(
        f"{name:24} {len(pairs):6} pairs; bits {bits[0]} to {bits[-1]}, outlines {lines[0]:.2f} "
        f"to {lines[-1]:.2f} (5 % below {lines[few]:.2f}, 5 % above {lines[-1 - few]:.2f})"
    )


def _look(picture: Image.Image) -> Look:
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        picture.save(file.name)
        outlines = outlines_from(outlines_in(Path(file.name)))
    return int(phash(picture.convert("L")), 16), outlines


def _small(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (512, 512))
        small = image.convert("RGB")
    small.thumbnail((512, 512))
    return small


def _middle(picture: Image.Image) -> Image.Image:
    w, h = picture.size
    return picture.crop((w // 4, h // 4, w - w // 4, h - h // 4))


def _on_white(picture: Image.Image) -> Image.Image:
    """A crude form on white: a dark surround goes, and so do shadows, which makes holes."""
    dark = picture.convert("L").point(lambda level: 255 if level < 60 else 0)
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, dark)


def _encoded(picture: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(out)


def _pairs(counts: Iterable[int]) -> int:
    return sum(n * (n - 1) // 2 for n in counts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--drawn", action="store_true", help="floor plans rather than patterns")
    parser.add_argument("--side-px", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--margins", type=Path, metavar="FOLDER", help="of real maps")
    parser.add_argument("--only", choices=("hash", "title"))
    args = parser.parse_args()
    if args.only:
        onemap.SAME_BITS, onemap.SAME_OUTLINES = (6, 2.0) if args.only == "hash" else (64, 0.6)
    if args.margins:
        margins(args.margins)
        return
    good = True
    for strangers in (0, STRANGERS):
        for kind, least in ((Replica, 1.0), (EncodedAnew, 0.99)):
            began_s = time.process_time()
            found = measure(kind, strangers, args)
            name = f"{kind.__name__}, {strangers} strangers"
            print(
                f"{name:26} {found.files} files, {found.maps} maps, "
                f"precision {found.precision:.4f}, recall {found.recall:.4f} "
                f"({time.process_time() - began_s:.1f} s CPU)",
                flush=True,
            )
            good = good and min(found.precision, found.recall) >= least
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
