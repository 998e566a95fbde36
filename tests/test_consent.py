"""Pictures whose makers said no never reach a shard, and what spoke against them is on record."""

import json
import struct
import time
import zlib

import pytest
from consent_tools import (
    encoded,
    in_jpeg,
    in_png,
    in_webp,
    jumbf,
    mining,
    site,
    write_card,
    xmp,
)
from prune_pictures import add, make_dataset, painted

from mapmaker.events import Note, finish
from mapmaker.files import read_lines
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.consent import Consent
from mapmaker.prune.kept import kept, refused
from mapmaker.prune.prune import prune
from mapmaker.scrape.config import ImportConfig, ScrapeConfig
from mapmaker.scrape.optout import (
    against_in_file,
    against_in_robots,
    against_in_words,
    page_evidence,
)
from mapmaker.scrape.own import import_pictures
from mapmaker.scrape.scrape import scrape
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack

SMALL = {"size": 32, "squares": 4, "augment": "none", "engine": "serial"}


def pruned(dataset):
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))
    return {row["file"].split("/")[-1].split("_")[0] for row in kept(dataset)}


HEADERS = {
    "plain.png": {},
    "noai.png": {"X-Robots-Tag": "noai"},
    "noimageai.png": {"X-Robots-Tag": "noarchive, noimageai"},
    "noindex.png": {"X-Robots-Tag": "noindex"},
    "others.png": {"X-Robots-Tag": "otherbot: noindex"},
    "reserved.png": {"TDM-Reservation": "1"},
    "archived.png": {"X-Archive-Orig-X-Robots-Tag": "noai"},
    "open.png": {"TDM-Reservation": "0"},
}
OPEN = {"plain.png", "others.png", "open.png"}


def test_what_a_header_keeps_from_nets_is_not_kept_at_all(workspace, tmp_path):
    """Its body is left on the wire; it is a gap and no trouble; --with-refused asks once more."""
    files = {n: (h, encoded(painted(i))) for i, (n, h) in enumerate(HEADERS.items())}
    card, dataset = str(write_card(tmp_path)), workspace.dataset("anns-maps")
    with site(files) as origin:
        done = finish(scrape(workspace, card, ScrapeConfig(via=origin, tries=1)))
        came = {row["picture_url"].rsplit("/", 1)[-1] for row in dataset.rows()}
        lost = {g["picture_url"].rsplit("/", 1)[-1]: g["reason"] for g in read_lines(dataset.gaps)}
        config = ScrapeConfig(via=origin, tries=1, with_refused=True)
        again = finish(scrape(workspace, card, config))

    assert came == OPEN and lost == dict.fromkeys(HEADERS.keys() - OPEN, "no-training")
    assert done.exit_code == 0 and not list(dataset.root.glob("parts/*"))
    assert again.data["fetched"] == len(HEADERS) - len(OPEN) and again.data["gaps"] == {}


def test_every_header_against_learning_refuses_its_picture(workspace, tmp_path):
    """A server sends each header; fetched on request, it is for the person and not for the net."""
    files = {n: (h, encoded(painted(i))) for i, (n, h) in enumerate(HEADERS.items())}
    with site(files) as origin:
        config = ScrapeConfig(via=origin, tries=1, with_refused=True)
        finish(scrape(workspace, str(write_card(tmp_path)), config))
    dataset = workspace.dataset("anns-maps")
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))

    rows = {row["picture_url"].rsplit("/", 1)[-1]: row for row in dataset.rows()}
    in_shards = {row["picture_url"].rsplit("/", 1)[-1] for row in kept(dataset)}
    said = {name: refused(dataset).get(row["id"]) for name, row in rows.items()}

    assert len(rows) == len(files)
    assert in_shards == OPEN
    assert said["noai.png"] == "opted out: the server sent x-robots-tag: noai"
    assert said["reserved.png"] == "opted out: the server sent tdm-reservation: 1"
    assert rows["noimageai.png"]["robots"] == "allowed; x-robots-tag: noarchive, noimageai"


