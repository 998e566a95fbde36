"""Views of a crop: symmetries of the square, or a person's own pipeline. Home of albumentations.

By default only symmetries are baked into shards: a net trained on recoloured or noisy maps learns
to paint recoloured or noisy maps (Karras et al. 2020, arXiv 2006.06676); that belongs to the
discriminator's augmentation. What should be in the pictures a person may ask for: `--augment FILE`.

The symmetries bear the names albumentations gives them, and a test holds them to what it makes.
Importing it takes two seconds of work and 690 MB a process; symmetries only move pixels, so
OpenCV moves them, and a worker imports it for a pipeline alone.
"""

import os
import random
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from mapmaker.errors import BadConfig
from mapmaker.shards.config import ELEMENTS
from mapmaker.shards.pipeline import CLASS, GROUPS, Pipeline

_MOVES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "e": lambda image: image,
    "r90": lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "r180": lambda image: cv2.rotate(image, cv2.ROTATE_180),
    "r270": lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "h": lambda image: cv2.flip(image, 1),
    "v": lambda image: cv2.flip(image, 0),
    "t": lambda image: cv2.transpose(image),
    "hvt": lambda image: cv2.transpose(cv2.rotate(image, cv2.ROTATE_180)),
}
TRIALS = 4


def apply_view(image: np.ndarray, view: int) -> np.ndarray:
    """Return a square picture (H, W, 3) under ELEMENTS[view], contiguous; nothing is resampled."""
    return np.ascontiguousarray(_MOVES[ELEMENTS[view]](image))


def stream(seed: int, sha256: str, crop: int, view: int = 0) -> np.random.Philox:
    """Return the random words of one view of a picture's crop: they depend on nothing else."""
    words = np.frombuffer(bytes.fromhex(sha256), dtype=">u8").astype(np.uint64)
    return np.random.Philox(
        key=np.array([seed, words[0]], dtype=np.uint64),
        counter=np.array([(crop << 32) + (view << 24), *words[1:]], dtype=np.uint64),
    )


class Views:
    """Makes views as a recipe says. Not to be shared by threads."""

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        text = recipe.get("pipeline")
        self.seed, self.own = recipe["seed"], Own(Pipeline.of(text)) if text else None

    def make(self, image: np.ndarray, view: int, *, sha256: str, crop: int) -> np.ndarray:
        """Return view `view` of a crop's pixels, uint8 (H, W, 3). Raises as `Own`."""
        if self.own is None or view == 0:
            return apply_view(image, view)
        return self.own(image, stream(self.seed, sha256, crop, view))


class Own:
    """A person's pipeline, ready to run."""

    def __init__(self, pipeline: Pipeline) -> None:
        albumentations = _albumentations()

        # Its own from_dict imports torch where there is one: seconds, for nothing we could use.
        def build(node: Mapping[str, Any]) -> Any:
            name, args = node[CLASS], {k: v for k, v in node.items() if k != CLASS}
            if name in GROUPS:
                args["transforms"] = [build(inner) for inner in args["transforms"]]
            return getattr(albumentations, name)(**args)

        try:
            self._run = albumentations.Compose([build(pipeline.transform)])
        except Exception as error:  # whatever its checks of arguments raise
            raise BadConfig(f"albumentations refuses the pipeline: {_line(error)}.") from error

    def __call__(self, image: np.ndarray, source: np.random.Philox) -> np.ndarray:
        """Return what the pipeline makes of uint8 (H, W, 3), its every choice drawn from `source`.

        Raises BadConfig when it fails, or makes anything but uint8 (H, W, 3).
        """
        word = int(source.random_raw())
        cv2.setRNGSeed(word & 0x7FFFFFFF)  # a few transforms draw their noise there
        self._run.set_random_state(np.random.Generator(source), random.Random(word))
        try:
            made = self._run(image=image.copy())["image"]
        except Exception as error:
            raise BadConfig(f"The pipeline of --augment fails: {_line(error)}.") from error
        if made.shape != image.shape or made.dtype != np.uint8:
            raise BadConfig(
                f"The pipeline of --augment makes {made.dtype} {made.shape} of uint8 "
                f"{image.shape}; the crop has its size already.",
                hint="Leave out what changes the size, or end with Resize to the size you pack.",
            )
        return np.ascontiguousarray(made)


def try_out(pipeline: Pipeline, size: int) -> None:
    """Raise BadConfig unless a pipeline makes sense and runs on pictures of `size` px."""
    _albumentations()
    with warnings.catch_warnings():
        # Of an argument it does not know it only warns; it would go on without.
        warnings.simplefilter("error", UserWarning)
        own = Own(pipeline)
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    for view in range(1, 1 + TRIALS):
        own(picture, stream(0, "0" * 64, 0, view))


def _albumentations() -> Any:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its version else
    import albumentations

    return albumentations


def _line(error: Exception) -> str:
    text = re.sub(r"\[type=.*|For further information.*|.* for InitSchema", "", str(error))
    return " ".join(text.split())[:200].rstrip(".") or type(error).__name__
