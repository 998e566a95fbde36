"""The review page's server: what it answers, whom it refuses, what survives it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image
from prune_pictures import add, make_dataset, painted

from mapmaker.errors import BadConfig, MapmakerError, MissingPart
from mapmaker.events import finish
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.prune import prune
from mapmaker.studio.review import serve_review
from mapmaker.workspace import Dataset

SERVE = (
    "import sys; from pathlib import Path; from mapmaker.workspace import Dataset\n"
    "from mapmaker.studio.review import serve_review\n"
    "from mapmaker.errors import MapmakerError\n"
    "try:\n"
    "    serve_review(Dataset(Path(sys.argv[1])), port=0, ready=lambda u: print(u, flush=True))\n"
    "except MapmakerError as error:\n"
    "    print(error); sys.exit(error.exit_code)\n"
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    made = make_dataset(tmp_path)
    for n in range(6):
        add(made, f"{n}.png", painted(n, 96), title=f"Map {n} <b>&amp;")
    add(made, "2 copy.jpg", painted(2, 96).transpose(Image.Transpose.ROTATE_90))
    add(made, "text.jpg", b"no picture")
    finish(prune(made, PruneConfig(min_side_px=32)))
    return made


@contextmanager
def served(dataset: Dataset) -> Iterator[tuple[subprocess.Popen, str]]:
    """Serve the page in a process of its own and give it with its URL."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(dataset.root)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def post(url: str, path: str, body: object, **headers: str) -> requests.Response:
    own = {"Origin": url.rstrip("/"), "Sec-Fetch-Site": "same-origin"} | headers
    own = {k.replace("_", "-"): v for k, v in own.items() if v}
    return requests.post(url + path, json=body, headers=own, timeout=10)


def test_the_page_is_told_everything_and_finish_ends_the_server(dataset: Dataset) -> None:
    """Names, sizes, suggestions, marks and thumbnails arrive; Finish ends with exit code 0."""
    ids = [row["id"] for row in dataset.rows()]
    with served(dataset) as (process, url):
        shown = requests.get(url + "api/pictures", timeout=10).json()
        by_id = {p["id"]: p for p in shown["pictures"]}
        thumb = requests.get(f"{url}thumb/{ids[0]}", timeout=10)
        large = requests.get(f"{url}picture/{ids[6]}", timeout=10)
        marked = post(url, "api/marks", {"marks": [{"id": ids[0], "state": "drop"}]})
        undone = post(url, "api/undo", {})
        again = post(url, "api/marks", {"marks": [{"id": ids[1], "state": "keep"}]})
        pages = [requests.get(url + p, timeout=10) for p in ("", "static/review.js")]
        finished = post(url, "api/finish", {})
        code = process.wait(10)

    assert shown["dataset"] == "own"
    assert [p["id"] for p in shown["pictures"]] == [*ids[:3], ids[6], *ids[3:6], ids[7]]
    assert by_id[ids[6]]["rule"] == "duplicate-near"
    assert by_id[ids[6]]["keeper"] == "Map 2 <b>&amp;"
    assert by_id[ids[7]]["problem"] and by_id[ids[0]]["state"] == "undecided"
    assert Image.open(BytesIO(thumb.content)).size == (96, 96)
    assert (large.status_code, marked.status_code, again.status_code) == (200, 200, 200)
    assert undone.json()["mark"]["state"] == "undecided"
    assert [p.status_code for p in pages] == [200, 200]
    assert "default-src 'self'" in pages[0].headers["Content-Security-Policy"]
    assert (finished.json(), code) == ({"finished": True}, 0)
    with Decisions(dataset.decisions) as decisions:
        assert {i: m.state for i, m in decisions.all().items()} == {
            ids[0]: "undecided",
            ids[1]: "keep",
        }


def test_strangers_are_refused(dataset: Dataset) -> None:
    """Foreign hosts, foreign and missing origins, forms and embedded reads all get 403."""
    mark = {"marks": [{"id": dataset.rows()[0]["id"], "state": "drop"}]}
    with served(dataset) as (_, url):
        port = url.rstrip("/").rsplit(":", 1)[1]
        answers = {
            "rebinding": requests.get(url, headers={"Host": f"evil.example:{port}"}, timeout=5),
            "prefix": requests.get(url, headers={"Host": f"127.0.0.1.evil:{port}"}, timeout=5),
            "other port": requests.get(url, headers={"Host": "127.0.0.1:1"}, timeout=5),
            "zero": requests.get(url, headers={"Host": f"0.0.0.0:{port}"}, timeout=5),
            "embedded": requests.get(
                url + "api/pictures",
                headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
                timeout=5,
            ),
            "cross": post(url, "api/marks", mark, Sec_Fetch_Site="cross-site"),
            "same site": post(url, "api/marks", mark, Sec_Fetch_Site="same-site"),
            "foreign": post(url, "api/marks", mark, Origin="http://evil.example"),
            "null": post(url, "api/marks", mark, Origin="null", Sec_Fetch_Site=""),
            "no origin": post(url, "api/marks", mark, Origin="", Sec_Fetch_Site=""),
            "form": post(url, "api/marks", mark, Content_Type="text/plain"),
            "finish": post(url, "api/finish", {}, Origin="http://evil.example"),
        }
        alive = requests.get(url, timeout=5).status_code

    assert {name: a.status_code for name, a in answers.items()} == dict.fromkeys(answers, 403)
    assert alive == 200
    with Decisions(dataset.decisions) as decisions:
        assert decisions.all() == {}


