"""sample(): seeds in, maps out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from mapmaker import __version__
from mapmaker.errors import BadConfig, MapmakerError, NotFinite
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import need_room, write_atomic, write_json
from mapmaker.registry import unknown
from mapmaker.sample.config import PLAIN, SampleConfig
from mapmaker.sample.latents import latent
from mapmaker.sample.painters import Painter, kinds_in, open_painter
from mapmaker.sample.provenance import MADE_BY_NET, MADE_BY_RULE, png_bytes, read_recipe
from mapmaker.shelf import cards
from mapmaker.train.whose import weights_of
from mapmaker.workspace import Workspace

STARTER = "starter"  # the checkpoint on the shelf that samples right after the install


def sample(workspace: Workspace, source: Path, config: SampleConfig) -> Iterator[Event]:
    """Make maps with the generator in folder `source` (a run, or a checkpoint of the shelf).

    Leaves `maps/<run>-<seed>.png`, each with its recipe, and a contact sheet when there are
    several. Raises as `open_painter` does, NotFinite when the net gives no picture.
    """
    painter = open_painter(workspace, source, config)
    meta = painter.facts
    kinds = kinds_in(meta)
    if config.kind is not None and config.kind not in kinds:
        if not kinds:
            raise BadConfig(
                f"{source.name} knows no kinds of map.", hint="It was trained without --kinds."
            )
        raise unknown("kind of map", config.kind, kinds)
    side_px = config.size or meta.get("sample_size") or meta["size"]
    columns, rows = config.columns_rows()
    if columns != rows:
        raise BadConfig(
            f"--squares is {config.squares}.", hint="A net's maps are square: write 15x15."
        )
    base = {
        "mapmaker": __version__,
        "digital_source_type": MADE_BY_NET,
        "run": source.name,
        "model": meta["sha256"],
        "arch": meta["arch"],
        "net_px": meta["size"],
        "size": side_px,
        "squares": [columns, rows],
        "grid": config.grid,
        "truncation": config.truncation,
    }
    if painter.engine != PLAIN:
        base |= {"engine": painter.engine, "precision": painter.precision}
    for note in painter.notes:
        yield Note(note)
    if side_px > meta["size"]:
        yield Note(f"{source.name} paints {meta['size']} px; enlarged to {side_px} px.")

    def draw(seed: int) -> tuple[Image.Image, dict[str, Any]]:
        kind = config.kind or (kinds[seed % len(kinds)] if kinds else None)
        picture = paint(painter, seed, config.truncation, kind)
        picture = picture.resize((side_px, side_px), Image.Resampling.LANCZOS)
        told = {"seed": seed} | ({"kind": kind} if kind else {})
        return (with_grid(picture, columns, rows) if config.grid else picture), base | told

    yield from _make(workspace, source.name, config, draw)


def sample_layout(workspace: Workspace, config: SampleConfig) -> Iterator[Event]:
    """Draw floor plans by rule, each with its walls and doors in `<map>.layout.json`."""
    from mapmaker import layout  # shapely and more: not for who asks a net

    kind = config.layout or ""
    layout.KINDS.get(kind)
    columns, rows = config.columns_rows()
    cell_px = max(10, (config.size or 50 * max(columns, rows)) // max(columns, rows))

    def draw(seed: int) -> tuple[Image.Image, dict[str, Any]]:
        plan = layout.plan(kind, seed, columns, rows)
        recipe = {
            "mapmaker": __version__,
            "digital_source_type": MADE_BY_RULE,
            "layout": kind,
            "squares": [columns, rows],
            "size": cell_px * max(columns, rows),
            "grid": config.grid,
            "seed": seed,
        }
        plan_json = plan.to_json() | {"cell_px": cell_px}
        return layout.render(plan, cell_px, grid=config.grid), recipe | {"_layout": plan_json}

    yield from _make(workspace, kind, config, draw)


def regenerate(workspace: Workspace, picture: Path, config: SampleConfig) -> Iterator[Event]:
    """Make the map in `picture` again from the recipe it carries.

    Raises UnsafeInput when it carries none, MapmakerError when the net that made it, or its .onnx,
    is not here.
    """
    recipe = read_recipe(picture)
    again = replace(
        config,
        n=None,
        regenerate=None,
        seed=str(recipe["seed"]),
        size=recipe["size"],
        squares="{}x{}".format(*recipe["squares"]),
        grid=recipe["grid"],
        truncation=recipe.get("truncation", 1.0),
        layout=recipe.get("layout"),
        kind=recipe.get("kind"),
        engine=config.engine if config.engine != "auto" else recipe.get("engine", PLAIN),
        precision=recipe.get("precision", "fp32"),
    )
    if again.layout:
        yield from sample_layout(workspace, again)
    else:
        yield from sample(workspace, _maker(workspace, recipe), again)


def find_checkpoint(workspace: Workspace, name: str | None) -> Path:
    """Return the folder of run `name`, of the shelf's checkpoint `name`, or the newest run.

    With no name and no run it is the shipped `starter`. Raises UnknownName with the nearest names.
    """
    on_shelf = {n: p.parent for n, p in cards("checkpoints").items()}
    runs = workspace.run_names()
    if name is None:
        return (
            workspace.run(runs[0])
            if runs
            else on_shelf.get(STARTER) or workspace.existing_run(None)
        )
    if name in runs or name not in on_shelf:
        return workspace.existing_run(name)
    return on_shelf[name]


def paint(painter: Painter, seed: int, truncation: float, kind: str | None = None) -> Image.Image:
    """Return the RGB picture of one seed. One at a time: a batch must change nothing.

    kind is one of `kinds_in(painter.facts)`; the other numbers of the latent are the same for all.

    Raises NotFinite when the net gives values that are no numbers.
    """
    from mapmaker.shards.scale import to_picture

    z = latent(seed, tuple(painter.facts["latent_shape"]), truncation)
    if kind is not None:
        kinds = kinds_in(painter.facts)
        z[0, -len(kinds) :] = [float(kind == known) for known in kinds]
    try:
        return to_picture(painter.paint(z))
    except NotFinite as error:
        raise NotFinite(
            "The net gives no picture: its values are not finite.", hint="Train it anew."
        ) from error


def with_grid(picture: Image.Image, columns: int, rows: int) -> Image.Image:
    """Return the picture under a thin dark grid, lines at the exact square borders."""
    over = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(over)
    for i in range(columns + 1):
        x = min(round(i * picture.width / columns), picture.width - 1)
        pen.line([(x, 0), (x, picture.height)], fill=(20, 16, 12, 110))
    for i in range(rows + 1):
        y = min(round(i * picture.height / rows), picture.height - 1)
        pen.line([(0, y), (picture.width, y)], fill=(20, 16, 12, 110))
    return Image.alpha_composite(picture.convert("RGBA"), over).convert("RGB")


def _make(workspace: Workspace, slug: str, config: SampleConfig, draw: Any) -> Iterator[Event]:
    """Draw every seed, write each map at once, and a contact sheet at the end."""
    from mapmaker.sheet import sheet

    seeds = config.seeds()
    need_room(workspace.maps, 4_000_000 * min(len(seeds), 100))
    written: list[Path] = []
    small: list[Image.Image] = []
    for i, seed in enumerate(seeds):
        yield Step("sample", i, len(seeds), "maps")
        picture, recipe = draw(seed)
        plan = recipe.pop("_layout", None)
        path = _write_once(workspace.maps, f"{slug}-{seed:06d}", png_bytes(picture, recipe))
        if plan:
            write_json(path.with_suffix(".layout.json"), plan)
        written.append(path)
        if len(small) < 64:
            small.append(picture.resize((256, 256 * picture.height // picture.width)))
    yield Step("sample", len(seeds), len(seeds), "maps")
    data: dict[str, Any] = {"maps": [str(p) for p in written], "seeds": [seeds[0], seeds[-1]]}
    if len(written) > 1:
        path = workspace.maps / f"{slug}-{seeds[0]:06d}-{seeds[-1]:06d}.sheet.png"
        labels = [str(s) for s in seeds[: len(small)]]
        columns = max(c for c in range(1, 9) if c * c <= len(small) or c == 1)
        write_atomic(path, png_bytes(sheet(small, columns=columns, cell_px=256, labels=labels), {}))
        data["sheet"] = str(path)
    where = written[0] if len(written) == 1 else workspace.maps
    text = f"{len(written)} map{'s' * (len(written) > 1)} in {where}"
    text += f", all on {Path(data['sheet']).name}" if "sheet" in data else ""
    yield Done(
        "sample", f"{text} (seed {seeds[0]}{f' to {seeds[-1]}' if len(seeds) > 1 else ''}).", data
    )


def _write_once(folder: Path, stem: str, data: bytes) -> Path:
    """Write `stem`.png; a different picture that has the name already keeps it."""
    for number in range(1, 10_000):
        path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        if not path.exists():
            write_atomic(path, data)
            return path
        if path.read_bytes() == data:
            return path
    raise MapmakerError(f"{folder} holds 10,000 maps called {stem}.", hint="Move some away.")


def _maker(workspace: Workspace, recipe: dict[str, Any]) -> Path:
    """Return the folder of the net that painted the recipe: same weights, whatever its name now."""
    named = [recipe.get("run"), *workspace.run_names(), *sorted(cards("checkpoints"))]
    for name in dict.fromkeys(n for n in named if n):
        try:
            folder = find_checkpoint(workspace, name)
            if weights_of(folder)["sha256"] == recipe.get("model"):
                return folder
        except MapmakerError:
            continue
    net = f"{recipe.get('run')}, {str(recipe.get('model'))[:12]}"
    raise MapmakerError(
        f"The net that painted this map ({net}) is not here.",
        hint="Run this where that run is; a run that trained on has other weights now.",
    )
