"""tf-keras-vis' saliency and class activation maps, as its documentation uses them.

Scores are the logits (`ReplaceToLinear`). Maps are left as they come: not enlarged where that can
be chosen, not stretched from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

FloatArray = NDArray[np.float32]


def saliency(
    model: keras.Model, x: FloatArray, classes: Sequence[int], pictures: int = 0
) -> FloatArray:
    """``(n, h, w)``; with ``pictures`` above 0 SmoothGrad, noise of 15 % of each range."""
    tool = Saliency(model, model_modifier=ReplaceToLinear(), clone=True)
    made = tool(
        CategoricalScore(list(classes)),
        x,
        smooth_samples=pictures,
        smooth_noise=0.15,
        normalize_map=False,
    )
    return np.asarray(made, np.float32)


def class_map(
    model: keras.Model, x: FloatArray, classes: Sequence[int], kind: str, layer: str
) -> FloatArray:
    """``(n, a, b)`` by "grad_cam" or "layer_cam" of that layer."""
    tool = {"grad_cam": Gradcam, "layer_cam": Layercam}[kind](
        model, model_modifier=ReplaceToLinear(), clone=True
    )
    made = tool(
        CategoricalScore(list(classes)),
        tf.constant(x),
        penultimate_layer=layer,
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    return np.asarray(made, np.float32)


def score_cam(model: keras.Model, x: FloatArray, classes: Sequence[int], layer: str) -> FloatArray:
    """``(n, h, w)``: its maps cannot be had in their own size."""
    tool = Scorecam(model, model_modifier=ReplaceToLinear(), clone=True)
    made = tool(
        CategoricalScore(list(classes)),
        x,
        penultimate_layer=layer,
        seek_penultimate_conv_layer=False,
        normalize_cam=False,
    )
    return np.asarray(made, np.float32)
