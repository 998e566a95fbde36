"""The whole way once, small: the real commands, an archive on loopback, a page at the end."""

import html
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mapmaker.errors import MapmakerError
from mapmaker.events import Done, Event, Note
from mapmaker.files import write_atomic
from mapmaker.picture import open_picture
from mapmaker.workspace import Workspace

ARCHIVE_MAPS = 24
SIZE_PX = 64


def demo(home: Path, minutes: float = 1.0, open_browser: bool = False) -> Iterator[Event]:
    """Serve a small archive in the shape of the real one, then scrape, prune, train and sample.

    Every command is printed before it runs. Leaves everything in `home`, with an index.html of the
    pictures. Raises MapmakerError, with the command, when one of them fails.
    """
    from mapmaker.scrape.replica import Replica

    home.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    yield Note(f"A small archive in the shape of the real one, {ARCHIVE_MAPS} maps, drawn by rule:")
    with Replica(maps=ARCHIVE_MAPS) as archive:
        yield from _run(home, f"scrape --via {archive.url}", gaps_are_fine=True)
    yield from _run(home, f"prune map-of-the-week --auto --size {SIZE_PX}")
    yield from _run(
        home, f"train map-of-the-week --size {SIZE_PX} --minutes {minutes:g} --name first"
    )
    yield from _run(home, "sample first -n 16 --seed 0 --size 256")
    yield from _run(home, "sample starter -n 9 --seed 0")
    yield from _run(home, "sample --layout dungeon -n 1 --seed 7")
    workspace = Workspace(home)
    page = home / "index.html"
    write_atomic(page, _page(workspace))
    if open_browser:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    took = time.monotonic() - began_s
    lines = [
        f"Done in {took:.0f} s. Look at {page}",
        "Next, with your own pictures:  mapmaker import FOLDER --name mine prune train --size 128 "
        "--minutes 30 sample -n 16",
    ]
    yield Done("demo", "\n".join(lines), {"page": str(page), "seconds": round(took, 1)})


def _run(home: Path, line: str, gaps_are_fine: bool = False) -> Iterator[Event]:
    yield Note(f"\n$ mapmaker {line}")
    command = [sys.executable, "-m", "mapmaker", "--home", str(home), *shlex.split(line)]
    code = subprocess.run(command, check=False).returncode
    if code == 4 and gaps_are_fine:
        yield Note("(Exit code 4: some files are missing on purpose, as in the real archive.)")
    elif code:
        raise MapmakerError(
            f"`mapmaker {line}` ended with exit code {code}.", hint="Its message is above."
        )


def _page(workspace: Workspace) -> str:
    """Return the index.html: one section a stage, pictures by relative path."""
    home = workspace.home
    dataset = workspace.dataset("map-of-the-week")
    run = workspace.run("first")
    sections = [
        ("Scraped", sorted(dataset.pictures.rglob("*.jpg"))[:12]),
        ("What goes into the net, and what it makes of it tick by tick", _progress(run)),
        ("Loss", sorted(run.glob("*.png"))),
        (
            "Your demo net, after a minute: tints and blots, for a map takes it hours",
            sorted(workspace.maps.glob("first-*.sheet.png")),
        ),
        (
            "The net that came with mapmaker, 750 px",
            sorted(workspace.maps.glob("starter-*[0-9].png")),
        ),
        (
            "A floor plan by rule, with walls and doors beside it",
            sorted(workspace.maps.glob("dungeon-*.png")),
        ),
    ]
    body = []
    for title, pictures in sections:
        figures = []
        for path in pictures:
            where = html.escape(path.relative_to(home).as_posix(), quote=True)
            width = min(open_picture(path).width, 900 if len(pictures) < 3 else 300)
            figures.append(
                f'<a href="{where}"><img src="{where}" width="{width}" loading="lazy" '
                f'alt="{html.escape(path.stem)}"></a>'
            )
        body.append(f"<h2>{html.escape(title)}</h2>\n<div>{''.join(figures)}</div>")
    style = (
        "body{background:#1d1b18;color:#e8e0d0;font:16px/1.5 Georgia,serif;margin:2rem auto;"
        "max-width:1240px;padding:0 1rem}img{border-radius:4px;margin:4px;max-width:100%;"
        "height:auto}h1,h2{font-weight:normal}code{color:#ffd58a}"
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>mapmaker demo</title>'
        f"<style>{style}</style>\n<h1>From pictures to maps</h1>\n" + "\n".join(body) + "\n"
        "<p>Next: <code>mapmaker import FOLDER --name mine prune train --size 128 --minutes 30 "
        "sample -n 16</code></p></html>\n"
    )


def _progress(run: Path) -> list[Path]:
    return [run / "reals.webp", *sorted(run.glob("frames/*.webp"))[-7:]]
