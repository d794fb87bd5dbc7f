"""tf-keras-vis on what it does the same way; where it is installed (``pip install .[bench]``)."""

from __future__ import annotations

import numpy as np
import pytest

from reportgen.attributions import open_case
from reportgen.attributions.methods.class_maps import GradCAM, LayerCAM
from reportgen.attributions.methods.gradients import Gradient, SmoothGrad

from .conftest import convnet

pytest.importorskip("tf_keras_vis")
# Of the other tool: where it imports from, and how it calls a model.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
CLASSES = [0, 1, 2, 3, 1]


def stretch(maps):
    low = maps.min(axis=(1, 2), keepdims=True)
    return (maps - low) / np.maximum(np.ptp(maps, axis=(1, 2), keepdims=True), 1e-12)


@pytest.fixture
def case(rng):
    x = rng.uniform(0, 1, (5, 16, 16, 3)).astype(np.float32)
    return open_case(convnet(), x, classes=CLASSES)


def test_gradient(case):
    from benchmarks.peers.tf_keras_vis_maps import saliency

    theirs = saliency(case.network.model, case.pictures, CLASSES)
    np.testing.assert_allclose(stretch(Gradient()(case).values), stretch(theirs), atol=1e-4)


def test_smoothgrad_with_the_same_noise(case, monkeypatch):
    from benchmarks.peers.tf_keras_vis_maps import saliency

    noise = np.random.default_rng([case.seed, 1]).standard_normal(
        (8, *case.pictures.shape[1:]), np.float32
    )

    def draw(mean, sigma, shape):
        return noise[:, None] * np.asarray(sigma)

    monkeypatch.setattr(np.random, "normal", draw)
    theirs = saliency(case.network.model, case.pictures, CLASSES, pictures=8)
    mine = SmoothGrad(pictures=8)(case).values
    np.testing.assert_allclose(stretch(mine), stretch(theirs), atol=1e-4)


@pytest.mark.parametrize("method", [GradCAM(), LayerCAM()])
def test_class_maps(case, method):
    from benchmarks.peers.tf_keras_vis_maps import class_map

    theirs = class_map(case.network.model, case.pictures, CLASSES, method.name, case.layer.address)
    mine = np.maximum(method(case).values, 0)  # its maps end in a ReLU
    np.testing.assert_allclose(stretch(mine), stretch(theirs), atol=1e-4)
