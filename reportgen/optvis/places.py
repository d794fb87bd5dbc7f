"""Where an objective reads: at a layer, or at the head of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reportgen.subject.probe import Tap

Tensor = Any  # of TensorFlow, which has no types to check


@dataclass(frozen=True, order=True)
class Head:
    """An output of the model, as it is given, or before its softmax or sigmoid ("logits")."""

    index: int = 0
    stage: Literal["logits", "output"] = "logits"


Place = Tap | Head


@dataclass(frozen=True)
class View:
    """What an objective sees of one step.

    values: by place, channels last, ``(b, ..., channels)`` float32. variants: images of the same
    unit stand together, so many of them.
    """

    values: dict[Place, Tensor]
    variants: int = 1
