"""Writes are whole or not at all, and nothing half-written keeps its name."""

import signal
import subprocess
import sys

import pytest

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.files import append_line, atomic_file, need_room, read_lines, write_atomic


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    """The old content survives, and no temporary file stays."""
    path = tmp_path / "a.json"
    write_atomic(path, "old")

    with pytest.raises(RuntimeError), atomic_file(path) as beside:
        beside.write_text("half")
        raise RuntimeError

    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_kill_9_while_writing_keeps_the_old_file(tmp_path):
    """A process killed between write and rename leaves the old file; the next write sweeps up."""
    path = tmp_path / "a.json"
    write_atomic(path, "old")
    script = (
        "import os, sys, pathlib\nfrom mapmaker.files import atomic_file\n"
        "with atomic_file(pathlib.Path(sys.argv[1])) as beside:\n"
        "    beside.write_text('half')\n    os.kill(os.getpid(), 9)\n"
    )

    child = subprocess.run([sys.executable, "-c", script, str(path)])

    assert child.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2

    write_atomic(path, "new")

    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_lines_forgive_only_a_last_line_cut_short(tmp_path):
    """A crash cuts the last line; damage elsewhere is refused with its number."""
    path = tmp_path / "log.jsonl"
    append_line(path, {"n": 1})
    with path.open("a") as file:
        file.write('{"n": 2')

    assert read_lines(path) == [{"n": 1}]

    path.write_text('{"title": "a\u2028b\x85c"}\n', encoding="utf-8")
    assert read_lines(path) == [{"title": "a\u2028b\x85c"}]

    path.write_text('{"n": \n{"n": 2}\n')
    with pytest.raises(UnsafeInput, match="line 1"):
        read_lines(path)


def test_need_room_says_how_much(tmp_path):
    """A petabyte does not fit; the line says what is free."""
    with pytest.raises(MissingPart, match="MB free"):
        need_room(tmp_path / "not" / "there", 10**15)

    need_room(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
