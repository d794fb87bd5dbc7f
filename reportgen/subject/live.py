"""Models that are handed over alive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import UsageError
from reportgen.subject.inputs import is_channels_first
from reportgen.subject.preprocessing import (
    Preprocessing,
    check_channels,
    check_preprocessing,
    find_preprocessing,
)

_AT_ONCE = 1024  # samples that are scaled together


def with_inputs(model: Any, x: Any) -> Any:
    """The model as it is, or, where it does not say what it takes, wrapped for samples like ``x``.

    A subclassed model does not. The wrapped one shares its weights and names its loss.

    Raises:
        UsageError: it cannot be called on samples of that shape.
    """
    import keras

    if getattr(model, "inputs", None):
        return model
    given = keras.Input(np.shape(x)[1:], name="samples")
    try:
        wrapped = keras.Model(given, model(given), name=model.name)
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(
            f"The model does not say what it takes, and cannot be called on samples of "
            f"shape {np.shape(x)[1:]}: {first}"
        ) from None
    wrapped.loss = getattr(model, "loss", None)
    return wrapped


def take_inputs(model: Any, x: Any, preprocessing: str | Preprocessing | None) -> NDArray[Any]:
    """Samples as the user has them, as the model takes them: ``(n, *input)``.

    Args:
        x: ``(n, h, w, c)`` of images, also for models whose channels come first, which may be
            given as they are, too; a channel axis of one may be missing.
        preprocessing: a name, ``module:function`` or a function; None: ``x`` is scaled already.

    Raises:
        ConfigurationError: no such preprocessing, or it fails on these samples.
    """
    x = np.asarray(x)
    inputs: Any = getattr(model, "inputs", None) or ()
    declared = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else None
    if declared is not None and len(declared) == x.ndim and declared[-1] == 1:
        x = x[..., None]
    first = declared is not None and len(declared) == 3 and is_channels_first(model, declared)
    if first and declared is not None and x.ndim == 4 and _fits(x.shape[1:], declared):
        x = x.transpose(0, 2, 3, 1)
    if preprocessing is not None:
        name, function, _ = find_preprocessing(preprocessing)
        if x.ndim == 4:
            check_channels(name, x.shape[-1])
        check_preprocessing(name, function, x)
        parts = range(0, len(x), _AT_ONCE)
        x = np.concatenate([function(np.asarray(x[i : i + _AT_ONCE], np.float32)) for i in parts])
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if first and x.ndim == 4 else x


def _fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return all(side in (None, have) for side, have in zip(declared, shape, strict=True))
