"""Tracing that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leaving_no_gradients() -> Iterator[None]:
    """Forget the gradients that `tf.custom_gradient` registers while a function is traced.

    TensorFlow keeps each for ever, and with it the whole graph and its constants. They are looked
    up while gradients are made, which is over when the function is traced.
    """
    from tensorflow.python.framework import ops

    known = getattr(ops.gradient_registry, "_registry", {})
    before = set(known)
    try:
        yield
    finally:
        for name in set(known) - before:
            if name.startswith("CustomGradient-"):
                del known[name]
