"""Whose weights a run or a shelf checkpoint would paint with, read without torch and in no time."""

import re
import tomllib
from pathlib import Path
from typing import Any

from mapmaker.errors import MapmakerError, UnsafeInput
from mapmaker.files import read_plain, read_plain_json

_STEP = re.compile(r"step-(\d{8,})")


def weights_of(folder: Path) -> dict[str, Any]:
    """Return the facts of a run's newest checkpoint or of a card; `sha256` is the weights' own.

    The hash is the one written beside the weights: whoever loads them must compare it. Raises
    MapmakerError when there is no checkpoint yet, UnsafeInput for a card or sums nobody can read.
    """
    card = folder / "card.toml"
    try:
        if card.is_file():
            facts = tomllib.loads(read_plain(card))
            return facts | {"sha256": str(facts["sha256"])}
        steps = {int(m[1]): p for p in folder.glob("step-*") if (m := _STEP.fullmatch(p.name))}
        if not steps:
            raise MapmakerError(
                f"{folder} holds no checkpoint yet.",
                hint="Train it for a minute: `mapmaker train`.",
            )
        newest = steps[max(steps)]
        lines = read_plain(newest / "SHA256SUMS").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        return read_plain_json(newest / "state.json") | {"sha256": sums["model.safetensors"]}
    except (tomllib.TOMLDecodeError, RecursionError, KeyError, TypeError, ValueError) as error:
        raise UnsafeInput(
            f"{folder} does not say which weights it holds: {error}.",
            hint="Restore it from a copy.",
        ) from error
