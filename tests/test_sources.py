"""Sites are cards: a WordPress gallery, a category of Commons, a list; each told by data alone."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import pytest
from site_servers import Answer, Asked, Commons, Site, WordPress, jpeg

from mapmaker.errors import BadConfig, MapmakerError
from mapmaker.events import Done, finish
from mapmaker.files import read_lines, sha256_of
from mapmaker.scrape.card import explained
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.items import read_items, spdx
from mapmaker.scrape.scrape import scrape
from mapmaker.scrape.source import Entry, Items, Source, read_source
from mapmaker.scrape.urllist import read_list
from mapmaker.shelf import shelf
from mapmaker.workspace import Workspace

CC_BY_SA, CC0 = "CC BY-SA 4.0", "CC0"


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


def copied(tmp_path, name: str, *changes: tuple[str, str]) -> str:
    """Copy a card as a person does: the template line away, and their own words in."""
    text = (shelf("scrapers") / f"{name}.toml").read_text("utf-8")
    for old, new in (("template = true", "template = false"), *changes):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / f"my-{name}.toml"
    path.write_text(text, "utf-8")
    return str(path)


def run(workspace: Workspace, card: str, site: Site, **options) -> Done:
    config = {"via": site.url, "contact": "dm@example.org", "backoff_s": 0.01, **options}
    return finish(scrape(workspace, card, ScrapeConfig(**config)))


def refused(workspace: Workspace, name: str) -> dict[str, str]:
    gaps = read_lines(workspace.dataset(name).gaps)
    return {g["picture_url"].rsplit("/", 1)[-1]: g["reason"] for g in gaps}


def test_a_wordpress_gallery_is_read_post_by_post(workspace, tmp_path):
    """Full sizes of every post but the one that forbids training, with its title, day and page."""
    with WordPress(posts=5) as site:
        done = run(workspace, copied(tmp_path, "wordpress"), site)

        rows = workspace.dataset("my-wordpress").rows()
        wanted = {p: d for p, d in site.files.items() if "lair-3" not in p}
        assert sorted(site.paths()) == sorted(wanted)
        assert done.exit_code == 0 and len(rows) == len(wanted) == 5
        first = next(r for r in rows if r["picture_url"].endswith("/lair-1.jpg"))
        assert (first["title"], first["date"]) == ("The Dragon\u2019s Lair 1", "2023-07-02")
        assert first["page_url"] == "https://maps.example.org/2023/07/01/lair-1/"
        assert first["description"] == "A lair of old. [\u2026]"
        assert refused(workspace, "my-wordpress") == {"lair-3.jpg": "no-training"}


def test_the_pictures_of_one_post_are_variants_of_one_map(workspace, tmp_path):
    """Grid and no grid show one map: both are fetched, under one map_id."""
    with WordPress(posts=2) as site:
        run(workspace, copied(tmp_path, "wordpress"), site)

    both = [r for r in workspace.dataset("my-wordpress").rows() if "lair-2" in r["picture_url"]]
    assert {r["variant"] for r in both} == {"lair-2", "lair-2-no-grid"}
    assert len({r["map_id"] for r in both}) == 1


@pytest.mark.parametrize("posts", [2, 4, 5, 6])
def test_wordpress_is_asked_for_every_page_and_for_none_beyond(workspace, tmp_path, posts):
    """Two posts a page: a full last page is followed by one empty answer, which is no gap."""
    card = copied(
        tmp_path,
        "wordpress",
        ("per_page=100", "per_page=2"),
        ("page_items = 100", "page_items = 2"),
    )
    with WordPress(posts=posts) as site:
        done = run(workspace, card, site, with_refused=True)

    asked = [a.query.get("offset", "0") for a in site.asked if a.path.endswith("/posts")]
    assert asked == [str(n) for n in range(0, posts + 1, 2)]
    assert done.exit_code == 0 and done.data["maps"] == posts


def test_with_refused_fetches_what_no_shard_will_hold(workspace, tmp_path):
    """--with-refused brings the picture home; that its maker said no is another stage's to heed."""
    with WordPress(posts=3) as site:
        run(workspace, copied(tmp_path, "wordpress"), site, with_refused=True)

    assert refused(workspace, "my-wordpress") == {}
    assert len(workspace.dataset("my-wordpress").rows()) == 4


