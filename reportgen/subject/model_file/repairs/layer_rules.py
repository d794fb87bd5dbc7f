"""Repairs of one layer's settings. Each takes a layer's node, and says whether it changed it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from reportgen.subject.model_file.configuration import Node, layers_of
from reportgen.subject.model_file.repairs.installed_keras import (
    accepted_arguments,
    accepts,
    has_layer,
    public_name,
)
from reportgen.subject.model_file.safety.allowed import LAYERS, MODELS

ERA = "__era__"  # 1, 2 or 3: which Keras wrote it; only while the rules run
_MODULES = re.compile(
    r"(tensorflow\.|tf_)?(python\.)?keras(\.src|\.api|\._tf_keras)*"
    r"(\.(layers|engine|models|experimental|preprocessing|core|legacy)\b.*)?"
)
_OLD_NAMES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "DenseFeaturesV2": "DenseFeatures",
    "CategoryEncodingV1": "CategoryEncoding",
    "NormalizationV1": "Normalization",
}


class ApplicationLayer(NamedTuple):
    """A layer of ``keras.applications``: its module, and settings that it always has."""

    module: str
    settings: frozenset[str]


_CONVNEXT = "keras.src.applications.convnext"
APPLICATION_LAYERS = {
    "LayerScale": ApplicationLayer(_CONVNEXT, frozenset({"init_values", "projection_dim"})),
    "StochasticDepth": ApplicationLayer(_CONVNEXT, frozenset({"drop_path_rate"})),
    "CustomScaleLayer": ApplicationLayer(
        "keras.src.applications.inception_resnet_v2", frozenset({"scale"})
    ),
}
ANY: tuple[Any, ...] = ("anything",)
_CONVOLUTIONS = tuple(name for name in LAYERS if "Conv" in name)
_SPATIAL_DROPOUT = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
RECURRENT = (
    "RNN",
    "LSTM",
    "GRU",
    "SimpleRNN",
    "LSTMCell",
    "GRUCell",
    "SimpleRNNCell",
    "StackedRNNCells",
    "Bidirectional",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
)
# (classes, key, values at which the key means nothing). ANY: it never matters for a prediction.
_GONE: tuple[tuple[tuple[str, ...] | None, str, tuple[Any, ...]], ...] = (
    ((*_DEPTHWISE, "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), "groups", (1, None)),
    (_DEPTHWISE, "kernel_initializer", ANY),
    (_DEPTHWISE, "kernel_regularizer", ANY),
    (_DEPTHWISE, "kernel_constraint", ANY),
    (RECURRENT, "time_major", (False, None)),
    (RECURRENT, "implementation", ANY),
    (RECURRENT, "consume_less", ANY),
    (RECURRENT, "input_dim", ANY),
    (("LSTM", "GRU", "SimpleRNN", "Embedding"), "input_length", ANY),
    (("BatchNormalization",), "renorm", (False, None)),
    (("BatchNormalization",), "renorm_clipping", ANY),
    (("BatchNormalization",), "renorm_momentum", ANY),
    (("BatchNormalization",), "virtual_batch_size", (None,)),
    (("BatchNormalization",), "adjustment", (None,)),
    (("BatchNormalization",), "fused", ANY),
    (("BatchNormalization",), "mode", (0, None)),
    (("MultiHeadAttention",), "query_shape", ANY),
    (("MultiHeadAttention",), "key_shape", ANY),
    (("MultiHeadAttention",), "value_shape", ANY),
    (("Embedding", "Dense"), "input_dtype", ANY),
    (("Dense",), "input_dim", ANY),
    (_SPATIAL_DROPOUT, "trainable", ANY),
    (_SPATIAL_DROPOUT, "noise_shape", ANY),
    (("Rescaling", "Normalization"), "data_format", ("channels_last", None)),
)
_AUGMENTING = ("AugMix", "CutMix", "MixUp", "RandAugment")
_RENAMED = (
    (("LeakyReLU",), "alpha", "negative_slope"),
    (_CONVOLUTIONS, "kernel_regulariser", "kernel_regularizer"),
)
# What Keras 2 wrote beside the settings of every layer, and Keras 3 derives.
_LEFT_OVER = (
    "batch_size",
    "expects_training_arg",
    "must_restore_from_config",
    "stateful_config",
    "save_spec",
    "is_graph_network",
    "input_spec",
    "_tf_keras_layer",
)
_ACTIVATION_KEYS = ("activation", "recurrent_activation")
KEPT_CURVE = {
    "module": "reportgen.subject.model_file.building.operations",
    "class_name": "function",
    "config": "reportgen>hard_sigmoid",  # Keras looks functions up by this
    "registered_name": "reportgen>hard_sigmoid",
}


def settings_of(node: Node) -> dict[str, Any]:
    """The layer's settings; an empty dictionary where there are none."""
    config = node.get("config")
    return config if isinstance(config, dict) else {}


def unpack_tuples(value: Any) -> Any:
    """Tuples as Keras 2 wrote them into SavedModels, as lists. Depth was limited on reading."""
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__" and isinstance(value.get("items"), list):
            return [unpack_tuples(item) for item in value["items"]]
        return {key: unpack_tuples(item) for key, item in value.items()}
    return [unpack_tuples(item) for item in value] if isinstance(value, list) else value


def mark_era(root: Node, writer: str | None) -> None:
    """Note on every layer which Keras wrote it: some words changed their meaning."""
    first = (writer or "2")[:1]
    era = int(first) if first in "123" else 2
    stack: list[Any] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                value[ERA] = era
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def unmark_era(root: Node) -> None:
    """Take the notes of `mark_era` away."""
    stack: list[Any] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            value.pop(ERA, None)
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def name_layer_list(node: Node) -> bool:
    """A Sequential was a bare list of layers until Keras 2.2."""
    if isinstance(node.get("config"), list):
        name = node.get("name") or "sequential"
        node["config"] = {"name": name, "layers": node["config"]}
    return False


