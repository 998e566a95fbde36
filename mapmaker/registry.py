"""Named parts: `@ARCHS.register("dcgan")` in one file, `ARCHS.get("dcgan")` in another."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Generic, TypeVar

from mapmaker.errors import UnknownName

T = TypeVar("T")


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Return the error for a `name` nobody knows, with the nearest known names as its hint."""
    known = sorted(known)
    near = get_close_matches(name, known, n=3) or known[:12]  # of thousands of pictures no line
    hint = f"Try {', '.join(near)}." if near else f"There is no {kind} yet."
    return UnknownName(f"No {kind} is called {name!r}.", hint=hint)


class Registry(Generic[T]):
    """Parts of one kind by name. A name is given once and never changes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that keeps a part under `name`. Raises ValueError for a name taken."""

        def keep(part: T) -> T:
            if name in self._parts:
                raise ValueError(f"two parts want to be the {self.kind} {name!r}")
            self._parts[name] = part
            return part

        return keep

    def get(self, name: str) -> T:
        """Return the part called `name`. Raises UnknownName with the nearest names."""
        if name not in self._parts:
            raise unknown(self.kind, name, self._parts)
        return self._parts[name]

    def names(self) -> list[str]:
        """Return every name, sorted."""
        return sorted(self._parts)
