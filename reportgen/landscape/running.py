"""Calls of the traced function: plain, or compiled by XLA where that measures faster.

XLA compiles anew for every number of points and takes from seconds to minutes for it, so it is
tried only where much work is ahead, and kept only if it then proves faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from reportgen.subject.tracing import leaving_no_gradients

Tensor = Any  # of TensorFlow, which has no types to check
_GROUP_SECONDS = 0.5  # of one call: often enough for progress and for time limits
_MOST_POINTS = 1024
_COMPILED_POINTS = 64
_COMPILED_SECONDS = 5.0  # of one compiled call, by the time that the plain one took
_WORTH_TRYING = 120.0  # seconds of plain work ahead
_FASTER = 0.8  # of the plain time, at most


class Runner:
    """Runs ``function(steps, *given)`` for groups of points.

    compiled: True and False are obeyed; None: plain, until it pays to try XLA.
    seconds_a_point: of the last group; 0 if none was timed yet.
    """

    def __init__(self, function: Callable[..., Any], dtype: str, compiled: bool | None) -> None:
        self.compiled = bool(compiled)
        self.seconds_a_point = 0.0
        self._asked_for = compiled is True
        self._trial: Literal["open", "running", "over"] = "open" if compiled is None else "over"
        self._traced = False
        self._plain_seconds = 0.0
        self._points = _COMPILED_POINTS
        self._dtype = dtype
        self._functions = {
            by_xla: tf.function(function, jit_compile=by_xla, autograph=False)
            for by_xla in (False, True)
        }
        self._concrete: dict[Any, Any] = {}

    @property
    def group_size(self) -> int:
        """How many points the next call should take."""
        if self.compiled:
            return _MOST_POINTS if self._asked_for else self._points
        if not self.seconds_a_point:
            return 1
        return int(np.clip(_GROUP_SECONDS / self.seconds_a_point, 1, _MOST_POINTS))

    def compiles(self, points: int) -> bool:
        """Whether a group of so many points is compiled: a small one would be mostly filling."""
        return self.compiled and (self._asked_for or points >= self._points)

    def note(self, points: int, seconds: float, left: int) -> None:
        """Learn from a group that took so long, with so many points left to measure."""
        if self._traced:  # which took longer than the points
            self._traced = False
            return
        self.seconds_a_point = seconds / points
        if self._trial == "open":
            ahead = left * self.seconds_a_point
            if ahead > _WORTH_TRYING and left >= 4 * _COMPILED_POINTS:
                self._trial, self.compiled = "running", True
                self._plain_seconds = self.seconds_a_point
                most = _COMPILED_SECONDS / self.seconds_a_point
                self._points = int(np.clip(most, 1, _COMPILED_POINTS))
        elif self._trial == "running":
            if self.seconds_a_point > _FASTER * self._plain_seconds:
                self._give_up()
            else:
                self._trial = "over"

    def _give_up(self) -> None:
        self._trial, self.compiled = "over", False
        self.seconds_a_point = self._plain_seconds

    def __call__(
        self, steps: NDArray[Any], *given: Any, compiled: bool = False
    ) -> list[NDArray[Any]]:
        """Results for each row of ``steps``, with points along the first axis.

        Raises:
            tf.errors.OpError: of TensorFlow; a trial of XLA that fails ends in the plain way.
        """
        compiled = compiled and self.compiled
        try:
            filled = _filled(steps, self._points) if compiled else steps
            made = self._call(compiled, tf.constant(filled, self._dtype), *given)
            return [part.numpy()[: len(steps)] for part in made]
        except (tf.errors.OpError, NotImplementedError, ValueError):
            if not compiled or self._asked_for:
                raise
        self._give_up()  # not every operation can be compiled
        return self(steps, *given)

    def _call(self, compiled: bool, *given: Any) -> Any:
        shapes = tuple(None if t is None else tuple(t.shape) for t in tf.nest.flatten(given)[1:])
        key = (shapes, int(given[0].shape[0]) if compiled else None)
        if key not in self._concrete:
            self._traced = True
            specs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), given)
            if not compiled:
                specs = (tf.TensorSpec([None, 2], given[0].dtype), *specs[1:])
            with leaving_no_gradients():
                self._concrete[key] = self._functions[compiled].get_concrete_function(*specs)
        return self._concrete[key](*given)


def _filled(steps: NDArray[Any], size: int) -> NDArray[Any]:
    """Filled up to a multiple of ``size``, since each new number would be compiled."""
    return np.concatenate([steps, np.zeros((-len(steps) % size, steps.shape[1]))])
