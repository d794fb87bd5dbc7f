"""The guard of what is stored: arrays that the network has no place for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from reportgen.subject.model_file.configuration import clean_name
from reportgen.subject.model_file.content import Array, Format, Hazard
from reportgen.subject.model_file.safety.evidence import Evidence

_SMALL = 1024  # numbers; counters, seeds and learning rates are stored beside weights
_COPIES, _MORE = (
    5,
    1000,
)  # an optimizer stores up to three arrays for a weight, and a few of its own


def guard_arrays(evidence: Evidence) -> Iterator[Hazard]:
    """Stored arrays of a shape, or in a number, that the network does not declare."""
    content = evidence.content
    if content.format is Format.WEIGHTS or content.config is None:
        return  # the user named the network: a misfit is a mistake
    if content.format in (Format.HDF5, Format.SAVED_MODEL):
        yield from _guard_layers(evidence)
    if evidence.declared.complete:
        yield from _guard_rest(evidence)


def _guard_layers(evidence: Evidence) -> Iterator[Hazard]:
    by_layer: dict[str, list[Array]] = {}
    for array in evidence.content.arrays:
        by_layer.setdefault(clean_name(array.layer), []).append(array)
    for layer, arrays in by_layer.items():
        shapes = evidence.declared.of(layer)
        if shapes is None:
            continue
        if evidence.old_layout and _total(arrays) <= sum(map(math.prod, shapes)):
            continue
        left = Counter(shapes)
        for array in arrays:
            if left[array.shape] > 0:
                left[array.shape] -= 1
            elif array.elements > _SMALL or len(array.shape) > max(map(len, shapes), default=1):
                yield _undeclared(array)


def _guard_rest(evidence: Evidence) -> Iterator[Hazard]:
    """What belongs to no layer by its place: archives, and the state of an optimizer."""
    content, weights = (
        evidence.content,
        [shape for layer in evidence.declared.layers for _, shape in layer.weights or ()],
    )
    rest = content.rest if content.format is Format.HDF5 else (*content.arrays, *content.rest)
    if len(rest) > _COPIES * len(weights) + _MORE:
        said = f"it stores {len(rest):,} arrays, for a network of {len(weights):,} weights"
        yield Hazard("arrays", "", said)
    known, limit = set(weights), max(map(math.prod, weights), default=0)
    for array in rest if not evidence.old_layout else ():
        state = ("optimizer" in array.name or "metric" in array.name) and array.elements <= limit
        small = array.elements <= _SMALL and len(array.shape) < 2
        if array.shape not in known and not small and not state:
            yield _undeclared(array)


def _total(arrays: list[Array]) -> int:
    return sum(array.elements for array in arrays)


def _undeclared(array: Array) -> Hazard:
    shape = " x ".join(str(side) for side in array.shape) or "one number"
    said = f"a dataset of {shape[:60]} that the network does not declare"
    return Hazard("arrays", array.name[:80], said)
