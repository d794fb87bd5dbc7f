"""Declared input scaling: from pixels 0..255 to what the network was trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.config import PREPROCESSING
from reportgen.errors import ConfigurationError
from reportgen.subject.user_code import load_named, name_of
from reportgen.suggest import nearest

FloatArray = NDArray[np.float32]
Preprocessing = Callable[[FloatArray], FloatArray]

# Means and deviations of ImageNet, RGB: Caffe's in 0..255, torchvision's in 0..1.
_CAFFE_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_TORCH_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def _none(pixels: FloatArray) -> FloatArray:
    return pixels


def _unit(pixels: FloatArray) -> FloatArray:
    return np.divide(pixels, 255, dtype=np.float32)


def _symmetric(pixels: FloatArray) -> FloatArray:
    return np.divide(pixels, 127.5, dtype=np.float32) - np.float32(1)


def _imagenet_caffe(pixels: FloatArray) -> FloatArray:
    return pixels[..., ::-1] - _CAFFE_MEAN_BGR


def _imagenet_torch(pixels: FloatArray) -> FloatArray:
    return (_unit(pixels) - _TORCH_MEAN) / _TORCH_DEVIATION


def _standardize(pixels: FloatArray) -> FloatArray:
    """Each sample to mean 0, deviation 1; the floor is `tf.image.per_image_standardization`'s."""
    axes = tuple(range(1, pixels.ndim))
    mean = pixels.mean(axis=axes, keepdims=True)
    floor = 1 / np.sqrt(np.prod(pixels.shape[1:]))
    return np.asarray(
        (pixels - mean) / np.maximum(pixels.std(axis=axes, keepdims=True), floor), np.float32
    )


_FUNCTIONS: dict[str, Preprocessing] = {
    "none": _none,
    "unit": _unit,
    "symmetric": _symmetric,
    "imagenet-caffe": _imagenet_caffe,
    "imagenet-torch": _imagenet_torch,
    "standardize": _standardize,
}


def _find_function(name: str) -> Preprocessing:
    """Of a name with its ending: channels the other way round, or the same twice."""
    usual, _, ending = name.rpartition("-")
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    function = _FUNCTIONS[usual]
    if ending == "twice":
        return lambda pixels: function(function(pixels))
    return lambda pixels: function(pixels)[..., ::-1]


_BY_NAME = {name: (_find_function(name), gloss) for name, gloss in PREPROCESSING.items()}
NAMES = tuple(_BY_NAME)
_TRIED = 8  # samples


def find_preprocessing(asked: str | Preprocessing) -> tuple[str, Preprocessing, str]:
    """The name, the function and its description.

    The function takes and returns float32 ``(n, h, w, c)``, and leaves what it gets as it is.

    Args:
        asked: one of `NAMES`, ``module:function``, or a function.

    Raises:
        ConfigurationError: no such name, or the function cannot be imported. The function itself
            raises it where the user's raises, changes the shape, or gives no numbers.
    """
    if callable(asked):
        name, found = name_of(asked), asked
    elif asked in _BY_NAME:
        return asked, *_BY_NAME[asked]
    elif ":" not in asked:
        guess = nearest(asked, tuple(_FUNCTIONS)) or nearest(asked, NAMES)
        raise ConfigurationError(
            f"preprocessing: {asked!r} is unknown. {guess + ' ' if guess else ''}"
            f"Use one of {', '.join(NAMES)}, or module:function."
        )
    else:
        name, found = asked, load_named(asked, "preprocessing")
    if not callable(found):
        raise ConfigurationError(f"preprocessing: {name!r} is not a function.")
    return name, lambda pixels: _call_user(found, pixels, name), "your function"


def _call_user(function: Callable[[Any], Any], pixels: FloatArray, name: str) -> FloatArray:
    try:
        # A copy: those of keras.applications write into the floats that they are given.
        made = np.asarray(function(np.array(pixels, np.float32)))
    except Exception as error:  # the user's function may raise anything
        raise ConfigurationError(
            f"preprocessing: {name} failed on samples of shape {pixels.shape} "
            f"({type(error).__name__}: {str(error)[:200]}). It must take such an array."
        ) from None
    if made.shape != pixels.shape:
        raise ConfigurationError(
            f"preprocessing: {name} made {made.shape} of {pixels.shape}. It must keep the shape."
        )
    if made.dtype.kind in "OSUcmM":
        raise ConfigurationError(
            f"preprocessing: {name} made {made.dtype} of float32. It must give real numbers."
        )
    return np.asarray(made, np.float32)


def check_preprocessing(name: str, function: Preprocessing, pixels: NDArray[Any]) -> None:
    """Try a user's function on the first samples, before anything is computed with it.

    Raises:
        ConfigurationError: it raises, changes the shape, or makes NaN or infinity of numbers.
    """
    if name in _BY_NAME:
        return
    if not np.isfinite(function(np.asarray(pixels[:_TRIED], np.float32))).all():
        raise ConfigurationError(
            f"preprocessing: {name} made NaN or infinity of the first samples, which have "
            "neither. Look for a division by zero."
        )


def fits_channels(name: str, channels: int) -> bool:
    """Whether a scaling can be meant for inputs of so many channels."""
    return channels == 3 or not (name.startswith("imagenet-") or name.endswith("-bgr"))


def check_channels(name: str, channels: int) -> None:
    """Refuse what is made for three channels on inputs that have another number."""
    if not fits_channels(name, channels):
        raise ConfigurationError(
            f"preprocessing: {name} needs 3 channels, the model takes {channels}. "
            "Use none, unit or symmetric."
        )
