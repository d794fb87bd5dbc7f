"""How the values of a layer are named and coloured."""

from __future__ import annotations

from reportgen.analyses.feature_maps.layers import FloatArray, ShownLayer
from reportgen.report.blocks import ColourScale


def scale_of(layer: ShownLayer, *, signed: bool) -> ColourScale:
    """The layer's scale: both signs where anything shown is negative, else from zero."""
    if signed:
        return ColourScale(low=-layer.reach, high=layer.reach, map="signed", unit="activation")
    return ColourScale(low=0, high=layer.reach, map="magma", unit="activation")


def shape_of(layer: ShownLayer) -> str:
    """Such as ``8 × 8 × 16``."""
    return " × ".join("?" if side is None else str(side) for side in layer.shape)


def list_stages(
    layer: ShownLayer, after: FloatArray, before: FloatArray | None
) -> list[tuple[str, FloatArray]]:
    """Values before and after the activation function, each with its title."""
    if before is None:
        return [("", after)]
    return [(f"before {layer.activation}", before), (f"after {layer.activation}", after)]
