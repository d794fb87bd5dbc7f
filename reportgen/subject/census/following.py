"""What is known of a layer from the one beside it, without reading it."""

from __future__ import annotations

from typing import Any

import numpy as np

from reportgen.subject.census.channels import ChannelCensus, FloatArray
from reportgen.subject.census.plan import Reading

_EPSILON = float(np.finfo(np.float32).eps)
_MOST_ROUNDING = 1e-3


def follow(reading: Reading, known: ChannelCensus) -> ChannelCensus:
    """The census of a layer that is linear, channel by channel, in the ``known`` one.

    Behind a BatchNormalization of almost no scale rounding hides what was before it: those
    channels are NaN.
    """
    scale, shift = _line(reading, len(known.low))
    hidden = np.zeros(len(scale), bool)
    if reading.kind == "before_norm":
        hidden = _is_hidden(known, scale, shift)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale, shift = 1 / scale, -shift / scale
        scale, shift = np.where(hidden, np.nan, scale), np.where(hidden, np.nan, shift)
    ends = np.stack([scale * known.low + shift, scale * known.high + shift])
    empty = known.low > known.high  # not one finite value
    return ChannelCensus(
        address=reading.call.address,
        mean=scale * known.mean + shift,
        spread=np.abs(scale) * known.spread,
        low=np.where(empty, known.low, ends.min(axis=0)),
        high=np.where(empty, known.high, ends.max(axis=0)),
        zeros=known.zeros if reading.kind == "same" else None,
        pinned=None,
        non_finite=known.non_finite,
    )


def _is_hidden(known: ChannelCensus, scale: FloatArray, shift: FloatArray) -> Any:
    """Channels where rounding is more than a thousandth of what the layer's channels span."""
    size = np.maximum(np.maximum(np.abs(known.low), np.abs(known.high)), np.abs(shift))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spans = (known.high - known.low) / np.abs(scale)
        rounding = _EPSILON * size / np.abs(scale)
    varying = spans[np.isfinite(spans) & (spans > 0)]
    usual = float(np.median(varying)) if len(varying) else 1.0
    return (scale == 0) | (rounding > usual * _MOST_ROUNDING)


def _line(reading: Reading, channels: int) -> tuple[FloatArray, FloatArray]:
    """Scale and shift of each channel; BatchNormalization at rest (Ioffe & Szegedy 2015)."""
    if reading.norm is None:
        return np.ones(channels), np.zeros(channels)
    layer = reading.norm
    mean, variance = np.asarray(layer.moving_mean, float), np.asarray(layer.moving_variance, float)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * np.asarray(layer.gamma, float)
    shift = -mean * scale
    return scale, shift + (0 if layer.beta is None else np.asarray(layer.beta, float))
