"""Where the shelves live, and the TOML cards on them: data by name, never code."""

import os
import tomllib
from pathlib import Path
from typing import Any

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.registry import unknown

_PACKAGE = Path(__file__).resolve().parent


def shelf(name: str) -> Path:
    """Return the folder of shelf `name`: $MAPMAKER_SHELVES, the wheel's copy, or the checkout.

    Raises MissingPart when none of the three has it.
    """
    homes = [Path(h) for h in [os.environ.get("MAPMAKER_SHELVES")] if h]
    homes += [_PACKAGE / "shelves"]
    homes += [p for p in _PACKAGE.parents if (p / "setup.py").is_file()]
    for home in homes:
        if (home / name).is_dir():
            return home / name
    places = ", ".join(map(str, homes))
    raise MissingPart(f"There is no shelf {name!r} in {places}.", hint="Install mapmaker again.")


def cards(name: str) -> dict[str, Path]:
    """Return the cards of shelf `name`: `scrapers/x.toml` and `checkpoints/x/card.toml` are x."""
    home = shelf(name)
    found = {p.stem: p for p in sorted(home.glob("*.toml"))}
    return found | {p.parent.name: p for p in sorted(home.glob("*/card.toml"))}


def read_card(name: str, card: str) -> tuple[Path, dict[str, Any]]:
    """Return the path and the values of one card.

    Raises UnknownName with the nearest names, UnsafeInput when the card is no TOML.
    """
    known = cards(name)
    if card not in known:
        raise unknown(f"card on the shelf {name}", card, known)
    try:
        return known[card], tomllib.loads(known[card].read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnsafeInput(f"{known[card]} is not readable as TOML: {error}.") from error
