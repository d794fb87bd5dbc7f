"""Why did the model say that? Maps of what speaks for a score, and what is to be held of them.

    from reportgen import attributions
    maps = attributions.explain(model, x, "integrated_gradients")
    maps  # a notebook shows them; maps.values, maps.checks["completeness"], maps.to_file("a.png")

``x`` is what ``model.predict`` takes. `METHODS` lists the names; each is a class whose docstring
says what it computes and where it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["METHODS", "Case", "Maps", "Method", "explain", "find_method", "open_case"]

if TYPE_CHECKING:
    from reportgen.attributions.case import Case
    from reportgen.attributions.explaining import explain, open_case
    from reportgen.attributions.maps import Maps
    from reportgen.attributions.methods.table import METHODS, Method, find_method

_HOMES = {"Case": "case", "Maps": "maps", "explain": "explaining", "open_case": "explaining"}


def __getattr__(name: str) -> Any:
    # Lazy, as in the package above: TensorFlow takes seconds to import.
    if name not in __all__:
        raise AttributeError(f"module 'reportgen.attributions' has no attribute {name!r}")
    from importlib import import_module

    home = import_module(f"reportgen.attributions.{_HOMES.get(name, 'methods.table')}")
    return getattr(home, name)


def __dir__() -> list[str]:
    """What there is; not what this module needed to say so."""
    return list(__all__)
