"""The whole way, in one line, against an archive on loopback: what the README promises."""

from pathlib import Path

import pytest

from mapmaker.picture import picture_size
from mapmaker.scrape.replica import Replica


@pytest.mark.slow
def test_scrape_prune_train_sample_in_one_line(mapmaker, tmp_path):
    """One line goes from an archive to new maps, each stage taking up what the last one left."""
    with Replica(maps=12) as archive:
        line = f"scrape --via {archive.url} prune --auto train --size 64 --minutes 0.05 sample -n 4"
        result = mapmaker(*line.split())

    assert result.code == 4, result.err  # the archive has gaps, and they are known
    assert len(list(tmp_path.glob("datasets/map-of-the-week/pictures/**/*.jpg"))) >= 6
    assert (tmp_path / "datasets/map-of-the-week/shards/64/card.json").is_file()
    maps = [p for p in tmp_path.glob("maps/*.png") if "sheet" not in p.name]
    assert [picture_size(p) for p in maps] == [(64, 64)] * 4
    assert "device" in result.err or "cpu" in result.out + result.err


@pytest.mark.slow
def test_the_demo_ends_with_a_page_of_pictures(process, tmp_path):
    """`mapmaker demo` prints every command it runs and leaves a page whose pictures all exist."""
    import re

    done = process("demo", tmp_path / "demo", "--minutes", "0.03", "--no-open")

    assert done.returncode == 0, done.stderr
    assert all(f"$ mapmaker {c}" in done.stderr for c in ("scrape", "prune", "train", "sample"))
    page = Path(tmp_path / "demo/index.html").read_text()
    pictures = re.findall(r'src="([^"]+)"', page)
    assert len(pictures) >= 20
    assert all((tmp_path / "demo" / p).is_file() for p in pictures)
    assert "mapmaker import" in done.stdout
