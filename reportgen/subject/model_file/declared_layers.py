"""What one layer declares: the shapes of its weights and of its outputs, from its settings.

A rule reads settings that may be hostile: whatever it trips over means "not known". Numbers
are only multiplied and compared, nothing is allocated by them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int | None, ...]
Weights: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]

_MAX_RANK, _MAX_SIDE = 32, 2**63 - 1  # TensorFlow cannot express more
_MOST = 10**500  # what is larger counts as this: Python refuses to print very long numbers


class NotKnownError(Exception):
    """The configuration does not say."""


def need(condition: bool) -> None:
    """Raise unless the configuration is one that Keras would build."""
    if not condition:
        raise NotKnownError


def known(side: int | None) -> int:
    """Return a side that must not be open."""
    if side is None:
        raise NotKnownError
    return side


def items(value: object) -> list[Any]:
    """Return a list or a tuple, also as the metadata of a SavedModel writes it."""
    if isinstance(value, dict) and value.get("class_name") in ("__tuple__", "TensorShape"):
        value = value.get("items")
    if isinstance(value, list | tuple):
        return list(value)
    raise NotKnownError


def whole(value: object, least: int = 1) -> int:
    """Return an integer; ``32.0`` counts as one, ``True`` and NaN do not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise NotKnownError
    return min(value, _MOST)


def read_shape(value: object) -> Shape:
    """Return a shape with its batch axis."""
    return sound(tuple(None if side is None else whole(side) for side in items(value)))


def sound(shape: Shape) -> Shape:
    """Return ``shape`` if a tensor can have it."""
    need(len(shape) <= _MAX_RANK)
    need(all(side is None or 0 < side <= _MAX_SIDE for side in shape))
    return shape


@dataclass(frozen=True)
class Call:
    """One use of a layer. shapes: of its tensors, in order. names: of those given by keyword.

    plain: nothing but numbers stands beside the tensors, so no constant array can widen them.
    """

    shapes: tuple[Shape | None, ...]
    names: tuple[str, ...] = ()
    plain: bool = True

    @property
    def first(self) -> Shape:
        """The shape of the first tensor."""
        return self.all[0] if len(self.shapes) == 1 else Call(self.shapes[:1]).all[0]

    @property
    def all(self) -> list[Shape]:
        """All shapes, if all are known."""
        shapes = [shape for shape in self.shapes if shape is not None]
        need(len(shapes) == len(self.shapes) > 0)
        return shapes

    def named(self, name: str, position: int) -> Shape | None:
        """Return the shape given as ``name``, or at ``position`` among the unnamed, or None."""
        names = self.names or ("",) * len(self.shapes)
        pairs = list(zip(self.shapes, names, strict=True))
        found = [shape for shape, key in pairs if key == name]
        found = found or [shape for shape, key in pairs if not key][position : position + 1]
        return Call(tuple(found)).first if found else None


class Settings:
    """The configuration of one layer, read with types."""

    def __init__(self, class_name: str, config: object) -> None:
        need(isinstance(config, dict))
        self.class_name = class_name
        self._config: Mapping[str, Any] = config  # type: ignore[assignment]

    def raw(self, key: str, default: object = None) -> Any:
        """Return what stands there; the default where nothing stands."""
        return self._config.get(key, default)

    def size(self, key: str, default: int | None = None) -> int:
        """Return a positive integer."""
        return whole(self.raw(key, default))

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a yes or a no."""
        value = self.raw(key, default)
        need(value is None or value in (True, False))
        return bool(value)

    def word(self, key: str, default: str = "") -> str:
        """Return a word in lower case."""
        value = self.raw(key, default)
        need(value is None or isinstance(value, str))
        return value.lower() if value else default

    @property
    def rank(self) -> int:
        """The number of spatial axes, as the class says: 2 for ``Conv2DTranspose``."""
        digits = re.search(r"([123])D", self.class_name)
        return int(digits[1]) if digits else 2

    def sizes(self, key: str, default: object = None, *, least: int = 1) -> tuple[int, ...]:
        """Return one integer for each spatial axis."""
        value = self.raw(key, default)
        if isinstance(value, int | float):
            value = [value] * self.rank
        sides = tuple(whole(side, least) for side in items(value))
        need(len(sides) == self.rank)
        return sides

    def axes(self, x: Shape, default: object = -1) -> tuple[int, ...]:
        """Return ``axis`` as positive positions in ``x``."""
        value = self.raw("axis", default)
        values = [value] if isinstance(value, int | float) else items(value)
        # Keras sorts them as they were given, negative ones first.
        return tuple(_position(axis, len(x)) for axis in sorted(whole(v, -len(x)) for v in values))


def _position(axis: object, rank: int) -> int:
    number = whole(axis, -rank)
    need(number < rank)
    return number % rank


def _split(s: Settings, x: Shape, extra: int = 0) -> tuple[int | None, list[int | None]]:
    """Return the channels and the spatial sides; ``extra`` axes stand after the batch."""
    need(len(x) == s.rank + 2 + extra)
    rest = x[1 + extra :]
    if s.word("data_format", "channels_last") == "channels_first":
        return rest[0], list(rest[1:])
    need(s.word("data_format", "channels_last") == "channels_last")
    return rest[-1], list(rest[:-1])


def _join(s: Settings, x: Shape, channels: int | None, spatial: list[int | None]) -> Shape:
    if s.word("data_format", "channels_last") == "channels_first":
        return (x[0], channels, *spatial)
    return (x[0], *spatial, channels)


def _with_bias(s: Settings, *kernels: tuple[str, tuple[int, ...]], bias: int) -> Weights:
    return (*kernels, ("bias", (bias,))) if s.flag("use_bias", True) else kernels


def _dense(s: Settings, c: Call) -> Weights:
    units = s.size("units")
    return _with_bias(s, ("kernel", (known(c.first[-1]), units)), bias=units)


def _conv(s: Settings, c: Call) -> Weights:
    channels, kernel = known(_split(s, c.first)[0]), s.sizes("kernel_size")
    filters, groups = s.size("filters"), s.size("groups", 1)
    need(channels % groups == 0 and filters % groups == 0)
    return _with_bias(s, ("kernel", (*kernel, channels // groups, filters)), bias=filters)


def _conv_transpose(s: Settings, c: Call) -> Weights:
    channels, filters = known(_split(s, c.first)[0]), s.size("filters")
    return _with_bias(s, ("kernel", (*s.sizes("kernel_size"), filters, channels)), bias=filters)


def _depthwise(s: Settings, c: Call) -> Weights:
    channels, times = known(_split(s, c.first)[0]), s.size("depth_multiplier", 1)
    return _with_bias(
        s, ("kernel", (*s.sizes("kernel_size"), channels, times)), bias=channels * times
    )


def _separable(s: Settings, c: Call) -> Weights:
    channels, times = known(_split(s, c.first)[0]), s.size("depth_multiplier", 1)
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
    channels, filters = known(_split(s, c.first, 1)[0]), s.size("filters")
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


def _head_outputs(s: Settings, query: Shape) -> tuple[int | None, ...]:
    declared = s.raw("output_shape")
    if declared is None:
        return (query[-1],)
    sides = [declared] if isinstance(declared, int) else items(declared)
    return tuple(whole(side) for side in sides)


def _heads(s: Settings, c: Call) -> Weights:
    query, value = c.named("query", 0), c.named("value", 1)
    if query is None or value is None:
        raise NotKnownError
    key = c.named("key", 2) or value
    heads, width = s.size("num_heads"), s.size("key_dim")
    depth = width if s.raw("value_dim") is None else s.size("value_dim")
    outputs = tuple(known(side) for side in _head_outputs(s, query))
    parts = [((known(query[-1]),), (heads, width)), ((known(key[-1]),), (heads, width))]
    parts += [((known(query[-1]),), (heads, depth))] if s.flag("use_gate") else []
    parts += [((known(value[-1]),), (heads, depth)), ((heads, depth), outputs)]
    biased = s.flag("use_bias", True)
    pairs = ((("kernel", a + b), ("bias", b)) if biased else (("kernel", a + b),) for a, b in parts)
    return tuple(weight for pair in pairs for weight in pair)


def _einsum_axes(s: Settings, x: Shape) -> tuple[str, str, dict[str, int | None], list[int | None]]:
    """Return the letters of kernel and output, the side of each letter, the output's shape."""
    equation = s.raw("equation")
    need(isinstance(equation, str) and len(equation) < 200)
    match = re.fullmatch(r"(\.\.\.)?(\w+)(\.\.\.)?,(\w+)->(\.\.\.)?(\w+)(\.\.\.)?", equation)
    if match is None:
        raise NotKnownError
    left, inputs, right, kernel, _, outputs, _ = match.groups()
    elided = len(x) - len(inputs)
    need(elided == 0 or (elided > 0 and bool(left or right)))
    sides = dict(zip(inputs, x[elided:] if left else x, strict=False))
    declared = s.raw("output_shape")
    own = [declared] if isinstance(declared, int) else items(declared)
    rest = [None if side is None else whole(side) for side in own]
    middle, tail = (x[1:elided], ()) if left and elided else ((), x[len(inputs) :])
    shape = [x[0], *middle, *rest, *(tail if right else ())]
    start = elided if left else 0
    need(len(shape) == len(outputs) + elided)
    for position, letter in enumerate(outputs, start):
        sides.setdefault(letter, shape[position])  # an open side stays open, as in Keras
    return kernel, outputs, sides, shape


