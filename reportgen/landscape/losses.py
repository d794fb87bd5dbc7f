"""Which loss is drawn: the one the model was trained with where that is known, and why.

The value of a sample is computed from the scores before softmax or sigmoid where these can be
found, as Keras does in training: from probabilities, a wrong answer beyond 1e-7 has no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError
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
_SIMPLE = (bool, int, float, str, type(None))
_IGNORED = frozenset({"name", "reduction", "dtype", "fn", "module", "registered_name"})
_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
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
        ConfigurationError: ``wanted`` is no loss of Keras.
    """
    if wanted:
        function = find_loss(wanted)
        if function is None:
            raise ConfigurationError(
                f"loss: {wanted!r} is no loss of Keras. Write it as Keras does, such as "
                "categorical_crossentropy, mean_squared_error or mean_absolute_error."
            )
        return _build(reading, function, "asked for with --loss")
    found = _of_output(compiled, reading)
    if found is not None:
        function = found if callable(found) else find_loss(found)
        if function is not None:
            return _build(reading, function, "the one the model was compiled with")
    named = _FITTING.get(reading.task, "mean_squared_error")
    said = f"the compiled one ({str(found)[:60]}) is no loss of Keras; " if found else ""
    why = f"{said or 'no loss is in the file; '}inferred from the output. Say it with --loss"
    return _build(reading, find_loss(named), why)


def find_loss(declared: Any) -> Any:
    """A loss of Keras by its name or configuration; None if it is none. Runs nothing else.

    Only names of ``keras.losses`` are looked up and only plain settings are passed on: what stands
    in a file is not to be trusted.
    """
    settings: Mapping[str, Any] = {}
    if isinstance(declared, dict):
        inner = declared.get("config")
        name = declared.get("class_name")
        if name == "function" and isinstance(inner, str):
            name = inner
        elif isinstance(inner, dict):
            settings = inner
            name = inner.get("name") if name == "function" else name
        declared = name
    if not isinstance(declared, str) or not declared.isidentifier() or declared.startswith("_"):
        return None
    declared = _ALIASES.get(declared.lower(), declared)
    target = getattr(keras.losses, declared, None)
    if isinstance(target, type) and issubclass(target, keras.losses.Loss):
        if target is keras.losses.Loss:
            return None
        plain = {k: v for k, v in settings.items() if k not in _IGNORED and isinstance(v, _SIMPLE)}
        try:
            return target(**plain)
        except (TypeError, ValueError):
            return None
    if target is None or not callable(target) or declared in ("serialize", "deserialize", "get"):
        return None
    return target


def _of_output(compiled: Any, reading: Reading) -> Any:
    """What is declared for the audited output."""
    position = reading.output.index
    if isinstance(compiled, dict) and "class_name" not in compiled:
        name = reading.output.name.split("/")[-1]
        values = list(compiled.values())
        compiled = compiled.get(name, values[position] if position < len(values) else None)
    if isinstance(compiled, list | tuple):
        compiled = compiled[position] if position < len(compiled) else None
    return compiled or None


def _build(reading: Reading, function: Any, reason: str) -> Loss:
    name = _name_of(function)
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
    if reading.output.units == 1:
        return _CROSS_ENTROPIES
    binary = frozenset({"binary_crossentropy"})
    return binary if reading.task == "independent" else _CROSS_ENTROPIES - binary


def _plain_cross_entropy(task: str) -> Any:
    if task in ("softmax", "logits"):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=task == "logits")
    return keras.losses.BinaryCrossentropy(from_logits=task == "binary_logit")


def _name_of(function: Any) -> str:
    inner = getattr(function, "fn", function)
    return str(getattr(inner, "__name__", None) or type(inner).__name__)


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
