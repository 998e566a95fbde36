"""Fetching one wanted map: the best file that can be had, whole and checked, or why not."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TypeVar

from mapmaker.scrape.answer import Answer, Refused
from mapmaker.scrape.check import NotGood, picture_facts
from mapmaker.scrape.choose import Wanted, file_stem
from mapmaker.scrape.config import ScrapeConfig
from mapmaker.scrape.grammar import Find
from mapmaker.scrape.ledger import Ledger, Record
from mapmaker.scrape.links import identity
from mapmaker.scrape.manifest import gap
from mapmaker.scrape.mirrors import Mirrors
from mapmaker.scrape.optout import against_in_file
from mapmaker.scrape.parts import discard, is_unfinished, part_name
from mapmaker.scrape.source import Source
from mapmaker.scrape.tombstones import Tombstones
from mapmaker.scrape.unzip import picture_members, unpack

T = TypeVar("T")
ASK_AGAIN_AFTER = timedelta(days=30)


@dataclass(slots=True)
class Outcome:
    """What came of one wanted map: pictures that are here, gaps, and how much was fetched now."""

    pictures: list[tuple[Find, Record]] = field(default_factory=list)
    gaps: list[dict] = field(default_factory=list)
    fetched: int = 0
    bytes: int = 0


class Fetcher:
    """Fetches into one data set. Safe to call from several threads."""

    def __init__(
        self, source: Source, config: ScrapeConfig, mirrors: Mirrors, ledger: Ledger, parts: Path
    ) -> None:
        self.source, self.config, self.mirrors = source, config, mirrors
        self.ledger, self.parts = ledger, parts
        self.cut_off: list[Outcome] = []  # of what was under way when a run ended; in part here
        self.removed = Tombstones.of(ledger.dataset)
        self._removed_keys = {identity(source, url) for url in self.removed.addresses()}

    def __call__(self, wanted: Wanted) -> Outcome:
        """Return the outcome of trying a map's files in turn. Raises MissingPart, Halted."""
        outcome = Outcome()
        try:
            for find in wanted.choices:
                self._take(find, outcome)
                if outcome.pictures:
                    break
        except BaseException:
            self.cut_off.append(outcome)
            raise
        return outcome

    def _take(self, find: Find, outcome: Outcome) -> None:
        """Add to `outcome` the picture of `find`, the pictures in it, or a gap."""
        key = identity(self.source, find.link.url)
        if find.link.refusal:
            outcome.gaps.append(_gap(find, find.link.refusal))
            return
        if key in self._removed_keys:
            outcome.gaps.append(_gap(find, "removed"))
            return
        if (record := self.ledger.good(key)) and record["sha256"] not in self.removed:
            outcome.pictures.append((find, record))
            return
        if record:
            outcome.gaps.append(_gap(find, "removed", record))
            return
        known = self.ledger.refusal(key)
        if known and not self._ask_again(known):
            outcome.gaps.append(_gap(find, known["reason"], known))
            return
        if find.link.url.partition("?")[0].lower().endswith(".zip"):
            self._take_zip(find, key, outcome)
            return
        part = self._part(key)
        record = self._fetch(find, key, part)
        if "reason" in record:
            outcome.gaps.append(_gap(find, record["reason"], record))
        else:
            outcome.pictures.append((find, record))
            outcome.fetched += 1
            outcome.bytes += record["bytes"]

    def _fetch(self, find: Find, key: str, part: Path) -> Record:
        """Fetch and check one picture; return its record, or the record of why not."""
        answer = None
        try:
            answer, facts = self.mirrors.file(
                find.link.url, part, lambda: _good(lambda p: _facts(find, p), part),
                page_url=find.page_url,
            )  # fmt: skip
            record = {**_record(find, key, answer), **self._checked(part, answer.sha256), **facts}
            placed = self.ledger.place(part, file_stem(find, answer.sha256), record)
            discard(part)
            return placed
        except (NotGood, Refused) as error:
            _put_away(part, error)
            return self.ledger.add(self._refusal(find, key, error, answer))

    def _checked(self, part: Path, sha256: str) -> dict[str, object]:
        """Return what the file says on its use. Raises NotGood for a picture that was removed."""
        if self.removed.refuses(sha256, part):
            raise NotGood("removed")
        return {"ai_metadata": against_in_file(part) or ""}

    def _refusal(
        self, find: Find, key: str, error: Refused | NotGood, answer: Answer | None
    ) -> Record:
        record = {
            "key": key, "picture_url": find.link.url, "reason": error.reason,
            "wayback": self.config.asks_wayback,
        }  # fmt: skip
        if isinstance(error, Refused):
            said = {"status": error.status, "again": error.again, "attempts": error.attempts}
            said |= {"mirrors": error.mirrors} if error.mirrors else {}
        else:
            said = {"status": answer.status, "attempts": answer.attempts} if answer else {}
            said["again"] = False
        return {**record, **said}

    def _ask_again(self, known: Record) -> bool:
        """True when a gap is worth another request: it may pass, or the Wayback was not asked."""
        unasked = self.config.asks_wayback and not known.get("wayback")
        age = datetime.now(UTC) - datetime.fromisoformat(known["fetched_at"])
        if known["reason"] == "removed":
            return self.config.verify or not self.removed  # it may have been taken back
        if known["reason"] == "no-training" and self.config.with_refused:
            return True
        return self.config.verify or known["again"] or unasked or age > ASK_AGAIN_AFTER

    def _take_zip(self, find: Find, key: str, outcome: Outcome) -> None:
        """Add every picture of a ZIP file. It is fetched only while one of them is missing."""
        members = self.ledger.members(key)
        if members is not None and all(self._is_settled(r) for r in members):
            for record in members:
                self._note_member(find, record, outcome)
            return
        part = self._part(key)
        try:
            most = self.config.max_file_bytes * 4
            answer, members = self.mirrors.file(
                find.link.url, part, lambda: _good(lambda p: [*picture_members(p, most)], part),
                page_url=find.page_url,
            )  # fmt: skip
            names = [name for name, _ in members]
            for name, member in members:
                inner = self._part(f"{key}#{name}")
                about = _record(find, f"{key}#{name}", answer)
                about["picture_url"] = f"{find.link.url}#{name}"
                try:
                    if isinstance(member, NotGood):
                        raise member
                    about["bytes"], about["sha256"] = unpack(part, member, inner)
                    about |= picture_facts(inner)
                    about |= self._checked(inner, about["sha256"])
                    stem = file_stem(_member(find, name), about["sha256"])
                    record = self.ledger.place(inner, stem, about)
                    outcome.fetched += 1
                    outcome.bytes += record["bytes"]
                except NotGood as error:
                    lost = self._refusal(find, f"{key}#{name}", error, answer)
                    record = self.ledger.add({**lost, "picture_url": about["picture_url"]})
                finally:
                    inner.unlink(missing_ok=True)
                self._note_member(find, record, outcome)
            whole = {"key": key, "picture_url": find.link.url, "members": names}
            self.ledger.add({**whole, "status": answer.status, "attempts": answer.attempts})
            discard(part)
        except (NotGood, Refused) as error:
            _put_away(part, error)
            record = self.ledger.add(self._refusal(find, key, error, None))
            outcome.gaps.append(_gap(find, record["reason"], record))

    def _is_settled(self, record: Record) -> bool:
        if "reason" in record:
            return not self.config.verify
        return self.ledger.good(record["key"]) is not None

    def _note_member(self, find: Find, record: Record, outcome: Outcome) -> None:
        reason = "removed" if record.get("sha256") in self.removed else record.get("reason")
        if reason:
            lost = gap(record["picture_url"], reason, **_about_gap(find, record))
            outcome.gaps.append(lost)
        else:
            name = record["key"].partition("#")[2]
            outcome.pictures.append((_member(find, name), record))

    def _part(self, key: str) -> Path:
        return self.parts / part_name(key)


