"""The scores behind probabilities: what goes into the last softmax or sigmoid."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any  # of TensorFlow, which has no types to check

_SQUASHING = frozenset({"Softmax", "Sigmoid", "LogSoftmax"})
# Of a probability that its scores cannot be found behind: as far as float32 can tell from 0 and 1.
_LEAST = 1e-7
_PASSING = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient"})


def scores_behind(output: Tensor) -> Tensor | None:
    """What goes into the softmax or sigmoid that made ``output``, in the shape of ``output``.

    The graph is walked back, so it does not matter whether a layer, an activation or a bare
    operation made the probabilities. None if neither did, or if a closed function hides it.
    """
    tensor = output
    while tensor.op.type in _PASSING:
        tensor = tensor.op.inputs[0]
    if tensor.op.type not in _SQUASHING:
        return None
    return tf.reshape(tensor.op.inputs[0], tf.shape(output))


def is_closed(output: Tensor) -> bool:
    """Whether ``output`` comes out of a function that cannot be looked into."""
    tensor = output
    while tensor.op.type in _PASSING:
        tensor = tensor.op.inputs[0]
    return bool(tensor.op.type.endswith("PartitionedCall"))


def find_scores(output: Tensor) -> Tensor:
    """What goes into the last softmax or sigmoid; ``output`` itself if it comes from neither.

    The graph is walked back, so it does not matter whether a layer, an activation or a bare
    operation made the probabilities. Where they come out of a closed function, their log-odds.
    """
    scores = scores_behind(output)
    if scores is not None:
        return tf.cast(scores, tf.float32)
    if is_closed(output):
        inside = tf.clip_by_value(output, _LEAST, 1 - _LEAST)
        is_probability = tf.reduce_all((output >= 0) & (output <= 1))
        return tf.where(is_probability, tf.math.log(inside) - tf.math.log1p(-inside), output)
    return output
