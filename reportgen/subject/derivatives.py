"""Functions whose derivatives TensorFlow lacks, has as None or has wrong, as right ones.

They compute the same values. Only what differentiates uses them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.subject.shadowing import shadowed

Tensor = Any  # of TensorFlow, which has no types to check


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """For a while, `tf.nn.moments` and `tf.image.resize` can be differentiated as often as wanted.

    The first has a stopped gradient inside. The second has no second derivative at all (nearest,
    bicubic, area and what smooths) or None for one (bilinear), although it is linear.
    """
    with ExitStack() as stack:
        stack.enter_context(shadowed(tf.nn, "moments", _moments))
        stack.enter_context(shadowed(tf.image, "resize", partial(_resize, tf.image.resize)))
        yield


@contextmanager
def differentiable() -> Iterator[None]:
    """For a while, `tf.image.resize` by area has a derivative, which TensorFlow lacks."""
    with shadowed(tf.image, "resize", partial(_resize_by_area, tf.image.resize)):
        yield


def _resize_by_area(
    original: Any, images: Tensor, size: Any, method: str = "bilinear", **more: Any
) -> Any:
    chosen = partial(_resize, original) if method == "area" else original
    return chosen(images, size, method=method, **more)


def _moments(
    x: Tensor, axes: Any, shift: Any = None, name: str | None = None, keepdims: bool = False
) -> tuple[Tensor, Tensor]:
    """As `tf.nn.moments`, which stops the gradient of the mean inside the variance: right for first
    derivatives and wrong for second ones, of every LayerNormalization and GroupNormalization."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
    return mean if keepdims else tf.reduce_mean(x, axes), variance


def _resize(original: Any, images: Tensor, size: Any, method: str = "bilinear", **more: Any) -> Any:
    """As `tf.image.resize`: rows and columns are each multiplied by a matrix."""
    shape, fixed = images.shape, tf.get_static_value(size)
    known = shape.rank in (3, 4) and fixed is not None and None not in shape[-3:-1]
    if not known or more.get("preserve_aspect_ratio") or not images.dtype.is_floating:
        return original(images, size, method=method, **more)
    resize = partial(original, method=method, antialias=more.get("antialias", False))
    rows = tf.constant(_matrix(resize, shape[-3], int(fixed[0])), images.dtype)
    columns = tf.constant(_matrix(resize, shape[-2], int(fixed[1])), images.dtype)
    made = tf.einsum("ph,...hwc,qw->...pqc", rows, images, columns)
    return made


def _matrix(resize: Any, before: int, after: int) -> NDArray[np.float32]:
    """``(after, before)``: what resizing makes of unit vectors."""
    with tf.init_scope():
        units = tf.reshape(tf.eye(before), [before, before, 1, 1])
        return np.asarray(resize(units, (after, 1)))[:, :, 0, 0].T
