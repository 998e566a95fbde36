"""The command line as a person meets it: fast, clear, with the documented exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from mapmaker import __version__
from mapmaker.cli.border import COMMANDS, cli
from mapmaker.scrape.replica import Replica


def all_commands():
    context = click.Context(cli)
    return [cli.get_command(context, name) for name in COMMANDS]


def test_help_is_there_at_once_and_without_torch(process):
    """`mapmaker --help` takes under 0.3 s of processor time and imports no heavy package."""
    seconds = []
    for _ in range(5):
        before = os.times()
        done = process("--help")
        after = os.times()
        seconds.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    script = (
        "import sys\nfrom mapmaker.cli.border import run_line\nrun_line(['--help'])\n"
        "heavy = {'torch','numpy','cv2','albumentations','requests','starlette','h5py','rich'}\n"
        "sys.exit(1 if heavy & set(sys.modules) else 0)"
    )
    light = subprocess.run([sys.executable, "-c", script], capture_output=True)

    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    assert light.returncode == 0
    assert min(seconds) < 0.3


def test_python_dash_m_and_version(process):
    """`python -m mapmaker --version` says the version."""
    assert process("--version").stdout == f"mapmaker {__version__}\n"


def test_nothing_at_all_shows_the_help(process):
    """`mapmaker` alone is a question, not a mistake."""
    done = process()

    assert done.returncode == 0
    assert "Usage: mapmaker" in done.stdout


@pytest.mark.parametrize("command", all_commands(), ids=lambda c: c.name)
def test_every_command_and_option_has_help(command):
    """No command, no option without its own sentence; the list shows the same first line."""
    assert command.help.splitlines()[0] == COMMANDS[command.name][1]
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def test_an_unknown_command_is_answered_with_the_nearest(mapmaker):
    """`mapmaker trian` asks whether train was meant; exit 2."""
    result = mapmaker("trian")

    assert result.code == 2
    assert "'trian'" in result.err and "train" in result.err


def test_a_name_no_folder_can_have_is_refused(mapmaker):
    """`../evil` is no data set's name."""
    result = mapmaker("prune", "../evil", "--auto")

    assert result.code == 2
    assert result.err.count("\n") == 1


def test_prune_with_no_data_set_says_how_to_begin(mapmaker):
    """An empty workspace is not an error in the tool: the line says what to type."""
    result = mapmaker("prune", "--auto")

    assert result.code == 1
    assert "mapmaker import" in result.err


def test_layout_maps_come_without_any_net(mapmaker, tmp_path):
    """`sample --layout dungeon` leaves the map, its walls, and says the seed."""
    result = mapmaker("sample", "--layout", "dungeon", "--seed", "7")

    assert result.code == 0
    assert "seed 7" in result.out
    assert (tmp_path / "maps/dungeon-000007.png").is_file()
    assert (tmp_path / "maps/dungeon-000007.layout.json").is_file()


def test_json_is_the_only_thing_on_stdout(mapmaker):
    """`--json` prints one JSON object and progress stays on stderr."""
    import json

    result = mapmaker("list", "sources", "--json")

    assert "map-of-the-week" in json.loads(result.out)


def test_no_colour_codes_reach_a_pipe(process, tmp_path):
    """Without a terminal there are no escape sequences, with NO_COLOR or not."""
    done = process("--home", tmp_path, "sample", "--layout", "cave", "-n", 2, "--seed", 1)

    assert done.returncode == 0
    assert not re.search("\x1b", done.stdout + done.stderr)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_signals_end_with_the_documented_code_and_one_line(tmp_path, signum, code):
    """Ctrl-C is 130, SIGTERM is 75; neither shows a traceback, and what was made stays whole."""
    words = ["--home", str(tmp_path), "sample", "--layout", "cave", "-n", "500", "--seed", "1"]
    child = subprocess.Popen(
        [sys.executable, "-m", "mapmaker", *words],
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores Ctrl-C, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("maps/*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signum)
    _, err = child.communicate(timeout=30)

    assert child.returncode == code
    assert "Traceback" not in err and "Stopped" in err
    assert not list(tmp_path.glob("maps/*.tmp"))


def test_a_file_where_a_folder_is_wanted_is_one_line_and_exit_5(mapmaker, tmp_path):
    """`maps` is a file: say so, lose nothing."""
    (tmp_path / "maps").write_text("mine")

    result = mapmaker("sample", "--layout", "cave", "--seed", "1")

    assert result.code == 5
    assert "maps" in result.err
    assert (tmp_path / "maps").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_is_one_line_and_exit_5(tmp_path):
    """ENOSPC from the real device: one clear line, exit code 5."""
    from mapmaker.errors import MissingPart
    from mapmaker.files import speaking_of

    full = Path("/dev/full")
    with pytest.raises(MissingPart, match="disk is full") as caught, speaking_of(tmp_path):
        full.write_text("x")

    assert caught.value.exit_code == 5
    assert caught.value.hint


def test_log_json_tells_every_event_as_a_line(tmp_path):
    """Notes, steps and the end are JSON with a time on stderr; the result on stdout is as ever."""
    with Replica(maps=3, side_px=48, drawn=False, faults=False) as archive:
        line = ["--home", str(tmp_path), "--log", "json", "scrape", "--via", archive.url, "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "mapmaker", *line], capture_output=True, text=True
        )

    events = [json.loads(text) for text in done.stderr.splitlines()]
    assert {"note", "step", "done"} == {e["event"] for e in events}
    assert events[-1]["event"] == "done" and events[-1]["data"] == json.loads(done.stdout)
    assert all(e["at"].endswith("+00:00") for e in events)
    steps = [e for e in events if e["event"] == "step" and e["unit"] == "maps"]
    assert (steps[-1]["done"], steps[-1]["total"]) == (3, 3)


def test_log_json_tells_an_error_as_a_line_too(tmp_path):
    """With the exit code the process ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "mapmaker", "--home", str(tmp_path), "--log", "json", "verify"],
        capture_output=True, text=True,
    )  # fmt: skip

    (event,) = [json.loads(text) for text in done.stderr.splitlines()]
    assert (event["event"], event["exit_code"]) == ("error", done.returncode)
