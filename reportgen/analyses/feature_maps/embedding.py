"""The last representation in two dimensions, with the mistakes marked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
_FEWEST = 20
_NEIGHBOURS = 10


@dataclass(frozen=True)
class Embedding:
    """t-SNE of the features that the last layer decides on (van der Maaten & Hinton 2008).

    points: ``(samples, 2)``. classes: position of each sample's class, -1 if unknown. wrong:
    samples that the model gets wrong. trust: share of neighbours in the picture that are
    neighbours in the features too, corrected for chance: 1 is perfect (Venna & Kaski 2001). rows:
    the samples, by number; seed: of the layout.
    """

    address: str
    points: FloatArray
    classes: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    trust: float
    features: int
    rows: NDArray[np.int64]
    seed: int


def embed(
    subject: Subject, features: dict[str, FloatArray], rows: NDArray[np.int64], seed: int
) -> Embedding | None:
    """Embed the last layer before the output; None with too few samples or nothing to embed.

    Args:
        features: by address, ``(rows, channels)``, of the layers in the order of execution.
        rows: samples that they belong to.
    """
    last = next(reversed(features), None)
    if last is None or len(rows) < _FEWEST:
        return None
    values = features[last]
    spread = values.std(axis=0)
    values = values[:, spread > 1e-9 * max(float(np.abs(values).max()), 1e-30)]
    if values.shape[1] < 3:
        return None
    points, trust = _fold(values, seed)
    classes, wrong = _read_classes(subject, rows)
    return Embedding(last, points, classes, wrong, trust, values.shape[1], rows, seed)


def _fold(values: FloatArray, seed: int) -> tuple[FloatArray, float]:
    from sklearn.manifold import TSNE, trustworthiness

    scaled = (values - values.mean(axis=0)) / values.std()
    perplexity = min(30.0, (len(values) - 1) / 3)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(scaled)
    neighbours = min(_NEIGHBOURS, (len(values) - 1) // 2)
    trust = float(trustworthiness(scaled, found, n_neighbors=neighbours))
    return np.asarray(found, np.float64), trust


def _read_classes(
    subject: Subject, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    values, classes = subject.labels.values, subject.labels.classes
    if values is None or not classes or values.ndim != 1 or values.dtype.kind != "i":
        return np.full(len(rows), -1), np.zeros(len(rows), bool)
    known = values[rows].astype(np.int64)
    said = np.nan_to_num(subject.probabilities[rows]).argmax(axis=1)
    return known, (known >= 0) & (said != known)
