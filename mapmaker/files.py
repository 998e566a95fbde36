"""Writing so that nothing is ever lost: beside, fsync, rename. Reading with sums."""

import errno
import glob
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mapmaker.errors import MissingPart, UnsafeInput


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it becomes `path` if the block ends well, else goes.

    The data is on the disk before the name changes, so a crash leaves the old file or the new one.
    Raises MissingPart when the disk is full or the folder may not be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with speaking_of(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            yield beside
            sync(beside)
            beside.replace(path)
            sync(path.parent)
    finally:
        beside.unlink(missing_ok=True) if beside.parent.is_dir() else None


def _sweep(path: Path) -> None:
    """Remove what processes that were killed while writing `path` have left beside it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        pid = left.name.split(".")[-2]
        if pid.isdigit() and not _alive(int(pid)):
            left.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path`, whole or not at all. Raises as `atomic_file` does."""
    with atomic_file(path) as beside:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return what the JSON file holds. Raises UnsafeInput when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnsafeInput(f"{path} is not readable as JSON: {error}.") from error


def read_plain(path: Path, most: int = 2**20) -> str:
    """Return the text of a small plain file: what one reads of a file that a stranger made.

    Raises UnsafeInput for a link, a pipe, a device, more than `most` bytes, or no text.
    """
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise UnsafeInput(f"{path} is a link or no file at all.")
        if about.st_size > most:
            raise UnsafeInput(f"{path} has {about.st_size} bytes, which is far too many.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeInput(f"{path} is missing or unreadable.") from error


def read_plain_json(path: Path) -> Any:
    """Return what a small plain JSON file holds. Raises UnsafeInput as `read_plain` does."""
    try:
        return json.loads(read_plain(path))
    except (ValueError, RecursionError) as error:
        raise UnsafeInput(f"{path} is not readable as JSON: {error}.") from error


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON line and flush it, so that kill -9 loses at most the line being written."""
    with speaking_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines, whole or not at all; keys keep the order the rows have."""
    with atomic_file(path) as beside, beside.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file; a last line that was cut short is left out.

    Raises UnsafeInput, with the line's number, for any other line that is not JSON.
    """
    return [row for _, row in each_line(path)] if path.exists() else []


def each_line(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield where each line of a JSON lines file begins [bytes], and its row, holding one.

    A last line that was cut short is left out. Raises as `read_lines` does.
    """
    begin, wrong, line = 0, "", b""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if wrong:
                raise UnsafeInput(wrong)
            try:
                yield begin, json.loads(line)
            except ValueError as error:
                wrong = f"{path}, line {number}, is not JSON: {error}."
            begin += len(line)
    if wrong and line.endswith(b"\n"):
        raise UnsafeInput(wrong)


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_inside(here: Path, root: Path, file: str) -> None:
    """Give `here` the place root/file, folders made on the way; no link is followed.

    file has slashes; its folder is still to be synced. Raises UnsafeInput when it leads out of
    `root`, by `..` or by a link.
    """
    *folders, name = file.split("/")
    if {"", ".", ".."} & {*folders, name}:
        raise UnsafeInput(f"{file} is no place inside {root}.")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            try:
                os.stat(folder, dir_fd=handle, follow_symlinks=False)
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=handle)
            try:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                hint = "Put a folder in its place, and what it led to back into it."
                raise UnsafeInput(
                    f"{folder} in {root} is a link or no folder.", hint=hint
                ) from error
            os.close(handle)
            handle = inner
        os.replace(here, name, dst_dir_fd=handle)
    finally:
        os.close(handle)


def refuse_links(root: Path, names: Iterable[str]) -> None:
    """Raise UnsafeInput when one of `names` in `root`, or something in it, is a link.

    Where we write, a link would lead our bytes elsewhere.
    """
    for name in names:
        path = root / name
        inside = path.iterdir() if path.is_dir() and not path.is_symlink() else ()
        for there in (path, *inside):
            if there.is_symlink():
                hint = "Put the thing itself in its place; nothing is written through links."
                raise UnsafeInput(f"{there} is a link.", hint=hint)


def need_room(folder: Path, wanted_bytes: int) -> None:
    """Raise MissingPart unless the disk that holds `folder` has room for `wanted_bytes`."""
    there = next(p for p in [folder, *folder.absolute().parents] if p.exists())
    free = shutil.disk_usage(there).free
    if free < wanted_bytes:
        raise MissingPart(
            f"{folder} needs {wanted_bytes / 1e6:.0f} MB; the disk has {free / 1e6:.0f} MB free.",
            hint="Free some room, or choose another folder with --home.",
        )


@contextmanager
def speaking_of(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into MissingPart with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "Free some room and run the same command again; what was finished is kept."
            raise MissingPart(f"The disk is full; {path} was not written.", hint=hint) from error
        if error.errno == errno.EFBIG:
            hint = "Raise `ulimit -f`, or choose another folder with --home."
            raise MissingPart(f"{path} is larger than files may be here.", hint=hint) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "Give yourself write permission there, or choose another folder with --home."
            raise MissingPart(f"{path} may not be written: no permission.", hint=hint) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            hint = "A file stands where a folder is wanted (or the reverse); move it away."
            raise MissingPart(f"{path} cannot be written: {error.strerror}.", hint=hint) from error
        raise
