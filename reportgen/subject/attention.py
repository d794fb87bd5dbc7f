"""Attention maps of Keras' attention layers, caught while the layer computes.

Keras takes a fused path that never makes the probabilities, unless they are asked for. Here the
layer computes as it always does, and its method that can make them is asked once more: what the
layer returns stays the same to the last bit, and TensorFlow leaves out of the graph what nobody
reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

Tensor = Any
_METHODS = (
    (keras.layers.MultiHeadAttention, "_compute_attention"),
    (keras.layers.GroupQueryAttention, "_compute_attention"),
    (keras.layers.Attention, "_apply_scores"),
)


def attention_method(layer: Any) -> str | None:
    """Name of the method that makes the probabilities; None if there is none of Keras' own."""
    for kind, name in _METHODS:
        if isinstance(layer, kind) and getattr(type(layer), name) is getattr(kind, name):
            return name
    return None


@contextmanager
def watch_attention(layer: Any, keep: Callable[[Tensor], None]) -> Iterator[None]:
    """Hand the probabilities ``(n, heads, queries, keys)`` to ``keep`` while ``layer`` is called.

    Each row over the keys sums to one. Several axes of queries are flattened; axes that
    attention does not run along stand between heads and queries.
    """
    name = attention_method(layer)
    if name is None:
        yield
        return
    original, before = getattr(layer, name), layer.__dict__.get(name)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        output, scores = original(*args, **kwargs)
        if scores is None:
            keep(_arrange(layer, _ask_for_scores(layer, original, args, kwargs)))
        else:
            keep(_arrange(layer, scores))
        return output, scores

    # See `Listener._replace`: an entry in the instance's dictionary hides the method.
    layer.__dict__[name] = wrapper
    try:
        yield
    finally:
        if before is None:
            del layer.__dict__[name]
        else:
            layer.__dict__[name] = before


def _ask_for_scores(
    layer: Any, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tensor:
    given = inspect.signature(original).bind(*args, **kwargs)
    if "return_attention_scores" in inspect.signature(original).parameters:
        given.arguments["return_attention_scores"] = True
        return original(*given.args, **given.kwargs)[1]
    # Grouped-query attention keeps the wish as an attribute.
    before = layer.__dict__["_return_attention_scores"]
    layer.__dict__["_return_attention_scores"] = True
    try:
        return original(*args, **kwargs)[1]
    finally:
        layer.__dict__["_return_attention_scores"] = before


def _arrange(layer: Any, scores: Tensor) -> Tensor:
    """From ``(n, others, heads, queries, keys)`` with several axes of queries and of keys."""
    if not isinstance(layer, keras.layers.MultiHeadAttention):
        return scores if scores.shape.rank == 4 else scores[:, None]
    along = len(layer.attention_axes)
    rank = scores.shape.rank
    heads = rank - 2 * along - 1
    scores = tf.transpose(scores, [0, heads, *range(1, heads), *range(heads + 1, rank)])
    sides = [side or tf.shape(scores)[i] for i, side in enumerate(scores.shape.as_list())]
    queries, keys = sides[-2 * along : -along], sides[-along:]
    return tf.reshape(scores, [*sides[: -2 * along], _product(queries), _product(keys)])


def _product(sides: list[Any]) -> Any:
    product = sides[0]
    for side in sides[1:]:
        product = product * side
    return product
