"""The review page's server: what it answers, whom it refuses, what survives it."""

import os
import signal
import socket
import threading
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image
from prune_pictures import add, make_dataset, painted
from review_tools import marked, post, served

from mapmaker.errors import BadConfig, MapmakerError, MissingPart
from mapmaker.events import finish
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.prune import prune
from mapmaker.studio.review import serve_review
from mapmaker.workspace import Dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    made = make_dataset(tmp_path)
    for n in range(6):
        add(made, f"{n}.png", painted(n, 96), title=f"Map {n} <b>&amp;")
    add(made, "2 copy.jpg", painted(2, 96).transpose(Image.Transpose.ROTATE_90))
    add(made, "text.jpg", b"no picture")
    finish(prune(made, PruneConfig(min_side_px=32)))
    return made


def test_the_page_is_told_everything_and_finish_ends_the_server(dataset: Dataset) -> None:
    """Names, sizes, suggestions, marks and thumbnails arrive; Finish ends with exit code 0."""
    ids = [row["id"] for row in dataset.rows()]
    with served(dataset) as (process, url):
        shown = requests.get(url + "api/pictures", timeout=10).json()
        thumb = requests.get(f"{url}thumb/{ids[0]}", timeout=10)
        large = requests.get(f"{url}picture/{ids[6]}", timeout=10)
        dropped = post(url, "api/steps", marked("a", "drop", ids[0])).json()
        undone = post(url, "api/steps", {"steps": [{"name": "b", "kind": "undo"}]}).json()
        again = post(url, "api/steps", marked("c", "keep", ids[1])).json()
        states = requests.get(url + "api/marks", timeout=10).json()["states"]
        pages = [requests.get(url + p, timeout=10) for p in ("", "static/review.js")]
        finished = post(url, "api/finish", {})
        code = process.wait(10)

    at = {id: n for n, id in enumerate(shown["id"])}
    rule, level, _, keeper, _ = shown["suggestions"][str(at[ids[6]])]
    assert shown["dataset"] == "own"
    assert shown["id"] == [*ids[:3], ids[6], *ids[3:6], ids[7]]
    assert rule.startswith("duplicate") and level == "drop"
    assert shown["name"][keeper] == "Map 2 <b>&amp;"
    assert str(at[ids[7]]) in shown["problem"]
    assert Image.open(BytesIO(thumb.content)).size == (96, 96)
    assert large.content == (dataset.root / dataset.rows()[6]["file"]).read_bytes()
    assert dropped["marks"] == [[ids[0], "D"]]
    assert undone["results"][0]["marks"] == [ids[0]]
    assert (again["results"][0]["refused"], states) == ("", "uKuuuuuu")
    assert [p.status_code for p in pages] == [200, 200]
    assert "default-src 'self'" in pages[0].headers["Content-Security-Policy"]
    assert (finished.json(), code) == ({"finished": True}, 0)
    with Decisions(dataset.decisions) as decisions:
        assert {i: m.state for i, m in decisions.all().items()} == {
            ids[0]: "undecided",
            ids[1]: "keep",
        }


def test_a_refused_picture_says_so(tmp_path: Path) -> None:
    """Whoever decides is told that the maker's no stands, whatever key is pressed."""
    made = make_dataset(tmp_path)
    add(made, "yes.png", painted(1, 96))
    no = add(made, "no.png", painted(2, 96), ai_training="no")
    finish(prune(made, PruneConfig(min_side_px=128)))

    with served(made) as (_, url):
        shown = requests.get(url + "api/pictures", timeout=10).json()

    rule, level, reason, _, also = shown["suggestions"][str(shown["id"].index(no))]
    assert (rule, level) == ("refused", "look")
    assert reason.startswith("opted out") and reason.endswith("never packed")
    assert also == ["96x96 px; its shorter side is below 128 px"]


def test_a_keeper_is_protected(dataset: Dataset) -> None:
    """Of a map and its copies one must stay: the last is refused, unless the group goes on purpose.

    What is undone afterwards frees it again.
    """
    ids = [row["id"] for row in dataset.rows()]
    keeper, copy = ids[2], ids[6]
    with served(dataset) as (_, url):
        first = post(url, "api/steps", marked("1", "drop", copy)).json()["results"][0]
        last = post(url, "api/steps", marked("2", "drop", keeper)).json()["results"][0]
        other = post(url, "api/steps", marked("3", "drop", keeper, ids[0])).json()["results"][0]
        whole = post(url, "api/steps", marked("4", "drop", keeper, copy, whole=True)).json()

    assert first["refused"] == ""
    assert last["refused"].startswith("Map 2 <b>&amp; stays: its copy is dropped already.")
    assert (other["marks"], "stays" in other["refused"]) == ([ids[0]], True)
    assert whole["results"][0]["refused"] == ""
    with Decisions(dataset.decisions) as decisions:
        assert {i: m.state for i, m in decisions.all().items()} == dict.fromkeys(
            (keeper, copy, ids[0]), "drop"
        )


def test_accepting_a_rule_says_why_for_every_picture(dataset: Dataset) -> None:
    """A suggestion accepted with its rule leaves our reason in the history, under the person."""
    copy = dataset.rows()[6]["id"]
    with served(dataset) as (_, url):
        rule = requests.get(url + "api/pictures", timeout=5).json()["suggestions"]["3"][0]
        post(url, "api/steps", marked("1", "drop", copy, rule=rule))

    with Decisions(dataset.decisions) as decisions:
        mark = decisions.all()[copy]
    assert mark.by == "person" and mark.reason.startswith(f"{rule}: ")


