"""The samples that a loss is measured on, in pieces that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Tensor = Any  # of TensorFlow, which has no types to check
_CHUNK_BYTES = 16 * 2**20  # of the largest activation: beyond it the caches do not help
_FEWEST, _MOST = 8, 1024


@dataclass(frozen=True, eq=False)
class Samples:
    """The same samples for every cell of every picture.

    inputs: positions -> scaled samples ``(b, ...)``. targets: encoded, one row a sample.
    count: samples. chunk: of so many at once. fixed: the model takes exactly ``chunk``.
    """

    inputs: Callable[[NDArray[np.int64]], NDArray[Any]]
    targets: NDArray[Any]
    chunk: int
    fixed: bool = False

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.targets)

    def rows(self) -> Iterator[NDArray[np.int64]]:
        """Positions of each chunk."""
        for start in range(0, self.count, self.chunk):
            yield np.arange(start, min(start + self.chunk, self.count))

    def chunks(self, input_dtype: Any, output_dtype: str) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Inputs, targets and how many of them are real, chunk by chunk.

        Where the model takes a fixed number, the last chunk is filled up with copies.
        """
        for rows in self.rows():
            real, inputs, targets = len(rows), self.inputs(rows), self.targets[rows]
            if self.fixed and real < self.chunk:
                filler = np.zeros(self.chunk - real, np.int64)
                inputs = np.concatenate([inputs, inputs[filler]])
                targets = np.concatenate([targets, targets[filler]])
            kind = tf.int64 if targets.dtype.kind == "i" else output_dtype
            yield tf.cast(inputs, input_dtype), tf.cast(targets, kind), real

    def part(self, rows: NDArray[np.int64]) -> Samples:
        """Only these samples."""
        return Samples(lambda r: self.inputs(rows[r]), self.targets[rows], self.chunk, self.fixed)


def choose_chunk(largest_activation: int, static_batch: int | None, count: int) -> int:
    """How many samples at once.

    Args:
        largest_activation: elements of the largest activation of one sample.
        static_batch: the number that the model insists on.
        count: samples in all, which are cut into equal chunks.
    """
    if static_batch:
        return static_batch
    most = int(np.clip(_CHUNK_BYTES // (4 * max(1, largest_activation)), _FEWEST, _MOST))
    return -(-count // -(-count // most))
