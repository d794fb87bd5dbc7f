"""From labels as written to class positions in the order of the model's outputs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count as counting
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError
from reportgen.subject.doubtful_labels import refuse_doubtful_labels, refuse_twins
from reportgen.subject.outputs import Reading
from reportgen.suggest import nearest

_SEVERAL = (
    "The labels mark several classes a sample, or none. Predictions are compared with one class "
    "a sample only, so they are shown but not scored."
)
_MAX_NAME_LENGTH = 200  # a name of a megabyte would stand in the report once for every sample
# A number, with a point or a comma; 007 is a code and no number.
_NUMBER = re.compile(
    r"[+-]?(?:0|[1-9][0-9]{0,15})(?:[.,][0-9]*)?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII
)
_SORTED = "labels sorted as text, as Keras does"
# Up to so many classes, the numbers 0, 1, ... stand in the same order as text.
_ONE_DIGIT = 10


@dataclass(frozen=True)
class Labels:
    """Targets in the model's terms.

    values: class positions ``(n,)`` int64; targets ``(n, units)`` float for regression; None.
    classes: names in the order of the outputs. order: where that order comes from, in words.
    unscored: why labels that are there cannot be compared with the predictions.
    notes: sentences on what was assumed, and on classes that no sample is of.
    """

    values: NDArray[Any] | None
    classes: tuple[str, ...]
    order: str
    unscored: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Order:
    """Labels as they are written, and what the classes are called, in the order of the outputs."""

    written: tuple[str, ...]
    classes: tuple[str, ...]
    words: str
    notes: tuple[str, ...] = ()


def resolve_labels(
    labels: NDArray[Any] | None,
    label_names: tuple[str, ...],
    reading: Reading,
    given: tuple[str, ...] | None,
    folders: tuple[str, ...] = (),
) -> Labels:
    """Match labels to the outputs. Class names of more than 200 characters are shortened.

    Args:
        labels: text or positions ``(n,)``, or targets ``(n, columns)``; None without.
        label_names: the distinct labels, sorted as text; of several columns their names.
        given: class names in the order of the outputs.
        folders: all class folders, with those that hold no image; empty if labels are from
            elsewhere. Numbers that name folders are text, as for Keras; others are positions.

    Raises:
        ConfigurationError: the number of classes, or a label, does not fit the model, or the order
            of the classes cannot be told.
    """
    found = _resolve(labels, label_names, reading, given, folders)
    return replace(found, classes=tuple(map(_shorten, found.classes, counting())))


def _shorten(name: str, position: int) -> str:
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    return f"{name[:_MAX_NAME_LENGTH]}… (class {position})"


def _resolve(
    labels: NDArray[Any] | None,
    label_names: tuple[str, ...],
    reading: Reading,
    given: tuple[str, ...] | None,
    folders: tuple[str, ...],
) -> Labels:
    if reading.task == "regression":
        return Labels(_numbers(labels, reading.output.units), (), "")
    count = reading.classes
    if not count:
        return Labels(None, given or (), "")
    if given is not None and len(given) != count:
        raise ConfigurationError(
            f"classes: {len(given)} names, but the model distinguishes {count} classes. "
            "Give one name a line, in the order of the outputs."
        )
    if given is not None and len(set(given)) != len(given):
        raise ConfigurationError("classes: a name stands twice. Each output has a name of its own.")
    if labels is None:
        names = given or tuple(f"class {i}" for i in range(count))
        return Labels(None, names, "given" if given else "numbered")
    if labels.dtype == object:
        return _match_names(labels, label_names, given, count, folders)
    return _match_positions(labels, label_names, given, count)


def _numbers(labels: NDArray[Any] | None, units: int) -> NDArray[np.float64] | None:
    if labels is None:
        return None
    try:
        values = labels.astype(np.float64).reshape(len(labels), -1)
    except ValueError:
        raise ConfigurationError(
            f"labels: {labels[0]!r} is not a number, and the model's output is read as numbers."
        ) from None
    if values.shape[1] != units or not np.isfinite(values).all():
        raise ConfigurationError(
            f"labels: targets of shape {values.shape}, the model gives {units} finite numbers."
        )
    return values


def _match_names(
    labels: NDArray[Any],
    names: tuple[str, ...],
    given: tuple[str, ...] | None,
    count: int,
    folders: tuple[str, ...],
) -> Labels:
    if given is not None:
        labels, names = _spell_as(given, labels, names)
    known = given is not None and set(names) <= set(given)
    if folders and not known:
        refuse_twins(names)
    elif not known:
        refuse_doubtful_labels(names, count)
    plain = {} if folders or known else _read_whole(names)
    written = tuple(sorted({plain.get(name, name) for name in names}))
    if given is not None:
        order = _order_of_given(written, given, are_numbers=bool(plain))
    elif folders:
        order = _order_of_folders(written, folders, count)
    elif plain:
        order = _order_of_numbers(written, count)
    else:
        order = _order_of_text(written, count)
    position = {name: i for i, name in enumerate(order.written)}
    values = np.array([position[plain.get(label, label)] for label in labels], np.int64)
    absent = _note_absent({position[name] for name in written}, order.classes)
    return Labels(values, order.classes, order.words, notes=(*order.notes, *absent))


def _spell_as(
    given: tuple[str, ...], labels: NDArray[Any], names: tuple[str, ...]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Labels with accents that are written in another way than those of the classes, as these."""
    known = {unicodedata.normalize("NFC", name): name for name in given}

    def spell(name: str) -> str:
        return name if name in given else known.get(unicodedata.normalize("NFC", name), name)

    return np.array([spell(label) for label in labels], object), tuple(map(spell, names))


