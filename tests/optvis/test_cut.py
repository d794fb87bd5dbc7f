"""The cut reads what the whole model has there, runs no further, and leaves no trace."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import UsageError
from reportgen.optvis import channel, logit, visualize
from reportgen.optvis.cut import Cut
from reportgen.optvis.places import Head
from reportgen.optvis.rectifiers import redirected_rectifiers
from reportgen.subject.open_call import any_size
from reportgen.subject.probe import Probe, Tap
from reportgen.subject.scores import find_scores
from reportgen.subject.shadowing import computing_in

from .conftest import convnet, plain, snapshot, trace, unchanged


class Own(keras.Model):
    """A class of the user's, without declared inputs."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv = layers.Conv2D(3, 3, activation="relu", name="conv")
        self.head = layers.Dense(2, name="head")

    def call(self, x):
        return self.head(keras.ops.mean(self.conv(x), axis=(1, 2)))


def shared() -> keras.Model:
    image, conv = keras.Input((12, 10, 3)), layers.Conv2D(3, 3, padding="same", name="conv")
    return keras.Model(image, layers.GlobalMaxPooling2D()(conv(keras.ops.relu(conv(image)))))


def nested(inner: keras.Model) -> keras.Model:
    image = keras.Input(inner.inputs[0].shape[1:])
    return keras.Model(image, layers.Dense(2, name="last")(inner(image * 2)))


def own() -> keras.Model:
    image = keras.Input((12, 10, 3))
    return keras.Model(image, Own(name="own")(image))


def sequential(shape=(12, 10, 3)) -> keras.Model:
    backbone = keras.Sequential([keras.Input(shape), layers.Conv2D(3, 3, name="conv")], name="in")
    return keras.Sequential([keras.Input(shape), backbone, layers.ReLU(name="relu")])


def batchnorm() -> keras.Model:
    model = keras.Sequential(
        [keras.Input((12, 10, 3)), layers.Conv2D(3, 3), layers.BatchNormalization(name="norm")]
    )
    model.get_layer("norm").set_weights([np.full(3, v) for v in (2.0, 1.0, 0.5, 3.0)])
    return model


MODELS = {
    "plain": (lambda: convnet((12, 10, 3)), ["first", "second", "pool", "head"]),
    "nested": (
        lambda: nested(keras.Model(*_ends(convnet((12, 10, 3))), name="backbone")),
        ["backbone/first", "backbone/second", "last"],
    ),
    "sequential": (sequential, ["in/conv", "relu"]),
    "shared": (shared, ["conv", "conv#2"]),
    "own class": (own, ["own/conv", "own/head"]),
    "batch normalisation": (batchnorm, ["norm"]),
}


def _ends(model: keras.Model) -> tuple:
    return model.inputs, model.outputs[0]


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_whole_model(name):
    make, addresses = MODELS[name]
    model = make()
    images = np.random.default_rng(0).random((2, 12, 10, 3), np.float32)
    stages = ("before", "after")
    taps = [Tap(address, stage) for address in addresses for stage in stages]
    _, expected = Probe(model, (12, 10, 3)).activations(images, taps)
    with unchanged(model):
        together = trace(Cut(model, taps).read, images)
        for tap in taps:
            alone = trace(Cut(model, [tap]).read, images)[tap]
            np.testing.assert_allclose(alone, expected[tap], atol=1e-6)
            np.testing.assert_allclose(together[tap], expected[tap], atol=1e-6)


def test_channels_first_is_read_channels_last():
    model = convnet((3, 12, 10), data_format="channels_first")
    last = convnet((12, 10, 3))
    last.set_weights(model.get_weights())
    images = np.random.default_rng(0).random((2, 12, 10, 3), np.float32)
    taps = [Tap("first"), Tap("second"), Tap("pool")]

    cut = Cut(model, taps)

    def read(inputs):
        values = cut.read(tf.transpose(inputs, (0, 3, 1, 2)))
        assert values[Tap("first")].shape[1:] == (12, 10, 6)
        return values

    expected = trace(Cut(last, taps).read, images)
    for tap, values in trace(read, images).items():
        np.testing.assert_allclose(values, expected[tap], atol=1e-6)


class Trap(layers.Layer):
    """Fails once it is armed."""

    armed = False

    def call(self, x):
        if self.armed:
            raise RuntimeError("the trap was reached")
        return x


