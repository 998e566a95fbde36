"""What a rule says of one picture."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["drop", "look"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that speaks against a picture. `--auto` accepts level drop; look is for a person."""

    rule: str
    level: Level
    reason: str
