"""What a layer around another one passes on, and what it makes of the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportgen.subject.model_file.declared.reading import (
    TRIPPED,
    Call,
    Outputs,
    known,
    need,
    sound,
)

WRAPPERS = ("TimeDistributed", "Bidirectional")


def wrapped_call(node: Mapping[str, Any], call: Call) -> Call:
    """Return the call that a wrapper passes on."""
    x = call.shapes[0] if call.shapes else None
    if node.get("class_name") == "TimeDistributed" and x is not None:
        x = (x[0], *x[2:]) if len(x) > 2 else None
    return Call((x,))


def wrapped_outputs(
    node: Mapping[str, Any], call: Call, parts: list[Outputs | None]
) -> Outputs | None:
    """Return what a wrapper makes of the outputs of what it holds."""
    try:
        outputs = [part for part in parts if part is not None]
        need(len(outputs) == len(parts))
        if node.get("class_name") == "TimeDistributed":
            return tuple((*call.first[:2], *part[1:]) for part in outputs[0])
        mode = node["config"].get("merge_mode", "concat")
        need(mode in ("concat", "sum", "mul", "ave", None))
        forward, backward = outputs[0][0], outputs[1][0]
        need(forward[-1] == backward[-1])  # else Keras 3 itself states a wrong width
        states = (*outputs[0][1:], *outputs[1][1:])
        if mode is None:
            return (forward, backward, *states)
        width = 2 * known(forward[-1]) if mode == "concat" else forward[-1]
        return (sound((*forward[:-1], width)), *states)
    except TRIPPED:  # the row of the wrapper says that it is not known
        return None
