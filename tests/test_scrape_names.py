"""Names that cannot hurt: two hundred hostile ones, as titles, addresses, dates and ZIP members."""

import io
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hostile_names import NAMES
from scrape_tools import NAME, run
from site_servers import Answer, Asked, Site, jpeg

from mapmaker.errors import UnsafeInput
from mapmaker.events import finish
from mapmaker.files import move_inside, read_lines, sha256_of
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.manifest import GAP_REASONS
from mapmaker.scrape.replica import Replica
from mapmaker.scrape.scrape import scrape
from mapmaker.scrape.unzip import picture_members
from mapmaker.workspace import Workspace

SAFE = re.compile(r"pictures/(\d{4}|undated)/[a-z0-9][a-z0-9_-]*_[0-9a-f]{8}\.jpg")
CARD = """
title = "a"
homepage = "https://a.example.org/"
kind = "json"
start = ["https://a.example.org/all"]
hosts = ["a.example.org"]
pictures = ['.']
license = "CC0-1.0"
items = { picture = "url", title = "title", date = "day", theme = "title", attribution = "title" }
"""


class Hostile(Site):
    """A site whose titles, dates and addresses are the names; every picture is another."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = [
            {"url": f"https://a.example.org/{quote(name, safe='%./')}.jpg?n={n}", "title": name,
             "day": f"{name}2003-01-{n % 28 + 1:02d}{name}" if n % 2 else name}
            for n, name in enumerate(NAMES)
        ]  # fmt: skip
        self.zip = zipped({f"{name}.jpg": jpeg(n, 32) for n, name in enumerate(NAMES)})

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/all":
            body = json.dumps([*self.rows, {"url": "/maps.zip", "title": "z"}]).encode()
            return 200, {"Content-Type": "application/json"}, body
        if asked.path == "/maps.zip":
            return 200, {"Content-Type": "application/zip"}, self.zip
        if number := asked.query.get("n"):
            return 200, {"Content-Type": "image/jpeg"}, jpeg(1000 + int(number), 32)
        return super().answer(asked)


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n, (name, data) in enumerate(members.items()):
            info = zipfile.ZipInfo(f"{n}.jpg")
            info.filename = name or "."  # as it is, not as ZipInfo would tidy it
            archive.writestr(info, data)
    return out.getvalue()


def everything(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """One scrape of the hostile site; its workspace lies in a folder of its own, deep down."""
    top = tmp_path_factory.mktemp("hostile")
    home = top / "a" / "b" / "home"
    home.mkdir(parents=True)
    (home / "card.toml").write_text(CARD)
    with Hostile() as site:
        config = ScrapeConfig(via=site.url, contact="dm@example.org", jobs=2)
        done = finish(scrape(Workspace(home), str(home / "card.toml"), config))
    return top, Workspace(home).dataset("card"), done


def test_there_are_two_hundred_of_them():
    """Distinct, and of every kind."""
    assert len(NAMES) >= 200 and len(set(NAMES)) >= 195


def test_nothing_is_written_outside_the_data_set(scraped):
    """Every file lies in the data set, under a name of small letters, digits and dashes."""
    top, dataset, _ = scraped

    outside = {p for p in everything(top) if not p.startswith("a/b/home/datasets/card/")}
    files = {str(p.relative_to(dataset.root)) for p in dataset.pictures.rglob("*") if p.is_file()}

    assert outside == {"a", "a/b", "a/b/home", "a/b/home/card.toml", "a/b/home/datasets",
                       "a/b/home/datasets/card"}  # fmt: skip
    assert [f for f in files if not SAFE.fullmatch(f)] == []
    assert max(len(f.removeprefix("pictures/").encode()) for f in files) <= 120
    assert len({f.casefold() for f in files}) == len(files)


def test_every_name_is_remembered_with_its_file(scraped):
    """The manifest says which address and which title came to which file; no picture is lost."""
    _, dataset, done = scraped
    rows = {r["picture_url"]: r for r in dataset.rows()}
    gaps = {g["picture_url"]: g["reason"] for g in read_lines(dataset.gaps)}

    shas = {sha256_of(p) for p in dataset.pictures.rglob("*.jpg")}
    assert {r["id"] for r in rows.values()} == shas
    direct = [url for url in rows if ".zip#" not in url]
    assert len(direct) + len([g for g in gaps if ".zip#" not in g]) == len(NAMES)
    assert len(direct) == len(NAMES)
    assert set(gaps.values()) <= {"unsafe-name"} and done.exit_code == 4
    titles = {r["title"] for r in rows.values()}
    assert {"../evil", "con", "a\u202eb", "aux.txt", "Stra\u00dfe", "STRASSE"} <= titles


def test_members_of_an_archive_are_named_by_us(scraped):
    """A member that climbs is a gap with its name, every other one a picture under a safe name."""
    _, dataset, _ = scraped
    inside = [r for r in dataset.rows() if ".zip#" in r["picture_url"]]
    refused = [g for g in read_lines(dataset.gaps) if ".zip#" in g["picture_url"]]

    assert len(inside) > 120 and len(refused) >= 20
    climbing = [g["picture_url"].partition("#")[2] for g in refused]
    assert all(".." in n or n[0] in "/\\" or ":" in n or "\0" in n for n in climbing)
    assert all(SAFE.fullmatch(r["file"]) for r in inside)


def test_a_zip_file_within_a_zip_file_is_not_lost_in_silence(tmp_path):
    """It is not opened, and it is named with its reason; a resource fork's is nobody's loss."""
    path = tmp_path / "maps.zip"
    inner = zipped({"b.jpg": jpeg(1, 32)})
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.jpg", "More Maps.ZIP", "__MACOSX/more.zip"):
            archive.writestr(name, inner)

    found = dict(picture_members(path, max_bytes=10**6))

    assert set(found) == {"a.jpg", "More Maps.ZIP"}
    assert found["More Maps.ZIP"].reason == "zip-in-zip" and "zip-in-zip" in GAP_REASONS


@pytest.mark.parametrize("file", ["../x", "a/../../x", "/x", "a//x", "", "a/", ".", "a/./x"])
def test_a_place_that_is_none_is_refused(tmp_path, file):
    """Whoever asks for it: the last door before the disk is shut too."""
    (tmp_path / "part").write_bytes(b"x")
    (tmp_path / "root").mkdir()

    with pytest.raises(UnsafeInput):
        move_inside(tmp_path / "part", tmp_path / "root", file)

    assert everything(tmp_path) == {"part", "root"}


@pytest.mark.parametrize("link", ["pictures", "pictures/2003", "parts", "parts/x.part",
                                  "fetch_log.jsonl", "pictures/x.jpg"])  # fmt: skip
def test_nothing_is_written_through_a_link(workspace, tmp_path, link):
    """A link that somebody put into the data set is refused by its name; what it led to is as it
    was."""
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside if "." not in link else outside / "precious"
    (outside / "precious").write_text("mine")
    place = workspace.dataset(NAME).root / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    with Replica(maps=4, side_px=48, drawn=False, faults=False) as archive:
        with pytest.raises(UnsafeInput, match=re.escape(place.name)):
            run(workspace, archive)

        assert archive.picture_requests() == []
    assert everything(outside) == {"precious"} and (outside / "precious").read_text() == "mine"


def test_a_link_that_appears_while_we_work_is_not_followed(tmp_path):
    """Each folder on the way is opened without following links: there is no moment between."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "pictures").mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "part").write_bytes(b"x")
    (root / "pictures/2003").symlink_to(outside)

    with pytest.raises(UnsafeInput, match="2003"):
        move_inside(tmp_path / "part", root, "pictures/2003/x.jpg")

    assert everything(outside) == set() and (tmp_path / "part").exists()
