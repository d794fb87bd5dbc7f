"""Which input scaling is used, and what of that was assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reportgen.config import PREPROCESSING
from reportgen.errors import ConfigurationError
from reportgen.subject.inputs import Gain, InputSpec, read_gain, reads_tokens, scales_inside
from reportgen.subject.preprocessing import (
    Preprocessing,
    check_channels,
    check_preprocessing,
    find_preprocessing,
)

if TYPE_CHECKING:
    from reportgen.subject.probe import Probe

# Scalings that are made for pixels from 0 to 255: all but these.
_OF_ANYTHING = ("none", "standardize")
# Pixels of 8 bits reach this; other numbers hardly do, such as counts up to 16.
_BRIGHT = 32.0
# No pixels from 0 to 255 are all so dark: what stays below and has fractions is no such pixels.
_DARK = 16.0
_FEW = 0.1  # share of fractions beyond 1, where resizing or brightening went over white
_OVER = 512.0  # sharpened pixels of 8 bits go over 255, and not so far


@dataclass(frozen=True)
class Scaling:
    """words: as the report has it. function: of samples. notes: how it was chosen. assumed: what
    nobody stated and the samples alone suggest; empty where it was declared or is in the model."""

    words: str
    function: Preprocessing
    notes: tuple[str, ...] = ()
    assumed: str = ""


@dataclass(frozen=True)
class _Inner:
    """address: of the first layer that scales the input. gain: what all of them make of it."""

    address: str
    gain: Gain | None

    @property
    def takes_pixels(self) -> bool:
        """Whether it is known to be made for pixels from 0 to 255."""
        return self.gain is not None and self.gain.takes_pixels


def choose_scaling(
    asked: str | Preprocessing | None, spec: InputSpec, probe: Probe, pixels: NDArray[Any]
) -> Scaling:
    """The scaling that was declared, or the one that the model and its samples suggest.

    Args:
        pixels: the samples before scaling, ``(n, ...)``; with ``n = 0`` 8-bit images are meant.

    Raises:
        ConfigurationError: an unknown or failing one, one that is made for other samples than
            these, or none declared where a wrong one would go unseen.
    """
    notes: tuple[str, ...] = ()
    assumed, inner = "", _find_inner(probe)
    if asked is None:
        _refuse_guess(spec, inner, pixels)
        asked, why, sure = _guess(spec, probe, pixels, inner)
        said = f"Input scaling was not declared. {asked} was assumed: {why}."
        notes, assumed = (said,), "" if sure else said
    name, function, words = find_preprocessing(asked)
    if spec.kind == "image":
        check_channels(name, spec.channels)
    if name in PREPROCESSING and not name.startswith(_OF_ANYTHING):
        _check_pixels(name, pixels)
    check_preprocessing(name, function, pixels)
    doubts = _doubt(name, inner, pixels) if inner else ()
    return Scaling(f"{name} ({words})", function, (*notes, *doubts), assumed)


def _find_inner(probe: Probe) -> _Inner | None:
    """Scaling inside of the model; None also where it is made for fractions, as ``255 * x``.

    Such a one says nothing about who makes fractions of pixels: it is not the model.
    """
    address = scales_inside(probe.calls)
    if address is None:
        return None
    gain = read_gain(probe.calls)
    return None if gain and gain.takes_fractions else _Inner(address, gain)


def _refuse_guess(spec: InputSpec, inner: _Inner | None, pixels: NDArray[Any]) -> None:
    """Ask where any guess may be wrong, and its result would look like one.

    Raises:
        ConfigurationError: fractions for a model that divides pixels itself, or 16-bit pixels.
    """
    dark = _describe_dark(pixels)
    # Whole numbers of 0 and 1 may be very dark files: they get a note. Of what is no image, numbers
    # beyond 1 may be anything.
    fractions = pixels.dtype.kind in "fb" and (spec.kind == "image" or _largest(pixels) <= 1)
    if inner and inner.gain and inner.takes_pixels and dark and fractions:
        raise ConfigurationError(
            f"preprocessing: it was not declared. The samples are {dark}, and the model "
            f"{inner.gain.words} itself (layer {inner.address}), as is done with pixels as "
            "files have them. Say --preprocessing none if the samples are as the model takes "
            "them, or give the pixels themselves."
        )
    deep = spec.kind == "image" and pixels.dtype == np.uint16 and _largest(pixels) > 255
    if deep and (inner is None or _leaves_large(inner, pixels)):
        raise ConfigurationError(
            f"preprocessing: it was not declared. {_describe_deep(pixels)} Say --preprocessing "
            "none if they are as the model takes them, or bring them to 8 bits: divide by 257."
        )


def _leaves_large(inner: _Inner, pixels: NDArray[Any]) -> bool:
    """Whether the model's own scaling is known and not made for so large numbers."""
    return inner.gain is not None and abs(inner.gain.factor) * _largest(pixels) > _DARK


