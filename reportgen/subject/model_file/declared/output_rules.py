"""The shapes of what one layer or operation returns, from its settings."""

from __future__ import annotations

import math
from collections.abc import Callable

from reportgen.subject.model_file.declared.axes import einsum_axes, head_outputs
from reportgen.subject.model_file.declared.reading import (
    MAX_RANK,
    Call,
    NotKnownError,
    Outputs,
    Settings,
    Shape,
    axis_position,
    items,
    known,
    need,
    whole,
)
from reportgen.subject.model_file.declared.rules import CELLS, Rule, each
from reportgen.subject.model_file.declared.spatial_rules import SPATIAL

_SAME = """
    Activation ReLU LeakyReLU ELU ThresholdedReLU Softmax PReLU Identity Masking
    ActivityRegularization Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout
    GaussianDropout GaussianNoise BatchNormalization SyncBatchNormalization LayerNormalization
    GroupNormalization UnitNormalization RMSNormalization Normalization Rescaling RandomFlip
    RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness RandomHue
    RandomSaturation RandomSharpness RandomShear RandomGrayscale RandomInvert RandomPosterization
    RandomColorJitter RandomColorDegeneration RandomErasing RandomPerspective RandomElasticTransform
    RandomGaussianBlur AutoContrast Equalization Solarization RandAugment AugMix LayerScale
    StochasticDepth CustomScaleLayer"""
_OPERATIONS = """
    Abs Add Subtract Multiply Divide TrueDivide FloorDivide Power Maximum Minimum Mod Negative Exp
    Log Sqrt Rsqrt Square Tanh Sin Cos Clip Cast Round Floor Ceil Sign Relu Relu6 Sigmoid
    HardSigmoid Silu HardSilu Gelu Elu Selu LeakyRelu Softplus Softsign Softmax LogSoftmax"""
# Of Keras 2: the function of a TFOpLambda, or the graph operation of a TensorFlowOpLayer.
_FUNCTIONS = """
    math.add math.subtract math.multiply math.truediv math.divide math.maximum math.minimum
    math.pow math.square math.sqrt math.exp math.tanh math.sigmoid math.abs math.negative
    __operators__.add nn.relu nn.relu6 nn.sigmoid nn.silu nn.swish nn.softmax nn.elu nn.gelu
    nn.leaky_relu clip_by_value cast identity tf.identity Add AddV2 Sub Mul RealDiv Maximum
    Minimum Relu Relu6 Sigmoid Tanh Sqrt Square Exp Cast Identity BiasAdd"""


def _same(s: Settings, c: Call) -> Outputs:
    return (c.first,)


def _last(key: str) -> Callable[[Settings, Call], Outputs]:
    return lambda s, c: ((*c.first[:-1], s.size(key)),)


def _product(sides: Shape) -> int | None:
    return None if None in sides else math.prod(known(side) for side in sides)


def _flatten_out(s: Settings, c: Call) -> Outputs:
    return ((c.first[0], _product(c.first[1:])),)


def _reshape_out(s: Settings, c: Call) -> Outputs:
    target = [whole(side, -1) for side in items(s.raw("target_shape"))]
    need(target.count(-1) <= 1 and len(target) < MAX_RANK and 0 not in target)
    total = _product(c.first[1:])
    fixed = math.prod(side for side in target if side != -1)
    need(total is None or (total % fixed == 0 if -1 in target else total == fixed))
    free = None if total is None else total // fixed
    return ((c.first[0], *(free if side == -1 else side for side in target)),)


def _permute_out(s: Settings, c: Call) -> Outputs:
    order = [whole(axis) for axis in items(s.raw("dims"))]
    need(sorted(order) == list(range(1, len(c.first))))
    return ((c.first[0], *(c.first[axis] for axis in order)),)


def _repeat_out(s: Settings, c: Call) -> Outputs:
    need(len(c.first) == 2)
    return ((c.first[0], s.size("n"), c.first[1]),)


def _wider(one: int | None, other: int | None) -> int | None:
    if one == 1 or other == 1 or one == other:
        return other if one == 1 else one
    need(one is None or other is None)
    return None


