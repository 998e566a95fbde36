"""200 steps in one go, against 100, kill -9, and the same command again: the hashes of both.

    python bench/resume.py DATASET --home HOME --size 32 --out resume.json

For dcgan and fewshot (narrow nets), by one process and by two under torchrun, where one of the two
is killed. The data set must be packed at --size; runs are made in a copy of its workspace.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETS = {
    "dcgan": "ema = 0.9\n[options]\nchannels = 8\nchannels2 = 8\nlatent = 'spatial'\n",
    "fewshot": "ema = 0.9\n[options]\nlatent = 16\nlocal = [8, 8]\n",
}
ENV = os.environ | {"OMP_NUM_THREADS": "1"}


def start(home: Path, words: list[str], processes: int) -> subprocess.Popen:
    """Start a command line, in a group of its own."""
    head = [sys.executable, "-m"]
    if processes > 1:
        head += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    command = [*head, "mapmaker", "--home", str(home), *words]
    return subprocess.Popen(
        command, env=ENV, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(child: subprocess.Popen) -> None:
    """Wait for a run to end well."""
    out = child.communicate()[0].decode()
    assert child.returncode == 0, out


def victim(run: Path) -> int:
    """Return the process to kill: the one that writes."""
    return int(json.loads((run / "status.json").read_text())["pid"])


def sums(run: Path, steps: int) -> dict[str, str]:
    """Return the sha256 of the last step's weights and moments."""
    folder = run / f"step-{steps:08d}"
    files = ("model.safetensors", "state.safetensors")
    return {f: hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in files}


def compare(args: argparse.Namespace, home: Path, arch: str, processes: int) -> dict:
    """Return the hashes of the whole run and of the one that was killed."""
    (home / f"{arch}.toml").write_text(NETS[arch])
    plain = [
        "train", args.dataset, "--arch", arch, "--recipe", str(home / f"{arch}.toml"),
        "--size", str(args.size), "--batch", "4", "--precision", "fp32", "--device", "cpu",
        "--kimg", str(args.steps * 4 / 1000), "--save-kimg", str(args.steps * 4 / 2000),
        "--tick-kimg", "1",
    ]  # fmt: skip
    names = {kind: f"{arch}-{processes}-{kind}" for kind in ("whole", "killed")}
    finish(start(home, [*plain, "--name", names["whole"]], processes))
    child = start(home, [*plain, "--name", names["killed"]], processes)
    run = home / "checkpoints" / names["killed"]
    while not (run / f"step-{args.steps // 2:08d}").is_dir():
        assert child.poll() is None, child.communicate()
        time.sleep(0.005)
    os.kill(victim(run), signal.SIGKILL)
    child.communicate()
    finish(start(home, [*plain, "--name", names["killed"]], processes))
    found = {kind: sums(home / "checkpoints" / name, args.steps) for kind, name in names.items()}
    equal = found["whole"] == found["killed"]
    return {"arch": arch, "processes": processes, "equal": equal, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("--home", type=Path, default=Path())
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("resume.json"))
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        shutil.copytree(args.home / "datasets" / args.dataset, home / "datasets" / args.dataset)
        for processes in args.processes:
            for arch in NETS:
                rows.append(compare(args, home, arch, processes))
                print(json.dumps(rows[-1]), flush=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(0 if all(row["equal"] for row in rows) else 1)


if __name__ == "__main__":
    main()
