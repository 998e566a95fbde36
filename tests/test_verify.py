"""`mapmaker verify`: a flipped bit anywhere is found, with the row and whose picture it was."""

import json
from pathlib import Path

import h5py
import pytest
from shard_tools import kept_from_file, make_dataset, pack_all

from mapmaker.errors import MapmakerError
from mapmaker.events import Done, Note, Step
from mapmaker.files import sha256_of
from mapmaker.shards.structure import COLUMNS
from mapmaker.shards.verify import verify
from mapmaker.workspace import Dataset


@pytest.fixture(params=["raw", "encoded"])
def dataset(request, tmp_path, monkeypatch) -> Dataset:
    """Twelve maps in two or three shards, found on the web."""
    monkeypatch.setattr("mapmaker.shards.pack.kept", kept_from_file)
    found = make_dataset(tmp_path, count=12)
    rows = kept_from_file(found)
    for row in rows:
        row["picture_url"] = f"https://maps.example/{row['file']}"
    (found.root / "kept.json").write_text(json.dumps(rows))
    found.manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pack_all(found, layout=request.param, shard_mb=0.02 if request.param == "raw" else 0.005)
    return found


def check(dataset: Dataset) -> tuple[Done, list[str]]:
    """Verify to the end; returns its Done and what it said."""
    events = list(verify(dataset))
    assert isinstance(events[-1], Done)
    return events[-1], [e.text for e in events if isinstance(e, Note)]


def flip(path: Path, at: int, bit: int = 2) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= bit
    path.write_bytes(data)


def places(path: Path) -> dict[str, tuple[int, int]]:
    """Return where the bytes of each array lie: first byte, number of bytes."""
    with h5py.File(path) as file:
        return {name: (file[name].id.get_offset(), file[name].nbytes) for name in file}


def test_whole_shards_are_whole(dataset):
    """Nothing is said, everything is counted, exit code 0."""
    events = list(verify(dataset))
    done = events[-1]

    assert done.exit_code == 0
    assert done.data["damage"] == []
    assert done.data["samples"] == 12 and done.data["sizes"] == [32]
    assert [e.done for e in events if isinstance(e, Step)][-1] == 12
    assert "every bit as written" in done.summary


def test_a_flipped_bit_in_any_array_names_its_row(dataset):
    """The last byte of every array in turn: the shard, its last row and the picture's address."""
    path = dataset.shards(32) / "00000.h5"
    pristine = path.read_bytes()
    with h5py.File(path) as file:
        last = len(file["group"]) - 1
        owner = file["sha256"][last].tobytes().hex()
    urls = {row["id"]: row["picture_url"] for row in kept_from_file(dataset)}

    for name, (begin, count) in places(path).items():
        flip(path, begin + count - 1)
        done, said = check(dataset)
        path.write_bytes(pristine)

        rows = {(row["shard"], row["row"]) for row in done.data["damage"]}
        assert done.exit_code == 3
        assert rows == {("00000.h5", last)}, name
        assert {row["source_url"] for row in done.data["damage"]} == {urls[owner]}, name
        assert f"32/00000.h5, row {last}: " in said[0] and urls[owner] in said[0]
    assert set(COLUMNS) <= set(places(path))


def test_every_bit_of_a_shard_is_watched(dataset):
    """A hundred places all over the file, also what lies between the arrays: none goes unseen."""
    path = dataset.shards(32) / "00001.h5"
    pristine = path.read_bytes()

    for at in range(0, len(pristine), len(pristine) // 100):
        flip(path, at)
        done, _ = check(dataset)
        path.write_bytes(pristine)

        assert done.exit_code == 3, at
        assert {row["shard"] for row in done.data["damage"]} == {"00001.h5"}, at


def test_a_changed_sample_is_found_though_the_card_was_changed_with_it(dataset):
    """Who writes the file's new sum into the card does not deceive the rows."""
    folder = dataset.shards(32)
    path = folder / "00000.h5"
    begin, _ = places(path)["images" if "images" in places(path) else "bytes"]
    flip(path, begin + 700)
    card = json.loads((folder / "card.json").read_text())
    card["shards"][0]["sha256"] = sha256_of(path)
    (folder / "card.json").write_text(json.dumps(card))

    done, _ = check(dataset)

    assert [(row["row"], row["what"][:22]) for row in done.data["damage"]] == [
        (0, "the sample has changed")
    ]


def test_a_missing_shard_is_named_and_the_others_are_read(dataset):
    """So is one that was cut short, and one that no card lists."""
    folder = dataset.shards(32)
    (folder / "00000.h5").unlink()
    cut = folder / "00001.h5"
    cut.write_bytes(cut.read_bytes()[:-9])
    (folder / "00077.h5").write_bytes(b"")

    done, said = check(dataset)

    assert done.exit_code == 3
    assert [row["shard"] for row in done.data["damage"]] == ["00000.h5", "00001.h5", "00077.h5"]
    assert "is missing" in said[0] and "its card lists" in said[1] and "no card lists it" in said[2]


def test_a_card_that_says_other_than_its_shards(dataset):
    """Counts, recipe and splits are held against what is there."""
    path = dataset.shards(32) / "card.json"
    card = json.loads(path.read_text())

    for change, words in [
        ({"count": 99}, "counts 99 samples, the shards hold 12"),
        ({"pictures": 1}, "counts 1 pictures"),
        ({"recipe": card["recipe"] | {"seed": 5}}, "recipe has been changed"),
    ]:
        path.write_text(json.dumps(card | change))
        done, said = check(dataset)

        assert done.exit_code == 3
        assert words in " ".join(said)


def test_the_command_ends_with_3_and_reports_json(dataset, mapmaker):
    """What a script reads: the damage as data, the exit code, and errors for what is not there."""
    whole = mapmaker("verify", "maps", "--json")
    flip(dataset.shards(32) / "00000.h5", -3)
    torn = mapmaker("verify", "--size", 32, "--json")

    assert whole.code == 0 and json.loads(whole.out)["damage"] == []
    assert torn.code == 3
    assert json.loads(torn.out)["damage"][0]["shard"] == "00000.h5"
    assert mapmaker("verify", "--size", 64).code == 1
    assert mapmaker("verify", "nothing").code == 2


def test_nothing_to_verify(tmp_path):
    """No shards is a sentence with what to run."""
    with pytest.raises(MapmakerError, match="holds no shards") as caught:
        list(verify(Dataset(tmp_path)))

    assert "mapmaker pack" in caught.value.hint