def _einsum(s: Settings, c: Call) -> Weights:
    kernel, outputs, sides, shape = _einsum_axes(s, c.first)
    weights: Weights = (("kernel", tuple(known(sides[letter]) for letter in kernel)),)
    axes = s.raw("bias_axes")
    if axes is None:
        return weights
    letters = outputs[min(map(outputs.index, axes)) :]
    bias = [known(sides[letter]) if letter in axes else 1 for letter in letters]
    elided_right = len(shape) - len(outputs) if s.raw("equation").endswith("...") else 0
    return (*weights, ("bias", (*bias, *(1,) * elided_right)))


Outputs: TypeAlias = tuple[Shape, ...]


def _same(s: Settings, c: Call) -> Outputs:
    return (c.first,)


def _last(key: str) -> Callable[[Settings, Call], Outputs]:
    return lambda s, c: ((*c.first[:-1], s.size(key)),)


def _windows(s: Settings, sides: list[int | None], size: tuple[int, ...]) -> list[int | None]:
    """Return how often windows fit, each way."""
    strides = s.sizes("strides", 1) if s.raw("strides") is not None else s.sizes("pool_size", 1)
    apart = s.sizes("dilation_rate", 1)
    padding = s.word("padding", "valid")
    need(padding in ("valid", "same", "causal"))
    spans = [d * (k - 1) if padding == "valid" else 0 for k, d in zip(size, apart, strict=True)]
    rows = zip(sides, spans, strides, strict=True)
    return [None if side is None else (side - span - 1) // step + 1 for side, span, step in rows]


def _conv_out(s: Settings, c: Call) -> Outputs:
    channels, sides = _split(s, c.first)
    size = s.sizes("kernel_size")
    if s.class_name.startswith("Depthwise"):
        filters = None if channels is None else channels * s.size("depth_multiplier", 1)
    else:
        filters = s.size("filters")
    return (_join(s, c.first, filters, _windows(s, sides, size)),)


def _conv_transpose_out(s: Settings, c: Call) -> Outputs:
    sides, steps = _split(s, c.first)[1], s.sizes("strides", 1)
    apart, size = s.sizes("dilation_rate", 1), s.sizes("kernel_size")
    spans = [d * (k - 1) + 1 for k, d in zip(size, apart, strict=True)]
    same = s.word("padding", "valid") == "same"
    extra: tuple[int, ...] | None = None
    if s.raw("output_padding") is not None:
        extra = s.sizes("output_padding", least=0)
    out: list[int | None] = []
    for axis, (side, step, span) in enumerate(zip(sides, steps, spans, strict=True)):
        if side is None:
            out.append(None)
        elif extra is None:
            out.append(side * step + (0 if same else max(span - step, 0)))
        else:
            out.append((side - 1) * step + span - 2 * (span // 2 if same else 0) + extra[axis])
    return (_join(s, c.first, s.size("filters"), out),)


def _pool_out(s: Settings, c: Call) -> Outputs:
    channels, sides = _split(s, c.first)
    return (_join(s, c.first, channels, _windows(s, sides, s.sizes("pool_size", 2))),)


def _global_pool_out(s: Settings, c: Call) -> Outputs:
    channels, sides = _split(s, c.first)
    keep = s.flag("keepdims")
    return (_join(s, c.first, channels, [1] * len(sides)) if keep else (c.first[0], channels),)


def _adaptive_pool_out(s: Settings, c: Call) -> Outputs:
    return (_join(s, c.first, _split(s, c.first)[0], list(s.sizes("output_size"))),)


def _edges(s: Settings, key: str) -> list[int]:
    """Return the sum of both edges for each spatial axis."""
    value = s.raw(key, 1)
    if isinstance(value, int | float):
        return [2 * whole(value, 0)] * s.rank
    pairs = [value] if s.rank == 1 else items(value)
    need(len(pairs) == s.rank)
    both = [[pair, pair] if isinstance(pair, int | float) else items(pair) for pair in pairs]
    need(all(len(pair) == 2 for pair in both))
    return [whole(pair[0], 0) + whole(pair[1], 0) for pair in both]


def _pad_out(s: Settings, c: Call) -> Outputs:
    crop = s.class_name.startswith("Cropping")
    channels, sides = _split(s, c.first)
    edges = _edges(s, "cropping" if crop else "padding")
    rows = zip(sides, edges, strict=True)
    grown = [None if side is None else side + (-edge if crop else edge) for side, edge in rows]
    return (_join(s, c.first, channels, grown),)


def _upsample_out(s: Settings, c: Call) -> Outputs:
    channels, sides = _split(s, c.first)
    rows = zip(sides, s.sizes("size", 2), strict=True)
    return (_join(s, c.first, channels, [side and side * times for side, times in rows]),)


def _resize_out(s: Settings, c: Call) -> Outputs:
    return (_join(s, c.first, _split(s, c.first)[0], [s.size("height"), s.size("width")]),)


def _stretch_out(s: Settings, c: Call) -> Outputs:
    """Keras 2 draws a new height or width for each batch."""
    channels, (height, width) = _split(s, c.first)
    wide = s.class_name == "RandomWidth"
    return (_join(s, c.first, channels, [height, None] if wide else [None, width]),)


def _flatten_out(s: Settings, c: Call) -> Outputs:
    return ((c.first[0], _product(c.first[1:])),)


def _product(sides: Shape) -> int | None:
    return None if None in sides else math.prod(known(side) for side in sides)


def _reshape_out(s: Settings, c: Call) -> Outputs:
    target = [whole(side, -1) for side in items(s.raw("target_shape"))]
    need(target.count(-1) <= 1 and len(target) < _MAX_RANK and 0 not in target)
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
    one, other = _position(pair[0], len(left)), _position(pair[1], len(right))
    need(one > 0 and other > 0 and len(pair) == 2)
    rest = (left[0], *left[1:one], *left[one + 1 :], *right[1:other], *right[other + 1 :])
    return (rest if len(rest) > 1 else (*rest, 1),)


def _recurrent_out(s: Settings, c: Call) -> Outputs:
    x, units = c.first, s.size("units")
    need(len(x) == 3 and not s.flag("time_major"))
    last = (x[0], units)
    states = (last,) * (2 if "LSTM" in s.class_name else 1) if s.flag("return_state") else ()
    return ((x[0], x[1], units) if s.flag("return_sequences") else last, *states)


def _conv_recurrent_out(s: Settings, c: Call) -> Outputs:
    sides = _windows(s, _split(s, c.first, 1)[1], s.sizes("kernel_size"))
    last = _join(s, c.first, s.size("filters"), sides)
    whole_run = (last[0], c.first[1], *last[1:])
    states = (last, last) if s.flag("return_state") else ()
    return (whole_run if s.flag("return_sequences") else last, *states)


def _attention_out(s: Settings, c: Call) -> Outputs:
    query, value = c.named("query", 0), c.named("value", 1)
    if query is None or value is None:
        raise NotKnownError
    return ((*query[:-1], value[-1]),)


def _heads_out(s: Settings, c: Call) -> Outputs:
    query = c.named("query", 0)
    if query is None:
        raise NotKnownError
    return ((*query[:-1], *_head_outputs(s, query)),)


def _embedding_out(s: Settings, c: Call) -> Outputs:
    return ((*c.first, s.size("output_dim")),)


def _einsum_out(s: Settings, c: Call) -> Outputs:
    return (tuple(_einsum_axes(s, c.first)[3]),)


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


def _each(names: str, rule: _Rule) -> dict[str, _Rule]:
    return dict.fromkeys(names.split(), rule)


_Rule: TypeAlias = Callable[[Settings, Call], Any]
_CONVS = "Conv1D Conv2D Conv3D"
_TRANSPOSES = "Conv1DTranspose Conv2DTranspose Conv3DTranspose"
_CELLS = "SimpleRNN GRU LSTM CuDNNGRU CuDNNLSTM"

WEIGHTS: dict[str, _Rule] = {
    **_each("Dense", _dense),
    **_each(_CONVS, _conv),
    **_each(_TRANSPOSES, _conv_transpose),
    **_each("DepthwiseConv1D DepthwiseConv2D", _depthwise),
    **_each("SeparableConv1D SeparableConv2D", _separable),
    **_each(_CELLS, _recurrent),
    **_each("ConvLSTM1D ConvLSTM2D ConvLSTM3D", _conv_recurrent),
    **_each("BatchNormalization SyncBatchNormalization", _batch_norm),
    **_each("LayerNormalization", _layer_norm),
    **_each("GroupNormalization", _group_norm),
    **_each("RMSNormalization", _rms_norm),
    **_each("Normalization", _normalization),
    **_each("Embedding", _embedding),
    **_each("PReLU", _prelu),
    **_each("Attention", _attention),
    **_each("AdditiveAttention", _additive),
    **_each("MultiHeadAttention", _heads),
    **_each("EinsumDense", _einsum),
}

_SAME = """
    Activation ReLU LeakyReLU ELU ThresholdedReLU Softmax PReLU Identity Masking
    ActivityRegularization Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout
    GaussianDropout GaussianNoise BatchNormalization SyncBatchNormalization LayerNormalization
    GroupNormalization UnitNormalization RMSNormalization Normalization Rescaling RandomFlip
    RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness RandomHue
    RandomSaturation RandomSharpness RandomShear RandomGrayscale RandomInvert RandomPosterization
    RandomColorJitter RandomColorDegeneration RandomErasing RandomPerspective RandomElasticTransform
    RandomGaussianBlur AutoContrast Equalization Solarization RandAugment AugMix"""
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

OUTPUTS: dict[str, _Rule] = {
    **_each(_SAME, _same),
    **_each("Dense", _last("units")),
    **_each(f"{_CONVS} DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D", _conv_out),
    **_each(_TRANSPOSES, _conv_transpose_out),
    **_each("MaxPooling1D MaxPooling2D MaxPooling3D", _pool_out),
    **_each("AveragePooling1D AveragePooling2D AveragePooling3D", _pool_out),
    **_each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", _global_pool_out),
    **_each(
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", _global_pool_out
    ),
    **_each("AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", _adaptive_pool_out),
    **_each(
        "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
        _adaptive_pool_out,
    ),
    **_each("ZeroPadding1D ZeroPadding2D ZeroPadding3D", _pad_out),
    **_each("Cropping1D Cropping2D Cropping3D", _pad_out),
    **_each("UpSampling1D UpSampling2D UpSampling3D", _upsample_out),
    **_each("Resizing CenterCrop RandomCrop", _resize_out),
    **_each("RandomWidth RandomHeight", _stretch_out),
    **_each("Flatten", _flatten_out),
    **_each("Reshape", _reshape_out),
    **_each("Permute", _permute_out),
    **_each("RepeatVector", _repeat_out),
    **_each("Add Subtract Multiply Average Maximum Minimum", _merge_out),
    **_each("Concatenate", _concatenate_out),
    **_each("Dot", _dot_out),
    **_each(_CELLS, _recurrent_out),
    **_each("ConvLSTM1D ConvLSTM2D ConvLSTM3D", _conv_recurrent_out),
    **_each("Attention AdditiveAttention", _attention_out),
    **_each("MultiHeadAttention", _heads_out),
    **_each("Embedding", _embedding_out),
    **_each("EinsumDense", _einsum_out),
    **_each("TFOpLambda TensorFlowOpLayer", _graph_function_out),
    **_each("Lambda SlicingOpLambda CategoryEncoding Hashing MixUp CutMix", _unknown_out),
}
OPERATIONS = _each(_OPERATIONS, _operation_out)


WRAPPERS = ("TimeDistributed", "Bidirectional")


def wrapped_call(node: Mapping[str, Any], call: Call) -> Call:
    """Return the call that a wrapper passes on."""
    x = call.shapes[0] if call.shapes else None
    if node.get("class_name") == "TimeDistributed" and x is not None:
        x = (x[0], *x[2:]) if len(x) > 2 else None
    return Call((x,))


def wrapped_outputs(
    node: Mapping[str, Any], call: Call, parts: list[Outputs | None]
) -> Outputs | None:
    """Return what a wrapper makes of the outputs of what it holds."""
    try:
        outputs = [part for part in parts if part is not None]
        need(len(outputs) == len(parts))
        if node.get("class_name") == "TimeDistributed":
            return tuple((*call.first[:2], *part[1:]) for part in outputs[0])
        mode = node["config"].get("merge_mode", "concat")
        need(mode in ("concat", "sum", "mul", "ave", None))
        forward, backward = outputs[0][0], outputs[1][0]
        need(forward[-1] == backward[-1])  # else Keras 3 itself states a wrong width
        states = (*outputs[0][1:], *outputs[1][1:])
        if mode is None:
            return (forward, backward, *states)
        width = 2 * known(forward[-1]) if mode == "concat" else forward[-1]
        return (sound((*forward[:-1], width)), *states)
    except Exception:  # as above
        return None


def is_custom(node: Mapping[str, Any]) -> bool:
    """Whether the class is not of Keras, whatever its name; then nothing is known of it."""
    module, registered = node.get("module"), node.get("registered_name")
    foreign = isinstance(module, str) and module.split(".")[0] not in ("keras", "tf_keras")
    return foreign or (isinstance(registered, str) and ">" in registered)


def _read(node: Mapping[str, Any]) -> tuple[Settings, bool]:
    """Return the settings of a node and whether it is an operation; custom classes raise."""
    module = node.get("module")
    need(not is_custom(node))
    settings = Settings(node["class_name"], node.get("config"))
    return settings, module is not None and module.startswith(("keras.src.ops", "keras.ops"))


def declared_weights(node: Mapping[str, Any], call: Call) -> Weights | None:
    """Return name and shape of each weight that the layer would allocate, or None."""
    try:
        settings, operation = _read(node)
        if operation:
            return ()
        # Either adds weights of its own, or stores them in another shape.
        need(settings.raw("lora_rank") is None and settings.raw("quantization_config") is None)
        need("Quantized" not in str(settings.raw("dtype"))[:1000])
        need(settings.class_name in OUTPUTS)
        rule = WEIGHTS.get(settings.class_name)
        weights: Weights = rule(settings, call) if rule else ()
        need(all(side > 0 for _, shape in weights for side in shape))
    except Exception:  # the configuration is hostile: whatever a rule trips over
        return None
    return weights


def declared_outputs(node: Mapping[str, Any], call: Call) -> Outputs | None:
    """Return the shapes of what the layer returns, or None."""
    try:
        settings, operation = _read(node)
        rules = OPERATIONS if operation else OUTPUTS
        return tuple(sound(tuple(shape)) for shape in rules[settings.class_name](settings, call))
    except Exception:  # as above
        return None
