"""The numbers behind the pictures as arrays, for whoever computes them again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.optvis.compute import OptvisResult
from reportgen.analyses.optvis.judging import Judged
from reportgen.analyses.records import keep_records
from reportgen.text import slug

# Of each unit, after the scores of its pictures.
COLUMNS = (
    "unit",
    "strongest_sample",
    "weakest_sample",
    "best_of_random",
    "path",
    "path_low",
    "path_high",
    "likeness_of_seeds",
    "likeness_of_others",
)


def keep_numbers(result: OptvisResult) -> dict[str, NDArray[Any]]:
    """Scores of every picture, what they were compared with, the factors of dreams.

    ``record_scores_<layer>``: ``(units, pictures)``. ``record_units_<layer>``: ``(units,
    len(COLUMNS))``. ``record_silent_<layer>``: channels that no sample changes and that were
    searched for, ``record_causes_<layer>``: what came of it, empty where a picture excites one.
    """
    found: dict[str, Any] = {"compared_samples": result.rows}
    for index, layer in enumerate(result.layers):
        name = slug(index, layer.raw.excited.address)
        found |= _of_units(name, layer.raw.channels, layer.judged)
        found[f"silent_{name}"] = np.array(layer.raw.silent, np.int64)
        found[f"causes_{name}"] = np.array([cause or "" for cause in layer.raw.causes], np.str_)
    if result.classes is not None:
        found |= _of_units("classes", result.classes.chosen, result.classes.judged)
        found["probabilities_classes"] = result.classes.answers
    if result.dreams:
        found["dream_gains"] = np.array([dream.gain for dream in result.dreams])
    return keep_records(found)


def _of_units(
    name: str, channels: tuple[int, ...], judged: tuple[Judged, ...]
) -> dict[str, NDArray[Any]]:
    rows = [
        (
            channel,
            unit.natural,
            unit.least,
            unit.noise,
            unit.trust.value,
            unit.trust.low,
            unit.trust.high,
            unit.agreement.similarity,
            unit.agreement.chance,
        )
        for channel, unit in zip(channels, judged, strict=True)
    ]
    return {
        f"scores_{name}": np.stack([unit.scores for unit in judged]),
        f"units_{name}": np.array(rows, np.float64),
    }
