"""One layer of Keras 1 in the words of Keras 2: classes, arguments and values that were renamed.

The names follow the table that Keras 2.0 shipped (``keras/legacy/interfaces.py``). A class that
Keras 1 had and nobody has since (``Highway``, ``MaxoutDense``) is not here.
"""

from __future__ import annotations

from typing import Any

from reportgen.subject.model_file.configuration import Node, name_of

CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
}
LAYERS = {
    *CLASSES,
    *CLASSES.values(),
    "Dense",
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "Embedding",
    "PReLU",
    "InputLayer",
    "BatchNormalization",
    "LSTM",
    "GRU",
    "SimpleRNN",
    "ConvLSTM2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "LeakyReLU",
    "ELU",
    "ThresholdedReLU",
    "Flatten",
    "Reshape",
    "Permute",
    "RepeatVector",
    "Activation",
    "Masking",
    "ActivityRegularization",
    *(
        f"{kind}Pooling{n}D"
        for n in (1, 2, 3)
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
    ),
}
# Keys that only Keras 1 wrote.
SIGNS = {
    "nb_filter",
    "border_mode",
    "dim_ordering",
    "W_regularizer",
    "inner_init",
    "input_dtype",
    "b_regularizer",
    "subsample",
    "subsample_length",
    "pool_length",
    "beta_init",
    "concat_axis",
}
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
    "cos": "Dot",
    "dot": "Dot",
}
_RENAMED = {
    "nb_filter": "filters",
    "output_dim": "units",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "consume_less": "implementation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "p": "rate",
    "sigma": "stddev",
    "pool_length": "pool_size",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
}
_RENAMED_HERE = {
    "Embedding": {
        "output_dim": "output_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv2D": {"init": "pointwise_initializer"},
    "UpSampling1D": {"length": "size"},
    "InputLayer": {"input_dtype": "dtype"},
}
_VALUES: dict[str, dict[str, Any]] = {
    "dim_ordering": {"tf": "channels_last", "th": "channels_first", "default": None},
    "consume_less": {"cpu": 0, "mem": 1, "gpu": 2},
}
_SIZES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
_INITIALIZERS = {
    "normal": "random_normal",
    "uniform": "random_uniform",
    "zero": "zeros",
    "one": "ones",
}
_KNOWN_INITIALIZERS = {
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "orthogonal",
    "identity",
    "zeros",
    "ones",
    *_INITIALIZERS.values(),
}
_CONSTRAINTS: dict[str, dict[str, str]] = {
    "MaxNorm": {"m": "max_value", "axis": "axis"},
    "NonNeg": {},
    "UnitNorm": {"axis": "axis"},
}
_PENALTIES = ("WeightRegularizer", "ActivityRegularizer", "L1L2Regularizer")


def translate_layer(node: Node, config: Node, rules: dict[str, None]) -> Node:
    """A layer of `LAYERS`; each applied rule becomes a key of ``rules``."""
    kind: str = CLASSES.get(node["class_name"]) or node["class_name"]
    if kind != node["class_name"]:
        rules[f"{node['class_name']} became {kind}"] = None
    new = _rename(config, kind, rules)
    for sides in _SIZES:
        if all(side in new for side in sides):
            new["kernel_size"] = [new.pop(side) for side in sides]
            rules[f"{', '.join(sides)} became kernel_size"] = None
    _mend(kind, new, config)
    return {**node, "class_name": kind, "config": new}


def _rename(config: Node, kind: str, rules: dict[str, None]) -> Node:
    words = {**_RENAMED, **_RENAMED_HERE.get(kind, {})}
    new: Node = {}
    for key, value in config.items():
        if key in _dropped(kind):
            continue
        word = words.get(key, key)
        if word != key:
            rules[f"{key} became {word}"] = None
        if isinstance(value, str) and key in _VALUES:
            value = _VALUES[key].get(value, value)
        if word.endswith("_initializer"):
            value = _initializer(value)
            if value is None:  # the stored weights replace it; Keras' own word will do
                continue
        elif word.endswith("_regularizer"):
            value = _regularizer(value)
        elif word.endswith("_constraint"):
            value = _constraint(value)
        new[word] = value
    return new


def _dropped(kind: str) -> tuple[str, ...]:
    """What Keras 2 has no word for: it follows from the input, or matters while training only."""
    dropped: tuple[str, ...] = ("forget_bias_init", "weights")
    if kind == "Embedding":
        return (*dropped, "dropout", "input_dtype")
    if kind != "InputLayer":
        # The type of a first layer's input, which Keras 2 would take for that of its weights.
        dropped = (*dropped, "input_dim", "input_length", "input_dtype")
    return (*dropped, "output_shape") if kind == "Conv2DTranspose" else dropped


def _initializer(value: Any) -> str | None:
    word = _INITIALIZERS.get(value, value) if isinstance(value, str) else None
    return word if word in _KNOWN_INITIALIZERS else None


def _regularizer(value: Any) -> Any:
    """``{"name": "WeightRegularizer", "l1": ..., "l2": ...}``; others only matter in training."""
    if not isinstance(value, dict) or "class_name" in value:
        return value
    if value.get("name") not in _PENALTIES:
        return None
    return {"class_name": "L1L2", "config": {key: value.get(key, 0.0) for key in ("l1", "l2")}}


def _constraint(value: Any) -> Any:
    if not isinstance(value, dict) or "class_name" in value:
        return value
    name = value.get("name")
    words: dict[str, str] | None = _CONSTRAINTS.get(name) if isinstance(name, str) else None
    if words is None:
        return None
    config = {new: value[old] for old, new in words.items() if old in value}
    return {"class_name": name, "config": config}


def _mend(kind: str, new: Node, old: Node) -> None:
    """What is more than another word."""
    if kind == "Conv2DTranspose":
        _add_output_padding(new, old.get("output_shape"))
    elif kind == "ZeroPadding2D":
        new["padding"] = _padding(new.get("padding"))
    elif kind == "BatchNormalization" and new.get("mode") == 0:
        del new["mode"]  # the other modes compute something else: they stay, and are named
    elif kind == "GRU":
        new["reset_after"] = False


def _padding(value: Any) -> Any:
    """Four numbers: top, bottom, left, right; or a dictionary of them."""
    if isinstance(value, dict):
        value = [value.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
    if isinstance(value, list) and len(value) == 4:
        return [value[:2], value[2:]]
    return value


def _add_output_padding(new: Node, shape: Any) -> None:
    """Keras 1 stated the size of the output, where Keras 2 computes it from the padding.

    For an output o, a kernel k and a stride s: "valid" takes n = (o - k) // s + 1 inputs, "same"
    n = ceil(o / s); the output padding is what (n - 1) s + k - 2 p leaves of o.
    """
    first = new.get("data_format") == "channels_first"
    sides = (shape[2:] if first else shape[1:3]) if isinstance(shape, list) else []
    kernel, strides = new.get("kernel_size"), new.get("strides", [1, 1])
    lists = (sides, kernel, strides)
    if not all(isinstance(x, list) and len(x) == 2 and _positive(x) for x in lists):
        return
    same = new.get("padding") == "same"
    if same and all(o % s == 0 for o, s in zip(sides, strides, strict=True)):
        return
    assert isinstance(kernel, list)
    pads = [2 * (k // 2) if same else 0 for k in kernel]
    triples = zip(sides, kernel, strides, pads, strict=True)
    new["output_padding"] = [(o - k + p) % s for o, k, s, p in triples]


def _positive(values: list[Any]) -> bool:
    return all(isinstance(value, int) and value > 0 for value in values)


def translate_merge(node: Node, config: Node, rules: dict[str, None]) -> Node:
    """A ``Merge`` as the layer of its mode; one that runs a function stays as it is."""
    mode = config.get("mode")
    kind = _MERGES.get(mode) if isinstance(mode, str) else None
    if kind is None or config.get("mode_type") == "lambda":
        return node
    rules[f"Merge (mode {mode}) became {kind}"] = None
    new: Node = {"name": name_of(node)}
    if kind == "Concatenate":
        new["axis"] = config.get("concat_axis", -1)
    if kind == "Dot":
        # The cosine had one axis of length 1 more, which layers after it hardly notice.
        new |= {"axes": _axes(config.get("dot_axes", -1)), "normalize": mode == "cos"}
    return {**node, "class_name": kind, "config": new}


def _axes(value: Any) -> Any:
    """Keras 1.0 wrote ``[[1], [1]]``."""
    if not isinstance(value, list):
        return value
    return [axis[0] if isinstance(axis, list) and axis else axis for axis in value]