def test_a_page_can_speak_for_its_pictures(workspace, tmp_path):
    """<meta name="robots" content="noai"> refuses every picture of the page; noindex none."""
    files = {"a.png": ({}, encoded(painted(1)))}
    with site(files, meta='<META NAME="robots" CONTENT="noindex, NoAI">') as origin:
        config = ScrapeConfig(via=origin, tries=1, with_refused=True)
        finish(scrape(workspace, str(write_card(tmp_path)), config))

    (reason,) = refused(workspace.dataset("anns-maps")).values()

    assert reason == "opted out: the server sent x-robots-tag: noai"
    assert page_evidence(b'<meta name="robots" content="noindex">') == ""
    assert page_evidence(b"<meta name=tdm-reservation content=1>") == "tdm-reservation: 1"


@pytest.mark.parametrize(
    ("robots", "found"),
    [
        (None, None),
        ("allowed", None),
        ("noai", "x-robots-tag: noai"),
        ("allowed; x-robots-tag: googlebot: noai", "x-robots-tag: noai"),
        ("allowed; x-robots-tag: googlebot: noindex, nofollow", None),
        ("allowed; x-robots-tag: noarchive, noindex", "x-robots-tag: noindex"),
        ("allowed; x-robots-tag: max-snippet:5, NOIMAGEINDEX", None),
        ("allowed; tdm-reservation: 1", "tdm-reservation: 1"),
        ("allowed; tdm-reservation: 0", None),
    ],
)
def test_directives_count_for_whom_they_address(robots, found):
    """noai counts for everybody, noindex only when it is said to everybody."""
    assert against_in_robots(robots) == found


@pytest.mark.parametrize(
    "words",
    [
        "NoAI",
        "CC-BY-4.0, no AI",
        "May not be used for training of AI models.",
        "Free for your table. Not for machine learning training.",
        "Text and data mining prohibited: no training",
        "You must not use it to train generative networks",
    ],
)
def test_a_licence_can_forbid_in_words(words):
    """What a sentence forbids is refused, and the sentence is the reason."""
    assert against_in_words(words)


@pytest.mark.parametrize(
    "words",
    [
        None,
        "CC0-1.0",
        "CC-BY-NC-ND-4.0",
        "All rights reserved (c) 1995-2008 a publisher",
        "No AI was used in making this map.",
        "Hand drawn, not AI-generated.",
        "Not for sale; training AI on it is fine",
        "MIT",
    ],
)
def test_how_a_picture_was_made_forbids_nothing(words):
    """Only a sentence that denies, speaks of machines, and of learning, is a refusal."""
    assert against_in_words(words) is None


PLUS = xmp("<plus:DataMining>http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED</plus:DataMining>")
ALLOWED = xmp("<plus:DataMining>http://ns.useplus.org/ldf/vocab/DMI-ALLOWED</plus:DataMining>")
RIGHTS = xmp("<dc:rights><rdf:li>(c) Ann. No AI training.</rdf:li></dc:rights>")
XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
XMP_PNG = b"XML:com.adobe.xmp\0\0\0\0\0"
NOT_ALLOWED = jumbf("cawg.training-mining", mining("notAllowed"))


def app11(store: bytes, step: int = 60) -> list[tuple[int, bytes]]:
    """Return a store cut into segments as a JPEG holds it."""
    first, rest = store[:step], store[step:]
    parts = [first] + [store[:8] + rest[i : i + step] for i in range(0, len(rest), step)]
    return [(0xEB, b"JP" + struct.pack(">HI", 1, n) + p) for n, p in enumerate(parts, 1)]


def plain(kind):
    return encoded(painted(3, 64), kind)


