"""What an output means: classes, scores or numbers; decided from what it does, and stated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError
from reportgen.subject.endings import SQUASHING

if TYPE_CHECKING:
    from reportgen.subject.layers import LayerCall
    from reportgen.subject.probe import Probe

Task = Literal["softmax", "logits", "binary", "binary_logit", "independent", "regression", "other"]
CLASSIFICATION = frozenset({"softmax", "logits", "binary", "binary_logit", "independent"})
Look = Callable[[], Sequence[NDArray[np.float32]]]
LOOKED_AT = 16  # samples that `read_output` is given answers for; more would cost time
_ENOUGH = 8  # samples whose values tell probabilities from scores
_SUMS = 2e-2  # half precision adds up to 1 within less
# Layers behind the last activation that only move or copy values.
_TRANSPARENT = frozenset({"Reshape", "Flatten", "Dropout", "Permute", "Identity"})


@dataclass(frozen=True)
class Output:
    """One output of the model.

    name: its key where the model answers with a dictionary, else the layer that makes it.
    shape: of what `Probe.predict` gives. activation: the last one. address: of the layer.
    endings: functions that it comes out of, see `find_endings`.
    """

    index: int
    name: str
    shape: tuple[int | None, ...]
    activation: str | None
    address: str | None
    endings: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """What may stand for it: its key, its layer's address or an end of that, its number."""
        said = {self.name, self.address or self.name}
        ends = {part for name in said for part in (name.split("/")[0], name.split("/")[-1])}
        return frozenset({*said, *ends, str(self.index)})

    @property
    def units(self) -> int:
        """Values a sample in the last axis."""
        return self.shape[-1] or 1 if len(self.shape) > 1 else 1


@dataclass(frozen=True)
class Reading:
    """How the audited output is read, and why."""

    output: Output
    task: Task
    reason: str

    @property
    def classes(self) -> int:
        """Number of classes that the output distinguishes; 0 if it does not."""
        if self.task not in CLASSIFICATION:
            return 0
        return 2 if self.task in ("binary", "binary_logit") else self.output.units


def list_outputs(probe: Probe) -> tuple[Output, ...]:
    """All outputs in the model's order."""
    outputs, keys = [], _keys(probe.model, len(probe.output_calls))
    for index, positions in enumerate(probe.output_calls):
        call = _deciding_call(probe.calls, positions)
        address = call.address if call else None
        name = keys[index] or address or f"output {index}"
        activation = call.activation if call else None
        shape, endings = probe.output_shapes[index], probe.output_endings[index]
        outputs.append(Output(index, name, shape, activation, address, endings))
    return tuple(outputs)


def _keys(model: Any, count: int) -> list[str]:
    """Names that the model gives its outputs: the keys of a dictionary; "" where it has none."""
    import keras

    struct = getattr(model, "_outputs_struct", None)
    paths = [path for path, _ in keras.tree.flatten_with_path(struct)] if struct is not None else []
    if len(paths) != count:
        return [""] * count
    return ["/".join(str(key) for key in path if isinstance(key, str)) for path in paths]


def _deciding_call(calls: tuple[LayerCall, ...], positions: tuple[int, ...]) -> LayerCall | None:
    while len(positions) == 1 and positions[0] >= 0:
        call = calls[positions[0]]
        if call.class_name not in _TRANSPARENT:
            return call
        positions = call.inputs
    return None


def read_output(
    outputs: tuple[Output, ...],
    labels: NDArray[Any] | None,
    wanted: str | None,
    look: Look | None = None,
) -> Reading:
    """Choose the output to audit and say what it means.

    Args:
        labels: as given: text, integers, or floats ``(n,)`` / ``(n, units)``; None without.
        wanted: name or position of the output to audit; None takes the first.
        look: gives all outputs for some samples; called where the graph does not decide.

    Raises:
        ConfigurationError: there is no output of that name.
    """
    output = _choose(outputs, wanted)
    more = _say_choice(output, outputs, wanted) if len(outputs) > 1 else ""
    task, reason = _read_one(output, labels, look)
    return Reading(output, task, reason + more)


def _choose(outputs: tuple[Output, ...], wanted: str | None) -> Output:
    if wanted is None:
        return outputs[0]
    found = [output for output in outputs if wanted in (output.name, str(output.index))]
    found = found or [output for output in outputs if wanted in output.names]
    if len(found) == 1:
        return found[0]
    said = "is not an output" if not found else f"is {len(found)} of the outputs"
    raise ConfigurationError(f"output: {wanted!r} {said}. There are {_list_names(outputs)}.")


def _say_choice(output: Output, outputs: tuple[Output, ...], wanted: str | None) -> str:
    said = f" Output {output.index} ({output.name}) of {len(outputs)} is audited"
    if wanted is not None:
        return f"{said}."
    return f"{said}, the first. There are {_list_names(outputs)}: choose with --output."


def _list_names(outputs: tuple[Output, ...]) -> str:
    return ", ".join(f"{output.index}: {output.name}" for output in outputs)


