"""The guards: each looks for one kind of danger in what was read, before anything is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from reportgen.subject.model_file.configuration import layers_of, name_of, walk
from reportgen.subject.model_file.content import Hazard
from reportgen.subject.model_file.safety.allowed import FOREIGN_CODE
from reportgen.subject.model_file.safety.array_guards import guard_arrays
from reportgen.subject.model_file.safety.evidence import Evidence
from reportgen.subject.model_file.safety.references import Origin, Reference, references

MAX_PARAMETERS = 2 * 10**9  # 8 GB of float32
MAX_ACTIVATION = 2**31  # numbers in one layer's output, for one sample or a batch of fixed size
_MAX_INTEGER = 2**31
_SLACK = 1_000_000  # parameters that a file may declare beyond what it stores
# Settings that become so many objects of Python, and not one array.
_MAX_COUNTS = {
    "ngrams": 100,
    "num": 10_000,
    "indices_or_sections": 10_000,
    "num_or_size_splits": 10_000,
}
_FREE_INTEGERS = ("seed", "shared_object_id", "salt", "mask_value", "oov_token", "keras_history")
_MOST = 20
_PATH_KEYS = ("vocabulary", "idf_weights", "filepath", "file_path", "filename", "vocabulary_file")


def guard_reading(evidence: Evidence) -> Iterator[Hazard]:
    """What the readers of the container found: links, names, ratios, operations."""
    yield from evidence.content.hazards


def guard_code(evidence: Evidence) -> Iterator[Hazard]:
    """Layers that bring code along or call it from elsewhere."""
    for reference in references(evidence.config, evidence.custom):
        if reference.origin is Origin.CODE:
            short = reference.what.replace(">", ".").rpartition(".")[2]
            what = FOREIGN_CODE.get(short, FOREIGN_CODE["Lambda"])
            yield Hazard("code", _layer(reference), what)


def guard_references(evidence: Evidence) -> Iterator[Hazard]:
    """Anything that is no layer, initializer, regularizer, constraint or activation."""
    for reference in references(evidence.config, evidence.custom):
        if reference.origin is Origin.FOREIGN:
            said = f"refers to {reference.what}, which is no part of a network"
            yield Hazard("references", _layer(reference), said)


def _layer(reference: Reference) -> str:
    return f"layer {reference.where[-80:]}" if reference.where else "the model"


def guard_paths(evidence: Evidence) -> Iterator[Hazard]:
    """Vocabularies that are files or addresses: opening would read them."""
    for where, node in walk(evidence.config):
        settings = node.get("config")
        if not isinstance(settings, dict):
            continue
        for key in _PATH_KEYS:
            if isinstance(settings.get(key), str):
                said = f"{key} is a path ({settings[key][:60]}), which opening would read"
                yield Hazard("paths", f"layer {where or name_of(node)}", said)


def guard_integers(evidence: Evidence) -> Iterator[Hazard]:
    """Numbers that no size, stride or axis can have."""
    stack: list[tuple[Any, Any]] = [("", evidence.config)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, dict):
            stack += [(k, v) for k, v in value.items() if k not in _FREE_INTEGERS]
        elif isinstance(value, list):
            stack += [(key, item) for item in value]
        elif isinstance(value, int) and abs(value) >= _MAX_COUNTS.get(str(key), _MAX_INTEGER):
            said = f"{str(key)[:40]} is {_number(value)}, which no network needs"
            yield Hazard("integers", "", said)
            return


def guard_parameters(evidence: Evidence) -> Iterator[Hazard]:
    """Weights that are declared and not stored: opening would allocate them."""
    declared = evidence.declared.lower_bound
    if declared > MAX_PARAMETERS:
        said = f"it declares {_number(declared)} parameters; the limit is {MAX_PARAMETERS:,}"
        yield Hazard("parameters", _largest(evidence), said)
    content = evidence.content
    stored = sum(array.elements for array in content.arrays)
    if content.config is not None and declared > stored + _SLACK:
        said = f"it declares {_number(declared)} parameters and stores {stored:,}"
        yield Hazard("parameters", _largest(evidence), said)


def _largest(evidence: Evidence) -> str:
    sizes = [
        (sum(math.prod(shape) for _, shape in layer.weights), layer.address)
        for layer in evidence.declared.layers
        if layer.weights
    ]
    return f"layer {max(sizes)[1][:80]}" if sizes else ""


def _number(value: int) -> str:
    return f"{value:,}" if abs(value) < 10**18 else f"about 10**{len(str(abs(value))[:4300]) - 1}"


def guard_calls(evidence: Evidence) -> Iterator[Hazard]:
    """Calls on stored values and not on the model's input: building would compute them."""
    for where, node in walk(evidence.config):
        for layer in layers_of(node):
            calls = layer.get("inbound_nodes")
            for call in calls if isinstance(calls, list) else ():
                if not any(each["class_name"] == "__keras_tensor__" for _, each in walk(call)):
                    said = "is called on stored values, which building would compute"
                    place = f"{where}/{name_of(layer)}".lstrip("/")
                    yield Hazard("calls", f"layer {place}", said)


def guard_activations(evidence: Evidence) -> Iterator[Hazard]:
    """Outputs that no memory holds: the first prediction would allocate them."""
    for layer in evidence.declared.layers:
        for shape in layer.output_shapes or ():
            # The first axis too: it is open, or a size that the file has chosen.
            size = math.prod(side for side in shape if side is not None)
            if size > MAX_ACTIVATION:
                said = f"gives {_number(size)} numbers at once"
                yield Hazard("activations", f"layer {layer.address[:80]}", said)
                return


GUARDS: tuple[Callable[[Evidence], Iterator[Hazard]], ...] = (
    guard_reading,
    guard_code,
    guard_references,
    guard_paths,
    guard_integers,
    guard_parameters,
    guard_calls,
    guard_activations,
    guard_arrays,
)


def find_hazards(evidence: Evidence) -> tuple[Hazard, ...]:
    """Every reason not to open the file, each once; at most twenty."""
    found: dict[Hazard, None] = {}
    for hazard in (hazard for guard in GUARDS for hazard in guard(evidence)):
        found[hazard] = None
        if len(found) == _MOST:
            break
    return tuple(found)


def missing_code(evidence: Evidence) -> tuple[Reference, ...]:
    """Classes and functions that are somebody's own, and were not given."""
    found = references(evidence.config, evidence.custom)
    missing = {ref.what: ref for ref in found if ref.origin is Origin.CUSTOM}
    return tuple(missing.values())
