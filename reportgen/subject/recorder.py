"""The Keras callback that records a training for the audit. Needs Keras; `history` does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from reportgen.subject.history import HistoryWriter, weight_names


class WeightRecorder(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Record the initial weights and the weights after each epoch, with that epoch's logs.

        model.fit(x, y, epochs=12, callbacks=[WeightRecorder("history", float16=True)])

    Args:
        directory: where the history goes; must not hold one yet.
        float16: store half precision, which is plenty for curves and landscapes.

    Raises:
        UsageError: the folder already holds a history, here or when ``fit`` is called twice
            with the same recorder.
        OutputError: the disk refused.
    """

    def __init__(self, directory: Path | str, *, float16: bool = False) -> None:
        super().__init__()
        self._writer = HistoryWriter(directory, float16=float16)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record the weights before the first step."""
        self._record(0, {})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the weights after the epoch with those of its logs that are numbers."""
        # Some logs are not numbers (a learning-rate schedule, a confusion matrix): leave them.
        metrics = {name: float(value) for name, value in (logs or {}).items() if _is_number(value)}
        self._record(epoch + 1, metrics)

    def _record(self, epoch: int, metrics: Mapping[str, float]) -> None:
        names = weight_names(weight.path for weight in self.model.weights)
        arrays = (weight.numpy() for weight in self.model.weights)
        self._writer.append(epoch, dict(zip(names, arrays, strict=True)), metrics)


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]  # a tensor or a NumPy scalar is a number, too
    except (TypeError, ValueError):
        return False
    return True
