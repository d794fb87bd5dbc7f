"""Layers that did not learn while others did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reportgen.analyses.weights.flags import Flag
from reportgen.analyses.weights.initialisers import looks_initial
from reportgen.analyses.weights.movement import Movement
from reportgen.subject.kernels import Kernel

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall


@dataclass(frozen=True)
class Untrained:
    """The flags, how many layers were judged, and whether a history said it."""

    flags: tuple[Flag, ...]
    judged: int
    by_history: bool


def find_untrained(
    kernels: Mapping[str, list[Kernel]],
    calls: Mapping[str, LayerCall],
    movements: Mapping[int, Movement] | None,
    *,
    min_p: float,
    still: float,
) -> Untrained:
    """A layer is untrained if every kernel of it that can be judged is.

    Args:
        kernels, calls: by address. movements: by the identity of the kernel's variable; None
            without a history.
    """
    answers: dict[str, bool] = {}
    for address, group in kernels.items():
        trainable = bool(getattr(calls[address].layer, "trainable", True))
        judged = [
            answer
            for kernel in group
            if np.isfinite(kernel.values).all()
            and (answer := _judge(kernel, movements, trainable, min_p, still)) is not None
        ]
        if judged:
            answers[address] = all(judged)
    # Nothing learned at all is a model that was not trained: every layer is named.
    how = "did not move since the first record" if movements is not None else "fits its initialiser"
    flags = tuple(Flag(address, (), how, silence=()) for address, is_ in answers.items() if is_)
    return Untrained(flags, len(answers), movements is not None)


def _judge(
    kernel: Kernel,
    movements: Mapping[int, Movement] | None,
    trainable: bool,
    min_p: float,
    still: float,
) -> bool | None:
    initial = looks_initial(kernel, min_p=min_p)
    if movements is None:
        return initial
    movement = movements.get(id(kernel.variable))
    if movement is None or movement.distance is None:
        return None
    if not trainable and initial is False:
        return False  # frozen on purpose, with weights learned elsewhere
    return movement.distance < still
