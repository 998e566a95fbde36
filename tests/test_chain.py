"""The line is split at command names, and the whole of it is judged before anything runs."""

import json

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapmaker.cli.border import COMMANDS, cli
from mapmaker.cli.chain import split_line


def split(line: str) -> list[tuple[str, list[str]]]:
    context = click.Context(cli)
    _, parts = split_line(line.split(), cli, list(COMMANDS), lambda n: cli.get_command(context, n))
    return [(p.command, p.words) for p in parts]


def test_split_the_line_of_the_readme():
    """Every command takes the words up to the next command's name."""
    parts = split("scrape --via http://x prune --auto train --size 64 --minutes 1 sample -n 4")

    assert parts == [
        ("scrape", ["--via", "http://x"]),
        ("prune", ["--auto"]),
        ("train", ["--size", "64", "--minutes", "1"]),
        ("sample", ["-n", "4"]),
    ]


@pytest.mark.parametrize("word", ["--name=train", "./train"])
def test_split_lets_a_command_name_be_a_value(word):
    """`--name=train` and `./train` are words, not the command train."""
    assert split(f"import pictures {word}") == [("import", ["pictures", word])]


def test_split_leaves_an_option_its_value():
    """A command's name behind an option that waits for a value is that value."""
    assert split("import pictures --name train prune") == [
        ("import", ["pictures", "--name", "train"]),
        ("prune", []),
    ]


def test_split_knows_that_a_flag_waits_for_nothing():
    """A flag takes no value, so the word behind it may be a command."""
    assert split("prune --auto train") == [("prune", ["--auto"]), ("train", [])]


def test_split_takes_words_behind_two_dashes_as_they_are():
    """Behind `--` nothing is a command."""
    assert split("import -- train prune") == [("import", ["--", "train", "prune"])]


@given(st.lists(st.sampled_from(sorted(COMMANDS)), max_size=6))
def test_split_loses_no_command(names):
    """Bare command names come back one part each, in order."""
    assert [name for name, _ in split(" ".join(names))] == names


def test_a_typo_in_the_last_stage_stops_the_first(mapmaker, tmp_path):
    """A wrong option at the end of the line: exit 2, one line, and nothing has been written."""
    result = mapmaker("sample", "--layout", "cave", "train", "--sise", "64")

    assert result.code == 2
    assert "--sise" in result.err and result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_dry_run_with_json_is_json(mapmaker):
    """A script reads the plan of every stage by its name."""
    result = mapmaker("prune", "--auto", "--dry-run", "--json", "sample", "-n", "4")

    assert list(json.loads(result.out)["would"]) == ["prune", "sample"]


def test_a_bad_value_in_the_last_stage_stops_the_first(mapmaker, tmp_path):
    """`train --size 7` is refused before the stage in front of it begins."""
    result = mapmaker("sample", "--layout", "cave", "train", "--size", "7")

    assert result.code == 2
    assert "7" in result.err and "32" in result.err and result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_nobody_leaves_stops_the_line(mapmaker, tmp_path):
    """A data set that is named but neither there nor coming is found before anything runs."""
    result = mapmaker("sample", "--layout", "cave", "prune", "nosuch", "--auto")

    assert result.code == 2
    assert "nosuch" in result.err
    assert list(tmp_path.iterdir()) == []


def test_dry_run_prints_the_plan_of_every_stage(mapmaker, tmp_path):
    """With --dry-run anywhere in the line, every stage says what it would do, and none does it."""
    result = mapmaker("prune", "--auto", "--dry-run", "sample", "-n", "4")

    assert result.code == 0
    assert [line.split(":")[0] for line in result.out.splitlines()] == ["prune", "pack", "sample"]
    assert list(tmp_path.iterdir()) == []
