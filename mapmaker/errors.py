"""Everything mapmaker raises on purpose, and the exit code each kind of trouble ends with."""


class MapmakerError(Exception):
    """What went wrong, to which file, and (in `hint`) what to do about it. Exit code 1."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BadConfig(MapmakerError):
    """A value nobody can work with. Exit code 2."""

    exit_code = 2


class UnknownName(BadConfig):
    """A name that no registry, shelf or workspace knows."""


class UnsafeInput(MapmakerError):
    """A file that is corrupt, cut short, or built to do harm. Exit code 3."""

    exit_code = 3


class MissingPart(MapmakerError):
    """The machine lacks something: an extra, disk, a permission, a driver. Exit code 5."""

    exit_code = 5


class Blocked(MapmakerError):
    """A host keeps us out, or told us to wait too often; another time it may not. Exit code 4."""

    exit_code = 4


class Diverged(MapmakerError):
    """Training has gone astray: its losses or gradients are out of all measure."""


class NotFinite(Diverged):
    """A net has diverged: its numbers are no longer numbers."""


class Collapsed(Diverged):
    """A generator draws one and the same picture whatever its latent."""


class Stopped(MapmakerError):
    """A signal stopped a stage, which has saved what it had. Exit code 75, or 130 for Ctrl-C."""

    exit_code = 75

    def __init__(self, message: str, *, by_keyboard: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 130 if by_keyboard else 75
