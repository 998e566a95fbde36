"""Chance that can be had again: every stream of numbers is named by what it is for."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from numpy.random import Generator, Philox

T = TypeVar("T")


def stream(*name: object) -> Generator:
    """Return the numbers called by this name: the same name, the same numbers, everywhere."""
    digest = blake2b("/".join(map(str, name)).encode(), digest_size=16).digest()
    return Generator(Philox(key=int.from_bytes(digest, "little")))


def pick(rng: Generator, options: Sequence[T]) -> T:
    """Return one of the options, each as likely as it is often in the list."""
    return options[int(rng.integers(len(options)))]
