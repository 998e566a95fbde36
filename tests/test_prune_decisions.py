"""The marks: never lost, never overwritten, always reversible."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.prune.decisions import Decisions, Mark, Step

A, B = "a" * 64, "b" * 64


@pytest.fixture
def decisions(tmp_path: Path) -> Iterator[Decisions]:
    made = Decisions(tmp_path / "decisions.db")
    yield made
    made.close()


def test_state_is_the_last_mark(decisions: Decisions) -> None:
    """A picture is what it was last marked; one nobody marked is undecided."""
    decisions.mark(A, "drop", "too dark")
    decisions.mark(A, "keep")

    assert decisions.state(A) == "keep"
    assert decisions.state(B) == "undecided"
    assert decisions.all() == {A: Mark(A, "keep", "", "person")}


def test_undo_goes_back_mark_by_mark_and_keeps_the_history(decisions: Decisions) -> None:
    """Each undo takes back one more mark; every mark and undo stays in the history."""
    decisions.mark(A, "drop", "rule says so", by="small@1")
    decisions.mark(A, "keep")
    decisions.mark(B, "drop")

    undone = [decisions.undo(), decisions.undo(), decisions.undo()]

    assert undone == [
        [Mark(B, "undecided", "", "")],
        [Mark(A, "drop", "rule says so", "small@1")],
        [],
    ]
    assert [row["undoes"] for row in decisions.history()] == [None, None, None, 3, 2]
    assert len(decisions.history(B)) == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from(["keep", "drop", "undecided"]))))
def test_undoing_everything_is_the_beginning(
    tmp_path_factory: pytest.TempPathFactory, marks: list[tuple[str, str]]
) -> None:
    """After as many undos as marks every picture is undecided, whatever the marks were."""
    decisions = Decisions(tmp_path_factory.mktemp("marks") / "decisions.db")
    for id, state in marks:
        decisions.mark(id, state)

    for _ in marks:
        assert decisions.undo() != []

    assert decisions.undo() == []
    assert {decisions.state(id) for id in (A, B)} == {"undecided"}
    assert len(decisions.history()) == 2 * len(marks)
    decisions.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["keep", "drop", "undecided", "undo", "redo"]), max_size=25))
def test_undo_and_redo_are_those_of_any_editor(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    """Undo and redo go as two plain stacks do; a new mark forgets what was undone."""
    decisions = Decisions(tmp_path_factory.mktemp("marks") / "decisions.db")
    past, now, future = [], "undecided", []
    for action in actions:
        if action == "undo":
            decisions.undo()
            if past:
                future.append(now)
                now = past.pop()
        elif action == "redo":
            decisions.redo()
            if future:
                past.append(now)
                now = future.pop()
        else:
            decisions.mark(A, action)
            past.append(now)
            now, future = action, []

        assert decisions.state(A) == now
    decisions.close()


def test_marks_made_together_are_undone_together(decisions: Decisions) -> None:
    """Accepting forty suggestions is one step: one undo takes it back, one redo does it again."""
    decisions.mark(A, "keep")
    decisions.mark_all([Mark(A, "drop", "", "person"), Mark(B, "drop", "", "person")])

    undone = decisions.undo()
    after = (decisions.state(A), decisions.state(B))
    redone = decisions.redo()

    assert after == ("keep", "undecided")
    assert {m.id for m in undone} == {m.id for m in redone} == {A, B}
    assert (decisions.state(A), decisions.state(B)) == ("drop", "drop")


def test_undoing_an_older_step_leaves_what_was_decided_later(decisions: Decisions) -> None:
    """Two tabs: what one takes back does not overwrite what the other has decided since."""
    here, there = Mark(A, "drop", "", "person"), Mark(A, "keep", "", "person")
    decisions.take([Step("mark", (here,), name="tab1-1"), Step("mark", (there,), name="tab2-1")])

    decisions.take([Step("undo", of="tab1-1", name="tab1-2")])
    assert decisions.state(A) == "keep"

    decisions.take([Step("undo", of="tab2-1", name="tab2-2")])
    assert decisions.state(A) == "undecided"


def test_a_step_delivered_twice_is_done_once(decisions: Decisions) -> None:
    """A sender that never heard the answer asks again; marks, undos and redos happen once."""
    steps = [
        Step("mark", (Mark(A, "drop", "", "person"),), name="1"),
        Step("mark", (Mark(B, "drop", "", "person"),), name="2"),
        Step("undo", name="3"),
    ]
    decisions.take(steps)

    again = decisions.take(steps)

    assert again == [[], [], []]
    assert (decisions.state(A), decisions.state(B)) == ("drop", "undecided")


def test_since_tells_only_what_is_new(decisions: Decisions) -> None:
    """Who remembers the newest number hears of later marks alone, the last of each picture."""
    decisions.mark(A, "keep")
    seq, _ = decisions.since(0)
    decisions.mark(B, "keep")
    decisions.mark(B, "drop")

    assert decisions.since(seq) == (seq + 2, {B: Mark(B, "drop", "", "person")})
    assert decisions.since(seq + 2) == (seq + 2, {})


def test_a_file_of_the_first_days_is_still_read(tmp_path: Path) -> None:
    """A decisions.db made before marks had steps keeps its marks, and they can be undone."""
    path = tmp_path / "decisions.db"
    Decisions(path).close()
    with sqlite3.connect(path) as old:
        old.execute("DROP INDEX marks_by_step")
        old.execute("ALTER TABLE marks DROP COLUMN step")
        columns, values = "at, id, state, reason, by", "'then', ?, 'drop', '', 'person'"
        old.execute(f"INSERT INTO marks ({columns}) VALUES ({values})", (A,))
    old.close()

    with Decisions(path) as decisions:
        assert decisions.state(A) == "drop"
        assert decisions.undo() == [Mark(A, "undecided", "", "")]


def test_history_cannot_be_rewritten(decisions: Decisions, tmp_path: Path) -> None:
    """The file itself refuses to change or delete a mark, whoever asks."""
    decisions.mark(A, "keep")
    other = sqlite3.connect(tmp_path / "decisions.db")

    for statement in ("UPDATE marks SET state = 'drop'", "DELETE FROM marks"):
        with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
            other.execute(statement)

    other.close()
    assert decisions.state(A) == "keep"


def test_a_strange_state_writes_nothing(decisions: Decisions) -> None:
    """Several marks are written together or not at all."""
    with pytest.raises(ValueError, match="perhaps"):
        decisions.mark_all([Mark(A, "keep", "", "person"), Mark(B, "perhaps", "", "person")])

    assert decisions.history() == []


def test_marks_survive_kill_nine(tmp_path: Path) -> None:
    """Every mark whose call returned is there after SIGKILL, and the file is sound."""
    path = tmp_path / "decisions.db"
    script = (
        "import sys; from pathlib import Path; from mapmaker.prune.decisions import Decisions\n"
        "d = Decisions(Path(sys.argv[1]))\n"
        "for n in range(100_000):\n"
        "    d.mark(f'{n:064x}', 'drop'); print(n, flush=True)\n"
    )
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            acknowledged = [int(writer.stdout.readline()) for _ in range(25)]
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout]

        with Decisions(path) as marks:
            assert {f"{n:064x}" for n in acknowledged} <= marks.all().keys()


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    """A decisions.db that is no database is refused with what to do, and not touched."""
    path = tmp_path / "decisions.db"
    path.write_bytes(b"not a database at all" * 50)

    with pytest.raises(UnsafeInput, match=r"decisions\.db is damaged") as caught:
        Decisions(path)

    assert "Move it away" in caught.value.hint
    assert path.read_bytes() == b"not a database at all" * 50


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    """Where no database can be made the error names the file and the remedy."""
    (tmp_path / "decisions.db").mkdir()

    with pytest.raises(MissingPart, match=r"decisions\.db cannot be written") as caught:
        Decisions(tmp_path / "decisions.db")

    assert "permission" in caught.value.hint