def test_nonsense_is_an_answer_not_a_crash(dataset: Dataset) -> None:
    """Unknown pictures and states, wrong shapes, paths and too much data are refused one by one."""
    id = dataset.rows()[0]["id"]
    bodies: list[object] = [
        {"marks": [{"id": "0" * 64, "state": "drop"}]},
        {"marks": [{"id": id, "state": "perhaps"}]},
        {"marks": [{"id": [], "state": {}}]},
        {"marks": ["x"]},
        {"marks": 3},
        [],
    ]
    with served(dataset) as (_, url):
        refused = [post(url, "api/marks", body).status_code for body in bodies]
        much = post(url, "api/marks", {"x": "y" * 1_100_000}).status_code
        paths = [
            requests.get(url + path, timeout=5).status_code
            for path in (
                f"thumb/{dataset.rows()[7]['id']}",
                "thumb/..%2f..%2fmanifest.jsonl",
                "static/..%2freview.py",
                "nothing",
            )
        ]
        alive = requests.get(url + "api/pictures", timeout=5).status_code

    assert refused == [400] * len(bodies)
    assert (much, paths, alive) == (413, [404] * 4, 200)


def test_a_mark_sent_again_is_one_mark(dataset: Dataset) -> None:
    """When an answer is lost the page asks again; the history has the mark once."""
    mark = {"marks": [{"id": dataset.rows()[0]["id"], "state": "drop"}]}
    with served(dataset) as (_, url):
        assert [post(url, "api/marks", mark).status_code for _ in range(3)] == [200] * 3

    with Decisions(dataset.decisions) as decisions:
        assert len(decisions.history()) == 1


def test_acknowledged_marks_survive_kill_nine(dataset: Dataset) -> None:
    """However often the server is killed, every mark it acknowledged is in the file."""
    ids = [row["id"] for row in dataset.rows()]
    acknowledged: dict[str, str] = {}
    for round_ in range(3):
        with served(dataset) as (process, url):
            killer = threading.Timer(0.05 + 0.1 * round_, process.kill)
            killer.start()
            try:
                for turn in range(200):
                    state = ("keep", "drop")[turn % 2]
                    for id in ids:
                        body = {"marks": [{"id": id, "state": state}]}
                        if post(url, "api/marks", body).ok:
                            acknowledged[id] = state
            except requests.ConnectionError:
                pass
            killer.join()
        with Decisions(dataset.decisions) as decisions:
            there = {id: m.state for id, m in decisions.all().items()}
        missing = {i: s for i, s in acknowledged.items() if there.get(i) != s}
        # one mark may be on the disk without its answer having arrived
        assert len(missing) <= 1 and all(there[i] == state for i in missing)
        acknowledged = dict(there)
    assert acknowledged


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_signals_end_the_server_cleanly(dataset: Dataset, signum: int, code: int) -> None:
    """Ctrl-C and SIGTERM end with their own exit code and say that every mark is saved."""
    with served(dataset) as (process, url):
        post(url, "api/marks", {"marks": [{"id": dataset.rows()[0]["id"], "state": "keep"}]})
        os.kill(process.pid, signum)
        rest = process.stdout.read()

        assert process.wait(10) == code
    assert "every mark is saved" in rest


def test_a_taken_port_is_one_clear_line(dataset: Dataset) -> None:
    """Another program on the port is named, with the flag that helps."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(MissingPart, match=f"Port {port} is taken") as caught:
            serve_review(dataset, port=port)

    assert "--port" in caught.value.hint


def test_other_machines_are_not_served(dataset: Dataset) -> None:
    """An address that others can reach is refused, with the safe way to do it."""
    with pytest.raises(BadConfig, match=r"0\.0\.0\.0") as caught:
        serve_review(dataset, host="0.0.0.0")

    assert "ssh -L" in caught.value.hint


def test_a_data_set_that_was_not_pruned_says_so(tmp_path: Path) -> None:
    """Without measurements there is nothing to review."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1, 64))

    with pytest.raises(MapmakerError, match="not been looked at") as caught:
        serve_review(dataset, port=0)

    assert "mapmaker prune own" in caught.value.hint


def test_dropped_and_moved_pictures_are_still_shown(dataset: Dataset) -> None:
    """After --apply a picture lies in dropped/, and the page still shows it."""
    id = dataset.rows()[0]["id"]
    with Decisions(dataset.decisions) as decisions:
        decisions.mark(id, "drop")
    finish(prune(dataset, PruneConfig(min_side_px=32, apply=True)))

    with served(dataset) as (_, url):
        thumb = requests.get(f"{url}thumb/{id}", timeout=5)

    assert thumb.status_code == 200
    assert (dataset.root / ".thumbs" / f"{id}.webp").read_bytes() == thumb.content
