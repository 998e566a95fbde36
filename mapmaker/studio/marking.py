"""Taking what the page decided: in order, once, on the disk before the answer, and no map lost."""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mapmaker.prune.decisions import PERSON, STATES, Decisions, Mark, Step
from mapmaker.studio.board import Board

_KINDS = ("mark", "undo", "redo")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")
_LETTERS = {"keep": "k", "drop": "d", "undecided": "u"}  # capitals: a person said so


class Nonsense(ValueError):
    """A request no page of ours would send."""


class Marking:
    """The marks of one data set as the page sees them; safe to use from several threads."""

    def __init__(self, decisions: Decisions, board: Board) -> None:
        self._decisions, self._board = decisions, board
        self._lock = threading.Lock()
        self._seq, self._marks = decisions.since(0)

    def all(self) -> dict[str, Any]:
        """Return the state of every picture, a letter each, in the board's order."""
        with self._lock:
            self._refresh()
            letters = "".join(_letter(self._marks.get(id)) for id in self._board.order)
            return {"seq": self._seq, "states": letters, "edition": self._board.edition}

    def since(self, seq: int) -> dict[str, Any]:
        """Return what was marked after `seq`, by this page, another tab or a command."""
        with self._lock:
            self._refresh()
            changed = self._decisions.since(seq)[1] if seq < self._seq else {}
            return {"seq": self._seq, "marks": _told(changed), "edition": self._board.edition}

    def take(self, wanted: Any, seq: int) -> dict[str, Any]:
        """Do what the page asks, and return that with what changed since `seq`.

        Each step is {name, kind: mark, undo or redo}; a mark has lists of ids under keep, drop and
        undecided, and `whole` when it means to leave nothing of a group; undo and redo may have
        `of`, the name of a step. What is refused comes back as a sentence. Raises Nonsense for
        anything else.
        """
        if not isinstance(wanted, list) or len(wanted) > 10_000:
            raise Nonsense("steps must be a list")
        parsed = [_parsed(step) for step in wanted]
        results: list[dict[str, Any]] = []
        with self._lock:
            self._refresh()
            states = {id: mark.state for id, mark in self._marks.items()}
            steps = []
            for step, plain in zip(parsed, wanted, strict=True):
                allowed, why = self._allowed(step.marks, states, bool(plain.get("whole")))
                states |= {m.id: m.state for m in allowed}
                marks = self._explained(allowed, plain.get("rule"))
                steps.append(Step(step.kind, marks, step.of, step.name))
                kind = {"name": step.name, "kind": step.kind, "of": step.of}
                results.append({**kind, "refused": why})
            taken = self._decisions.take(steps)
            for result, added in zip(results, taken, strict=True):
                result["marks"] = [m.id for m in added]
            self._refresh()
            changed = self._decisions.since(seq)[1]
            return {"seq": self._seq, "results": results, "marks": _told(changed)}

    def _refresh(self) -> None:
        self._seq, new = self._decisions.since(self._seq)
        self._marks |= new

    def _allowed(
        self, marks: Sequence[Mark], states: Mapping[str, str], whole: bool
    ) -> tuple[tuple[Mark, ...], str]:
        """Return the marks that may be made, and why the others may not.

        Of a keeper and its copies one must stay, unless the whole group is dropped on purpose.
        """
        board = self._board
        will = {m.id: m.state for m in marks if m.id in board.rows}
        fresh = {id for id, state in will.items() if state == "drop" != states.get(id)}
        refused: dict[str, int] = {}  # by id: how large the cluster is that it is the last of
        for number in {n for id in fresh if not whole for n in board.clusters_of.get(id, ())}:
            cluster = board.clusters[number]
            if all(will.get(id, states.get(id)) == "drop" for id in cluster):
                refused |= dict.fromkeys(fresh.intersection(cluster), len(cluster))
        why = []
        if gone := len(marks) - len(will):
            why.append(f"{gone} of these pictures are not in this data set any more.")
        if len(refused) > 1:
            why.append(f"{len(refused)} were left: nothing else stays of their maps.")
        elif refused:
            why += [_protected(board.title(id), size) for id, size in refused.items()]
        return tuple(m for m in marks if m.id in will and m.id not in refused), " ".join(why)

    def _explained(self, marks: Iterable[Mark], rule: Any) -> tuple[Mark, ...]:
        """Return the marks with our reason, where the person accepted all that a rule suggests."""
        said = self._board.suggestions
        return tuple(
            Mark(m.id, m.state, f"{rule}: {said[m.id].get('reason', '')}", m.by)
            if rule and m.id in said and said[m.id].get("rule") == rule
            else m
            for m in marks
        )


def _parsed(step: Any) -> Step:
    if not isinstance(step, dict):
        raise Nonsense("a step must be an object")
    name, kind, of = step.get("name"), step.get("kind"), step.get("of", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Nonsense("a step must have a name of its own")
    if kind not in _KINDS or not isinstance(of, str) or (of and not _NAME.fullmatch(of)):
        raise Nonsense("no such step")
    marks: dict[str, Mark] = {}
    for state in STATES:
        ids = step.get(state, [])
        if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
            raise Nonsense(f"{state} must be a list of pictures")
        marks |= {id: Mark(id, state, "", PERSON) for id in ids}
    if bool(marks) != (kind == "mark"):
        raise Nonsense("a mark needs pictures, and nothing else has any")
    return Step(kind, tuple(marks.values()), of, name)


def _protected(title: str, size: int) -> str:
    others = "its copy is" if size == 2 else f"its {size - 1} copies are"
    return f"{title} stays: {others} dropped already. Shift+X drops the whole group."


def _letter(mark: Mark | None) -> str:
    letter = _LETTERS[mark.state] if mark else "u"
    return letter.upper() if mark and mark.by == PERSON else letter


def _told(marks: Mapping[str, Mark]) -> list[list[str]]:
    return [[id, _letter(mark)] for id, mark in marks.items()]
