"""Between a picture's bytes and a net's numbers: 0..255 is -1..1, both ways."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mapmaker.errors import NotFinite

if TYPE_CHECKING:
    from torch import Tensor


def to_tensor(images: "np.ndarray | Tensor") -> "Tensor":
    """Return uint8 (N, H, W, 3) as float32 (N, 3, H, W) in [-1, 1], channels last in memory.

    A tensor stays on its device, so a data set that lives on the GPU is scaled there.
    """
    import torch

    data = images if isinstance(images, torch.Tensor) else torch.from_numpy(images)
    return data.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_picture(image: "np.ndarray | Tensor") -> Image.Image:
    """Return a net's output (3, H, W) as an RGB picture.

    image is in [-1, 1]; values outside are clipped, not scaled. Raises NotFinite when the net has
    diverged. Source: the inverse of `to_tensor`; test_shards_scale checks the two together.
    """
    if not isinstance(image, np.ndarray):
        image = image.detach().float().cpu().numpy()
    if not bool(np.isfinite(image).all()):
        raise NotFinite("The picture is not made of numbers; the net has diverged.")
    data = np.clip(np.rint((image + np.float32(1.0)) * np.float32(127.5)), 0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(data.transpose(1, 2, 0)))
