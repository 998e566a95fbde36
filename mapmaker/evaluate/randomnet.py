"""What pictures are to a net that never learned: features without any downloaded weights.

A net of random weights tells textures, colours and their mixture apart, not what is drawn. Source
of the recipe: measured on drawn maps, where it answered to blur, blocks, casts and lost modes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mapmaker.evaluate.pictures import Images, chunks
from mapmaker.shards.scale import to_tensor

NAME = "random orthogonal conv net, 4 layers (32, 64, 96, 128), mean and deviation of each channel"
NETS = 3  # so many, of seeds 0, 1, 2: what only one of them sees is chance
_CHANNELS = (32, 64, 96, 128)
_LEAST = 0.1
_GAIN, _BIAS, _SLOPE = 1.6, 0.1, 0.2


def random_net(seed: int) -> list[nn.Conv2d]:
    """Return the layers of the net of a seed: orthogonal weights, 3x3, stride 2, no gradients."""
    chance = torch.Generator().manual_seed(seed)
    layers = []
    for before, after in zip((3, *_CHANNELS[:-1]), _CHANNELS, strict=True):
        layer = nn.Conv2d(before, after, 3, stride=2, padding=1).requires_grad_(False)
        nn.init.orthogonal_(layer.weight, _GAIN, generator=chance)
        nn.init.normal_(layer.bias, 0.0, _BIAS, generator=chance)  # type: ignore[arg-type]
        layers.append(layer)
    return layers


def features(images: Images, net: list[nn.Conv2d]) -> NDArray[np.float64]:
    """Return (N, 640): mean and deviation over the picture of every channel of every layer."""
    with torch.inference_mode():
        found = [_features(to_tensor(part), net) for part in chunks(images)]
    return torch.cat(found).double().numpy()


def _features(x: Tensor, net: list[nn.Conv2d]) -> Tensor:
    found = []
    for layer in net:
        x = functional.leaky_relu(layer(x), _SLOPE)
        mean, square = x.mean((2, 3)), x.square().mean((2, 3))
        found += [mean, (square - mean.square()).clamp_min(0).sqrt()]  # x.std takes ten times that
    return torch.cat(found, 1)


def standardised(
    reference: NDArray[np.float64], *sets: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return the sets with every feature in deviations of `reference` from its mean.

    A feature that hardly differs in the reference counts as one of a tenth of the usual
    deviation, or the smallest change of it would outweigh all others.
    """
    mean, deviation = reference.mean(axis=0), reference.std(axis=0)
    least = _LEAST * float(np.median(deviation)) + 1e-9
    return [(each - mean) / np.maximum(deviation, least) for each in sets]
