"""The person's folder: datasets/, checkpoints/, maps/, and which of them is meant when unnamed."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mapmaker.errors import BadConfig, MapmakerError, MissingPart
from mapmaker.files import each_line, speaking_of
from mapmaker.registry import unknown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One data set's folder and the files in it."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.jsonl"

    @property
    def gaps(self) -> Path:
        return self.root / "gaps.jsonl"

    @property
    def fetch_log(self) -> Path:
        return self.root / "fetch_log.jsonl"

    @property
    def decisions(self) -> Path:
        return self.root / "decisions.db"

    def shards(self, size: int) -> Path:
        return self.root / "shards" / str(size)

    def rows(self) -> list[dict]:
        """Return the manifest's rows. Raises MapmakerError when there is no manifest yet."""
        return [row for _, row in self.each_row()]

    def each_row(self) -> Iterator[tuple[int, dict]]:
        """Yield (where it begins [bytes], row) of the manifest, holding one. Raises as `rows`."""
        if not self.manifest.exists():
            raise MapmakerError(
                f"{self.root} holds no manifest.jsonl.",
                hint="Fill it with `mapmaker scrape` or `mapmaker import FOLDER`.",
            )
        return each_line(self.manifest)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder everything a person makes lives in."""

    home: Path

    @property
    def datasets(self) -> Path:
        return self.home / "datasets"

    @property
    def checkpoints(self) -> Path:
        return self.home / "checkpoints"

    @property
    def maps(self) -> Path:
        return self.home / "maps"

    def dataset(self, name: str) -> Dataset:
        """Return where data set `name` is or will be. Raises BadConfig for an impossible name."""
        return Dataset(self.datasets / check_name("data set", name))

    def run(self, name: str) -> Path:
        """Return where run `name` is or will be. Raises BadConfig for an impossible name."""
        return self.checkpoints / check_name("run", name)

    def dataset_names(self) -> list[str]:
        """Return the data sets that have a manifest, newest first."""
        return _newest_first(self.datasets, "manifest.jsonl")

    def run_names(self) -> list[str]:
        """Return the runs that have a config, newest first."""
        return _newest_first(self.checkpoints, "config.toml")

    def existing_dataset(self, name: str | None) -> Dataset:
        """Return data set `name`, or the newest. Raises UnknownName, MapmakerError when none is."""
        return Dataset(self.datasets / self._existing("data set", name, self.dataset_names()))

    def existing_run(self, name: str | None) -> Path:
        """Return run `name`, or the newest. Raises UnknownName, or MapmakerError when none is."""
        return self.checkpoints / self._existing("run", name, self.run_names())

    def _existing(self, kind: str, name: str | None, names: list[str]) -> str:
        if name is not None and check_name(kind, name) not in names:
            raise unknown(kind, name, names)
        if name is None and not names:
            first = "mapmaker import FOLDER" if kind == "data set" else "mapmaker train"
            raise MapmakerError(f"{self.home} holds no {kind} yet.", hint=f"Begin with `{first}`.")
        return name or names[0]


def check_name(kind: str, name: str) -> str:
    """Return `name` when it can be a folder everywhere. Raises BadConfig when not."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise BadConfig(
            f"{name!r} cannot name a {kind}.",
            hint="Use letters, digits, dots, dashes, underscores; a letter or digit first.",
        )
    return name


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone. Raises MissingPart when another process works there.

    The lock is the operating system's, so it goes with the process, however that ends.
    """
    import fcntl

    with speaking_of(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # a file system that takes no folders, such as /proc
            raise MissingPart(
                f"{folder} cannot be made: {error.strerror}.", hint="Choose another place."
            ) from error
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MissingPart(
                f"Another mapmaker is at work in {folder}.", hint="Wait for it, or stop it."
            ) from error
        yield
    finally:
        os.close(handle)


def _newest_first(folder: Path, mark: str) -> list[str]:
    marks = sorted(folder.glob(f"*/{mark}"), key=lambda p: (-p.stat().st_mtime, p.parent.name))
    return [p.parent.name for p in marks]
