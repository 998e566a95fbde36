"""The seal of a row: a short digest of everything in it but the sample, which has its own."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from mapmaker.shards.structure import COLUMNS

SEALED = [name for name in COLUMNS if name != "seal"]


def seals(columns: Mapping[str, np.ndarray], walls: Sequence[bytes]) -> np.ndarray:
    """Return the seal of every row, uint8 (N, 8); walls are each row's, b"" where it has none."""
    rows = []
    for row, own in enumerate(walls):
        hasher = hashlib.sha256(own)
        for name in SEALED:
            hasher.update(columns[name][row].tobytes())
        rows.append(hasher.digest()[:8])
    return np.frombuffer(b"".join(rows), "u1").reshape(-1, 8)
