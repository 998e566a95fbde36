"""croissant.json, the data card and the trace: true, valid, and the same however often written."""

import json
import re
import subprocess
import sys

import pytest
from prune_pictures import add, make_dataset, painted

from mapmaker.errors import MapmakerError
from mapmaker.events import finish
from mapmaker.files import sha256_of
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.prune import prune
from mapmaker.shards.config import PackConfig
from mapmaker.shards.pack import pack
from mapmaker.shards.reader import open_shards
from mapmaker.shards.trace import trace, trace_shard

# mlcroissant 1.1 uses what rdflib has deprecated
THEIRS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SMALL = {"size": 32, "squares": 4, "augment": "d4", "engine": "serial", "shard_mb": 0.02}


@pytest.fixture
def packed(tmp_path):
    """Thirteen pictures from two sites, one dropped by a person, one refused; packed at 32 px."""
    dataset = make_dataset(tmp_path)
    for seed in range(13):
        add(
            dataset,
            f"m{seed}.png",
            painted(seed, 96),
            license="CC0-1.0" if seed % 2 else "CC-BY-4.0",
            cartographer=["Ann | <b>", None][seed % 2],
            picture_url=f"http://maps.example/{seed}.png",
            page_url=f"http://{'maps' if seed < 9 else 'other'}.example/page",
            ai_training="no" if seed == 12 else "unknown",
            phash=f"{seed:016x}",
        )
    finish(prune(dataset, PruneConfig(min_side_px=16, engine="serial")))
    with Decisions(dataset.decisions) as decisions:
        decisions.mark(dataset.rows()[0]["id"], "drop", "ugly")
        decisions.mark(dataset.rows()[1]["id"], "keep")
    finish(pack(dataset, PackConfig(**SMALL)))
    return dataset


