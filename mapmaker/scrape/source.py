"""A source of maps, as its card on the shelf `scrapers` declares it: data, checked, no code."""

import codecs
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mapmaker.errors import BadConfig, MapmakerError, UnsafeInput
from mapmaker.scrape.card import key, values_of
from mapmaker.scrape.listfile import hosts_of
from mapmaker.shelf import read_card

AI_CHOICES = ("yes", "no", "unknown")
KINDS = ("pages", "json", "list")
LISTS = (".txt", ".csv", ".tsv")
Patterns = tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How one page lists its maps: regular expressions with named groups."""

    head: Patterns = key(
        "begins a map: groups `title`, `month` and `day` or `date`, `description`", ()
    )
    download: Patterns = key(
        "the words of a link to a file: any of the groups `dpi`, `format`, `size`, `unit`", ()
    )
    variant: Patterns = key(
        "the words of a link to another form of the same map: group `variant`", ()
    )
    theme: Patterns = key("a heading that holds for the maps under it: group `theme`", ())
    not_theme: Patterns = key("headings that are no theme", ())
    cartographer: Patterns = key("who drew it: group `name`", ())
    year: Patterns = key("finds the group `year` in the page's address, else in the pictures'", ())
    year_heading: Patterns = key("a heading that gives the `year` of the maps under it", ())
    dpi: Patterns = key("finds `dpi` in a picture's address when the words do not say", ())
    sidebar: Patterns = key("begins a box of links that are not this page's maps", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Where a JSON answer keeps its items, and an item what is known of it.

    Everything but the last four keys is a path, `imageinfo.0.url`, or a list of them: the first
    that leads to something counts. `*` stands for every member.
    """

    at: tuple[str, ...] = key("the list, or the object, whose members are the items", ("",))
    id: tuple[str, ...] = key("what tells an item from all others, else its first address", ())
    picture: tuple[str, ...] = key("the addresses of the item's files", ())
    html: tuple[str, ...] = key("markup whose links and pictures are the item's files", ())
    page: tuple[str, ...] = key("the page about the item, for people", ())
    title: tuple[str, ...] = key("its title; markup is taken off here and below", ())
    date: tuple[str, ...] = key("a text that holds the date as 2003-12-25", ())
    description: tuple[str, ...] = key("a few words about it", ())
    theme: tuple[str, ...] = key("the kind of map", ())
    cartographer: tuple[str, ...] = key("who drew it", ())
    attribution: tuple[str, ...] = key("whom to name", ())
    license: tuple[str, ...] = key("its licence; a text is as good as an SPDX name", ())
    license_url: tuple[str, ...] = key("where the licence can be read", ())
    terms: tuple[str, ...] = key("words on its use: searched for a no to training", ())
    ai_training: tuple[str, ...] = key("yes, no or unknown", ())
    bytes: tuple[str, ...] = key("the file's size", ())
    sha1: tuple[str, ...] = key("the file's SHA-1, hexadecimal: what comes must have it", ())
    only: Mapping[str, str] | None = key(
        "a table of path = expression: an item counts only when all of them are found", None
    )
    next: str | None = key(
        "path of what leads on: parameters to add to the start address, or an address", None
    )
    offset: str | None = key("a parameter that says how many items to pass over", None)
    page_items: int = key("how many items a full answer has, when `offset` is used", 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the pages are, which links count, and on which terms the pictures come."""

    name: str
    title: str = key("what this is: one line")
    homepage: str = key("where a person looks at it")
    kind: str = key("how its answers are read: pages (HTML), json or list", "pages")
    start: tuple[str, ...] = key("addresses to begin with", ())
    list: str | None = key(
        "a file of addresses beside the card, in place of `start` (kind list)", None
    )
    hosts: tuple[str, ...] = key(
        "the only hosts that are ever asked; a `list` file speaks for its own", ()
    )
    pictures: Patterns = key("path and query of addresses that are files of maps")
    follow: Patterns = key("path and query of further pages to read (kind pages)", ())
    one_site: bool = key("the hosts are one site: equal paths are the same file", False)
    encoding: str | None = key("what the pages are written in, whatever they say", None)
    drop_parameters: tuple[str, ...] = key("parameters that do not change what a page says", ())
    wrapper_path: str | None = key(
        "path of a redirector: links are taken out of it, it is never asked", None
    )
    wrapper_parameter: str = key("the redirector's parameter that holds the address", "url")
    archives: tuple[str, ...] = key(
        "where else copies of the site are, after web.archive.org: collection and year, such as "
        "https://wayback.archive-it.org/1213/2009",
        (),
    )
    max_pages: int = key("read no more pages than this", 1000)
    max_jobs: int | None = key("connections at the same time, at most, whatever --jobs says", None)
    interface: str | None = key(
        "address of the rules for programs, where the start addresses are made for them: "
        "robots.txt, which is for crawlers, is then asked about the pictures only",
        None,
    )
    template: bool = key("this card is to be copied: on its own it leads nowhere", False)
    license: str = key("the licence of files that state none of their own; SPDX where it has one")
    license_url: str | None = key("where that licence can be read", None)
    attribution: str | None = key("whom to name with every picture", None)
    ai_training: str = key("may nets learn from it: yes, no or unknown", "unknown")
    terms: str = key("what a person should know before using it: shown before every run", "")
    entry: Entry = key("table: how a page lists its maps (kind pages)", Entry())
    items: Items = key("table: where a JSON answer keeps its items (kind json)", Items())

    def is_interface(self, url: str) -> bool:
        """True for an address that the source's keepers made for programs to ask."""
        bare = url.partition("?")[0]
        return self.interface is not None and bare in [u.partition("?")[0] for u in self.start]


def read_source(name: str) -> Source:
    """Return the source called `name` on the shelf, in the card `name`, or in the list `name`.

    A card ends in .toml; a list of addresses (.txt, .csv, .tsv) is read on the terms of the
    shelf's card `list`. Raises UnknownName with the nearest names, UnsafeInput for a card that is
    no TOML, BadConfig for one that declares what no source has.
    """
    if name.endswith(LISTS):
        path, table = read_card("scrapers", "list")
        here = {"list": str(Path(name).resolve()), "template": False}
        return source_from(Path(name).stem, table | here, str(path))
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
    source = Source(**values_of(Source, {"name": name, **table}, where))
    for key_name, choices in (("kind", KINDS), ("ai_training", AI_CHOICES)):
        said = getattr(source, key_name)
        if said not in choices:
            hint = f"It is {', '.join(choices[:-1])} or {choices[-1]}."
            raise BadConfig(f"{where}: {key_name} is {said!r}.", hint=hint)
    for key_name in ("max_pages", "max_jobs"):
        if (getattr(source, key_name) or 0) < 1 and getattr(source, key_name) is not None:
            raise BadConfig(f"{where}: {key_name} must be at least 1.")
    if source.encoding and not _is_encoding(source.encoding):
        raise BadConfig(f"{where}: encoding is {source.encoding!r}.", hint="Such as windows-1252.")
    if source.kind == "json" and not (source.items.picture or source.items.html):
        hint = "[items] needs `picture` or `html`: the path to an item's files."
        raise BadConfig(f"{where}: kind is json, but [items] names no files.", hint=hint)
    for url in source.archives:
        if not re.fullmatch(r"https?://[\w.-]+(/[\w.-]+)*/\d{4,14}", url):
            hint = "It must end in a year: https://wayback.archive-it.org/1213/2009."
            raise BadConfig(f"{where} names the archive {url!r}.", hint=hint)
    if source.list is not None:
        return _with_list(source, where)
    for key_name in ("start", "hosts"):
        if not getattr(source, key_name):
            hint = "A list of addresses on this machine is named by `list`."
            raise BadConfig(f"{where} does not say {key_name}.", hint=hint)
    for url in source.start:
        parts = urlsplit(url)
        known = {parts.hostname, parts.netloc.lower()} & set(source.hosts)
        if parts.scheme not in ("http", "https") or not known:
            raise BadConfig(f"{where} starts at {url!r}.", hint="Its host must be one of `hosts`.")
    return source


def check_ready(source: Source, *, with_refused: bool) -> None:
    """Raise BadConfig for a template, MapmakerError for a source that allows no training."""
    if source.template:
        raise BadConfig(
            f"The card {source.name} is to be copied: on its own it leads nowhere.",
            hint=f"Copy scrapers/{source.name}.toml, change start, hosts, license, attribution and "
            "template, and scrape ./YOURS.toml.",
        )
    if source.ai_training == "no" and not with_refused:
        raise MapmakerError(
            f"The card {source.name} says that nets may not learn from its pictures.",
            hint="--with-refused fetches them for your eyes; no shard will hold them.",
        )


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


def _with_list(source: Source, where: str) -> Source:
    """Return the source with the hosts of its list. Raises BadConfig when there is no such file."""
    if source.kind != "list":
        raise BadConfig(f"{where}: list is for kind list.", hint='Add kind = "list".')
    if source.template:
        return source
    path = Path(where).parent / (source.list or "")
    named = hosts_of(path)
    return replace(source, list=str(path), hosts=source.hosts or named)
