"""The training pictures: resident where they fit, in an order that (seed, position) fixes."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mapmaker.errors import MapmakerError
from mapmaker.shards.scale import to_tensor
from mapmaker.train.chance import ORDER, ORIENTATION, chance


class Images(Protocol):
    """What a run needs of `shards.reader.Shards`."""

    def indices(self, split: str) -> np.ndarray: ...
    def load(self, indices: np.ndarray) -> np.ndarray: ...


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
        kinds: tuple[int, np.ndarray] | None = None,
    ) -> None:
        """upright marks the samples of `shards` that no symmetry may turn, having writing.

        kinds: how many kinds of map there are, and which of them each sample is of.
        """
        self._kinds = kinds
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
        self._epoch, self._order = -1, np.empty((0, 2), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._where)

    @property
    def views(self) -> int:
        """How many different pictures there are, each in every orientation it may be shown in."""
        return len(self) * (8 if self.symmetries else 1)

    def batch(self, start: int, count: int) -> Tensor:
        """Return pictures start .. start+count-1 of the stream: float (count, 3, H, W) in [-1, 1].

        The result is contiguous (planes): see `augment.seen`.
        """
        chosen, which = np.array([self._at(p) for p in range(start, start + count)]).T
        if self._resident is not None:
            pick = torch.from_numpy(chosen).to(self.device, non_blocking=True)
            images = self._resident.index_select(0, pick)
        else:
            images = torch.from_numpy(self._shards.load(self._where[chosen])).to(self.device)
        if self.symmetries:
            if self._upright is not None:
                which[self._upright[self._where[chosen]] > 0] = 0
            images = orient(images, which)
        planes = images.permute(0, 3, 1, 2).contiguous()
        return to_tensor(planes.permute(0, 2, 3, 1))

    def kinds(self, start: int, count: int) -> Tensor | None:
        """Return which kind those pictures are of, (count, K) with a 1 in its column, or None."""
        if self._kinds is None:
            return None
        of, which = self._kinds
        chosen = [int(which[self._where[self._at(p)[0]]]) for p in range(start, start + count)]
        return torch.eye(of)[chosen].to(self.device, non_blocking=True)

    def first(self, count: int) -> Tensor:
        """Return up to `count` pictures spread evenly over the split, upright, as `batch` does."""
        count = min(count, len(self))
        chosen = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return to_tensor(torch.from_numpy(self._shards.load(self._where[chosen])))

    def _at(self, position: int) -> np.ndarray:
        """Return which picture stands at a position of the stream, and in which orientation."""
        n = len(self._where)
        epoch, place = divmod(position, n)
        if epoch != self._epoch:
            order = chance(self.seed, epoch, ORDER).permutation(n)
            which = chance(self.seed, epoch, ORIENTATION).integers(0, 8, n)
            self._epoch, self._order = epoch, np.stack([order, which], axis=1)
        return self._order[place]


def orient(images: Tensor, which: np.ndarray) -> Tensor:
    """Return each picture (B, H, W, 3) in orientation `which` (B,) of the square's eight."""
    turned = []
    for image, number in zip(images, which.tolist(), strict=True):
        flips = [axis for bit, axis in ((1, 0), (2, 1)) if number & bit]
        image = image.flip(flips) if flips else image
        turned.append(image.transpose(0, 1) if number & 4 else image)
    return torch.stack(turned)
