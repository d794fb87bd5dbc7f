"""Channels that no sample changes, and that a pattern excites where one colour does not."""

from __future__ import annotations

import numpy as np


def test_a_pattern_that_no_colour_replaces_is_found(paint, stack, head, noisy):
    """A checkered filter of mean zero: any plain picture leaves it at its bias of -2, the pattern
    itself reaches 14 - 2.
    """
    from keras import layers

    model = stack(layers.Conv2D(4, 3, activation="relu", name="c1"), *head())
    kernel, bias = model.get_layer("c1").get_weights()
    sign = np.where(np.indices((3, 3)).sum(axis=0) % 2, -1.0, 1.0)
    kernel[..., 1] = (sign - sign.mean())[..., None]
    bias[1] = -2.0
    model.get_layer("c1").set_weights([kernel, bias])
    smooth = np.repeat(np.repeat(noisy((1, 1, 3)), 10, axis=1), 10, axis=2)  # plain colours
    found = paint(model, smooth)
    raw = next(layer.raw for layer in found.result.layers if layer.raw.excited.address == "c1")
    assert raw.silent == (1,)
    assert raw.causes == (None,)
