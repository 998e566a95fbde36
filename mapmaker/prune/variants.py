"""What two pictures of one map are to each other, told from their pixels."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "1"  # raise it when an answer may change: remembered relations are asked again

# The kinds. COPIES show nothing their better one does not; of a crop that depends on its share.
COPIES = ("exact", "reencode", "resized", "dpi", "turned", "watermark")
VARIANTS = ("grid", "lighting", "recolour")  # each worth keeping beside the other
KINDS = (*COPIES, "crop", *VARIANTS, "floor")


class Pair(NamedTuple):
    """Two pictures to compare: ids, files; orientation turns the other, None when unknown."""

    one: str
    other: str
    one_path: Path
    other_path: Path
    orientation: int | None = None
    bits: int = 64


@dataclass(frozen=True, slots=True)
class Relation:
    """What two pictures (ids) are to each other.

    orientation turns the other one as the one is; bits of their hashes differ; worse is the one
    that bears the overlay or is the part; share (0..1) of the whole is in that part.
    """

    one: str
    other: str
    kind: str
    orientation: int = 0
    bits: int = 64
    note: str = ""
    worse: str = ""
    share: float = 1.0

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-able values; `Relation(**values)` is its inverse."""
        return asdict(self)


def relate(pair: Pair) -> Relation | None:
    """Return what the two are to each other, or None: nothing. Opens both files; for an engine.

    Raises UnsafeInput for a file that is no whole picture.
    """
    return None
