"""Kernels that are stored as whole numbers, as the numbers that they stand for.

Keras keeps them in several ways (int8 with a scale a filter, int4 packed in pairs with scales and
zero points a block, tables for AWQ and GPTQ). A layer without its bias and activation function is
linear in its kernel, so what it answers to unit vectors is its kernel, whatever the way.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.channel_weights import split_equation

FloatArray = NDArray[np.float32]


def is_quantised(owner: Any) -> bool:
    """Whether a layer keeps its kernel as whole numbers."""
    return getattr(owner, "quantization_mode", None) not in (None, "float8")


def read_kernel(owner: Any) -> FloatArray | None:
    """The kernel in floating point, in the shape that it had before; None for unknown layers."""
    import keras

    if isinstance(owner, keras.layers.Embedding):
        return np.asarray(owner(np.arange(owner.input_dim)), np.float32)
    if isinstance(owner, keras.layers.Dense):
        return _answer_linearly(owner, np.eye(owner.input_spec.axes[-1], dtype=np.float32))
    if isinstance(owner, keras.layers.EinsumDense):
        return _read_einsum(owner)
    return None


def _answer_linearly(owner: Any, inputs: FloatArray) -> FloatArray:
    from reportgen.subject.shadowing import shadowed

    with ExitStack() as stack:
        stack.enter_context(shadowed(owner, "bias", None))
        stack.enter_context(shadowed(owner, "activation", None))
        return np.asarray(owner.quantized_call(np.asarray(inputs)), np.float32)


def _read_einsum(owner: Any) -> FloatArray | None:
    """Unit vectors over the letters that are summed, ones over those that the kernel shares."""
    given, kernel, made = split_equation(owner.equation)
    if "." in owner.equation or given[0] in kernel:
        return None
    before = getattr(owner, "original_kernel_shape", owner.kernel.shape)  # int4 packs two into one
    sides = dict(zip(kernel, before, strict=True))
    summed = [letter for letter in given if letter in kernel and letter not in made]
    count = int(np.prod([sides[letter] for letter in summed]))
    shape = [sides[letter] if letter in summed else 1 for letter in given[1:]]
    inputs = np.eye(count, dtype=np.float32).reshape(count, *shape)
    whole = [sides.get(letter, 1) for letter in given[1:]]
    answers = _answer_linearly(owner, np.broadcast_to(inputs, (count, *whole)).copy())
    # (count, letters of the output): the first letter becomes those that are summed.
    rows = [0 if letter not in kernel else slice(None) for letter in made[1:]]
    letters = [letter for letter in made[1:] if letter in kernel]
    found = answers[(slice(None), *rows)].reshape(
        *(sides[letter] for letter in summed), *(sides[letter] for letter in letters)
    )
    order = [*summed, *letters]
    return np.ascontiguousarray(found.transpose([order.index(letter) for letter in kernel]))