def _read_one(output: Output, labels: NDArray[Any] | None, look: Look | None) -> tuple[Task, str]:
    units, activation = output.units, output.activation
    if len(output.shape) > 2:
        return "other", f"The output has shape {output.shape[1:]}: a map, not one answer a sample."
    if activation == "softmax":
        return "softmax", f"The output ends in softmax over {units} units: one class a sample."
    if activation == "log_softmax" and units > 1:
        return "logits", f"The output ends in log-softmax over {units} units: one class a sample."
    if activation in ("sigmoid", "hard_sigmoid"):
        return _read_sigmoids(units)
    if activation is not None:
        return "regression", f"The output ends in {activation}: read as numbers."
    if labels is not None and not _are_classes(labels) and not _marks(labels):
        return _read_linear(units, labels)
    return _read_ending(output, labels, look) or _read_linear(units, labels)


def _read_sigmoids(units: int) -> tuple[Task, str]:
    if units == 1:
        return "binary", "One sigmoid unit: the probability of the second class."
    return "independent", (
        f"{units} sigmoid units: each class is judged on its own; where one label a sample is "
        "given, the class with the highest value is the answer."
    )


def _read_ending(
    output: Output, labels: NDArray[Any] | None, look: Look | None
) -> tuple[Task, str] | None:
    """Probabilities that no activation function of the last layer tells; None where they are none.

    The graph says so where they are made of sigmoids or softmaxes by arithmetic, such as the mean
    of several models; else the values do, where labels are classes.
    """
    squashed = output.endings & SQUASHING
    made = bool(squashed) and output.endings <= SQUASHING
    if look is None:
        return _read_sole(squashed, output.units) if made else None
    alone = output.units == 1 and labels is not None and not _are_two_classes(labels)
    if not made and (labels is None or alone):
        return None
    values = np.asarray(look()[output.index], np.float64).reshape(-1, output.units)
    values = values[np.isfinite(values).all(axis=1)]
    if not made and len(values) < _ENOUGH:
        return None
    why = "made of sigmoids or softmaxes" if made else "without an activation function"
    if squashed == {"LogSoftmax"} and made and output.units > 1 and (values <= 1e-6).all():
        return "logits", "The output is made of log-softmax: one class a sample."
    if not len(values) or values.min() < 0 or values.max() > 1 + 1e-6:
        return None
    if output.units == 1:
        return "binary", (
            f"One unit {why}, whose values all lie from 0 to 1: the probability of the second "
            "class."
        )
    if np.allclose(values.sum(axis=1), 1, atol=_SUMS):
        return "softmax", (
            f"{output.units} units {why}, whose values lie from 0 to 1 and add up to 1: one class "
            "a sample."
        )
    if made or (labels is not None and labels.ndim == 2):
        return "independent", (
            f"{output.units} units {why}, whose values lie from 0 to 1: each class is judged on "
            "its own."
        )
    return None


def _read_sole(squashed: frozenset[str], units: int) -> tuple[Task, str] | None:
    """Without samples: what one kind of function makes, if nothing but arithmetic follows."""
    if squashed == {"Sigmoid"}:
        return _read_sigmoids(units)
    if squashed == {"Softmax"}:
        return "softmax", f"The output is made of softmax over {units} units: one class a sample."
    return None


def _are_classes(labels: NDArray[Any]) -> bool:
    return labels.ndim == 1 and labels.dtype.kind in "iubOUS"


def _read_linear(units: int, labels: NDArray[Any] | None) -> tuple[Task, str]:
    """A linear output says nothing of itself; the labels do."""
    classes = labels is not None and _are_classes(labels)
    if units == 1:
        if classes and _are_two_classes(labels):
            return (
                "binary_logit",
                "One linear unit and two kinds of label: the logit of the second class.",
            )
        return "regression", "One linear unit: a number."
    if labels is not None and not classes and labels.shape[1:] == (units,) and not _marks(labels):
        return "regression", f"{units} linear units and numeric targets: numbers."
    return "logits", f"{units} linear units: scores before softmax (logits)."


def _are_two_classes(labels: Any) -> bool:
    """Two kinds of text, or 0 and 1, or -1 and 1; two other numbers may be targets."""
    kinds = np.unique(labels)
    try:
        numbers = set(kinds.astype(np.float64).tolist())
    except ValueError:  # they are text
        return len(kinds) <= 2
    return numbers <= {0.0, 1.0} or numbers == {-1.0, 1.0}


def _marks(labels: NDArray[Any]) -> bool:
    """Whether they mark classes, one or several a sample."""
    return bool(np.isin(labels, (0, 1)).all())


def probabilities(task: Task, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Class probabilities ``(n, classes)`` from raw outputs ``(n, units)``.

    Independent sigmoids are returned as they are: their rows need not sum to one.
    """
    scores = values.astype(np.float64).reshape(len(values), -1)
    if task in ("binary", "binary_logit"):
        positive = scores[:, 0] if task == "binary" else _sigmoid(scores[:, 0])
        return np.stack([1 - positive, positive], axis=1)
    if task == "logits":
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
    return scores


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
