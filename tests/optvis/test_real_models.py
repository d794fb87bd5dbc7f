"""Models that strangers trained: nested backbones, one channel, ImageNet."""

from __future__ import annotations

import pytest

from reportgen import optvis
from reportgen.config import AuditConfig
from reportgen.subject.network import open_network, screen

pytestmark = pytest.mark.real


@pytest.fixture
def opened(real):
    """``opened(path)``: the model of a file, as an audit opens it."""

    def open_file(path):
        config = AuditConfig(model=real / "models" / path)
        return open_network(config, screen(config))[1]

    return open_file


def test_units_of_imagenet_reach_more_than_the_usual_tool_does(opened):
    """tf-keras-vis' defaults reach a mean of 2.69 on these sixteen units in 200 steps."""
    model = opened("st_modelzoo_imagenet_mobilenet_v1_025/mobilenet_v1_0.25_224.h5")
    brief = optvis.find_recipe("default", side=64).but(stages=(optvis.Stage(24),))
    images = optvis.visualize(
        model,
        optvis.channel("conv_pw_6_relu", range(16)),
        preprocessing="symmetric",
        size=(64, 64),
        recipe=brief,
        precision="float32",
    )
    assert images.scores.mean() > 2.69
    assert (images.scores > images.starts).all()


@pytest.mark.matrix
def test_an_address_reaches_into_a_nested_backbone(opened):
    model = opened("tm_BilalSardar_asl/keras_model.h5")
    address = "sequential_1/model1/block_3_project_BN"
    brief = optvis.find_recipe("default").but(stages=(optvis.Stage(8),))
    images = optvis.visualize(
        model,
        optvis.channel(address, [2, 15]),
        preprocessing="symmetric",
        size=(96, 96),
        recipe=brief,
    )
    assert images.images.shape == (2, 1, 96, 96, 3)
    assert (images.scores > images.starts + 1).all()


def test_one_channel(opened):
    model = opened("tonio73_data-science/MNIST_LeNet60.h5")
    brief = optvis.find_recipe("default", side=32).but(stages=(optvis.Stage(16),))
    images = optvis.visualize(model, optvis.logit(range(10)), recipe=brief)
    assert images.images.shape == (10, 1, 32, 32, 1)
    assert (images.scores > images.starts).all()
