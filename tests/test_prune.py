"""The stage: suggestions with reasons, groups that stay, files that move and come back."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from prune_pictures import add, make_dataset, painted

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, Stopped
from mapmaker.events import Note, Step, finish
from mapmaker.files import read_lines
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.decisions import Decisions
from mapmaker.prune.kept import features_of, kept
from mapmaker.prune.prune import prune
from mapmaker.prune.thresholds import limits
from mapmaker.workspace import Dataset, locked

SMALL = PruneConfig(min_side_px=32)
AUTO = PruneConfig(min_side_px=32, auto=True)


def suggestions(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Return (rule, keeper) by picture id as the last prune left them."""
    store = features_of(dataset)
    found = {id: (s["rule"], s["keeper"]) for id, s in store.suggestions().items()}
    store.close()
    return found


def states(dataset: Dataset) -> dict[str, str]:
    with Decisions(dataset.decisions) as decisions:
        return {id: mark.state for id, mark in decisions.all().items()}


def kept_files(dataset: Dataset) -> list[str]:
    return [row["file"].removeprefix("pictures/") for row in kept(dataset)]


def tree(folder: Path) -> dict[str, str]:
    """Return the sha256 of every picture and layout under a folder, by relative path."""
    files = [p for p in folder.rglob("*") if p.suffix in (".png", ".jpg", ".json")]
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_auto_drops_what_is_no_map_and_leaves_doubts_to_a_person(tmp_path: Path) -> None:
    """Thumbnails and empty sheets go; a very dark cave is shown, counted apart, and stays."""
    dataset = make_dataset(tmp_path)
    small = add(dataset, "small.png", painted(1, 100))
    blank = add(dataset, "blank.png", Image.new("RGB", (300, 300), "#d8c9a0"))
    cave = add(dataset, "cave.png", painted(2, 300).point(lambda v: v // 5))

    done = finish(prune(dataset, PruneConfig(min_side_px=200, auto=True)))

    rules = {id: rule for id, (rule, _) in suggestions(dataset).items()}
    assert rules == {small: "small", blank: "blank", cave: "dark"}
    assert states(dataset) == {small: "drop", blank: "drop"}
    assert done.data["suggested"] == {"blank": 1, "small": 1}
    assert done.data["to_look_at"] == {"dark": 1}
    assert "suggestions: 1 blank, 1 small; worth a look: 1 dark" in done.summary


def test_a_mark_says_by_which_rule_and_thresholds(tmp_path: Path) -> None:
    """The author of an automatic drop is the rule and the version of the thresholds."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "small.png", painted(1, 40))

    finish(prune(dataset, PruneConfig(min_side_px=50, auto=True)))

    with Decisions(dataset.decisions) as decisions:
        assert decisions.all()[id].by == f"small@{limits().version}"


def test_explain_names_every_picture_and_why(tmp_path: Path) -> None:
    """Without the page too one sees what would go, and what is only worth a look."""
    dataset = make_dataset(tmp_path)
    add(dataset, "small.png", painted(1, 100))
    add(dataset, "cave.png", painted(2, 300).point(lambda v: v // 5))
    add(dataset, "fine.png", painted(3, 300))

    events = list(prune(dataset, PruneConfig(min_side_px=200, explain=True, engine="serial")))

    said = sorted(e.text for e in events if isinstance(e, Note))
    assert [text.split(", ")[0] for text in said] == [
        "pictures/cave.png: look (dark)",
        "pictures/small.png: drop (small)",
    ]


def test_broken_files_are_listed_and_never_fatal(tmp_path: Path) -> None:
    """Each broken file is one note with its name and reason; the others are kept."""
    dataset = make_dataset(tmp_path)
    add(dataset, "text.jpg", b"hello")
    add(dataset, "empty.png", b"")
    add(dataset, "good.png", painted(1))
    gone = add(dataset, "gone.png", painted(2))
    (dataset.pictures / "gone.png").unlink()

    events = list(prune(dataset, SMALL))

    notes = sorted(e.text.split(":")[0] for e in events if isinstance(e, Note))
    assert notes == ["pictures/empty.png", "pictures/gone.png", "pictures/text.jpg"]
    assert kept_files(dataset) == ["good.png"]
    assert suggestions(dataset)[gone][0] == "broken"
    assert events[-1].exit_code == 0


def test_only_new_pictures_are_measured(tmp_path: Path) -> None:
    """Ten files more than a thousand cost ten measurements; moving all of them costs none."""
    dataset = make_dataset(tmp_path)
    for n in range(1_000):
        add(dataset, f"{n}.png", painted(n, 24))
    first = finish(prune(dataset, SMALL)).data["measured"]
    for n in range(1_000, 1_010):
        add(dataset, f"{n}.png", painted(n, 24))

    more = [e for e in prune(dataset, SMALL) if isinstance(e, Step) and e.unit == "pictures"]
    text = dataset.manifest.read_text().replace('"pictures/', '"pictures/sub/')
    dataset.manifest.write_text(text)
    (dataset.pictures / "sub").mkdir()
    for file in dataset.pictures.glob("*.png"):
        file.rename(dataset.pictures / "sub" / file.name)
    moved = finish(prune(dataset, SMALL)).data["measured"]

    assert (first, len(more), moved) == (1_000, 10, 0)
    assert len(kept(dataset)) == 1_010


def test_pruning_twice_changes_nothing(tmp_path: Path) -> None:
    """A second --auto marks nothing, and groups, suggestions and history stay as they are."""
    dataset = make_dataset(tmp_path)
    for n in range(4):
        add(dataset, f"{n}.png", painted(n % 3).resize((160 - n, 160 - n)))
    finish(prune(dataset, AUTO))
    with Decisions(dataset.decisions) as decisions:
        before = decisions.history(), decisions.groups(), suggestions(dataset)

    events = list(prune(dataset, AUTO))

    with Decisions(dataset.decisions) as decisions:
        assert (decisions.history(), decisions.groups(), suggestions(dataset)) == before
    assert not [e for e in events if isinstance(e, Step)], "something was looked at again"
    assert events[-1].data["marked"] == 0
    assert before[0]


def test_auto_never_overrides_a_person(tmp_path: Path) -> None:
    """What a person kept or dropped stays so; the map a person dropped is no keeper either."""
    dataset = make_dataset(tmp_path)
    small = add(dataset, "small.png", painted(1, 40))
    best = add(dataset, "best.png", painted(2, 128))
    copy = add(dataset, "copy.png", painted(2, 128).resize((64, 64)))
    with Decisions(dataset.decisions) as decisions:
        decisions.mark(small, "keep")
        decisions.mark(best, "drop", "ugly")

    finish(prune(dataset, PruneConfig(min_side_px=50, auto=True)))

    assert states(dataset) == {small: "keep", best: "drop"}
    assert kept_files(dataset) == ["small.png", "copy.png"]
    assert suggestions(dataset).get(copy, ("", ""))[1] == ""


def test_auto_takes_its_own_mark_back_when_the_reason_goes(tmp_path: Path) -> None:
    """A picture dropped for its size alone is undecided again under a lower limit."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "a.png", painted(1, 100))
    finish(prune(dataset, PruneConfig(min_side_px=200, auto=True)))
    assert states(dataset) == {id: "drop"}

    finish(prune(dataset, PruneConfig(min_side_px=50, auto=True)))

    assert states(dataset) == {id: "undecided"}
    assert kept_files(dataset) == ["a.png"]


def test_apply_and_restore_are_bit_exact(tmp_path: Path) -> None:
    """Dropped pictures and their walls move out and come back, the others never move."""
    dataset = make_dataset(tmp_path)
    for n in range(3):
        add(dataset, f"{n}.png", painted(n))
    (dataset.pictures / "1.png.layout.json").write_text('{"cell_px": 20}')
    finish(prune(dataset, SMALL))
    before = tree(dataset.pictures)
    with Decisions(dataset.decisions) as decisions:
        decisions.mark(dataset.rows()[1]["id"], "drop", "no map")

    applied = finish(prune(dataset, PruneConfig(min_side_px=32, apply=True)))
    during = tree(dataset.pictures)
    again = finish(prune(dataset, PruneConfig(min_side_px=32, apply=True)))
    restored = finish(prune(dataset, PruneConfig(restore=True)))

    record = read_lines(dataset.root / "dropped/record.jsonl")
    assert (applied.data["moved"], again.data["moved"], restored.data["restored"]) == (1, 0, 2)
    assert sorted(during) == ["0.png", "2.png"]
    assert tree(dataset.pictures) == before
    assert [(r["from"], r["reason"]) for r in record] == [
        ("pictures/1.png", "no map"),
        ("pictures/1.png.layout.json", "no map"),
    ]
    assert kept_files(dataset) == ["0.png", "2.png"]


def test_a_picture_fetched_again_is_not_overwritten(tmp_path: Path) -> None:
    """A dropped picture that comes back by itself is dropped beside the first, then both stay."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "a.png", painted(1))
    add(dataset, "b.png", painted(2))
    data = (dataset.pictures / "a.png").read_bytes()
    with Decisions(dataset.decisions) as decisions:
        decisions.mark(id, "drop")
    apply = PruneConfig(min_side_px=32, apply=True)
    finish(prune(dataset, apply))
    (dataset.pictures / "a.png").write_bytes(data)

    finish(prune(dataset, apply))
    events = list(prune(dataset, PruneConfig(restore=True)))

    assert sorted(p.name for p in (dataset.root / "dropped/pictures").iterdir()) == ["a.png"]
    assert (dataset.pictures / "a.png").read_bytes() == data
    assert any(isinstance(e, Note) and "taken again" in e.text for e in events)


def test_kept_after_a_change_of_mind_says_where_the_file_is(tmp_path: Path) -> None:
    """A picture kept again while its file lies in dropped/ is not silently left out."""
    dataset = make_dataset(tmp_path)
    id = add(dataset, "a.png", painted(1))
    with Decisions(dataset.decisions) as decisions:
        decisions.mark(id, "drop")
        finish(prune(dataset, PruneConfig(min_side_px=32, apply=True)))
        decisions.mark(id, "keep")

    with pytest.raises(MapmakerError, match="lies in dropped") as caught:
        kept(dataset)

    assert "--restore" in caught.value.hint


def test_kept_computes_nothing(tmp_path: Path) -> None:
    """Before prune, or with a picture added since, kept says to run it and makes no file."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1))

    with pytest.raises(MapmakerError, match="1 picture") as before:
        kept(dataset)
    assert not dataset.decisions.exists()
    finish(prune(dataset, SMALL))
    assert kept_files(dataset) == ["a.png"]
    add(dataset, "b.png", painted(2))

    with pytest.raises(MapmakerError, match="not been looked at"):
        kept(dataset)
    assert "mapmaker prune own" in before.value.hint


def test_the_same_bytes_twice_are_one_picture(tmp_path: Path) -> None:
    """Two manifest rows with one content hash are kept once, and neither drops the other."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1))
    add(dataset, "b.png", painted(1))

    done = finish(prune(dataset, AUTO))

    assert done.data["pictures"] == 1
    assert kept_files(dataset) == ["a.png"]


def test_kept_rows_carry_their_grid(tmp_path: Path) -> None:
    """The grid of a name travels with the row; a picture without one has None."""
    dataset = make_dataset(tmp_path)
    add(dataset, "cave 8x8.png", painted(1))
    add(dataset, "other.png", painted(2))
    finish(prune(dataset, SMALL))

    rows = kept(dataset)

    assert rows[0]["grid"] == {"cell_px": 20.0, "phase": [0.0, 0.0], "source": "name"}
    assert rows[1]["grid"] is None


def test_apply_survives_kill_nine_at_any_moment(tmp_path: Path) -> None:
    """Killed while moving, the same command finishes; every picture is in one place, whole."""
    dataset = make_dataset(tmp_path)
    ids = [add(dataset, f"{n}.png", painted(n, 48)) for n in range(60)]
    finish(prune(dataset, SMALL))
    before = tree(dataset.pictures)
    with Decisions(dataset.decisions) as decisions:
        for id in ids[:50]:
            decisions.mark(id, "drop")
    script = (
        "import sys; from pathlib import Path; from mapmaker.workspace import Dataset\n"
        "from mapmaker.prune.prune import prune; from mapmaker.prune.config import PruneConfig\n"
        "for e in prune(Dataset(Path(sys.argv[1])), PruneConfig(apply=True, min_side_px=32)):\n"
        "    print(e, flush=True)\n"
    )
    for lines in (2, 9, 17):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(dataset.root)], stdout=subprocess.PIPE, text=True
        ) as mover:
            for _ in range(lines):
                mover.stdout.readline()
            os.kill(mover.pid, signal.SIGKILL)
        moved = tree(dataset.root / "dropped/pictures")
        assert tree(dataset.pictures) | moved == before
        assert not tree(dataset.pictures).keys() & moved.keys()

    finish(prune(dataset, PruneConfig(apply=True, min_side_px=32)))
    assert len(tree(dataset.root / "dropped/pictures")) == 50
    finish(prune(dataset, PruneConfig(restore=True)))
    assert tree(dataset.pictures) == before


def test_a_stop_keeps_what_was_measured(tmp_path: Path) -> None:
    """SIGTERM between two pictures ends the stage; the next run measures only the rest."""
    dataset = make_dataset(tmp_path)
    for n in range(12):
        add(dataset, f"{n}.png", painted(n, 48))

    with pytest.raises(Stopped, match="of 12 pictures"):
        for number, _ in enumerate(prune(dataset, SMALL)):
            if number == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    assert finish(prune(dataset, SMALL)).data["measured"] == 8


def test_two_prunes_at_once_are_refused(tmp_path: Path) -> None:
    """While another command works in the data set, prune says so and touches nothing."""
    dataset = make_dataset(tmp_path)
    add(dataset, "a.png", painted(1))

    with locked(dataset.root), pytest.raises(MissingPart, match="Another mapmaker"):
        finish(prune(dataset, SMALL))

    assert not dataset.decisions.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"min_side_px": 0},
        {"near": -1},
        {"near": 17},
        {"apply": True, "restore": True},
        {"engine": "cloud"},
    ],
)
def test_config_refuses_what_cannot_work(options: dict) -> None:
    """Values out of range, and flags that undo each other, are refused with a remedy."""
    with pytest.raises(BadConfig) as caught:
        PruneConfig(**options)

    assert caught.value.hint
