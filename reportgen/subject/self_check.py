"""The same samples through other ways of running the model: all should answer alike.

Each way is one that a user has. Where one differs, either this audit or the user's own numbers are
of another model than it seems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.errors import InputError
from reportgen.report.cards import OtherWay
from reportgen.subject.at_rest import list_training_calls
from reportgen.subject.audited_model import AuditedModel
from reportgen.subject.complaints import find_reason
from reportgen.subject.layers import Listener
from reportgen.subject.model_file import ModelFile
from reportgen.subject.model_file.content import Format
from reportgen.subject.model_file.identification import stamp_of
from reportgen.subject.shadowing import HALF
from reportgen.subject.user_code import load_objects

FloatArray = NDArray[np.float32]
MOST_SAMPLES = 32
_AT_ONCE = 3e9  # operations, which take about a second
_ONE_BY_ONE = 2
_LARGEST_FILE = 64 * 2**20  # another opening of a larger one takes seconds
Way = Callable[[list[FloatArray]], OtherWay]


def check_answers(subject: AuditedModel) -> tuple[OtherWay, ...]:
    """Compare the answers to up to 32 samples by the probe with those by other ways."""
    rows = _choose_rows(subject)
    if not len(rows):
        return ()
    inputs = subject.inputs(rows)
    ours = subject.probe.predict(lambda part: inputs[part], len(rows), "checking the answers")
    return tuple(way(ours) for way in _ways(subject, inputs))


def _choose_rows(subject: AuditedModel) -> NDArray[np.int64]:
    """Spread over the samples; fewer of a large network, one batch of a model that insists."""
    cost = sum(operations or 0 for operations in subject.flops)
    most = int(np.clip(_AT_ONCE / max(cost, 1), _ONE_BY_ONE, MOST_SAMPLES))
    count = min(subject.probe.static_batch or most, len(subject.samples))
    return np.unique(np.linspace(0, len(subject.samples) - 1, count).round().astype(np.int64))


def _ways(subject: AuditedModel, inputs: FloatArray) -> Iterator[Way]:
    model, static = subject.model, subject.probe.static_batch
    yield partial(_compare, "by model.predict", lambda: _predict(model, inputs, static), "")
    if static is None:
        few = inputs[:_ONE_BY_ONE]
        why = (
            "An answer depends on the other samples of its batch. The audit's answers are those of "
            "its own batches."
        )
        yield partial(_compare, "one sample at a time", lambda: _one_by_one(subject, few), why)
    if subject.file is not None:
        custom = load_objects(subject.config.custom_objects)
        yield from _by_loader(subject.file, inputs, static, custom)
    if called := list_training_calls(model):
        shown = ", ".join(called[:3]) + (f" and {len(called) - 3} more" if called[3:] else "")
        why = (
            f"The file calls {shown} with training=True. Keras 2 heeds that; predict of Keras 3 "
            "overrides it without a word, and so does this audit. Decide which of the two you use, "
            "and save the model without training=True if it is not meant."
        )
        name = "with training=True as the file has it"
        yield partial(_compare, name, lambda: _in_training(subject, inputs, called), why)


def _by_loader(
    file: ModelFile, inputs: FloatArray, static: int | None, custom: dict[str, Any]
) -> Iterator[Way]:
    """Keras' own loader, for files that it opens as they are."""
    whole = file.kind in (Format.KERAS, Format.HDF5) and file.path.is_file()
    if not whole or file.repairs or file.hazards:
        return
    name = "by keras.saving.load_model"
    if file.size_bytes > _LARGEST_FILE:
        said = f"The file is larger than {_LARGEST_FILE >> 20} MB: opening it again takes long."
        yield lambda ours: OtherWay(name=name, why=said)
        return

    def answer() -> list[FloatArray]:
        # The file was judged safe; the worker is as shut in as when we built the network.
        with file.path.open("rb") as stream:
            if stamp_of(stream) != file.stamp:
                raise InputError("the file has changed since it was read")
        other = keras.saving.load_model(
            file.path, custom_objects=custom, compile=False, safe_mode=True
        )
        if _computes_in_half(other):  # where a compiled graph rounds otherwise
            return _predict(other, inputs, static)
        whole, real = _fill(inputs, static)
        # What `predict` calls; another trace of it would take longer than all the rest.
        return _flatten(other(whole, training=False), real)

    yield partial(
        _compare, name, answer, "The audit goes on with the network as it was built here."
    )


