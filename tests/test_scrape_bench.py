"""The bench that sets scrape beside the network and beside others runs to its end, and judges."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(tmp_path, *words: str) -> dict:
    out = tmp_path / "out.json"
    line = [sys.executable, "bench/scrape.py", "--json", str(out), "--seed", "3", *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())


def test_ours_are_measured_beside_the_bound(tmp_path):
    """Nine files over slow lines: all right, at most eight in flight, slower than the bound."""
    small = ("--files", "9", "--mb", "1", "--latency-ms", "20", "--rate-mb", "1")

    report = run(tmp_path, *small)

    assert report["good"] and report["bound_s"] > 0.1
    by_list, by_site = report["rows"]
    for row in (by_list, by_site):
        assert (row["right"], row["wrong"], row["picture_requests"]) == (9, 0, 9)
        assert 1 <= row["max_in_flight"] <= 8 and row["of_bound"] > 1 and row["rss_mb"] > 20
    assert by_site["requests"] > by_list["requests"] == 10  # robots.txt and the files
    assert report["floor"]["right"] == 9 and report["of_floor"]["user"] > 1


def test_one_job_is_measured_beside_plain_requests(tmp_path):
    """Two rounds, each first once: the same four files, one request at a time."""
    small = ("--files", "4", "--mb", "0.4", "--latency-ms", "5", "--rate-mb", "4")

    report = run(tmp_path, "--one", "2", *small)

    assert report["good"] and len(report["ratios"]) == 2
    for each in report["rounds"]:
        assert each["requests"]["right"] == each["ours"]["right"] == 4
        assert each["ratio"] == each["ours"]["wall_s"] / each["requests"]["wall_s"]


def test_the_memory_for_a_large_file_is_measured(tmp_path):
    """Ten megabytes in place of 500: every good file kept, and little more memory held."""
    out = tmp_path / "out.json"
    line = [sys.executable, "bench/scrape_large.py", "--mb", "10", "--json", str(out)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr
    kept = {name: row["kept"] for name, row in json.loads(out.read_text()).items() if "." in name}
    assert kept == {"small.jpg": 1, "good.jpg": 1, "endless.jpg": 0, "maps.zip": 20}


def test_a_kill_is_measured(tmp_path):
    """Two runs killed and finished: what is left equals a calm run's."""
    report = run(tmp_path, "--kill", "2", "--kill-files", "8")

    assert report["good"] and report["runs"] == 2 and report["differ"] == 0
