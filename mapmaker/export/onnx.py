"""A generator as generator.onnx: one file that any ONNX runtime paints with.

Both float32: input `z` (batch, *latent) from N(0, 1), output `picture` (batch, 3, size, size) in
[-1, 1]. The facts of the net are JSON in the metadata property `mapmaker`.
"""

import json
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapmaker import __version__
from mapmaker.errors import MapmakerError, MissingPart
from mapmaker.events import Done, Event, Step
from mapmaker.files import need_room, write_atomic
from mapmaker.sample.latents import latent
from mapmaker.sample.painters import ONNX, run_onnx
from mapmaker.sample.wire import KEY, check, graph_sha256
from mapmaker.workspace import Workspace

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.nn import Module

OPSET = 18
CLOSE = 1e-3  # largest difference to torch, of pictures in [-1, 1], that is let pass
_TOLD = "arch size options latent_shape name step kimg dataset generator license sample_size data"


def export_onnx(workspace: Workspace, source: Path, folder: Path | None = None) -> Iterator[Event]:
    """Write the generator of a run or shelf checkpoint as ONNX and check it against torch.

    It goes beside the run, else (a net of the shelf) into the workspace's checkpoints/NAME, or into
    `folder`. Done.data: run, to, out, bytes, off (largest difference to torch). Raises MissingPart
    without the extra, MapmakerError when the net has no such form or paints other pictures.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingPart(
            f"{error.name} is not installed.", hint='`pip install "dnd-mapmaker[onnx]"` brings it.'
        ) from error
    from mapmaker.train.load import load_generator

    out = (folder or workspace.checkpoints / source.name) / ONNX
    generator, facts = load_generator(source)
    yield Step("export", 0, 2, "parts", "writing the graph")
    data = to_onnx(generator, facts)
    yield Step("export", 1, 2, "parts", "comparing with torch")
    off = difference(generator, data, facts)
    if not off <= CLOSE:
        raise MapmakerError(
            f"The ONNX of {source.name} paints other pictures: {off:.2g} off.",
            hint="Sample with torch, and report this with the versions of torch and onnxruntime.",
        )
    need_room(out.parent, len(data))
    write_atomic(out, data)
    yield Done(
        "export",
        f"{out}: {facts['size']} px, {len(data) / 1e6:.1f} MB, opset {OPSET},"
        f" at most {off:.1g} off torch.",
        {"run": source.name, "to": "onnx", "out": str(out), "bytes": len(data), "off": off},
    )


def to_onnx(generator: "Module", facts: dict[str, Any]) -> bytes:
    """Return a generator in eval mode as an ONNX file that says `facts` of itself.

    Raises MapmakerError when the net has no such form.
    """
    from mapmaker.models.quick import quick

    return _bytes(_model(quick(generator), facts), facts)


def _model(net: "Module", facts: dict[str, Any]) -> "ModelProto":
    """Return the net as an ONNX model with any batch, nothing of this machine in it."""
    import torch

    z = torch.zeros(2, *facts["latent_shape"])
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            program = torch.onnx.export(
                net,
                (z,),
                input_names=["z"],
                output_names=["picture"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # the exporter has a class for each of its own troubles
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _no_form(facts, said[:200]) from error
    finally:
        log.setLevel(level)
    assert program is not None
    return program.model_proto


def _no_form(facts: dict[str, Any], why: str) -> MapmakerError:
    return MapmakerError(
        f"This {facts['arch']} cannot be written as ONNX: {why}.",
        hint="Sample with torch; of dcgan, `reduce = area` has no ONNX form.",
    )


def _bytes(model: "ModelProto", facts: dict[str, Any]) -> bytes:
    """Return the model's bytes with the facts in it; raises as onnx.checker does."""
    import onnx

    graph = model.graph
    # The exporter notes where in our sources each operation comes from, with this machine's paths.
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")  # type: ignore[attr-defined]
        part.ClearField("doc_string")
    graph.ClearField("value_info")
    model.producer_name, model.producer_version = "mapmaker", __version__
    told = {k: facts[k] for k in _TOLD.split() if facts.get(k) not in (None, "")}
    told |= {"model": facts["sha256"], "mapmaker": __version__}
    told["graph_sha256"] = graph_sha256(model.SerializeToString(deterministic=True))
    model.metadata_props.add(key=KEY, value=json.dumps(told, sort_keys=True))
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    try:
        check(data)
    except ValueError as error:
        raise _no_form(facts, str(error)) from error
    return data


def difference(generator: "Module", data: bytes, facts: dict[str, Any]) -> float:
    """Return the largest difference between the file's pictures and the trained net's own."""
    import numpy as np
    import torch

    paint = run_onnx(data, "The net's ONNX")
    worst = 0.0
    for seed in range(2):
        z = latent(seed, tuple(facts["latent_shape"]))  # as good for kinds as any
        with torch.inference_mode():
            own = generator(torch.from_numpy(z))[0].numpy()
        off = float(np.abs(own - paint(z)).max())
        worst = max(worst, off if math.isfinite(off) else math.inf)
    return worst
