"""What one map is: files under one head that show the same, in whatever size, dress or encoding."""

import base64
import io
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
from grouping import EncodedAnew, add_strangers, agreement
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scrape_tools import NAME, pictures_on_disk, run
from web_tools import served

from mapmaker.errors import MissingPart, Stopped
from mapmaker.events import Step, finish
from mapmaker.files import read_lines
from mapmaker.prune.tombstones import forget
from mapmaker.scrape import ledger, onemap
from mapmaker.scrape.check import phash
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.onemap import Member, maps_of, outlines_from, outlines_in
from mapmaker.scrape.replica import Replica
from mapmaker.scrape.replica.art import _painted
from mapmaker.scrape.replica.plan import VARIANT
from mapmaker.scrape.scrape import scrape
from mapmaker.workspace import Workspace

TEMPLE, KEEP = "2003-12-25_the-temple", "2004-01-01_the-keep"


class Table:
    """Pictures laid side by side: what each would be in a manifest, and its outlines."""

    def __init__(self, folder) -> None:
        self.folder, self.files = folder, {}

    def lay(self, entry, sha, picture, variant=None, dpi=None) -> Member:
        self.files[sha] = self.folder / f"{sha}.png"
        picture.save(self.files[sha])
        rank = (False, variant is not None, -(dpi or 0), sha)
        bits = int(phash(picture.convert("L")), 16)
        return Member(entry, sha, bits, picture.width * picture.height, rank)

    def outlines(self, sha):
        return outlines_from(outlines_in(self.files[sha]))


@pytest.fixture
def table(tmp_path) -> Table:
    return Table(tmp_path)


@pytest.mark.parametrize("art", [0, 1, 2, 3], ids=["dungeon", "cave", "building", "wilderness"])
def test_sizes_and_dresses_of_one_plan_are_one_map(table, art):
    """Twice the size, drawn anew on white, in grey, as a negative: one map_id, without a number."""
    plan, white = _painted(art, 240, True), _painted(art + VARIANT, 240, True)
    negative = Image.fromarray(255 - np.asarray(plan))
    pictures = [plan, plan.resize((480, 480)), white, white.convert("L"), negative]
    members = [
        table.lay(TEMPLE, f"{n}" * 8, picture, dpi=72 * n or None)
        for n, picture in enumerate(pictures)
    ]

    assert set(maps_of(members, table.outlines).values()) == {(TEMPLE, TEMPLE)}


def test_a_handout_and_a_detail_are_maps_of_their_own(table):
    """What shows something else, or a part in large, is named after its own picture."""
    plan = _painted(0, 240, True)
    members = [
        table.lay(TEMPLE, "a" * 64, plan, dpi=300),
        table.lay(TEMPLE, "b" * 64, plan.crop((60, 60, 180, 180)), variant="Detail"),
        table.lay(TEMPLE, "c" * 64, _painted(6, 240, True), variant="Handout"),
    ]

    decided = maps_of(members, table.outlines)

    assert [decided[m.sha256][1] for m in members] == [
        TEMPLE, f"{TEMPLE}_bbbbbbbb", f"{TEMPLE}_cccccccc",
    ]  # fmt: skip


def test_a_copy_under_another_head_belongs_to_its_own_map(table):
    """The same bytes are listed twice: they belong where other pictures are like them."""
    temple, keep = _painted(0, 240, True), _painted(4, 240, True)
    members = [
        table.lay(KEEP, "c" * 64, temple, dpi=72),
        table.lay(KEEP, "d" * 64, keep, dpi=150),
        table.lay(TEMPLE, "c" * 64, temple, dpi=72),
        table.lay(TEMPLE, "e" * 64, temple.resize((480, 480)), dpi=150),
    ]

    decided = {sha[0]: map_id for sha, (_, map_id) in maps_of(members, table.outlines).items()}

    assert decided == {"c": TEMPLE, "e": TEMPLE, "d": KEEP}