def test_changes_of_others_are_told(dataset: Dataset) -> None:
    """What another tab or a command has marked since is told by number, and nothing else."""
    ids = [row["id"] for row in dataset.rows()]
    with served(dataset) as (_, url):
        seq = post(url, "api/steps", marked("1", "keep", ids[0])).json()["seq"]
        with Decisions(dataset.decisions) as command:
            command.mark(ids[1], "drop", "too dark", "dark@2")
        told = requests.get(f"{url}api/marks?since={seq}", timeout=5).json()
        nothing = requests.get(f"{url}api/marks?since={told['seq']}", timeout=5).json()

    assert (told["seq"], told["marks"]) == (seq + 1, [[ids[1], "d"]])
    assert nothing["marks"] == []


def test_strangers_are_refused(dataset: Dataset) -> None:
    """Foreign hosts, foreign and missing origins, forms and embedded reads all get 403."""
    mark = marked("1", "drop", dataset.rows()[0]["id"])
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
            "cross": post(url, "api/steps", mark, Sec_Fetch_Site="cross-site"),
            "same site": post(url, "api/steps", mark, Sec_Fetch_Site="same-site"),
            "foreign": post(url, "api/steps", mark, Origin="http://evil.example"),
            "null": post(url, "api/steps", mark, Origin="null", Sec_Fetch_Site=""),
            "no origin": post(url, "api/steps", mark, Origin="", Sec_Fetch_Site=""),
            "form": post(url, "api/steps", mark, Content_Type="text/plain"),
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
        marked("1", "perhaps", id),
        {"steps": [{"name": "1", "kind": "mark", "drop": [[], {}]}]},
        {"steps": [{"name": "1", "kind": "mark", "drop": id}]},
        {"steps": [{"name": "1", "kind": "mark"}]},
        {"steps": [{"name": "1", "kind": "undo", "drop": [id]}]},
        {"steps": [{"name": "1", "kind": "undo", "of": 3}]},
        {"steps": [{"name": "", "kind": "undo"}]},
        {"steps": [{"kind": "undo"}]},
        {"steps": ["x"]},
        {"steps": 3},
        {"steps": [{"name": "\ud800", "kind": "undo"}]},
        {"steps": [], "since": "yesterday"},
        {"steps": [], "since": 10**30},
        {"steps": [], "since": -1},
        {"steps": [], "since": True},
        [],
    ]
    with served(dataset) as (_, url):
        refused = [post(url, "api/steps", body).status_code for body in bodies]
        strange = post(url, "api/steps", marked("1", "drop", "0" * 64)).json()["results"][0]
        much = post(url, "api/steps", {"x": "y" * 16_100_000}).status_code
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
    assert strange["refused"].startswith("1 of these pictures are not in this data set")
    assert (much, paths, alive) == (413, [404] * 4, 200)


def test_the_page_of_another_data_set_is_told_so(dataset: Dataset) -> None:
    """A tab left open from another data set on this port neither marks nor finishes."""
    id = dataset.rows()[0]["id"]
    with served(dataset) as (process, url):
        answers = [
            post(url, "api/steps", marked("1", "drop", id) | {"key": "other-0"}),
            post(url, "api/finish", {"key": None}),
        ]
        alive = process.poll() is None

    assert [a.status_code for a in answers] == [409, 409] and alive


def test_a_mark_sent_again_is_one_mark(dataset: Dataset) -> None:
    """When an answer is lost the page asks again; the history has the mark once."""
    mark = marked("tab-1", "drop", dataset.rows()[0]["id"])
    with served(dataset) as (_, url):
        assert [post(url, "api/steps", mark).status_code for _ in range(3)] == [200] * 3

    with Decisions(dataset.decisions) as decisions:
        assert len(decisions.history()) == 1


def test_acknowledged_marks_survive_kill_nine(dataset: Dataset) -> None:
    """However often the server is killed, every mark it acknowledged is in the file."""
    ids = [row["id"] for row in dataset.rows()]
    acknowledged: dict[str, str] = {}
    for round_ in range(3):
        with served(dataset) as (process, url):
            key = requests.get(url + "api/pictures", timeout=10).json()["key"]
            killer = threading.Timer(0.05 + 0.1 * round_, process.kill)
            killer.start()
            try:
                for turn in range(200):
                    state = ("keep", "drop")[turn % 2]
                    for id in ids:
                        name = f"{round_}-{turn}-{id[:8]}"
                        step = marked(name, state, id, whole=True) | {"key": key}
                        if post(url, "api/steps", step).ok:
                            acknowledged[id] = state
            except requests.RequestException:
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
        post(url, "api/steps", marked("1", "keep", dataset.rows()[0]["id"]))
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
        whole = requests.get(f"{url}picture/{id}", timeout=5)

    assert (thumb.status_code, whole.headers["Content-Type"]) == (200, "image/png")
    assert "immutable" in thumb.headers["Cache-Control"]


def test_a_picture_browsers_do_not_know_is_converted(tmp_path: Path) -> None:
    """A TIFF is shown in the loupe as JPEG; what a file is comes from its bytes, not its name."""
    made = make_dataset(tmp_path)
    painted(1, 96).save(tmp_path / "map.tif")
    id = add(made, "map.png", (tmp_path / "map.tif").read_bytes())
    finish(prune(made, PruneConfig(min_side_px=32)))

    with served(made) as (_, url):
        whole = requests.get(f"{url}picture/{id}", timeout=5)

    assert whole.headers["Content-Type"] == "image/jpeg"
    assert Image.open(BytesIO(whole.content)).size == (96, 96)
