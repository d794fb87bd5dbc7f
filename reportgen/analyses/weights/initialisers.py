"""Whether a kernel still looks as its initialiser drew it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.subject.kernels import Kernel

_MIN_VALUES = 200
_WITH_BIAS = 0.02
_SLACK = 1 + 1e-5  # float32 rounding at the bound
# Keras widens the normal so that its truncation at two deviations has the wanted deviation.
_TRUNCATED = 0.87962566103423978
_SETTINGS = {
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
    "recurrent_kernel": "recurrent_initializer",
    "embeddings": "embeddings_initializer",
}


def looks_initial(kernel: Kernel, *, min_p: float) -> bool | None:
    """Whether the kernel still looks as its initialiser drew it; None if that cannot be said.

    The weights must fit the initialiser's distribution (Kolmogorov-Smirnov), stay within its
    bounds, and a bias must still be exactly as it starts. By definition ``min_p`` of untouched
    kernels fit worse; where a bias never moved that is evidence too, and a worse fit will do.
    """
    laws = _laws(kernel)
    if not laws or kernel.values.size < _MIN_VALUES:
        return None
    if _bias_moved(kernel.owner):
        return False
    values = kernel.values.ravel().astype(np.float64)
    if getattr(kernel.owner, "bias", None) is not None:
        min_p *= _WITH_BIAS
    return any(_fits(values, kind, spread, min_p) for kind, spread in laws)


def _bias_moved(owner: Any) -> bool:
    bias = getattr(owner, "bias", None)
    if bias is None:
        return False
    values = np.asarray(bias.numpy())
    # The forget gate of an LSTM starts at one.
    forget = hasattr(owner, "recurrent_kernel")
    return bool(np.any((values != 0) & ~((values == 1) & forget)))


def _fits(values: NDArray[np.float64], kind: str, spread: float, min_p: float) -> bool:
    from scipy.stats import kstest, norm, truncnorm, uniform

    bound = {"uniform": spread, "truncated": 2 * spread}.get(kind, np.inf)
    if np.abs(values).max() > bound * _SLACK:
        return False
    law = {
        "uniform": lambda: uniform(-spread, 2 * spread),
        "truncated": lambda: truncnorm(-2, 2, scale=spread),
        "normal": lambda: norm(scale=spread),
    }[kind]()
    return bool(kstest(values, law.cdf).pvalue > min_p)


def _laws(kernel: Kernel) -> list[tuple[str, float]]:
    """Kind and spread (half-width, or deviation before truncation) of what it may be drawn from."""
    initializer = _initializer(kernel)
    settings: dict[str, Any] = getattr(initializer, "get_config", dict)()
    kind = type(initializer).__name__
    if kind == "RandomUniform":
        low, high = settings["minval"], settings["maxval"]
        return [("uniform", high)] if low == -high and high > 0 else []
    if kind in ("RandomNormal", "TruncatedNormal"):
        spread = settings["stddev"]
        usable = settings.get("mean") == 0 and spread and spread > 0
        law = "truncated" if kind == "TruncatedNormal" else "normal"
        return [(law, float(spread))] if usable else []
    if not hasattr(initializer, "distribution"):
        return []
    return [_variance_scaling(initializer, fans) for fans in _fans(kernel)]


def _initializer(kernel: Kernel) -> Any:
    names = [_SETTINGS.get(kernel.attribute, "kernel_initializer")]
    if kernel.depthwise:
        names.insert(0, "depthwise_initializer")  # DepthwiseConv keeps its kernel as `kernel`
    found = (getattr(kernel.owner, name, None) for name in names)
    return next((initializer for initializer in found if initializer is not None), None)


def _fans(kernel: Kernel) -> list[tuple[int, int]]:
    """Inputs and outputs as Keras counts them; for EinsumDense as before and since Keras 3.12,
    which reads its equation."""
    shape = kernel.values.shape
    window = int(np.prod(shape[:-2]))
    fans = [(shape[-2] * window, shape[-1] * window)]
    if hasattr(kernel.owner, "equation"):
        filters = len(kernel.filters)
        fans.insert(0, (kernel.values.size // filters, filters))
    return fans


def _variance_scaling(initializer: Any, fans: tuple[int, int]) -> tuple[str, float]:
    """Keras' VarianceScaling (Glorot, He, LeCun): variance = scale / fan."""
    fan = {"fan_in": fans[0], "fan_out": fans[1]}.get(initializer.mode, sum(fans) / 2)
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "uniform":
        return "uniform", float(np.sqrt(3 * variance))
    if initializer.distribution == "truncated_normal":
        return "truncated", float(np.sqrt(variance) / _TRUNCATED)
    return "normal", float(np.sqrt(variance))