def _read_whole(names: Collection[str]) -> dict[str, str]:
    """Whole numbers as they are written, such as ``3.0``, as ``3``; empty if one name is none."""
    found = {name: str(int(value)) for name in names if (value := _read_number(name)) is not None}
    whole = all(_read_number(name) == int(value) for name, value in found.items())
    return found if whole and len(found) == len(names) else {}


def _read_number(name: str) -> Decimal | None:
    # Exact: two numbers of 16 digits may be the same in floating point.
    return Decimal(name.replace(",", ".")) if _NUMBER.fullmatch(name) else None


def _positions(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _order_of_given(names: tuple[str, ...], given: tuple[str, ...], *, are_numbers: bool) -> _Order:
    words = "as given by --classes"
    if set(names) <= set(given):
        return _Order(given, given, words)
    positions = _positions(len(given))
    # Where a class is called by a number itself, 3 could be its name or its place.
    if are_numbers and set(names) <= set(positions) and not any(map(_NUMBER.fullmatch, given)):
        _refuse_from_one(names, len(given))
        return _Order(positions, given, words)
    unknown = [name for name in names if name not in given]
    guess = nearest(unknown[0][:_MAX_NAME_LENGTH], map(_shorten, given, counting()))
    raise ConfigurationError(
        f"labels: {_some(unknown)} {'is' if len(unknown) == 1 else 'are'} not among the "
        f"{len(given)} classes ({_some(given)}). {guess + ' ' if guess else ''}"
        "Spell labels and --classes alike."
    )


def _order_of_text(names: tuple[str, ...], count: int) -> _Order:
    if len(names) != count:
        raise _refuse_number(names, count)
    numbers = [number for name in names if (number := _read_number(name)) is not None]
    if len(numbers) == len(names) and numbers != sorted(numbers):
        raise ConfigurationError(
            f"labels: numbers ({_some(names)}) have another order as text than as numbers. Give "
            "--classes FILE: these numbers, one a line, in the order of the outputs."
        )
    return _Order(names, names, _SORTED, _note_numbers(names, "Labels"))


def _order_of_numbers(names: tuple[str, ...], count: int) -> _Order:
    """Numbers in a table: positions, or else the order in which text and numbers agree."""
    numbers = sorted(map(int, names))
    if numbers[0] < 0 and numbers != [-1, 1]:
        raise ConfigurationError(
            f"labels: {numbers[0]} is no position of an output, and often stands where a label is "
            "missing. Remove these rows. If it is a class, name all classes with --classes FILE."
        )
    if set(names) <= set(_positions(count)):
        _refuse_from_one(names, count)
        return _Order(_positions(count), _positions(count), "labels are positions")
    if len(names) > count:
        raise _refuse_number(names, count)
    if len(names) == count and tuple(map(str, numbers)) == names:
        return _Order(names, names, _SORTED)
    raise ConfigurationError(
        f"labels: {len(names)} whole numbers from {numbers[0]} to {numbers[-1]}, but the model's "
        f"{count} classes have the positions 0 to {count - 1}. Say which is which with --classes "
        "FILE: these numbers, one a line, in the order of the outputs."
    )


def _refuse_from_one(names: Collection[str], count: int) -> None:
    """Refuse 1, 2, 3, ... without a 0: positions, or numbers that were counted from 1."""
    if len(names) > 1 and set(names) == set(_positions(len(names) + 1)) - {"0"}:
        raise ConfigurationError(
            f"labels: the numbers 1 to {len(names)} are there and no 0. Do they count from 1, or "
            f"are they positions of the {count} outputs and 0 has no sample? Write them as 0, 1, "
            "... or as names of classes, and name all with --classes FILE."
        )


def _order_of_folders(names: tuple[str, ...], folders: tuple[str, ...], count: int) -> _Order:
    """Class folders: sorted as text with the empty ones among them, as Keras does."""
    empty = tuple(name for name in folders if name not in names)
    if len(folders) == count:
        return _Order(folders, folders, _SORTED, _note_numbers(folders))
    if len(names) == count:
        note = _end(f"Folders without an image were not counted as classes: {_some(empty)}")
        kept = tuple(name for name in folders if name in names)
        return _Order(kept, kept, _SORTED, (note, *_note_numbers(kept)))
    if not set(names) <= set(_positions(count)):
        raise _refuse_number(names, count)
    if count > _ONE_DIGIT:
        raise ConfigurationError(
            f"labels: folders of {len(names)} of the {count} classes are there, named by numbers "
            f"({_some(names)}). Keras sorts all {count} as text (0, 1, 10, ...), others as "
            "numbers (0, 1, 2, ...). Give --classes FILE with the names of all, in the order of "
            "the outputs."
        )
    _refuse_from_one(names, count)
    return _Order(_positions(count), _positions(count), "labels are positions")


def _note_numbers(names: tuple[str, ...], what: str = "Folders") -> tuple[str, ...]:
    """Where numbers in names are counted in another order than text has."""
    if sorted(names, key=_natural_key) == list(names):
        return ()
    return (
        f"{what} named by numbers were sorted as text ({', '.join(names[:3])}, ...), as Keras "
        "does. If the outputs are in the order of the numbers, give --classes.",
    )


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Numbers by their value; text between them as it is."""
    parts = re.split(r"([0-9]{1,18})", name)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def _refuse_number(names: tuple[str, ...], count: int) -> ConfigurationError:
    if len(names) > count:
        return ConfigurationError(
            f"labels: {len(names)} different labels ({_some(names)}), but the model "
            f"distinguishes only {count} classes. These samples were not made for this model: "
            "check both paths."
        )
    what = "label is" if len(names) == 1 else "different labels are"
    return ConfigurationError(
        f"labels: {len(names)} {what} there ({_some(names)}), but the model distinguishes "
        f"{count} classes. Name all of them with --classes FILE, in the order of the outputs."
    )


def _note_absent(present: Collection[int], classes: tuple[str, ...]) -> tuple[str, ...]:
    absent = [name for i, name in enumerate(classes) if i not in present]
    if not absent:
        return ()
    there = f"{len(classes) - len(absent)} of the {len(classes)} classes"
    return (_end(f"Samples of {there} are there; none of: {_some(absent)}"),)


def _match_positions(
    labels: NDArray[Any], columns: tuple[str, ...], given: tuple[str, ...] | None, count: int
) -> Labels:
    names = given or tuple(f"class {i}" for i in range(count))
    order = "as given by --classes" if given else "positions in y"
    if labels.ndim == 2:
        if labels.shape[1] != count or not (np.isin(labels, (0, 1)).all()):
            raise _refuse_columns(labels.shape, columns, count)
        if columns and not given:
            names, order = columns, "columns of the table"
        if not (labels.sum(axis=1) == 1).all():
            return Labels(None, names, order, unscored=_SEVERAL)
        labels = labels.argmax(axis=1)
    with np.errstate(invalid="ignore"):  # 1e300 is no position; the comparison below finds it
        positions = labels.astype(np.int64)
    if labels.ndim != 1 or (positions != labels).any():
        raise ConfigurationError(
            "labels: y holds fractions, and the model's output is read as classes. "
            "Give class positions 0, 1, ..."
        )
    if positions.min() < 0 or positions.max() >= count:
        raise ConfigurationError(
            f"labels: positions from {positions.min()} to {positions.max()}, the model "
            f"distinguishes {count} classes (0 to {count - 1})."
        )
    present = set(np.unique(positions).tolist())
    return Labels(
        positions, names, order, notes=(*_note_absent(present, names), *_note_from_one(present))
    )


def _note_from_one(present: Collection[int]) -> tuple[str, ...]:
    if len(present) < 2 or set(present) != set(range(1, len(present) + 1)):
        return ()
    return ("The positions in y begin with 1. If they count from 1, give y - 1.",)


def _refuse_columns(
    shape: tuple[int, ...], columns: tuple[str, ...], count: int
) -> ConfigurationError:
    if not columns:
        return ConfigurationError(
            f"labels: y has shape {shape}, the model distinguishes {count} classes."
        )
    return ConfigurationError(
        f"labels: {len(columns)} columns ({_some(columns)}) were read, but the model distinguishes "
        f"{count} classes. Give one column of 0 and 1 for each, or one of class names, with "
        "--label-column."
    )


def _end(sentence: str) -> str:
    return sentence if sentence.endswith("...") else f"{sentence}."


def _some(names: Sequence[str]) -> str:
    shown = [str(name)[:40] for name in list(names)[:5]]
    return ", ".join(shown) + (", ..." if len(names) > 5 else "")
