"""How planes are called."""

from __future__ import annotations


def plane_name(id_: str) -> str:
    """``random_2`` as a reader knows it."""
    known = {
        "random": "random plane",
        "path": "plane of the training path",
        "hessian": "plane of the outermost curvatures",
    }
    return known.get(id_) or f"random plane {id_.rpartition('_')[2]}"


def share(value: float) -> str:
    """A share as percent, small ones with more digits."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
