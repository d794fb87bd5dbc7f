"""Where each head of an attention layer looks, on samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class AttentionMaps:
    """One layer call. maps: ``(samples, heads, queries, keys)``, the first tokens only where
    there are many; a row sums to one over all keys. rows: the samples.

    spread: how evenly a head looks, mean over samples and queries of the entropy of a row as a
    share of the entropy of an even row, ``(heads,)``: 1 looks everywhere alike, 0 at one token.
    own: mean weight that a token gives itself, ``(heads,)``; None where queries are not the keys.
    tokens: queries and keys that there are.
    """

    address: str
    rows: NDArray[np.int64]
    maps: FloatArray
    spread: NDArray[np.float64]
    own: NDArray[np.float64] | None
    tokens: tuple[int, int]


def read_attention(
    subject: Subject, rows: NDArray[np.int64], most_tokens: int
) -> tuple[AttentionMaps, ...]:
    """Attention of all such layers on the samples ``rows``, a layer at a time: they are large."""
    from reportgen.subject.probe import Tap

    found = []
    for call in subject.probe.calls:
        if not call.has_attention or not len(rows):
            continue
        tap = Tap(call.address, "attention")
        _, values = subject.probe.activations(subject.inputs(rows), [tap], "attention")
        weights = values[tap].reshape(len(rows), -1, *values[tap].shape[-2:])
        found.append(_describe(call.address, rows, weights, most_tokens))
    return tuple(found)


def _describe(
    address: str, rows: NDArray[np.int64], weights: FloatArray, most: int
) -> AttentionMaps:
    queries, keys = weights.shape[-2:]
    w = weights.astype(np.float64)
    entropy = -(w * np.log(np.maximum(w, 1e-30))).sum(axis=-1)
    even = np.log(keys) if keys > 1 else 1.0
    own = np.diagonal(w, axis1=-2, axis2=-1).mean(axis=(0, 2)) if queries == keys else None
    return AttentionMaps(
        address,
        rows,
        weights[..., :most, :most].astype(np.float32),
        (entropy / even).mean(axis=(0, 2)),
        own,
        (queries, keys),
    )
