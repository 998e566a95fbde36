"""From a few hundred pictures to new battle maps for the virtual table."""

__version__ = "0.1.0"
