"""Where a tensor has its channels, which no tensor of TensorFlow says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from reportgen.subject.layer_kinds import kind_of, moved_axes

Shape = tuple[int | None, ...]


def find_channel_axis(
    layer: Any, made: Shape, sources: Sequence[tuple[Shape, int]], given: Shape = ()
) -> int:
    """Axis of the channels in what ``layer`` made, the batch counted as 0.

    The layer's own words come first, then its sources of the same rank; the last axis otherwise.

    Args:
        made: shape of the output. given: shape of the first input.
        sources: shape and channel axis of what feeds the layer.
    """
    rank = len(made)
    if rank <= 2:
        return max(rank - 1, 0)
    stated = _read_stated(layer, rank)
    if stated is not None:
        return stated
    if kind_of(layer) in ("permute", "reshape"):
        axes = moved_axes(layer, given, made) or {}
        return next((axes[a] for s, a in sources if s == given and a in axes), rank - 1)
    # A gate of one value a channel says less than the map that it weighs.
    alike = [axis for shape, axis in sources if shape == made]
    near = [axis for shape, axis in sources if len(shape) == rank]
    return (alike or near or [rank - 1])[0]


def _read_stated(layer: Any, rank: int) -> int | None:
    if isinstance(layer, keras.layers.TimeDistributed):
        inner = _read_stated(layer.layer, rank - 1)
        return None if inner is None else inner + 1
    layer = getattr(layer, "layer", layer)
    word = getattr(layer, "data_format", None)
    if word in ("channels_first", "channels_last"):
        return 1 if word == "channels_first" else rank - 1
    if isinstance(layer, keras.layers.BatchNormalization | keras.layers.GroupNormalization):
        return int(layer.axis) % rank
    on_last = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.RNN)
    return rank - 1 if isinstance(layer, (*on_last, keras.layers.Embedding)) else None


def find_input_axis(model: Any, rank: int) -> int:
    """Axis of the channels in the model's input: where its first layer that says so has them."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Permute):
            break  # a model that turns its input over first
        stated = getattr(layer, "data_format", None)
        if stated in ("channels_first", "channels_last"):
            return 1 if stated == "channels_first" and rank > 2 else max(rank - 1, 0)
    return max(rank - 1, 0)
