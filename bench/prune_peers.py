"""What two well-known tools say of a folder; runs in their own environment, prints JSON.

    python bench/prune_peers.py FOLDER

CleanVision 0.3.7 and imagededup 0.3.3 from the package index. Each entry has `seconds` of processor
time, `error` when the tool gave up, and what it flagged: {file: [issue]} and {file: [copy]}.
"""

import json
import os
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any


def spent() -> float:
    """Return the processor time of this process and of those it waited for, in seconds."""
    return sum(os.times()[:4])


def cleanvision(folder: Path) -> dict[str, Any]:
    """Return CleanVision's issues a file, and its sets of copies."""
    from cleanvision import Imagelab

    started = spent()
    lab = Imagelab(data_path=str(folder))
    lab.find_issues(n_jobs=1)
    issues: dict[str, list[str]] = {}
    for column in lab.issues.columns:
        if column.startswith("is_") and column.endswith("_issue"):
            for path in lab.issues.index[lab.issues[column]]:
                issues.setdefault(Path(path).name, []).append(column[3:-6])
    sets = []
    for kind in ("exact_duplicates", "near_duplicates"):
        sets += [[Path(p).name for p in s] for s in lab.info.get(kind, {}).get("sets", [])]
    copies: dict[str, list[str]] = {}
    for one in sets:
        for name in one:
            copies.setdefault(name, []).extend(n for n in one if n != name)
    return {"issues": issues, "copies": copies, "seconds": spent() - started}


def imagededup(folder: Path) -> dict[str, Any]:
    """Return imagededup's copies a file: PHash at its default distance of 10."""
    from imagededup.methods import PHash

    started = spent()
    found = PHash(verbose=False).find_duplicates(
        image_dir=str(folder), num_enc_workers=0, num_dist_workers=0
    )
    copies = {name: list(others) for name, others in found.items()}
    return {"issues": {}, "copies": copies, "seconds": spent() - started}


def main() -> None:
    """Run both, each for itself: one that gives up does not stop the other."""
    folder, said = Path(sys.argv[1]), {}
    warnings.simplefilter("ignore")
    for tool in (cleanvision, imagededup):
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                found = tool(folder)
        except Exception as error:  # what it could not bear is the result
            found = {"error": f"{type(error).__name__}: {error}", "issues": {}, "copies": {}}
        said[tool.__name__] = found
    print(json.dumps(said))


if __name__ == "__main__":
    main()
