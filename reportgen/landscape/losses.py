"""Which loss is drawn: the one the model was trained with where that is known, and why.

The value of a sample is computed from the scores before softmax or sigmoid where these can be
found, as Keras does in training: from probabilities, a wrong answer beyond 1e-7 has no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError
from reportgen.landscape.named_losses import find_loss, name_of
from reportgen.subject.outputs import Reading
from reportgen.subject.scores import scores_behind

Tensor = Any  # of TensorFlow, which has no types to check

_CROSS_ENTROPIES = frozenset(
    {"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"}
)
_FITTING = {
    "softmax": "categorical_crossentropy",
    "logits": "categorical_crossentropy",
    "binary": "binary_crossentropy",
    "binary_logit": "binary_crossentropy",
    "independent": "binary_crossentropy",
    "regression": "mean_squared_error",
}
# Of a probability whose scores cannot be found: as Keras has it.
_LEAST = 1e-7


@dataclass(frozen=True, eq=False)
class Loss:
    """The loss of each sample.

    name: as people say it. reason: why this one. values: outputs ``(n, units)``, encoded targets
        -> ``(n,)``. encode: labels -> what ``values`` takes, one row a sample.
    right: outputs, encoded targets -> ``(n,)`` whether the answer is right; None for numbers.
    chance: what a model that knows nothing would have; None where that is not known.
    plain: the same as Keras has it, to check by.
    answers: outputs -> what the loss is a smooth function of, ``(n, units)``: the scores, or the
        numbers. of_answers: these, encoded targets -> ``(n,)``. None where there is no such thing.
    """

    name: str
    reason: str
    values: Callable[[Tensor, Tensor], Tensor]
    encode: Callable[[NDArray[Any]], NDArray[Any]]
    right: Callable[[Tensor, Tensor], Tensor] | None
    chance: float | None
    plain: Any
    answers: Callable[[Tensor], Tensor] | None = None
    of_answers: Callable[[Tensor, Tensor], Tensor] | None = None


def choose_loss(reading: Reading, compiled: Any = None, wanted: str | None = None) -> Loss:
    """The loss that is asked for, else the compiled one, else the one that fits the output.

    Args:
        compiled: as the model or its file has it: a name, a function, a loss of Keras, its
            configuration; by output, if there are several.
        wanted: name of a loss of Keras, such as ``mean_absolute_error``.

    Raises:
        ConfigurationError: ``wanted`` is no loss of Keras, or the same for every answer.
    """
    if wanted:
        function = find_loss(wanted)
        if function is None:
            raise ConfigurationError(
                f"loss: {wanted!r} is no loss of Keras. Write it as Keras does, such as "
                "categorical_crossentropy, mean_squared_error or mean_absolute_error."
            )
        if _is_blind(function, reading):
            raise ConfigurationError(
                f"loss: {wanted} is the same for every answer of a single output. "
                "Use binary_crossentropy."
            )
        return _build(reading, function, "asked for with --loss")
    found = _of_output(compiled, reading)
    if found is not None:
        function = found if callable(found) else find_loss(found)
        if function is not None and not _is_blind(function, reading):
            return _build(reading, function, "the one the model was compiled with")
    return _build(
        reading,
        find_loss(_FITTING.get(reading.task, "mean_squared_error")),
        f"{_why_not(found)}; inferred from the output. Say it with --loss",
    )


def _why_not(found: Any) -> str:
    if found is None:
        return "no loss is in the file"
    function = found if callable(found) else find_loss(found)
    if function is None:
        return f"the compiled one ({str(found)[:60]}) is no loss of Keras"
    return f"the compiled one ({name_of(function)}) is the same for every answer of one output"


def _of_output(compiled: Any, reading: Reading) -> Any:
    """What is declared for the audited output."""
    position = reading.output.index
    if isinstance(compiled, dict) and "class_name" not in compiled:
        compiled = _of_key(dict(_flatten(compiled)), reading)
    if isinstance(compiled, list | tuple):
        compiled = compiled[position] if position < len(compiled) else None
    return compiled or None


def _flatten(compiled: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Losses by the keys on the way to them, ``x/y``, as outputs are named."""
    for key, loss in compiled.items():
        if isinstance(loss, dict) and "class_name" not in loss:
            yield from _flatten(loss, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", loss


def _of_key(losses: dict[str, Any], reading: Reading) -> Any:
    """The loss of the output's own name; else the one of its layer, by an end of its address."""
    output = reading.output
    if output.name in losses:
        return losses[output.name]
    parts = (output.address or "").split("/")
    found = [losses[name] for name in dict.fromkeys((parts[-1], parts[0])) if name in losses]
    return found[0] if found else None


def _build(reading: Reading, function: Any, reason: str) -> Loss:
    name = name_of(function)
    stable = name in _entropies_of(reading) and _is_plain(function, reading.task)
    one_of_many = reading.task in ("softmax", "logits")
    answers: Callable[[Tensor], Tensor] | None = None
    of_answers: Callable[[Tensor, Tensor], Tensor] | None = None
    if stable:
        answers, of_answers = _scores_of(reading.task), _cross_entropy(reading.task)
    elif reading.task == "regression":
        answers, of_answers = (lambda outputs: outputs), _from_keras(function)
    values = _from_keras(function)
    if stable:
        values = _composed(answers, of_answers)
    return Loss(
        name=name.replace("_", " "),
        reason=reason,
        values=values,
        encode=_encoder(reading, "" if stable else name),
        right=_rightness(reading),
        chance=float(np.log(reading.classes if one_of_many else 2)) if stable else None,
        plain=_plain_cross_entropy(reading.task) if stable else function,
        answers=answers,
        of_answers=of_answers,
    )


def _composed(answers: Any, of_answers: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda outputs, targets: of_answers(answers(outputs), targets)


def _entropies_of(reading: Reading) -> frozenset[str]:
    """Those that are the cross entropy of what the output means. Others are taken at their word:
    a softmax of many classes may well have been trained with the binary one."""
    if not reading.classes:
        return frozenset()
    binary = frozenset({"binary_crossentropy"})
    alone = reading.output.units == 1 or reading.task == "independent"
    return binary if alone else _CROSS_ENTROPIES - binary


def _is_blind(function: Any, reading: Reading) -> bool:
    """Whether it sees no difference between answers: one output is all of a softmax of one."""
    single = reading.output.units == 1 and bool(reading.classes)
    name = name_of(function).lower().replace("_", "")
    return single and name in ("categoricalcrossentropy", "sparsecategoricalcrossentropy")


def _plain_cross_entropy(task: str) -> Any:
    if task in ("softmax", "logits"):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=task == "logits")
    return keras.losses.BinaryCrossentropy(from_logits=task == "binary_logit")


def _is_plain(function: Any, task: str) -> bool:
    """Whether it is nothing but the cross entropy of what the output means."""
    settings = getattr(function, "_fn_kwargs", None) or {}
    if any(settings.get(key) for key in ("label_smoothing", "ignore_class")):
        return False
    declared = settings.get("from_logits")
    return not declared or task in ("logits", "binary_logit")


def _scores_of(task: str) -> Callable[[Tensor], Tensor]:
    """The scores before softmax or sigmoid; where they cannot be found, from the probabilities."""

    def many(outputs: Tensor) -> Tensor:
        scores = outputs if task == "logits" else scores_behind(outputs)
        return tf.math.log(tf.clip_by_value(outputs, _LEAST, 1.0)) if scores is None else scores

    def single(outputs: Tensor) -> Tensor:
        scores = outputs if task == "binary_logit" else scores_behind(outputs)
        if scores is None:
            inside = tf.clip_by_value(outputs, _LEAST, 1 - _LEAST)
            return tf.math.log(inside) - tf.math.log1p(-inside)
        return scores

    return many if task in ("softmax", "logits") else single


def _cross_entropy(task: str) -> Callable[[Tensor, Tensor], Tensor]:
    """From scores; targets are positions, of independent classes rows of 0 and 1."""

    def many(scores: Tensor, targets: Tensor) -> Tensor:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)

    def single(scores: Tensor, targets: Tensor) -> Tensor:
        truth = tf.cast(tf.reshape(targets, tf.shape(scores)), scores.dtype)
        values = tf.nn.sigmoid_cross_entropy_with_logits(truth, scores)
        return tf.reduce_mean(values, axis=-1)

    return many if task in ("softmax", "logits") else single


