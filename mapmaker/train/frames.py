"""Pictures of a run for a person: frames from fixed latents, real pictures beside them."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from mapmaker.files import write_atomic
from mapmaker.shards.scale import to_picture
from mapmaker.train.device import mixed

TILE_PX = 256  # the largest side of one picture on a sheet
GAP_PX = 2
_RECALIBRATE_SEED = 1


def draw(net: nn.Module, latents: Tensor, precision: str, chunk: int) -> list[Image.Image]:
    """Return one picture a latent, by `net` in eval mode. Raises NotFinite when it has diverged."""
    pictures = []
    was = net.training
    net.eval()
    with torch.no_grad(), mixed(latents.device, precision):
        for part in latents.split(max(1, chunk)):
            pictures += [to_picture(image) for image in net(part)]
    net.train(was)
    return pictures


def recalibrate(net: nn.Module, latents: Tensor, precision: str, chunk: int) -> None:
    """Measure the batch norms of `net` anew on `latents`.

    An averaged generator needs it: the average of its weights has other statistics than the
    average of its statistics.
    """
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches to come
    was = net.training
    net.train()
    with torch.no_grad(), mixed(latents.device, precision):
        for part in latents.split(max(2, chunk)):
            if len(part) > 1:
                net(part)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    net.train(was)


def recalibration_latents(shape: Sequence[int], count: int, device: torch.device) -> Tensor:
    """Return `count` fixed latents, so that recalibrating twice gives the same statistics."""
    fixed = torch.Generator().manual_seed(_RECALIBRATE_SEED)
    return torch.randn(count, *shape, generator=fixed).to(device)


def frame_name(images: int) -> str:
    """Return kimg000012.webp for 12,000 pictures, kimg000012_500.webp for 12,500: in order."""
    whole, rest = divmod(images, 1000)
    return f"kimg{whole:06d}.webp" if not rest else f"kimg{whole:06d}_{rest:03d}.webp"


def write_sheet(path: Path, pictures: Sequence[Image.Image]) -> None:
    """Write the pictures as one near-square WebP sheet, each at most TILE_PX a side."""
    columns = max(1, round(len(pictures) ** 0.5))
    side = min(TILE_PX, pictures[0].width)
    rows = -(-len(pictures) // columns)
    pitch = side + GAP_PX
    sheet = Image.new("RGB", (columns * pitch - GAP_PX, rows * pitch - GAP_PX), "white")
    for index, picture in enumerate(pictures):
        tile = (
            picture
            if picture.width == side
            else picture.resize((side, side), Image.Resampling.LANCZOS)
        )
        sheet.paste(tile, (index % columns * pitch, index // columns * pitch))
    data = BytesIO()
    sheet.save(data, "WEBP", quality=90, method=4)
    write_atomic(path, data.getvalue())
