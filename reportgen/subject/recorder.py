"""The Keras callback that records a training for the audit. Needs Keras; `history` does not."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from reportgen.errors import UsageError
from reportgen.subject.history import HistoryWriter, read_history
from reportgen.subject.history.live import LiveWeights
from reportgen.subject.history.progress import Progress, go_on
from reportgen.subject.history.thinning import Every, ThinningWriter
from reportgen.subject.history.writing import Float16


class WeightRecorder(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Record the weights before, during and after a training, with its logs.

        model.fit(x, y, epochs=12, callbacks=[WeightRecorder("history")])
        model.fit(x, y, epochs=12, callbacks=[WeightRecorder("history", every=100, keep=32)])

    Put it last in the list: another callback may still change the weights when the training
    ends (EarlyStopping puts the best ones back), and the last record is to be the final model.

    The folder never holds more than ``keep`` records, however long the training: when they are
    there, every second one goes (never the first, never the newest), and from then on half as
    many are made. So the records stay evenly spaced, and the disk and the time that recording
    takes stay bounded. A training that is killed leaves a history that reads; lost is at most
    the interval since the last record.

    Args:
        directory: where the history goes; must not hold one yet, unless ``resume``.
        every: ``"epoch"``, or a number of training steps (batches). The first weights and the
            last are recorded always. With ``steps_per_execution``, a record is made after the
            execution in which it falls due.
        keep: the most records, the first and the last included; at least 2.
        float16: True stores half precision, which is plenty for curves. ``"differences"`` stores
            the first record whole, and of all others the float16 differences to it: half the
            size as well, and each weight exact to 2**-11 of its movement (or 2**-39 of the
            largest movement in its tensor, if that is more) beside the rounding of float32.
        resume: go on with the history in ``directory``, if there is one, for a training that
            goes on from a checkpoint (``fit(initial_epoch=n)``, or BackupAndRestore). What was
            recorded after that epoch goes.

    Under a distribution strategy the chief records; other workers do not.

    Raises:
        UsageError: an option is out of range; without ``resume``, the folder already holds a
            history, here or when ``fit`` is called twice with the same recorder; with it, the
            history is of another network, or the training starts again from other weights.
        OutputError: the disk refused.
        InputError, UnsafeInputError: the history to go on with cannot be read.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        every: Every = "epoch",
        keep: int = 64,
        float16: Float16 = False,
        resume: bool = False,
    ) -> None:
        super().__init__()
        self._directory, self._every, self._resume = Path(directory), every, resume
        self._writer = HistoryWriter(directory, float16=float16, resume=resume)
        self._history = ThinningWriter(self._writer, every, keep)
        self._progress: Progress | None = None
        self._shapes: tuple[tuple[int, ...], ...] = ()
        self._recorded = b""  # the digest of the weights that were recorded last

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Refuse a second training, which would mix with the first."""
        if self._history.steps and not self._resume:
            raise UsageError(
                f"history {self._directory}: this recorder has recorded a training; a second "
                "training needs a new recorder and a new folder. To go on with the first: "
                "resume=True and fit(initial_epoch=...)"
            )
        self._progress = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Before the first epoch: record the weights, or find the place to go on from.

        Not when the training begins: BackupAndRestore puts its weights back only there.
        """
        if self._progress is not None:
            return
        progress = self._begin(epoch)
        if self._history.steps or not self._is_chief():
            return
        if self.model.built and self.model.weights:
            self._record(progress, {})
        else:
            self._warn(
                "the network has no weights before its first step, so the first record is of those "
                "after it. To record how it starts, give it a keras.Input or call it on a batch"
            )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Count the steps, and record if one is due."""
        progress = self._progress or self._begin(0)
        progress.count(batch)
        if not self._is_chief() or (self._every == "epoch" and self._history.steps):
            return
        if self._history.is_due(progress.epochs, progress.step):
            self._record(progress, _numbers(logs))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the weights, if due, with those of the epoch's logs that are numbers."""
        progress = self._progress or self._begin(epoch)
        progress.finish(epoch, _numbers(logs))
        if not self._is_chief():
            return
        steps = self._history.steps
        if self._every == "epoch" or not steps:
            if self._history.is_due(progress.epochs, progress.step):
                self._record(progress, progress.metrics)
        elif len(steps) > 1 and steps[-1].step == progress.step:
            # Recorded a moment ago with the logs of its batch; these have validation, too.
            self._writer.describe(progress.epochs, progress.metrics)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record the final weights, unless they are what was recorded last."""
        progress = self._progress
        if progress and self._is_chief() and self._recorded != self._digest():
            # Other weights without another step were put back: the last logs are not theirs.
            steps = self._history.steps
            put_back = bool(steps) and steps[-1].step == progress.step
            self._record(progress, {} if put_back else progress.metrics)

    def _begin(self, epoch: int) -> Progress:
        """The place where the training starts, also in a history that is there."""
        length = (self.params or {}).get("steps")
        self._progress = Progress(epoch, length=length)
        if self._history.steps and self._is_chief():
            first, last = self._history.steps[0], self._history.steps[-1]
            self._check_shapes()
            if epoch > first.epoch or self._starts_alike():
                self._history.go_on_from(epoch)
                self._progress = go_on(self._history.steps, epoch, length)
            elif last.epoch < epoch + 1:
                self._history.start_over()  # killed before an epoch was done, and begun anew
            else:
                raise UsageError(
                    f"history {self._directory}: resume=True, but the training starts at epoch "
                    f"{epoch} with other weights than the recorded ones. Say where it goes on "
                    "with fit(initial_epoch=...), or record into another folder"
                )
        return self._progress

    def _record(self, progress: Progress, metrics: Mapping[str, float]) -> None:
        weights = LiveWeights(self.model)
        if self._history.steps and weights.shapes != self._shapes:
            self._warn("the network got other weights while it trained: the history starts over")
            self._history.start_over()
        self._history.append(progress.epochs, progress.step, weights, metrics)
        self._shapes, self._recorded = weights.shapes, self._digest()

    def _check_shapes(self) -> None:
        self._shapes = self._writer.shapes
        if LiveWeights(self.model).shapes != self._shapes:
            raise UsageError(
                f"history {self._directory}: its {len(self._shapes)} weights are not those of "
                "this network, in number or shape; record another network into another folder"
            )

    def _starts_alike(self) -> bool:
        recorded = read_history(self._directory).arrays(0)
        now = LiveWeights(self.model).values()
        # Half precision has eleven significant bits.
        return all(
            np.allclose(np.asarray(new, old.dtype), old, rtol=2**-10, atol=1e-7, equal_nan=True)
            for new, old in zip(now, recorded, strict=True)
        )

    def _digest(self) -> bytes:
        digest = hashlib.blake2b()
        for array in LiveWeights(self.model).values():
            digest.update(array.tobytes())
        return digest.digest()

    def _is_chief(self) -> bool:
        """One process writes. A strategy tells which; without one there is one."""
        strategy = getattr(self.model, "distribute_strategy", None)
        return bool(getattr(getattr(strategy, "extended", None), "should_checkpoint", True))

    def _warn(self, said: str) -> None:
        warnings.warn(f"WeightRecorder: {said}.", UserWarning, stacklevel=3)


def _numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Some logs are none (a learning-rate schedule, a confusion matrix): they are left out."""
    return {name: float(value) for name, value in (logs or {}).items() if _is_number(value)}


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]  # a tensor or a NumPy scalar is a number, too
    except (TypeError, ValueError):
        return False
    return True
