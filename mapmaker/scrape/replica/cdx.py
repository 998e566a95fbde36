"""The replica's capture index: the CDX server of the Wayback Machine, as far as its README goes.

url with matchType exact, prefix, host or domain (or `x/*`, `*.x`), filter, collapse, fl, from, to,
limit, offset, showResumeKey and resumeKey; text or output=json. Rows are as dirty as the real ones:
repeated, with :80, with mail addresses and data: among them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from urllib.parse import parse_qs, quote_plus, unquote_plus, urlsplit

from mapmaker.scrape.replica.captures import Capture, key_of

FIELDS = ("urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length")
Row = dict[str, str]


class BadQuery(ValueError):
    """The server answers 400."""


def rows_of(
    captures: Iterable[Capture], digest: Callable[[Capture], tuple[str, int]]
) -> Iterator[Row]:
    """Yield the index's rows for the captures, dirt included, in the index's order."""
    for n, capture in enumerate(c for c in captures if c.listed):
        sha, length = digest(capture)
        row = {
            "urlkey": key_of(capture.url), "timestamp": capture.stamp, "original": capture.url,
            "mimetype": capture.mime, "digest": sha, "length": str(length),
            "statuscode": "-" if capture.status is None else str(capture.status),
        }  # fmt: skip
        yield row
        if n % 7 == 0:
            yield dict(row)
        if n % 11 == 0:
            for scheme in ("http://mailto:maps@wizards.com/", "data:image/gif;base64,R0lGOD/"):
                yield {**row, "original": scheme + row["original"].partition("//")[2]}


def answer(rows: list[Row], query: str, most_rows: int) -> tuple[bytes, str]:
    """Return the body for a query string, and its content type. Raises BadQuery."""
    said = parse_qs(query, keep_blank_values=True)
    one = {name: values[-1] for name, values in said.items()}
    if "url" not in one:
        raise BadQuery("url is missing")
    found = [row for row in rows if _in_scope(one)(row["urlkey"])]
    for rule in said.get("filter", []):
        found = [row for row in found if _passes(row, rule)]
    found = [r for r in found if one.get("from", "") <= r["timestamp"]]
    found = [r for r in found if r["timestamp"][: len(one.get("to", ""))] <= one.get("to", "9")]
    if "resumeKey" in one:
        key = one["resumeKey"]
        while "%" in key:
            key = unquote_plus(key)
        where = tuple(key.replace("+", " ").rsplit(" ", 1))
        found = [r for r in found if (r["urlkey"], r["timestamp"]) > where]
    for rule in said.get("collapse", []):
        found = _collapsed(found, rule)
    found = found[int(one.get("offset", 0)) :]
    limit = int(one.get("limit", most_rows))
    shown = found[limit:] if limit < 0 else found[: _whole(found, min(limit, most_rows))]
    fields = tuple(one["fl"].split(",")) if "fl" in one else FIELDS
    if set(fields) - set(FIELDS):
        raise BadQuery("unknown field")
    more = limit >= 0 and len(shown) < len(found) and one.get("showResumeKey") == "true"
    last = shown[-1] if more and shown else None
    resume = quote_plus(f"{last['urlkey']} {last['timestamp']}") if last else ""
    table = [[row[f] for f in fields] for row in shown]
    if one.get("output") == "json":
        table = [list(fields), *table, *([[], [resume]] if resume else [])]
        return json.dumps(table if len(table) > 1 else []).encode(), "application/json"
    text = "".join(" ".join(row) + "\n" for row in table) + (f"\n{resume}\n" if resume else "")
    return text.encode(), "text/plain"


def _in_scope(one: dict[str, str]) -> Callable[[str], bool]:
    url, kind = one["url"], one.get("matchType", "exact")
    if url.endswith("*"):
        url, kind = url[:-1], "prefix"
    elif url.startswith("*."):
        url, kind = url[2:], "domain"
    key = key_of(url)
    host = key_of(urlsplit(f"//{url.partition('//')[2] or url}").netloc + "/")
    if kind == "prefix":
        return lambda k: k.startswith(key)
    if kind == "host":
        return lambda k: k.startswith(host)
    if kind == "domain":
        return lambda k: k.startswith((host, host.removesuffix(")/") + ","))
    if kind != "exact":
        raise BadQuery("unknown matchType")
    return lambda k: k == key


def _passes(row: Row, rule: str) -> bool:
    """One filter: [!]field:regex on the whole value, or [!]~field:part of it."""
    wanted = not rule.startswith("!")
    name, colon, value = rule.lstrip("!").partition(":")
    if not colon or name.lstrip("~") not in FIELDS:
        raise BadQuery("bad filter")
    if name.startswith("~"):
        return (value in row[name[1:]]) == wanted
    return bool(re.fullmatch(value, row[name])) == wanted


def _collapsed(rows: list[Row], rule: str) -> list[Row]:
    """Keep the first of neighbours that agree in a field, or in its first characters."""
    name, _, count = rule.partition(":")
    if name not in FIELDS:
        raise BadQuery("bad collapse")
    length = int(count) if count else None
    return [next(group) for _, group in groupby(rows, key=lambda r: r[name][:length])]


def _whole(rows: list[Row], limit: int) -> int:
    """Return a limit that does not part rows of one capture: the resume key could not tell them."""
    while 0 < limit < len(rows) and all(
        rows[limit][f] == rows[limit - 1][f] for f in ("urlkey", "timestamp")
    ):
        limit += 1
    return limit
