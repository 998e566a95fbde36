"""croissant.json: a data set told in schema.org words that other people's loaders read.

Source: the Croissant format 1.1 (MLCommons) and its vocabulary for responsible AI.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from mapmaker.files import sha256_of
from mapmaker.shards.datacard import UNSAID, Facts

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

# column of samples.jsonl and metadata.jsonl -> what it is, and its type when it is no text
COLUMNS: Mapping[str, tuple[str, str]] = {
    "split": ("train, or held-out: no net may learn from it.", "sc:Text"),
    "picture": ("sha256 of the file the sample is made from.", "sc:Text"),
    "group": ("Pictures of one map share it; splits go by it.", "sc:Text"),
    "license": ("The picture's licence, or unknown.", "sc:Text"),
    "source_url": ("Where the picture was found.", "sc:Text"),
    "creator": ("Who made the picture, as far as its source says.", "sc:Text"),
    "phash": ("64 bits, in hex, that pictures alike to the eye share.", "sc:Text"),
    "ai_training": ("Whether training on it was allowed: yes or unknown.", "sc:Text"),
    "decision": ("keep, or undecided, which is kept too.", "sc:Text"),
    "decided_by": ("person, or the rule and its version.", "sc:Text"),
    "crop": ("Which crop of the picture.", "sc:Integer"),
    "variant": ("Which view of the crop; 0 is as it is.", "sc:Integer"),
    "squares": ("Grid squares along a side; 0 where not known.", "sc:Integer"),
}
_SPDX = "https://spdx.org/licenses/"


def of_shards(
    folder: Path, card: Mapping[str, Any], facts: Facts, samples: Path, packed: date
) -> dict[str, Any]:
    """Return the description of shards: a FileObject each, and the records of samples.jsonl."""
    files = [
        file_object(line["file"], "application/x-hdf5", line["bytes"], line["sha256"])
        for line in card["shards"]
    ]
    listing = file_object(
        samples.name, "application/jsonlines", samples.stat().st_size, sha256_of(samples)
    )
    every = {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "Every HDF5 file; pixels are in `images` (raw) or `bytes` (encoded).",
        "encodingFormat": "application/x-hdf5",
        "includes": "*.h5",
    }
    where = ("The shard and the row in it that holds the pixels: file#row.", "sc:Text")
    fields = [column("samples", samples.name, name, *COLUMNS[name]) for name in COLUMNS]
    fields.insert(0, column("samples", samples.name, "image", *where))
    records = {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record a sample.",
        "key": {"@id": "samples/image"},
        "field": fields,
    }
    recipe = json.dumps(card["recipe"], sort_keys=True)
    how = f"Cropped along the grid, turned and mirrored; nothing else is changed. Recipe: {recipe}"
    if "pipeline" in card:  # somebody's own
        how = (
            f"Cropped along the grid, then changed as the recipe's pipeline says. Recipe: {recipe}"
        )
    about = f"{card['count']} samples of {card['size']} px from {card['pictures']} maps."
    version = card["source_sha256"][:12]
    return describe(facts, about, version, packed, [*files, listing, every], [records], how)


def describe(
    facts: Facts,
    about: str,
    version: str,
    published: date,
    distribution: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    how: str,
) -> dict[str, Any]:
    """Return the whole JSON-LD: about and how are sentences, version tells contents apart."""
    refused = "; ".join(f"{n}: {reason}" for reason, n in facts.refused.items()) or "none"
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": facts.dataset,
        "description": about,
        "license": [_license(name) for name in facts.licenses],
        "creator": [{"@type": "Person", "name": name} for name in _names(facts.creators)],
        "citeAs": UNSAID,
        "url": f"urn:mapmaker:{facts.dataset}:{version}",
        "version": f"0.0.0+{version}",
        "datePublished": published.isoformat(),
        "isLiveDataset": False,
        "rai:dataCollection": f"Fetched, or a person's own; sources: {_said(facts.sources)}.",
        "rai:dataCollectionMissingData": f"Refused pictures, by reason: {refused}.",
        "rai:dataPreprocessingProtocol": [how],
        "rai:dataAnnotationProtocol": [
            f"Decided: {_said(facts.decided)}. Suggested to drop: {_said(facts.suggested)}."
        ],
        "rai:dataBiases": [UNSAID],
        "rai:personalSensitiveInformation": ["Names of creators, as far as the sources give them."],
        "rai:dataUseCases": ["Training nets that draw battle maps."],
        "rai:dataReleaseMaintenancePlan": (
            f"{facts.tombstones} pictures removed on request; the list is kept and later runs obey."
        ),
        "distribution": list(distribution),
        "recordSet": list(records),
    }


def file_object(name: str, kind: str, size: int, sha256: str) -> dict[str, Any]:
    """Return one file beside croissant.json."""
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": kind,
        "sha256": sha256,
    }


def column(records: str, file: str, name: str, about: str, kind: str) -> dict[str, Any]:
    """Return a field that is one column of a JSON lines file."""
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{name}",
        "name": name,
        "description": about,
        "dataType": kind,
        "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
    }


def to_text(value: Mapping[str, Any]) -> str:
    """Return JSON as it is written: equal values give equal bytes."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _license(name: str) -> str:
    plain = name.replace("-", "").replace(".", "").isalnum() and " " not in name
    known = plain and name not in ("unknown", "other")
    return f"{_SPDX}{name}.html" if known and name.isascii() else name


def _names(counted: Mapping[str, int]) -> list[str]:
    return [name for name in counted if name != "unknown"][:100] or ["unknown"]


def _said(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in list(counted.items())[:20]) or "nothing"
