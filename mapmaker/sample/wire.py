"""An ONNX file looked over before anything runs it: protocol buffers, read with bounds.

Nothing is believed: a file of ours is small, has its weights inside, and is made of few kinds of
arithmetic. Whatever else is in it (files of others, programs, loops, dozens of inputs) is refused.
Field numbers are those of onnx.proto3 (IR version 10).
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapmaker.errors import UnsafeInput

KEY = "mapmaker"  # the metadata that makes a file one of ours
MAX_BYTES = 512 << 20
MAX_NODES = 2000
MAX_SIDE_PX = 4096
MAX_LATENT = 1 << 16
OPSETS = range(17, 24)
OPERATIONS = frozenset(
    "Add AveragePool Cast Concat Conv ConvTranspose DepthToSpace Div Flatten Gemm GlobalAveragePool"
    " Identity MatMul Mul Pad ReduceMean Relu Reshape Resize Sigmoid Slice Split Squeeze Sub Tanh"
    " Transpose Unsqueeze".split()
)
_FLOAT, _INT64 = 1, 7
_WIDTHS = {_FLOAT: 4, _INT64: 8, 10: 2}  # bytes of a float, an int64, a half
_AGAIN = "Write it anew: `mapmaker export RUN --to onnx`."


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a checked file says of itself, and its bytes."""

    data: bytes
    facts: dict[str, Any]


def read_drawing(path: Path) -> Drawing:
    """Return a generator's ONNX file, checked. Raises UnsafeInput for anything that is not ours."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES >> 20} MiB")
        data = path.read_bytes()
        return Drawing(data, check(data))
    except (ValueError, OSError) as error:
        raise UnsafeInput(f"{path} is not used: {error}.", hint=_AGAIN) from error


def check(data: bytes) -> dict[str, Any]:
    """Return the facts in a model's metadata. Raises ValueError with what is wrong with it."""
    whole = memoryview(data)
    model = _fields(whole)
    _only(model, {1, 2, 3, 4, 5, 6, 7, 8, 14}, "a model")
    graphs, opsets = model.get(7, []), [_fields(o) for o in model.get(8, [])]
    if len(graphs) != 1:
        raise ValueError("it is no ONNX model")
    for opset in opsets:
        _ours(opset.get(1, []), "a set of operations")
        if _number(opset, 2) not in OPSETS:
            raise ValueError(f"its opset is {_number(opset, 2)}")
    facts = _facts([_fields(p) for p in model.get(14, [])])
    _check_graph(graphs[0], facts)
    if hashlib.sha256(graphs[0]).hexdigest() != facts["graph_sha256"]:
        raise ValueError("it is corrupt: its sha256 is not what was written")
    return facts


def graph_sha256(data: bytes) -> str:
    """Return the sha256 of the graph in a model's bytes: weights, operations and names."""
    return hashlib.sha256(_fields(memoryview(data))[7][0]).hexdigest()


def _facts(entries: list[dict[int, list[Any]]]) -> dict[str, Any]:
    ours = [_text(e, 2) for e in entries if _text(e, 1) == KEY]
    facts = json.loads(ours[0]) if len(ours) == 1 and len(ours[0]) < 65536 else None
    if not isinstance(facts, dict):
        raise ValueError("mapmaker did not write it")
    kinds = {"arch": str, "size": int, "latent_shape": list, "model": str, "graph_sha256": str}
    for name, kind in kinds.items():
        if type(facts.get(name)) is not kind:
            raise ValueError(f"it does not say its {name}")
    shape = facts["latent_shape"]
    if not (1 <= len(shape) <= 3 and all(type(n) is int and n > 0 for n in shape)):
        raise ValueError(f"its latent is {shape}")
    if not 1 <= facts["size"] <= MAX_SIDE_PX or math.prod(shape) > MAX_LATENT:
        raise ValueError(f"it paints {facts['size']} px from {math.prod(shape)} numbers")
    return facts


def _check_graph(view: memoryview, facts: dict[str, Any]) -> None:
    graph = _fields(view)
    _only(graph, {1, 2, 5, 10, 11, 12, 13}, "a graph")
    nodes = graph.get(1, [])
    if len(nodes) > MAX_NODES:
        raise ValueError(f"it has {len(nodes)} operations")
    for node in nodes:
        _check_node(_fields(node))
    for tensor in graph.get(5, []):
        _check_tensor(_fields(tensor))
    side = facts["size"]
    wanted = {11: facts["latent_shape"], 12: [3, side, side]}
    for field, shape in wanted.items():
        if [_shape(v)[1:] for v in graph.get(field, [])] != [shape]:
            raise ValueError("its inputs and outputs are not a generator's")


