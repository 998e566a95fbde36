"""Real FID and KID: the way Inception's weights are read, tried with weights of no training."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluate_tools import blurred, drawn
from safetensors.torch import save_file

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.evaluate.inception import (
    frechet_distance,
    inception_distances,
    inception_features,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every tensor of Inception v3 as torch-fidelity has it, drawn by chance."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, *args, **kwargs):
            """Keep what the layers were made with."""

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    torch.manual_seed(0)
    net = Untrained("untrained", ["2048"], str(folder / "none.pth"))
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)  # as made, 94 layers leave next to nothing
    save_file(net.state_dict(), folder / "inception.safetensors")
    return folder / "inception.safetensors"


def test_features_come_from_the_weights_in_the_file(weights, tmp_path):
    """2048 numbers a picture, the same from .safetensors and .pth, others from other weights."""
    from safetensors.torch import load_file

    pictures = drawn(1, 2, side=32)
    tensors = load_file(weights)
    torch.save(tensors, tmp_path / "same.pth")
    tensors["Mixed_7c.branch_pool.conv.weight"] *= 2
    torch.save(tensors, tmp_path / "other.pth")

    found = inception_features(pictures, weights)

    assert found.shape == (2, 2048) and np.isfinite(found).all()
    assert not np.allclose(found[0], found[1], rtol=0.01)
    one = pictures[:1]
    same, other = (inception_features(one, tmp_path / f"{name}.pth") for name in ("same", "other"))
    assert np.allclose(same, found[:1], rtol=1e-5)
    assert not np.allclose(other, found[:1], rtol=1e-2)


def test_fid_and_kid_of_the_held_out_pictures_themselves_are_none(weights):
    """FID 0 and KID not above 0 for equal pictures; soft ones further away than these."""
    reals = drawn(2, 3, side=32)

    found = inception_distances(reals.copy(), blurred(reals), reals, weights=weights)

    assert found["fid"] == pytest.approx(0, abs=1e-9) and found["kid"] <= 0
    assert found["fid_floor"] > 0.1 and found["kid_floor"] > found["kid"] + 0.1


def test_frechet_distance_of_known_clouds():
    """Equal: 0. Moved: the square of the way. Twice as wide in D dimensions: D."""
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(200, 3))
    cloud = (cloud - cloud.mean(axis=0)) / cloud.std(axis=0, ddof=1)

    assert frechet_distance(cloud, cloud[::-1]) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(cloud, cloud + np.array([3, 4, 0])) == pytest.approx(25)
    assert frechet_distance(cloud, 2 * cloud) == pytest.approx(3)


def test_frechet_distance_with_more_dimensions_than_points():
    """2048 features of a few pictures: finite, 0 for equal sets, larger for worse ones."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 20, 300))

    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert 0 < frechet_distance(one, other) < frechet_distance(one, 3 * other)


def test_without_torch_fidelity_the_install_line_is_said(weights, monkeypatch):
    """Exit 5."""
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    copy = weights.with_name("again.safetensors")
    copy.write_bytes(b"never read")

    with pytest.raises(MissingPart, match="torch-fidelity") as caught:
        inception_features(blurred(drawn(1, 1)), copy)

    assert "pip install" in caught.value.hint


def test_without_weights_where_they_are_is_said(tmp_path):
    """Exit 5, with the address they were published at."""
    with pytest.raises(MissingPart, match=r"none\.pth") as caught:
        inception_features(drawn(1, 1), tmp_path / "none.pth")

    assert "https://" in caught.value.hint and caught.value.exit_code == 5


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("kind", ["code", "text", "other net", "no tensors", "safetensors"])
def test_a_file_that_is_not_inception_is_refused_and_nothing_in_it_is_run(
    tmp_path, monkeypatch, kind
):
    """A pickle with code, text, another net, numbers, torn safetensors: exit 3, no side effect."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "code":
        path.write_bytes(pickle.dumps({"weight": _Evil()}))
    elif kind == "other net":
        torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    elif kind == "no tensors":
        torch.save({"weight": 3}, path)
    else:
        path.write_bytes(b"hello, I am no weights")

    with pytest.raises(UnsafeInput, match=path.name) as caught:
        inception_features(drawn(1, 1), path)

    assert caught.value.hint and not (tmp_path / "harm").exists()
