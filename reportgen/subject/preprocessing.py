"""Declared input scaling: from pixels 0..255 to what the network was trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import ConfigurationError
from reportgen.subject.user_code import load_named
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


_BY_NAME: dict[str, tuple[Preprocessing, str]] = {
    "none": (_none, "pixels as they are"),
    "unit": (_unit, "x / 255"),
    "symmetric": (_symmetric, "x / 127.5 - 1"),
    "imagenet-caffe": (_imagenet_caffe, "RGB to BGR, minus the ImageNet means"),
    "imagenet-torch": (_imagenet_torch, "x / 255, ImageNet mean and deviation"),
    "standardize": (_standardize, "each sample to mean 0 and deviation 1"),
}
NAMES = tuple(_BY_NAME)


def find_preprocessing(name: str) -> tuple[Preprocessing, str]:
    """The function and its description, by name or as ``module:function``.

    The function takes and returns float32 ``(n, h, w, c)``.

    Raises:
        ConfigurationError: no such name, or the function cannot be imported.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if ":" not in name:
        guess = nearest(name, NAMES)
        raise ConfigurationError(
            f"preprocessing: {name!r} is unknown. {guess + ' ' if guess else ''}"
            f"Use one of {', '.join(NAMES)}, or module:function."
        )
    found = load_named(name, "preprocessing")
    if not callable(found):
        raise ConfigurationError(f"preprocessing: {name!r} is not a function.")
    return lambda pixels: _call_user(found, pixels, name), f"your function {name}"


def _call_user(function: Callable[[Any], Any], pixels: FloatArray, name: str) -> FloatArray:
    scaled = np.asarray(function(pixels), np.float32)
    if scaled.shape != pixels.shape:
        raise ConfigurationError(
            f"preprocessing: {name} made {scaled.shape} of {pixels.shape}. It must keep the shape."
        )
    return scaled


def check_channels(name: str, channels: int) -> None:
    """Refuse ImageNet scalings on inputs that do not have three channels."""
    if name.startswith("imagenet-") and channels != 3:
        raise ConfigurationError(
            f"preprocessing: {name} needs 3 channels, the model takes {channels}. "
            "Use none, unit or symmetric."
        )