def _check_node(node: dict[int, list[Any]]) -> None:
    _only(node, {1, 2, 3, 4, 5, 6, 7}, "an operation")
    _ours(node.get(7, []), "an operation")
    if _text(node, 4) not in OPERATIONS:
        raise ValueError(f"it holds the operation {_text(node, 4)[:40]!r}")
    for attribute in map(_fields, node.get(5, [])):
        # numbers, texts and lists of numbers; no graphs, no references, no sparse things
        _only(attribute, {1, 2, 3, 4, 5, 7, 8, 13, 20}, "an attribute")
        for tensor in attribute.get(5, []):
            _check_tensor(_fields(tensor))


def _check_tensor(tensor: dict[int, list[Any]]) -> None:
    # 13 and 14 would name a file outside, 3 a part of a tensor, 6 texts.
    _only(tensor, {1, 2, 8, 9, 12, 14}, "a tensor")
    if _number(tensor, 14):
        raise ValueError("its weights lie in another file")
    dims = [d for part in tensor.get(1, []) for d in _numbers(part)]
    width = _WIDTHS.get(_number(tensor, 2))
    held = sum(len(part) for part in tensor.get(9, []))
    if width is None or len(dims) > 8 or any(d > MAX_BYTES for d in dims):
        raise ValueError("it holds a tensor of another kind or size")
    if math.prod(dims) * width != held:
        raise ValueError(f"a tensor of {dims} has {held} bytes")


def _shape(value: memoryview) -> list[int]:
    """Return the dimensions of an input or output of floats; 0 for one that has a name."""
    kind = _fields(_one(_fields(value), 2))
    tensor = _fields(_one(kind, 1))
    if _number(tensor, 1) != _FLOAT:
        raise ValueError("its inputs and outputs are not floats")
    dims = _fields(_one(tensor, 2)).get(1, [])
    if len(dims) > 8:
        raise ValueError("its inputs and outputs have too many sides")
    return [_number(_fields(d), 1) for d in dims]


def _fields(view: Any) -> dict[int, list[Any]]:
    """Return field number -> values of one message: whole numbers, or views of bytes."""
    if not isinstance(view, memoryview):
        raise ValueError("it is no ONNX model")
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        kind, field = tag & 7, tag >> 3
        if kind == 0:
            value, at = _varint(view, at)
        elif kind in (1, 5):
            value, at = view[at : at + (8 if kind == 1 else 4)], at + (8 if kind == 1 else 4)
        elif kind == 2:
            size, at = _varint(view, at)
            value, at = view[at : at + size], at + size
        else:
            raise ValueError("it is no ONNX model")
        if at > len(view):
            raise ValueError("it is cut short")
        found.setdefault(field, []).append(value)
    return found


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise ValueError("it is cut short")
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("it is no ONNX model")


def _numbers(value: Any) -> Iterator[int]:
    """Yield the whole numbers of a repeated field: one, or many packed."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _number(message: dict[int, list[Any]], field: int) -> int:
    values = message.get(field, [0])
    if len(values) != 1 or not isinstance(values[0], int):
        raise ValueError("it is no ONNX model")
    return values[0]


def _one(message: dict[int, list[Any]], field: int) -> Any:
    values = message.get(field, [])
    if len(values) != 1:
        raise ValueError("its inputs and outputs are not a generator's")
    return values[0]


def _text(message: dict[int, list[Any]], field: int) -> str:
    values = message.get(field, [b""])
    if len(values) != 1 or isinstance(values[0], int):
        raise ValueError("it is no ONNX model")
    return bytes(values[0]).decode()


def _only(message: dict[int, list[Any]], known: set[int], what: str) -> None:
    strange = sorted(set(message) - known)
    if strange:
        raise ValueError(f"{what} in it has a part ({strange[0]}) that a generator has not")


def _ours(domains: list[Any], what: str) -> None:
    if any(not isinstance(d, memoryview) or bytes(d) not in (b"", b"ai.onnx") for d in domains):
        raise ValueError(f"{what} in it is not ONNX's own")
