"""What is not even asked for: pictures that are marked against training before a request."""

from collections.abc import Iterable
from dataclasses import replace

from mapmaker.scrape.grammar import Find
from mapmaker.scrape.optout import against_in_robots, against_in_words
from mapmaker.scrape.source import Source

REASON = "no-training"


def permitted(source: Source, finds: Iterable[Find], with_refused: bool) -> list[Find]:
    """Return `finds`, those that a maker keeps from nets refused with REASON unless with_refused.

    What counts is known before anything is fetched: the file's or the card's `ai_training`, the
    words of the licence and terms that the file states, and the page's meta tags.
    """
    if with_refused:
        return list(finds)
    return [_refused(find) if find.link.refusal is None and _is_no(source, find) else find
            for find in finds]  # fmt: skip


def _is_no(source: Source, find: Find) -> bool:
    if find.ai_training in ("yes", "no"):
        return find.ai_training == "no"
    words = (find.license or source.license, find.terms)
    return (
        source.ai_training == "no"
        or any(against_in_words(text) for text in words)
        or against_in_robots(find.against) is not None
    )


def _refused(find: Find) -> Find:
    return replace(find, link=replace(find.link, refusal=REASON))
