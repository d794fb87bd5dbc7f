"""Nothing of a finished call is kept: no graph, no constants."""

from __future__ import annotations

from tensorflow.python.framework import ops

from reportgen import optvis
from reportgen.optvis.recipes import find_recipe

from .conftest import convnet


def test_no_gradient_stays_registered():
    """TensorFlow keeps what `tf.custom_gradient` registers, and the graph with it, for ever."""
    before = set(ops.gradient_registry.list())
    brief = find_recipe("default", side=24).but(stages=(optvis.Stage(2),))  # turns: an own gradient
    optvis.visualize(convnet(), optvis.channel("second", [0, 1]), recipe=brief)
    kept = set(ops.gradient_registry.list()) - before
    assert not [name for name in kept if name.startswith("CustomGradient-")]
