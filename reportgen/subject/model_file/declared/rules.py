"""Tables of rules: what is asked of a layer, by the name of its class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from reportgen.subject.model_file.declared.reading import Call, Settings

Rule: TypeAlias = Callable[[Settings, Call], Any]

CONVS = "Conv1D Conv2D Conv3D"
TRANSPOSES = "Conv1DTranspose Conv2DTranspose Conv3DTranspose"
CELLS = "SimpleRNN GRU LSTM CuDNNGRU CuDNNLSTM"


def each(names: str, rule: Rule) -> dict[str, Rule]:
    """Return ``rule`` for each of the class names, which spaces separate."""
    return dict.fromkeys(names.split(), rule)
