"""The data card: the headings people know from shared data sets, filled with counts alone."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mapmaker import __version__
from mapmaker.prune.kept import features_of
from mapmaker.scrape.tombstones import Tombstones
from mapmaker.shards.trace import marks_of
from mapmaker.workspace import Dataset

# SPDX names (lower case) that the card's YAML head may name as they are.
_KNOWN = {
    "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "mit", "apache-2.0", "unlicense",
    "bsd-3-clause", "gpl-3.0", "gpl-2.0", "agpl-3.0", "wtfpl", "odbl", "pddl",
}  # fmt: skip
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
UNSAID = "Nobody has said."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What can be counted of the pictures a data set gives: each a name -> how many."""

    dataset: str
    pictures: int
    sources: Mapping[str, int]
    creators: Mapping[str, int]
    licenses: Mapping[str, int]
    ai_training: Mapping[str, int]
    refused: Mapping[str, int]
    tombstones: int
    suggested: Mapping[str, int]
    decided: Mapping[str, int]
    relations: Mapping[str, int]
    groups: int
    grids: Mapping[str, int]
    has_text: int
    listed: int


def gather(
    dataset: Dataset, rows: Sequence[Mapping[str, Any]], refused: Mapping[str, str]
) -> Facts:
    """Count what is known of `rows` (of `prune.kept`, with their final licences)."""
    suggested, relations = _measured(dataset)
    marks = marks_of(dataset)
    return Facts(
        dataset=dataset.name,
        pictures=len(rows),
        sources=_counted(_source(row) for row in rows),
        creators=_counted(_creator(row) for row in rows),
        licenses=_counted(str(row.get("license") or "unknown") for row in rows),
        ai_training=_counted(row.get("ai_training") or "unknown" for row in rows),
        refused=_counted(refused.values()),
        tombstones=len(Tombstones.of(dataset)),
        suggested=suggested,
        decided=_counted(f"{m.state} by {m.by.partition('@')[0]}" for m in marks.values()),
        relations=relations,
        groups=len({row["group"] for row in rows}),
        grids=_counted((row.get("grid") or {}).get("source", "unknown") for row in rows),
        has_text=sum(bool(row.get("has_text")) for row in rows),
        listed=len(dataset.rows()) if dataset.manifest.exists() else len(rows),
    )


def card_text(card: Mapping[str, Any], facts: Facts) -> str:
    """Return README.md for finished shards: a YAML head, then headings with counts."""
    files: dict[str, list[str]] = {}
    for line in card["shards"]:
        files.setdefault(split_name(line["split"]), []).append(line["file"])
    head = yaml_head(facts, card["count"], files)
    splits = {
        split_name(name): f"{of['count']} samples of {of['groups']} maps"
        for name, of in card["splits"].items()
    }
    recipe = card["recipe"]
    form = [
        f"{card['count']} samples of {card['size']} x {card['size']} px, layout {card['layout']}, "
        f"in {len(card['shards'])} HDF5 files; `samples.jsonl` says of each sample which picture "
        "it is made from, on which terms, and who decided that it stays.",
        _table(("split", "what is in it"), splits),
        "Splits go by map: all views, floors, copies and variants of one map are on one side.",
    ]
    made = [
        f"Crops of at most {recipe['squares']} grid squares a side, at most {recipe['crops']} a "
        f"picture, {recipe['views']} views each ({_views(card)}). Of "
        f"{card['pictures']} pictures {card['without_grid']} have no known grid; "
        f"{card['enlarged_over_2x']} samples are enlarged more than twice.",
        f"Written by mapmaker {__version__}; recipe {card['recipe_sha256'][:16]}, "
        f"pictures {card['source_sha256'][:16]}.",
    ]
    return head + sections(facts, form, made)


def _views(card: Mapping[str, Any]) -> str:
    if own := card.get("pipeline"):
        still = f"; {own['left_as_they_are']} pictures only as they are"
        names = ", ".join(own["transforms"])
        return f"the first as it is, others changed by albumentations: {names}{still}"
    return f"symmetries: {card['recipe']['augment']}; no colour is changed, no noise is added"


