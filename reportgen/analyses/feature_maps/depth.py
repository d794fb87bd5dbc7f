"""How the classes come apart, layer by layer: separability and effective rank."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.feature_maps.selection import DRAWN, choose_layers

if TYPE_CHECKING:
    from reportgen.subject.probe import Tap
    from reportgen.subject.subject import Subject

FloatArray = NDArray[np.float64]
_FOLDS = 5
_DRAWS = 5  # of folds: one alone moves the share by a point or two


@dataclass(frozen=True)
class LayerDepth:
    """One layer. features: how many numbers stand for a sample, the channels' means.

    effective_rank: from 1 to ``features``; None where every sample looks alike.
    hits: samples of ``Depth.scored`` whose class the nearest centroid finds, the mean over draws of
    the folds; None without classes.
    """

    address: str
    features: int
    effective_rank: float | None
    hits: float | None


@dataclass(frozen=True)
class Depth:
    """All layers in the order of execution. scored: samples that the classes were tried on.

    chance: the share of the most frequent class among them. unscored: why there are no hits. rows:
    all samples, by number; seed: of the first draw of the folds.
    """

    layers: tuple[LayerDepth, ...]
    samples: int
    scored: int
    chance: float
    unscored: str
    rows: NDArray[np.int64]
    seed: int


def measure_depth(
    subject: Subject, features: Mapping[str, FloatArray], rows: NDArray[np.int64], seed: int
) -> Depth:
    """Try the classes on each layer's features, as `read_means` gives them for ``rows``."""
    classes, unscored = _usable_classes(subject, rows)
    layers = []
    for address, values in features.items():
        hits = (
            None
            if classes is None
            else count_hits(values[classes >= 0], classes[classes >= 0], seed)
        )
        layers.append(LayerDepth(address, values.shape[1], effective_rank(values), hits))
    known = np.empty(0, np.int64) if classes is None else classes[classes >= 0]
    chance = float(np.bincount(known).max() / len(known)) if len(known) else 0.0
    return Depth(tuple(layers), len(rows), len(known), chance, unscored, rows, seed)


def effective_rank(values: FloatArray) -> float | None:
    """In how many directions samples differ: exp of the entropy of the variance's shares.

    Args:
        values: ``(samples, features)``.

    Source: Roy & Vetterli 2007, with eigenvalues of the covariance. Equal variance in ``k``
    directions gives ``k``.
    """
    centred = values - values.mean(axis=0)
    wide = centred.shape[1] > centred.shape[0]
    gram = centred @ centred.T if wide else centred.T @ centred
    variances = np.clip(np.linalg.eigvalsh(gram), 0, None)
    total = variances.sum()
    if total <= np.finfo(np.float32).eps * max(float((values**2).sum()), 1e-30):
        return None
    shares = variances[variances > total * 1e-12] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def count_hits(values: FloatArray, classes: NDArray[np.int64], seed: int) -> float:
    """Samples whose class the nearest centroid finds, each tried by centroids of the others.

    Five folds, stratified, drawn five times with the seeds ``seed`` to ``seed + 4``; the mean.
    Features are scaled by the training folds. No parameter is chosen, so that what is compared is
    the layers and not how well something was fitted to them.
    """
    from sklearn.model_selection import StratifiedKFold

    hits = 0
    parts = [
        part
        for draw in range(_DRAWS)
        for part in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed + draw).split(
            values, classes
        )
    ]
    for train, test in parts:
        middle, spread = values[train].mean(axis=0), values[train].std(axis=0)
        scaled = (values - middle) / np.where(spread > 0, spread, 1)
        hits += int((_nearest(scaled[train], classes[train], scaled[test]) == classes[test]).sum())
    return hits / _DRAWS


def _nearest(known: FloatArray, classes: NDArray[np.int64], asked: FloatArray) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestCentroid

    if (known == known[0]).all():  # scikit-learn refuses: each centre is as near as any other
        return np.full(len(asked), np.bincount(classes).argmax())
    # A channel that is dead for a class is nothing unusual here, and its deviation is not used.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", "self.within_class_std_dev_", UserWarning)
        found = NearestCentroid().fit(known, classes).predict(asked)
    return np.asarray(found, np.int64)


def _usable_classes(
    subject: Subject, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64] | None, str]:
    """Class positions of the rows, -1 for classes with fewer samples than folds."""
    values = subject.labels.values
    if values is None or values.dtype.kind != "i" or values.ndim != 1:
        return (
            None,
            "The samples have no classes, so it is not known how well layers tell them apart.",
        )
    classes = values[rows].astype(np.int64)
    counts = np.bincount(classes[classes >= 0])
    rare = np.flatnonzero(counts < _FOLDS)
    classes = np.where(np.isin(classes, rare), -1, classes)
    if len(np.unique(classes[classes >= 0])) < 2:
        return None, f"Fewer than two classes have {_FOLDS} samples. Audit more."
    return classes, ""


def read_means(
    subject: Subject, rows: NDArray[np.int64], most_layers: int
) -> dict[str, FloatArray]:
    """The mean of every channel over positions, ``(samples, channels)``, by layer."""
    from reportgen.subject.probe import Tap

    calls, _ = choose_layers(subject, most_layers, (*DRAWN, 5))
    taps = [Tap(call.address) for call in calls]
    axes = {tap: call.channel_axis for tap, call in zip(taps, calls, strict=True)}
    parts = list(
        subject.probe.reduce(
            lambda part: subject.inputs(rows[part]),
            len(rows),
            taps,
            _make_reducer(axes),
            "layer by layer",
        )
    )
    means = {}
    for position, tap in enumerate(taps):
        values = np.concatenate([part[position] for part in parts]).astype(np.float64)
        if np.isfinite(values).all():
            means[tap.address] = values
    return means


def _make_reducer(axes: Mapping[Tap, int]) -> Any:
    import tensorflow as tf

    def reduce(values: Mapping[Tap, Any]) -> list[Any]:
        means = []
        for tap, tensor in values.items():
            rank = tensor.shape.rank
            places = [axis for axis in range(1, rank) if axis != axes[tap]]
            means.append(tf.reduce_mean(tensor, places) if places else tensor)
        return means

    return reduce
