"""What can be wrong with weights, seen in the weights alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.analyses.weights.kernels import as_filters, is_depthwise

FloatArray = NDArray[np.floating[Any]]
# Below this share of the layer's median a filter is zero to float32 precision.
_ZERO = 4 * float(np.finfo(np.float32).eps)


def dead_filters(filters: FloatArray, scale: FloatArray | None) -> NDArray[np.int64]:
    """Filters that are zero to precision, alone or times their BatchNorm scale.

    Args:
        filters: ``(filters, fan_in)``. scale: ``(filters,)`` or None.
    """
    norms = np.linalg.norm(filters.astype(np.float64), axis=1)
    if scale is not None and scale.shape == norms.shape:
        norms = norms * np.abs(scale)
    norms = np.where(np.isfinite(norms), norms, np.inf)  # NaN is another finding
    usual = float(np.median(norms[norms > 0])) if (norms > 0).any() else 1.0
    return np.flatnonzero(norms <= _ZERO * min(usual, 1e30))


def duplicate_pairs(
    class_name: str, kernel: FloatArray, *, min_cosine: float, skip: NDArray[np.int64]
) -> list[tuple[int, int, float]]:
    """Pairs of filters with absolute cosine above ``min_cosine``: ``(i, j, cosine)``.

    Silent for depthwise kernels, whose filters read different channels, and where so many
    random directions of this dimension would contain such a pair anyway.
    """
    filters = as_filters(class_name, kernel).astype(np.float64)
    count, fan_in = filters.shape
    if is_depthwise(class_name) or _expected_by_chance(count, fan_in, min_cosine) > 0.01:
        return []
    norms = np.linalg.norm(filters, axis=1)
    usable = np.setdiff1d(np.flatnonzero(np.isfinite(norms) & (norms > 0)), skip)
    unit = filters[usable] / norms[usable, None]
    cosine = unit @ unit.T
    rows, columns = np.nonzero(np.triu(np.abs(cosine) > min_cosine, k=1))
    return [
        (int(usable[i]), int(usable[j]), float(cosine[i, j]))
        for i, j in zip(rows, columns, strict=True)
    ]


def _expected_by_chance(count: int, fan_in: int, cosine: float) -> float:
    """Expected pairs beyond ``cosine`` among random directions (spherical cap area)."""
    from scipy.special import betainc

    if fan_in < 2:
        return float("inf")
    chance = float(betainc((fan_in - 1) / 2, 0.5, 1 - cosine**2))
    return chance * count * (count - 1) / 2


def looks_initial(layer: Any, kernel: FloatArray, *, min_p: float) -> bool | None:
    """Whether the kernel still looks as its initialiser drew it; None if that cannot be said.

    The weights must fit the initialiser's distribution (Kolmogorov-Smirnov), stay within its
    bounds, and a bias must still be exactly at zero.
    """
    from scipy.stats import kstest, norm, truncnorm, uniform

    drawn = _initial_distribution(layer, kernel)
    if drawn is None or kernel.size < 200:
        return None
    kind, spread = drawn
    values = kernel.ravel().astype(np.float64)
    bias = getattr(layer, "bias", None)
    if bias is not None and np.any(np.asarray(bias.numpy()) != 0):
        return False
    slack = 1 + 1e-5  # float32 rounding at the bound
    if kind == "uniform":
        if np.abs(values).max() > spread * slack:
            return False
        law = uniform(-spread, 2 * spread)
    elif kind == "truncated":
        if np.abs(values).max() > 2 * spread * slack:
            return False
        law = truncnorm(-2, 2, scale=spread)
    else:
        law = norm(scale=spread)
    return bool(kstest(values, law.cdf).pvalue > min_p)


def _initial_distribution(layer: Any, kernel: FloatArray) -> tuple[str, float] | None:
    """Kind and spread of the layer's initialiser: half-width, or deviation before truncation."""
    name = "depthwise_initializer" if hasattr(layer, "depthwise_kernel") else "kernel_initializer"
    initializer = getattr(layer, name, None)
    settings: dict[str, Any] = getattr(initializer, "get_config", dict)()
    kind = type(initializer).__name__
    if kind in ("RandomUniform", "RandomNormal", "TruncatedNormal"):
        if kind == "RandomUniform":
            low, high = settings["minval"], settings["maxval"]
            return ("uniform", high) if low == -high and high > 0 else None
        spread = settings["stddev"]
        usable = settings.get("mean") == 0 and spread and spread > 0
        return ("truncated" if kind == "TruncatedNormal" else "normal", spread) if usable else None
    if not hasattr(initializer, "distribution"):
        return None
    return _variance_scaling(initializer, kernel.shape)


def _variance_scaling(initializer: Any, shape: tuple[int, ...]) -> tuple[str, float]:
    """Keras' VarianceScaling (Glorot, He, LeCun): variance = scale / fan."""
    window = int(np.prod(shape[:-2])) if len(shape) > 2 else 1
    fan_in = (shape[-2] if len(shape) > 1 else shape[0]) * window
    fan_out = shape[-1] * window
    fan = {"fan_in": fan_in, "fan_out": fan_out}.get(initializer.mode, (fan_in + fan_out) / 2)
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "uniform":
        return "uniform", float(np.sqrt(3 * variance))
    if initializer.distribution == "truncated_normal":
        # Keras widens the normal so that its truncation has the wanted deviation.
        return "truncated", float(np.sqrt(variance) / 0.87962566103423978)
    return "normal", float(np.sqrt(variance))


def batchnorm_problem(layer: Any) -> str | None:
    """What is degenerate in the moving statistics of a BatchNormalization, in words."""
    mean, variance = getattr(layer, "moving_mean", None), getattr(layer, "moving_variance", None)
    if mean is None or variance is None:
        return None
    m, v = np.asarray(mean.numpy()), np.asarray(variance.numpy())
    if np.all(m == 0) and np.all(v == 1):
        return "moving statistics were never updated"
    zero = np.flatnonzero(v <= 0)
    if len(zero):
        return f"variance is zero in {len(zero)} of {len(v)} channels ({_list(zero)})"
    return None


def _list(numbers: NDArray[np.int64], most: int = 8) -> str:
    shown = ", ".join(str(int(n)) for n in numbers[:most])
    return shown + (", …" if len(numbers) > most else "")