def test_croissant_is_valid_and_its_sums_are_the_files(packed):
    """`mlcroissant validate` finds no fault; every FileObject has the sha256 of its file."""
    pytest.importorskip("mlcroissant")
    folder = packed.shards(32)
    script = "from mlcroissant.scripts.cli import main; main()"
    command = [sys.executable, "-c", script, "validate", "--jsonld", folder / "croissant.json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    told = json.loads((folder / "croissant.json").read_text())

    files = {f["@id"]: f for f in told["distribution"] if f["@type"] == "cr:FileObject"}
    assert ran.returncode == 0 and "Done" in ran.stderr
    assert not re.search("warning|error", ran.stderr, re.IGNORECASE), ran.stderr
    assert set(files) == {p.name for p in folder.glob("*.h5")} | {"samples.jsonl"}
    assert all(sha256_of(folder / name) == f["sha256"] for name, f in files.items())


@THEIRS
def test_records_can_be_loaded_and_are_the_samples(packed):
    """mlcroissant reads samples.jsonl through the description, one record a row of the shards."""
    mlc = pytest.importorskip("mlcroissant")
    folder = packed.shards(32)

    records = list(mlc.Dataset(jsonld=folder / "croissant.json").records("samples"))
    shards = open_shards(folder)

    ids = [bytes(id).hex() for id in shards.column("sha256")]
    assert [r["samples/picture"].decode() for r in records] == ids
    assert {r["samples/license"] for r in records} == {b"CC0-1.0", b"CC-BY-4.0"}
    assert [r["samples/variant"] for r in records] == shards.column("variant").tolist()


def test_every_row_resolves_to_address_licence_and_decision(packed):
    """By number over all shards, and by shard and row; the manifest and the marks agree."""
    shards = open_shards(packed.shards(32))
    rows = {row["id"]: row for row in packed.rows()}
    kept_one = packed.rows()[1]["id"]
    at = 0

    for line in shards.card["shards"]:
        for row in range(line["count"]):
            found = trace(packed, 32, at)
            source = rows[bytes(shards.column("sha256")[at]).hex()]
            assert found == trace_shard(packed, 32, line["file"], row)
            assert found["picture"] == source["id"] and found["split"] == line["split"]
            assert found["source_url"] == source["picture_url"]
            assert found["license"] == source["license"]
            assert found["decision"] == ("keep" if source["id"] == kept_one else "undecided")
            at += 1
    assert at == len(shards)
    for strange in (at, -1):
        with pytest.raises(MapmakerError):
            trace(packed, 32, strange)
    with pytest.raises(MapmakerError):
        trace_shard(packed, 32, "99999.h5", 0)


def test_an_older_list_of_samples_is_never_believed(packed):
    """Killed between the card and the list: the trace says so, and packing again mends it."""
    folder = packed.shards(32)
    card = json.loads((folder / "card.json").read_text())
    old = (folder / "samples.jsonl").read_text()
    (folder / "samples.jsonl").write_text(old.replace('"shard": "0', '"shard": "9'))

    with pytest.raises(MapmakerError, match="older than its card"):
        trace(packed, 32, 0)
    (folder / "samples.jsonl").unlink()
    with pytest.raises(MapmakerError, match="missing"):
        trace_shard(packed, 32, card["shards"][0]["file"], 0)
    finish(pack(packed, PackConfig(**SMALL)))

    assert trace(packed, 32, 0)["row"] == 0


def test_the_card_counts_what_is_there(packed):
    """Licences, sources, decisions and refusals stand in README.md as they are; no cell breaks."""
    text = (packed.shards(32) / "README.md").read_text()
    card = json.loads((packed.shards(32) / "card.json").read_text())

    assert text.startswith("---\nlicense:\n- cc-by-4.0\n- cc0-1.0\npretty_name:")
    assert "| CC-BY-4.0 | 5 |" in text and "| CC0-1.0 | 6 |" in text
    assert "| maps.example | 8 |" in text and "| other.example | 3 |" in text
    assert "| Ann &#124; &#60;b&#62; | 5 |" in text
    assert "| drop by person | 1 |" in text and "| keep by person | 1 |" in text
    assert "| opted out: the manifest says ai_training = no | 1 |" in text
    assert f"{card['count']} samples of 32 x 32 px" in text
    for head in ("Curation Rationale", "Source Data", "Licensing Information", "Citation"):
        assert f"# {head}" in text
    for name in (line["file"] for line in card["shards"]):
        assert f'- "{name}"' in text


def test_the_yaml_head_is_yaml(packed):
    """The part hubs read parses, and names a file of each split."""
    yaml = pytest.importorskip("yaml")
    head = (packed.shards(32) / "README.md").read_text().split("---\n")[1]

    told = yaml.safe_load(head)

    assert told["size_categories"] == ["n<1K"]
    splits = {f["split"]: f["path"] for f in told["configs"][0]["data_files"]}
    assert set(splits) == {"train", "test"}
    assert all((packed.shards(32) / p).exists() for paths in splits.values() for p in paths)


def test_packing_again_writes_what_is_missing_and_touches_nothing_else(packed):
    """A run killed behind the card is finished by the next one, with the same bytes."""
    folder = packed.shards(32)
    names = ("croissant.json", "README.md", "samples.jsonl")
    before = {name: (folder / name).read_bytes() for name in names}
    (folder / "README.md").unlink()
    (folder / "samples.jsonl").unlink()
    times = {p.name: p.stat().st_mtime_ns for p in folder.glob("c*.json")}

    done = finish(pack(packed, PackConfig(**SMALL)))

    assert done.data["written"] == 0
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert {p.name: p.stat().st_mtime_ns for p in folder.glob("c*.json")} == times
    (listed,) = (packed.root / "packed").iterdir()
    assert listed.name == f"{sha256_of(folder / 'card.json')[:16]}.ids"
    assert listed.stat().st_size == 32 * 11


def test_nothing_is_claimed_that_nobody_said(packed):
    """What no person wrote down is called unsaid, in both."""
    told = json.loads((packed.shards(32) / "croissant.json").read_text())
    text = (packed.shards(32) / "README.md").read_text()

    assert told["citeAs"] == "Nobody has said." and "## Citation\n\nNobody has said." in text
    assert told["license"] == [
        "https://spdx.org/licenses/CC0-1.0.html",
        "https://spdx.org/licenses/CC-BY-4.0.html",
    ]
    assert {p["name"] for p in told["creator"]} == {"Ann | <b>"}
