"""What can be wrong with weights, seen in the weights alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.kernels import FloatArray, Kernel

_BLOCK = 1024
_MOST_CHANCE = 0.01  # expected pairs among random directions from which the check is silent


@dataclass(frozen=True)
class Duplicates:
    """Filters that point the same way. cosines: of each but the first, to the first."""

    members: tuple[int, ...]
    cosines: tuple[float, ...]

    @property
    def equation(self) -> str:
        """``3 = 7 = 12``."""
        return " = ".join(map(str, self.members))

    @property
    def said_cosines(self) -> str:
        """``cosine +1.000``: one number if all agree, else one for each but the first."""
        said = [f"{cosine:+.3f}" for cosine in self.cosines]
        return f"cosine {said[0] if len(set(said)) == 1 else ', '.join(said)}"

    def describe(self) -> str:
        """``3 = 7 = 12 (cosine +1.000)``."""
        return f"{self.equation} ({self.said_cosines})"


def duplicate_groups(
    kernel: Kernel, *, min_cosine: float, skip: NDArray[np.int64], mirrored: bool = True
) -> list[Duplicates]:
    """Groups of filters joined by a cosine above ``min_cosine``; by its size if ``mirrored``.

    Only filters that read the same inputs are compared: those of one channel in a depthwise
    kernel, of one group in a grouped one. Silent where so many random directions of this
    dimension would contain such a pair anyway; where the filters of a layer share few directions
    (their mean squared cosine is one over the dimension they fill), a pair has to be nearer than
    chance would bring any in that many dimensions.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    filters = kernel.filters.astype(np.float64)
    count, fan_in = filters.shape
    size = count // kernel.groups
    chance = kernel.groups * _expected_by_chance(size, fan_in, min_cosine)
    if size < 2 or chance > _MOST_CHANCE:
        return []
    norms = np.linalg.norm(filters, axis=1)
    usable = np.setdiff1d(np.flatnonzero(np.isfinite(norms) & (norms > 0)), skip)
    found = []
    for group in np.split(usable, np.searchsorted(usable, np.arange(size, count, size))):
        unit = filters[group] / norms[group, None]
        rows, columns = _equal_pairs(unit, min_cosine, kernel.groups, mirrored)
        graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(unit), len(unit)))
        _, labels = connected_components(graph, directed=False)
        for label in np.flatnonzero(np.bincount(labels) > 1):
            first, *others = np.flatnonzero(labels == label).tolist()
            members = tuple(int(group[place]) for place in (first, *others))
            found.append(Duplicates(members, tuple((unit[others] @ unit[first]).tolist())))
    return sorted(found, key=lambda duplicates: duplicates.members)


def _equal_pairs(
    unit: FloatArray, min_cosine: float, groups: int, mirrored: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows of length one ``(filters, fan_in)`` that are equal, or opposite."""
    count, fan_in = unit.shape
    pairs: list[FloatArray] = []
    rest, rest_count = 0.0, count * (count - 1) / 2
    for start in range(0, count, _BLOCK):  # all at once would take count^2 numbers
        cosine = np.triu(unit[start : start + _BLOCK] @ unit[start:].T, 1)
        rows, columns = np.nonzero((np.abs(cosine) if mirrored else cosine) > min_cosine)
        near = np.minimum(np.abs(cosine[rows, columns]), 1)
        pairs.append(np.stack([rows + start, columns + start, near], axis=1))
        rest += float((cosine**2).sum() - (near**2).sum())
        rest_count -= len(near)
    found = np.concatenate(pairs) if pairs else np.zeros((0, 3))
    mean = rest / rest_count if rest_count > 0 else 0.0
    dimension = min(float(fan_in), 1 / mean if mean else np.inf)
    expected = groups * _expected_by_chance(count, max(dimension, 2.0), found[:, 2])
    found = found[expected <= _MOST_CHANCE]
    return found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)


def _expected_by_chance(count: int, dimension: float, cosine: Any) -> Any:
    """Expected pairs beyond each ``cosine`` among random directions (spherical cap area)."""
    from scipy.special import betainc

    if dimension < 2:
        return np.inf
    chance = betainc((dimension - 1) / 2, 0.5, 1 - np.square(cosine))
    return chance * count * (count - 1) / 2


def compare_offsets(kernel: Kernel, norm: Any, groups: list[Duplicates]) -> str:
    """Whether the copies differ in what is added to them (bias, BatchNorm), in words.

    A filter w with bias b, after a BatchNorm with scale s, shift beta and mean m, is s (w.x + b -
    m) + beta. Two filters of one direction switch at the same inputs if the rest, divided by
    their signed size, is the same; then one is the other times a number.
    """
    filters = kernel.filters.astype(np.float64)
    scale, offset = _affine(kernel.owner, norm, len(filters))
    if not any(np.any(offset[list(group.members)]) for group in groups):
        return "none has a bias: each group is one filter times a number"
    differing = []
    for group in groups:
        signs = np.array([1.0, *np.sign(group.cosines)])
        members = list(group.members)
        sizes = signs * np.linalg.norm(filters[members], axis=1) * scale[members]
        with np.errstate(divide="ignore", invalid="ignore"):
            thresholds = offset[members] / sizes
        if not np.allclose(thresholds, thresholds[0], rtol=1e-3, atol=1e-6, equal_nan=True):
            differing.append(str(members[0]))
    of = "bias or BatchNorm shift" if norm is not None else "bias"
    if not differing:
        return f"the same {of}: each group is one filter times a number"
    where = (
        ""
        if len(differing) == len(groups)
        else f" in the group{_s(differing)} of " + ", ".join(differing[:6])
    )
    return f"{of} differs{where}: after the activation they may answer differently"


def _s(items: list[str]) -> str:
    return "s" if len(items) > 1 else ""


def _affine(owner: Any, norm: Any, count: int) -> tuple[FloatArray, FloatArray]:
    """Factor and offset of each channel behind the kernel, ``(filters,)`` each."""
    bias = _vector(owner, "bias", count, 0.0)
    if norm is None:
        return np.ones(count), bias
    spread = np.sqrt(_vector(norm, "moving_variance", count, 1.0) + norm.epsilon)
    scale = _vector(norm, "gamma", count, 1.0) / spread
    shift = _vector(norm, "beta", count, 0.0) - scale * _vector(norm, "moving_mean", count, 0.0)
    return scale, scale * bias + shift


def _vector(layer: Any, name: str, count: int, absent: float) -> FloatArray:
    variable = getattr(layer, name, None)
    values = None if variable is None else np.asarray(variable.numpy(), np.float64).ravel()
    return values if values is not None and len(values) == count else np.full(count, absent)


def batchnorm_problem(layer: Any) -> tuple[str, tuple[int, ...]] | None:
    """What is degenerate in the moving statistics of a BatchNormalization: words and channels."""
    mean, variance = getattr(layer, "moving_mean", None), getattr(layer, "moving_variance", None)
    if mean is None or variance is None:
        return None
    m, v = np.asarray(mean.numpy()), np.asarray(variance.numpy())
    if np.all(m == 0) and np.all(v == 1):
        return "moving statistics were never updated", ()
    zero = np.flatnonzero(v <= 0)
    if not len(zero):
        return None
    channels = tuple(zero.tolist())
    return f"variance is zero in {len(zero)} of {len(v)} channels ({_list(channels)})", channels


def _list(numbers: tuple[int, ...], most: int = 8) -> str:
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")