def _put_away(part: Path, error: NotGood | Refused) -> None:
    """Remove a part, unless a later try can go on with it."""
    if not (isinstance(error, Refused) and error.again and is_unfinished(part)):
        discard(part)


def _member(find: Find, name: str) -> Find:
    """Return the find of one picture in a ZIP file: its own name tells it from the others."""
    return replace(find, variant=PurePosixPath(name).stem)


def _facts(find: Find, part: Path) -> dict[str, object]:
    """Return a picture's facts. Raises NotGood, also for bytes whose SHA-1 is not the source's."""
    if find.sha1:
        with part.open("rb") as file:
            if hashlib.file_digest(file, "sha1").hexdigest() != find.sha1:
                raise NotGood("digest")
    return picture_facts(part)


def _good(look: Callable[[Path], T], part: Path) -> T:
    """Return what `look` sees in `part`. Raises Refused for what is not good."""
    try:
        return look(part)
    except NotGood as bad:
        raise Refused(bad.reason) from bad


def _record(find: Find, key: str, answer: Answer) -> Record:
    return {
        "key": key, "picture_url": find.link.url, "status": answer.status,
        "attempts": answer.attempts, "sha256": answer.sha256, "bytes": answer.bytes,
        "etag": answer.etag, "last_modified": answer.last_modified,
        "served_by": answer.served_by, "capture": answer.capture, "robots": answer.robots,
        "against": answer.against,
    }  # fmt: skip


def _gap(find: Find, reason: str, record: Record | None = None) -> dict:
    return gap(find.link.url, reason, **_about_gap(find, record or {}))


def _about_gap(find: Find, record: Record) -> Record:
    return {
        "map_id": find.map_id, "page_url": find.page_url, "wrapper_url": find.link.wrapper_url,
        "attempts": record.get("attempts", 0), "last_status": record.get("status"),
        "mirrors": record.get("mirrors"),
    }  # fmt: skip
