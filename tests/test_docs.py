"""The documents cannot drift: what they show is printed by the program."""

import subprocess
import sys
from pathlib import Path

import pytest

from mapmaker.cli.border import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_generated_parts_are_fresh(page):
    """`make docs` would change nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", str(page)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip

    assert done.returncode == 0, f"{page.name} is stale: run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_inside_the_house_lead_somewhere(page):
    """Every relative link and picture in a page exists."""
    import re

    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_names_every_command():
    """A command nobody can find is not there."""
    text = (ROOT / "README.md").read_text()

    assert [name for name in COMMANDS if f"mapmaker {name}" not in text] == []