def _from_keras(function: Any) -> Callable[[Tensor, Tensor], Tensor]:
    call = function.call if isinstance(function, keras.losses.Loss) else function

    def values(outputs: Tensor, targets: Tensor) -> Tensor:
        made = call(targets, outputs)
        if made.shape.rank == 0:  # of the samples together, such as Dice
            return tf.fill([tf.shape(outputs)[0]], made)
        axes = list(range(1, made.shape.rank or 1))
        return tf.reduce_mean(made, axis=axes) if axes else made

    return values


def _encoder(reading: Reading, name: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    task, units = reading.task, reading.output.units

    def encode(labels: NDArray[Any]) -> NDArray[Any]:
        if task == "regression":
            return np.asarray(labels, np.float64).reshape(len(labels), -1)
        positions = np.asarray(labels, np.int64)
        if name.lower().replace("_", "").startswith("sparse"):
            return positions
        if units == 1:
            return positions[:, None].astype(np.float64)
        if not name and task in ("softmax", "logits"):
            return positions
        return np.eye(units)[positions]

    return encode


def _rightness(reading: Reading) -> Callable[[Tensor, Tensor], Tensor] | None:
    if not reading.classes:
        return None
    half = 0.0 if reading.task == "binary_logit" else 0.5

    def right(outputs: Tensor, targets: Tensor) -> Tensor:
        if reading.output.units == 1:
            said = tf.cast(outputs[:, 0] > half, tf.int64)
            return said == tf.cast(tf.reshape(targets, [-1]), tf.int64)
        truth = targets if targets.shape.rank == 1 else tf.argmax(targets, axis=-1)
        return tf.argmax(outputs, axis=-1) == tf.cast(truth, tf.int64)

    return right
