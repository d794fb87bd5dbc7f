"""The declared layers, and what is counted from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from reportgen.subject.model_file.declared.reading import MOST, Outputs, Weights

WHOLE = "the whole network"


@dataclass(frozen=True)
class DeclaredLayer:
    """One layer; models are not listed themselves, their layers are.

    address: names from the outermost model inwards, ``sequential_1/model1/Conv1``. layer: name
    of the layer of the outermost model that it belongs to. weights: name and shape, trainable
    ones first; () none, None not known. output_shapes: of its first call, with batch axis.
    """

    address: str
    layer: str
    class_name: str
    weights: Weights | None
    output_shapes: Outputs | None


@dataclass(frozen=True)
class Declared:
    """What a whole configuration declares.

    inputs, outputs: shapes with batch axis, or None. walked: false where the network as a whole
    could not be read, so that not even its layers are known.
    """

    layers: tuple[DeclaredLayer, ...] = ()
    inputs: Outputs | None = None
    outputs: Outputs | None = None
    walked: bool = True

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Addresses of the layers whose weights or outputs are not known, each once.

        The guards compare shapes with what is stored and with what a machine holds; of these
        layers they have nothing to compare.
        """
        if not self.walked:
            return (WHOLE,)
        unknown = (row for row in self.layers if None in (row.weights, row.output_shapes))
        return tuple(dict.fromkeys(row.address for row in unknown))

    @property
    def complete(self) -> bool:
        """Whether the weights of every layer are known."""
        return bool(self.layers) and all(layer.weights is not None for layer in self.layers)

    @cached_property
    def lower_bound(self) -> int:
        """The parameters of the layers that are known; never more than 10**500."""
        total = 0
        for layer in self.layers:
            for _, shape in layer.weights or ():
                total += _elements(shape)
        return min(total, MOST)

    @property
    def parameters(self) -> int | None:
        """All parameters, trainable or not; None where a layer is not known."""
        return self.lower_bound if self.complete else None

    def of(self, layer_name: str) -> list[tuple[int, ...]] | None:
        """Return the shapes of all weights under a layer of the outermost model, or None.

        The order is that of the layers; a file lists trainable weights first.
        """
        return self._by_layer.get(layer_name)

    @cached_property
    def _by_layer(self) -> dict[str, list[tuple[int, ...]] | None]:
        found: dict[str, list[tuple[int, ...]] | None] = {}
        for layer in self.layers:
            shapes = found.setdefault(layer.layer, [])
            if layer.weights is None:
                found[layer.layer] = None
            elif shapes is not None:
                shapes.extend(shape for _, shape in layer.weights)
        return found


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count = min(count * side, MOST)
    return count