@pytest.mark.parametrize("dpi", [None, 150], ids=["smaller than its neighbour", "larger"])
def test_a_copy_in_another_encoding_belongs_to_its_original_too(table, dpi):
    """Under another week's head, smaller and softer: like nothing else there, it goes back."""
    temple, keep = _painted(0, 240, True), _painted(4, 240, True)
    soft = io.BytesIO()
    temple.resize((220, 220)).save(soft, "JPEG", quality=40)
    members = [
        table.lay(KEEP, "d" * 64, keep, dpi=72),
        table.lay(KEEP, "c" * 64, Image.open(soft), dpi=dpi),
        table.lay(TEMPLE, "e" * 64, temple, dpi=150),
        table.lay(TEMPLE, "f" * 64, temple.resize((480, 480)), dpi=300),
    ]

    decided = {sha[0]: map_id for sha, (_, map_id) in maps_of(members, table.outlines).items()}

    assert decided == {"c": TEMPLE, "e": TEMPLE, "f": TEMPLE, "d": KEEP}


def test_what_cannot_be_read_or_has_no_lines_is_like_nothing(tmp_path):
    """A torn file and a blank sheet have outlines of length 0."""
    Image.new("RGB", (64, 64), "white").save(tmp_path / "blank.png")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")

    for name in ("blank.png", "torn.png", "not-there.png"):
        nothing = outlines_from(outlines_in(tmp_path / name))
        assert nothing.length == 0 and nothing @ nothing == 0, name


@pytest.mark.parametrize("least", [1, 1_000], ids=["many pieces", "few pieces"])
def test_outlines_agree_as_their_correlation_says(monkeypatch, least):
    """By hand for a few pieces and by numpy for many: the same pairs, those of corrcoef."""
    noise = np.random.default_rng(7)
    base = noise.integers(0, 16, 1024)
    mixed = [np.where(noise.random(1024) < keep, base, noise.integers(0, 16, 1024))
             for keep in np.linspace(0, 1, 24)]  # fmt: skip
    levels = [*mixed, np.zeros(1024, int), np.full(1024, 15)]
    packed = [bytes((m[::2] << 4 | m[1::2]).astype(np.uint8).tolist()) for m in levels]
    drawn = [outlines_from(base64.b64encode(text).decode()) for text in packed]
    with np.errstate(invalid="ignore"):
        right = np.nan_to_num(np.corrcoef(levels))

    monkeypatch.setattr(onemap, "_MANY", least)
    alike = onemap._alike(drawn)

    pairs = [(i, j) for i in range(len(drawn)) for j in range(len(drawn))]
    assert [alike(i, j) for i, j in pairs] == [
        right[i, j] >= onemap.SAME_OUTLINES for i, j in pairs
    ]
    assert all(drawn[i] @ drawn[j] == pytest.approx(right[i, j]) for i, j in pairs)


hashes = st.integers(0, 2**64 - 1) | st.sampled_from([0, 7, 63, 2**63])
listed = st.lists(st.tuples(st.sampled_from([TEMPLE, KEEP]), hashes), min_size=1, max_size=12)


def decided(members):
    return maps_of(members, lambda sha: np.zeros(1024))


@given(listed, st.integers(0, 99))
def test_the_order_of_pictures_changes_nothing(pictures, seed):
    """Whichever came first: the same pictures are one map with the same others, under one name."""
    members = [
        Member(entry, f"{n:064x}", bits, 100, (False, False, 0, f"{n}"))
        for n, (entry, bits) in enumerate(pictures)
    ]
    shuffled = random.Random(seed).sample(members, len(members))

    assert decided(shuffled) == decided(members)


def test_equal_bytes_under_two_heads_belong_where_their_like_are():
    """Most of their like decide; where none have more, the page that lists them first."""
    copy = [Member(entry, "a" * 64, 0, 100, (False, False, 0, "a")) for entry in (KEEP, TEMPLE)]
    like = Member(TEMPLE, "b" * 64, 1, 100, (False, False, 0, "b"))

    assert decided(copy)["a" * 64] == (KEEP, KEEP)
    assert decided(copy[::-1])["a" * 64] == (TEMPLE, TEMPLE)
    assert decided([*copy, like])["a" * 64] == (TEMPLE, TEMPLE)


