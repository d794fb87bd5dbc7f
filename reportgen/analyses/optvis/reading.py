"""What painted pictures do to layers and to class scores, at the size that they were painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.analyses.optvis.studio import Studio

FloatArray = NDArray[np.float32]
_AT_ONCE = 16


def read_images(
    studio: Studio, images: FloatArray, addresses: Sequence[str], *, scores: bool
) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Mean of every channel over positions, and the scores of the classes.

    Args:
        images: ``(n, h, w, c)`` in [0, 1], of any size that reaches the layers.

    Returns: address -> ``(n, channels)``; ``(n, outputs)`` before softmax or sigmoid, or None.
    """
    import tensorflow as tf

    from reportgen.optvis.cut import Cut
    from reportgen.optvis.places import Head, Place
    from reportgen.subject.probe import Tap

    head = Head(studio.subject.reading.output.index)
    taps = [Tap(address) for address in dict.fromkeys(addresses)]
    places: list[Place] = [*taps, *([head] if scores else [])]
    if not places or not len(images):
        return {}, None
    cut = Cut(studio.subject.model, places)
    size = studio.subject.probe.static_batch or min(_AT_ONCE, len(images))

    def run(batch: Any) -> list[Any]:
        values = cut.read(studio.scaling.apply(batch))
        pooled = [tf.reduce_mean(values[t], range(1, len(values[t].shape) - 1)) for t in taps]
        return [*pooled, values[head]] if scores else pooled

    spec = tf.TensorSpec([size, *images.shape[1:]], tf.float32)
    function = tf.function(run, input_signature=[spec], autograph=False).get_concrete_function()
    parts = []
    for start in range(0, len(images), size):
        rows = np.arange(start, min(len(images), start + size))
        made = function(tf.constant(images[np.resize(rows, size)]))
        parts.append([values.numpy()[: len(rows)] for values in made])
    joined = [np.concatenate(values) for values in zip(*parts, strict=True)]
    means = {tap.address: joined[i] for i, tap in enumerate(taps)}
    return means, joined[-1].reshape(len(images), -1) if scores else None