def trapped() -> keras.Model:
    image = keras.Input((8, 8, 3))
    maps = layers.Conv2D(3, 3, activation="relu", name="conv")(image)
    model = keras.Model(image, Trap(name="trap")(layers.Conv2D(2, 3, name="beyond")(maps)))
    model.get_layer("trap").armed = True
    return model


def test_the_rest_of_the_model_does_not_run():
    model = trapped()
    images = np.ones((1, 8, 8, 3), np.float32)
    with unchanged(model):
        trace(Cut(model, [Tap("conv")]).read, images)
        with pytest.raises(RuntimeError, match="the trap was reached"):
            trace(Cut(model, [Tap("conv"), Head()]).read, images)
    function = tf.function(Cut(convnet(), [Tap("first")]).read, autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec((1, 16, 16, 3))).graph
    assert [o.type for o in graph.get_operations()].count("Conv2D") == 1


def test_only_the_weights_on_the_way_become_constants():
    cut = Cut(convnet(), [Tap("first")])
    graph = (
        tf.function(cut.read, autograph=False)
        .get_concrete_function(tf.TensorSpec((1, 16, 16, 3)))
        .graph
    )
    constants = [o.outputs[0] for o in graph.get_operations() if o.type == "Const"]
    assert not [o for o in graph.get_operations() if o.type == "ReadVariableOp"]
    weights = [tuple(c.shape) for c in constants if c.shape.rank and c.dtype == tf.float32]
    assert sorted(weights) == [(3, 3, 3, 6), (6,)]


def test_weights_that_a_loop_reads_are_frozen_too():
    video = keras.Input((4, 6, 6, 3))
    moved = layers.ConvLSTM2D(2, 3, name="loop")(video)
    model = keras.Model(video, layers.ConvLSTM2D(2, 3, name="again")(moved[:, None]))
    images = np.random.default_rng(0).random((2, 4, 6, 6, 3), np.float32)
    taps = [Tap("loop"), Tap("again")]
    _, expected = Probe(model, (4, 6, 6, 3)).activations(images, taps)
    for tap, values in trace(Cut(model, taps).read, images).items():
        np.testing.assert_allclose(values, expected[tap], atol=1e-6)


@pytest.mark.parametrize("policy", [None, "mixed_bfloat16"])
@pytest.mark.parametrize("redirect", [False, True])
def test_everything_is_restored_also_after_an_error(policy, redirect):
    model = trapped()
    images = np.ones((1, 8, 8, 3), np.float32)
    with unchanged(model):
        with pytest.raises(RuntimeError, match="trap"):
            trace(Cut(model, [Head()], policy=policy, redirect=redirect).read, images)
        with pytest.raises(UsageError):
            trace(Cut(model, [Tap("absent")], policy=policy, redirect=redirect).read, images[:, :2])
    model.get_layer("trap").armed = False
    assert model.predict(images, verbose=0).shape == (1, 4, 4, 2)


@pytest.mark.parametrize(
    "enter",
    [redirected_rectifiers, any_size, lambda m: computing_in(m, "mixed_bfloat16")],
    ids=["rectifiers", "any size", "precision"],
)
def test_contexts_restore_layers_that_stand_twice(enter):
    inner = keras.Model(*_ends(convnet()))
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, inner(image) + inner(1 - image))
    before = snapshot(model)

    def fail():
        with enter(model):
            assert snapshot(model) != before
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert snapshot(model) == before


@pytest.mark.parametrize("name", ["plain", "nested", "sequential", "own class"])
@pytest.mark.parametrize("size", [(9, 17), (24, 24)])
def test_other_sizes_than_the_model_was_built_for(name, size):
    make, addresses = MODELS[name]
    model = make()
    images = np.random.default_rng(0).random((2, *size, 3), np.float32)
    values = trace(Cut(model, [Tap(addresses[0])]).read, images)[Tap(addresses[0])]
    layer = _find(model, addresses[0])
    factor = 2 if name == "nested" else 1
    np.testing.assert_allclose(values, layer(images * factor), atol=1e-5)


def _find(model: keras.Model, address: str):
    for part in address.split("/"):
        model = model.get_layer(part) if not isinstance(model, Own) else getattr(model, part)
    return model