def cases():
    jpeg, png, webp = plain("JPEG"), plain("PNG"), plain("WEBP")
    yield "plain.jpg", jpeg, None
    yield "plain.png", png, None
    yield "plus.jpg", in_jpeg(jpeg, (0xE1, XMP_JPEG + PLUS)), "XMP plus:DataMining DMI-PROHIBITED"
    yield "allowed.jpg", in_jpeg(jpeg, (0xE1, XMP_JPEG + ALLOWED)), None
    yield "plus.png", in_png(png, b"iTXt", XMP_PNG + PLUS), "XMP plus:DataMining DMI-PROHIBITED"
    yield "plus.webp", in_webp(webp, b"XMP ", PLUS), "XMP plus:DataMining DMI-PROHIBITED"
    yield "plus.tif", encoded(painted(3, 64), "TIFF", tiffinfo={700: PLUS}), "XMP plus:DataMining"
    tdm = xmp("<tdm:reservation>1</tdm:reservation>")
    yield "tdm.jpg", in_jpeg(jpeg, (0xE1, XMP_JPEG + tdm)), "XMP tdm:reservation 1"
    yield "rights.png", in_png(png, b"iTXt", XMP_PNG + RIGHTS), "XMP rights: No AI training"
    yield "c2pa.png", in_png(png, b"caBX", NOT_ALLOWED), "cawg.training-mining: cawg.ai_training"
    yield "c2pa.jpg", in_jpeg(jpeg, *app11(NOT_ALLOWED)), "cawg.training-mining"
    yield "c2pa.webp", in_webp(webp, b"C2PA", NOT_ALLOWED), "cawg.training-mining"
    old = jumbf("c2pa.training-mining", mining("constrained", "c2pa.data_mining"))
    yield "old.png", in_png(png, b"caBX", old), "c2pa.data_mining constrained"
    text = json.dumps({"entries": {"cawg.ai_training": {"use": "notAllowed"}}}).encode()
    told = jumbf("cawg.training-mining", text, b"json")
    yield "json.png", in_png(png, b"caBX", told), "cawg.ai_training notAllowed"
    fine = jumbf("cawg.training-mining", mining("allowed"))
    yield "fine.png", in_png(png, b"caBX", fine), None
    other = jumbf("cawg.training-mining", mining("notAllowed", "cawg.ai_inference"))
    yield "inference.png", in_png(png, b"caBX", other), None


CASES = list(cases())


@pytest.mark.parametrize(("name", "data", "found"), CASES, ids=[c[0] for c in CASES])
def test_a_file_can_speak_for_itself(tmp_path, name, data, found):
    """XMP and C2PA in every format that holds them; what allows, or means use, is no refusal."""
    path = tmp_path / name
    path.write_bytes(data)

    said = against_in_file(path)

    assert (said or "").find(found or "") >= 0 and bool(said) == bool(found)


def test_metadata_of_strangers_is_read_within_bounds(tmp_path):
    """Cut files, lying lengths, a zip bomb in a text chunk: an answer at once, never an error."""
    whole = in_jpeg(plain("JPEG"), (0xE1, XMP_JPEG + PLUS), *app11(NOT_ALLOWED))
    png = in_png(plain("PNG"), b"caBX", NOT_ALLOWED)
    bomb = in_png(
        plain("PNG"), b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(b"\0" * 50_000_000)
    )
    liar = in_png(plain("PNG"), b"caBX", struct.pack(">I4s", 0xFFFFFFF0, b"jumb") * 20)
    deep = NOT_ALLOWED
    for _ in range(60):
        deep = struct.pack(">I4s", len(deep) + 8, b"jumb") + deep
    hostile = [whole[:n] for n in range(0, 400, 7)] + [png[:-n] for n in range(1, 200, 7)]
    many = b"<dc:rights " * 500_000  # quadratic, were each looked at to its end
    hostile += [in_png(plain("PNG"), b"iTXt", XMP_PNG + many)]
    hostile += [in_png(plain("PNG"), b"caBX", struct.pack(">I4s", 8, b"free") * 500_000)]
    hostile += [bomb, liar, in_png(plain("PNG"), b"caBX", deep), b"", b"II*\0\xff\xff\xff\xff"]
    path, began_s = tmp_path / "x", time.process_time()

    for data in hostile:
        path.write_bytes(data)
        against_in_file(path)

    assert time.process_time() - began_s < 10