@given(listed, listed)
def test_further_maps_change_no_name(before, more):
    """A new week leaves every map_id as it was."""
    old = [
        Member(entry, f"{n:064x}", bits, 100, (False, False, 0, f"{n}"))
        for n, (entry, bits) in enumerate(before)
    ]
    new = [
        Member(f"2004-01-08_{entry[11:]}", f"f{n:063x}", bits, 100, (False, False, 0, f"{n}"))
        for n, (entry, bits) in enumerate(more)
    ]

    assert decided(old).items() <= decided([*new, *old]).items()


def test_every_file_is_under_the_map_that_it_shows(tmp_path):
    """Handouts planted, every JPEG encoded anew: precision and recall 1; names say what is what."""
    workspace = Workspace(tmp_path)
    with EncodedAnew(maps=16, side_px=64, drawn=False, faults=False) as archive:
        add_strangers(archive, 3)
        run(workspace, archive, dpi="all")
        found = agreement(archive, workspace.dataset(NAME))

        assert (found.maps, found.precision, found.recall) == (19, 1.0, 1.0)
        rows = workspace.dataset(NAME).rows()
        handouts = [r for r in rows if r["variant"] == "Handout"]
        assert len(handouts) == 3 and len([r for r in rows if r["variant"] is not None]) > 3
        for row in handouts:
            assert row["map_id"].endswith(f"_{row['id'][:8]}")
            assert f"{row['map_id']}_handout_" in row["file"].replace(row["id"][:8] + ".", "")


def test_other_resolutions_that_come_later_join_their_map(tmp_path):
    """First 72 dpi, then all of them: what a first run of all of them leaves, to the byte."""
    lists = []
    with Replica(maps=8, side_px=64, drawn=False, faults=False) as archive:
        add_strangers(archive, 2)
        for name, runs in (("once", ["all"]), ("twice", ["72", "all"]), ("less", ["all", "72"])):
            workspace = Workspace(tmp_path / name)
            for dpi in runs:
                run(workspace, archive, dpi=dpi)
            lists.append(workspace.dataset(NAME).manifest.read_bytes())

    assert lists[0] == lists[1] == lists[2]


def test_who_forgets_a_title_forgets_its_handouts_too_and_their_outlines(tmp_path):
    """A title is one head's, however many maps stand under it; --erase leaves no outline behind."""
    workspace = Workspace(tmp_path)
    with Replica(maps=8, side_px=64, drawn=False, faults=False) as archive:
        add_strangers(archive, 1)
        run(workspace, archive, dpi="all")
        dataset = workspace.dataset(NAME)
        (handout,) = (r for r in dataset.rows() if r["variant"] == "Handout")
        meant = {r["id"] for r in dataset.rows() if r["title"] == handout["title"]}
        drawn = {line["sha256"] for line in read_lines(dataset.fetch_log) if "outlines" in line}

        done = finish(forget(workspace, dataset, [handout["title"]], erase=True))
        run(workspace, archive, dpi="all")

    left = {line["sha256"] for line in read_lines(dataset.fetch_log) if "outlines" in line}
    assert set(done.data["removed"]) == meant and len(meant) > 2
    assert handout["id"] in drawn and not left & meant
    assert not meant & {r["id"] for r in dataset.rows()}


