"""What a person may choose when pictures are fetched or brought along."""

import ipaddress
import os
import re
from collections.abc import Iterable
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
    drift: int = opt(
        366, "Days that an archive's copy may be away from the one that was asked for."
    )
    limit: int | None = opt(None, "Stop after this many maps.")
    contact: str | None = opt(
        None, "Where the site's keeper can reach you: an e-mail address or a page."
    )
    with_refused: bool = opt(
        False, "Fetch also what its maker keeps from nets: for your eyes, no shard will hold it."
    )
    allow_host: str | None = opt(
        None,
        "Allow this host and port, also inside a private network (several: with commas).",
        metavar="HOST:PORT",
    )
    ignore_robots: bool = opt(False, "Fetch what robots.txt forbids too; the manifest says so.")
    max_total: str | None = opt(
        None, "Stop once this much was fetched in this run, such as 500MB.", metavar="SIZE"
    )
    verify: bool = opt(False, "Hash every file that is there again, and ask again for every gap.")
    timeout_s: float = 30.0
    tries: int = 5
    backoff_s: float = 1.0
    max_file_bytes: int = 50_000_000
    max_page_bytes: int = 20_000_000
    max_file_s: float = 120.0
    min_bytes_per_s: float = 1000.0
    window_s: float = 30.0  # over which min_bytes_per_s must be reached
    min_free_bytes: int = 200_000_000

    def __post_init__(self) -> None:
        if self.dpi not in DPI_CHOICES:
            raise BadConfig(f"dpi is {self.dpi!r}.", hint=f"It is one of {', '.join(DPI_CHOICES)}.")
        if not 1 <= self.jobs <= 32:
            raise BadConfig(f"jobs is {self.jobs}.", hint="It must be from 1 to 32.")
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise BadConfig(f"rate is {self.rate}.", hint="It must be above 0 and at most 1000.")
        if self.limit is not None and self.limit < 1:
            raise BadConfig(f"limit is {self.limit}.", hint="It must be at least 1.")
        if self.drift < 0:
            raise BadConfig(f"drift is {self.drift}.", hint="It must be 0 or more days.")
        for origin in self.origins().values():
            check_origin(origin)
        for origin in self.allowed_origins:
            check_origin(f"http://{origin}", "allow_host")
        for name in ("timeout_s", "backoff_s", "max_file_s", "window_s"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} is {getattr(self, name)}.", hint="It must be above 0.")
        for name in ("tries", "max_file_bytes", "max_page_bytes"):
            if getattr(self, name) < 1:
                raise BadConfig(f"{name} is {getattr(self, name)}.", hint="It must be at least 1.")
        if self.min_bytes_per_s < 0 or self.min_free_bytes < 0:
            raise BadConfig("min_bytes_per_s and min_free_bytes must not be below 0.")
        if self.max_total_bytes is not None and self.max_total_bytes < 1:
            raise BadConfig(f"max_total is {self.max_total!r}.", hint="It must be above 0.")

    @property
    def who(self) -> str | None:
        """Whom to write to: --contact, else $MAPMAKER_CONTACT."""
        return self.contact or os.environ.get("MAPMAKER_CONTACT") or None

    @property
    def allowed_origins(self) -> list[str]:
        """The host:port pairs a person has allowed by name."""
        return [o.strip().lower() for o in (self.allow_host or "").split(",") if o.strip()]

    @property
    def max_total_bytes(self) -> int | None:
        """max_total in bytes. Raises BadConfig when it is no size."""
        return None if self.max_total is None else _bytes(self.max_total)

    def origins(self) -> dict[str, str]:
        """Return where requests go instead: host -> origin, with "" for every other host."""
        parts = [part.strip().rpartition("=") for part in (self.via or "").split(",")]
        return {host.lower(): url.rstrip("/") for host, _, url in parts} if self.via else {}

    def origin_of(self, url: str) -> str | None:
        """Return the origin a request for `url` is sent to instead, or None when to its own."""
        origins = self.origins()
        return origins.get(urlsplit(url).hostname or "") or origins.get("")

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


def check_origin(url: str, name: str = "via") -> None:
    """Raise BadConfig unless `url` is an http(s) origin such as http://127.0.0.1:8000."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = good and parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
        good = good and (name == "via" or parts.port is not None)
    except ValueError:
        good = False
    if not good and name == "via":
        hint = "It must be an origin, http://127.0.0.1:8000, or HOST=origin with commas between."
        raise BadConfig(f"via is {url!r}.", hint=hint)
    if not good:
        raise BadConfig(f"{name} is {url[7:]!r}.", hint="It must be host and port: 127.0.0.1:8000.")


def is_loopback(url: str) -> bool:
    """True when the host of `url` is this machine, by its name or address as written."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_contact(hosts: Iterable[str], config: ScrapeConfig) -> None:
    """Raise BadConfig unless it is said whom the keepers of other people's hosts can write to."""
    named = [*hosts, *(["web.archive.org"] if config.asks_wayback else [])]
    asked = [f"http://{host}/" for host in named]
    foreign = [url for url in asked if not is_loopback(config.origin_of(url) or url)]
    if foreign and config.who is None:
        raise BadConfig(
            f"{urlsplit(foreign[0]).hostname} is somebody's; its keeper must be able to reach you.",
            hint="Give --contact you@example.org (or $MAPMAKER_CONTACT): an address or a page.",
        )


def _bytes(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)B?\s*", text)
    if not found:
        raise BadConfig(f"max_total is {text!r}.", hint="It is a size such as 500MB or 2GB.")
    return int(float(found[1]) * 1000 ** " kMGT".index(found[2] or " "))
