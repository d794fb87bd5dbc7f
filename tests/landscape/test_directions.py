"""Directions: what they are drawn from, and along which axis they are normalised."""

from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.landscape.directions import (
    cosine,
    draw_direction,
    draw_plane,
    normalise,
    scaled,
    without,
)
from reportgen.landscape.grid import axis
from reportgen.landscape.parameters import dot, find_parameters, norm
from reportgen.subject.probe import Probe

from .conftest import convnet, data, dense_net, fill, flat, open_bench, precision

IMAGE, STEPS = (5, 5, 3), (6, 4)
# For each layer: the input, the kernel's name and the axes to sum over for the length of a filter,
# written down by hand from the layouts that Keras documents.
LAYOUTS = {
    "Dense (in, out)": (layers.Dense(4), (3,), "kernel", (0,)),
    "Conv1D (k, in, out)": (layers.Conv1D(5, 2), STEPS, "kernel", (0, 1)),
    "Conv2D (h, w, in, out)": (layers.Conv2D(4, (3, 2)), IMAGE, "kernel", (0, 1, 2)),
    "Conv2D in groups": (layers.Conv2D(6, 2, groups=3), IMAGE, "kernel", (0, 1, 2)),
    "DepthwiseConv2D (h, w, in, multiplier)": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        IMAGE,
        "kernel",
        (0, 1),
    ),
    "SeparableConv2D, depthwise part": (
        layers.SeparableConv2D(4, 3, depth_multiplier=2),
        IMAGE,
        "depthwise_kernel",
        (0, 1),
    ),
    "SeparableConv2D, pointwise part": (
        layers.SeparableConv2D(4, 3),
        IMAGE,
        "pointwise_kernel",
        (0, 1, 2),
    ),
    "Conv2DTranspose (h, w, out, in)": (
        layers.Conv2DTranspose(4, (3, 2)),
        IMAGE,
        "kernel",
        (0, 1, 3),
    ),
    "EinsumDense ab,bc->ac": (layers.EinsumDense("ab,bc->ac", 7), (3,), "kernel", (0,)),
    "EinsumDense abc,cde->abde": (
        layers.EinsumDense("abc,cde->abde", (None, 2, 5)),
        STEPS,
        "kernel",
        (0,),
    ),
    "EinsumDense abcd,cde->abe": (
        layers.EinsumDense("abcd,cde->abe", (None, 5)),
        IMAGE,
        "kernel",
        (0, 1),
    ),
    "Embedding (tokens, width)": (layers.Embedding(9, 4), (6,), "embeddings", (1,)),
    "LSTM (in, units x gates)": (layers.LSTM(3), STEPS, "kernel", (0,)),
}


def lengths(array: np.ndarray, inner: tuple[int, ...]) -> np.ndarray:
    return np.sqrt((np.asarray(array, float) ** 2).sum(axis=inner))


def find(model: keras.Model, shape: tuple[int, ...]):
    return find_parameters(model, Probe(model, shape).calls)


@pytest.mark.parametrize("name", LAYOUTS)
def test_normalisation_along_the_wrong_axis(name, rng):
    layer, shape, kernel, inner = LAYOUTS[name]
    layer = type(layer).from_config(layer.get_config())
    model = keras.Sequential([keras.Input(shape), layer])
    fill(model)
    parameters = find(model, shape)
    place = [v.path.rpartition("/")[2] for v in parameters.variables].index(kernel)
    point = parameters.read()
    drawn = draw_direction(parameters, point, rng)
    wanted = lengths(point[place], inner)
    np.testing.assert_allclose(lengths(drawn[place], inner), wanted, rtol=1e-6)
    # Any other choice of axes would fail: the lengths of filters differ.
    assert wanted.size > 1
    assert np.ptp(wanted) > 0.05 * wanted.mean()


def test_directions_from_a_uniform_distribution(rng):
    """From U[0, 1] the cosine with the all-ones vector is .87, and all directions look alike."""
    parameters = find(dense_net(40, 50), (40,))
    point = parameters.read()
    ones = tuple(np.ones_like(a) for a in point)
    drawn = [draw_direction(parameters, point, rng, normalisation="none") for _ in range(20)]
    bound = 5 / np.sqrt(parameters.size)  # five standard deviations of a Gaussian direction
    assert max(abs(cosine(d, ones)) for d in drawn) < bound
    assert max(abs(cosine(a, b)) for a, b in pairwise(drawn)) < bound
    values = np.concatenate([flat(d)[:2000] for d in drawn])
    values = values[values != 0]
    assert np.mean(values > 2) == pytest.approx(0.0228, abs=0.003)
    assert np.mean(values < 0) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("normalisation", ["filter", "tensor", "layer", "none"])
