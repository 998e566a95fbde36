"""The replica itself: it behaves as the old site did, and it knows the truth about itself."""

import io
import json
import time
from collections import Counter

import pytest
import requests
from PIL import Image

from mapmaker.scrape.replica import HOSTS, Replica
from mapmaker.scrape.replica.faults import BROKEN
from mapmaker.scrape.replica.full import FULL, STATED_KB


@pytest.fixture(scope="module")
def archive():
    with Replica(maps=12, side_px=64, drawn=False) as replica:
        yield replica


def get(archive, path, host=HOSTS[0], **more):
    return requests.get(
        archive.url + path, headers={"Host": host}, allow_redirects=False, timeout=5, **more
    )


def test_equal_seeds_give_equal_archives():
    """Plan and bytes depend on the arguments alone."""
    one, two, other = (Replica(maps=9, side_px=48, drawn=False, seed=s) for s in (3, 3, 4))

    assert one.truth.months == two.truth.months != other.truth.months
    assert one.expected("all") == two.expected("all")


def test_it_starts_at_once_and_draws_on_demand():
    """24 maps as floor plans: up in under two seconds, and a picture is a picture."""
    began_s = time.monotonic()
    with Replica(maps=24) as archive:
        index = get(archive, "/default.asp?x=dnd/mwa/archiveall")
        took_s = time.monotonic() - began_s
        path = next(f.path for _, f in archive.truth.files() if f.dpi == 72)
        picture = Image.open(io.BytesIO(get(archive, path).content), formats=["JPEG"])

    assert index.ok and took_s < 2
    assert picture.size == (750, 750)


@pytest.mark.parametrize("host", HOSTS)
def test_three_hosts_are_one_site_and_others_are_none(archive, host):
    """The Host header decides; a host that is not the archive's gets nothing."""
    assert get(archive, "/default.asp?x=dnd/mwa/archiveall", host).status_code == 200
    assert get(archive, "/default.asp?x=dnd/mwa/archiveall", "example.com").status_code == 400


def test_the_redirector_is_as_open_as_the_real_one(archive):
    """leaving.asp sends whoever asks anywhere: a trap for those who follow it."""
    answer = get(archive, "/leaving.asp?url=http://169.254.169.254/&origin=x")

    assert (answer.status_code, answer.headers["Location"]) == (302, "http://169.254.169.254/")


def test_pages_are_windows_1252_and_claim_nothing_or_something_wrong(archive):
    """Curly quotes are single bytes; year pages say utf-8, which they are not."""
    index = get(archive, "/default.asp?x=dnd/mwa/archiveall")
    year = get(archive, "/default.asp?x=dnd/mwa/archive2003")

    assert b"\x92" in index.content and "charset" not in index.headers["Content-Type"]
    assert "utf-8" in year.headers["Content-Type"]
    with pytest.raises(UnicodeDecodeError):
        year.content.decode("utf-8")


def test_pages_state_the_size_that_files_have(archive):
    """A JPEG of `n` k has exactly that many bytes, and still opens."""
    for _, file in archive.truth.files():
        if file.declared_bytes and file.reason is None:
            data = archive.bytes_of(file)
            assert len(data) == file.declared_bytes, file.path
            Image.open(io.BytesIO(data), formats=["JPEG"]).load()


def test_every_fault_is_planted_and_named(archive):
    """Each behaviour of the list has one file, found by its name in truth.oddities."""
    behaviours = [f.behaviour for _, f in archive.truth.files()]

    assert set(BROKEN) <= set(archive.truth.oddities)
    assert all(behaviours.count(name) == 1 for name in BROKEN if name != "404")
    assert len(archive.expected_gaps()) == len([r for r in BROKEN.values() if r]) + 3 + 1 + 1 + 1


@pytest.mark.parametrize(
    ("name", "status"), [("404", 404), ("410", 410), ("403", 403), ("500", 500), ("soft-404", 200)]
)
def test_plain_faults_answer_with_their_status(archive, name, status):
    """What the page calls a picture is served as the fault says."""
    answer = get(archive, archive.truth.oddities[name])

    assert answer.status_code == status
    assert not answer.content.startswith(b"\xff\xd8")


def test_a_cut_file_promises_more_than_it_sends(archive):
    """Content-Length is the whole file's, the connection ends half way."""
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(archive, archive.truth.oddities["cut-short"])


def test_it_scales_to_the_size_of_the_real_archive():
    """360 maps, 83 months, 8 years, 900 files of the stated sizes, the faults as counted."""
    archive = Replica(full=True, sizes=0.1, side_px=48, drawn=False)

    entries = [e for m in archive.truth.months for e in m.entries]
    files = [f for e in entries for f in e.files]
    have = Counter(f.behaviour for f in files) + Counter(f.mode for f in files)
    dead = sum(have[b] for b in ("404", "410", "403", "500"))
    assert {
        "maps": len({(e.date, e.title) for e in entries}), "months": len(archive.truth.months),
        "years": len({e.date.year for e in entries}), "files": len({f.path for f in files}),
        "dead": dead, "soft-404": have["soft-404"] + have["soft-404-as-jpeg"],
        "corrupt": have["garbled"] + have["half"], "cmyk": have["CMYK"],
        "duplicate": len(archive.truth.copies),
        **{name: have[name] for name in ("zip", "bomb", "endless")},
    } == FULL  # fmt: skip
    for dpi, (low, high) in STATED_KB.items():
        sizes = [
            f.declared_bytes for f in files if f.dpi == dpi and f.declared_bytes and not f.variant
        ]
        assert low * 100 <= min(sizes) and max(sizes) <= high * 106


def test_copies_have_the_bytes_of_what_they_copy():
    """Two names, one file."""
    archive = Replica(full=True, sizes=0.1, side_px=48, drawn=False)

    for path, original in archive.truth.copies.items():
        one, two = archive.files[path], archive.files[original]
        assert archive.bytes_of(one) == archive.bytes_of(two)


def test_the_truth_can_be_written_down(archive, tmp_path):
    """A JSON file with maps, files, sha256 and what must come of each."""
    archive.write_truth(tmp_path / "truth.json")

    truth = json.loads((tmp_path / "truth.json").read_text())
    files = {f["path"]: f for entry in truth["maps"] for f in entry["files"]}
    assert files.keys() == archive.files.keys()
    gone = files[truth["oddities"]["404"]]
    assert (gone["reason"], gone["reason_with_archives"]) == ("not-found", None)
    assert all(f["sha256"] == archive.sha256(archive.files[path]) for path, f in files.items())