KILLED = """
import os, signal, sys
from pathlib import Path
from mapmaker.errors import MissingPart, Stopped
from mapmaker.events import Step, finish
from mapmaker.scrape import ledger
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.scrape import scrape
from mapmaker.workspace import Workspace

home, url, when = sys.argv[1:]
move = ledger.move_inside

def kill(old, root, file):
    if old.suffix != ".part" and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    move(old, root, file)
    if old.suffix != ".part":
        os.kill(os.getpid(), signal.SIGKILL)

ledger.move_inside = kill
finish(scrape(Workspace(Path(home)), "map-of-the-week", ScrapeConfig(via=url, dpi="all")))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_files_get_the_names_of_their_maps_changes_nothing(tmp_path, when):
    """The log speaks of a name that the file has not yet, or there is no list: the end is one."""
    calm, torn = Workspace(tmp_path / "calm"), Workspace(tmp_path / "torn")
    with Replica(maps=8, side_px=64, drawn=False, faults=False) as archive:
        add_strangers(archive, 2)
        run(calm, archive, dpi="all")
        code = [sys.executable, "-c", KILLED, torn.home, archive.url, when]
        assert subprocess.run(code, check=False).returncode == -signal.SIGKILL
        assert not torn.dataset(NAME).manifest.exists()
        archive.requests.clear()
        run(torn, archive, dpi="all")

    assert archive.picture_requests() == []
    assert torn.dataset(NAME).manifest.read_bytes() == calm.dataset(NAME).manifest.read_bytes()
    assert pictures_on_disk(torn) == pictures_on_disk(calm)


def test_who_stops_waits_for_no_outline(tmp_path):
    """Told to stop, it lists what is here as it is; the next run leaves what a calm one leaves."""
    calm, torn = Workspace(tmp_path / "calm"), Workspace(tmp_path / "torn")
    with Replica(maps=8, side_px=64, drawn=False, faults=False) as archive:
        add_strangers(archive, 2)
        run(calm, archive, dpi="all")
        for event in (events := scrape(torn, NAME, ScrapeConfig(via=archive.url, dpi="all"))):
            if isinstance(event, Step) and event.unit == "maps" and event.done == event.total:
                signal.raise_signal(signal.SIGTERM)
                break
        with pytest.raises(Stopped):
            list(events)
        stopped = torn.dataset(NAME)
        rows = stopped.rows()
        assert len(rows) == len(calm.dataset(NAME).rows())
        assert all((stopped.root / row["file"]).is_file() for row in rows)
        assert b"outlines" not in stopped.fetch_log.read_bytes()
        archive.requests.clear()
        run(torn, archive, dpi="all")

    assert archive.picture_requests() == []
    assert torn.dataset(NAME).manifest.read_bytes() == calm.dataset(NAME).manifest.read_bytes()
    assert pictures_on_disk(torn) == pictures_on_disk(calm)


def test_a_disk_that_is_full_at_the_end_costs_no_list(tmp_path, monkeypatch):
    """No room to note outlines and new names: every picture is listed; the next run mends it."""
    calm, torn = Workspace(tmp_path / "calm"), Workspace(tmp_path / "torn")
    append = ledger.Ledger._append

    def full(self, records):
        records = list(records)
        if any(r["key"] in self._records for r in records):  # a second word on a file
            raise MissingPart("The disk is full.")
        append(self, records)

    with Replica(maps=8, side_px=64, drawn=False, faults=False) as archive:
        add_strangers(archive, 2)
        run(calm, archive, dpi="all")
        monkeypatch.setattr(ledger.Ledger, "_append", full)
        run(torn, archive, dpi="all")
        monkeypatch.undo()

        listed = [{**row, "file": None} for row in torn.dataset(NAME).rows()]
        assert listed == [{**row, "file": None} for row in calm.dataset(NAME).rows()]
        assert {r["file"] for r in torn.dataset(NAME).rows()} == pictures_at(torn)
        assert pictures_at(torn) != pictures_at(calm)
        run(torn, archive, dpi="all")

    assert torn.dataset(NAME).manifest.read_bytes() == calm.dataset(NAME).manifest.read_bytes()
    assert pictures_at(torn) == pictures_at(calm)


def pictures_at(workspace):
    root = workspace.dataset(NAME).root
    found = root.glob("pictures/**/*.*")
    return {path.relative_to(root).as_posix() for path in found if path.is_file()}


def test_a_list_s_own_map_id_is_not_looked_behind(tmp_path):
    """Who writes that two pictures are one map knows it; both of them come."""
    workspace = Workspace(tmp_path)
    pictures = {f"/{n}.png": _painted(n, 160, True) for n in range(2)}

    def answer(reply, tries):
        pictures[reply.path].save(tmp_path / "x.png")
        reply.say_file((tmp_path / "x.png").read_bytes(), {"Content-Type": "image/png"})

    with served(answer) as server:
        listed = "".join(f"http://maps.example{path},the keep\n" for path in pictures)
        (tmp_path / "maps.csv").write_text(f"url,map_id\n{listed}")
        config = ScrapeConfig(via=server.url, jobs=1)
        finish(scrape(workspace, str(tmp_path / "maps.csv"), config))

    assert [r["map_id"] for r in workspace.dataset("maps").rows()] == 2 * ["undated_the-keep"]
