"""Gradients through ReLUs that are silent everywhere, so that a dead start can be left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import keras
import tensorflow as tf

from reportgen.subject.shadowing import shadowed

_BY_NAME = frozenset({"relu", "relu6"})
_LAYERS = frozenset({"ReLU", "Relu", "Relu6"})


@contextmanager
def redirected_rectifiers(model: keras.Model, chosen: Any = None) -> Iterator[None]:
    """While the model is called, gradients pass ReLUs that would stop all of an image's gradient.

    Where the true gradient of an image at a ReLU is zero everywhere, that part passes that would
    raise what is below zero (lucid, ``redirected_relu_grad``). Images whose gradient is not zero
    are not touched. The values themselves never change.

    chosen: ``(b,)``, the images that may have it; None: all. One branch of a network may be silent
    for an image that has a gradient through another.
    """
    with ExitStack() as stack:
        for part in _list_parts(model):
            function = part.__dict__.get("activation")
            if getattr(function, "__name__", "") in _BY_NAME:
                stack.enter_context(shadowed(part, "activation", _redirect(function, chosen)))
            elif type(part).__name__ in _LAYERS:
                stack.enter_context(shadowed(part, "call", _redirect(part.call, chosen)))
        yield


def _list_parts(model: keras.Model) -> list[Any]:
    """Layers, and the bare operations between them."""
    found = {id(part): part for part in model._flatten_layers()}
    for part in list(found.values()):
        inner = getattr(part, "_functional", None) or part
        for operation in getattr(inner, "operations", None) or ():
            found.setdefault(id(operation), operation)
    return list(found.values())


def _redirect(function: Callable[..., Any], chosen: Any) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(values: Any, *args: Any, **kwargs: Any) -> Any:
        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def rectify(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x, *args, **kwargs)

            def gradient(upstream: Any) -> Any:
                true = tape.gradient(y, x, upstream)
                rest = list(range(1, len(x.shape)))
                stopped = tf.reduce_all(true == 0, axis=rest, keepdims=True)
                # A layer may have made one row of several, or several of one.
                if chosen is not None and chosen.shape[0] == x.shape[0]:
                    stopped &= tf.reshape(chosen, (-1, *(1 for _ in rest)))
                # The engine descends on minus the objective: a negative gradient asks for more.
                raising = tf.where((x <= 0) & (upstream < 0), upstream, tf.zeros_like(upstream))
                return tf.where(stopped, raising, true)

            return y, gradient

        return rectify(values)

    return wrapper
