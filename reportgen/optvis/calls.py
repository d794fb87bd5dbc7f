"""Whether a call of `visualize` makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reportgen.errors import UsageError
from reportgen.optvis.objective import Objective


def check_call(
    model: Any,
    objective: Any,
    size: Any,
    variants: int,
    seed: int,
    batch: int | None,
    held: Mapping[int, Any],
    position: int,
) -> None:
    """Raise UsageError for arguments that cannot be meant."""
    if not isinstance(objective, Objective):
        raise UsageError(f"An objective is needed, such as channel('conv', 0), not {objective!r}.")
    if not len(objective):
        raise UsageError("The objective has no unit left. Give at least one.")
    if variants < 1:
        raise UsageError(f"variants: 1 or more are needed, not {variants}.")
    if variants == 1 and objective.paired:
        raise UsageError("diversity compares images of one unit: give variants=2 or more.")
    if seed < 0:
        raise UsageError(f"seed: 0 or more is needed, not {seed}.")
    if batch is not None and batch < 1:
        raise UsageError(f"batch: 1 or more is needed, not {batch}.")
    if size is not None and (np.shape(size) != (2,) or min(size) < 1):
        raise UsageError(f"size: height and width are needed, such as (128, 128), not {size!r}.")
    inputs = getattr(model, "inputs", None) or ()
    for place, sample in held.items():
        if place == position or not 0 <= place < len(inputs):
            raise UsageError(f"held: the model has no other input {place}; it has {len(inputs)}.")
        declared = tuple(inputs[place].shape[1:])
        fits = len(declared) == np.ndim(sample) and all(
            side in (None, given) for side, given in zip(declared, np.shape(sample), strict=True)
        )
        if not fits:
            raise UsageError(f"held: input {place} takes {declared}, not {np.shape(sample)}.")
