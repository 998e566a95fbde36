"""Pictures out of a stranger's ZIP file, one at a time, and nothing else out of it."""

import hashlib
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mapmaker.files import speaking_of
from mapmaker.scrape.check import NotGood

MAX_MEMBERS = 1000
MAX_RATIO = 100
_PICTURES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp")
_CHUNK = 65_536
# What comes of a damaged archive: a place before its begin is an OSError, a header behind its end a
# struct.error, and each codec has an error of its own.
_BROKEN = (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, ValueError, OSError,
           MemoryError, struct.error, zlib.error, lzma.LZMAError)  # fmt: skip


def picture_members(path: Path, max_bytes: int) -> Iterator[tuple[str, zipfile.ZipInfo | NotGood]]:
    """Yield (name, member) of every picture in the ZIP file, sorted; NotGood for one not to touch.

    No two names are equal: the second `a.jpg` of a file is `a.jpg (2)`. A ZIP file within is not
    opened, NotGood("zip-in-zip"); folders, resource forks and other files are passed over. Raises
    NotGood("bad-archive") for a file that is no ZIP, has more than MAX_MEMBERS members, or would
    unpack to more than max_bytes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(archive.infolist(), key=lambda m: m.filename)
    except _BROKEN as error:
        raise NotGood("bad-archive") from error
    pictures = [m for m in members if _suffix(m) in (*_PICTURES, ".zip")]
    if len(members) > MAX_MEMBERS or sum(m.file_size for m in pictures) > max_bytes:
        raise NotGood("bad-archive")
    seen: Counter[str] = Counter()
    for member in pictures:
        seen[member.filename] += 1
        again = seen[member.filename]
        name = member.filename if again == 1 else f"{member.filename} ({again})"
        unsafe = _escapes(member.filename) or stat.S_ISLNK(member.external_attr >> 16)
        swollen = member.file_size > MAX_RATIO * max(member.compress_size, 1)
        if _suffix(member) == ".zip":
            yield name, NotGood("zip-in-zip")
        elif unsafe or swollen:
            yield name, NotGood("unsafe-name" if unsafe else "bad-archive")
        else:
            yield name, member


def unpack(path: Path, member: zipfile.ZipInfo, part: Path) -> tuple[int, str]:
    """Write one member to `part` and onto the disk; return its size and sha256.

    Raises NotGood("corrupt") when its sum is wrong or it is longer than it says.
    """
    digest, size = hashlib.sha256(), 0
    with speaking_of(part), part.open("wb") as file:
        for chunk in _chunks(path, member):
            size += len(chunk)
            if size > member.file_size:
                raise NotGood("corrupt")
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _chunks(path: Path, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what a member holds. Raises NotGood("corrupt"), whatever zipfile and its codecs say."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as inside:
            while chunk := inside.read(_CHUNK):
                yield chunk
    except _BROKEN as error:
        raise NotGood("corrupt") from error


def _suffix(member: zipfile.ZipInfo) -> str:
    """Return the ending of a member's name in small letters, "" for a folder or a hidden file."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    hidden = any(p.startswith((".", "__MACOSX")) and p != ".." for p in path.parts)
    # Not is_dir(): it stumbles over a name that is empty, as one that begins with NUL is.
    return "" if hidden or member.filename.endswith("/") else path.suffix.lower()


def _escapes(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name
