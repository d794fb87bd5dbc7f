"""Whether the weights are numbers: without that there is no gradient and no loss to speak of."""

from __future__ import annotations

from typing import Any

import numpy as np

from reportgen.errors import NothingToCheckError

_MOST_NAMED = 3


def require_finite_weights(model: Any, what: str) -> None:
    """Stop where a weight is NaN or infinite.

    Args:
        what: what cannot be had then, as the end of a sentence: "there is no loss to measure".

    Raises:
        NothingToCheckError: names the weights.
    """
    bad = [
        str(weight.path)
        for weight in model.weights
        if "float" in str(weight.dtype) and not np.isfinite(np.asarray(weight, np.float64)).all()
    ]
    if bad:
        more = f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
        raise NothingToCheckError(
            f"{', '.join(bad[:_MOST_NAMED])}{more} holds NaN or infinity (weights.non_finite), so "
            f"{what}. Go back to an earlier checkpoint."
        )
