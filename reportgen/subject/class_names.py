"""Files of class names: one a line, or JSON as Keras and others write it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from reportgen.errors import InputError, UnsafeInputError
from reportgen.files import read_regular
from reportgen.subject.model_file.configuration import parse

_MAX_BYTES = 16 * 2**20
_HEADERS = frozenset("class classes class_name class_names label labels".split())
# As in the labels.txt of Teachable Machine, and in lists that people number.
_NUMBER_FIRST = re.compile(r"(?P<number>[0-9]{1,9})\s*[\s:;,=.)]\s*(?P<name>\S.*)", re.ASCII)
_NUMBER_LAST = re.compile(r"(?P<name>.*?\S)\s*[\s:;,=]\s*(?P<number>[0-9]{1,9})", re.ASCII)
_FORMS = 'Lists such as ["ant", "bee"], and objects such as {"0": "ant"} or {"ant": 0}, are read.'


def read_class_names(path: Path) -> tuple[str, ...]:
    """Names in the order of the outputs: one a line, or JSON.

    Lines that are numbered from 0 or 1, before or behind the name, lose their number and stand in
    its order; quotes, commas at the end, YAML's dashes, lines that begin with ``# `` and a header
    such as ``class`` go as well. JSON is a list of names, ``{"0": "ant"}``, ``{"ant": 0}``
    (Keras' ``class_indices``) or ``{"0": ["n02206856", "ant"]}`` (Keras' index of ImageNet).

    Raises:
        InputError: the file cannot be read, a name stands twice, or a class has none.
    """
    try:
        text = read_regular(path, _MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}). Save it so.") from None
    if "\0" in text:
        raise InputError(f"{path} holds NUL characters: it is no UTF-8 text. Save it so.")
    is_json = text.lstrip().startswith(("[", "{"))
    names = _read_json(text, path) if is_json else _read_lines(text)
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise InputError(
            f"{path} names a class twice ({twins[0][:80]!r}). Each output has a name of its own."
        )
    return tuple(names)


def _read_lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("# ")]
    if lines and lines[0].casefold() in _HEADERS:
        lines = lines[1:]
    lines = _strip_signs(lines)
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST):
        parts = [pattern.fullmatch(line) for line in lines]
        counted = sorted((int(part["number"]), part["name"]) for part in parts if part)
        numbers = [number for number, _ in counted]
        if len({name for _, name in counted}) < len(lines):
            continue  # class 0, class 1, ...: the number is the name
        if numbers in (list(range(len(lines))), list(range(1, len(lines) + 1))):
            return _strip_signs([name for _, name in counted])
    return lines


def _strip_signs(lines: list[str]) -> list[str]:
    """Without quotes, commas at the end and the dashes of YAML, where all lines have them."""
    for pattern in (r"-\s+(.+)", r"(.+?)\s*,", r"'(.*)'", r'"(.*)"'):
        found = [re.fullmatch(pattern, line) for line in lines]
        if lines and all(found):
            lines = [match[1] for match in found if match]
    return lines


def _read_json(text: str, path: Path) -> list[str]:
    value = _parse(text, path)
    if isinstance(value, list):
        names = value
    elif all(type(one) is int for one in value.values()):  # True is no position
        names = _by_index([(one, name) for name, one in value.items()], path)
    else:
        names = _by_index([(_read_index(key, path), name) for key, name in value.items()], path)
    if any(isinstance(name, list) for name in names):
        names = _read_pairs(names, path)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{path}: {str(name)[:80]!r} is no name of a class. {_FORMS}")
    # JSON can spell halves of characters, which no report can hold.
    return [name.strip().encode("utf-8", "backslashreplace").decode() for name in names]


def _parse(text: str, path: Path) -> Any:
    try:
        parse(text, str(path))  # with its limits; the second reading sees keys that repeat
        return json.loads(text, object_pairs_hook=_refuse_twins)
    except UnsafeInputError as error:
        raise InputError(str(error)) from None
    except _TwinsError as error:
        raise InputError(f"{path} has {str(error)[:80]!r} twice. Each key stands once.") from None
    except InputError:
        raise InputError(f"{path} begins like JSON and is not valid JSON. {_FORMS}") from None


class _TwinsError(Exception):
    """A key stands twice in an object; the text is the key."""


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwinsError(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return found


def _read_index(key: str, path: Path) -> int:
    if not (key.isascii() and key.isdecimal() and len(key) < 10):
        raise InputError(f"{path}: {key[:80]!r} is no position of an output. {_FORMS}")
    return int(key)


def _by_index(numbered: list[tuple[int, Any]], path: Path) -> list[Any]:
    """The names in the order of their positions, which must be 0, 1, 2, ..."""
    counts = Counter(index for index, _ in numbered)
    for index in range(len(numbered)):
        if counts[index] != 1:
            found = "has no class" if not counts[index] else f"has {counts[index]} classes"
            raise InputError(
                f"{path} {found} at position {index}. {len(numbered)} classes need the positions "
                f"0 to {len(numbered) - 1}, each once."
            )
    return [name for _, name in sorted(numbered, key=lambda pair: pair[0])]


def _read_pairs(pairs: list[Any], path: Path) -> list[str]:
    """The last text of each pair; with the first one where two classes share it, as ImageNet's."""
    for pair in pairs:
        if not (isinstance(pair, list) and pair and all(isinstance(one, str) for one in pair)):
            raise InputError(f"{path}: {str(pair)[:80]!r} is no name of a class. {_FORMS}")
    counts = Counter(pair[-1] for pair in pairs)
    return [pair[-1] if counts[pair[-1]] == 1 else f"{pair[-1]} ({pair[0]})" for pair in pairs]
