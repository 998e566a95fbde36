"""What pack learns of each kept picture besides its pixels."""

from numpy.random import default_rng
from planted import titled, with_logo
from prune_pictures import add, make_dataset

from mapmaker.events import finish
from mapmaker.layout import plan, render
from mapmaker.prune.config import PruneConfig
from mapmaker.prune.kept import kept
from mapmaker.prune.prune import prune


def test_titles_and_logos_keep_a_picture_upright(tmp_path):
    """A net that saw a name or a logo mirrored would draw it mirrored."""
    dataset = make_dataset(tmp_path)
    plain = render(plan("cave", 5, 15, 15), cell_px=50).convert("RGB")
    other = render(plan("wilderness", 4, 15, 15), cell_px=50).convert("RGB")
    add(dataset, "plain.png", plain)
    add(dataset, "titled.png", titled(other, default_rng(1)))
    add(
        dataset,
        "marked.png",
        with_logo(render(plan("cave", 9, 15, 15), cell_px=50).convert("RGB"), default_rng(2)),
    )

    finish(prune(dataset, PruneConfig(engine="serial")))

    writing = {row["file"]: row["has_text"] for row in kept(dataset)}
    assert writing == {
        "pictures/plain.png": False,
        "pictures/titled.png": True,
        "pictures/marked.png": True,
    }
