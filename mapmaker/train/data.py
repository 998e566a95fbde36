"""The training pictures: resident where they fit, in an order that (seed, position) fixes."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mapmaker.errors import MapmakerError
from mapmaker.shards.scale import to_tensor


class Images(Protocol):
    """What a run needs of `shards.reader.Shards`."""

    def indices(self, split: str) -> np.ndarray: ...
    def load(self, indices: np.ndarray) -> np.ndarray: ...


def chance(seed: int, step: int, part: int = 0) -> np.random.Generator:
    """Return the random numbers of one step: a counter, so a resumed run draws the same ones."""
    counter = np.array([0, 0, 0, part], dtype=np.uint64)
    key = np.array([seed, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))


class Pictures:
    """The training split, shuffled anew each epoch: position p of a stream is a picture."""

    def __init__(
        self,
        shards: Images,
        *,
        device: torch.device,
        seed: int,
        resident: bool,
        symmetries: bool,
        upright: np.ndarray | None = None,
    ) -> None:
        """upright marks the samples of `shards` that no symmetry may turn, having writing."""
        self.device, self.seed, self.symmetries = device, seed, symmetries
        self._shards, self._upright = shards, upright
        self._where = np.asarray(shards.indices("train"))
        if len(self._where) == 0:
            raise MapmakerError(
                "The data set's training split holds no picture.",
                hint="Import more pictures, or prune less.",
            )
        self._resident = (
            torch.from_numpy(np.ascontiguousarray(shards.load(self._where))).to(device)
            if resident
            else None
        )
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._where)

    def batch(self, start: int, count: int) -> Tensor:
        """Return pictures start .. start+count-1 of the stream: float (count, 3, H, W) in [-1, 1].

        The result is contiguous (planes): see `augment.seen`.
        """
        chosen = np.array([self._at(p) for p in range(start, start + count)])
        if self._resident is not None:
            pick = torch.from_numpy(chosen).to(self.device, non_blocking=True)
            images = self._resident.index_select(0, pick)
        else:
            images = torch.from_numpy(self._shards.load(self._where[chosen])).to(self.device)
        if self.symmetries:
            which = chance(self.seed, start, part=1).integers(0, 8, count)
            if self._upright is not None:
                which[self._upright[self._where[chosen]] > 0] = 0
            images = orient(images, which)
        planes = images.permute(0, 3, 1, 2).contiguous()
        return to_tensor(planes.permute(0, 2, 3, 1))

    def first(self, count: int) -> Tensor:
        """Return up to `count` pictures spread evenly over the split, upright, as `batch` does."""
        count = min(count, len(self))
        chosen = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return to_tensor(torch.from_numpy(self._shards.load(self._where[chosen])))

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, len(self._where))
        if epoch != self._epoch:
            shuffle = chance(self.seed, epoch, part=2)
            self._epoch, self._order = epoch, shuffle.permutation(len(self._where))
        return int(self._order[place])


def orient(images: Tensor, which: np.ndarray) -> Tensor:
    """Return each picture (B, H, W, 3) in orientation `which` (B,) of the square's eight."""
    turned = []
    for image, number in zip(images, which.tolist(), strict=True):
        flips = [axis for bit, axis in ((1, 0), (2, 1)) if number & bit]
        image = image.flip(flips) if flips else image
        turned.append(image.transpose(0, 1) if number & 4 else image)
    return torch.stack(turned)
