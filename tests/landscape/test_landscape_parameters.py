"""Which weights move, and that statistics never do."""

import keras
import numpy as np
import pytest
from keras import layers

from reportgen.errors import UsageError
from reportgen.landscape.parameters import difference, find_parameters, shifted
from reportgen.subject.probe import Probe

from .conftest import convnet, dense_net, hash_weights


def find(model: keras.Model, shape: tuple[int, ...], *wanted: str):
    return find_parameters(model, Probe(model, shape).calls, wanted)


def paths(parameters) -> list[str]:
    return [variable.path for variable in parameters.variables]


def test_batchnorms_moving_variance_perturbed():
    parameters = find(convnet(), (6, 6, 2))
    assert paths(parameters) == [
        "conv/kernel",
        "norm/gamma",
        "norm/beta",
        "head/kernel",
        "head/bias",
    ]
    assert parameters.layers == ("conv", "norm", "norm", "head", "head")
    assert parameters.axes == ((3,), None, None, (1,), None)
    assert parameters.size == 9 * 2 * 4 + 4 + 4 + 4 * 3 + 3
    # Not by name either, and not with a star.
    for wanted in (["norm"], ["*"]):
        assert not any("moving" in path for path in paths(find(convnet(), (6, 6, 2), *wanted)))


def test_states_of_random_generators_are_no_parameters():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.RandomFlip(), layers.Dropout(0.5), layers.Conv2D(2, 3)]
    )
    assert len(model.variables) > 2
    for wanted in ((), ("*",)):
        variables = find(model, (4, 4, 1), *wanted).variables
        assert [variable.name for variable in variables] == ["kernel", "bias"]


def test_positions_are_those_of_the_models_weights():
    model = convnet()
    parameters = find(model, (6, 6, 2))
    for array, taken in zip(parameters.read(), parameters.take(model.get_weights()), strict=True):
        np.testing.assert_array_equal(array, taken)
    for position, variable in zip(parameters.positions, parameters.variables, strict=True):
        assert model.weights[position] is variable


def test_frozen_layers_do_not_move_unless_they_are_named():
    model = convnet()
    model.get_layer("conv").trainable = False
    model.get_layer("norm").trainable = False
    parameters = find(model, (6, 6, 2))
    assert paths(parameters) == ["head/kernel", "head/bias"]
    assert parameters.frozen == 3  # kernel, gamma, beta; moving statistics were never learned
    named = find(model, (6, 6, 2), "conv", "norm")
    assert paths(named) == ["conv/kernel", "norm/gamma", "norm/beta"]
    assert named.frozen == 2


def test_layers_of_a_nested_model_are_named_by_their_address():
    inner = dense_net()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="head")(inner(inputs)))
    assert len(find(model, (4,)).variables) == 6
    assert paths(find(model, (4,), "head")) == ["head/kernel", "head/bias"]
    assert len(find(model, (4,), f"{inner.name}/*").variables) == 4
    only = find(model, (4,), f"{inner.name}/first", "head")
    assert [layer.rpartition("/")[2] for layer in only.layers] == ["first"] * 2 + ["head"] * 2


def test_a_shared_layer_moves_once():
    shared, inputs = layers.Dense(4, name="shared"), keras.Input((4,))
    model = keras.Model(inputs, shared(shared(inputs)))
    assert paths(find(model, (4,))) == ["shared/kernel", "shared/bias"]


def test_what_cannot_be_moved_is_said():
    model = dense_net()
    with pytest.raises(UsageError, match=r"'nothing' names no layer.* first, head"):
        find(model, (4,), "nothing")
    model.trainable = False
    with pytest.raises(UsageError, match="No weight is trainable"):
        find(model, (4,))
    assert len(find(model, (4,), "*").variables) == 4


def test_points_are_copies():
    model = dense_net()
    before = hash_weights(model)
    point = find(model, (4,)).read()
    for array in point:
        array += 1
    assert hash_weights(model) == before


def test_vectors_are_cut_in_the_order_of_the_point():
    parameters = find(dense_net(), (4,))
    parts = parameters.unpack(np.arange(float(parameters.size)))
    assert [part.shape for part in parts] == [(4, 5), (5,), (5, 3), (3,)]
    assert np.concatenate([part.ravel() for part in parts]).tolist() == list(range(43))
    assert parts[0][1, 0] == 5


def test_steps_by_hand():
    point = (np.array([1.0, 2.0], np.float32),)
    ways = [(np.array([1.0, 0.0]),), (np.array([0.5, -1.0]),)]
    moved = shifted(point, ways, [2.0, 4.0])
    assert moved[0].tolist() == [5.0, -2.0]
    assert moved[0].dtype == np.float32
    assert difference(moved, point)[0].tolist() == [4.0, -4.0]
    assert point[0].tolist() == [1.0, 2.0]
