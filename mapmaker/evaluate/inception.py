"""Real FID and KID: Inception's features, where torch-fidelity and its weights are at hand."""

import importlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from mapmaker.errors import MissingPart, UnsafeInput
from mapmaker.evaluate.kernel import kernel_distance
from mapmaker.evaluate.pictures import Images

LAYER = "2048"  # the last pooled features: what FID and KID are defined on
_BATCH = 16


def inception_distances(
    ours: Images, train: Images, held_out: Images, *, weights: Path
) -> dict[str, float]:
    """Return fid and kid (x1000) of ours by the held-out pictures, each with its floor.

    FID at the smallest of the counts, KID at all. Raises as `inception_features` does.
    """
    mine, known, reals = (inception_features(each, weights) for each in (ours, train, held_out))
    count = min(len(mine), len(known), len(reals))
    return {
        "fid": frechet_distance(mine[:count], reals[:count]),
        "fid_floor": frechet_distance(known[:count], reals[:count]),
        "kid": kernel_distance(mine, reals),
        "kid_floor": kernel_distance(known, reals),
    }


def inception_features(images: Images, weights: Path) -> NDArray[np.float64]:
    """Return Inception v3's features (N, 2048) of the pictures, by the weights in a file.

    The net and the enlargement to 299 px are torch-fidelity's, those of the published figures.
    Raises MissingPart without torch-fidelity or without the file, UnsafeInput for a file that
    holds anything but tensors, or another net's.
    """
    net = _net(weights, weights.stat().st_mtime_ns if weights.is_file() else 0)
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            part = torch.from_numpy(images[start : start + _BATCH]).permute(0, 3, 1, 2)
            found.append(net(part.contiguous())[0].double())
    return torch.cat(found).numpy()


def frechet_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the Frechet distance of two normal clouds with the means and spreads of x and y.

    0 for equal sets. With fewer pictures than features it is far above what more would give:
    compare equal counts only. Source: Heusel et al. 2017; the trace of the root of the product
    of two covariances is the sum of the singular values of one set by the other.
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    one, other = ((s - mean) / np.sqrt(len(s) - 1) for s, mean in ((x, mean_x), (y, mean_y)))
    shared = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    spread = (one**2).sum() + (other**2).sum() - 2 * shared
    return float(((mean_x - mean_y) ** 2).sum() + max(0.0, spread))


def check_ready(weights: Path) -> None:
    """Raise as `inception_features` would, before any time is spent on pictures."""
    _net(weights, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=1)
def _net(weights: Path, changed: int) -> torch.nn.Module:
    try:
        part = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ImportError as error:
        raise MissingPart(
            "Real FID and KID need torch-fidelity, which is not here.",
            hint="Install it: pip install 'dnd-mapmaker[metrics]'.",
        ) from error
    if not weights.is_file():
        raise MissingPart(
            f"{weights} is missing: Inception's weights are not ours to ship.",
            hint=f"Fetch {part.URL_INCEPTION_V3} and name the file with --inception.",
        )
    tensors = _tensors(weights)
    # torch-fidelity would unpickle the file whatever it holds: it gets one of our own.
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "inception.pth"
        torch.save(tensors, plain)
        try:
            return part.FeatureExtractorInceptionV3("inception", [LAYER], str(plain))
        except RuntimeError as error:
            raise UnsafeInput(
                f"{weights} holds another net than Inception v3: {str(error).splitlines()[0]}",
                hint=f"Fetch {part.URL_INCEPTION_V3}.",
            ) from error


def _tensors(weights: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a .safetensors or .pth file without running anything in it."""
    hint = "Fetch it again from where it was published."
    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        found: Any = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is none of ours can break a reader in any way
        raise UnsafeInput(f"{weights} is no file of weights alone.", hint=hint) from error
    whole = isinstance(found, Mapping) and all(isinstance(v, torch.Tensor) for v in found.values())
    if not whole:
        raise UnsafeInput(f"{weights} holds something else than tensors.", hint=hint)
    return dict(found)
