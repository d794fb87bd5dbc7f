"""Do the stored statistics of BatchNormalization describe the samples?

A network that answers well by the statistics of its samples and badly by those it has stored was
trained with too few steps, on other data, or in training mode: its weights are good, its moving
means and variances are not. Every answer of inference mode uses the stored ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.inputs.asking import Asking, read_classes
from reportgen.analyses.inputs.paired import Paired, compare
from reportgen.analyses.inputs.wording import LATE
from reportgen.progress import track

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
_MOST_AT_ONCE, _FEWEST_AT_ONCE = 128, 16
# Of a layer's channels, half or more are so many stored deviations away, or as many times e wider
# or narrower: what its samples make is not what is stored.
FAR = 0.6  # published networks stay below .57
_START = 0.2  # of a deviation of 1: what a few steps with a momentum of .99 move
_NO_NORMS = "The model has no BatchNormalization."
_HIDDEN = (
    "{} BatchNormalization layers stand inside layers of a class of its own, which are not looked "
    "into."
)
_ONE_SIZE = "The model takes batches of one size only."
Seen = list[tuple[int, Mapping[str, tuple[FloatArray, FloatArray]]]]


@dataclass(frozen=True)
class Strayed:
    """One BatchNormalization: how far what reaches it is from what it has stored.

    distance: median over channels of the larger of |mean - stored| / stored deviation and
    |log(deviation / stored deviation)|.
    """

    address: str
    distance: float


@dataclass(frozen=True)
class StoredStatistics:
    """layers: in order, with the samples passing as the audit asks, by stored statistics. paired:
    right answers by those and by the statistics of batches of samples. at_once: samples a batch.
    missing: why nothing was asked, empty if something was."""

    layers: tuple[Strayed, ...] = ()
    paired: Paired | None = None
    at_once: int = 0
    missing: str = ""

    @property
    def first(self) -> Strayed | None:
        """The first layer that is `FAR` from what it has stored."""
        return next((layer for layer in self.layers if layer.distance > FAR), None)

    @property
    def farthest(self) -> Strayed:
        """The layer that is farthest from what it has stored; there is one if any was asked."""
        return max(self.layers, key=lambda layer: layer.distance)


def compare_statistics(asking: Asking, rng: np.random.Generator) -> StoredStatistics:
    """Ask the samples once more, each BatchNormalization by the statistics of its batch."""
    from reportgen.subject.batch_statistics import count_hidden, list_norms

    subject = asking.subject
    norms = list_norms(subject.probe.calls)
    hidden = count_hidden(subject.model, norms)
    if hidden:
        return StoredStatistics(missing=_HIDDEN.format(hidden))
    if not norms:
        return StoredStatistics(missing=_NO_NORMS)
    if asking.late:
        return StoredStatistics(missing=LATE)
    if subject.probe.static_batch:
        return StoredStatistics(missing=_ONE_SIZE)
    count = len(asking.rows)
    if count < _FEWEST_AT_ONCE:
        missing = f"{count} samples are too few: their statistics take {_FEWEST_AT_ONCE} or more."
        return StoredStatistics(missing=missing)
    at_once = min(count, _MOST_AT_ONCE, max(subject.probe.batch_size(()), _FEWEST_AT_ONCE))
    # Neighbours are of one class: a batch of one class has other statistics than all samples.
    order = rng.permutation(count)
    parts = np.array_split(order, max(count // at_once, 1))
    answers = np.empty(count, np.int64)
    own, stored = (trace_norms(subject, norms, own=mode) for mode in (True, False))
    seen: Seen = []
    for part in track(parts, "by statistics of the samples"):
        inputs = subject.inputs(asking.rows[part])
        raw, _ = own(inputs)
        answers[part] = read_classes(subject, raw)
        seen.append((len(part), stored(inputs)[1]))
    layers = tuple(Strayed(a, measure_distance(call, a, seen)) for a, call in norms.items())
    paired = None
    if asking.targets is not None:
        paired = compare(asking.right, answers == asking.targets)
    return StoredStatistics(layers, paired, min(len(part) for part in parts))


def trace_norms(subject: Subject, norms: Mapping[str, LayerCall], *, own: bool) -> Any:
    """A function of scaled inputs: the audited output, and by address the mean and variance of
    each channel before its BatchNormalization."""
    import tensorflow as tf

    from reportgen.subject.at_rest import answer
    from reportgen.subject.batch_statistics import normalise_by_batch
    from reportgen.subject.layers import Listener

    def forward(inputs: Any) -> Any:
        moments: dict[str, Any] = {}

        instead = normalise_by_batch(norms, moments, own=own)
        listener = Listener(subject.model, instead=instead)
        with listener.listening([inputs]):
            outputs = answer(subject.model, inputs)
        return tf.cast(outputs[subject.reading.output.index], tf.float32), moments

    spec = tf.TensorSpec([None, *subject.input.shape], subject.model.inputs[0].dtype)
    traced = tf.function(forward, input_signature=[spec], autograph=False).get_concrete_function()

    def run(inputs: Any) -> tuple[Any, dict[str, tuple[FloatArray, FloatArray]]]:
        raw, moments = traced(tf.cast(inputs, spec.dtype))
        read = {
            address: (mean.numpy().astype(np.float64), variance.numpy().astype(np.float64))
            for address, (mean, variance) in moments.items()
        }
        return raw.numpy(), read

    return run


def is_near_start(call: LayerCall) -> bool:
    """Whether a layer's stored statistics still look as before the training: 0 and 1."""
    mean = np.asarray(call.layer.moving_mean, np.float64)
    deviation = np.sqrt(np.asarray(call.layer.moving_variance, np.float64))
    return bool(np.median(np.abs(mean)) < _START and np.median(np.abs(deviation - 1)) < _START)


def measure_distance(
    call: LayerCall,
    address: str,
    seen: Seen,
) -> float:
    """See `Strayed.distance`; over all batches together."""
    weights = np.array([float(size) for size, _ in seen])[:, None]
    means = np.stack([moments[address][0] for _, moments in seen])
    variances = np.stack([moments[address][1] for _, moments in seen])
    mean = (weights * means).sum(axis=0) / weights.sum()
    spread = (weights * (variances + (means - mean) ** 2)).sum(axis=0) / weights.sum()
    layer = call.layer
    stored = np.asarray(layer.moving_mean, np.float64)
    deviation = np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    away = np.abs(mean - stored) / deviation
    wider = np.abs(np.log(np.sqrt(spread + layer.epsilon) / deviation))
    return float(np.median(np.maximum(away, wider)))
