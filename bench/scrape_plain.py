"""A scrape in which nothing is looked after: what bench/scrape.py's rows are set beside.

    python bench/scrape_plain.py requests URLS OUT
    python bench/scrape_plain.py floor URLS OUT [--threads 8]

URLS is a file of addresses, one a line. `requests` is what a short script does: one Session, one
file after the other, each streamed to OUT in pieces of 64 KiB. It hashes nothing, waits for no
disk, looks at no picture. `floor` is what a checked copy costs at the least, by threads: each file
read with urllib3, its sha256 taken, written, synced, and decoded to its last row as a grey picture
of an eighth (libjpeg then leaves out everything but reading the coded data). It prints its own CPU
seconds for each of these as JSON; `rest` is the interpreter and its imports.
"""

import argparse
import hashlib
import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

_PIECE = 65_536


def plain(urls: list[str], out: Path) -> None:
    """Fetch one after the other with requests."""
    import requests

    with requests.Session() as session:
        for n, url in enumerate(urls):
            with session.get(url, stream=True) as answer, (out / f"{n}.jpg").open("wb") as file:
                answer.raise_for_status()
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)


def floor(urls: list[str], out: Path, threads: int) -> None:
    """Fetch, hash, write, sync and decode, and nothing else."""
    import urllib3
    from PIL import Image

    pool = urllib3.PoolManager(maxsize=threads, block=True)
    spent: Counter[str] = Counter()

    def one(task: tuple[int, str]) -> Counter[str]:
        n, url = task
        clock = [time.thread_time()]
        answer, data = pool.request("GET", url, preload_content=False), bytearray()
        while piece := answer.read1(_PIECE):
            data += piece
        answer.release_conn()
        clock.append(time.thread_time())
        hashlib.sha256(data).hexdigest()
        clock.append(time.thread_time())
        with (out / f"{n}.jpg").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        clock.append(time.thread_time())
        with Image.open(BytesIO(data)) as image:
            image.draft("L", (128, 128))
            image.load()
        clock.append(time.thread_time())
        steps = zip(("read", "hash", "write", "decode"), clock, clock[1:], strict=False)
        return Counter({name: after - before for name, before, after in steps})

    with ThreadPoolExecutor(threads) as workers:
        for used in workers.map(one, enumerate(urls)):
            spent.update(used)
    spent["rest"] = time.process_time() - sum(spent.values())
    print(json.dumps({name: round(seconds, 3) for name, seconds in spent.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["requests", "floor"])
    parser.add_argument("urls", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=8)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    urls = args.urls.read_text().split()
    if args.what == "requests":
        plain(urls, args.out)
    else:
        floor(urls, args.out, args.threads)


if __name__ == "__main__":
    main()
