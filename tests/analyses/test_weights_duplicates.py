"""Which filters are copies of each other, in groups."""

from types import SimpleNamespace

import numpy as np
import pytest
from keras import layers

from reportgen.analyses.weights.checks import duplicate_groups
from reportgen.subject.kernels import list_kernels

from .lone_kernels import kernel_of, set_kernel


def groups_of(layer, shape, values):
    kernel = kernel_of(layer, shape)
    kernel.variable.assign(values)
    kernel = list_kernels(
        SimpleNamespace(
            layer=layer, address="x", class_name="", output_shape=(None, 1), channels_first=False
        )
    )[-1]
    return duplicate_groups(kernel, min_cosine=0.999, skip=np.array([], np.int64))


def test_small_kernels_make_no_duplicates():
    # Among 64 random directions of two dimensions some pair is within 2.6 degrees for sure.
    small = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    assert groups_of(layers.Dense(64), (2,), small) == []
    assert groups_of(layers.Dense(8), (1,), np.ones((1, 8))) == []


def test_only_filters_that_read_the_same_inputs_are_duplicates():
    depthwise = layers.DepthwiseConv2D(3)
    assert groups_of(depthwise, (5, 5, 8), np.ones((3, 3, 8, 1))) == []
    rng = np.random.default_rng(0)
    grouped = rng.normal(size=(3, 3, 4, 8))
    grouped[..., 5] = grouped[..., 1]  # of another group
    assert groups_of(layers.Conv2D(8, 3, groups=2), (5, 5, 8), grouped) == []
    grouped[..., 6] = -2 * grouped[..., 5]
    (found,) = groups_of(layers.Conv2D(8, 3, groups=2), (5, 5, 8), grouped)
    assert found.describe() == "5 = 6 (cosine -1.000)"
    double = rng.normal(size=(3, 3, 4, 2))
    double[:, :, 2, 1] = double[:, :, 2, 0]
    (found,) = groups_of(layers.DepthwiseConv2D(3, depth_multiplier=2), (5, 5, 4), double)
    assert found.members == (4, 5)


def test_duplicates_come_in_groups():
    kernel = np.random.default_rng(0).normal(size=(20, 12))
    kernel[:, 7], kernel[:, 11] = 3 * kernel[:, 3], kernel[:, 3]
    kernel[:, 9] = -kernel[:, 0]
    found = groups_of(layers.Dense(12), (20,), kernel)
    assert [group.describe() for group in found] == [
        "0 = 9 (cosine -1.000)",
        "3 = 7 = 11 (cosine +1.000)",
    ]
    kernel[:, 7] *= -1
    found = groups_of(layers.Dense(12), (20,), kernel)
    assert found[1].describe() == "3 = 7 = 11 (cosine -1.000, +1.000)"


def test_filters_that_share_few_directions_are_near_by_chance():
    """MobileNet's conv_pw_1: 16 filters that really live in two of eight dimensions."""
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(2, 16))
    kernel = np.concatenate([flat, 1e-3 * rng.normal(size=(6, 16))])
    kernel[:2, 9] = kernel[:2, 0] + 0.01 * rng.normal(size=2)
    assert groups_of(layers.Dense(16), (8,), kernel) == []
    kernel[:, 9] = -3 * kernel[:, 0].astype(np.float32)  # a true copy is one in any dimension
    (found,) = groups_of(layers.Dense(16), (8,), kernel)
    assert found.members == (0, 9)


@pytest.mark.parametrize(("offset", "said"), [(0.0, "the same bias"), (0.5, "bias differs")])
def test_a_duplicate_says_whether_the_biases_differ(twin, weigh, offset, said):
    layer = twin.get_layer("c1")
    set_kernel(layer, lambda k: k.__setitem__((..., 5), 2 * k[..., 1]))
    bias = layer.bias.numpy()
    bias[1], bias[5] = 0.3, 0.6 + offset
    layer.bias.assign(bias)
    assert weigh(twin).result.duplicates[0].remark.startswith(f"cosine +1.000; {said}")


def test_the_batchnorm_decides_whether_duplicates_differ(twin, weigh):
    """Behind a BatchNorm of matching statistics one filter is the other times a number."""
    set_kernel(twin.get_layer("c2"), lambda k: k.__setitem__((..., 9), 2 * k[..., 4]))
    norm = twin.get_layer("bn")
    for name, factor in (("gamma", 1), ("beta", 1), ("moving_mean", 2)):
        values = getattr(norm, name).numpy()
        values[9] = factor * values[4]
        getattr(norm, name).assign(values)
    variance = norm.moving_variance.numpy()
    variance[9] = 4 * (variance[4] + norm.epsilon) - norm.epsilon
    norm.moving_variance.assign(variance)
    assert (
        weigh(twin)
        .result.duplicates[0]
        .remark.startswith("cosine +1.000; the same bias or BatchNorm shift")
    )
    norm.beta.assign(norm.beta.numpy() + np.eye(16)[9])
    assert "differs" in weigh(twin).result.duplicates[0].remark


def test_many_filters_are_compared_block_by_block():
    """Copies within a block of 1024, across blocks, and in groups over three of them."""
    kernel = np.random.default_rng(0).normal(size=(24, 2500)).astype(np.float32)
    kernel[:, 2400] = kernel[:, 7]
    kernel[:, 1100] = -kernel[:, 7]
    kernel[:, 1203] = 2 * kernel[:, 1202]
    found = groups_of(layers.Dense(2500), (24,), kernel)
    assert [group.members for group in found] == [(7, 1100, 2400), (1202, 1203)]
    assert found[0].cosines == pytest.approx((-1, 1))
