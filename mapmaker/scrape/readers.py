"""The three ways an answer is read: as a page, as JSON, as a list. A card's `kind` says which."""

from mapmaker.scrape.grammar import Page, find_maps
from mapmaker.scrape.items import read_items
from mapmaker.scrape.source import Source
from mapmaker.scrape.urllist import read_list

_READERS = {"pages": find_maps, "json": read_items, "list": read_list}


def read_answer(source: Source, url: str, body: bytes) -> Page:
    """Return the files and further addresses in what came from `url`. Never raises for its bytes
    alone."""
    return _READERS[source.kind](source, url, body)
