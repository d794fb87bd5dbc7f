"""Labels that are hardly what they seem: no label at all, two spellings of one, several in one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator

from reportgen.errors import ConfigurationError

# What pandas and others write where there is no label; and "?", as in tables of the UCI archive.
_MISSING = frozenset("nan none null na n/a #n/a <na> nat ? - unlabeled unlabelled".split())
_ALWAYS_BETWEEN, _OFTEN_BETWEEN = "|;", ", "
_ONCE = "If they are classes all the same, name all classes with --classes FILE."


def refuse_doubtful_labels(names: Collection[str], count: int) -> None:
    """Refuse labels that nobody has named as classes and that are probably none.

    Args:
        names: the distinct labels, as a table or an array has them.
        count: classes that the model distinguishes.

    Raises:
        ConfigurationError: says what they look like, and what to do.
    """
    missing = [name for name in names if name.casefold() in _MISSING]
    if missing:
        raise ConfigurationError(
            f"labels: {_quote(missing)} usually stands where a label is missing. Remove these "
            f"rows. {_ONCE}"
        )
    refuse_twins(names)
    if several := _find_several(names, count):
        raise ConfigurationError(
            f"labels: {_quote(several)} look like several labels in one cell. Give one column of "
            f"0 and 1 for each class, or one label a row. {_ONCE}"
        )


def refuse_twins(names: Collection[str]) -> None:
    """Refuse two spellings of one label.

    Raises:
        ConfigurationError: says which.
    """
    first: dict[str, str] = {}
    for name in sorted(names):
        twin = first.setdefault(_fold(name), name)
        if twin != name:
            raise ConfigurationError(
                f"labels: {twin!a:.80} and {name!a:.80} differ in their spelling only. Spell each "
                f"class in one way. {_ONCE}"
            )


def _fold(name: str) -> str:
    """Equal for spellings of one label; single letters stay apart, which may be classes."""
    plain = "".join(
        char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf"
    )
    plain = " ".join(re.split(r"[\s_-]+", plain.strip(" '\"\t")))
    if re.fullmatch(r"0*[0-9]+", plain):
        return str(int(plain)) if len(plain) < 20 else plain
    return plain if len(plain) == 1 else plain.casefold()


def _find_several(names: Collection[str], count: int) -> list[str]:
    """Labels that hold parts of others: ``ant|bee``, ``0 1``, ``[1, 0, 0]`` or ``100``."""
    marks = [name for name in names if re.fullmatch(r"[01]+", name)]
    if len(marks) == len(names) and count > 1 and all(len(name) == count for name in names):
        return sorted(marks)
    if all(re.fullmatch(r"[0-9]+,0+", name) for name in names):
        return []  # 3,0 with the comma of a decimal fraction
    for sign in _ALWAYS_BETWEEN + _OFTEN_BETWEEN:
        parts = {name: list(_divide(name, sign)) for name in names}
        held = {name for name in names if len(parts[name]) > 1}
        if not held:
            continue
        uses = Counter(part for name in names for part in set(parts[name]))
        shared = [name for name in held if any(uses[part] > 1 for part in parts[name])]
        sure = sign in _ALWAYS_BETWEEN or all(
            all(re.fullmatch(r"[0-9.]+", part) or uses[part] > 1 for part in parts[name])
            for name in held
        )
        if shared and sure:
            return sorted(shared)
    return []


def _divide(name: str, sign: str) -> Iterator[str]:
    bare = name.strip("[](){} ")
    for part in bare.split(sign):
        if part.strip(" '\""):
            yield part.strip(" '\"")


def _quote(names: Collection[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in list(names)[:3])
    return shown + (", ..." if len(names) > 3 else "")
