"""Models that are handed over alive."""

from __future__ import annotations

from typing import Any

import numpy as np

from reportgen.errors import UsageError


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
        first = str(error).splitlines()[0][:200]
        raise UsageError(
            f"The model does not say what it takes, and cannot be called on samples of "
            f"shape {np.shape(x)[1:]}: {first}"
        ) from None
    wrapped.loss = getattr(model, "loss", None)
    return wrapped
