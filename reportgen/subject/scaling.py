"""Which input scaling is used, and what of that was assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError
from reportgen.subject.inputs import InputSpec, reads_tokens, scales_inside
from reportgen.subject.preprocessing import (
    Preprocessing,
    check_channels,
    check_preprocessing,
    find_preprocessing,
)

if TYPE_CHECKING:
    from reportgen.subject.probe import Probe

# Scalings that are made for pixels from 0 to 255.
_OF_PIXELS = frozenset({"unit", "symmetric", "imagenet-caffe", "imagenet-torch"})
# Pixels of 8 bits reach this; other numbers hardly do, such as counts up to 16.
_BRIGHT = 32.0


@dataclass(frozen=True)
class Scaling:
    """words: as the report has it. function: of samples. notes: how it was chosen. assumed: what
    nobody stated and the samples alone suggest; empty where it was declared or is in the model."""

    words: str
    function: Preprocessing
    notes: tuple[str, ...] = ()
    assumed: str = ""


def choose_scaling(
    asked: str | Preprocessing | None, spec: InputSpec, probe: Probe, pixels: NDArray[Any]
) -> Scaling:
    """The scaling that was declared, or the one that the model and its samples suggest.

    Args:
        pixels: the samples before scaling, ``(n, ...)``; with ``n = 0`` 8-bit images are meant.

    Raises:
        ConfigurationError: an unknown or failing one, or one that would scale pixels twice.
    """
    notes: tuple[str, ...] = ()
    assumed, inside = "", scales_inside(probe.calls)
    if asked is None:
        asked, why, sure = _guess(spec, probe, pixels, inside)
        said = f"Input scaling was not declared. {asked} was assumed: {why}."
        notes, assumed = (said,), "" if sure else said
    name, function, words = find_preprocessing(asked)
    if spec.kind == "image":
        check_channels(name, spec.channels)
    if name in _OF_PIXELS and _is_scaled(pixels):
        raise ConfigurationError(
            f"preprocessing: {name} is for pixels from 0 to 255, and the samples are fractions up "
            f"to {float(pixels.max()):.3g}: they would be scaled twice. Say --preprocessing none "
            "if they are as the model takes them, or give the pixels themselves."
        )
    if name in _OF_PIXELS and inside:
        notes += (
            f"The model scales its input itself (layer {inside}), and {name} was asked for on top "
            "of it. If that is not meant, say --preprocessing none.",
        )
    check_preprocessing(name, function, pixels)
    return Scaling(f"{name} ({words})", function, notes, assumed)


def _guess(
    spec: InputSpec, probe: Probe, pixels: NDArray[Any], inside: str | None
) -> tuple[str, str, bool]:
    """A scaling, why, and whether the model itself says so."""
    tokens = reads_tokens(probe.calls)
    if tokens:
        return "none", f"the input is numbers of tokens (layer {tokens})", True
    if inside:
        return "none", f"the model scales its input itself (layer {inside})", True
    if spec.kind != "image" and (pixels.dtype != np.uint8 or not len(pixels)):
        return "none", "the samples are no images, and taken as they are", True
    return _guess_by_range(pixels)


def _guess_by_range(pixels: NDArray[Any]) -> tuple[str, str, bool]:
    low, high = (float(pixels.min()), float(pixels.max())) if len(pixels) else (0.0, 255.0)
    if high <= 1 and low >= 0:
        return "none", f"the samples reach from {low:.3g} to {high:.3g} already", False
    whole = not len(pixels) or pixels.dtype == np.uint8
    if whole or (low >= 0 and _BRIGHT <= high <= 255):
        what = "8-bit images" if whole else "pixels from 0 to 255"
        return "unit", f"the usual one for {what}; say so with --preprocessing", False
    return (
        "none",
        f"the samples reach from {low:.3g} to {high:.3g}, and are taken as they are",
        False,
    )


def _is_scaled(pixels: NDArray[Any]) -> bool:
    """Whether they are fractions up to 1: no pixels from 0 to 255 are all so dark."""
    return bool(len(pixels) and pixels.dtype.kind == "f" and 0 < float(np.abs(pixels).max()) <= 1)