def test_a_size_that_ends_at_a_dense_layer_is_told_why():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Dense(2, name="dense")(layers.Flatten()(image)))
    with pytest.raises(UsageError) as error:
        trace(Cut(model, [Tap("dense")]).read, np.ones((1, 9, 9, 3), np.float32))
    message = str(error.value)
    assert message.startswith("Images of (9, 9, 3) do not get as far as dense: ")
    assert "expected axis -1 of input shape to have value 192" in message
    assert "\x1b" not in message
    assert "Exception encountered" not in message


def test_bfloat16_is_near_and_goes_no_further_than_the_cut():
    model = nested(keras.Model(*_ends(convnet((12, 10, 3))), name="backbone"))
    images = np.random.default_rng(0).random((2, 12, 10, 3), np.float32)
    tap = Tap("backbone/second")
    exact = trace(Cut(model, [tap]).read, images)[tap]
    with unchanged(model):
        near = trace(Cut(model, [tap], policy="mixed_bfloat16").read, images)[tap]
    assert near.dtype == np.float32
    error = np.abs(near - exact).max() / np.abs(exact).max()
    assert 1e-5 < error < 0.02  # bfloat16 keeps 8 bits: 1/256 a product
    assert {part.dtype_policy.name for part in model._flatten_layers()} == {"float32"}


def two_inputs() -> keras.Model:
    image, other = keras.Input((4, 4, 3), name="image"), keras.Input((3,), name="other")
    scaled = layers.GlobalAveragePooling2D()(image) * other
    return keras.Model([image, other], layers.Dense(2, name="head")(scaled))


def test_other_inputs_are_held():
    model = two_inputs()
    images, held = np.random.default_rng(0).random((5, 4, 4, 3), np.float32), np.arange(3.0)
    read = trace(Cut(model, [Tap("head")], held={1: np.float32(held)}).read, images)
    expected = model.predict([images, np.tile(np.float32(held), (5, 1))], verbose=0)
    np.testing.assert_allclose(read[Tap("head")], expected, atol=1e-6)
    with pytest.raises(UsageError, match=r"2 inputs.*held: 1 \(other"):
        trace(Cut(model, [Tap("head")]).read, images)
    result = visualize(model, channel("head", 0), recipe=plain(4), held={1: [1.0, 0.0, 2.0]})
    expected = model.predict([result.images[0], np.array([[1.0, 0.0, 2.0]])], verbose=0)
    assert result.scores[0, 0] == pytest.approx(expected[0, 0], abs=1e-6)


@pytest.mark.parametrize("wrap", [lambda i: {"picture": i}, lambda i: [i], lambda i: i])
def test_inputs_go_in_as_they_were_declared(wrap):
    image = keras.Input((8, 8, 3), name="picture")
    model = keras.Model(wrap(image), layers.Conv2D(2, 3, name="conv")(image))
    result = visualize(model, channel("conv", [0, 1]), recipe=plain(4))
    assert (result.scores > result.starts).all()


def test_dictionaries_of_several_inputs_keep_their_names():
    model = two_inputs()
    by_name = keras.Model({t.name: t for t in reversed(model.inputs)}, model.outputs[0])
    position = next(i for i, t in enumerate(by_name.inputs) if t.name == "image")
    images, held = np.ones((2, 4, 4, 3), np.float32), np.float32([1, 2, 3])
    cut = Cut(by_name, [Tap("head")], position=position, held={1 - position: held})
    expected = model.predict([images, np.tile(held, (2, 1))], verbose=0)
    np.testing.assert_allclose(trace(cut.read, images)[Tap("head")], expected, atol=1e-6)


def test_scores_behind_a_closed_function_are_log_odds():
    @tf.function
    def closed(x):
        return tf.nn.softmax(x) / 1.0

    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    found = trace(lambda x: find_scores(closed(x)), values)
    chance = tf.nn.softmax(values).numpy()
    np.testing.assert_allclose(found, np.log(chance / (1 - chance)), rtol=1e-4, atol=1e-5)


def test_painting_leaves_the_model_alone():
    model = convnet()
    with unchanged(model):
        visualize(model, channel("first", [0, 1]) + logit(0), recipe=plain(4))
        visualize(model, channel("second", 0), recipe=plain(20), precision="bfloat16")
