"""What an architecture is: a name, a frozen dataclass of options, a function that builds Nets."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from mapmaker.errors import BadConfig
from mapmaker.models.layers import Staged
from mapmaker.registry import Registry

SIDES_PX = (32, 1024)

O = TypeVar("O")  # noqa: E741 - an options dataclass; one letter is the custom for type variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Nets:
    """A generator and a discriminator that fit each other.

    generator: z (B, *latent_shape), from N(0, 1) -> pictures (B, 3, size, size) in [-1, 1].
    discriminator: pictures as above -> logits (B, K); a higher logit means more real.
    Both have a `checkpointing` switch: True keeps fewer activations and computes them again
    backwards. options is complete and JSON-able: build(arch, size, options) makes the same nets.
    """

    arch: str
    size: int
    options: dict[str, Any]
    latent_shape: tuple[int, ...]
    generator: Staged
    discriminator: Staged

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of map the nets tell apart.

        Where there are any, a latent's last numbers are not from N(0, 1) but say which kind (1 for
        it, 0 for the others), and the discriminator wants them as `kinds` (B, len(kinds)).
        """
        return tuple(self.options.get("kinds", ()))


ARCHS: Registry[Callable[[int, Mapping[str, Any]], Nets]] = Registry("architecture")


def build(arch: str, size: int, options: Mapping[str, Any] | None = None) -> Nets:
    """Return freshly initialised nets of architecture `arch` for pictures of size x size px.

    The weights come from torch's global generator: seed it first for the same nets again.
    Raises UnknownName for another arch, BadConfig for a size or an option nobody can build.
    """
    make = ARCHS.get(arch)
    low, high = SIDES_PX
    if isinstance(size, bool) or not isinstance(size, int) or not low <= size <= high:
        raise BadConfig(
            f"size is {size}, and {arch} draws pictures of {low} to {high} px.",
            hint="750 is 15 squares of 50 px; try 64 for a quick run.",
        )
    return make(size, options or {})


def tell_kinds(z: Tensor, count: int) -> Tensor:
    """Write the `count` kinds into latents (B, n), one after the other, and return them."""
    if count:
        which = torch.arange(len(z), device=z.device) % count
        z[:, -count:] = F.one_hot(which, count).to(z.dtype)
    return z


def read_options(cls: type[O], options: Mapping[str, Any], arch: str) -> O:
    """Return `options` as the dataclass `cls`; keys left out keep their defaults.

    Raises BadConfig for a key that `cls` lacks or a value of another type.
    """
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name, value in options.items():
        if name not in known:
            raise BadConfig(f"{arch} has no option {name!r}.", hint=f"It has {', '.join(known)}.")
        kind = type(known[name].default)
        given = tuple(value) if kind is tuple and isinstance(value, list) else value
        if type(given) is not kind and not (kind is float and type(given) is int):
            raise BadConfig(
                f"{arch}'s option {name} is {value!r}.", hint=f"It wants a {kind.__name__}."
            )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return cls(**values)


def plain_options(options: Any) -> dict[str, Any]:
    """Return an options dataclass as plain values that survive JSON unchanged."""
    values = asdict(options)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise BadConfig unless `value` is one of `choices`."""
    if value not in choices:
        raise BadConfig(
            f"{name} is {value!r}.", hint=f"It can be {', '.join(str(c) for c in choices)}."
        )


def between(name: str, value: int, low: int, high: int) -> None:
    """Raise BadConfig unless low <= value <= high."""
    if not low <= value <= high:
        raise BadConfig(f"{name} is {value}.", hint=f"It must be {low} to {high}.")
