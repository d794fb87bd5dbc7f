"""Changes to layers that last for a while and leave no trace."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

HALF = ("float16", "bfloat16")


@contextmanager
def shadowed(part: Any, name: str, value: Any) -> Iterator[None]:
    """An entry in the instance's dictionary, for a while; Keras' tracking does not see it."""
    missing = object()
    before = part.__dict__.get(name, missing)
    part.__dict__[name] = value
    try:
        yield
    finally:
        if before is missing:
            del part.__dict__[name]
        else:
            part.__dict__[name] = before


def _parts(model: keras.Model) -> list[Any]:
    """All layers and models, with the graph that a Sequential keeps beside its layers."""
    layers = model._flatten_layers()
    return [part for layer in layers for part in (layer, getattr(layer, "_functional", None))]


@contextmanager
def computing_in_double(model: keras.Model) -> Iterator[None]:
    """Let all layers that compute in single precision compute in double, also in nested models.

    A model casts what it is given to the precision that its input was declared with; here not.
    """
    with computing_in(model, "float64"), ExitStack() as stack:
        for part in _parts(model):
            if hasattr(part, "_convert_inputs_to_tensors"):
                stack.enter_context(shadowed(part, "_convert_inputs_to_tensors", list))
        yield


@contextmanager
def computing_in(model: keras.Model, policy: str, *, instead_of: str = "float32") -> Iterator[None]:
    """Let layers that compute in ``instead_of`` compute in another precision; weights stay.

    Args:
        policy: of Keras, such as ``mixed_bfloat16`` or ``float32``.
        instead_of: the dtype that a layer computes in now; layers of another one are left alone.
    """
    wanted = keras.dtype_policies.get(policy)
    with ExitStack() as stack:
        for part in _parts(model):
            now = getattr(part, "dtype_policy", None)
            if now and now.compute_dtype == instead_of:
                stack.enter_context(shadowed(part, "_dtype_policy", _with_variables(wanted, now)))
        yield


def _with_variables(wanted: Any, now: Any) -> Any:
    """The policy, told of variables in another precision, which Keras casts only then."""
    if wanted.variable_dtype == now.variable_dtype:
        return wanted
    told = copy.copy(wanted)
    told._variable_dtype = now.variable_dtype
    return told