def _check_pixels(name: str, pixels: NDArray[Any]) -> None:
    """Refuse samples that are no pixels from 0 to 255 under a scaling that is made for these.

    Raises:
        ConfigurationError: they are darker than any such pixels, or larger.
    """
    if dark := _describe_dark(pixels):
        harm = "they would be scaled twice"
        if pixels.dtype.kind != "f":
            harm = "hardly a difference between them would be left"
        raise ConfigurationError(
            f"preprocessing: {name} is for pixels from 0 to 255, and the samples are {dark}: "
            f"{harm}. Say --preprocessing none if they are as the model takes them, or give the "
            "pixels themselves."
        )
    if _largest(pixels) > (_OVER if pixels.dtype.kind == "f" else 255):
        raise ConfigurationError(
            f"preprocessing: {name} is for pixels from 0 to 255. {_describe_deep(pixels)} Bring "
            "them to 8 bits (those of 16 bits divided by 257), or say --preprocessing none if "
            "they are as the model takes them."
        )


def _doubt(name: str, inner: _Inner, pixels: NDArray[Any]) -> tuple[str, ...]:
    """What may be wrong about a scaling beside the model's own; nothing where nothing may be."""
    if name != "none":
        return (
            f"The model scales its input itself (layer {inner.address}), and {name} was asked for "
            "on top of it. If that is not meant, say --preprocessing none.",
        )
    dark = _describe_dark(pixels)
    if not (dark and inner.gain and inner.takes_pixels):
        return ()
    return (
        f"The samples are {dark}, and the model {inner.gain.words} itself (layer "
        f"{inner.address}). If it was trained on pixels as files have them, give these.",
    )


def _guess(
    spec: InputSpec, probe: Probe, pixels: NDArray[Any], inner: _Inner | None
) -> tuple[str, str, bool]:
    """A scaling, why, and whether the model itself says so."""
    tokens = reads_tokens(probe.calls)
    if tokens:
        return "none", f"the input is numbers of tokens (layer {tokens})", True
    if inner:
        return "none", f"the model scales its input itself (layer {inner.address})", True
    if spec.kind != "image" and (pixels.dtype != np.uint8 or not len(pixels)):
        return "none", "the samples are no images, and taken as they are", True
    return _guess_by_range(pixels)


def _guess_by_range(pixels: NDArray[Any]) -> tuple[str, str, bool]:
    low, high = _span(pixels) if len(pixels) else (0.0, 255.0)
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


def _span(pixels: NDArray[Any]) -> tuple[float, float]:
    """The smallest and the largest value; zeros without samples."""
    return (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)


def _largest(pixels: NDArray[Any]) -> float:
    low, high = _span(pixels)
    return max(-low, high)


def _describe_dark(pixels: NDArray[Any]) -> str:
    """What the samples are, where no pixels from 0 to 255 are all so dark; else nothing.

    Nothing of samples that are all black, which may be anything.
    """
    low, high = _span(pixels)
    largest = max(-low, high)
    if not 0 < largest < _DARK:
        return ""
    if pixels.dtype == bool:
        return "True and False"
    if pixels.dtype.kind != "f":
        return f"whole numbers from {low:.0f} to {high:.0f}" if largest <= 1 else ""
    if largest <= 1:
        return f"fractions up to {high:.3g}"
    if low < 0:
        return f"numbers from {low:.3g} to {high:.3g}"
    if np.count_nonzero(pixels > 1) <= _FEW * pixels.size:
        return f"fractions, few of them beyond 1, up to {high:.3g}"
    return ""


def _describe_deep(pixels: NDArray[Any]) -> str:
    return f"The samples are {pixels.dtype} and reach up to {_largest(pixels):.5g}."
