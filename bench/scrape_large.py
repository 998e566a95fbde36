"""How much more memory a scrape holds for a file of 500 MB than for one of 100 kB.

    python bench/scrape_large.py [--mb 500]

Three large files, each fetched in a run of its own by a list of one address, from a server on this
machine: a good JPEG (CMYK noise, which is how a JPEG of so few pixels gets so large), one whose
coded data never ends, and a ZIP file of twenty pictures. Prints the peak resident memory of each
run and what it is more than for the small file. Exit code 1 when that is 10 MB or more, or when
anything but the good files was kept.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from scrape_runs import ENV

MOST_MB = 10.0
# One run; says the most it ever held [kB]. (ru_maxrss counts what its parent held as well.)
RUN = """
import sys
from pathlib import Path
from mapmaker.events import finish
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.scrape import scrape
from mapmaker.workspace import Workspace
home, via, most = sys.argv[1:]
config = ScrapeConfig(via=via, max_file_bytes=int(most), contact="bench@example.org")
finish(scrape(Workspace(Path(home)), "urls.txt", config))
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
_MEMBERS = 20


def noise(side: int, mode: str, seed: int) -> Image.Image:
    """Return a picture without any pattern: a JPEG of it is as large as JPEGs get."""
    depth = len(Image.new(mode, (1, 1)).getbands())
    shape = (side, side, depth)
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode
    )


def encoded(side: int, mode: str, seed: int = 0) -> bytes:
    out = io.BytesIO()
    noise(side, mode, seed).save(out, "JPEG", quality=100, subsampling=0)
    return out.getvalue()


def make(folder: Path, mb: float) -> dict[str, int]:
    """Write the files; return name -> pictures that a run must keep of it."""
    (folder / "small.jpg").write_bytes(encoded(200, "RGB"))
    bytes_a_pixel = len(encoded(1000, "CMYK")) / 1_000_000
    side = int((mb * 1e6 / bytes_a_pixel) ** 0.5)
    (folder / "good.jpg").write_bytes(encoded(side, "CMYK"))
    chance = np.random.default_rng(1)
    with (folder / "endless.jpg").open("wb") as file:
        file.write(encoded(2000, "RGB")[:-2])
        while file.tell() < mb * 1e6:
            file.write(chance.integers(0, 255, 10_000_000, dtype=np.uint8).tobytes())
    part = int((mb * 1e6 / _MEMBERS / bytes_a_pixel) ** 0.5)
    with zipfile.ZipFile(folder / "maps.zip", "w") as archive:
        for n in range(_MEMBERS):
            archive.writestr(f"maps/{n}.jpg", encoded(part, "CMYK", n))
    return {"small.jpg": 1, "good.jpg": 1, "endless.jpg": 0, "maps.zip": _MEMBERS}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from a process of its own."""
    words = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    server = subprocess.Popen(
        [*words, "--directory", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=ENV,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        found = re.search(r"port (\d+)", server.stdout.readline())
        assert found is not None
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        server.terminate()
        server.communicate()


def fetch(url: str, name: str, home: Path, mb: float) -> tuple[float, int]:
    """Return the peak of a run [MB], and how many pictures it kept."""
    home.mkdir()
    (home / "urls.txt").write_text(f"http://maps.example.org/{name}\n")
    words = [sys.executable, "-c", RUN, str(home), url, str(int(mb * 1e6) + 100_000_000)]
    done = subprocess.run(words, cwd=home, env=ENV, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024, len(list(home.glob("datasets/urls/pictures/**/*.jpg")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mb", type=float, default=500.0)
    parser.add_argument("--json", type=Path, metavar="OUT")
    args = parser.parse_args()
    report, good = {}, True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "served"
        folder.mkdir()
        wanted = make(folder, args.mb)
        with served(folder) as url:
            for name, pictures in wanted.items():
                size = (folder / name).stat().st_size / 1e6
                peak, kept = fetch(url, name, Path(scratch) / name, args.mb)
                report[name] = {"mb": size, "peak_mb": peak, "kept": kept}
                more = peak - report["small.jpg"]["peak_mb"]
                good = good and kept == pictures and more < MOST_MB
                print(f"{name:12} {size:6.1f} MB: {peak:5.1f} MB held, {more:+5.1f}; {kept} kept")
    report["load"] = os.getloadavg()
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
