"""What this machine can do, after trying it: nobody should train on the CPU unknowingly."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mapmaker import __version__
from mapmaker.events import Done, Event, Step

PACKAGES = (
    "torch torchvision numpy pillow opencv-python-headless albumentations h5py safetensors click "
    "urllib3 certifi beautifulsoup4 lxml protego shapely networkx opensimplex starlette uvicorn"
).split()
ROOM_BYTES = 5_000_000_000  # shards at 750 px of a few hundred maps, a run and its frames


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: `state` is ok, note or missing; `remedy` says what to do."""

    name: str
    state: str
    text: str
    remedy: str = ""


def doctor(home: Path) -> Iterator[Event]:
    """Try everything and yield a Done whose exit code is 5 when something needed is missing."""
    checks: list[tuple[str, Callable[[Path], Finding]]] = [
        ("python", _python),
        ("packages", _packages),
        ("device", _device),
        ("training step", _training_step),
        ("torchvision", _torchvision),
        ("codecs", _codecs),
        ("shards", _hdf5),
        ("disk", _disk),
    ]
    found = []
    for i, (name, check) in enumerate(checks):
        yield Step("doctor", i, len(checks), "checks", name)
        try:
            found.append(check(home))
        except Exception as error:  # a broken part must not hide the others
            found.append(Finding(name, "missing", _one_line(error), "Install mapmaker again."))
    marks = {"ok": "ok", "note": "--", "missing": "!!"}
    lines = [f"[{marks[f.state]}] {f.name:14} {f.text} {f.remedy}".rstrip() for f in found]
    missing = any(f.state == "missing" for f in found)
    data = {f.name: {"state": f.state, "text": f.text, "remedy": f.remedy} for f in found}
    yield Done("doctor", "\n".join(lines), data, exit_code=5 if missing else 0)


def _python(home: Path) -> Finding:
    system = f"{platform.system()} {platform.machine()}"
    text = f"{platform.python_version()} on {system}, mapmaker {__version__}"
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("python", "ok" if fits else "missing", text, "" if fits else "Use 3.11 to 3.13.")


def _packages(home: Path) -> Finding:
    have, lack = [], []
    for name in PACKAGES:
        try:
            have.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lack.append(name)
    if lack:
        return Finding(
            "packages", "missing", f"without {', '.join(lack)}", f"pip install {' '.join(lack)}"
        )
    return Finding("packages", "ok", ", ".join(have))


def _device(home: Path) -> Finding:
    import torch

    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        return Finding("device", "ok", f"cuda: {card.name}, {card.total_memory / 2**30:.0f} GiB")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    built = torch.version.cuda or "without CUDA"
    return Finding(
        "device",
        "note",
        f"cpu: {cores} cores; torch {torch.__version__} (built {built}) sees no GPU.",
        "Training will be slow. With an NVIDIA card, update its driver.",
    )


def _training_step(home: Path) -> Finding:
    import torch

    from mapmaker.train.check import check_step

    device = "cuda" if torch.cuda.is_available() else "cpu"
    result = check_step(device)
    where = "+".join(result["weights_on"])
    text = f"ran on {where} in {result['precision']}, {result['seconds']} s, both nets moved"
    if result["ok"] and where == device:
        return Finding("training step", "ok", text)
    remedy = "Update the driver and torch; the step did not do what it should."
    return Finding("training step", "missing", f"on {where}: {result['moved']}", remedy)


def _torchvision(home: Path) -> Finding:
    try:
        import torchvision
    except Exception as error:  # it fails in many ways when it does not fit its torch
        remedy = "pip install --force-reinstall torch torchvision (both from one index)"
        return Finding("torchvision", "missing", _one_line(error), remedy)
    return Finding("torchvision", "ok", f"{torchvision.__version__} imports")


def _codecs(home: Path) -> Finding:
    from PIL import features

    want = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "libtiff": "TIFF"}
    lack = [text for name, text in want.items() if not features.check(name)]
    if lack:
        return Finding(
            "codecs", "missing", f"no {', '.join(lack)}", "pip install --force-reinstall pillow"
        )
    return Finding("codecs", "ok", f"{', '.join(want.values())}, GIF, BMP")


def _hdf5(home: Path) -> Finding:
    import h5py

    return Finding("shards", "ok", f"h5py {h5py.__version__} with HDF5 {h5py.version.hdf5_version}")


def _disk(home: Path) -> Finding:
    there = next(p for p in [home.absolute(), *home.absolute().parents] if p.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.0f} GB free at {there}"
    if not os.access(there, os.W_OK):
        return Finding("disk", "missing", f"{there} may not be written", "Choose another --home.")
    if free < ROOM_BYTES:
        return Finding("disk", "note", text, f"{ROOM_BYTES / 1e9:.0f} GB is comfortable at 750 px.")
    return Finding("disk", "ok", text)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
