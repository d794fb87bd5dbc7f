"""Top-activating examples: the samples that excite a unit most and least, cut where it looks.

`choice` says which units are worth showing, `examples` finds their samples, `patches` cuts them.
"""

from reportgen.subject.top_activating.examples import (
    ExcitedLayer,
    Request,
    ShownUnit,
    find_top_activating,
)

__all__ = ["ExcitedLayer", "Request", "ShownUnit", "find_top_activating"]
