"""Which samples and which layers are shown, by a stated rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.outputs import CLASSIFICATION

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject

_VECTORS = 64
_STANDALONE = frozenset(
    {
        "Activation",
        "Bidirectional",
        "ELU",
        "GRU",
        "LSTM",
        "LeakyReLU",
        "PReLU",
        "RNN",
        "ReLU",
        "SimpleRNN",
        "Softmax",
    }
)
_PARTS = ("Attention", "Conv", "Dense", "Embedding", "Pooling")
DRAWN = (2, 3, 4)  # axes of an output that is drawn, the batch among them


@dataclass(frozen=True)
class ChosenSample:
    """A sample and why it was chosen. actual, predicted: None where they do not apply."""

    row: int
    name: str
    why: str
    actual: str | None
    predicted: str | None
    right: bool | None


def choose_samples(
    subject: Subject, most: int, rng: np.random.Generator
) -> tuple[tuple[ChosenSample, ...], int]:
    """One sample a class, drawn with the seed, and the most confident mistake.

    Returns: the mistake first, then the classes in order; how many classes were left out.
    """
    values = subject.labels.values
    count = len(subject.samples)
    if subject.reading.task not in CLASSIFICATION or values is None:
        if subject.input.kind == "image":
            rows, why = np.sort(rng.permutation(count)[:most]), "drawn"
        else:
            rows, why = _draw_vectors(subject, rng.permutation(count)[:_VECTORS])
        return tuple(_describe(subject, int(row), why) for row in rows), 0
    present = np.unique(values)
    kept = present if len(present) <= most else np.sort(rng.permutation(present)[:most])
    rows = np.array([rng.choice(np.flatnonzero(values == value)) for value in kept])
    chosen = [_describe(subject, int(row), "drawn for its class") for row in rows]
    worst = _worst_mistake(subject)
    if worst is not None:
        chosen = [_describe(subject, worst, "the most confident mistake")] + [
            sample for sample in chosen if sample.row != worst
        ]
    return tuple(chosen), len(present) - len(kept)


def _draw_vectors(subject: Subject, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], str]:
    """Rows in an order that makes a picture: by the input if it is one number."""
    if subject.input.shape != (1,):
        return np.sort(rows), "in the order of the data"
    return rows[np.argsort(subject.samples.pixels[rows].ravel())], "by rising input"


def _worst_mistake(subject: Subject) -> int | None:
    values, probabilities = subject.labels.values, subject.probabilities
    finite = np.isfinite(probabilities).all(axis=1)
    wrong = np.flatnonzero(finite & (probabilities.argmax(axis=1) != values))
    if not len(wrong):
        return None
    return int(wrong[probabilities[wrong].max(axis=1).argmax()])


def _describe(subject: Subject, row: int, why: str) -> ChosenSample:
    values, classes = subject.labels.values, subject.labels.classes
    name = subject.samples.names[row]
    if not classes:
        return ChosenSample(row, name, why, None, None, None)
    predicted = int(np.nan_to_num(subject.probabilities[row]).argmax())
    if values is None:
        return ChosenSample(row, name, why, None, classes[predicted], None)
    right = predicted == values[row]
    return ChosenSample(row, name, why, classes[values[row]], classes[predicted], bool(right))


def choose_layers(
    subject: Subject, most: int, axes: tuple[int, ...] = DRAWN
) -> tuple[list[LayerCall], int]:
    """Every layer that makes something of its input, such as convolutions, but the output.

    Where there are more than ``most``, they are spread evenly over the depth.

    Args:
        axes: how many an output may have, the batch among them.

    Returns: the calls in order of execution; how many were left out.
    """
    outputs = {position for group in subject.probe.output_calls for position in group}
    calls = [
        call
        for position, call in enumerate(subject.probe.calls)
        if position not in outputs and _is_shown(call, axes)
    ]
    if not calls:  # a single layer: its output is all there is
        calls = [c for c in subject.probe.calls if _is_shown(c, axes)]
    if len(calls) <= most:
        return calls, 0
    kept = sorted({round(i) for i in np.linspace(0, len(calls) - 1, most)})
    return [calls[i] for i in kept], len(calls) - len(kept)


def _is_shown(call: LayerCall, axes: tuple[int, ...]) -> bool:
    name = call.class_name
    kinds = any(part in name for part in _PARTS) or name in _STANDALONE
    return (
        call.per_sample
        and kinds
        and len(call.output_shape) in axes
        and call.dtype.startswith(("float", "bf"))
    )
