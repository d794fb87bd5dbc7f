"""Samples and labels from an ``.npz`` file, whatever else is in it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import InputError
from reportgen.files import open_regular
from reportgen.npz import DAMAGE, list_names, read_shape, survey_npz
from reportgen.subject.samples import SampleSet, take_arrays
from reportgen.text import name as shorten

_MAX_ARCHIVE_BYTES = 8 * 2**30
_LISTED = 5
# What people call arrays of samples, and of the labels beside them; first what is offered first.
_PAIRS = (
    ("x", "y"),
    ("x_test", "y_test"),
    ("test_x", "test_y"),
    ("test_images", "test_labels"),
    ("x_val", "y_val"),
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("images", "labels"),
    ("image", "label"),
    ("inputs", "targets"),
    ("data", "target"),
    ("features", "labels"),
    ("samples", "labels"),
    ("arr_0", "arr_1"),
)
_LABEL_WORDS = frozenset(
    {"y", "ytest", "ytrain", "yval", "label", "labels", "target", "targets", "class", "classes"}
) | {"classid", "classids", "categories", "truth", "gt"}
# With one of these it is no label: "y_pred", "class_names".
_OTHER_WORDS = frozenset(
    {"pred", "preds", "predicted", "predictions", "prob", "probs", "proba", "scores", "logits"}
) | {"name", "names", "weight", "weights"}


def read_archive(path: Path, shape: tuple[int, ...], *, limit: int, seed: int) -> SampleSet:
    """Arrays ``x`` and, if there, ``y`` of an ``.npz`` file. Others are named in a note, not read.

    Raises:
        InputError: not an archive, ``x`` or ``y`` no plain array, labels under another name, or
            shapes that do not fit the model.
    """
    try:
        with open_regular(path) as stream:
            x, y, unread = _read_pair(stream, path)
    except DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{path} cannot be read as .npz of plain arrays: {reason}.") from None
    found = take_arrays(x, y, shape, limit=limit, seed=seed, origin=str(path))
    if not unread:
        return found
    note = f"{path.name}: only {'x' if y is None else 'x and y'} of it is read, not {_list(unread)}"
    return replace(found, notes=(note, *found.notes))


def _read_pair(
    stream: IO[bytes], path: Path
) -> tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...]]:
    """``x``, ``y`` and names of what else is there, after the headers of both were looked at."""
    _refuse_single_array(stream, path)
    with zipfile.ZipFile(stream) as archive:
        names = list_names(archive)
        if "x" not in names:
            raise InputError(
                f"{path} holds {_list(names) or 'nothing'}; an array named x (and y for labels) "
                f"is needed.{_offer_names(names, path)}"
            )
        claimed = survey_npz(archive, ("x", "y"))
        unread = tuple(name for name in names if name not in claimed)
        if "y" not in claimed:
            _refuse_hidden_labels(archive, unread, path)
    for name in claimed:
        if claimed[name] > _MAX_ARCHIVE_BYTES:
            raise InputError(
                f"{path}: {name} takes {claimed[name] >> 30} GiB, more than "
                f"{_MAX_ARCHIVE_BYTES >> 30}. Save a part of the samples."
            )
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as archive:
        return archive["x"], archive["y"] if "y" in claimed else None, unread


def _refuse_single_array(stream: IO[bytes], path: Path) -> None:
    """Refuse an ``.npy``, with the line that makes an archive of it."""
    start = stream.read(6)
    stream.seek(0)
    if start == b"\x93NUMPY":
        raise InputError(
            f"{path} cannot be read as .npz of plain arrays: it is one array (.npy). Save it with "
            f"its labels: np.savez('samples.npz', x=np.load({shorten(path.name)!r}), y=labels)."
        )


def _refuse_hidden_labels(archive: zipfile.ZipFile, unread: tuple[str, ...], path: Path) -> None:
    """Without ``y`` the samples count as unlabelled: not so if labels have another name.

    Of an array whose name is one of labels the header is looked at, and nothing else.
    """
    rows = (read_shape(archive, "x") or ())[:1]
    for name in filter(_names_labels, unread):
        if rows and (read_shape(archive, name) or ())[:1] == rows:
            shown = shorten(name)
            raise InputError(
                f"{path} holds no y, and {shown!r} with {rows[0]} rows, as many as x. If these are "
                f"the labels, save them as y: a = np.load({shorten(path.name)!r}); "
                f"np.savez('samples.npz', x=a['x'], y=a[{shown!r}]). If not, leave them out."
            )


def _names_labels(name: str) -> bool:
    """Whether it is a word for labels: ``Y``, ``y_test``, ``train-labels``."""
    words = set(re.split(r"[^a-z0-9]+", name.casefold()))
    return bool(words & _LABEL_WORDS) and not words & _OTHER_WORDS


def _offer_names(names: tuple[str, ...], path: Path) -> str:
    """The line that gives the arrays that are there the names that are needed; or nothing."""
    by_word = {name.casefold(): name for name in reversed(names)}
    for x, y in _PAIRS:
        if x not in by_word:
            continue
        labels = by_word.get(y) or next(filter(_names_labels, names), None)
        as_y = f", y=a[{shorten(labels)!r}]" if labels else ""
        return (
            f" Rename what is there: a = np.load({shorten(path.name)!r}); "
            f"np.savez('samples.npz', x=a[{by_word[x]!r}]{as_y})."
        )
    return ""


def _list(names: tuple[str, ...]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(shorten(name, 40) for name in names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown
