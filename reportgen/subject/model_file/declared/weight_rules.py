"""The shapes of the weights that one layer would allocate, from its settings."""

from __future__ import annotations

from reportgen.subject.model_file.declared.axes import einsum_axes, head_outputs, split_axes
from reportgen.subject.model_file.declared.reading import (
    Call,
    NotKnownError,
    Settings,
    Weights,
    items,
    known,
    need,
    whole,
)
from reportgen.subject.model_file.declared.rules import CELLS, CONVS, TRANSPOSES, Rule, each


def _with_bias(s: Settings, *kernels: tuple[str, tuple[int, ...]], bias: int) -> Weights:
    return (*kernels, ("bias", (bias,))) if s.flag("use_bias", True) else kernels


def _dense(s: Settings, c: Call) -> Weights:
    units = s.size("units")
    return _with_bias(s, ("kernel", (known(c.first[-1]), units)), bias=units)


def _conv(s: Settings, c: Call) -> Weights:
    channels, kernel = known(split_axes(s, c.first)[0]), s.sizes("kernel_size")
    filters, groups = s.size("filters"), s.size("groups", 1)
    need(channels % groups == 0 and filters % groups == 0)
    return _with_bias(s, ("kernel", (*kernel, channels // groups, filters)), bias=filters)


def _conv_transpose(s: Settings, c: Call) -> Weights:
    channels, filters = known(split_axes(s, c.first)[0]), s.size("filters")
    return _with_bias(s, ("kernel", (*s.sizes("kernel_size"), filters, channels)), bias=filters)


def _depthwise(s: Settings, c: Call) -> Weights:
    channels, times = known(split_axes(s, c.first)[0]), s.size("depth_multiplier", 1)
    return _with_bias(
        s, ("kernel", (*s.sizes("kernel_size"), channels, times)), bias=channels * times
    )


def _separable(s: Settings, c: Call) -> Weights:
    channels, times = known(split_axes(s, c.first)[0]), s.size("depth_multiplier", 1)
    filters = s.size("filters")
    depthwise = ("depthwise_kernel", (*s.sizes("kernel_size"), channels, times))
    pointwise = ("pointwise_kernel", (*(1,) * s.rank, channels * times, filters))
    return _with_bias(s, depthwise, pointwise, bias=filters)


_GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4, "CuDNNGRU": 3, "CuDNNLSTM": 4}


def _recurrent(s: Settings, c: Call) -> Weights:
    units, gates = s.size("units"), _GATES[s.class_name]
    wide = units * gates
    kernels = (("kernel", (known(c.first[-1]), wide)), ("recurrent_kernel", (units, wide)))
    if s.class_name.startswith("CuDNN"):
        return (*kernels, ("bias", (2 * wide,)))
    if s.class_name == "GRU" and s.flag("reset_after", True) and s.flag("use_bias", True):
        return (*kernels, ("bias", (2, wide)))
    return _with_bias(s, *kernels, bias=wide)


def _conv_recurrent(s: Settings, c: Call) -> Weights:
    channels, filters = known(split_axes(s, c.first, 1)[0]), s.size("filters")
    kernel = s.sizes("kernel_size")
    inner = ("kernel", (*kernel, channels, 4 * filters))
    return _with_bias(
        s, inner, ("recurrent_kernel", (*kernel, filters, 4 * filters)), bias=4 * filters
    )


def _scaled(s: Settings, shape: tuple[int, ...]) -> Weights:
    gamma: Weights = (("gamma", shape),) if s.flag("scale", True) else ()
    return (*gamma, ("beta", shape)) if s.flag("center", True) else gamma


def _batch_norm(s: Settings, c: Call) -> Weights:
    need(not s.flag("renorm"))
    axes = s.axes(c.first)
    sides = tuple(known(side) if i in axes else 1 for i, side in enumerate(c.first))
    shape = (sides[axes[0]],) if len(axes) == 1 else sides  # Keras 2 broadcasts over several
    return (*_scaled(s, shape), ("moving_mean", shape), ("moving_variance", shape))


def _layer_norm(s: Settings, c: Call) -> Weights:
    shape = tuple(known(c.first[axis]) for axis in s.axes(c.first))
    return (("gamma", shape),) if s.flag("rms_scaling") else _scaled(s, shape)


def _group_norm(s: Settings, c: Call) -> Weights:
    return _scaled(s, (known(c.first[s.axes(c.first)[0]]),))


def _rms_norm(s: Settings, c: Call) -> Weights:
    return (("scale", tuple(known(c.first[axis]) for axis in s.axes(c.first))),)


def _normalization(s: Settings, c: Call) -> Weights:
    if s.raw("mean") is not None:
        return ()  # given as numbers: constants of the layer
    axes = () if s.raw("axis", -1) is None else sorted(s.axes(c.first))
    shape = tuple(known(c.first[axis]) for axis in axes)
    return (("mean", shape), ("variance", shape), ("count", ()))


def _embedding(s: Settings, c: Call) -> Weights:
    return (("embeddings", (s.size("input_dim"), s.size("output_dim"))),)


def _prelu(s: Settings, c: Call) -> Weights:
    shared = {whole(axis) for axis in items(s.raw("shared_axes") or [])}
    sides = enumerate(c.first[1:], 1)
    return (("alpha", tuple(1 if axis in shared else known(side) for axis, side in sides)),)


def _attention(s: Settings, c: Call) -> Weights:
    scale: Weights = (("scale", ()),) if s.flag("use_scale") else ()
    concat = s.word("score_mode", "dot") == "concat"
    return (*scale, ("concat_score_weight", ())) if concat else scale


def _additive(s: Settings, c: Call) -> Weights:
    return (("scale", (known(c.first[-1]),)),) if s.flag("use_scale", True) else ()


def _heads(s: Settings, c: Call) -> Weights:
    query, value = c.named("query", 0), c.named("value", 1)
    if query is None or value is None:
        raise NotKnownError
    key = c.named("key", 2) or value
    heads, width = s.size("num_heads"), s.size("key_dim")
    depth = width if s.raw("value_dim") is None else s.size("value_dim")
    outputs = tuple(known(side) for side in head_outputs(s, query))
    inner = (heads, width)
    parts: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((known(query[-1]),), inner),
        ((known(key[-1]),), inner),
    ]
    parts += [((known(query[-1]),), (heads, depth))] if s.flag("use_gate") else []
    parts += [((known(value[-1]),), (heads, depth)), ((heads, depth), outputs)]
    biased = s.flag("use_bias", True)
    pairs = ((("kernel", a + b), ("bias", b)) if biased else (("kernel", a + b),) for a, b in parts)
    return tuple(weight for pair in pairs for weight in pair)


def _einsum(s: Settings, c: Call) -> Weights:
    kernel, outputs, sides, shape = einsum_axes(s, c.first)
    weights: Weights = (("kernel", tuple(known(sides[letter]) for letter in kernel)),)
    axes = s.raw("bias_axes")
    if axes is None:
        return weights
    letters = outputs[min(map(outputs.index, axes)) :]
    bias = [known(sides[letter]) if letter in axes else 1 for letter in letters]
    elided_right = len(shape) - len(outputs) if s.raw("equation").endswith("...") else 0
    return (*weights, ("bias", (*bias, *(1,) * elided_right)))


def _layer_scale(s: Settings, c: Call) -> Weights:
    return (("gamma", (s.size("projection_dim"),)),)


WEIGHTS: dict[str, Rule] = {
    **each("Dense", _dense),
    **each(CONVS, _conv),
    **each(TRANSPOSES, _conv_transpose),
    **each("DepthwiseConv1D DepthwiseConv2D", _depthwise),
    **each("SeparableConv1D SeparableConv2D", _separable),
    **each(CELLS, _recurrent),
    **each("ConvLSTM1D ConvLSTM2D ConvLSTM3D", _conv_recurrent),
    **each("BatchNormalization SyncBatchNormalization", _batch_norm),
    **each("LayerNormalization", _layer_norm),
    **each("GroupNormalization", _group_norm),
    **each("RMSNormalization", _rms_norm),
    **each("Normalization", _normalization),
    **each("Embedding", _embedding),
    **each("PReLU", _prelu),
    **each("Attention", _attention),
    **each("AdditiveAttention", _additive),
    **each("MultiHeadAttention", _heads),
    **each("EinsumDense", _einsum),
    **each("LayerScale", _layer_scale),
}
