"""What paints: a latent in, a picture's numbers out, by torch or by onnxruntime."""

import importlib.util
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapmaker.errors import BadConfig, MapmakerError, MissingPart, UnsafeInput
from mapmaker.sample.config import PLAIN, SampleConfig
from mapmaker.sample.wire import Drawing, read_drawing
from mapmaker.train.whose import weights_of
from mapmaker.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

ONNX = "generator.onnx"
MEMORY_BYTES = 4 << 30  # that onnxruntime may take; fewshot at 750 px takes 0.3 GiB


@dataclass(frozen=True, slots=True)
class Painter:
    """A loaded generator. paint: (1, *latent_shape) float32 -> (3, size, size) in [-1, 1]."""

    paint: "Callable[[np.ndarray], np.ndarray]"
    facts: dict[str, Any]  # size, latent_shape, arch, sha256 of the weights, sample_size
    engine: str
    precision: str
    notes: tuple[str, ...] = ()


def open_painter(workspace: Workspace, source: Path, config: SampleConfig) -> Painter:
    """Return what paints with the weights in folder `source`, a run or a shelf checkpoint.

    auto is onnxruntime where it is installed and the weights' .onnx is there, else torch; an .onnx
    of other weights is never used. Raises MissingPart without onnxruntime, MapmakerError without
    the file, both only for `onnx`; UnsafeInput for a file that is not what was written.
    """
    if config.engine in ("torch", PLAIN) or config.precision != "fp32":
        if config.engine == "onnx":
            raise BadConfig(
                "onnxruntime paints in fp32.", hint="Leave --precision or --engine out."
            )
        return torch_painter(source, config)
    known = importlib.util.find_spec("onnxruntime") is not None
    if config.engine == "onnx" and not known:
        raise MissingPart(
            "onnxruntime is not installed.",
            hint='`pip install "dnd-mapmaker[onnx]"`, or --engine torch.',
        )
    drawing, why = _drawing(workspace, source) if known else (None, "")
    if drawing is None and config.engine == "onnx":
        raise MapmakerError(why, hint=f"`mapmaker export {source.name} --to onnx` writes it.")
    if drawing is None:
        return torch_painter(source, config, *([why] if "other weights" in why else []))
    return _onnx(drawing)


def kinds_in(facts: Mapping[str, Any]) -> list[str]:
    """Return the kinds of map a net tells apart, in the order its latents have them."""
    options = facts.get("options")
    kinds = options.get("kinds", []) if isinstance(options, dict) else []
    sound = isinstance(kinds, list) and all(isinstance(kind, str) for kind in kinds)
    if not sound or len(kinds) >= math.prod(facts["latent_shape"]):
        raise UnsafeInput("The net's kinds of map are no names.", hint="Restore it from a copy.")
    return kinds


def onnx_places(workspace: Workspace, source: Path) -> list[Path]:
    """Return where the .onnx of a checkpoint may lie: beside it, or in the workspace."""
    return list(dict.fromkeys([source / ONNX, workspace.checkpoints / source.name / ONNX]))


def _drawing(workspace: Workspace, source: Path) -> tuple[Drawing | None, str]:
    """Return the checkpoint's own .onnx, or None and why."""
    there = [path for path in onnx_places(workspace, source) if path.is_file()]
    if not there:
        return None, f"{source.name} has no {ONNX}."
    drawing = read_drawing(there[0])
    if drawing.facts["model"] != weights_of(source)["sha256"]:
        return None, f"{there[0]} is of other weights than {source.name} has now."
    return drawing, ""


def run_onnx(data: bytes, name: str) -> "Callable[[np.ndarray], np.ndarray]":
    """Return what paints with a model's checked bytes; UnsafeInput when they cannot be run."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.use_env_allocators", "1")
    _bound_memory(ort)
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each of its own troubles
        raise _refused(name, error) from error

    def paint(latent: "np.ndarray") -> "np.ndarray":
        try:
            return session.run(None, {session.get_inputs()[0].name: latent})[0][0]  # type: ignore[index]
        except Exception as error:
            raise _refused(name, error) from error

    return paint


def _onnx(drawing: Drawing) -> Painter:
    facts = drawing.facts | {"sha256": drawing.facts["model"]}
    paint = run_onnx(drawing.data, f"The {ONNX} of {drawing.facts.get('name', 'this net')}")
    return Painter(paint, facts, "onnx", "fp32")


def _refused(name: str, error: Exception) -> UnsafeInput:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    if "Available memory" in str(error):
        said = f"it wants more than {MEMORY_BYTES >> 30} GiB of memory"
    return UnsafeInput(
        f"{name} cannot be run: {said}.", hint="Write it anew: `mapmaker export RUN --to onnx`."
    )


def _bound_memory(ort: Any) -> None:
    """Let onnxruntime take at most MEMORY_BYTES, once a process; a larger wish is an error."""
    if getattr(ort, "_mapmaker_bound", False):
        return
    place = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    # 1: takes what is asked for, not the next power of two
    limits = ort.OrtArenaCfg({"max_mem": MEMORY_BYTES, "arena_extend_strategy": 1})
    ort.create_and_register_allocator(place, limits)
    ort._mapmaker_bound = True


def _threads() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_painter(
    source: Path, config: SampleConfig, *notes: str, step: Path | None = None
) -> Painter:
    """Return what paints with torch; step is one of a run's checkpoints, else the newest good."""
    import torch

    from mapmaker.models.quick import quick
    from mapmaker.train.load import load_generator

    generator, facts = load_generator(source, step)
    kind = torch.bfloat16 if config.precision == "bf16" else torch.float32
    if config.engine != PLAIN:
        generator = quick(generator).to(dtype=kind, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def paint(latent: "np.ndarray") -> "np.ndarray":
        with torch.inference_mode():
            z = torch.from_numpy(latent)
            return generator(z.to(kind))[0].float().numpy()

    said = (*facts["warnings"], *notes)
    engine = PLAIN if config.engine == PLAIN else "torch"
    return Painter(paint, facts, engine, config.precision, said)
