"""On which terms the pictures of a pack come: licences, refusals, and what the card says."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mapmaker.errors import MapmakerError
from mapmaker.events import Note
from mapmaker.prune.consent import Consent
from mapmaker.prune.kept import refused
from mapmaker.workspace import Dataset

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """The rows of `prune.kept` that may be packed, by id, each with its final `license`
    and `ai_training` (yes or unknown).

    refused is why others may not; other_licenses counts those left out by `--licenses`.
    """

    rows: Mapping[str, Row]
    refused: Mapping[str, str]
    wanted: tuple[str, ...] = ()
    other_licenses: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, rows: Sequence[Row], licenses: str = "") -> "Terms":
        """Return the terms of kept rows; of several files with the same bytes the first by name.

        licenses is a comma separated list of the only licences to take, "" for any. Raises
        MapmakerError when it leaves nothing.
        """
        consent = Consent(dataset)
        known = {r["id"]: r for r in sorted(rows, key=lambda r: r["file"], reverse=True)}
        known = {
            id: {**r, "license": consent.license(r), "ai_training": consent.standing(r)}
            for id, r in sorted(known.items())
        }
        wanted = tuple(w.strip() for w in licenses.split(",") if w.strip())
        names = {w.casefold() for w in wanted}
        taken = {i: r for i, r in known.items() if not names or r["license"].casefold() in names}
        others = Counter(r["license"] for i, r in known.items() if i not in taken)
        if known and not taken:
            there = ", ".join(sorted(others))
            raise MapmakerError(
                f"No kept picture of {dataset.name} comes under {', '.join(wanted)}.",
                hint=f"There are: {there}.",
            )
        return cls(taken, refused(dataset), wanted, dict(sorted(others.items())))

    def card(self, ids: Collection[str]) -> dict[str, Any]:
        """Return what the card says of the pictures `ids` that samples were made from."""
        table = Counter(self.rows[id]["license"] for id in ids)
        allowed = Counter(self.rows[id]["ai_training"] for id in ids)
        kinds = Counter(reason.partition(":")[0] for reason in self.refused.values())
        return {
            "licenses": dict(sorted(table.items())),
            "ai_training": {"yes": allowed["yes"], "unknown": allowed["unknown"]},
            "refused": {"opted out": kinds["opted out"], "removed": kinds["removed"]},
            "only_licenses": list(self.wanted),
            "other_licenses": dict(self.other_licenses),
        }

    def notes(self) -> Iterator[Note]:
        """Yield what a person wants to know of the pictures that are left out."""
        yield from refusals(self.refused)
        if self.other_licenses:
            left = ", ".join(f"{n} {name}" for name, n in self.other_licenses.items())
            yield Note(f"Left out for their licence: {left}.")


def refusals(refused: Mapping[str, str]) -> Iterator[Note]:
    """Yield one line for each reason why pictures may not be learnt from."""
    for reason, count in sorted(Counter(refused.values()).items()):
        pictures = "1 picture is" if count == 1 else f"{count} pictures are"
        yield Note(f"{pictures} refused: {reason}.")
