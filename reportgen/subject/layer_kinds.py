"""What a layer does with the positions of its input: keeps, slides over or mixes them."""

from __future__ import annotations

from typing import Any

import keras

# Functions of one value, by lower-case name: of keras.ops, of TensorFlow and of its graphs.
ELEMENTWISE = frozenset(
    """
    abs absolute add addn addv2 biasadd cast ceil celu clip clipbyvalue const cos cosh divide
    dividenonan elu equal erf exp expm1 floor floordiv floordivide gelu greater greaterequal
    hardshrink hardsigmoid hardsilu hardtanh identity leakyrelu less lessequal log log1p
    logsigmoid logicaland logicalnot logicalor maximum minimum mod mul multiply neg negative
    notequal placeholder pow power readvariableop realdiv reciprocal relu relu6 round rsqrt
    saturatecast select selectv2 selu sigmoid sign silu sin sinh softplus softshrink softsign
    sparseplus sparsesigmoid sqrt square squareddifference squareplus stopgradient sub subtract
    swish tan tanh tanhshrink threshold truediv truedivide where
    """.split()
)
# Layers that at rest keep every position to itself. Those that augment do nothing at rest.
_KEEPING = frozenset(
    """
    Activation ActivityRegularization Add AlphaDropout AugMix Average BatchNormalization CutMix
    Dropout ELU GaussianDropout GaussianNoise Identity LeakyReLU Masking Maximum Minimum MixUp
    Multiply Normalization PReLU RandAugment ReLU Rescaling SpatialDropout1D SpatialDropout2D
    SpatialDropout3D Subtract
    """.split()
)
_ALONG_AXES = frozenset(
    """
    Amax Amin LayerNormalization LogSoftmax Logsumexp Max Mean Min Prod RMSNormalization Softmax
    Std Sum UnitNormalization Var
    """.split()
)
_SLIDING = {
    "AveragePooling": "pooling",
    "Conv": "convolution",
    "Cropping": "cropping",
    "DepthwiseConv": "convolution",
    "MaxPooling": "pooling",
    "SeparableConv": "convolution",
    "UpSampling": "enlarging",
    "ZeroPadding": "padding",
}
_RESHAPING = {
    "ExpandDims": "reshape",
    "Permute": "permute",
    "Reshape": "reshape",
    "Squeeze": "reshape",
    "Transpose": "permute",
}


def kind_of(layer: Any) -> str:
    """What the layer does with positions, in one word.

    One of elementwise, concatenate, mixing, permute, reshape, convolution, transposed,
    pooling, enlarging, resizing, padding, cropping; ``unknown`` for everything else.
    """
    name = _known_name(layer)
    if name is None:
        return _kind_of_function(layer)
    if name in ("SpectralNormalization", "TimeDistributed"):
        inner = kind_of(layer.layer)
        allowed = name == "SpectralNormalization" or inner == "elementwise" or _is_dense(layer)
        return inner if allowed else "unknown"
    if isinstance(layer, keras.layers.Layer):
        return _kind_of_layer(layer, name)
    if name.lower() in ELEMENTWISE:
        return "elementwise"
    return _kind_of_either(name)


def _kind_of_layer(layer: Any, name: str) -> str:
    if name in _KEEPING or name.startswith("Random"):
        return "elementwise"
    if name in ("Dense", "EinsumDense"):
        return "mixing"
    if name == "Resizing":
        return "resizing"
    stem, dimensions = name[:-2], name[-2:]
    if dimensions in ("1D", "2D", "3D"):
        return _SLIDING.get(stem, "unknown")
    if name.endswith("DTranspose"):
        return "transposed"
    return _kind_of_either(name)


def _kind_of_either(name: str) -> str:
    """Names that are both layers and bare operations, and mean the same."""
    if name == "Concatenate":
        return "concatenate"
    return "mixing" if name in _ALONG_AXES else _RESHAPING.get(name, "unknown")


def _kind_of_function(layer: Any) -> str:
    """A function of TensorFlow that stands in a Keras 2 graph (`TensorFlowFunction`)."""
    function = str(getattr(layer, "function", "")).split(".")[-1].replace("_", "")
    is_ours = type(layer).__name__ == "TensorFlowFunction"
    return "elementwise" if is_ours and function in ELEMENTWISE else "unknown"


def _known_name(layer: Any) -> str | None:
    """Name of the Keras class whose ``call`` this is; None for a layer with its own."""
    if not type(layer).call.__module__.startswith("keras."):
        return None
    own = (kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return next(own).__name__


def _is_dense(layer: Any) -> bool:
    return type(layer.layer) is keras.layers.Dense


def mixed_axes(layer: Any, rank: int) -> tuple[int, ...] | None:
    """Axes of a tensor of ``rank`` along which a layer of kind ``mixing`` looks; None: any."""
    layer = getattr(layer, "layer", layer)
    if isinstance(layer, keras.layers.Dense):
        return (rank - 1,)
    if isinstance(layer, keras.layers.EinsumDense):
        return (rank - 1,) if _acts_on_last(layer.equation) else None
    if layer.axis is None:
        return None
    axes = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    return tuple(int(axis) % rank for axis in axes)


def _acts_on_last(equation: str) -> bool:
    """Such as ``abc,cd->abd``: all axes but the last are kept."""
    given, made = equation.split("->")
    return given.split(",")[0][:-1] == made[:-1]


def moved_axes(
    layer: Any, before: tuple[int | None, ...], after: tuple[int | None, ...]
) -> dict[int, int] | None:
    """Old axis -> new axis of a layer of kind ``permute`` or ``reshape``; None: all is rearranged.

    A reshape keeps its axes if only some of length 1 come or go; those are left out.
    """
    if kind_of(layer) == "permute":
        order = getattr(layer, "axes", None) or (0, *getattr(layer, "dims", ()))
        whole = len(order) == len(before)
        return {axis % len(before): place for place, axis in enumerate(order)} if whole else None
    old = [axis for axis, side in enumerate(before) if axis and side != 1]
    new = [axis for axis, side in enumerate(after) if axis and side != 1]
    if [before[axis] for axis in old] != [after[axis] for axis in new]:
        return None
    return dict(zip(old, new, strict=True))
