"""The loss around the weights of a trained model, right, fast and with its uncertainty.

    from reportgen import landscape
    found = landscape.survey(model, x, y, points=31, seconds=60)
    found.grid.loss, found.grid.error, found.grid.state

`survey` draws a random plane, or one through other weights of the same network; `join` makes one
grid of parts that were measured apart. What they are made of composes:
`find_parameters` (what moves), `draw_plane` (where to), `Evaluator` (what it costs there),
`Surveyor` (which cells), `Hessian` (how it bends).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Grid", "Survey", "join", "survey"]

if TYPE_CHECKING:
    from reportgen.landscape.grid import Grid, join
    from reportgen.landscape.surveying import Survey, survey

_HOMES = {"Grid": "grid", "join": "grid", "Survey": "surveying", "survey": "surveying"}


def __getattr__(name: str) -> Any:
    # Lazy: importing this package must not import TensorFlow.
    if name not in __all__:
        raise AttributeError(f"module 'reportgen.landscape' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"reportgen.landscape.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """What there is; not what this module needed to say so."""
    return list(__all__)
