"""The replica of the archive, all of it: it is planned, drawn, served, and told the truth of.

It answers for the three hosts by their Host header (and web.archive.org, with `wayback`), writes
down every request, and knows the truth: which files are planted, with their sha256, and which gaps
to expect.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mapmaker.scrape.replica.art import file_bytes, zip_members
from mapmaker.scrape.replica.captures import archived_reason, plant_kept
from mapmaker.scrape.replica.faults import plant
from mapmaker.scrape.replica.full import plan_full, size_like_the_real
from mapmaker.scrape.replica.live import LiveSite
from mapmaker.scrape.replica.pages import EMPTY_PAGE
from mapmaker.scrape.replica.plan import HOSTS, Entry, File, Truth, add_week, plan_archive
from mapmaker.scrape.replica.server import Log, Reply, Request, Server
from mapmaker.scrape.replica.truth import truth_of
from mapmaker.scrape.replica.wayback import HOST, SECOND_HOST, WaybackMachine

_KEPT_BYTES = 512_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaConfig:
    """What a replica holds and how its line behaves.

    maps: good maps; faults: add the month of faults; full: all of `full.FULL` instead;
    sizes: files as large as the old pages state, times this (0: as large as their pictures);
    drawn: floor plans (True) or plain patterns; robots: "open", "no-pictures" (Disallow: /dnd/),
    "closed", "missing" or "broken" (503); latency_s: before every answer; bytes_per_s: the speed of
    each connection (None: unlimited); wayback: archives too, web.archive.org and
    wayback.archive-it.org, with captures of everything and a month of files that only they have;
    most_rows: what their index gives at a time; any_host: answer whoever asks, by whatever Host,
    for tools that know no --via.
    """

    maps: int = 24
    seed: int = 0
    side_px: int = 750
    faults: bool = True
    full: bool = False
    sizes: float = 0.0
    drawn: bool = True
    robots: str = "open"
    latency_s: float = 0.0
    bytes_per_s: float | None = None
    wayback: bool = False
    most_rows: int = 150_000
    any_host: bool = False


class Replica:
    """The replica as a context manager. Its options are the fields of ReplicaConfig.

    Pictures are drawn when they are first asked for. `requests` is its log, `seen` counts requests
    by path; both may be cleared.
    """

    def __init__(self, **options: Any) -> None:
        self.config = config = ReplicaConfig(**options)
        self.truth: Truth = _plan(config)
        self._files: dict[str, File] | None = None
        self.robots = config.robots
        self.url = ""
        self.log = Log()
        self.requests, self.seen = self.log.requests, self.log.seen
        self._bytes: OrderedDict[File, bytes] = OrderedDict()
        self._drawing = threading.Lock()
        self._server: Server | None = None
        self._live = LiveSite(self)
        self.wayback = WaybackMachine(self, config.most_rows)

    def __enter__(self) -> Self:
        self._server = Server(self._answer, self.log).start()
        self._server.latency_s = self.config.latency_s
        self._server.bytes_per_s = self.config.bytes_per_s
        self.url = self._server.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._server is not None:
            self._server.stop()

    @property
    def files(self) -> dict[str, File]:
        """Every file by its path, as the truth had them when they were first asked for."""
        if self._files is None:
            self._files = {file.path: file for _, file in self.truth.files()}
        return self._files

    def misbehave(self, path: str, behaviour: str, reason: str | None = None) -> None:
        """Let the file at `path` be served so from now on; `reason` is the gap to be expected."""
        self.truth.change(path, behaviour=behaviour, reason=reason)
        self._files = None

    def add_week(self) -> Entry:
        """Let a week go by: the next map is on its month's page from now on. Returns that map."""
        entry = add_week(self.truth, self.config.seed, self.config.side_px)
        self._files = None
        return entry

    def bytes_of(self, file: File) -> bytes:
        """Return a file's bytes, drawn once while there is room to keep them."""
        with self._drawing:
            data = self._bytes.get(file) or file_bytes(file, self.config.drawn)
            self._bytes[file] = data
            while sum(map(len, self._bytes.values())) > _KEPT_BYTES and len(self._bytes) > 1:
                self._bytes.popitem(last=False)
            return data

    def draw(self) -> int:
        """Draw everything now, for a fair clock later; return the bytes of all files together."""
        return sum(len(self.bytes_of(file)) for file in self.files.values())

    def sha256(self, file: File) -> str:
        """Return the sha256 (hex) a whole copy of the file has."""
        return hashlib.sha256(self.bytes_of(file)).hexdigest()

    def via(self, *, live: bool = True) -> str:
        """Return what to give to --via; live=False leads the site's own hosts to a closed port."""
        gone = "".join(f",{host}=http://127.0.0.1:9" for host in HOSTS)
        return self.url if live else self.url + gone

    def write_truth(self, path: Path) -> None:
        """Write everything that is true of this archive to a JSON file, with every sha256."""
        path.write_text(json.dumps(truth_of(self), ensure_ascii=False, indent=1), "utf-8")

    def expected(self, dpi: str = "best", *, archives: bool = False) -> dict[str, str]:
        """Return path -> sha256 of every file that a scrape with --dpi must bring home.

        archives: when what the site has lost may come from the archives. A member of a ZIP file is
        `path#name`; a file that stands in for a missing one is there too.
        """
        good = {}
        for entry, file in self.truth.wanted(dpi):
            if file.behaviour == "zip":
                for name, data in zip_members(file, self.config.drawn).items():
                    if name.startswith("maps/") and name.lower().endswith(".jpg"):
                        good[f"{file.path}#{name}"] = hashlib.sha256(data).hexdigest()
            elif (archived_reason(file) if archives else file.reason) is None:
                good[file.path] = self.sha256(file)
            else:
                sizes = next(group for group in entry.sizes() if file in group)
                same = [f for f in sizes if f.reason is None]
                best = max(same, key=lambda f: f.dpi or 0, default=None)
                good |= {best.path: self.sha256(best)} if best else {}
        return good

    def expected_gaps(self, dpi: str = "best", *, archives: bool = False) -> dict[str, str]:
        """Return path (or address, when it leaves the site) -> reason of every gap to be listed."""
        gaps = {}
        for _, file in self.truth.wanted(dpi):
            if file.behaviour == "zip":
                gaps[f"{file.path}#../../escape.jpg"] = "unsafe-name"
            elif reason := archived_reason(file) if archives else file.reason:
                gaps[file.url or file.path] = reason
        if self.truth.oddities:
            gaps[EMPTY_PAGE] = "no-entries"
        return gaps

    def picture_requests(self) -> list[Request]:
        """Return the requests that asked for pictures or ZIP files."""
        return [r for r in self.requests if "/dnd/images/" in r.path]

    def _answer(self, reply: Reply, tries: int) -> None:
        host = reply.headers.get("Host", "")
        if host in (HOST, SECOND_HOST) and self.config.wayback:
            self.wayback.answer(reply, tries)
        elif host in HOSTS or self.config.any_host:
            self._live.answer(reply, tries)
        else:
            reply.say(400, b"no such host here")


def _plan(config: ReplicaConfig) -> Truth:
    seed, side_px = config.seed, config.side_px
    if config.full:
        truth = plan_full(seed, side_px)
    else:
        truth = plan_archive(config.maps, seed, side_px)
        if config.faults:
            plant(truth, art=config.maps, side_px=side_px)
        if config.faults and config.wayback:
            plant_kept(truth, art=config.maps + 500, side_px=side_px)
    if config.sizes:
        size_like_the_real(truth, seed, config.sizes)
    return truth
