"""Two parsers side by side on every page: what is known of a map depends on neither."""

from dataclasses import replace

import pytest
from scrape_conventions import GOLDEN
from scrape_tools import on_site

from mapmaker.scrape.grammar import Page, find_maps, merge
from mapmaker.scrape.replica import Replica
from mapmaker.scrape.replica.pages import page_of
from mapmaker.scrape.source import read_source

PARSERS = ("lxml", "html.parser")
SOURCE = read_source("map-of-the-week")


def pages_of(archive: Replica) -> dict[str, bytes]:
    """Return address -> bytes of every page: the archive, its years, the months and their twins."""
    years = {month.year for month in archive.truth.months}
    months = [f"mw/{m.name}{twin}" for m in archive.truth.months for twin in ("", "&pf=true")]
    names = ["mwa/archiveall", *(f"mwa/archive{year}" for year in sorted(years)), *months]
    paths = [f"/default.asp?x=dnd/{name}" for name in names]
    return {f"http://www.wizards.com{p}": page_of(archive.truth, p) or b"" for p in paths}


def read_by(parser: str, pages: dict[str, bytes]) -> dict[str, Page]:
    return {url: find_maps(SOURCE, url, body, parser) for url, body in pages.items()}


@pytest.fixture(scope="module")
def whole() -> Replica:
    return Replica(full=True, side_px=48, drawn=False)


@pytest.fixture(scope="module")
def readings(whole) -> dict[str, dict[str, Page]]:
    pages = pages_of(whole)
    return {parser: read_by(parser, pages) for parser in PARSERS}


def test_both_parsers_give_the_same_records_of_the_whole_archive(readings):
    """Every page, every file of it, every word of its record, and every page to read next."""
    one, other = (readings[parser] for parser in PARSERS)

    assert len(one) == 1 + 8 + 2 * 83 and sum(len(page.finds) for page in one.values()) > 3000
    for url, page in one.items():
        assert page == other[url], url


def test_both_parsers_give_the_same_records_of_the_month_of_faults():
    """Traps, wrapped links and odd files are read alike, too."""
    pages = pages_of(Replica(maps=24, side_px=48, drawn=False))

    one, other = (read_by(parser, pages) for parser in PARSERS)

    assert one == other and any(find.link.refusal for page in one.values() for find in page.finds)


@pytest.mark.parametrize("page", [page for page, *_ in GOLDEN], ids=lambda page: page.url[-9:])
def test_both_parsers_give_the_same_records_of_every_convention(page):
    """The five forms of pages that were seen, in the tags of their time."""
    one, other = (find_maps(SOURCE, page.url, page.body, parser) for parser in PARSERS)

    assert one == other and one.finds


@pytest.mark.parametrize("parser", PARSERS)
def test_every_date_title_and_dpi_is_right_and_every_drawer_named(whole, readings, parser):
    """100 % of what the truth says of 900 files: drawers, words and stated sizes, too."""
    finds = merge(SOURCE, [find for page in readings[parser].values() for find in page.finds])
    truth = {file.path: (entry, file) for entry, file in whole.truth.files()}
    wrong = []
    for find in finds:
        entry, file = truth.pop(on_site(find.link.url))
        words = entry.description
        if entry.prose and entry.cartographer:
            words += f" We invited Wizards mapper {entry.cartographer} to draw it."
        stated = file.declared_bytes if file.style != "variant" else None
        right = replace(
            find, date=entry.date.isoformat(), title=entry.title, theme=entry.theme, dpi=file.dpi,
            variant=file.variant, cartographer=entry.cartographer, description=words,
            declared_bytes=stated if file.format == "JPG" else find.declared_bytes,
        )  # fmt: skip
        wrong += [(find, right)] if find != right else []

    assert not wrong and not truth and len(finds) == 900
