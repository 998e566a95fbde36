"""Architectures by name: `build("dcgan", 750, {})` gives a generator and its discriminator."""

from mapmaker.models import dcgan, fewshot, pyramid  # noqa: F401 - importing registers them
from mapmaker.models.nets import ARCHS, SIDES_PX, Nets, build, tell_kinds

__all__ = ["ARCHS", "SIDES_PX", "Nets", "build", "tell_kinds"]