def test_a_category_of_commons_keeps_each_files_licence(workspace, tmp_path):
    """Licence, maker, day and page of every file; one request at a time; our name in each."""
    names = [
        ("Caves of Ash.jpg", CC_BY_SA), ("Karte.jpg", "Public domain"), ("Hall.jpg", CC0),
        ("\u041a\u0430\u0440\u0442\u0430.jpg", CC0), ("\u0413\u043e\u0440\u0430.jpg", CC0),
    ]  # fmt: skip
    card = copied(tmp_path, "commons", ("Category:NAME", "Category:Old_maps"))
    with Commons(names) as site:
        done = run(workspace, card, site, jobs=4)

        assert max(a.in_flight for a in site.asked) == 1
        assert {a.agent for a in site.asked} == {"mapmaker/0.1.0 (+dm@example.org)"}
        rows = workspace.dataset("my-commons").rows()
        assert done.exit_code == 0 and len(rows) == 5
    by_name = {r["picture_url"].rsplit("/", 1)[-1]: r for r in rows}
    ash = by_name["Caves_of_Ash.jpg"]
    assert ash["license"] == "CC-BY-SA-4.0"
    assert ash["license_url"] == "https://creativecommons.org/licenses/by-sa/4.0"
    assert (ash["attribution"], ash["date"]) == ("Ann", "2019-03-01")
    assert ash["description"] == "A plan of caves & halls"
    assert ash["page_url"].endswith("/wiki/File:Caves of Ash.jpg")
    assert by_name["Hall.jpg"]["license"] == "CC0-1.0"
    assert by_name["Karte.jpg"]["license"] == "Public domain"


def test_commons_is_asked_again_while_its_databases_lag(workspace, tmp_path):
    """A 200 that says Retry-After is no answer; /w/ is for programs whatever robots.txt says."""
    card = copied(tmp_path, "commons", ("Category:NAME", "Category:Old_maps"))
    with Commons([("A.jpg", CC0), ("B.jpg", CC0), ("C.jpg", CC0)]) as site:
        done = run(workspace, card, site)

    questions = [a for a in site.asked if a.path == "/w/api.php"]
    assert done.data["pictures"] == 3 and len(questions) == 3
    assert [q.query.get("gcmcontinue") for q in questions] == [None, None, "file|2"]
    assert all(q.query["gcmtitle"] == "Category:Old_maps" for q in questions)


def test_a_file_that_is_not_what_commons_says_is_refused(workspace, tmp_path):
    """Its SHA-1 is held against the API's: a whole picture, but another one."""
    card = copied(tmp_path, "commons", ("Category:NAME", "Category:Old_maps"))
    with Commons([("A.jpg", CC0), ("B.jpg", CC0)], lies="B.jpg") as site:
        done = run(workspace, card, site, tries=2)

    assert refused(workspace, "my-commons") == {"B.jpg": "digest"}
    assert done.data["pictures"] == 1 and done.exit_code == 4


LIST = """\ufeffurl;title;licence;ai_training;date;dpi
# a remark
https://a.example.org/m/mill.jpg;The Old Mill;CC BY 4.0;yes;2024-03-01;150
https://b.example.org/m/mill.jpg;;;no;;
https://b.example.org/n/mill.jpg;"A ""mill""; red";;;1999-99-99;x
https://b.example.org/n/mill.jpg;again;;;;

http://127.0.0.1/x.jpg;;;;;
file:///etc/passwd;;;;;
"""


def test_a_table_of_addresses_is_a_source(workspace, tmp_path):
    """`mapmaker scrape maps.csv`: what its columns say is kept; a no in them is heeded."""
    path = tmp_path / "maps.csv"
    path.write_text(LIST, "utf-8")
    with Site() as site:
        site.files = {"/m/mill.jpg": jpeg(1), "/n/mill.jpg": jpeg(2)}
        done = run(workspace, str(path), site)

        rows = {r["picture_url"]: r for r in workspace.dataset("maps").rows()}
        assert sorted(rows) == ["https://a.example.org/m/mill.jpg",
                                "https://b.example.org/n/mill.jpg"]  # fmt: skip
        assert {(a.host, a.path) for a in site.asked if "robots" not in a.path} == {
            ("a.example.org", "/m/mill.jpg"), ("b.example.org", "/n/mill.jpg")
        }  # fmt: skip
    mill = rows["https://a.example.org/m/mill.jpg"]
    assert (mill["title"], mill["license"], mill["ai_training"], mill["dpi"], mill["date"]) == (
        "The Old Mill", "CC-BY-4.0", "yes", 150, "2024-03-01",
    )  # fmt: skip
    other = rows["https://b.example.org/n/mill.jpg"]
    assert (other["title"], other["license"], other["date"]) == ('A "mill"; red', "unknown", None)
    gaps = {g["picture_url"]: g["reason"] for g in read_lines(workspace.dataset("maps").gaps)}
    assert gaps == {
        "https://b.example.org/m/mill.jpg": "no-training",
        "http://127.0.0.1/x.jpg": "unsafe-link", "file:///etc/passwd": "unsafe-link",
    }  # fmt: skip
    assert done.exit_code == 4


