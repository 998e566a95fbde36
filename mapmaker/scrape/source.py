"""A source of maps, as its card on the shelf `scrapers` declares it: data, checked, no code."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mapmaker.errors import BadConfig, UnsafeInput
from mapmaker.shelf import read_card

AI_CHOICES = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How one page lists its maps: regular expressions with named groups.

    head       begins a map: `title`, and `month` and `day` or `date`, `description` if it has them
    download   the words of a download link: any of `dpi`, `format`, `size`, `unit`
    variant    the words of a link to another form of the same map: `variant`
    theme      a heading that holds for the maps under it: `theme`
    cartographer  who drew it: `name`; not_theme: headings that are no theme
    year       finds `year` in the picture's URL, else in the page's; `year_heading` in a heading
    dpi        finds `dpi` in the picture's URL when the link's words do not say
    sidebar    begins a box of links that are not this page's maps
    """

    head: tuple[re.Pattern[str], ...] = ()
    download: tuple[re.Pattern[str], ...] = ()
    variant: tuple[re.Pattern[str], ...] = ()
    theme: tuple[re.Pattern[str], ...] = ()
    not_theme: tuple[re.Pattern[str], ...] = ()
    cartographer: tuple[re.Pattern[str], ...] = ()
    year: tuple[re.Pattern[str], ...] = ()
    year_heading: tuple[re.Pattern[str], ...] = ()
    dpi: tuple[re.Pattern[str], ...] = ()
    sidebar: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the pages are, which links count, and on which terms the pictures come."""

    name: str
    title: str
    homepage: str
    start: tuple[str, ...]
    hosts: tuple[str, ...]
    pictures: tuple[re.Pattern[str], ...]
    one_site: bool = False
    encoding: str | None = None
    follow: tuple[re.Pattern[str], ...] = ()
    drop_parameters: tuple[str, ...] = ()
    wrapper_path: str | None = None
    wrapper_parameter: str = "url"
    max_pages: int = 1000
    entry: Entry = Entry()
    license: str
    license_url: str | None = None
    attribution: str | None = None
    ai_training: str = "unknown"
    terms: str = ""


def read_source(name: str) -> Source:
    """Return the source called `name` on the shelf, or in the card `name` when it ends in .toml.

    Raises UnknownName with the nearest names, UnsafeInput for a card that is no TOML, BadConfig
    for one that declares what no source has.
    """
    if name.endswith(".toml"):
        path = Path(name)
        try:
            return source_from(path.stem, tomllib.loads(path.read_text("utf-8")), str(path))
        except FileNotFoundError as error:
            raise BadConfig(f"{path} does not exist.", hint="Check the path.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise UnsafeInput(f"{path} is not readable as TOML: {error}.") from error
    path, table = read_card("scrapers", name)
    return source_from(name, table, str(path))


def source_from(name: str, table: Mapping[str, Any], where: str) -> Source:
    """Return the source that a card's values declare. Raises BadConfig with the key at fault."""
    values = _typed(Source, {"name": name, **table}, where)
    values["entry"] = Entry(**_typed(Entry, table.get("entry", {}), f"{where} [entry]"))
    missing = {"title", "homepage", "start", "hosts", "pictures", "license"} - set(values)
    if missing:
        raise BadConfig(f"{where} does not say {', '.join(sorted(missing))}.")
    for url in values["start"]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname not in values["hosts"]:
            raise BadConfig(f"{where} starts at {url!r}.", hint="Its host must be one of `hosts`.")
    if values.get("ai_training", "unknown") not in AI_CHOICES:
        said = values["ai_training"]
        raise BadConfig(f"{where}: ai_training is {said!r}.", hint="It is yes, no or unknown.")
    return Source(**values)


def _typed(cls: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    kinds = {f.name: str(f.type) for f in fields(cls)}
    values = {}
    for key, value in table.items():
        if key not in kinds:
            hint = f"It knows {', '.join(sorted(kinds))}."
            raise BadConfig(f"{where} declares {key!r}, which no source has.", hint=hint)
        if "Pattern" in kinds[key]:
            value = tuple(_pattern(p, f"{where}, {key}") for p in value)
        values[key] = tuple(value) if isinstance(value, list) else value
    return values


def _pattern(text: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadConfig(f"{where}: {text!r} is no regular expression: {error}.") from error
