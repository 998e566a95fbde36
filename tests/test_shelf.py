"""Every card on the shelf `scrapers` is whole, and a site is added by a card alone."""

import pytest

from mapmaker.errors import BadConfig, UnknownName, UnsafeInput
from mapmaker.files import sha256_of
from mapmaker.picture import picture_size
from mapmaker.scrape.grammar import find_maps
from mapmaker.scrape.source import read_source
from mapmaker.shelf import cards, read_card

CARD = r"""
title = "Someone's maps"
homepage = "https://maps.example.org/"
start = ["https://maps.example.org/"]
hosts = ["maps.example.org"]
pictures = ['\.(png|jpe?g)$']
license = "CC0-1.0"
"""


@pytest.mark.parametrize("name", sorted(cards("scrapers")))
def test_every_card_declares_a_whole_source(name):
    """Start pages, hosts, patterns, licence and terms are there and make sense together."""
    source = read_source(name)

    assert source.title and source.license and source.terms
    assert all(any(h in url for h in source.hosts) for url in source.start)
    assert source.pictures and (source.start or source.list)
    assert source.entry.download or source.kind != "pages"


def test_another_site_is_a_card(tmp_path):
    """A card of seven lines reads a page it was written for."""
    path = tmp_path / "someone.toml"
    path.write_text(CARD)
    source = read_source(str(path))

    page = find_maps(
        source,
        source.start[0],
        b'<p><a href="/m/Old_Mill.png">The Old Mill</a> <a href="/x">no</a>',
    )

    (find,) = page.finds
    assert find.link.url == "https://maps.example.org/m/Old_Mill.png"
    assert (find.title, find.map_id) == ("The Old Mill", "undated_the-old-mill")


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("colour = 3", BadConfig, "colour"),
        ("follow = ['(']", BadConfig, "regular expression"),
        ("ai_training = 'perhaps'", BadConfig, "ai_training"),
        ("title = [", UnsafeInput, "TOML"),
        ("[entry]\nheads = ['x']", BadConfig, "heads"),
        ("entry = 3", BadConfig, "entry is not a table"),
        ("follow = 3", BadConfig, "follow is not a list of texts"),
        ("one_site = 'yes'", BadConfig, "one_site is not true or false"),
        ("max_pages = '9'", BadConfig, "max_pages is not a whole number"),
        ("max_jobs = 0", BadConfig, "max_jobs must be at least 1"),
        ("attribution = ['a']", BadConfig, "attribution is not a text"),
        ("kind = 'xml'", BadConfig, "kind is 'xml'"),
        ("encoding = 'windows-1252x'", BadConfig, "encoding is"),
        ("encoding = 'base64'", BadConfig, "encoding is"),
        ("kind = 'json'", BadConfig, "names no files"),
        ("list = 'x.csv'", BadConfig, "list is for kind list"),
        ("[items]\nonly = { a = '(' }", BadConfig, "regular expression"),
        ("[items]\npage_items = true", BadConfig, "page_items is not a whole number"),
    ],
)
def test_a_card_that_is_wrong_says_where(tmp_path, line, error, words):
    """An unknown key, a bad expression or no TOML: one clear line with the card's path."""
    path = tmp_path / "bad.toml"
    path.write_text(CARD + line + "\n")

    with pytest.raises(error, match=words) as caught:
        read_source(str(path))

    assert str(path) in str(caught.value)


@pytest.mark.parametrize("key", ["title", "homepage", "start", "hosts", "pictures", "license"])
def test_a_card_that_leaves_something_out_says_what(tmp_path, key):
    """The licence above all: a source without one is no source."""
    path = tmp_path / "short.toml"
    path.write_text("".join(s for s in CARD.splitlines(True) if not s.startswith(key)))

    with pytest.raises(BadConfig, match=f"does not say {key}"):
        read_source(str(path))


def test_a_card_must_start_on_its_own_hosts(tmp_path):
    """A start page elsewhere is refused when the card is read."""
    path = tmp_path / "far.toml"
    path.write_text(CARD.replace('https://maps.example.org/"]', 'https://example.com/"]'))

    with pytest.raises(BadConfig, match=r"example\.com"):
        read_source(str(path))


def test_a_card_whose_list_is_not_there_says_so(tmp_path):
    """The list lies beside the card."""
    path = tmp_path / "mine.toml"
    path.write_text(CARD + "kind = 'list'\nlist = 'none.csv'\n")

    with pytest.raises(BadConfig, match=r"none\.csv cannot be read"):
        read_source(str(path))


def test_a_card_nobody_has_is_named_with_its_neighbours():
    """UnknownName suggests what is there."""
    with pytest.raises(UnknownName) as error:
        read_source("map-of-the-wek")

    assert "map-of-the-week" in error.value.hint


@pytest.mark.parametrize("name", sorted(cards("checkpoints")))
def test_every_shipped_checkpoint_is_small_whole_and_says_what_it_is(name):
    """At most 16 MiB, the weights its card lists, samples beside it, and data one may pass on."""
    path, card = read_card("checkpoints", name)

    weights = path.parent / "generator.safetensors"
    assert weights.stat().st_size == card["bytes"] <= 16 * 2**20
    assert sha256_of(weights) == card["sha256"]
    assert picture_size(path.parent / "samples.webp")[0] >= 256
    assert card["license"] == "MIT" and card["data"] and card["made_by"] and card["about"]


@pytest.mark.parametrize("name", sorted(cards("datasets")))
def test_every_data_set_card_says_whose_the_pictures_are(name):
    """Title, licence, and whether a net may learn from them."""
    card = read_card("datasets", name)[1]

    assert card["title"] and card["license"]
    assert card["ai_training"] in ("yes", "no", "unknown")
