"""The lists of removals: what a line says, what a torn one does, and what looks like what."""

import pytest
from PIL import Image
from prune_pictures import painted

from mapmaker.errors import UnsafeInput
from mapmaker.events import finish
from mapmaker.files import read_lines
from mapmaker.prune.kept import refused
from mapmaker.prune.tombstones import forget
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.own import import_pictures
from mapmaker.scrape.tombstones import Tombstones, looks_of, shared, standing


@pytest.fixture
def folder(tmp_path):
    """Two pictures of one's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for seed in range(2):
        painted(seed, 120).save(folder / f"m{seed}.png")
    return folder


def taken_in(workspace, folder):
    finish(import_pictures(workspace, [folder], ImportConfig()))


def ids(dataset) -> dict[str, str]:
    return {row["map_id"]: row["id"] for row in dataset.rows()}


def test_a_torn_line_is_mended_and_a_damaged_list_stops_everything(workspace, folder):
    """What a killed writer left is taken away; a list nobody can read is no empty list."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    known = ids(dataset)
    finish(forget(workspace, dataset, [known["m0"]]))
    path = dataset.root / "tombstones.jsonl"
    with path.open("ab") as file:
        file.write(b'{"id": "abc')

    finish(forget(workspace, dataset, [known["m1"]]))
    assert set(standing(path)) == {known["m0"], known["m1"]}
    path.write_bytes(b"not json\n" + path.read_bytes())

    with pytest.raises(UnsafeInput):
        refused(dataset)
    with pytest.raises(UnsafeInput):
        taken_in(workspace, folder)


def test_unrelated_maps_are_not_refused(tmp_path):
    """Of 60 painted maps none is a copy of another, in any orientation."""
    stones, looks = [], []
    for seed in range(60):
        path = tmp_path / f"{seed}.png"
        painted(seed, 96).save(path)
        looks.append(looks_of(path))
        stone = {"id": str(seed), "urls": [], "phash": looks[-1].phash, "dhash": looks[-1].dhash}
        stones.append(stone)
    removed = Tombstones(stones)

    assert [removed.resembles(x.phash[0], x.dhash[0]) for x in looks] == [
        str(seed) for seed in range(60)
    ]


def test_both_lists_say_what_kept_it_out(workspace, folder):
    """bytes, pixels, both hashes in eight orientations, reason; the row stays in its own set."""
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")
    finish(forget(workspace, dataset, [ids(dataset)["m0"]], reason="asked"))

    (own,), (beside,) = read_lines(dataset.root / "tombstones.jsonl"), read_lines(shared(dataset))

    assert len(own["phash"]) == len(own["dhash"]) == 8 and len(own["pixels"]) == 64
    assert own["row"]["map_id"] == "m0" and "row" not in beside
    assert {k: v for k, v in own.items() if k != "row"} == beside


def test_copies_with_transparent_parts_are_found_where_they_are(workspace, folder):
    """The manifest hashes what lies under the transparency; a copy beside it is still one."""
    image = painted(5, 120).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((120, 120)).point(lambda v: 255 * (v > 150)))
    image.save(folder / "clear.png")
    image.save(folder / "clear-again.png", compress_level=1)
    taken_in(workspace, folder)
    dataset = workspace.dataset("own")

    done = finish(forget(workspace, dataset, ["clear.png"]))

    assert [file.split("_")[0] for file in done.data["copies"]] == ["pictures/clear-again"]