def yaml_head(facts: Facts, count: int, files: Mapping[str, Sequence[str]]) -> str:
    """Return the head that hubs read: licence, name, size and which file is in which split."""
    names = [name.lower() for name in facts.licenses]
    known = bool(names) and set(names) <= _KNOWN
    size = next((text for limit, text in _SIZES if count < limit), "1M<n<10M")
    lines = ["---"]
    if known:
        lines += ["license:", *(f"- {name}" for name in sorted(names))]
    else:
        lines += ["license: other", "license_name: see-licensing-information"]
    lines += [f"pretty_name: {_quoted(facts.dataset)}", "size_categories:", f"- {size}"]
    lines += ["source_datasets:", "- original", "task_categories:"]
    lines += ["- unconditional-image-generation", "tags:", "- battle-maps", "configs:"]
    lines += ["- config_name: default", "  data_files:"]
    for split, paths in files.items():
        lines += [f"  - split: {split}", "    path:", *(f"    - {_quoted(p)}" for p in paths)]
    return "\n".join([*lines, "---", ""])


def sections(facts: Facts, form: Sequence[str], made: Sequence[str]) -> str:
    """Return the card's text: `form` says what the files are, `made` how they came about."""
    refused = sum(facts.refused.values())
    personal = "Names of creators and addresses of pages, as far as the sources give them. What "
    personal += "the pictures show was not searched for personal information."
    parts = {
        f"# {facts.dataset}": [f"{facts.pictures} pictures of {facts.groups} maps."],
        "## Dataset Structure": form,
        "## Dataset Creation": [],
        "### Curation Rationale": [
            f"{facts.listed} pictures are listed, {facts.pictures} are in; {refused} were refused.",
            _table(("what prune suggested", "pictures"), facts.suggested),
            _table(("what was decided", "pictures"), facts.decided),
            _table(("how two pictures are related", "pairs"), facts.relations),
        ],
        "### Source Data": [
            _table(("source", "pictures"), facts.sources),
            _table(("creator", "pictures"), facts.creators),
        ],
        "### Data Collection and Processing": list(made),
        "### Annotations": [
            "None but what is measured: the grid, writing in the picture, duplicates.",
            _table(("how the grid is known", "pictures"), facts.grids),
            f"Pictures with writing, which no view turns or mirrors: {facts.has_text}.",
        ],
        "### Personal and Sensitive Information": [personal],
        "## Considerations for Using the Data": [
            "A net trained on few pictures repeats them; compare its samples with the pictures.",
            f"Social impact and biases: {UNSAID}",
        ],
        "## Licensing Information": [
            _table(("licence", "pictures"), facts.licenses),
            _table(("training of nets", "pictures"), facts.ai_training),
            _table(("refused, and not in here", "pictures"), facts.refused),
            f"Pictures removed on request that no later run may take in again: {facts.tombstones}.",
        ],
        "## Citation": [UNSAID],
        "## Dataset Card Contact": [UNSAID],
    }
    blocks = [block for head, body in parts.items() for block in (head, *filter(None, body))]
    return "\n" + "\n\n".join(blocks) + "\n"


def split_name(split: str) -> str:
    """Return what others call a split: `test` for ours that is held out."""
    return "test" if split == "held-out" else split


def _measured(dataset: Dataset) -> tuple[dict[str, int], dict[str, int]]:
    """Return suggestions by rule and relations by kind, as far as prune has been here."""
    if not (dataset.root / "features.db").exists():
        return {}, {}
    with closing(features_of(dataset)) as store:
        rules = _counted(_suggested(found) for found in store.suggestions().values())
        kinds = _counted(str(data.get("kind") or "none") for _, _, data in store.relations())
    kinds.pop("none", None)
    return rules, kinds


def _suggested(found: Mapping[str, Any]) -> str:
    return f"{found['rule']}{' (worth a look)' if found.get('level') == 'look' else ''}"


def _source(row: Mapping[str, Any]) -> str:
    for url in (row.get("page_url"), row.get("picture_url")):
        if url and urlsplit(url).scheme in ("http", "https"):
            return urlsplit(url).hostname or "unknown"
    return "the person's own files" if row.get("served_by") == "import" else "unknown"


def _creator(row: Mapping[str, Any]) -> str:
    return str(row.get("cartographer") or row.get("attribution") or "unknown")


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _table(head: tuple[str, str], rows: Mapping[str, Any]) -> str:
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join([f"| {head[0]} | {head[1]} |", "|---|---|", *lines]) if lines else ""


def _cell(value: object) -> str:
    """Return a value that can break neither the table nor the page: pages are written by others."""
    text = " ".join(str(value).split())[:300]
    return "".join(f"&#{ord(char)};" if char in "&|<>[]`" else char for char in text)


def _quoted(text: str) -> str:
    """Return a YAML string in double quotes; JSON's are YAML's."""
    return json.dumps(text, ensure_ascii=False)
