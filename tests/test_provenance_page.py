"""docs/provenance.md says what the program does: its commands run, its lists are complete."""

import json
import re
import shlex
from pathlib import Path

from prune_pictures import painted

from mapmaker.scrape.optout import AGAINST

PAGE = (Path(__file__).parents[1] / "docs" / "provenance.md").read_text()


def test_the_commands_of_the_page_run_in_their_order(mapmaker, tmp_path, monkeypatch):
    """Every line of the first block ends with 0, and leaves what the page says it leaves."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for seed, name in enumerate(("cellar", "keep", "mine")):
        painted(seed, 520).save(f"pictures/{name}.png")
    lines = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()

    codes = {line: mapmaker(*shlex.split(line)[1:]).code for line in lines}

    assert set(codes.values()) == {0}, codes
    shards = tmp_path / "datasets/guild/shards/64"
    said = json.loads((shards / "card.json").read_text())
    assert said["pictures"] == 2 and said["ai_training"] == {"yes": 2, "unknown": 0}
    for name in re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE):
        beside = (shards / name).exists() or (tmp_path / "exports").glob(f"*{name}")
        assert beside, name
    assert (tmp_path / "exports/guild-64-imagefolder/train/metadata.jsonl").exists()
    assert (tmp_path / "exports/guild-whole-webdataset/train/00000.tar").exists()


def test_the_page_names_every_directive_that_refuses():
    """A sign we obey and do not tell would be a riddle."""
    assert [word for word in AGAINST if f"`{word}`" not in PAGE] == []
