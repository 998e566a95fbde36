"""Tensors from a file somebody else may have made: the structure first, then the values.

safetensors checks that offsets lie in the file, touch and do not overlap; what it cannot know is
which tensors a net has.
"""

import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mapmaker.errors import UnsafeInput

MOST_HEADER_BYTES = 4 * 2**20  # the largest of our nets has one of 60 kB
_KINDS = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
}
_HALVES = ("F16", "BF16", "F32")


def load_tensors(
    path: Path,
    wanted: Mapping[str, Tensor],
    *,
    optional: Callable[[str], bool] = lambda name: False,
    halves: bool = False,
) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, which must be those of `wanted`, on the CPU.

    wanted gives names, shapes and kinds; its values are not looked at, so it may be on "meta".
    optional says which may be missing; halves allows 16-bit floats for 32-bit ones. No value is
    read before the structure is found right. Raises UnsafeInput for any other file, and for a value
    that is not finite.
    """
    hint = "Delete it, or restore it from a copy you trust."
    check_header(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            there = set(file.keys())
            lacking = [name for name in wanted if name not in there and not optional(name)]
            if odd := sorted(there - set(wanted)) + lacking:
                what = "holds the strange tensor" if odd[0] in there else "lacks the tensor"
                raise UnsafeInput(f"{path} {what} {odd[0][:80]}.", hint=hint)
            wanted = {name: like for name, like in wanted.items() if name in there}
            for name, like in wanted.items():
                part = file.get_slice(name)
                kind, shape = part.get_dtype(), list(part.get_shape())
                right = _KINDS[like.dtype]
                if kind != right and not (halves and kind in _HALVES and right in _HALVES):
                    raise UnsafeInput(f"{path}: {name} is {kind}, not {right}.", hint=hint)
                if shape != list(like.shape):
                    raise UnsafeInput(
                        f"{path}: {name} has the shape {shape[:8]}, not {list(like.shape)}.",
                        hint=hint,
                    )
            tensors = {name: file.get_tensor(name) for name in wanted}
    except (SafetensorError, OSError) as error:
        raise UnsafeInput(f"{path} is no whole safetensors file: {error}.", hint=hint) from error
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UnsafeInput(f"{path}: {name} holds a value that is not finite.", hint=hint)
    return tensors


def check_header(path: Path) -> None:
    """Raise UnsafeInput unless `path` is a plain file with a header of a size we would write."""
    hint = "Delete it, or restore it from a copy you trust."
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise UnsafeInput(f"{path} is a link or no file at all.", hint=hint)
        with path.open("rb") as file:
            declared = int.from_bytes(file.read(8), "little")
    except OSError as error:
        raise UnsafeInput(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    if not 2 <= declared <= min(MOST_HEADER_BYTES, about.st_size - 8):
        raise UnsafeInput(
            f"{path} is no whole safetensors file: it declares a header of {declared} bytes.",
            hint=hint,
        )
