"""From labels as written to class positions in the order of the model's outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count as counting
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError, InputError
from reportgen.files import read_regular
from reportgen.subject.outputs import Reading

_SEVERAL = (
    "The labels mark several classes a sample, or none. Predictions are compared with one class "
    "a sample only, so they are shown but not scored."
)
_MAX_NAMES_BYTES = 16 * 2**20
_MAX_NAME_LENGTH = 200  # a name of a megabyte would stand in the report once for every sample


@dataclass(frozen=True)
class Labels:
    """Targets in the model's terms.

    values: class positions ``(n,)`` int64; targets ``(n, units)`` float for regression; None.
    classes: names in the order of the outputs. order: where that order comes from, in words.
    unscored: why labels that are there cannot be compared with the predictions.
    """

    values: NDArray[Any] | None
    classes: tuple[str, ...]
    order: str
    unscored: str = ""


def read_class_names(path: Path) -> tuple[str, ...]:
    """Names, one a line, in the order of the outputs. ``0 name`` lines lose their number.

    Raises:
        InputError: the file cannot be read, or a name stands twice.
    """
    try:
        text = read_regular(path, _MAX_NAMES_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}). Save it so.") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [name.split(maxsplit=1) for name in names]
    if all(len(p) == 2 and p[0] == str(i) for i, p in enumerate(numbered)):
        names = [parts[1] for parts in numbered]  # the labels.txt of Teachable Machine
    if len(set(names)) != len(names):
        raise InputError(f"{path} names a class twice. Each line is one class.")
    return tuple(names)


def resolve_labels(
    labels: NDArray[Any] | None,
    label_names: tuple[str, ...],
    reading: Reading,
    given: tuple[str, ...] | None,
) -> Labels:
    """Match labels to the outputs. Class names of more than 200 characters are shortened.

    Raises:
        ConfigurationError: the number of classes, or a label, does not fit the model.
    """
    found = _resolve(labels, label_names, reading, given)
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
        return _match_names(labels, label_names, given, count)
    return _match_positions(labels, given, count)


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
    labels: NDArray[Any], names: tuple[str, ...], given: tuple[str, ...] | None, count: int
) -> Labels:
    if given is not None:
        classes, order = given, "as given by --classes"
    elif len(names) == count:
        classes, order = names, "labels sorted as text, as Keras does"
    elif set(names) <= set(map(str, range(count))):
        classes, order = tuple(map(str, range(count))), "labels are positions"
    elif len(names) > count:
        raise ConfigurationError(
            f"labels: {len(names)} different labels ({_some(names)}), but the model "
            f"distinguishes only {count} classes. These samples were not made for this model: "
            "check both paths."
        )
    else:
        what = "label is" if len(names) == 1 else "different labels are"
        raise ConfigurationError(
            f"labels: {len(names)} {what} there ({_some(names)}), but the model distinguishes "
            f"{count} classes. Name all of them with --classes FILE, in the order of the outputs."
        )
    position = {name: i for i, name in enumerate(classes)}
    unknown = sorted(set(labels) - set(position))
    if unknown:
        raise ConfigurationError(
            f"labels: {_some(unknown)} {'is' if len(unknown) == 1 else 'are'} not among the "
            f"{count} classes ({_some(classes)})."
        )
    return Labels(np.array([position[label] for label in labels], np.int64), classes, order)


def _match_positions(labels: NDArray[Any], given: tuple[str, ...] | None, count: int) -> Labels:
    if labels.ndim == 2:
        if labels.shape[1] != count or not (np.isin(labels, (0, 1)).all()):
            raise ConfigurationError(
                f"labels: y has shape {labels.shape}, the model distinguishes {count} classes."
            )
        if not (labels.sum(axis=1) == 1).all():
            names = given or tuple(f"class {i}" for i in range(count))
            return Labels(None, names, "positions in y", unscored=_SEVERAL)
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
    names = given or tuple(f"class {i}" for i in range(count))
    return Labels(positions, names, "as given by --classes" if given else "positions in y")


def _some(names: Any) -> str:
    shown = [str(name)[:40] for name in list(names)[:5]]
    return ", ".join(shown) + (", ..." if len(names) > 5 else "")