def test_a_text_file_of_addresses_is_a_source(workspace, tmp_path):
    """One address a line; files of one name in two folders stay two maps."""
    path = tmp_path / "maps.txt"
    path.write_text("# mine\nhttps://a.example.org/x/1.jpg\n\n  https://a.example.org/y/1.jpg \n")
    with Site() as site:
        site.files = {"/x/1.jpg": jpeg(3), "/y/1.jpg": jpeg(4)}
        done = run(workspace, str(path), site)

    found = {sha256_of(p) for p in workspace.dataset("maps").pictures.rglob("*.jpg")}
    assert len(found) == done.data["maps"] == 2 and done.exit_code == 0


def test_a_list_on_the_network_is_read_like_one_here(workspace, tmp_path):
    """start in place of list: addresses without a host are the site's own."""
    card = tmp_path / "far.toml"
    card.write_text("""
title = "a"
homepage = "https://a.example.org/"
kind = "list"
start = ["https://a.example.org/list.txt"]
hosts = ["a.example.org"]
pictures = ['.']
license = "CC0-1.0"
""")
    with Site() as site:
        site.files = {
            "/list.txt": b"/x/1.jpg\nhttps://other.example.org/2.jpg",
            "/x/1.jpg": jpeg(3),
        }
        run(workspace, str(card), site)

    assert [r["license"] for r in workspace.dataset("far").rows()] == ["CC0-1.0"]
    assert refused(workspace, "far") == {"2.jpg": "foreign-host"}


@pytest.mark.parametrize("name", ["wordpress", "commons", "list"])
def test_a_template_is_to_be_copied(workspace, name):
    """On its own it asks nobody anything, and says what to change."""
    with Site() as site, pytest.raises(BadConfig, match="copied") as error:
        run(workspace, name, site)

    assert site.asked == [] and "license" in error.value.hint


def test_a_card_that_says_no_to_training_is_not_scraped(workspace, tmp_path):
    """No request at all, unless the person wants it for their own eyes."""
    no = ('ai_training = "unknown"', 'ai_training = "no"')
    card = copied(tmp_path, "wordpress", no)
    with WordPress(posts=1) as site:
        with pytest.raises(MapmakerError, match="may not learn"):
            run(workspace, card, site)
        assert site.asked == []

        run(workspace, card, site, with_refused=True)

    assert [r["ai_training"] for r in workspace.dataset("my-wordpress").rows()] == ["no"]


@pytest.mark.parametrize(
    ("words", "name"),
    [("CC BY-SA 4.0", "CC-BY-SA-4.0"), ("cc by 3.0 de", "CC-BY-3.0"), ("CC0", "CC0-1.0"),
     ("CC BY-NC-ND 2.0", "CC-BY-NC-ND-2.0"), ("Public domain", "Public domain"),
     ("FAL", "FAL"), ("CC-BY-4.0", "CC-BY-4.0")],
)  # fmt: skip
def test_creative_commons_licences_get_their_short_names(words, name):
    """So that `pack --licenses CC-BY-SA-4.0` finds them; what is not known stays as it is."""
    assert spdx(words) == name


def test_digits_that_are_no_number_are_passed_over():
    """A table's dpi and an answer's size may be written as ², which Python calls a digit."""
    commons = read_source("commons")
    url = "https://upload.wikimedia.org/wikipedia/commons/a/ab/A.jpg"
    page = {"title": "File:A.jpg", "imageinfo": [{"url": url, "mime": "image/jpeg", "size": "²"}]}

    (find,) = read_list(commons, "", f"url,dpi\n{url},²\n".encode()).finds
    (sized,) = read_items(
        commons, commons.start[0], json.dumps({"query": {"pages": [page]}}).encode()
    ).finds

    assert find.dpi is None and sized.declared_bytes is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[]", b"{}", b"[[[]]]", b'[{"content": 3}]', b"[" * 100_000,
     b'[{"content": {"rendered": "<a href=\\"http://[\\">x</a>"}}]', b"\xff\xfe[]"],
)  # fmt: skip
def test_an_answer_that_is_no_json_of_that_kind_gives_nothing(body):
    """And no error: one bad answer does not end a run."""
    source = read_source("wordpress")

    page = read_items(source, source.start[0], body)

    assert page.finds == [] and page.follow == []


