"""Which TensorFlow functions a graph of Keras 2 may call: names only, nothing is imported."""

from __future__ import annotations

import json
import re
from typing import Any

# As Keras 2 spells them, below ``tf``. All compute a tensor from tensors and do nothing else.
FUNCTIONS = frozenset(
    """
    abs add cast clip_by_value concat constant convert_to_tensor cos divide equal exp
    expand_dims fill gather greater greater_equal identity less less_equal matmul maximum
    minimum multiply negative not_equal one_hot ones_like pad pow range rank reduce_all
    reduce_any reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse
    roll round rsqrt shape sigmoid sign sin slice split sqrt square squeeze stack strided_slice
    subtract tanh tile transpose truediv unstack where zeros_like add_n broadcast_to
    math.abs math.add math.add_n math.argmax math.argmin math.ceil math.cos math.cumsum
    math.divide math.divide_no_nan math.equal math.erf math.exp math.floor math.floordiv
    math.greater math.greater_equal math.l2_normalize math.less math.less_equal math.log
    math.log1p math.log_sigmoid math.logical_and math.logical_not math.logical_or math.maximum
    math.minimum math.mod math.multiply math.multiply_no_nan math.negative math.not_equal
    math.pow math.reciprocal math.reduce_all math.reduce_any math.reduce_euclidean_norm
    math.reduce_logsumexp math.reduce_max math.reduce_mean math.reduce_min math.reduce_prod
    math.reduce_std math.reduce_sum math.reduce_variance math.round math.rsqrt math.sigmoid
    math.sign math.sin math.softmax math.softplus math.sqrt math.square
    math.squared_difference math.subtract math.tan math.tanh math.top_k math.truediv
    math.xlogy
    nn.avg_pool nn.avg_pool2d nn.bias_add nn.elu nn.gelu nn.l2_normalize nn.leaky_relu
    nn.local_response_normalization nn.log_softmax nn.lrn nn.max_pool nn.max_pool2d nn.relu
    nn.relu6 nn.selu nn.sigmoid nn.silu nn.softmax nn.softplus nn.softsign nn.swish nn.tanh
    nn.space_to_depth nn.depth_to_space nn.pool nn.conv2d nn.depthwise_conv2d
    compat.v1.nn.bias_add compat.v1.transpose compat.v1.squeeze compat.v1.concat
    compat.v1.image.resize_bilinear compat.v1.image.resize_nearest_neighbor
    compat.v1.shape compat.v1.expand_dims compat.v1.pad compat.v1.gather compat.v1.where
    compat.v1.reduce_mean compat.v1.reduce_sum compat.v1.reduce_max compat.v1.math.softmax
    compat.v1.nn.softmax compat.v1.clip_by_value compat.v1.math.reduce_mean
    compat.v1.image.resize_images
    image.adjust_brightness image.adjust_contrast image.central_crop image.crop_to_bounding_box
    image.extract_patches image.flip_left_right image.flip_up_down image.grayscale_to_rgb
    image.hsv_to_rgb image.pad_to_bounding_box image.per_image_standardization image.resize
    image.resize_with_crop_or_pad image.resize_with_pad image.rgb_to_grayscale
    image.rgb_to_hsv image.rot90
    linalg.matmul linalg.l2_normalize linalg.norm linalg.einsum einsum norm
    keras.backend.concatenate keras.backend.permute_dimensions
    __operators__.add __operators__.getitem __operators__.eq __operators__.ne
    """.split()
)
# Operations of a graph by the function that does the same.
_OPERATIONS = {
    "Add": "math.add",
    "AddV2": "math.add",
    "Sub": "math.subtract",
    "Mul": "math.multiply",
    "RealDiv": "math.truediv",
    "Div": "math.divide",
    "Pow": "math.pow",
    "Neg": "math.negative",
    "Maximum": "math.maximum",
    "Minimum": "math.minimum",
    "Square": "math.square",
    "Sqrt": "math.sqrt",
    "Rsqrt": "math.rsqrt",
    "Exp": "math.exp",
    "Log": "math.log",
    "Abs": "math.abs",
    "Relu": "nn.relu",
    "Relu6": "nn.relu6",
    "Elu": "nn.elu",
    "Sigmoid": "math.sigmoid",
    "Tanh": "math.tanh",
    "Softmax": "nn.softmax",
    "Softplus": "math.softplus",
    "Identity": "identity",
    "Reshape": "reshape",
    "Transpose": "transpose",
    "Mean": "math.reduce_mean",
    "Sum": "math.reduce_sum",
    "Max": "math.reduce_max",
    "Min": "math.reduce_min",
    "BiasAdd": "nn.bias_add",
    "SquaredDifference": "math.squared_difference",
    "ExpandDims": "expand_dims",
    "Squeeze": "squeeze",
    "MatMul": "matmul",
    "Floor": "math.floor",
}
_MAX_TEXT = 100_000


def read_operation(node: Any) -> tuple[str, dict[str, Any]] | None:
    """The function that a stored operation stands for and its keywords, or None if unknown.

    ``node`` is TensorFlow's NodeDef, as text, JSON or a dictionary.
    """
    if isinstance(node, str) and len(node) <= _MAX_TEXT:
        node = _read_text(node)
    if not isinstance(node, dict) or node.get("op") not in _OPERATIONS:
        return None
    function, keywords = _OPERATIONS[node["op"]], {}
    attributes = node.get("attr")
    keep = attributes.get("keep_dims") if isinstance(attributes, dict) else None
    if function.startswith("math.reduce_") and isinstance(keep, dict) and keep.get("b") is True:
        keywords["keepdims"] = True
    return function, keywords


def _read_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    op = re.search(r'^op: "(\w{1,40})"', text, re.MULTILINE)
    keep = re.search(r'key: "keep_dims"\s*value \{\s*b: true', text)
    attributes = {"keep_dims": {"b": True}} if keep else {}
    return {"op": op[1], "attr": attributes} if op else None
