"""Writing in a picture: pages of text and legend sheets, and maps with titles, names, numbers."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from mapmaker.prune.finding import Finding
from mapmaker.prune.letterform import SLIM, Word, dark_ink, light_ink, shrunk, words
from mapmaker.prune.shot import Shot
from mapmaker.prune.thresholds import Limits

_STRIPS = 16  # a page is read in upright strips, so that a column or a list is seen as well
_ROWS_PX = 1100  # of the picture the lines are counted in
_EDGE = 30  # grey levels from a pixel to the next: the side of a letter's stroke
_TILES = 0.05  # share of even lines from which on they may be tiles
_SURE = 0.85  # score from which on a piece that stands alone is read as a letter
_INKED, _EMPTY = 0.07, 0.035  # share of such edges in a line of text, and between two


def lettering(shot: Shot) -> dict[str, float]:
    """Return the signs of writing, 0 when there is none.

    text_share: share of the picture in lines of text that follow each other evenly; text_across:
    the same of the picture on its side, where only tiles have such lines too; text_wide: share of
    its strips that hold such lines; text_lines: the most in one strip. text_word: the
    mean score of the three likeliest letters that stand together, 0..1; text_letters: how many
    letters stand in words; text_height: height of the largest such letter over the picture's
    shorter side; text_numbers: how many surely read letters or figures are of one size.
    """
    share, wide, lines = text_rows(shot.grey)
    across = text_rows(np.ascontiguousarray(shot.grey.T))[0] if share >= _TILES else 0.0
    grey = shrunk(shot.grey)
    found = words(dark_ink(grey)) + words(light_ink(grey))
    strings = [word for word in found if len(word.scores) >= 3 and word.scores.mean() >= 0.5]
    best = max((_best_three(word) for word in found if len(word.broad) >= 3), default=0.0)
    tallest = max((word.height for word in strings), default=0.0)
    return {
        "text_share": round(share, 4),
        "text_across": round(across, 4),
        "text_wide": round(wide, 3),
        "text_lines": float(lines),
        "text_word": round(best, 3),
        "text_letters": float(sum(len(word.scores) for word in strings)),
        "text_height": round(tallest / min(grey.shape), 4),
        "text_numbers": round(_alike(found), 2),
    }


def findings(signs: Mapping[str, float], limits: Limits) -> list[Finding]:
    """Return a text-page finding for a page or a legend sheet, else nothing."""
    table = limits["lettering"]
    share, wide = signs.get("text_share", 0.0), signs.get("text_wide", 0.0)
    if share < table["maybe_share"] or wide < table["maybe_wide"]:
        return []
    lines = f"{signs.get('text_lines', 0):.0f} lines as even as text in a column"
    if _tiled(signs, limits):
        return [Finding("text-page", "look", f"a page, or a floor of tiles: {lines}")]
    if share >= table["page_share"] and wide >= table["page_wide"]:
        return [Finding("text-page", "drop", f"a page, not a map: {lines}")]
    return [Finding("text-page", "look", f"may be a page or a legend: {lines}")]


def has_text(signs: Mapping[str, float], limits: Limits) -> bool:
    """Return whether letters are on the picture, so that mirroring or turning would spoil them."""
    table = limits["lettering"]
    return (
        signs.get("text_word", 0.0) >= table["word"]
        or signs.get("text_numbers", 0.0) >= table["numbers"]
        or (bool(findings(signs, limits)) and not _tiled(signs, limits))
    )


def _tiled(signs: Mapping[str, float], limits: Limits) -> bool:
    # Tiles are as even on their side, and so are letters of one width; but those can be read.
    table, share = limits["lettering"], signs.get("text_share", 0.0)
    even = signs.get("text_across", 0.0) > table["across"] * share
    return even and signs.get("text_word", 0.0) < table["readable"]


def text_rows(grey: NDArray[np.uint8]) -> tuple[float, float, int]:
    """Return the share of the picture in even lines of text, of its strips with any, and the most.

    A line of text is a band full of upright edges between two bands with none; three that follow
    each other at one distance count.
    """
    step = -(-max(grey.shape) // _ROWS_PX)
    if step > 1:
        size = (max(1, grey.shape[1] // step), max(1, grey.shape[0] // step))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    height, width = grey.shape
    if height < 2 * _STRIPS or width < 2 * _STRIPS:
        return 0.0, 0.0, 0
    broad = (width - 1) // _STRIPS
    edges = cv2.absdiff(grey[:, 1 : 1 + _STRIPS * broad], grey[:, : _STRIPS * broad])
    edges = cv2.threshold(edges, _EDGE, 255, cv2.THRESH_BINARY)[1]
    full = cv2.resize(edges, (_STRIPS, height), interpolation=cv2.INTER_AREA)
    full = cv2.transpose(full).astype(np.float32) / np.float32(255)
    lines, covered = _even_lines(full)
    return float(covered.mean()), float((covered > 0.25).mean()), int(lines.max())


def _even_lines(full: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    # For each strip (strips, height) how many lines of text follow each other evenly down it, and
    # the share of its height they take. All strips are one row of places, two apart.
    count, height = full.shape
    every, share = np.zeros(count, np.intp), np.zeros(count)
    inked, empty = full > _INKED, full < _EMPTY
    dark, clear = inked.sum(axis=1), empty.sum(axis=1)
    may_be = (dark > 0.1 * height) & (dark < 0.9 * height) & (clear > 0.08 * height)
    hopeful = np.flatnonzero(may_be)
    if len(hopeful):
        found = _lines_down(full[hopeful], inked[hopeful], empty[hopeful])
        every[hopeful], share[hopeful] = found
    return every, share


def _lines_down(
    full: NDArray[np.float32], inked: NDArray[np.bool_], empty: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    count, height = full.shape
    none = np.zeros(count, np.intp), np.zeros(count)
    row = height + 2
    framed = np.zeros((3, count, row))
    framed[0, :, 1:-1] = inked
    framed[1, :, :-2], framed[1, :, -2] = empty, 1
    framed[2, :, :-2] = full
    shown = framed[0].ravel()
    turns = np.flatnonzero(shown[1:] != shown[:-1])
    starts, ends = turns[::2], turns[1::2]
    clears, strokes = np.zeros((2, count * row + 1))
    np.cumsum(framed[1], out=clears[1:])
    np.cumsum(framed[2], out=strokes[1:])
    parted = clears[starts[1:]] > clears[ends[:-1]]  # else a hole in a line
    starts, ends = starts[np.append(True, parted)], ends[np.append(parted, True)]
    of = starts // row
    pitch, tall = np.diff(starts), (ends - starts)[:-1]
    stroke = (strokes[ends] - strokes[starts])[:-1]
    fits = (of[1:] == of[:-1]) & (np.bincount(of)[of[:-1]] >= 4)
    fits &= (pitch >= 5) & (pitch <= 0.12 * height) & (tall >= 3)
    fits &= (tall >= 0.22 * pitch) & (tall <= 0.9 * pitch) & (stroke > 0.8) & (stroke < 9)
    even = np.abs(np.diff(pitch)) <= np.maximum(2, 0.16 * pitch[1:])
    even &= fits[1:] & fits[:-1]
    if not even.any():
        return none
    lines = np.append(even, False) | np.append(False, even)
    of, pitch = of[:-1][lines], pitch[lines]
    return np.bincount(of, minlength=count), np.bincount(of, pitch, count) / height


def _best_three(word: Word) -> float:
    return float(np.sort(word.broad)[-3:].mean())


def _alike(found: list[Word]) -> float:
    # Room numbers, single letters: sure ones, all of one height. Thin strokes are not asked.
    if not found:
        return 0.0
    boxes = np.concatenate([word.boxes for word in found]).astype(np.float32)
    sure = (np.concatenate([word.scores for word in found]) - _SURE) / (1 - _SURE)
    asked = (sure > 0) & (boxes[:, 2] >= SLIM * boxes[:, 3])
    heights = boxes[asked, 3]
    near = np.abs(heights[:, None] - heights) <= np.maximum(1, 0.1 * heights[:, None])
    return float((near @ sure[asked]).max(initial=0.0))
