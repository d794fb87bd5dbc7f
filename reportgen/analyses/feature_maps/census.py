"""Every channel of every layer over all samples: is it finite, does it ever change, is it pinned?

The counting happens inside the traced pass, so memory does not depend on the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.probe import Tap
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
# Bounded activation functions: (lower bound, upper bound) that a value can be pinned at.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
_EDGE = 0.01  # of the range: so near a bound, sigmoid and tanh have almost no gradient


@dataclass(frozen=True)
class ChannelCensus:
    """One layer. low, high: extremes of each channel's finite values over samples and positions,
    ``(channels,)``. pinned: share of values at the bounds, ``(channels,)``; None if unbounded.
    non_finite: values that are NaN or infinite.
    """

    address: str
    low: FloatArray
    high: FloatArray
    pinned: FloatArray | None
    non_finite: int

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Channels that never changed, to float32 precision, ``(channels,)``.

        One without a single finite value is not constant: it is broken, another finding.
        """
        seen = self.low <= self.high
        size = np.maximum(np.abs(self.low), np.abs(self.high))
        return np.asarray(seen & (self.high - self.low <= 4 * np.finfo(np.float32).eps * size))


def take_census(subject: Subject) -> list[ChannelCensus]:
    """One pass over all samples."""
    from reportgen.subject.probe import Tap

    calls = [call for call in subject.probe.calls if _has_channels(call)]
    taps = [Tap(call.address) for call in calls]
    axes = {tap: 1 if call.channels_first else -1 for tap, call in zip(taps, calls, strict=True)}
    bounds = {tap: BOUNDS.get(call.activation or "") for tap, call in zip(taps, calls, strict=True)}
    # TensorFlow's fused convolution and ReLU makes zeros of NaN: look before the function too.
    taps += [Tap(c.address, "before") for c in calls if c.fused and c.activation is not None]
    totals: dict[Tap, dict[str, Any]] = {}
    reducer = _make_reducer(axes, bounds)
    batches = subject.probe.reduce(
        subject.inputs, len(subject.samples), taps, reducer, "census of channels"
    )
    for batch in batches:
        for tap, seen in zip(taps, batch, strict=True):
            totals[tap] = _add(totals.get(tap), seen)
    return [_finish(call.address, totals) for call in calls]


def _has_channels(call: LayerCall) -> bool:
    known = len(call.output_shape) >= 2 and call.output_shape[1 if call.channels_first else -1]
    return bool(known) and call.dtype.startswith(("float", "bfloat"))


def _make_reducer(axes: Mapping[Tap, int], bounds: Mapping[Tap, Any]) -> Any:
    import tensorflow as tf

    def reduce(values: Mapping[Tap, Any]) -> list[dict[str, Any]]:
        found = []
        for tap, tensor in values.items():
            if tap.stage == "before":
                found.append({"bad": _count_bad_quickly(tensor)})
                continue
            rank = tensor.shape.rank
            channel = axes[tap] % rank
            others = [axis for axis in range(rank) if axis != channel]
            seen = dict(zip(("low", "high", "bad"), _extremes(tensor, others), strict=True))
            if bounds[tap]:
                low, high = bounds[tap]
                edge = _EDGE * (high - low)
                at = (tensor <= low + edge) | (tensor >= high - edge)
                seen["pinned"] = tf.reduce_sum(tf.cast(at, tf.int64), others)
                seen["count"] = tf.size(tensor, tf.int64) // tensor.shape[channel]
            found.append(seen)
        return found

    return reduce


def _extremes(tensor: Any, axes: list[int]) -> Any:
    """Lowest and highest finite value of each channel, and how many are not finite.

    Looking at each value costs six times what the extremes alone do. A sum is finite if all its
    terms are, so only a batch whose sum is not is looked at value by value.
    """
    import tensorflow as tf

    def quick() -> Any:
        return tf.reduce_min(tensor, axes), tf.reduce_max(tensor, axes), tf.constant(0, tf.int64)

    def careful() -> Any:
        finite = tf.math.is_finite(tensor)
        low = tf.reduce_min(tf.where(finite, tensor, tensor.dtype.max), axes)
        high = tf.reduce_max(tf.where(finite, tensor, tensor.dtype.min), axes)
        return low, high, _count_bad(tensor)

    return tf.cond(tf.math.is_finite(tf.reduce_sum(tensor)), quick, careful)


def _count_bad_quickly(tensor: Any) -> Any:
    import tensorflow as tf

    return tf.cond(
        tf.math.is_finite(tf.reduce_sum(tensor)),
        lambda: tf.constant(0, tf.int64),
        lambda: _count_bad(tensor),
    )


def _count_bad(tensor: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(tf.cast(~tf.math.is_finite(tensor), tf.int64))


def _add(total: dict[str, Any] | None, seen: dict[str, Any]) -> dict[str, Any]:
    if total is None:
        return seen
    merge = {"low": np.minimum, "high": np.maximum}
    return {key: merge.get(key, np.add)(total[key], seen[key]) for key in seen}


def _finish(address: str, totals: Mapping[Tap, dict[str, Any]]) -> ChannelCensus:
    from reportgen.subject.probe import Tap

    total, before = totals[Tap(address)], totals.get(Tap(address, "before"))
    pinned = total["pinned"] / max(1, int(total["count"])) if "pinned" in total else None
    return ChannelCensus(
        address,
        np.asarray(total["low"], np.float64),
        np.asarray(total["high"], np.float64),
        pinned,
        max(int(total["bad"]), int(before["bad"]) if before else 0),
    )
