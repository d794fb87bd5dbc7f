"""What leaves the traced pass for each layer: a few numbers a channel, never the maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from reportgen.subject.census.plan import Reading
    from reportgen.subject.probe import Tap

# Bounded activation functions: (lower bound, upper bound) that a value can be pinned at.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
_EDGE = 0.01  # of the range: so near a bound, sigmoid and tanh have almost no gradient


def list_taps(readings: Sequence[Reading]) -> list[Tap]:
    """Where to read: each call that does not follow from another.

    TensorFlow's fused convolution and ReLU makes zeros of NaN, so a fused layer is also looked at
    before its activation function.
    """
    from reportgen.subject.probe import Tap

    read = [r.call for r in readings if r.is_read]
    before = [c for c in read if c.fused and c.activation is not None]
    return [Tap(c.address) for c in read] + [Tap(c.address, "before") for c in before]


def make_reducer(readings: Sequence[Reading], *, careful: bool = False) -> Any:
    """A reducer for `Probe.reduce`: one dictionary of tensors for each tap.

    careful: leave out values that are NaN or infinite and count them. Looking at each value costs
    six times what sums alone do, so only a batch whose sums are not finite is read carefully.
    """
    by_address = {reading.call.address: reading for reading in readings}

    def reduce(values: Mapping[Tap, Any]) -> list[dict[str, Any]]:
        return [
            _look_before(tensor, by_address[tap.address], careful)
            if tap.stage == "before"
            else _read(tensor, by_address[tap.address], careful)
            for tap, tensor in values.items()
        ]

    return reduce


def all_finite(batch: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every sum of a batch is finite, and so every value."""
    return all(
        np.isfinite(seen[name]).all()
        for seen in batch
        for name in ("sums", "sum", "values")
        if name in seen
    )


def _look_before(tensor: Any, reading: Reading, careful: bool) -> dict[str, Any]:
    import tensorflow as tf

    if careful:
        return {"bad": _count_bad(tensor, _other_axes(tensor, reading))}
    return {"sum": tf.reduce_sum(tensor)}


def _other_axes(tensor: Any, reading: Reading) -> list[int]:
    """All axes but the channels': of the samples and of the positions."""
    channel = reading.call.channel_axis % tensor.shape.rank
    return [axis for axis in range(tensor.shape.rank) if axis != channel]


def _read(tensor: Any, reading: Reading, careful: bool) -> dict[str, Any]:
    """As few numbers as possible: each costs one reading of the maps.

    The Euclidean norm is one reduction in TensorFlow; squares and then a sum would write the maps
    out again.
    """
    import tensorflow as tf

    every = _other_axes(tensor, reading)
    places = every[1:]
    low, high, values = _finite(tensor) if careful else (tensor, tensor, tensor)
    seen = {
        "samples": tf.shape(tensor)[0],
        # Values a channel in this batch: the product of the sides that are not the channel's.
        "count": tf.size(tensor, tf.int64) // tensor.shape[reading.call.channel_axis],
    }
    if careful:
        seen["bad"] = _count_bad(tensor, every)
    if not places:
        seen["values"] = tensor  # there is nothing to sum up within a sample
    else:
        # Sample by sample: float32 sums over a whole batch lose the fourth digit.
        seen["norm"] = tf.math.reduce_euclidean_norm(values, places)
        if not reading.follows_low:
            seen["low"] = tf.reduce_min(low, every)
        if reading.kind == "unit":
            seen["peaks"] = tf.reduce_max(high, places)
            seen["sums"] = tf.reduce_sum(values, places)
        else:
            seen["high"] = tf.reduce_max(high, every)
            seen["sum"] = tf.reduce_sum(values, places)
    if bounds := BOUNDS.get(reading.call.activation or ""):
        edge = _EDGE * (bounds[1] - bounds[0])
        pinned = (tensor <= bounds[0] + edge) | (tensor >= bounds[1] - edge)
        seen["pinned"] = tf.reduce_sum(tf.cast(pinned, tf.float32), places)
    if reading.counts_zeros:
        seen["positive"] = tf.reduce_sum(tf.sign(values), places)
    return seen


def _finite(tensor: Any) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    finite = tf.math.is_finite(tensor)
    low = tf.where(finite, tensor, tensor.dtype.max)
    return low, tf.where(finite, tensor, tensor.dtype.min), tf.where(finite, tensor, 0)


def _count_bad(tensor: Any, axes: list[int]) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(tf.cast(~tf.math.is_finite(tensor), tf.int64), axes)
