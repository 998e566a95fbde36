"""The one build step pyproject.toml cannot express: the shelves travel inside the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHELVES = ("scrapers", "datasets", "checkpoints")
CARDS = ("*.toml", "*/card.toml", "*/generator.safetensors", "*/samples.webp")


class BuildWithShelves(build_py):
    """Put the cards, and the small weights beside them, into the wheel as mapmaker/shelves/."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # an editable install reads the shelves where they are
        for pattern in CARDS:
            for shelf in SHELVES:
                for card in Path(shelf).glob(pattern):
                    if not (card.parent / "config.toml").exists():  # a person's own run stays home
                        copy = Path(self.build_lib, "mapmaker", "shelves", card)
                        self.mkpath(str(copy.parent))
                        self.copy_file(str(card), str(copy))


setup(package_dir={"": "."}, cmdclass={"build_py": BuildWithShelves})