def test_an_import_keeps_what_the_file_says(workspace, tmp_path):
    """The manifest has the evidence, so that nobody need open the file again."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "no.jpg").write_bytes(in_jpeg(encoded(painted(1), "JPEG"), (0xE1, XMP_JPEG + PLUS)))
    (folder / "yes.png").write_bytes(encoded(painted(2)))
    finish(import_pictures(workspace, [folder], ImportConfig()))

    dataset = workspace.dataset("own")
    said = {row["map_id"]: row["ai_metadata"] for row in dataset.rows()}

    assert said == {"no": "XMP plus:DataMining DMI-PROHIBITED", "yes": ""}
    assert pruned(dataset) == {"yes"}


def test_the_owner_may_say_otherwise_and_say_no(workspace, tmp_path):
    """A list in the data set's folder is the owner's word: per picture, or `*` for all the rest."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1), robots="noai")
    add(dataset, "b.png", painted(2), robots="noai")
    add(dataset, "c.png", painted(3), license="CC0-1.0")
    (dataset.root / "PROVENANCE.csv").write_text(
        "file,ai_training,license\na.png,yes,\npictures/c.png,no,\n"
    )

    before = pruned(dataset)
    (dataset.root / "PROVENANCE.csv").write_text(
        "file,ai_training,license\n*,yes,MIT\npictures/c.png,no,\n"
    )

    assert before == {"a.png"}
    assert pruned(dataset) == {"a.png", "b.png"}
    rows = {row["file"]: row for row in dataset.rows()}
    consent = Consent(dataset)
    assert consent.license(rows["pictures/a.png"]) == "MIT"
    assert consent.license(rows["pictures/c.png"]) == "CC0-1.0"


def test_import_asks_whether_nets_may_learn(workspace, tmp_path):
    """--ai-training speaks for pictures whose list does not; said later it still counts."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(painted(1)))
    (folder / "b.png").write_bytes(encoded(painted(2)))
    (folder / "PROVENANCE.csv").write_text("file,ai_training\nb.png,no\na.png,unknown\n")

    def said(**options):
        finish(import_pictures(workspace, [folder], ImportConfig(**options)))
        return {r["map_id"]: r["ai_training"] for r in workspace.dataset("own").rows()}

    assert said() == {"a": "unknown", "b": "no"}
    assert said(ai_training="yes") == {"a": "yes", "b": "no"}


def test_pack_says_whom_it_refused_and_counts_the_rest(tmp_path):
    """A note a reason, counts in the card; unknown is packed and counted as unknown."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1), ai_training="yes", license="CC0-1.0")
    add(dataset, "b.png", painted(2), license="MIT")
    add(dataset, "c.png", painted(3), ai_training="no")
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))

    events = list(pack(dataset, PackConfig(**SMALL)))
    card = json.loads((dataset.shards(32) / "card.json").read_text())

    notes = [e.text for e in events if isinstance(e, Note)]
    assert "1 picture is refused: opted out: the manifest says ai_training = no." in notes
    assert events[-1].exit_code == 0
    assert card["licenses"] == {"CC0-1.0": 1, "MIT": 1}
    assert card["ai_training"] == {"yes": 1, "unknown": 1}
    assert card["refused"] == {"opted out": 1, "removed": 0}


def test_only_named_licences_are_packed(mapmaker, tmp_path):
    """--licenses takes exactly what is named, whatever the case; a name nobody has is an error."""
    dataset = make_dataset(tmp_path)
    for seed, license in enumerate(["CC0-1.0", "MIT", "CC-BY-SA-3.0", None]):
        add(dataset, f"{seed}.png", painted(seed), license=license)
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))
    line = ["pack", "own", "--size", 32, "--squares", 4, "--augment", "none", "--engine", "serial"]

    done = mapmaker(*line, "--licenses", "cc0-1.0, MIT")
    card = json.loads((dataset.shards(32) / "card.json").read_text())
    none = mapmaker(*line, "--licenses", "Unlicense")

    assert done.code == 0
    assert card["licenses"] == {"CC0-1.0": 1, "MIT": 1}
    assert card["other_licenses"] == {"CC-BY-SA-3.0": 1, "unknown": 1}
    assert none.code == 1 and "CC0-1.0" in none.err


def test_a_licence_named_later_is_in_the_card_without_new_shards(tmp_path):
    """Packing again after the owner named a licence mends the card and leaves the shards."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1))
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))
    finish(pack(dataset, PackConfig(**SMALL)))
    (dataset.root / "PROVENANCE.csv").write_text("file,license\n*,CC0-1.0\n")

    done = finish(pack(dataset, PackConfig(**SMALL)))

    card = json.loads((dataset.shards(32) / "card.json").read_text())
    assert done.data["written"] == 0
    assert card["licenses"] == {"CC0-1.0": 1}
    assert "CC0-1.0" in (dataset.shards(32) / "README.md").read_text()
