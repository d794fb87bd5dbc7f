"""Pictures of classes: what raises a class' score, before softmax or sigmoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.analyses.optvis.studio import Studio
    from reportgen.optvis.images import OptimizedImages
    from reportgen.optvis.objective import Objective
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]
SCORES = "class scores"  # stands where the address of a layer stands for units


@dataclass(frozen=True)
class RawClasses:
    """Images of chosen classes. chosen: their positions. left: how many are not painted."""

    chosen: tuple[int, ...]
    left: int
    optimised: OptimizedImages


def choose_classes(subject: Subject, most: int) -> tuple[tuple[int, ...], int]:
    """Classes to paint: all, or those that the model answers most often, in their own order."""
    classes = subject.reading.classes or (
        subject.reading.output.units if subject.reading.task == "regression" else 0
    )
    if classes <= most:
        return tuple(range(classes)), 0
    answers = np.bincount(_answers(subject), minlength=classes)
    ranked = np.argsort(-answers, kind="stable")[:most]
    return tuple(sorted(int(i) for i in ranked)), classes - most


def _answers(subject: Subject) -> NDArray[np.int64]:
    if subject.reading.classes:
        return np.asarray(subject.probabilities.argmax(axis=1))
    return np.asarray(subject.raw_outputs.reshape(len(subject.samples), -1).argmax(axis=1))


def class_objective(subject: Subject, chosen: tuple[int, ...]) -> Objective:
    """The scores of classes; of two classes behind one unit, the unit and its opposite."""
    from reportgen.optvis.objectives import logit, signed_logit

    index = subject.reading.output.index
    if subject.reading.task in ("binary", "binary_logit"):
        return signed_logit([0] * len(chosen), [1.0 if c == 1 else -1.0 for c in chosen], index)
    return logit(chosen, output=index)


def paint_classes(studio: Studio, most: int, seconds: float) -> RawClasses | None:
    """Paint the chosen classes; None where the output is no list of classes or numbers."""
    chosen, left = choose_classes(studio.subject, most)
    if not chosen:
        return None
    optimised = studio.paint(class_objective(studio.subject, chosen), seconds)
    return RawClasses(chosen, left, optimised)


def read_scores(subject: Subject, inputs: Any, count: int) -> FloatArray:
    """Scores of all classes before softmax or sigmoid, ``(count, classes)``.

    Args:
        inputs: positions -> scaled samples ``(b, ...)``.
    """
    import tensorflow as tf

    from reportgen.optvis.cut import Cut
    from reportgen.optvis.places import Head

    probe, head = subject.probe, Head(subject.reading.output.index)
    cut = Cut(subject.model, [head])
    size = probe.static_batch or min(probe.batch_size([]), max(count, 1))
    spec = tf.TensorSpec([size, *subject.input.shape], tf.float32)
    run = tf.function(lambda x: cut.read(x)[head], input_signature=[spec], autograph=False)
    run = run.get_concrete_function()
    parts = []
    for start in range(0, count, size):
        rows = np.arange(start, min(count, start + size))
        batch = inputs(np.resize(rows, size))
        parts.append(run(tf.constant(batch, tf.float32)).numpy()[: len(rows)])
    return as_class_scores(subject, np.concatenate(parts).reshape(count, -1))


def as_class_scores(subject: Subject, scores: FloatArray) -> FloatArray:
    """Scores ``(n, outputs)`` as one a class: a single sigmoid speaks for two."""
    if subject.reading.task in ("binary", "binary_logit"):
        return np.concatenate([-scores[:, :1], scores[:, :1]], axis=1)
    return np.asarray(scores, np.float32)
