"""What a person may choose when pictures are fetched or brought along."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from mapmaker.config import opt
from mapmaker.errors import BadConfig

DPI_CHOICES = ("best", "72", "150", "300", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeConfig:
    """What to fetch of a source, and how gently."""

    dpi: str = opt("best", "Which of a map's resolutions to fetch.", choices=DPI_CHOICES)
    jobs: int = opt(4, "Connections open at the same time.")
    rate: float | None = opt(
        None, "Requests a second to one host (1 for other people's hosts, unlimited on loopback)."
    )
    via: str | None = opt(
        None,
        "Send every request to this origin, Host header kept: a replica or mirror. HOST=URL, with "
        "commas between, sends those to one host elsewhere.",
        metavar="URL",
    )
    wayback: bool | None = opt(
        None, "Ask web.archive.org for what the site no longer has (on, but off with --via)."
    )
    limit: int | None = opt(None, "Stop after this many maps.")
    contact: str | None = opt(
        None, "Where the site's keeper can reach you: an e-mail address or a page."
    )
    with_refused: bool = opt(
        False, "Fetch also what its maker keeps from nets: for your eyes, no shard will hold it."
    )
    verify: bool = opt(False, "Hash every file that is there again, and ask again for every gap.")
    timeout_s: float = 30.0
    tries: int = 4
    backoff_s: float = 1.0
    max_file_bytes: int = 50_000_000
    max_page_bytes: int = 20_000_000
    max_file_s: float = 300.0

    def __post_init__(self) -> None:
        if self.dpi not in DPI_CHOICES:
            raise BadConfig(f"dpi is {self.dpi!r}.", hint=f"It is one of {', '.join(DPI_CHOICES)}.")
        if not 1 <= self.jobs <= 32:
            raise BadConfig(f"jobs is {self.jobs}.", hint="It must be from 1 to 32.")
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise BadConfig(f"rate is {self.rate}.", hint="It must be above 0 and at most 1000.")
        if self.limit is not None and self.limit < 1:
            raise BadConfig(f"limit is {self.limit}.", hint="It must be at least 1.")
        for origin in self.origins().values():
            check_origin(origin)
        for name in ("timeout_s", "backoff_s", "max_file_s"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} is {getattr(self, name)}.", hint="It must be above 0.")
        for name in ("tries", "max_file_bytes", "max_page_bytes"):
            if getattr(self, name) < 1:
                raise BadConfig(f"{name} is {getattr(self, name)}.", hint="It must be at least 1.")

    def origins(self) -> dict[str, str]:
        """Return where requests go instead: host -> origin, with "" for every other host."""
        parts = [part.strip().rpartition("=") for part in (self.via or "").split(",")]
        return {host.lower(): url.rstrip("/") for host, _, url in parts} if self.via else {}

    @property
    def asks_wayback(self) -> bool:
        """True when web.archive.org may be asked: as chosen, else unless --via is given."""
        return self.via is None if self.wayback is None else self.wayback


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportConfig:
    """Where one's own pictures go, and on which terms."""

    name: str = opt("own", "Name of the data set the pictures go into.")
    license: str | None = opt(None, "Licence of pictures that bring none of their own.")
    ai_training: str = opt(
        "unknown",
        "Whether nets may learn from pictures whose list does not say; yes is for you to say only "
        "if you hold the right.",
        choices=("yes", "no", "unknown"),
    )
    max_file_bytes: int = 500_000_000

    def __post_init__(self) -> None:
        if self.ai_training not in ("yes", "no", "unknown"):
            said = self.ai_training
            raise BadConfig(f"ai_training is {said!r}.", hint="It is yes, no or unknown.")
        if self.max_file_bytes < 1:
            raise BadConfig(
                f"max_file_bytes is {self.max_file_bytes}.", hint="It must be at least 1."
            )


def check_origin(url: str) -> None:
    """Raise BadConfig unless `url` is an http(s) origin such as http://127.0.0.1:8000."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = good and parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good:
        hint = "It must be an origin, http://127.0.0.1:8000, or HOST=origin with commas between."
        raise BadConfig(f"via is {url!r}.", hint=hint)