def test_biases_that_are_ignored_do_not_move(normalisation, rng):
    parameters = find(convnet(), (6, 6, 2))
    drawn = draw_plane(parameters, parameters.read(), rng, normalisation=normalisation)
    for direction in drawn:
        for array, axes, path in zip(direction, parameters.axes, parameters.layers, strict=True):
            assert array.any() == (axes is not None), path


@pytest.mark.parametrize("normalisation", ["filter", "tensor"])
def test_biases_normalised_twice(normalisation, rng):
    """Kept, each has the length of the model's as a whole, once."""
    parameters = find(convnet(), (6, 6, 2))
    point = parameters.read()
    drawn = tuple(rng.standard_normal(a.shape) for a in point)
    kept = normalise(parameters, drawn, point, normalisation=normalisation, vectors="keep")
    vectors = [i for i, axes in enumerate(parameters.axes) if axes is None]
    assert len(vectors) == 3  # gamma, beta, bias
    for i in vectors:
        known = drawn[i] * np.linalg.norm(point[i].astype(float)) / np.linalg.norm(drawn[i])
        np.testing.assert_allclose(kept[i], known, rtol=1e-12)
    again = normalise(parameters, kept, point, normalisation=normalisation, vectors="keep")
    np.testing.assert_allclose(flat(again), flat(kept), rtol=1e-12)


@pytest.mark.parametrize("layer", ["attention", "gru", "layer norm", "einsum"])
def test_biases_of_two_dimensions_are_biases(layer, rng):
    """Those of attention are (heads, width), of a GRU (2, gates): no filters either."""
    inputs = keras.Input(STEPS)
    made = {
        "attention": lambda: layers.MultiHeadAttention(2, 3)(inputs, inputs),
        "gru": lambda: layers.GRU(3, return_sequences=True)(inputs),
        "layer norm": lambda: layers.LayerNormalization(axis=(1, 2))(inputs),
        "einsum": lambda: layers.EinsumDense("abc,cde->abde", (6, 2, 5), bias_axes="de")(inputs),
    }[layer]()
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(made)))
    fill(model)
    parameters = find(model, STEPS)
    drawn = draw_direction(parameters, parameters.read(), rng)
    moved = {v.path: bool(d.any()) for v, d in zip(parameters.variables, drawn, strict=True)}
    names = {path: path.rpartition("/")[2] for path in moved}
    wide = [v.path for v in parameters.variables if len(v.shape) > 1]
    assert any(names[path] in ("bias", "gamma", "beta") for path in wide)
    assert moved == {path: name not in ("bias", "gamma", "beta") for path, name in names.items()}


def test_layers_scaled_as_a_whole(rng):
    parameters = find(dense_net(), (4,))
    point = parameters.read()
    for vectors, width in (("ignore", 1), ("keep", 2)):
        drawn = draw_direction(parameters, point, rng, normalisation="layer", vectors=vectors)
        for start in (0, 2):
            wanted = np.linalg.norm(flat(point[start : start + width]))
            assert np.linalg.norm(flat(drawn[start : start + 2])) == pytest.approx(wanted)


def test_tensors_scaled_as_a_whole(rng):
    parameters = find(dense_net(), (4,))
    point = parameters.read()
    drawn = draw_direction(parameters, point, rng, normalisation="tensor")
    assert np.linalg.norm(drawn[0]) == pytest.approx(np.linalg.norm(point[0]))
    inner = np.linalg.norm(drawn[0], axis=0) / np.linalg.norm(point[0], axis=0)
    assert np.ptp(inner) > 0.1  # filters by themselves are not


def test_a_pruned_filter_stays_pruned(rng):
    model = dense_net()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[:, 2] = 0
    model.get_layer("first").set_weights([kernel, np.zeros_like(bias)])
    parameters = find(model, (4,))
    for direction in draw_plane(parameters, parameters.read(), rng, vectors="keep"):
        assert not direction[0][:, 2].any()
        assert not direction[1].any()  # a bias of zero has no length to take
        assert np.isfinite(flat(direction)).all()
        assert direction[0][:, 1].any()