def _compare(
    name: str, answer: Callable[[], list[FloatArray]], why: str, ours: list[FloatArray]
) -> OtherWay:
    try:
        theirs = answer()
    except Exception as error:  # whatever Keras or a layer of the user's raises is told
        said = f"{type(error).__name__}: {find_reason(error)}"
        return OtherWay(name=name, why=f"It failed ({said}).")
    count = len(theirs[0])
    pairs = [(_flat(a[:count]), _flat(b)) for a, b in zip(ours, theirs, strict=True)]
    apart = max(_distance(*pair) for pair in pairs)
    changed = np.zeros(count, bool)
    for one, other in pairs:
        changed |= _answer_of(one) != _answer_of(other)
    way = OtherWay(name=name, samples=count, apart=apart, changed=int(changed.sum()))
    return way.model_copy(update={"why": why}) if way.differs else way


def _flat(values: FloatArray) -> FloatArray:
    return values.reshape(len(values), -1)


def _distance(one: FloatArray, other: FloatArray) -> float:
    """Infinite where only one of them is not finite."""
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return float("inf")
    known = np.isfinite(one)
    largest = max(1.0, float(np.abs(one[known]).max(initial=0)))
    return float(np.abs(one[known] - other[known]).max(initial=0)) / largest


def _answer_of(values: FloatArray) -> NDArray[np.int64]:
    if values.shape[1] == 1:
        return (values[:, 0] > 0.5).astype(np.int64)
    return np.asarray(np.nan_to_num(values).argmax(axis=1))


def _predict(model: keras.Model, inputs: FloatArray, static: int | None) -> list[FloatArray]:
    """``model.predict``, from cleared states."""
    whole, real = _fill(inputs, static)
    with _states_kept(model):
        made = model.predict(whole, batch_size=len(whole), verbose=0)
    return _flatten(made, real)


def _fill(inputs: FloatArray, static: int | None) -> tuple[FloatArray, int]:
    """A whole batch, and how many of its samples are real."""
    size = max(static or 0, len(inputs))
    return np.resize(inputs, (size, *inputs.shape[1:])), len(inputs)


def _flatten(made: Any, real: int) -> list[FloatArray]:
    return [
        np.asarray(tf.cast(one, tf.float32), np.float32)[:real] for one in keras.tree.flatten(made)
    ]


def _computes_in_half(model: keras.Model) -> bool:
    return any(layer.compute_dtype in HALF for layer in model._flatten_layers())


@contextmanager
def _states_kept(model: keras.Model) -> Iterator[None]:
    """Cleared states of stateful layers for a while; then those that they had."""
    layers = [one for one in model._flatten_layers() if isinstance(one, keras.layers.RNN)]
    layers = [one for one in layers if one.stateful]
    states = [state for layer in layers for state in keras.tree.flatten(layer.states)]
    before = [state.numpy() for state in states]
    for state in states:
        state.assign(np.zeros(state.shape))  # `reset_state` fails where cells are stacked
    try:
        yield
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


def _one_by_one(subject: AuditedModel, inputs: FloatArray) -> list[FloatArray]:
    parts = [subject.probe.predict(partial(_rows_of, one[None]), 1) for one in inputs]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _rows_of(inputs: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
    return inputs[rows]


def _in_training(
    subject: AuditedModel, inputs: FloatArray, called: tuple[str, ...]
) -> list[FloatArray]:
    """All samples as one batch; what the layers would remember of it is thrown away."""
    model = subject.model

    def heed(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        return call(*given, **{**named, "training": True})

    heeded = {
        one.address: heed
        for one in subject.probe.calls
        if getattr(one.layer, "_call_has_training_arg", False)
        and any(_plain(one.address) == c or one.address.startswith(f"{c}/") for c in called)
    }

    def forward(batch: Any) -> list[Any]:
        listener = Listener(model, instead=heeded)
        with keras.StatelessScope(), listener.listening([batch]):
            return [
                tf.cast(t, tf.float32) for t in keras.tree.flatten(model(batch, training=False))
            ]

    run = tf.function(forward, autograph=False)
    batch = tf.cast(inputs, model.inputs[0].dtype)
    return [one.numpy() for one in run(batch)]


def _plain(address: str) -> str:
    """An address without the number of the call."""
    return address.partition("#")[0]
