"""The one call: why did the model say that?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from reportgen.attributions.case import Case, answer_of, make_directions
from reportgen.attributions.layer_choice import choose_layer
from reportgen.attributions.maps import Maps
from reportgen.attributions.methods.table import Method, find_method
from reportgen.attributions.network import Network
from reportgen.errors import UsageError
from reportgen.subject.inputs import read_input
from reportgen.subject.outputs import Reading, list_outputs, read_output
from reportgen.subject.probe import Probe

FloatArray = NDArray[np.float32]


def explain(
    model: keras.Model,
    x: Any,
    method: str | Method = "integrated_gradients",
    *,
    classes: int | Sequence[int] | None = None,
    against: int | Sequence[int] | None = None,
    reference: Any = None,
    layer: str | None = None,
    output: str | None = None,
    position: int = 0,
    held: Mapping[int, Any] | None = None,
    seed: int = 0,
) -> Maps:
    """Map what speaks for a score of the model, picture by picture.

    The score is the logit of a class: what goes into the last softmax or sigmoid, also where the
    model gives probabilities only. Of one sigmoid it is the logit or its negative; of a regression
    the number.

    Args:
        x: pictures as ``model.predict`` takes them, ``(n, ...)``.
        method: a name of `METHODS`, or a method with parameters of your own.
        classes: one, or one a picture; by default the class that the model answers.
        against: the score is that of ``classes`` less that of these.
        reference: pictures that the mean colour is of and baselines are drawn from, as ``x``; by
            default ``x``, and then a map depends on which pictures stand together.
        layer: address of the layer of class activation maps; by default the last with positions.
        output: name or position of the output, by default the first.
        position, held: for models with several inputs: which one is explained, and a sample for
            each of the others.
        seed: of everything that is drawn.

    Raises:
        UsageError: no such method, class or layer; a model without pictures.
    """
    case = open_case(
        model,
        x,
        classes=classes,
        against=against,
        reference=reference,
        layer=layer,
        output=output,
        position=position,
        held=held,
        seed=seed,
    )
    return replace(find_method(method)(case), pictures=_stretch(case.pictures))


def _stretch(pictures: FloatArray) -> NDArray[np.uint8]:
    """Inputs as people can see them: all from the darkest to the brightest value of any."""
    low, high = float(pictures.min()), float(pictures.max())
    seen = np.rint((pictures - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
    return seen[..., :3] if seen.shape[-1] in (3, 4) else np.repeat(seen[..., :1], 3, axis=-1)


def open_case(
    model: keras.Model,
    x: Any,
    *,
    classes: int | Sequence[int] | None = None,
    against: int | Sequence[int] | None = None,
    reference: Any = None,
    layer: str | None = None,
    output: str | None = None,
    position: int = 0,
    held: Mapping[int, Any] | None = None,
    seed: int = 0,
) -> Case:
    """What several methods can be asked about; see `explain`."""
    given = np.asarray(x, np.float32)
    spec = read_input(_OneInput(model, position), given.shape[1:3], from_images=given.ndim == 3)
    if spec.kind != "image":
        raise UsageError(f"The model takes {spec.shape}: pictures are needed.")
    if given.shape[1:] != spec.shape:
        raise UsageError(f"x: the model takes (n, *{spec.shape}), got {given.shape}.")
    probe = Probe(model, spec.shape, position=position, held=held)
    reading = read_output(list_outputs(probe), None, output)
    network = Network(model, spec, reading, probe.calls, position=position, held=held)
    pictures = spec.disarrange(given)
    others = pictures if reference is None else spec.disarrange(np.asarray(reference, np.float32))
    chosen, why = _choose_layer(probe, reading, layer)
    case = Case(
        network,
        pictures,
        np.zeros((len(pictures), reading.output.units), np.float32),
        others,
        chosen,
        "" if chosen else why,
        seed,
    )
    return case.of(_direct(case, reading, classes, against))


def _direct(
    case: Case,
    reading: Reading,
    classes: int | Sequence[int] | None,
    against: int | Sequence[int] | None,
) -> FloatArray:
    units, count = reading.output.units, len(case)
    asked = answer_of(reading.task, case.logits) if classes is None else _one_each(classes, count)
    made = make_directions(reading.task, units, asked)
    if against is not None:
        made = made - make_directions(reading.task, units, _one_each(against, count))
    return made


def _one_each(classes: int | Sequence[int], count: int) -> NDArray[np.int64]:
    given = np.atleast_1d(np.asarray(classes))
    if given.dtype.kind not in "iu" or given.shape not in ((1,), (count,)):
        raise UsageError(f"classes: one whole number, or one for each of {count} pictures.")
    return np.broadcast_to(given, (count,)).astype(np.int64)


def _choose_layer(probe: Probe, reading: Reading, wanted: str | None) -> Any:
    if wanted is None:
        return choose_layer(probe.calls, probe.output_calls[reading.output.index])
    call = probe.call(wanted)
    if len(call.output_shape) != 4:
        raise UsageError(f"layer: {wanted} makes {call.output_shape}, which has no positions.")
    return call, ""


class _OneInput:
    """A model seen through one of its inputs."""

    def __init__(self, model: keras.Model, position: int) -> None:
        self.inputs = [model.inputs[position]]
        self.layers = model.layers
        self._flatten_layers = model._flatten_layers
