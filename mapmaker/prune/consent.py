"""Who lets a net learn from which picture: every sign against it refuses, the owner's word decides.

The order, first found first: the data set's own PROVENANCE.csv; the manifest's `ai_training = no`;
what the person said who brought the picture in; robots headers; the words of the licence; the
file's own metadata. Nothing said is no refusal, and is counted.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mapmaker.prune.quarantine import locate
from mapmaker.scrape.optout import against_in_file, against_in_robots, against_in_words
from mapmaker.scrape.provenance import NAME, Provenance
from mapmaker.workspace import Dataset

WHOLE = "*"  # in the `file` column of a PROVENANCE.csv: every picture it does not name


class Consent:
    """What is known of each picture of one data set."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._said = Provenance.read([dataset.root / NAME])
        self._whole = self._said.of(dataset.root / WHOLE)

    def objection(self, row: Mapping[str, Any]) -> str | None:
        """Return what speaks against learning from the picture of a manifest row, or None.

        The file is opened only when the row does not have what its metadata say.
        """
        known = (self._own(row), self._all())
        said = next((s["ai_training"] for s in known if s.get("ai_training")), None)
        if said in ("yes", "no"):
            return f"{NAME} says ai_training = no" if said == "no" else None
        if row.get("ai_training") == "no":
            return "the manifest says ai_training = no"
        if row.get("ai_training") == "yes" and row.get("served_by") == "import":
            return None
        if found := against_in_robots(row.get("robots")):
            return f"the server sent {found}"
        if found := against_in_words(self.license(row)):
            return f"its licence says: {found}"
        found = row.get("ai_metadata")
        found = against_in_file(locate(self.dataset, row)) if found is None else found
        return f"the file says {found}" if found else None

    def standing(self, row: Mapping[str, Any]) -> str:
        """Return yes or unknown: whether somebody has allowed it, or nobody has said."""
        known = (self._own(row), self._all(), row)
        said = next((s["ai_training"] for s in known if s.get("ai_training")), None)
        return "yes" if said == "yes" else "unknown"

    def license(self, row: Mapping[str, Any]) -> str:
        """Return the picture's licence, or `unknown`."""
        known = (self._own(row), row, self._all())
        return str(next((s["license"] for s in known if s.get("license")), "unknown"))

    def _own(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the data set's PROVENANCE.csv says of one picture."""
        root = self.dataset.root
        if not self._said.rows:
            return {}
        return self._said.of(root / row["file"]) or self._said.of(root / Path(row["file"]).name)

    def _all(self) -> dict[str, Any]:
        """Return what it says of every picture: the line whose file is `*`."""
        return self._whole