@pytest.mark.parametrize("body", [b"", b"\0\0\0", b'url\n"', b"\xff\xfe\n\xff", b"# only\n"])
def test_a_list_of_nothing_is_nothing(tmp_path, body):
    """Empty, binary and unfinished lists name no file that could be fetched."""
    (tmp_path / "x.csv").write_bytes(body)

    page = read_list(read_source(str(tmp_path / "x.csv")), "", body)

    assert [f for f in page.finds if f.link.refusal is None] == []


PAGE = Path(__file__).parents[1] / "docs" / "sources.md"
EXAMPLES = re.findall(r"on loopback -->\n```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


class Guild(Site):
    """The site the page in docs/ speaks of."""

    PAGES: ClassVar = {
        "/archive": '<p><a href="/archive/2024">2024</a> <a href="/about">us</a>',
        "/archive/2024": '<p><a href="/files/mill_72dpi.jpg">The Old Mill</a> '
        '<a href="/files/mill_150dpi.jpg">large</a></p>'
        '<p><a href="https://ads.example.com/files/x.png">buy</a>',
    }

    def answer(self, asked: Asked) -> Answer:
        if asked.path in self.PAGES:
            return 200, {"Content-Type": "text/html"}, self.PAGES[asked.path].encode()
        return super().answer(asked)


def test_the_site_in_ten_lines_of_the_documents_is_one(workspace, tmp_path):
    """The TOML is the page's own; it has ten lines, and brings the map home in its best size."""
    (tmp_path / "guild.toml").write_text(EXAMPLES[0], "utf-8")
    with Guild() as site:
        site.files = {f"/files/mill_{n}dpi.jpg": jpeg(n) for n in (72, 150)}
        run(workspace, str(tmp_path / "guild.toml"), site)

        assert site.paths() == ["/files/mill_150dpi.jpg"]
    (row,) = workspace.dataset("guild").rows()
    assert len(EXAMPLES[0].splitlines()) == 10
    assert (row["title"], row["dpi"]) == ("The Old Mill", 150)
    assert (row["license"], row["attribution"]) == ("CC-BY-4.0", "Example Guild")


def test_the_json_card_of_the_documents_reads_uploads(workspace, tmp_path):
    """Every uploaded picture, with its own page and day."""
    (tmp_path / "uploads.toml").write_text(EXAMPLES[1], "utf-8")
    with WordPress(posts=4) as site:
        done = run(workspace, str(tmp_path / "uploads.toml"), site)

        assert sorted(site.paths()) == sorted(site.files)
    row = next(r for r in workspace.dataset("uploads").rows() if r["title"] == "Lair-1")
    assert (row["page_url"], row["date"]) == ("https://maps.example.org/lair-1/", "2023-07-01")
    assert done.exit_code == 0 and row["declared_bytes"] == row["bytes"]


def test_the_table_of_the_documents_is_a_list(workspace, tmp_path):
    """The CSV of the page: one line is fetched, the other says no."""
    (table,) = re.findall(r"```csv\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "maps.csv").write_text(table, "utf-8")
    with Site() as site:
        site.files = {"/files/mill.jpg": jpeg(1), "/files/hall.jpg": jpeg(2)}
        run(workspace, str(tmp_path / "maps.csv"), site)

        assert site.paths() == ["/files/mill.jpg"]
    assert refused(workspace, "maps") == {"hall.jpg": "no-training"}


def test_every_key_is_in_the_documents():
    """The table is written from the dataclasses; none of their fields lacks its words."""
    said = {name for name, _, _ in explained(Source)}
    wanted = {f.name for f in fields(Source)} - {"name", "entry", "items"}
    wanted |= {f"{table}.{f.name}" for table, cls in (("entry", Entry), ("items", Items))
               for f in fields(cls)}  # fmt: skip

    assert said == wanted
    assert [name for name in said if f"| `{name}` |" not in PAGE.read_text("utf-8")] == []
