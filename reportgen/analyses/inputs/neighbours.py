"""A second opinion on labels: what the samples that the model sees alike are labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.probe import Tap
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
Ints = NDArray[np.int64]
NEIGHBOURS = 10
_PASSING_ON = ("Activation", "Softmax", "Flatten", "Dropout", "Reshape")


@dataclass(frozen=True)
class _Means:
    """A reducer that is equal by value: the mean of each channel over positions, ``(b, c)``."""

    axis: int

    def __call__(self, values: Mapping[Tap, Any]) -> Any:
        import tensorflow as tf

        (tensor,) = values.values()
        return tf.reduce_mean(tensor, [i for i in range(1, tensor.shape.rank) if i != self.axis])


def read_representation(subject: Subject) -> FloatArray | None:
    """What the layer before the output makes of every sample, ``(n, channels)``; None without."""
    from reportgen.subject.probe import Tap

    calls = subject.probe.calls
    address = subject.reading.output.address
    if address is None:
        return None
    # Back over what only passes on, to the layer that makes the scores, and over what is before it.
    maker = _back(calls, calls.index(subject.probe.call(address)))
    if maker < 0 or len(calls[maker].inputs) != 1:
        return None
    place = _back(calls, calls[maker].inputs[0])
    if place < 0 or not calls[place].per_sample:
        return None
    call = calls[place]
    parts = subject.probe.reduce(
        subject.inputs,
        len(subject.samples),
        [Tap(call.address)],
        _Means(call.channel_axis),
        "reading the last representation",
    )
    return np.concatenate(list(parts)).astype(np.float64)


def count_told(features: FloatArray, labels: Ints) -> int:
    """Samples whose label is the most frequent one among their `NEIGHBOURS` nearest others."""
    from sklearn.neighbors import KNeighborsClassifier

    centred = features - features.mean(axis=0)
    # Each sample is its own nearest; it is asked for and left out.
    count = min(NEIGHBOURS, len(features) - 1) + 1
    search = KNeighborsClassifier(n_neighbors=count, metric="cosine").fit(centred, labels)
    near = search.kneighbors(centred, return_distance=False)
    told = 0
    for row, others in enumerate(near):
        votes = np.bincount(labels[others[others != row][: count - 1]])
        told += int(votes.argmax() == labels[row])
    return told


def _back(calls: Sequence[LayerCall], place: int) -> int:
    """The first call at or before ``place`` that does not only pass values on; -1: the input."""
    while place >= 0 and calls[place].class_name in _PASSING_ON and len(calls[place].inputs) == 1:
        (place,) = calls[place].inputs
    return place


def count_votes(features: FloatArray, labels: Ints, rows: Ints, classes: Ints) -> Ints:
    """Of the nearest samples of each of ``rows``, how many are labelled as ``classes`` says.

    Nearest by cosine, features less their mean; `NEIGHBOURS`, or as many others as there are.
    """
    from sklearn.neighbors import NearestNeighbors

    centred = features - features.mean(axis=0)
    count = min(NEIGHBOURS, len(features) - 1)
    search = NearestNeighbors(n_neighbors=count + 1, metric="cosine").fit(centred)
    near = search.kneighbors(centred[rows], return_distance=False)
    votes = np.zeros(len(rows), np.int64)
    for i, row in enumerate(rows):
        others = near[i][near[i] != row][:count]
        votes[i] = int((labels[others] == classes[i]).sum())
    return votes
