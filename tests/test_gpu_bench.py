"""The script for the first minutes of a GPU runs to its end where there is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from train_tools import NAME, SIZE, packed, workspace  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_gpu_script_runs_to_its_end_on_a_cpu(workspace, tmp_path: Path) -> None:  # noqa: F811
    """Small and on the CPU, every part gives figures, and the training leaves a checkpoint."""
    out = tmp_path / "out"
    line = [sys.executable, "bench/gpu.py", "--quick", "--out", str(out)]
    line += ["--home", str(workspace.home), "--dataset", NAME, "--size", str(SIZE)]
    line += ["--arch", "dcgan", "--recipe", str(workspace.home / "small.toml")]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=280)

    assert done.returncode == 0, done.stderr
    report = json.loads((out / "report.json").read_text())
    assert set(report) == {"machine", "correctness", "memory", "speed", "training"}
    assert all("error" not in part for part in report.values())
    assert report["memory"]["figures"][0]["measured_bytes"] > 0
    assert list((out / "home/checkpoints/gpu").glob("step-*/model.safetensors"))
