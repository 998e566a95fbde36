"""How many pictures a core measures in a second, and where the time goes.

    python bench/measure.py PICTURE... [--side 750] [--rounds 3]

Every picture is shrunk to `side` pixels and pressed as JPEG (quality 90), as a data set holds it.
CPU time of one thread, file reads included, page cache warm; the shares come from a second pass
that times each check by itself.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image

from mapmaker.picture import open_picture
from mapmaker.prune import features
from mapmaker.prune.shot import Shot

T = TypeVar("T")


def main() -> None:
    """Print the rate and a table of the shares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--side", type=int, default=750)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = [prepare(p, Path(folder), options.side) for p in options.pictures]
        ids = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        features.measure(files[0], ids[0])  # what is loaded at the first call
        rates = [rate(files, ids) for _ in range(options.rounds)]
        print(f"{len(files)} pictures of {options.side} px: {max(rates):.0f} a core-second", end="")
        print(f" ({min(rates):.0f}..{max(rates):.0f} over {options.rounds} rounds)\n")
        shares(files)


def prepare(source: Path, folder: Path, side: int) -> Path:
    """Return the picture as a square JPEG of `side` pixels: the middle of it, shrunk to fit."""
    with Image.open(source) as image:
        whole = image.convert("RGB")
    least = min(whole.size)
    left, top = (whole.width - least) // 2, (whole.height - least) // 2
    square = whole.crop((left, top, left + least, top + least))
    path = folder / f"{source.stem}.jpg"
    square.resize((side, side), Image.Resampling.LANCZOS).save(path, quality=90)
    return path


def rate(files: list[Path], ids: list[str]) -> float:
    """Return pictures a second of CPU time."""
    start = time.process_time()
    for file, id in zip(files, ids, strict=True):
        assert not features.measure(file, id).features.problem
    return len(files) / (time.process_time() - start)


def shares(files: list[Path]) -> None:
    """Print what each part of measuring takes, the greatest first."""
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        start = time.process_time()
        result = work()
        spent[name] = spent.get(name, 0.0) + time.process_time() - start
        return result

    for file in files:
        data = timed("read and sha256", lambda file=file: _read(file))
        image = timed("decode", lambda data=data: np.asarray(open_picture(data)))
        shot = Shot(image)
        timed("grey, small", lambda shot=shot: (shot.grey, shot.small, shot.small_grey))
        for name, part in features.parts().items():
            timed(name, lambda part=part, shot=shot: part(shot))
    total = sum(spent.values())
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"{name:20} {1000 * seconds / len(files):6.2f} ms {seconds / total:5.0%}")
    print(f"{'together':20} {1000 * total / len(files):6.2f} ms")


def _read(file: Path) -> bytes:
    data = file.read_bytes()
    hashlib.sha256(data).hexdigest()
    return data


if __name__ == "__main__":
    main()
