"""What of a data set to export, and as what. Imports nothing heavy."""

from dataclasses import dataclass
from pathlib import Path

from mapmaker.errors import BadConfig

FORMS = ("imagefolder", "webdataset")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """One export: samples of the shards of one size, or the kept pictures as they came."""

    to: str = "imagefolder"
    whole: bool = False  # the pictures themselves, byte for byte, instead of samples
    size: int | None = None  # None: the only size there is
    out: Path | None = None  # None: exports/<data set>-<size or whole>-<form> in the workspace
    tar_mb: float = 256.0

    def __post_init__(self) -> None:
        if self.to not in FORMS:
            raise BadConfig(f"{self.to!r} is no form.", hint=f"Choose {' or '.join(FORMS)}.")
        if self.whole and self.size is not None:
            raise BadConfig(
                "--whole exports the pictures as they are.", hint="Leave --size out, or --whole."
            )
        if not 0.001 <= self.tar_mb <= 65536:
            raise BadConfig(f"tar_mb is {self.tar_mb}.", hint="It must be from 0.001 to 65536.")