def lengths_of_units(point, normalisation: str) -> list:
    """Of the arrays of `convnet`: kernels by filter, vectors as a whole; by hand."""
    conv, gamma, beta, head, bias = point
    if normalisation == "none":
        return [1.0] * 5
    if normalisation == "tensor":
        return [np.linalg.norm(a) for a in point]
    vectors = [np.linalg.norm(a) for a in (gamma, beta, bias)]
    return [lengths(conv, (0, 1, 2)), *vectors[:2], lengths(head, (0,)), vectors[2]]


@pytest.mark.parametrize("normalisation", ["filter", "tensor", "layer", "none"])
def test_the_plane_is_orthogonal_and_normalised(normalisation, rng):
    """Orthogonal in units of the weights, whatever the layers' scales."""
    parameters = find(convnet(), (6, 6, 2))
    point = parameters.read()
    options = {"normalisation": normalisation, "vectors": "keep"}
    first, second = draw_plane(parameters, point, rng, **options)
    units = lengths_of_units(point, normalisation)
    ours, theirs = (
        np.concatenate([(d / u).ravel() for d, u in zip(way, units, strict=True)])
        for way in (first, second)
    )
    assert abs(ours @ theirs) < 1e-6 * np.linalg.norm(ours) * np.linalg.norm(theirs)
    if normalisation != "none":
        assert norm(first) == pytest.approx(norm(point), rel=1e-6)
        assert norm(second) == pytest.approx(norm(point), rel=1e-6)
    raw = draw_direction(parameters, point, np.random.default_rng(11), **options)
    np.testing.assert_array_equal(flat(first), flat(raw))


def test_a_seed_that_is_ignored():
    parameters = find(dense_net(), (4,))
    point = parameters.read()
    planes = [draw_plane(parameters, point, np.random.default_rng(s)) for s in (3, 3, 4)]
    np.testing.assert_array_equal(flat(planes[0][1]), flat(planes[1][1]))
    assert abs(cosine(planes[0][0], planes[2][0])) < 0.9
    # And the state of no other generator matters.
    np.random.seed(1)
    keras.utils.set_random_seed(99)
    again = draw_plane(parameters, point, np.random.default_rng(3))
    np.testing.assert_array_equal(flat(planes[0][0]), flat(again[0]))


@pytest.mark.parametrize("normalisation", ["filter", "none"])
def test_a_convolution_before_batchnorm_may_be_scaled(normalisation):
    """The function is the same, so a surface that means something is the same as well."""
    x, y = data((6, 6, 2), count=24)
    steps = np.stack(np.meshgrid(axis(0.5, 3), axis(0.5, 3)), axis=-1).reshape(-1, 2)
    surfaces = []
    with precision("float64"):
        for factor in (1.0, 7.3):
            model = convnet()
            norm_layer = model.get_layer("norm")
            model.get_layer("conv").kernel.assign(model.get_layer("conv").kernel * factor)
            gamma, beta, mean, variance = norm_layer.get_weights()
            epsilon = norm_layer.epsilon
            rescaled = factor**2 * (variance + epsilon) - epsilon
            norm_layer.set_weights([gamma, beta, mean * factor, rescaled])
            bench = open_bench(model, x, y)
            plane = draw_plane(
                bench.parameters,
                bench.point,
                np.random.default_rng(2),
                normalisation=normalisation,
            )
            surfaces.append(bench.losses(plane, steps))
    np.testing.assert_allclose(surfaces[0][4], surfaces[1][4], rtol=1e-9)  # the centre
    assert np.ptp(surfaces[0]) > 0.05
    same = np.allclose(surfaces[0], surfaces[1], rtol=1e-9)
    assert same == (normalisation == "filter")


def test_arithmetic_by_hand():
    a = (np.array([3.0, 0.0]), np.array([[4.0]]))
    b = (np.array([1.0, 2.0]), np.array([[-1.0]]))
    zero = tuple(np.zeros_like(x) for x in a)
    assert (dot(a, b), norm(a)) == (-1.0, 5.0)
    assert cosine(a, b) == pytest.approx(-1 / (5 * np.sqrt(6)))
    assert cosine(a, zero) == 0
    assert dot(without(b, a), a) == pytest.approx(0, abs=1e-12)
    assert flat(without(b, zero)).tolist() == flat(b).tolist()
    assert flat(scaled(a, -2)).tolist() == [-6, 0, -8]
