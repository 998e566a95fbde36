"""The export stage: everything is written beside, and gets its name when the last file is there.

What a killed run had finished is used again; the same export twice is the same bytes.
"""

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from mapmaker import __version__
from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.events import Done, Event, Note, Step
from mapmaker.files import need_room, read_json, speaking_of, sync, write_atomic, write_json
from mapmaker.prune.whereabouts import remember_exported
from mapmaker.shards.croissant import describe, to_text
from mapmaker.shards.datacard import sections, yaml_head
from mapmaker.shards.export import imagefolder, webdataset
from mapmaker.shards.export.config import ExportConfig
from mapmaker.shards.export.items import Stock, of_pictures, of_samples
from mapmaker.stopping import StopFlag, stoppable
from mapmaker.workspace import Dataset, locked

RECEIPT, PLAN = "export.json", ".plan.json"
FORMS = {"imagefolder": imagefolder, "webdataset": webdataset}
AGAIN = "Run the same command again; what is finished is kept."


def export(dataset: Dataset, config: ExportConfig, home: Path) -> Iterator[Event]:
    """Write a data set for other people's tools, with its data card and croissant.json.

    Done.data: dataset, to, out, count, bytes, splits, left_out; exit code 4 when pictures have gone
    bad. Raises MapmakerError when `out` holds something else, MissingPart for a full disk,
    Stopped after a signal.
    """
    stock = of_pictures(dataset) if config.whole else of_samples(dataset, config.size)
    out = config.out or home / "exports" / f"{stock.name}-{config.to}"
    identity = {"form": config.to, "tool": f"mapmaker {__version__}", "tar_mb": config.tar_mb}
    identity |= {"contents": stock.fingerprint()}  # reads every line once: minutes for millions
    if _is_there(out, identity):
        _remember(dataset, out, stock, identity["contents"])
        yield Note(f"{out} already holds this; nothing to do.")
        yield _done(dataset, config, out, read_json(out / RECEIPT))
        return
    beside = out.with_name(f".{out.name}.partial")
    with locked(beside), stoppable() as stop:
        _prepare(beside, identity)
        need_room(beside, int(stock.expected_bytes * 1.1) - _size(beside))
        left_out = yield from _write(stock, config, beside, stop)
        receipt = {"identity": identity, "left_out": left_out}
        receipt |= _describe(stock, config, beside, identity["contents"])
        write_json(beside / RECEIPT, receipt)
        (beside / PLAN).unlink()
        with speaking_of(out):
            (beside / ".lock").unlink()
            if out.is_dir():
                out.rmdir()  # it is empty, or `_is_there` had refused it
            beside.rename(out)
            sync(out.parent)
    _remember(dataset, out, stock, identity["contents"])
    yield _done(dataset, config, out, receipt)


def _remember(dataset: Dataset, out: Path, stock: Stock, sha256: str) -> None:
    remember_exported(dataset, out, sha256, {item.columns["picture"] for item in stock.items()})


def _is_there(out: Path, identity: dict[str, Any]) -> bool:
    """Return whether `out` is this very export. Raises MapmakerError when it is something else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if (out / RECEIPT).is_file() and read_json(out / RECEIPT)["identity"] == identity:
        return True
    raise MapmakerError(
        f"{out} holds something else, or an older export.",
        hint="Move it away, or choose another place with --out.",
    )


def _prepare(beside: Path, identity: dict[str, Any]) -> None:
    """Keep what a killed run of this very export left; clear away what another one did."""
    plan, receipt = beside / PLAN, beside / RECEIPT
    if plan.is_file() and read_json(plan) == identity:
        return
    if receipt.is_file() and read_json(receipt)["identity"] == identity:
        write_json(plan, identity)  # only its name was missing
        return
    for path in beside.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(plan, identity)


def _write(
    stock: Stock, config: ExportConfig, beside: Path, stop: StopFlag
) -> Generator[Event, None, list[dict[str, str]]]:
    """Write every item; returns those whose files have gone bad."""
    left_out = []
    written = FORMS[config.to].write(stock.items, beside, config)
    for done, (key, trouble) in enumerate(written, 1):
        if trouble is not None:
            if not isinstance(trouble, UnsafeInput):
                raise trouble
            left_out.append({"key": key, "reason": str(trouble)})
            yield Note(f"Left out: {trouble}")
        yield Step("export", done, stock.count, "pictures", key)
        if stop and done < stock.count:
            raise stop.error(f"Stopped with {done} of {stock.count} pictures exported.", AGAIN)
    return left_out


def _describe(stock: Stock, config: ExportConfig, beside: Path, sha256: str) -> dict[str, Any]:
    """Write README.md and croissant.json; return what the receipt says of the files."""
    form = FORMS[config.to]
    counts, files, distribution, records = form.tell(stock.items, beside)
    text = [stock.about, *form.ABOUT, "Splits go by map: no map is in both."]
    made = [f"Written by mapmaker {__version__}."]
    head = yaml_head(stock.facts, stock.count, files)
    write_atomic(beside / "README.md", head + sections(stock.facts, text, made))
    how = "As packed: cropped along the grid, turned and mirrored." if not config.whole else "None."
    told = describe(stock.facts, stock.about, sha256[:12], stock.made, distribution, records, how)
    write_atomic(beside / "croissant.json", to_text(told))
    return {
        "count": sum(counts.values()),
        "splits": counts,
        "bytes": sum(_size(beside / split) for split in counts),
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _done(dataset: Dataset, config: ExportConfig, out: Path, receipt: dict[str, Any]) -> Done:
    data = {"dataset": dataset.name, "to": config.to, "out": str(out)}
    data |= {key: receipt[key] for key in ("count", "splits", "bytes", "left_out")}
    splits = ", ".join(
        f"{receipt['splits'][s]} {s}" for s in ("train", "test") if s in receipt["splits"]
    )
    summary = f"{receipt['count']} pictures ({splits}; {receipt['bytes'] / 1e6:.0f} MB) in {out}."
    return Done("export", summary, data, exit_code=4 if receipt["left_out"] else 0)