def _merge_out(s: Settings, c: Call) -> Outputs:
    out = c.all[0]
    need(all(len(shape) == len(out) for shape in c.all))
    for shape in c.all[1:]:
        out = tuple(map(_wider, out, shape))
    return (out,)


def _concatenate_out(s: Settings, c: Call) -> Outputs:
    shapes = c.all
    axis = s.axes(shapes[0])[0]
    need(all(len(shape) == len(shapes[0]) for shape in shapes))
    out: list[int | None] = []
    for position, sides in enumerate(zip(*shapes, strict=True)):
        if position == axis:
            out.append(None if None in sides else sum(known(side) for side in sides))
        else:
            fixed = {side for side in sides if side is not None}
            need(len(fixed) <= 1)
            out.append(fixed.pop() if fixed else None)
    return (tuple(out),)


def _dot_out(s: Settings, c: Call) -> Outputs:
    left, right = c.all
    axes = s.raw("axes")
    pair = [axes, axes] if isinstance(axes, int) else items(axes)
    one, other = axis_position(pair[0], len(left)), axis_position(pair[1], len(right))
    need(one > 0 and other > 0 and len(pair) == 2)
    rest = (left[0], *left[1:one], *left[one + 1 :], *right[1:other], *right[other + 1 :])
    return (rest if len(rest) > 1 else (*rest, 1),)


def _recurrent_out(s: Settings, c: Call) -> Outputs:
    x, units = c.first, s.size("units")
    need(len(x) == 3 and not s.flag("time_major"))
    last = (x[0], units)
    states = (last,) * (2 if "LSTM" in s.class_name else 1) if s.flag("return_state") else ()
    return ((x[0], x[1], units) if s.flag("return_sequences") else last, *states)


def _attention_out(s: Settings, c: Call) -> Outputs:
    query, value = c.named("query", 0), c.named("value", 1)
    if query is None or value is None:
        raise NotKnownError
    return ((*query[:-1], value[-1]),)


def _heads_out(s: Settings, c: Call) -> Outputs:
    query = c.named("query", 0)
    if query is None:
        raise NotKnownError
    return ((*query[:-1], *head_outputs(s, query)),)


def _embedding_out(s: Settings, c: Call) -> Outputs:
    return ((*c.first, s.size("output_dim")),)


def _einsum_out(s: Settings, c: Call) -> Outputs:
    return (tuple(einsum_axes(s, c.first)[3]),)


def _operation_out(s: Settings, c: Call) -> Outputs:
    """An elementwise function of tensors of one rank and of numbers."""
    need(c.plain)
    return _merge_out(s, c)


def _graph_function_out(s: Settings, c: Call) -> Outputs:
    """Keras 2: a call of TensorFlow that was recorded as a layer."""
    if s.class_name == "TFOpLambda":
        need(s.raw("function") in _FUNCTIONS.split())
    else:
        need(s.raw("node_def")["op"] in _FUNCTIONS.split())
        constants = (s.raw("constants") or {}).values()
        need(all(isinstance(constant, int | float) for constant in constants))
    return _operation_out(s, c)


def _unknown_out(s: Settings, c: Call) -> Outputs:
    raise NotKnownError


OUTPUTS: dict[str, Rule] = {
    **each(_SAME, _same),
    **each("Dense", _last("units")),
    **SPATIAL,
    **each("Flatten", _flatten_out),
    **each("Reshape", _reshape_out),
    **each("Permute", _permute_out),
    **each("RepeatVector", _repeat_out),
    **each("Add Subtract Multiply Average Maximum Minimum", _merge_out),
    **each("Concatenate", _concatenate_out),
    **each("Dot", _dot_out),
    **each(CELLS, _recurrent_out),
    **each("Attention AdditiveAttention", _attention_out),
    **each("MultiHeadAttention", _heads_out),
    **each("Embedding", _embedding_out),
    **each("EinsumDense", _einsum_out),
    **each("TFOpLambda TensorFlowOpLayer", _graph_function_out),
    **each("Lambda SlicingOpLambda CategoryEncoding Hashing MixUp CutMix", _unknown_out),
}

OPERATIONS = each(_OPERATIONS, _operation_out)
