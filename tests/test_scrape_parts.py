"""The parts of scraping on their own: checks of files, ZIPs, manners, threads, the ledger."""

import io
import random
import threading
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mapmaker.scrape.check import NotGood, picture_facts
from mapmaker.scrape.choose import choose, file_stem
from mapmaker.scrape.crew import work_through
from mapmaker.scrape.grammar import Find
from mapmaker.scrape.links import Link
from mapmaker.scrape.manifest import gap, row
from mapmaker.scrape.manners import Halted, Manners
from mapmaker.scrape.unzip import picture_members, unpack
from mapmaker.scrape.web import user_agent


def noise(size: int = 96) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_no_cut_file_passes_for_a_picture(tmp_path, kind):
    """Forty cuts of each format, from one byte to all but the last two: none is accepted."""
    out = io.BytesIO()
    noise().save(out, kind)
    data = out.getvalue()
    path = tmp_path / "x"
    path.write_bytes(data)
    assert picture_facts(path)["format"] == kind

    for cut in [*range(1, len(data) - 2, len(data) // 40 + 1), len(data) - 2]:
        path.write_bytes(data[:cut])
        with pytest.raises(NotGood):
            picture_facts(path)


@pytest.mark.parametrize("mode", ["L", "CMYK", "1", "P", "RGBA", "I;16"])
def test_no_good_picture_is_refused(tmp_path, mode):
    """Every mode that old files have is a picture, and keeps its own name."""
    path = tmp_path / "x.tif"
    wide = Image.fromarray(np.arange(9216, dtype=np.uint16).reshape(96, 96))
    (wide if mode == "I;16" else noise().convert(mode)).save(path)

    facts = picture_facts(path)

    assert facts["mode"] == mode and len(str(facts["phash"])) == 16


def test_the_hash_of_a_picture_is_near_for_near_pictures(tmp_path):
    """Half the size at low quality changes at most 6 of 64 bits; another picture more than 16."""
    hashes = []
    for n, (seed, side, quality) in enumerate([(1, 256, 95), (1, 128, 40), (2, 256, 95)]):
        blobs = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(blobs).resize((side, side), Image.Resampling.BICUBIC)
        image.save(tmp_path / f"{n}.jpg", quality=quality)
        hashes.append(int(str(picture_facts(tmp_path / f"{n}.jpg")["phash"]), 16))

    assert (hashes[0] ^ hashes[1]).bit_count() <= 6
    assert (hashes[0] ^ hashes[2]).bit_count() > 16


def zipped(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg", "a\\..\\..\\x.png"]
)
def test_a_member_that_would_leave_the_folder_is_named(tmp_path, name):
    """Whatever slashes it uses."""
    path = zipped(tmp_path / "x.zip", {name: b"data"})

    ((_, member),) = picture_members(path, 10_000)

    assert isinstance(member, NotGood) and member.reason == "unsafe-name"


def test_a_zip_gives_pictures_and_nothing_else(tmp_path):
    """Upper-case suffixes count; folders, resource forks, hidden files and texts do not."""
    path = zipped(
        tmp_path / "x.zip",
        {"a/Hall.JPG": b"1", "b.png": b"2", "__MACOSX/a/._Hall.JPG": b"3", ".x.jpg": b"4",
         "c/": b"", "d.txt": b"5"},
    )  # fmt: skip

    members = dict(picture_members(path, 10_000))
    size, _ = unpack(path, members["b.png"], tmp_path / "part")

    assert list(members) == ["a/Hall.JPG", "b.png"]
    assert size == 1 and (tmp_path / "part").read_bytes() == b"2"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_told_apart(tmp_path):
    """An archive may hold two files of one name: each is a picture, and logged under its own."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for data in (b"first", b"second"):
            archive.writestr("a.jpg", data)

    members = dict(picture_members(path, 1_000))
    contents = []
    for member in members.values():
        unpack(path, member, tmp_path / "part")
        contents.append((tmp_path / "part").read_bytes())

    assert list(members) == ["a.jpg", "a.jpg (2)"] and contents == [b"first", b"second"]


@pytest.mark.parametrize("kind", [0, 8, 12, 14], ids=["stored", "deflate", "bzip2", "lzma"])
def test_no_damage_to_a_zip_is_more_than_a_gap(tmp_path, kind):
    """Bytes changed and cut out anywhere, 150 times: whole, or NotGood, and no other error."""
    data, dice = random.Random(1).randbytes(12_000), random.Random(kind)
    path, part = tmp_path / "x.zip", tmp_path / "part"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("a/map.bmp", data)
    whole, reasons = path.read_bytes(), set()

    for n in range(150):
        raw = bytearray(whole)
        for _ in range(3):
            raw[dice.choice([dice.randrange(60), -dice.randrange(1, 90), n])] = dice.randrange(256)
        if n % 3 == 0:
            begin = dice.randrange(40, len(raw) - 80)
            del raw[begin : begin + dice.randrange(1, 300)]
        path.write_bytes(raw)
        try:
            for _, member in picture_members(path, 1_000_000):
                if isinstance(member, NotGood):
                    raise member
                unpack(path, member, part)
                assert part.read_bytes() == data
        except NotGood as bad:
            reasons.add(bad.reason)

    assert {"corrupt", "bad-archive"} <= reasons


@pytest.mark.parametrize("case", ["no-zip", "too-many", "too-much", "swollen"])
def test_a_zip_that_is_none_or_too_much_is_refused(tmp_path, case):
    """No ZIP at all, 1,001 members, more bytes than allowed, or one that swells 100 times."""
    path, dice = tmp_path / "x.zip", random.Random(1)  # 501 bytes in four: 120 times
    members = {
        "no-zip": {},
        "too-many": {f"{n}.jpg": b"" for n in range(1001)},
        "too-much": {"a.jpg": b"x" * 20_000},
        "swollen": {"a.jpg": b"".join(bytes(500) + dice.randbytes(1) for _ in range(18_000))},
    }[case]
    zipped(path, members)
    if case == "no-zip":
        path.write_bytes(b"PK, but no more")

    with pytest.raises(NotGood) as error:
        for _, member in picture_members(path, 10_000_000 if case == "swollen" else 10_000):
            if isinstance(member, NotGood):
                raise member

    assert error.value.reason == "bad-archive"


def test_a_held_host_is_left_alone_by_all_threads():
    """After `hold` nobody gets a turn before its time."""
    manners = Manners(None, 1.0, threading.Event())
    manners.hold("http://a/x", 0.2)
    began_s = time.monotonic()

    manners.wait("http://b/")
    other_s = time.monotonic() - began_s
    threads = [threading.Thread(target=manners.wait, args=["http://a/y"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert other_s < 0.1 and time.monotonic() - began_s >= 0.2


def test_waiting_ends_at_once_when_the_run_stops():
    """A pause of ten minutes does not outlive the run."""
    halt = threading.Event()
    manners = Manners(None, 1.0, halt)
    manners.hold("http://a/", 600)
    threading.Timer(0.05, halt.set).start()

    with pytest.raises(Halted):
        manners.wait("http://a/")


def test_the_crew_raises_what_a_worker_raised():
    """An exception in a thread ends the work here, and the others leave."""
    halt = threading.Event()

    def work(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n

    with pytest.raises(ValueError, match="three"):
        list(work_through(range(1000), work, 2, halt))
    assert halt.is_set()


def test_what_others_have_done_when_one_fails_is_still_told():
    """The error comes last: a picture that was placed in that moment is listed."""
    failing, halt, told = threading.Event(), threading.Event(), []

    def work(n):
        if n == 1:
            failing.set()
            raise OSError(28, "No space left on device")
        failing.wait(5)
        time.sleep(0.05)
        return "placed"

    with pytest.raises(OSError, match="No space"):
        for result in work_through([0, 1], work, 2, halt):
            told += [result] if result else []

    assert told == [(0, "placed")] and halt.is_set()


def find(dpi=None, name="a.jpg", variant=None, **more) -> Find:
    link = Link(f"http://h/{name}")
    return Find(link=link, page_url="p", map_id="m", dpi=dpi, variant=variant, **more)


@pytest.mark.parametrize(
    ("dpi", "wanted"),
    [("best", [[300, 150, 72], [None]]), ("72", [[72], [None]]), ("300", [[300], [None]]),
     ("all", [[72], [300], [150], [None]])],
)  # fmt: skip
def test_dpi_chooses_within_each_variant(dpi, wanted):
    """best falls back to what is lower; a number takes that one; variants count for themselves."""
    finds = [find(72), find(300), find(150), find(None, variant="White")]

    chosen = choose(finds, dpi)

    assert [[f.dpi for f in w.choices] for w in chosen] == wanted


@pytest.mark.parametrize(
    ("dpi", "wanted"),
    [("best", [["a300", "a72"], ["b300", "b72"], ["c72"]]), ("72", [["a72"], ["b72"], ["c72"]]),
     ("300", [["a300"], ["b300"]])],
)  # fmt: skip
def test_two_files_of_one_resolution_are_no_sizes_of_each_other(dpi, wanted):
    """Both halves of a map come in their best size, however a page orders them."""
    for order in (("a72", "b72", "a300", "b300", "c72"), ("a72", "a300", "b72", "b300", "c72")):
        finds = [find(int(name[1:]), name=f"{name}.jpg") for name in order]

        chosen = choose(finds, dpi)

        assert [[f.link.url[9:-4] for f in w.choices] for w in chosen] == wanted


def test_without_a_resolution_best_is_the_lossless_twin():
    """TIF before JPG for --dpi best; the plain JPG for a number."""
    finds = [find(name="a.jpg", format="JPG"), find(name="a.tif", format="TIF")]

    assert choose(finds, "best")[0].choices[0].format == "TIF"
    assert [f.format for w in choose(finds, "150") for f in w.choices] == ["JPG"]


@given(st.text(max_size=80))
def test_a_file_name_is_safe_whatever_the_page_says(variant):
    """Names hold letters, digits, dashes and underscores, whatever the variant is called."""
    stem = file_stem(find(300, variant=variant), "0" * 64)

    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_/") and stem.count("/") == 1
    assert len(stem) <= 115 and stem.endswith("_300dpi_00000000")


def test_rows_refuse_what_is_not_documented():
    """A column or reason outside the lists is a bug, not data."""
    with pytest.raises(TypeError, match="colour"):
        row(colour="red")
    with pytest.raises(ValueError, match="because"):
        gap("u", "because")


def test_the_user_agent_cannot_be_broken_out_of():
    """Line breaks and brackets in the contact go."""
    assert user_agent("me@x.org\r\nX: 1)(") == "mapmaker/0.1.0 (+me@x.orgX: 1)"
