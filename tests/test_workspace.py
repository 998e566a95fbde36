"""The workspace finds what a person means, and holds a folder for one process at a time."""

import subprocess
import sys

import pytest

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, UnknownName
from mapmaker.files import write_lines
from mapmaker.workspace import Workspace, check_name, locked


def test_the_newest_data_set_is_meant_when_none_is_named(tmp_path):
    """Alone, a command takes the only or the newest data set."""
    import os

    workspace = Workspace(tmp_path)
    for age_s, name in ((100, "older"), (0, "newer")):
        write_lines(workspace.dataset(name).manifest, [])
        stamp = 1_700_000_000 - age_s
        os.utime(workspace.dataset(name).manifest, (stamp, stamp))

    assert workspace.existing_dataset(None).name == "newer"
    assert workspace.existing_dataset("older").name == "older"


def test_a_near_name_is_offered(tmp_path):
    """A typo is answered with what there is."""
    workspace = Workspace(tmp_path)
    write_lines(workspace.dataset("painted").manifest, [])

    with pytest.raises(UnknownName) as caught:
        workspace.existing_dataset("paintd")

    assert "painted" in caught.value.hint


def test_an_empty_workspace_says_how_to_begin(tmp_path):
    """No run yet: the hint is the command that makes one."""
    with pytest.raises(MapmakerError) as caught:
        Workspace(tmp_path).existing_run(None)

    assert "mapmaker train" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "a\\b", ".hidden", "x" * 81, "a b", "x."]
)
def test_names_that_could_leave_the_folder_are_refused(name):
    """A name is one folder, on every system."""
    with pytest.raises(BadConfig):
        check_name("run", name)


def test_a_folder_is_held_by_one_process(tmp_path):
    """A second process is told who holds the folder, and gets it when the first has gone."""
    script = (
        "import sys, pathlib\nfrom mapmaker.workspace import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"held\n"

    with pytest.raises(MissingPart, match="Another mapmaker"), locked(tmp_path):
        pass

    child.kill()
    child.communicate()
    with locked(tmp_path):
        pass
