"""The archive of bench/scrape.py, served by a process of its own: so many files, slow connections.

    python bench/scrape_archive.py --files 360 --mb 134.3 --latency-ms 50 --rate-mb 2

One map, one JPEG; sizes spread as the real site's 72 dpi files are, noise in the pictures so that
they decode as slowly as scans do. When it is up it prints one JSON line: `url`, and `files`, a path
to [bytes, sha256]. A line "log" on its input is answered with what was asked since the last one, as
JSON; the end of its input ends it. A download tool may use the address as it is, without the Host
header of the old site.
"""

import argparse
import hashlib
import io
import json
import random
import sys
from dataclasses import replace

import numpy as np
from PIL import Image

from mapmaker.scrape.replica import Replica
from mapmaker.scrape.replica.plan import VARIANT, Entry, File

_VARIANTS = ("White Background", "Black & White")
_SPREAD = (0.66, 1.34)  # 343 to 637 kB about a mean of 517: what the pages of 2003-2007 state


class Archive(Replica):
    """A replica without faults whose maps have one JPEG each, `mb` megabytes in all."""

    def __init__(self, files: int, mb: float, *, seed: int = 0, **line: float | None) -> None:
        plain = {"side_px": 64, "faults": False, "drawn": False, "any_host": True}
        super().__init__(maps=files, seed=seed, **plain, **line)
        chance = random.Random(seed)
        shares = [chance.uniform(*_SPREAD) for _ in range(files)]
        sizes = iter([round(mb * 1e6 / sum(shares) * share / 1024) for share in shares])
        # Seven years have fewer weeks: what is left over are variants of the first maps.
        extra = files - sum(len(month.entries) for month in self.truth.months)
        for n, month in enumerate(self.truth.months):
            entries = []
            for entry in month.entries:
                more = max(0, min(len(_VARIANTS), extra))
                entries.append(_with_files(entry, [next(sizes) for _ in range(1 + more)]))
                extra -= more
            self.truth.months[n] = replace(month, entries=tuple(entries))
        self._made: dict[str, bytes] = {}

    def bytes_of(self, file: File) -> bytes:
        """Return a JPEG of exactly the size that its page states, made once."""
        if file.path not in self._made:
            self._made[file.path] = _picture(file)
        return self._made[file.path]


def _with_files(entry: Entry, sizes_kib: list[int]) -> Entry:
    first = next(f for f in entry.files if f.format == "JPG" and f.variant is None)
    files = [replace(first, declared=f"{k}k", declared_bytes=k * 1024) for k in sizes_kib]
    for n, file in enumerate(files[1:], 1):
        path, art = file.path.replace(".jpg", f"_v{n}.jpg"), file.art + n * VARIANT
        variant = {"style": "variant", "variant": _VARIANTS[n - 1], "dpi": None}
        files[n] = replace(file, path=path, art=art, **variant)
    return replace(entry, files=tuple(files))


def _picture(file: File) -> bytes:
    """Rooms as boxes under paper grain; the quality that fits, then filled up by a comment.

    Variants have the same rooms under other grain.
    """
    wanted = file.declared_bytes or 0
    side = round((wanted / 0.58) ** 0.5)  # as many bytes a pixel as the old scans have
    chance = np.random.default_rng(file.art)
    plan = np.random.default_rng(file.art % VARIANT)
    rooms = plan.integers(60, 230, (24, 24, 3), dtype=np.uint8)
    image = Image.fromarray(rooms).resize((side, side), Image.Resampling.NEAREST)
    grain = chance.normal(0, 14, (side, side, 1))
    noisy = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    data = b""
    for quality in (88, 80, 70, 55, 35, 15):
        out = io.BytesIO()
        Image.fromarray(noisy).save(out, "JPEG", quality=quality)
        data = out.getvalue()
        if len(data) <= wanted - 4:
            break
    spare = wanted - len(data)
    filled = b"".join(_comment(n) for n in _parts(spare))
    return data[:2] + filled + data[2:]


def _parts(spare: int) -> list[int]:
    whole, rest = divmod(spare, 60_000)
    return [60_000] * (whole - 1) + ([60_000 + rest] if whole else [rest])


def _comment(count: int) -> bytes:
    if count > 65_000:  # two, so that neither is longer than a segment may be
        return _comment(count // 2) + _comment(count - count // 2)
    return b"\xff\xfe" + (count - 2).to_bytes(2, "big") + b" " * (count - 4)


def answer_log(archive: Archive) -> dict:
    """Return what was asked since the last time, and forget it."""
    requests = list(archive.requests)
    del archive.requests[: len(requests)]
    pictures = [r for r in requests if "/dnd/images/" in r.path]
    return {
        "requests": len(requests),
        "picture_requests": len(pictures),
        "picture_paths": [r.path.rpartition("/dnd/images/")[2] for r in pictures],
        "max_in_flight": max((r.in_flight for r in requests), default=0),
        "connections": len({r.connection for r in requests}),
        "first_at_s": min((r.at_s for r in requests), default=None),
        "first_picture_at_s": min((r.at_s for r in pictures), default=None),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=360)
    parser.add_argument("--mb", type=float, default=134.3)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--rate-mb", type=float, default=2.0, help="a connection; 0: unlimited")
    args = parser.parse_args()
    line = {"latency_s": args.latency_ms / 1000, "bytes_per_s": args.rate_mb * 1e6 or None}
    archive = Archive(args.files, args.mb, **line)
    files = {}
    for file in archive.files.values():
        data = archive.bytes_of(file)
        files[file.path] = [len(data), hashlib.sha256(data).hexdigest()]
    with archive:
        print(json.dumps({"url": archive.url, "files": files}), flush=True)
        for line in sys.stdin:
            if line.strip() == "log":
                print(json.dumps(answer_log(archive)), flush=True)


if __name__ == "__main__":
    main()