def rename_class(node: Node) -> bool:
    """Names that only old versions used."""
    name = node["class_name"]
    if name == "Model" and layers_of(node):
        node["class_name"] = "Functional"
    elif name in _OLD_NAMES:
        node["class_name"] = _OLD_NAMES[name]
    return False


def set_module(node: Node) -> bool:
    """Where Keras 3 looks for the class. Other modules are left as they are, for the guards."""
    module, name = node.get("module"), node["class_name"]
    if module is not None and not (isinstance(module, str) and _MODULES.fullmatch(module)):
        return False
    if module is not None and node[ERA] == 3 and name not in MODELS:
        return False
    if name in MODELS and layers_of(node):
        node["module"] = "keras" if name == "Sequential" else "keras.src.models.functional"
    elif name in LAYERS:
        node["module"], node["class_name"] = "keras.layers", public_name(name)
    if "module" in node and node.get("registered_name") != name:
        node.setdefault("registered_name", None)
    return False


def find_application_layer(node: Node, given: frozenset[str]) -> bool:
    """Where Keras 3 looks for a layer of ``keras.applications``; HDF5 files only have its name.

    A class of somebody's own may be called alike: it is taken for Keras' where it has its settings.

    Args:
        given: names that the user supplies something for, which are left alone.
    """
    home = APPLICATION_LAYERS.get(node["class_name"])
    module = node.get("module")
    if (
        home is None
        or node["class_name"] in given
        or not (module is None or _is_application(module, home.module))
    ):
        return False
    if not home.settings <= set(settings_of(node)):
        return False
    node["module"], node["registered_name"] = home.module, node["class_name"]
    return module is None


def _is_application(module: Any, home: str) -> bool:
    end = home.removeprefix("keras.src.")
    return isinstance(module, str) and module in (f"keras.{end}", f"tensorflow.python.keras.{end}")


def drop_left_over(node: Node) -> bool:
    """What is not needed to build: compilation, and shapes that follow from the input."""
    node.pop("compile_config", None)
    config = settings_of(node)
    if node["class_name"] in LAYERS:
        node.pop("build_config", None)
        for key in _LEFT_OVER:
            config.pop(key, None)
    return False


def simplify_dtype(node: Node) -> bool:
    """Policies of Keras 2 by their name."""
    config = settings_of(node)
    policy = config.get("dtype")
    if isinstance(policy, dict) and policy.get("class_name") in ("Policy", "PolicyV1"):
        name = settings_of(policy).get("name")
        if isinstance(name, str) and not name.startswith("_infer"):
            config["dtype"] = name
        else:
            del config["dtype"]
    return False


def replace_size_augmentation(node: Node) -> bool:
    """RandomHeight and RandomWidth do nothing when a model predicts, and are gone."""
    gone = node["class_name"] in ("RandomHeight", "RandomWidth")
    if not gone or has_layer(node["class_name"]):
        return False
    name = settings_of(node).get("name")
    node.update(class_name="Identity", module="keras.layers", registered_name=None)
    node["config"] = {"name": name}
    return True


def unpack_axis(node: Node) -> bool:
    """Normalisation layers wrote ``axis`` as a list of one."""
    config = settings_of(node)
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    return False


def drop_gone_arguments(node: Node) -> str:
    """Arguments that came and went, where they change nothing; other values stay, and say so.

    What the installed Keras takes stays as it is: some came back (``renorm`` did).
    """
    config, dropped, name = settings_of(node), [], node["class_name"]
    for classes, key, values in _GONE:
        if key in config and (classes is None or name in classes):
            value = config[key]
            off = values is ANY or any(value is v or (value == v and v is not None) for v in values)
            if off and not accepts(name, key):
                del config[key]
                if values is not ANY:
                    dropped.append(key)
    return ", ".join(dropped)


def drop_augmentation_arguments(node: Node) -> str:
    """Augmentation does nothing when a model predicts, so its extra settings do not matter."""
    name = node["class_name"]
    if not (name.startswith("Random") or name in _AUGMENTING):
        return ""
    config, known = settings_of(node), accepted_arguments(name)
    extra = [key for key in config if key not in known] if known else []
    for key in extra:
        del config[key]
    return ", ".join(key[:40] for key in extra)


def rename_arguments(node: Node) -> bool:
    """Arguments with a new name."""
    config = settings_of(node)
    for classes, old, new in _RENAMED:
        if node["class_name"] in classes and old in config:
            config.setdefault(new, config[old])
            del config[old]
    return False


def replace_thresholded_relu(node: Node) -> bool:
    """``x if x > theta else 0``: a ReLU with a threshold (they differ at theta itself only)."""
    if node["class_name"] != "ThresholdedReLU" or has_layer("ThresholdedReLU"):
        return False
    config = settings_of(node)
    node.update(class_name="ReLU", module="keras.layers", registered_name=None)
    config["threshold"] = config.pop("theta", 1.0)
    return True


def keep_hard_sigmoid(node: Node) -> bool:
    """Keras 2: clip(0.2 x + 0.5, 0, 1). Keras 3: clip(x / 6 + 0.5, 0, 1)."""
    config, changed = settings_of(node), False
    for key in _ACTIVATION_KEYS:
        value = config.get(key)
        if isinstance(value, dict):  # as Keras 2.12 and later write a function by its name
            value = value.get("config")
        if value == "hard_sigmoid" and node[ERA] < 3:
            config[key] = dict(KEPT_CURVE)
            changed = True
    return changed
