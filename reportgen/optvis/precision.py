"""bfloat16 where it is faster and true enough; float32 everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from reportgen.errors import UsageError

if TYPE_CHECKING:
    from reportgen.optvis.step import Step

BFLOAT16 = "mixed_bfloat16"
MOST_ERROR = 0.02  # of the activations: far below what one more step changes
_WORTH_TRYING = 4.0  # seconds of work, below which the trial costs more than it can bring
_FEWEST_STEPS = 32  # the trial itself takes up to eight
_TURNS = 2
_CLEARLY = 0.9  # of the time in float32
_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


@dataclass(frozen=True)
class Choice:
    """The policy that the model computes in (None: its own), and why."""

    policy: str | None
    reason: str

    @property
    def name(self) -> str:
        """As people say it."""
        return "bfloat16" if self.policy else "float32"


def choose_policy(
    asked: str,
    steps: int,
    trace: Callable[..., Step],
    first: Sequence[Any],
    parameters: Sequence[Any],
) -> Choice:
    """Time a step of each and compare what they see, if the work is long enough to be worth it.

    Args:
        asked: auto, float32 or bfloat16. steps: of all batches that are to be painted.
        trace: the step of a batch, traced for a ``policy``. first: its first variables.
        parameters: of the objective, for one batch.

    Raises:
        UsageError: ``asked`` is none of the three.
    """
    if asked == "float32":
        return Choice(None, "as asked")
    if asked == "bfloat16":
        return Choice(BFLOAT16, "as asked")
    if asked != "auto":
        raise UsageError(f"precision: {asked!r} is unknown. Use auto, float32 or bfloat16.")
    if not computes_bfloat16():
        return Choice(None, "this processor does not compute in bfloat16")
    if steps < _FEWEST_STEPS:
        return Choice(None, "too few steps to gain from bfloat16")
    plain = _Trial(trace(), first, parameters)
    if plain.seconds * steps < _WORTH_TRYING:
        return Choice(None, "too little work to gain from bfloat16")
    short = _Trial(trace(policy=BFLOAT16), first, parameters)
    error = short.error(plain)
    if not error <= MOST_ERROR:
        return Choice(None, f"bfloat16 is off by {error:.1%}")
    for _ in range(_TURNS):  # in turns, so that other work on the machine is unfair to both
        plain.repeat()
        short.repeat()
    if short.seconds > _CLEARLY * plain.seconds:
        return Choice(None, f"bfloat16 takes {short.seconds / plain.seconds:.2f} times as long")
    return Choice(BFLOAT16, f"off by {error:.1%}")


def computes_bfloat16() -> bool:
    """Whether the device has instructions for it."""
    if tf.config.list_physical_devices("GPU"):
        return True
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return bool(_FLAGS & set(flags.split()))


class _Trial:
    """Steps of one precision. seconds: of the quickest. scores: of the first."""

    def __init__(self, step: Step, first: Sequence[Any], parameters: Sequence[Any]) -> None:
        rngs = [np.random.default_rng(0) for _ in range(step.scene.batch or 1)]
        self._step, self._parameters = step, parameters
        self._drawn = step.pipeline.draw(rngs, 1, step.scene.canvas)[0]
        step.start(first)
        self.scores = step.climb(self._drawn, parameters)[0].numpy()
        self.seconds = float("inf")
        self.repeat()

    def repeat(self) -> None:
        started = time.perf_counter()
        self._step.climb(self._drawn, self._parameters)[0].numpy()
        self.seconds = min(self.seconds, time.perf_counter() - started)

    def error(self, exact: _Trial) -> float:
        """The largest difference of the scores, as a part of the largest of them."""
        largest = max(float(np.abs(exact.scores).max()), 1e-12)
        return float(np.abs(self.scores - exact.scores).max()) / largest
