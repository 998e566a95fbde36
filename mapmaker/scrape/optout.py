"""What speaks against learning from a picture: headers, words of a licence, the file's metadata.

Only metadata is read of a file, by its format's own structure, at most MOST_BYTES of it; nothing
is decoded, unpacked without limit, or asked for over the network.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path

from mapmaker.scrape.embedded import metadata

AGAINST = ("noai", "noimageai", "noindex", "noimageindex")
_HEADERS = ("x-robots-tag", "tdm-reservation")
_ARCHIVED = "x-archive-orig-"

_HEAD_BYTES = 200_000
_META = re.compile(rb"<meta\b[^>]{1,1000}>", re.IGNORECASE)
_ATTRIBUTE = {
    name: re.compile(
        rb"\b" + name.encode() + rb"\s*=\s*(?:[\"'](?P<in>[^\"'>]*)|(?P<bare>[^\s\"'>]+))", re.I
    )
    for name in ("name", "content")
}

_NEGATION = (
    r"\b(?:no|not|never|nor|without|prohibit\w*|forbid\w*|disallow\w*|exclud\w*|reserv\w*)\b"
)
_TOPIC = (
    r"\b(?:ai|a\.i|artificial intelligence|machine[ -]learning|neural net\w*|generative|"
    r"(?:text and )?data[ -]?mining|tdm)\b"
)
_DEED = (
    r"\b(?:train\w*|learn\w*|min(?:e|ing)|scrap\w*|data ?sets?|ingest\w*|"
    r"us(?:e|ed) (?:for|in|by))\b"
)
_NOAI = re.compile(r"\bno[ -]?(?:gen(?:erative)?[ -]?)?(?:image)?ai\b")
_HOW_IT_WAS_MADE = re.compile(
    r"\b(?:no|not|without)\b[^.;,]{0,30}\bai\b[ -](?:was|were|is|has been|tools?|used?|"
    r"generated|made|created|assisted|art)\b[^.;,]{0,40}"
)
_PLUS = re.compile(rb"DMI-PROHIBITED[A-Z-]{0,60}")
_TDM = re.compile(rb"tdm[:-]reservation\s*(?:=\s*[\"']|>)\s*1\b")
_RIGHTS = re.compile(rb"<(?:dc:rights|xmpRights:UsageTerms)\b")
_MOST_RIGHTS, _RIGHTS_BYTES = 20, 4_000
_ENTRY = re.compile(
    rb"(?:cawg|c2pa)\.(?:ai_generative_training|ai_training|ai_inference|data_mining)"
)
_USE = re.compile(rb"use(?:[\x60-\x7b]|\W{1,6})(notAllowed|constrained|allowed)")  # CBOR or JSON
_MINING = ("cawg.training-mining", "c2pa.training-mining")


def header_evidence(headers: Mapping[str, str]) -> str:
    """Return what a server's answer says on the use of the picture, as `robots` keeps it, or "".

    An archive hands on what the site itself said, under another name.
    """
    said = {
        f"{name}: {words.strip()[:300]}": None
        for name in _HEADERS
        for words in (headers.get(name), headers.get(f"{_ARCHIVED}{name}"))
        if words
    }
    return "; ".join(said)


def page_evidence(body: bytes) -> str:
    """Return what a page's meta tags say on the use of its pictures, as `robots` keeps it, or "".

    noindex there speaks of the page and is no word on its pictures.
    """
    said = []
    for tag in _META.finditer(body[:_HEAD_BYTES]):
        name, content = (_attribute(tag[0], key) for key in ("name", "content"))
        words = [word.strip() for word in content.split(",")]
        if name == "robots":
            found = [w for w in words if w in AGAINST and w != "noindex"]
            said += [f"x-robots-tag: {', '.join(found)}"] if found else []
        elif name == "tdm-reservation" and words == ["1"]:
            said.append("tdm-reservation: 1")
    return "; ".join(said)


@lru_cache(maxsize=4096)
def against_in_robots(text: str | None) -> str | None:
    """Return the directive in a `robots` column that speaks against learning, or None.

    noai and noimageai count whoever they are addressed to, noindex and noimageindex when they are
    addressed to everybody; `tdm-reservation: 1` reserves text and data mining.
    """
    agent = ""
    for piece in re.split(r"[;|]", (text or "").lower()):
        name, _, rest = piece.partition(":")
        if name.strip() == "tdm-reservation" and rest.strip() == "1":
            return "tdm-reservation: 1"
        if name.strip() == "x-robots-tag":
            agent, piece = "", rest
        for token in piece.split(","):
            before, colon, after = token.rpartition(":")
            if colon:
                agent = before.strip()
            word = after.strip()
            if word in AGAINST[:2] or (word in AGAINST[2:] and agent in ("", "*", "mapmaker")):
                return f"x-robots-tag: {word}"
    return None


@lru_cache(maxsize=4096)
def against_in_words(text: str | None) -> str | None:
    """Return the sentence of a licence or note that forbids learning from the picture, or None.

    "No AI was used" tells how a picture was made and forbids nothing.
    """
    for sentence in re.split(r"[.;\n]+(?:\s|$)|;", (text or "")[:20_000]):
        plain = _HOW_IT_WAS_MADE.sub(" ", " ".join(sentence.lower().split()))
        names_all = all(re.search(p, plain) for p in (_NEGATION, _TOPIC, _DEED))
        if names_all or _NOAI.search(plain):
            return " ".join(sentence.split())[:120]
    return None


def against_in_file(path: Path) -> str | None:
    """Return what a picture's own metadata says against learning from it, or None.

    Reads XMP (`plus:DataMining`, `tdm:reservation`, dc:rights, UsageTerms) and the C2PA or CAWG
    training-and-data-mining assertion. A file that cannot be read says nothing.
    """
    try:
        for kind, data in metadata(path):
            found = _in_xmp(data) if kind == "xmp" else _in_jumbf(data)
            if found:
                return found
    except (OSError, ValueError, struct.error):
        return None
    return None


def _attribute(tag: bytes, name: str) -> str:
    found = _ATTRIBUTE[name].search(tag)
    value = (found["in"] or found["bare"] or b"") if found else b""
    return value.decode("ascii", "replace").strip().lower()


def _in_xmp(data: bytes) -> str | None:
    data = data.replace(b"\0", b"")  # UTF-16 becomes readable; the words are all ASCII
    if found := _PLUS.search(data):
        return f"XMP plus:DataMining {found[0].decode()}"
    if _TDM.search(data):
        return "XMP tdm:reservation 1"
    for begin in islice(_RIGHTS.finditer(data), _MOST_RIGHTS):
        rights = data[begin.end() : begin.end() + _RIGHTS_BYTES].partition(b"</" + begin[0][1:])[0]
        words = re.sub(r"<[^>]*>|^[^>]*>", " ", rights.decode("utf-8", "replace"))
        if said := against_in_words(words):
            return f"XMP rights: {said}"
    return None


def _in_jumbf(data: bytes) -> str | None:
    """Read the assertion in a JUMBF store: a labelled box, then CBOR or JSON with plain words."""
    for label, content in _labelled(data):
        if not label.startswith(_MINING):
            continue
        starts = [*_ENTRY.finditer(content)]
        ends = [*(e.start() for e in starts), len(content)]
        for entry, (begin, end) in zip(starts, pairwise(ends), strict=True):
            use = _USE.search(content, begin, end)
            if use and use[1] != b"allowed" and not entry[0].endswith(b"ai_inference"):
                return f"{label}: {entry[0].decode()} {use[1].decode()}"
    return None


def _labelled(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield (label, what follows in its box) of every described box in a JUMBF store."""
    at, label = 0, ""
    while at + 8 <= len(data) and depth < 16:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if size == 0:
            size = len(data) - at
        if size < head:
            return
        body = data[at + head : at + size]
        if kind == b"jumd" and len(body) > 17 and body[16] & 2:
            label = body[17:].partition(b"\0")[0][:200].decode("utf-8", "replace")
        elif kind == b"jumb":
            yield from _labelled(body, depth + 1)
        elif label:
            yield label, body
        at += size
