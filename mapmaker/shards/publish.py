"""What lies beside finished shards to say where they come from: made again from what is there.

samples.jsonl (a line a sample), croissant.json and README.md (the data card), and in the data set's
packed/ which pictures this card was made from.
"""

from datetime import UTC, date, datetime
from pathlib import Path

from mapmaker.files import read_json, sha256_of, write_atomic
from mapmaker.prune.whereabouts import remember_packed
from mapmaker.shards.card import CARD
from mapmaker.shards.croissant import of_shards, to_text
from mapmaker.shards.datacard import card_text, gather
from mapmaker.shards.reader import open_shards
from mapmaker.shards.terms import Terms
from mapmaker.shards.trace import list_samples
from mapmaker.workspace import Dataset

CROISSANT, README = "croissant.json", "README.md"


def publish(dataset: Dataset, folder: Path, terms: Terms) -> None:
    """Write what tells of the shards in `folder`, whose card is finished.

    What says the same already is left alone, so doing it again after any end changes nothing.
    """
    ids = {bytes(id).hex() for id in open_shards(folder).column("sha256")}
    remember_packed(dataset, sha256_of(folder / CARD), ids)
    samples = list_samples(dataset, folder, terms.rows)
    card = read_json(folder / CARD)
    packed = day_of(folder / CARD)
    facts = gather(dataset, [terms.rows[id] for id in sorted(ids)], terms.refused)
    _write(folder / CROISSANT, to_text(of_shards(folder, card, facts, samples, packed)))
    _write(folder / README, card_text(card, facts))


def day_of(path: Path) -> date:
    """Return the day (UTC) a file was written: the only date that is not made up."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_bytes() != text.encode():
        write_atomic(path, text)
