"""The shapes of what layers over images, lines and volumes return."""

from __future__ import annotations

from reportgen.subject.model_file.declared.axes import join_axes, split_axes
from reportgen.subject.model_file.declared.reading import (
    Call,
    Outputs,
    Settings,
    items,
    need,
    whole,
)
from reportgen.subject.model_file.declared.rules import CONVS, TRANSPOSES, Rule, each


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
    channels, sides = split_axes(s, c.first)
    size = s.sizes("kernel_size")
    if s.class_name.startswith("Depthwise"):
        filters = None if channels is None else channels * s.size("depth_multiplier", 1)
    else:
        filters = s.size("filters")
    return (join_axes(s, c.first, filters, _windows(s, sides, size)),)


def _conv_transpose_out(s: Settings, c: Call) -> Outputs:
    sides, steps = split_axes(s, c.first)[1], s.sizes("strides", 1)
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
    return (join_axes(s, c.first, s.size("filters"), out),)


def _conv_recurrent_out(s: Settings, c: Call) -> Outputs:
    sides = _windows(s, split_axes(s, c.first, 1)[1], s.sizes("kernel_size"))
    last = join_axes(s, c.first, s.size("filters"), sides)
    whole_run = (last[0], c.first[1], *last[1:])
    states = (last, last) if s.flag("return_state") else ()
    return (whole_run if s.flag("return_sequences") else last, *states)


def _pool_out(s: Settings, c: Call) -> Outputs:
    channels, sides = split_axes(s, c.first)
    return (join_axes(s, c.first, channels, _windows(s, sides, s.sizes("pool_size", 2))),)


def _global_pool_out(s: Settings, c: Call) -> Outputs:
    channels, sides = split_axes(s, c.first)
    keep = s.flag("keepdims")
    return (join_axes(s, c.first, channels, [1] * len(sides)) if keep else (c.first[0], channels),)


def _adaptive_pool_out(s: Settings, c: Call) -> Outputs:
    return (join_axes(s, c.first, split_axes(s, c.first)[0], list(s.sizes("output_size"))),)


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
    channels, sides = split_axes(s, c.first)
    edges = _edges(s, "cropping" if crop else "padding")
    rows = zip(sides, edges, strict=True)
    grown = [None if side is None else side + (-edge if crop else edge) for side, edge in rows]
    return (join_axes(s, c.first, channels, grown),)


def _upsample_out(s: Settings, c: Call) -> Outputs:
    channels, sides = split_axes(s, c.first)
    rows = zip(sides, s.sizes("size", 2), strict=True)
    return (join_axes(s, c.first, channels, [side and side * times for side, times in rows]),)


def _resize_out(s: Settings, c: Call) -> Outputs:
    return (join_axes(s, c.first, split_axes(s, c.first)[0], [s.size("height"), s.size("width")]),)


def _stretch_out(s: Settings, c: Call) -> Outputs:
    """Keras 2 draws a new height or width for each batch."""
    channels, (height, width) = split_axes(s, c.first)
    wide = s.class_name == "RandomWidth"
    return (join_axes(s, c.first, channels, [height, None] if wide else [None, width]),)


SPATIAL: dict[str, Rule] = {
    **each(f"{CONVS} DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D", _conv_out),
    **each(TRANSPOSES, _conv_transpose_out),
    **each("MaxPooling1D MaxPooling2D MaxPooling3D", _pool_out),
    **each("AveragePooling1D AveragePooling2D AveragePooling3D", _pool_out),
    **each("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", _global_pool_out),
    **each(
        "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", _global_pool_out
    ),
    **each("AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", _adaptive_pool_out),
    **each(
        "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
        _adaptive_pool_out,
    ),
    **each("ZeroPadding1D ZeroPadding2D ZeroPadding3D", _pad_out),
    **each("Cropping1D Cropping2D Cropping3D", _pad_out),
    **each("UpSampling1D UpSampling2D UpSampling3D", _upsample_out),
    **each("Resizing CenterCrop RandomCrop", _resize_out),
    **each("RandomWidth RandomHeight", _stretch_out),
    **each("ConvLSTM1D ConvLSTM2D ConvLSTM3D", _conv_recurrent_out),
}
