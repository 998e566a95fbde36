"""The doctor tries the machine instead of believing it."""

import json


def test_a_real_training_step_ran_and_where_is_said(mapmaker):
    """Both nets moved on a device that is named, so nobody trains on the CPU unknowingly."""
    result = mapmaker("doctor", "--json")

    found = json.loads(result.out)
    assert result.code == 0, result.out
    assert found["training step"]["text"].startswith(("ran on cpu", "ran on cuda"))
    assert "both nets moved" in found["training step"]["text"]
    assert found["torchvision"]["state"] == found["codecs"]["state"] == "ok"
    if found["device"]["text"].startswith("cpu"):
        assert found["device"]["state"] == "note" and "sees no GPU" in found["device"]["text"]


def test_a_missing_package_is_exit_5_with_its_install_line(mapmaker, monkeypatch):
    """What is lacking is named, the rest is still tried, and the exit code says so."""
    monkeypatch.setattr("mapmaker.doctor.PACKAGES", ("click", "no-such-package"))

    result = mapmaker("doctor")

    assert result.code == 5
    assert "[!!] packages" in result.out and "pip install no-such-package" in result.out
    assert "[ok] codecs" in result.out
