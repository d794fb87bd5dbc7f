"""The nearest known name to one that is not known: "Did you mean 'predictions'?"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

# As `difflib.get_close_matches`: below it, a guess confuses more than it helps.
_ALIKE = 0.6


def closest(word: object, known: Iterable[str]) -> str | None:
    """The known name that ``word`` was most likely meant to be; None if none is near.

    Capitals count for nothing, and ``-``, ``_`` and blanks are one. A word that stands whole in
    exactly one name means that one (``min_accuracy``: ``predictions.min_accuracy``). Among equals
    the first of ``known`` wins, so the answer is always the same.
    """
    names, wanted = list(known), _fold(word)
    if not wanted:
        return None
    inside = [name for name in names if len(wanted) > 2 and wanted in _fold(name)]
    if len(inside) == 1:
        return inside[0]
    ranked = sorted(names, key=lambda name: -_likeness(wanted, _fold(name)))
    return ranked[0] if ranked and _likeness(wanted, _fold(ranked[0])) >= _ALIKE else None


def nearest(word: object, known: Iterable[str]) -> str:
    """``Did you mean 'predictions'?`` for the `closest` name; "" if none is near."""
    name = closest(word, known)
    return f"Did you mean {name!r}?" if name else ""


def _fold(word: object) -> str:
    return str(word).strip().lower().replace("-", "_").replace(" ", "_")


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
