"""`import`: take in pictures that are here already, with what is known of them, and their walls."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import read_json, read_lines, sha256_of, speaking_of, sync, write_json
from mapmaker.picture import SUFFIXES
from mapmaker.scrape.check import SUFFIX, NotGood, has_magic, picture_facts
from mapmaker.scrape.config import ImportConfig
from mapmaker.scrape.grammar import slug
from mapmaker.scrape.manifest import gap, row, write_gaps, write_manifest
from mapmaker.scrape.optout import against_in_file
from mapmaker.scrape.provenance import Provenance
from mapmaker.scrape.tombstones import Tombstones
from mapmaker.scrape.walls import (
    SHAPE_TOLERANCE,
    UVTT_SUFFIXES,
    BadWalls,
    fits_scene,
    layout_of_scene,
    layout_of_uvtt,
    read_scene,
    read_uvtt,
    scene_picture,
)
from mapmaker.stopping import stoppable
from mapmaker.workspace import Dataset, Workspace, locked

_SIDECAR = ".layout.json"
SCALED = 0.01  # a picture that much larger or smaller than its layout was scaled since


@dataclass(frozen=True, slots=True)
class Given:
    """A file to take in, and the name it has within what the person named."""

    path: Path
    name: str


@dataclass(slots=True)
class _Run:
    """What an import has so far."""

    dataset: Dataset
    config: ImportConfig
    known: Provenance
    scenes: dict[str, dict[str, Any]]
    removed: Tombstones
    rows: dict[str, dict] = field(default_factory=dict)
    gaps: list[dict] = field(default_factory=list)
    new: int = 0
    walled: int = 0


def import_pictures(
    workspace: Workspace, paths: Sequence[Path], config: ImportConfig
) -> Iterator[Event]:
    """Copy pictures, and folders of them to the bottom, into datasets/<config.name>/.

    JPEG, PNG, WebP, TIFF, GIF and BMP by content; .dd2vtt, .uvtt and .df2vtt bring a picture and
    their walls; a Foundry scene's JSON, or a <picture>.layout.json, lends its walls to the picture
    beside it; a PROVENANCE.csv lends licences and names. What cannot be read is a gap. Done.data:
    dataset, pictures, new, walls, gaps (reason -> count); exit code 4 with gaps. Importing
    the same again changes nothing. Raises MapmakerError for a path that does not exist and when
    there is no picture at all, MissingPart for a full disk, Stopped after a signal.
    """
    given = _collect(paths)
    dataset = workspace.dataset(config.name)
    if not given:
        named = ", ".join(str(p) for p in paths) or "no path"
        raise MapmakerError(
            f"There is no picture in {named}.",
            hint="Name a folder or files: JPEG, PNG, WebP, TIFF, GIF, BMP, dd2vtt or uvtt.",
        )
    known = Provenance.read(paths)
    yield from (Note(problem) for problem in known.problems)
    run = _Run(dataset, config, known, _scenes(paths), Tombstones.of(dataset))
    if dataset.manifest.exists():
        run.rows = {r["id"]: r for r in dataset.rows()}
    with locked(dataset.root), stoppable() as stop:
        try:
            for n, file in enumerate(given):
                yield Step("import", n, len(given), "files", file.name)
                if stop:
                    break
                _take(run, file)
        finally:
            if run.rows:
                write_manifest(dataset, run.rows.values())
                asked = {file.name for file in given}
                kept = [g for g in read_lines(dataset.gaps) if g["picture_url"] not in asked]
                write_gaps(dataset, kept + run.gaps)
        if stop:
            raise stop.error(
                f"Stopped; {len(run.rows)} pictures are in {dataset.root}.",
                hint="Run the same command again for the rest.",
            )
    if not run.rows:
        reasons = ", ".join(sorted({f"{g['picture_url']} ({g['reason']})" for g in run.gaps})[:5])
        raise MapmakerError(
            f"None of the {len(given)} files is a whole picture: {reasons}.",
            hint="Open them in a picture viewer, and export them again.",
        )
    yield _done(run)


def _collect(paths: Iterable[Path]) -> list[Given]:
    """Return every file that is or claims to be a picture, sorted within each path. Raises."""
    given: dict[Path, Given] = {}
    for path in paths:
        if not path.exists():
            raise MapmakerError(f"{path} does not exist.", hint="Check the spelling of the path.")
        if path.is_file():
            given.setdefault(path.resolve(), Given(path, path.name))
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                if not name.startswith(".") and file.is_file() and _is_candidate(file):
                    inner = file.relative_to(path).as_posix()
                    given.setdefault(file.resolve(), Given(file, inner))
    return list(given.values())


def _is_candidate(path: Path) -> bool:
    if path.suffix.lower() in (*SUFFIXES, *UVTT_SUFFIXES):
        return True
    try:
        return has_magic(path)
    except OSError:
        return False


def _scenes(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the Foundry scenes among the paths, by the stem of the picture they belong to."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        files = (
            sorted(path.rglob("*.json")) if path.is_dir() else sorted(path.parent.glob("*.json"))
        )
        for file in files:
            if file.name.endswith(_SIDECAR) or not file.is_file():
                continue
            try:
                scene = read_scene(file)
            except (BadWalls, OSError):
                continue  # some other program's file
            if scene:
                found.setdefault(scene_picture(scene), scene)
    return found


def _take(run: _Run, given: Given) -> None:
    """Take in one file: its picture into the folder, a row, and walls where there are any."""
    part = run.dataset.root / "import.part"
    try:
        with speaking_of(part):
            part.parent.mkdir(parents=True, exist_ok=True)
        uvtt = _copy(run, given, part)
        sha = sha256_of(part)
        facts = picture_facts(part, least_bytes=0)
        if run.removed.refuses(sha, part):
            raise NotGood("removed")
        facts["ai_metadata"] = against_in_file(part) or ""
        size = int(str(facts["width"])), int(str(facts["height"]))
        about = _row(run, given, sha, facts, part.stat().st_size)
        _keep(run, given, part, about)
        layout, trouble = _walls(run, given, uvtt, size)
        if layout is not None:
            _keep_walls(run, run.rows[sha]["file"], layout)
        if trouble:
            run.gaps.append(gap(given.name, "bad-walls", map_id=about["map_id"]))
    except NotGood as bad:
        run.gaps.append(gap(given.name, bad.reason))
    finally:
        part.unlink(missing_ok=True)


def _copy(run: _Run, given: Given, part: Path) -> dict[str, Any] | None:
    """Copy the picture to `part`; return the values of the VTT file it was in, if it was in one."""
    try:
        if given.path.stat().st_size > run.config.max_file_bytes:
            raise NotGood("too-large")
        if given.path.suffix.lower() in UVTT_SUFFIXES:
            image, values = read_uvtt(given.path)
            with speaking_of(part):
                part.write_bytes(image)
            return values
        with given.path.open("rb") as source, speaking_of(part), part.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except BadWalls as error:
        raise NotGood("corrupt") from error
    except OSError as error:
        raise NotGood("unreadable") from error
    return None


def _row(run: _Run, given: Given, sha: str, facts: dict[str, object], size: int) -> dict[str, Any]:
    said = run.known.of(given.path)
    if said.get("ai_training", "unknown") == "unknown":
        said["ai_training"] = run.config.ai_training
    stem = Path(given.name).with_suffix("")
    return row(
        id=sha,
        file=f"pictures/{slug(stem.name) or 'picture'}_{sha[:8]}{SUFFIX[str(facts['format'])]}",
        map_id=said.pop("map_id", None) or slug(stem.as_posix()) or sha[:8],
        bytes=size,
        picture_url=given.name,
        served_by="import",
        license=said.pop("license", None) or run.config.license,
        **said,
        **facts,
    )


def _keep(run: _Run, given: Given, part: Path, about: dict[str, Any]) -> None:
    """Give the copied picture its place, unless its bytes are here already under some name."""
    known = run.rows.get(about["id"])
    if known is None:
        run.rows[about["id"]] = known = about
        run.new += 1
    elif given.name not in (known["picture_url"], *known["aliases"]):
        known["aliases"] = sorted([*known["aliases"], given.name])
    if about["ai_training"] != "unknown":
        known["ai_training"] = about["ai_training"]  # the person may say so later
    place = run.dataset.root / known["file"]
    dropped = run.dataset.root / "dropped" / known["file"]
    if dropped.is_file() or (place.is_file() and place.stat().st_size == known["bytes"]):
        return
    with speaking_of(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        sync(part)
        part.replace(place)
        sync(place.parent)


def _walls(
    run: _Run, given: Given, uvtt: dict[str, Any] | None, size: tuple[int, int]
) -> tuple[dict[str, Any] | None, bool]:
    """Return the layout that came with a picture, or None, and whether one could not be read."""
    try:
        if uvtt is not None:
            return layout_of_uvtt(uvtt, *size), False
        beside = given.path.with_name(given.path.name + _SIDECAR)
        for sidecar in (beside, given.path.with_suffix(_SIDECAR)):
            if sidecar.is_file():
                return _checked(read_json(sidecar), size), False
        for name in run.known.names(given.path):
            scene = run.scenes.get(name)
            if scene is not None and fits_scene(scene, *size):
                return layout_of_scene(scene, *size), False
        return None, False
    except (BadWalls, MapmakerError):
        return None, True


def _checked(layout: object, size: tuple[int, int]) -> dict[str, Any]:
    """Return a layout from beside a picture, its square as large as in the picture at hand."""
    if not isinstance(layout, dict) or not {"squares", "walls", "cell_px"} <= set(layout):
        raise BadWalls("it is no layout")
    try:
        wide, tall = (px / n for px, n in zip(size, layout["squares"], strict=True))
        zoom = wide / layout["cell_px"]
        if abs(wide / tall - 1) < SHAPE_TOLERANCE and abs(zoom - 1) > SCALED:
            phase = [round(place * zoom, 4) for place in layout.get("phase") or ()]
            layout |= {"cell_px": wide} | ({"phase": phase} if phase else {})
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise BadWalls(f"its squares cannot be read ({error})") from error
    return layout


def _keep_walls(run: _Run, file: str, layout: dict[str, Any]) -> None:
    place = run.dataset.root / f"{file}{_SIDECAR}"
    run.walled += 1
    if (run.dataset.root / file).is_file() and not place.exists():
        write_json(place, layout)


def _done(run: _Run) -> Done:
    reasons = dict(sorted(Counter(g["reason"] for g in run.gaps).items()))
    summary = f"{len(run.rows)} pictures in {run.dataset.root}, {run.new} of them new"
    summary += f", {run.walled} with walls." if run.walled else "."
    if run.gaps:
        named = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        summary += f" {len(run.gaps)} files could not be used ({named}): see {run.dataset.gaps}."
    data = {
        "dataset": run.dataset.name, "pictures": len(run.rows), "new": run.new,
        "walls": run.walled, "gaps": reasons,
    }  # fmt: skip
    return Done("import", summary, data, exit_code=4 if reasons.keys() - {"removed"} else 0)
