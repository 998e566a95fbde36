"""Data flows one way: a part may import the parts to its left, never those to its right."""

import ast
from pathlib import Path

import pytest

FLOW = (
    "errors registry config files events stopping shelf engine picture sheet workspace layout "
    "scrape prune shards models train sample evaluate export studio doctor demo cli"
).split()
ROOT = Path(__file__).parents[1]
PARTS = sorted((ROOT / "mapmaker").rglob("*.py"))


def imported(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{n.name}" for n in node.names if node.module == "mapmaker")
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def stage(module: str) -> int:
    part = module.split(".")[1] if module.startswith("mapmaker.") else ""
    return FLOW.index(part) if part in FLOW else -1


@pytest.mark.parametrize("path", PARTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_look_upstream(path):
    """No arrow points back."""
    words = path.relative_to(ROOT).with_suffix("").parts
    here = len(FLOW) if words[1] in ("__init__", "__main__") else FLOW.index(words[1])

    late = [m for m in imported(path) if stage(m) > here]

    assert not late, f"{path} reaches downstream to {', '.join(late)}"


@pytest.mark.parametrize("shelf", ["scrapers", "datasets", "checkpoints"])
def test_shelves_hold_no_code(shelf):
    """The three shelves hold cards and small data, never Python."""
    assert list((ROOT / shelf).rglob("*.py")) == []
