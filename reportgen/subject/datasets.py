"""Samples out of a ``tf.data.Dataset`` or a Keras ``PyDataset``: drawn, never loaded whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import InputError
from reportgen.progress import tell
from reportgen.subject.samples import content_hashes

# So many samples are looked at for each that is kept: enough to get past the first classes of a
# dataset that is sorted by class, and an end for one that has none.
_LOOKED_AT = 16
_INFINITE, _UNKNOWN = -1, -2  # as `tf.data.Dataset.cardinality` says it


@dataclass(frozen=True)
class Drawn:
    """Samples that were drawn from a dataset.

    Attributes:
        x: ``(n, ...)`` as the dataset gives them.
        y: ``(n,)`` or ``(n, classes)``; None where the dataset has no labels.
        rows: ``(n,)`` places in the dataset, counted from 0 over all batches, rising.
        found: samples that were looked at.
        notes: what was left out or passed over, in sentences.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None
    rows: NDArray[np.int64]
    found: int
    notes: tuple[str, ...]


def is_dataset(given: Any) -> bool:
    """Whether it is a ``tf.data.Dataset`` or a ``keras.utils.PyDataset``."""
    # By name: whoever has one has imported its library, and nobody else should have to.
    return bool({kind.__name__ for kind in type(given).__mro__} & {"DatasetV2", "PyDataset"})


def draw_samples(dataset: Any, model: Any, *, limit: int, seed: int) -> Drawn:
    """At most ``limit`` samples, balanced over the classes, the same ones for the same seed.

    Elements are ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, in batches or (of ``tf.data``) one
    by one. At most 16 times ``limit`` samples are looked at: the first ones, or of a ``PyDataset``
    batches that are evenly spaced. One that does not end repeats itself, so copies are passed
    over. Only what is kept stays in memory. A dataset that shuffles without a seed of its own
    gives other samples each time.

    Args:
        model: what it takes tells samples from batches of samples.

    Raises:
        InputError: elements of another form, or samples that the model does not take.
    """
    source = _PyDataset(dataset) if hasattr(dataset, "__getitem__") else _TensorFlow(dataset)
    most, known, copies = _LOOKED_AT * limit, set[bytes](), 0
    reservoir = _Reservoir(limit, np.random.default_rng([seed & 0xFFFFFFFF, 11]))
    seen = weighted = 0
    for first, element in source.elements(most):
        x, y, has_weights = _take_apart(element)
        weighted += has_weights
        if not source.batches(x, y, model):
            x, y = x[None], None if y is None else y[None]
        if y is not None and len(y) != len(x):
            raise InputError(f"dataset: a batch has {len(x)} samples and {len(y)} labels.")
        start = seen if first is None else first
        for place in range(min(len(x), most - seen)):
            if source.endless:
                content = content_hashes(x[place : place + 1])[0]
                if content in known:
                    copies += 1
                    continue
                known.add(content)
            reservoir.offer(x[place], None if y is None else y[place], start + place)
        seen += min(len(x), most - seen)
        tell(seen, most, "reading the dataset")
        if seen >= most:
            break
    if not seen:
        raise InputError("dataset: it gives no samples. Check that it is not used up or empty.")
    notes = source.describe(seen)
    if copies:
        notes += (f"{copies} of them were copies of others and were passed over.",)
    if weighted:
        notes += ("Sample weights of the dataset were ignored: each sample counts once.",)
    return reservoir.close(seen - copies, notes)


def _take_apart(element: Any) -> tuple[NDArray[Any], NDArray[Any] | None, bool]:
    """Samples, labels, and whether there are weights."""
    parts = element if isinstance(element, tuple | list) else (element,)
    if not 1 <= len(parts) <= 3:
        raise InputError(
            f"dataset: its elements have {len(parts)} parts. Give (x, y): dataset.map(...)."
        )
    x, y = parts[0], parts[1] if len(parts) > 1 else None
    for name, part in (("x", x), ("y", y)):
        if isinstance(part, dict | tuple | list):
            what = ", ".join(map(str, part)) if isinstance(part, dict) else f"{len(part)} parts"
            raise InputError(
                f"dataset: {name} of an element holds {what[:100]}; one array is needed. "
                "Choose it: dataset.map(lambda ...: (image, label))."
            )
    return _as_array(x, "x"), None if y is None else _as_array(y, "y"), len(parts) == 3


