"""What a title or a file name says: which building a map shows, and which floor of it."""

import re

# Words that tell the floors of one building apart, and the marks of a crop.
_FLOOR = re.compile(
    r"\b(top|btm|bottom|upper|lower|ground|basement|cellars?|attic|roof|towers?|dungeons?|"
    r"(?:(?:ground|first|second|third|fourth|fifth|[0-9]+(?:st|nd|rd|th)?)\s*)?floor\s*[0-9]*|"
    r"levels?\s*[0-9]*|interior|exterior|inside|outside|crop\s*[0-9]*)\b"
)
_DPI = re.compile(r"\b[0-9]{2,3} ?dpi\b")
_ADDED = re.compile(r"_[0-9a-f]{8}$")  # what taking it in added to a file's name
LEAST_STEM = 4  # letters of a name that tell one building from another


def building(name: str) -> tuple[str, tuple[str, ...]]:
    """Return a title or file name without floor, crop and dpi, and the floor and crop words.

    `Old Keep - Level 2 (72 dpi)` is ("old keep", ("level 2",)).
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = _DPI.sub(" ", re.sub(r"[^a-z0-9]+", " ", words))
    floors = tuple(" ".join(m.group().split()) for m in _FLOOR.finditer(words))
    return " ".join(_FLOOR.sub(" ", words).split()), floors


def stem(file: str) -> str:
    """Return a file's name without folder, ending and what taking it in added."""
    return _ADDED.sub("", file.rsplit("/", 1)[-1].rsplit(".", 1)[0])
