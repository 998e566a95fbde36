"""Data sets for the review page, written down without measuring, and the page served for real."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

import requests
from PIL import Image
from prune_pictures import make_dataset, painted

from mapmaker.prune.decisions import Decisions
from mapmaker.prune.features import Features
from mapmaker.prune.kept import features_of
from mapmaker.prune.thumbs import thumbs_of
from mapmaker.workspace import Dataset

SERVE = (
    "import sys; from pathlib import Path; from mapmaker.workspace import Dataset\n"
    "from mapmaker.studio.review import serve_review\n"
    "from mapmaker.errors import MapmakerError\n"
    "tell = lambda u: print(u, flush=True)\n"
    "try:\n"
    "    serve_review(Dataset(Path(sys.argv[1])), port=int(sys.argv[2]), ready=tell)\n"
    "except MapmakerError as error:\n"
    "    print(error); sys.exit(error.exit_code)\n"
)


@contextmanager
def served(dataset: Dataset, port: int = 0) -> Iterator[tuple[subprocess.Popen, str]]:
    """Serve the page in a process of its own and give it with its URL."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(dataset.root), str(port)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def post(url: str, path: str, body: object, **headers: str) -> requests.Response:
    """Send JSON as the page does; a header given as "" is left out."""
    if isinstance(body, dict) and "key" not in body:
        shown = requests.get(url + "api/pictures", timeout=10).json()
        body = {"key": shown["key"]} | body
    own = {"Origin": url.rstrip("/"), "Sec-Fetch-Site": "same-origin"} | headers
    own = {k.replace("_", "-"): v for k, v in own.items() if v}
    return requests.post(url + path, json=body, headers=own, timeout=10)


def marked(name: str, state: str, *ids: str, **more: object) -> dict:
    """Return what the page sends for one key."""
    return {"steps": [{"name": name, "kind": "mark", state: list(ids), **more}]}


def jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def number_id(n: int) -> str:
    """Return the id of picture n of `write_board`."""
    return hashlib.sha256(str(n).encode()).hexdigest()


def write_board(
    home: Path,
    count: int,
    *,
    suggestions: Iterable[dict] = (),
    relations: Iterable[tuple[int, int, dict]] = (),
    groups: Iterable[Iterable[int]] = (),
    files: bool = True,
) -> Dataset:
    """Return a data set of `count` pictures named Map 0, Map 1, ... as prune would leave it.

    suggestions name pictures by number ({"id": 3, "keeper": 2, ...}); so do relations and groups.
    Without `files` there are only thumbnails, eight different ones: ten thousand in two seconds.
    """
    dataset = make_dataset(home)
    rows = []
    shown = [painted(n, 160) for n in range(min(count, 8))]
    small = [jpeg(image) for image in shown]
    for n in range(count):
        file = f"pictures/{n}.jpg"
        if files:
            (dataset.root / file).write_bytes(small[n % 8])
        rows.append({"id": number_id(n), "file": file, "title": f"Map {n}", "map_id": str(n)})
    dataset.manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ids = [row["id"] for row in rows]
    with closing(features_of(dataset)) as store:
        store.keep_all((Features(id=id, width=160, height=160), True) for id in ids)
        store.set_suggestions(
            {
                ids[s["id"]]: s
                | {"id": ids[s["id"]], "keeper": ids[s["keeper"]] if "keeper" in s else ""}
                for s in suggestions
            }
        )
        found = [(ids[one], ids[other], data) for one, other, data in relations]
        store.keep_relations(found, "1")
    with thumbs_of(dataset) as thumbs:
        thumbs.put_all((id, small[n % 8]) for n, id in enumerate(ids))
    with Decisions(dataset.decisions) as decisions:
        decisions.set_groups({id: id[:16] for id in ids})
        for members in groups:
            numbers = list(members)
            decisions.set_groups({ids[n]: ids[numbers[0]][:16] for n in numbers})
    return dataset