def _as_array(part: Any, name: str) -> NDArray[Any]:
    array = np.asarray(part)
    if name == "y" and array.dtype.kind == "O" and array.size:  # how TensorFlow hands over text
        if isinstance(array.flat[0], bytes):
            return np.char.decode(array.astype(np.bytes_), "utf-8", "backslashreplace")
        return array
    if array.dtype.kind not in "buif" + ("SU" if name == "y" else ""):
        raise InputError(f"dataset: {name} holds {array.dtype}; numbers are needed.")
    return array


def _fits(shape: tuple[int, ...], model: Any) -> bool:
    """Whether that is a sample of the model, but for a channel axis of one."""
    inputs: Any = getattr(model, "inputs", None) or ()
    if len(inputs) != 1:
        return False
    declared = tuple(inputs[0].shape[1:])
    wanted = [declared] + [(*declared[1:], declared[0])] * (len(declared) == 3)
    tried = [shape, (*shape, 1)] + [shape[:-1]] * (shape[-1:] == (1,))
    return any(
        len(one) == len(other)
        and all(side in (None, have) for side, have in zip(other, one, strict=True))
        for one in tried
        for other in wanted
    )


class _TensorFlow:
    """A ``tf.data.Dataset``, read from its beginning."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._count = int(dataset.cardinality())
        self._batched: bool | None = None
        self._ended = False
        self.endless = self._count == _INFINITE

    def elements(self, most: int) -> Iterator[tuple[int | None, Any]]:
        """The elements, one behind the other; at most so many, also where batches are empty."""
        for index, element in enumerate(self._iterate()):
            if index >= most:
                return
            yield None, element
        self._ended = True

    def _iterate(self) -> Iterator[Any]:
        try:
            yield from self._dataset.as_numpy_iterator()
        except TypeError as error:  # ragged and sparse tensors are no arrays
            raise InputError(
                f"dataset: its elements are no arrays ({str(error)[:200]}). Map them to dense ones."
            ) from None

    def batches(self, x: NDArray[Any], y: NDArray[Any] | None, model: Any) -> bool:
        """Whether its elements are batches; the first one decides."""
        if self._batched is None:
            whole, part = _fits(x.shape, model), x.ndim > 0 and _fits(x.shape[1:], model)
            alike = x.ndim > 0 and y is not None and y.ndim > 0 and len(x) == len(y)
            if not (whole or part) and getattr(model, "inputs", None):
                raise InputError(
                    f"dataset: its elements have the shape {x.shape}, the model takes "
                    f"{tuple(model.inputs[0].shape[1:])}. Resize the samples in dataset.map(...)."
                )
            self._batched = alike if whole == part else part
        return self._batched

    def describe(self, seen: int) -> tuple[str, ...]:
        """What was not read, in a sentence; nothing where all was."""
        if self._ended or (not self._batched and seen == self._count):
            return ()
        if self.endless:
            return (f"The dataset does not end. Its first {seen} samples were looked at.",)
        unit = "batches" if self._batched else "samples"
        whole = "" if self._count == _UNKNOWN else f" It has {self._count} {unit}."
        return (
            f"Only the first {seen} samples of the dataset were looked at.{whole} Shuffle it, or "
            "raise max_samples.",
        )


class _PyDataset:
    """A Keras ``PyDataset``, of which any batch can be asked for."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._count = dataset.num_batches
        self._read = 0
        self.endless = self._count is None

    def elements(self, most: int) -> Iterator[tuple[int | None, Any]]:
        """Where a batch begins, and the batch. All have the length of the first but the last."""
        if self._count == 0:
            return
        first = self._dataset[0]
        size = max(1, len(_take_apart(first)[0]))
        wanted = -(-most // size)
        chosen = range(wanted if self._count is None else self._count)
        if len(chosen) > wanted:
            chosen = np.unique(np.linspace(0, len(chosen) - 1, wanted).round().astype(int)).tolist()
        for index in chosen:
            self._read += 1
            yield index * size, self._dataset[index] if index else first

    def batches(self, x: NDArray[Any], y: NDArray[Any] | None, model: Any) -> bool:
        """They are, always."""
        if x.ndim < 1:
            raise InputError("dataset: x of a batch is a single number; (n, ...) is needed.")
        return True

    def describe(self, seen: int) -> tuple[str, ...]:
        """What was not read, in a sentence; nothing where all was."""
        if self._count is None:
            return (f"The dataset does not end. Its first {seen} samples were looked at.",)
        if self._read == self._count:
            return ()
        return (
            f"{self._read} of the {self._count} batches of the dataset were looked at, evenly "
            f"spaced: {seen} samples. Raise max_samples for more.",
        )


class _Reservoir:
    """Keeps a bounded, seeded draw of a stream, balanced over classes.

    Class-balancing reservoir sampling (Chrysakis and Moens 2020): while there is room, all are
    kept. After that, a sample of a class that is not the largest takes the place of a random one
    of the largest; one of a class that is or was the largest replaces one of its own with the
    chance that keeps each sample of that class equally likely.
    """

    def __init__(self, limit: int, rng: np.random.Generator) -> None:
        self._limit, self._rng = limit, rng
        self._x: NDArray[Any] | None = None
        self._y: list[Any] = []
        self._rows: list[int] = []
        self._slots: dict[Any, list[int]] = defaultdict(list)
        self._seen: Counter[Any] = Counter()
        self._full: set[Any] = set()

    def offer(self, x: NDArray[Any], y: Any, row: int) -> None:
        """Look at one sample."""
        if self._x is None:  # pages that nothing is written to take no memory
            self._x = np.empty((self._limit, *x.shape), x.dtype)
        if x.shape != self._x.shape[1:]:
            raise InputError(
                f"dataset: sample #{row} has the shape {x.shape}, the first one "
                f"{self._x.shape[1:]}. Bring them to one size in the dataset."
            )
        group = _group_of(y)
        self._seen[group] += 1
        slot = self._choose_slot(group)
        if slot is None:
            return
        self._x[slot] = x
        self._y[slot], self._rows[slot] = y, row
        self._slots[group].append(slot)

    def _choose_slot(self, group: Any) -> int | None:
        if len(self._rows) < self._limit:
            self._y.append(None)
            self._rows.append(0)
            return len(self._rows) - 1
        largest = max(self._slots, key=lambda one: len(self._slots[one]))
        if len(self._slots[group]) == len(self._slots[largest]):
            self._full.add(group)
        if group not in self._full:
            self._full.add(largest)
            victims = self._slots[largest]
            return victims.pop(int(self._rng.integers(len(victims))))
        own = self._slots[group]
        if self._rng.random() >= len(own) / self._seen[group]:
            return None
        return own.pop(int(self._rng.integers(len(own))))

    def close(self, found: int, notes: tuple[str, ...]) -> Drawn:
        """What was kept, in the order of the dataset."""
        assert self._x is not None
        order = np.argsort(self._rows)
        y = None if self._y[0] is None else np.array(self._y)[order]
        rows = np.array(self._rows, np.int64)[order]
        return Drawn(self._x[: len(order)][order], y, rows, found, notes)


def _group_of(y: Any) -> Any:
    """The class of a label; None where it has none: no label, a fraction, several classes."""
    if y is None:
        return None
    label = np.asarray(y)
    if label.ndim == 1 and label.size == 1:
        label = label[0]
    if label.ndim == 1 and np.isin(label, (0, 1)).all() and label.sum() == 1:
        return int(label.argmax())
    return label.item() if label.ndim == 0 and label.dtype.kind in "iubSU" else None
