"""Models that other tools break on: each is painted, or says in plain words why not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from reportgen.errors import ConfigurationError, UsageError
from reportgen.optvis import Optimizer, channel, diversity, logit, neuron, softmax, visualize
from reportgen.optvis.cut import Cut
from reportgen.optvis.objectives import Objective
from reportgen.subject.probe import Tap

from .conftest import convnet, dead_start, plain, unchanged


def climbs(model: keras.Model, objective: Objective, **options):
    """Painted, each higher than it began, and the model as it was."""
    with unchanged(model):
        result = visualize(model, objective, **{"recipe": plain(16), **options})
    assert np.isfinite(result.images).all()
    assert (result.scores > result.starts).all()
    return result


@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 16, 3), (16, 16, 5), (9, 21, 2)])
@pytest.mark.parametrize("recipe", ["default", "plain"])
def test_any_channels_and_any_shape(shape, recipe):
    samples = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    options = {"recipe": plain(16)} if recipe == "plain" else {"recipe": "default"}
    result = climbs(convnet(shape), channel("second", [0, 1]), samples=samples, **options)
    assert result.images.shape == (2, 1, *shape)


def test_channels_first():
    result = climbs(convnet((3, 12, 10), data_format="channels_first"), channel("second", [0, 4]))
    assert result.images.shape == (2, 1, 12, 10, 3)
    last = convnet((12, 10, 3))
    first = convnet((3, 12, 10), data_format="channels_first")
    last.set_weights(first.get_weights())
    images = [visualize(m, channel("second", 1), recipe=plain(4)).images for m in (first, last)]
    np.testing.assert_allclose(*images, atol=1e-4)  # convolutions that add in other orders


@pytest.mark.parametrize("batch", [1, 4])
def test_a_declared_batch(batch):
    image = keras.Input(batch_shape=(batch, 12, 12, 3))
    maps = layers.Conv2D(5, 3, name="conv")(image)
    flat = keras.ops.reshape(maps, (batch, 500))  # holds only for this batch
    model = keras.Model(image, layers.Dense(2, name="head")(flat))
    result = climbs(model, channel("conv", range(5)))
    assert result.batch == batch
    climbs(model, logit([0, 1]))


def test_a_declared_batch_and_variants_that_are_compared():
    model = keras.Sequential(
        [keras.Input(batch_shape=(4, 12, 12, 3)), layers.Conv2D(5, 3, name="conv")]
    )
    objective = channel("conv", [0, 1, 2]) + diversity("conv")
    result = visualize(model, objective, recipe=plain(2), variants=2)
    assert result.images.shape[:2] == (3, 2)
    # Units of three do not fill a batch of four.
    with pytest.raises(UsageError, match="batch of 4"):
        visualize(model, objective, recipe=plain(2), variants=3)


@pytest.mark.parametrize("nested", [False, True])
def test_pictures_without_a_channel(nested):
    model = keras.Sequential(
        [keras.Input((28, 28)), layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    if nested:  # as a wrapper that adds a softmax would have it
        model = keras.Sequential([keras.Input((28, 28)), model])
    result = climbs(model, logit(range(3)))
    assert result.images.shape == (3, 1, 28, 28, 1)


def test_a_nested_backbone():
    backbone = convnet((16, 16, 3))
    inner = keras.Model(backbone.inputs, backbone.get_layer("second").output, name="backbone")
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), inner, layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    climbs(model, channel("backbone/first", [0, 5]))
    climbs(model, channel("backbone/second", 1) + 0.1 * logit(0))
    with pytest.raises(UsageError, match=r"No layer 'second'.*are: backbone/second"):
        visualize(model, channel("second", 0), recipe=plain(1))


def test_a_map_of_one_pixel():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Conv2D(4, 8, name="one")(image))
    mean = climbs(model, channel("one", [0, 1]))
    middle = climbs(model, neuron("one", [0, 1]))
    np.testing.assert_allclose(mean.scores, middle.scores, rtol=0.2)
    with pytest.raises(UsageError, match="trimming 1 leaves nothing"):
        visualize(model, channel("one", 0, trim=1), recipe=plain(1))


def test_a_saturated_softmax_has_no_gradient_but_its_logit_has():
    model = convnet((8, 8, 3))
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias + np.array([1e4, 0, 0, 0])])
    stuck = visualize(model, softmax([0, 1]), recipe=plain(4))
    assert (stuck.first_gradients == 0).all()
    assert stuck.woken.all()
    assert np.isfinite(stuck.images).all()
    assert stuck.scores.ravel().tolist() == [1, 0]
    climbs(model, logit([1, 2]))


def test_scaling_inside_the_model():
    image = keras.Input((8, 8, 3))
    maps = layers.Conv2D(2, 3, name="conv")(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, maps)
    bare = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="conv")])
    bare.set_weights(model.get_weights())
    inside = climbs(model, channel("conv", [0, 1]), preprocessing="none")
    outside = climbs(bare, channel("conv", [0, 1]), preprocessing="unit")
    np.testing.assert_allclose(inside.scores, outside.scores, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_inputs_declared_as_another_type(dtype):
    image = keras.Input((8, 8, 3), dtype=dtype)
    model = keras.Model(image, layers.Conv2D(2, 3, name="conv")(layers.Rescaling(1 / 255)(image)))
    # Whole numbers would have no gradient: the cut gives them as fractions.
    climbs(model, channel("conv", [0, 1]), preprocessing="none")


def test_a_model_without_convolution():
    image = keras.Input((6, 6, 1))
    hidden = layers.Dense(5, activation="tanh", name="hidden")(layers.Flatten()(image))
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="head")(hidden))
    climbs(model, channel("hidden", range(5)))
    climbs(model, logit([0, 1]))


def test_half_precision_of_the_model_itself():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = convnet((8, 8, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    climbs(model, channel("second", 0) + 0.1 * channel("first", 1))
    climbs(model, logit(0))


NO_PICTURE = {
    "vector": (keras.Input((7,)), lambda x: layers.Dense(3, name="last")(x)),
    "tokens": (
        keras.Input((9,), dtype="int32"),
        lambda x: layers.Dense(3, name="last")(layers.Embedding(4, 2)(x)),
    ),
    "sequence": (keras.Input((7, 5)), lambda x: layers.SimpleRNN(3, name="last")(x)),
    "open sequence": (keras.Input((None, 5)), lambda x: layers.LSTM(3, name="last")(x)),
    "volume": (keras.Input((4, 4, 4, 1)), lambda x: layers.Conv3D(3, 2, name="last")(x)),
}


@pytest.mark.parametrize("name", NO_PICTURE)
def test_what_is_no_picture_is_refused(name):
    given, make = NO_PICTURE[name]
    with pytest.raises(UsageError) as error:
        visualize(keras.Model(given, make(given)), channel("last", 0), recipe=plain(1))
    assert "picture" in str(error.value) or "leaves open" in str(error.value)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(2, 3, name="conv")

    def call(self, x):
        return self.conv(x)


def test_a_class_of_ones_own_says_how_to_be_painted():
    model = Own()
    model(np.zeros((1, 8, 8, 3), np.float32))
    with pytest.raises((UsageError, ConfigurationError), match="does not say what it takes"):
        visualize(model, channel("conv", 0), recipe=plain(1))
    image = keras.Input((8, 8, 3))
    climbs(keras.Model(image, model(image)), channel(f"{model.name}/conv", [0, 1]))


def test_a_unit_that_is_dead_at_the_start_wakes():
    with unchanged(model := dead_start(-0.8)):  # the lightest pixels at the start have .75
        result = visualize(
            model, channel("dead", [0, 1]), recipe=plain(40, optimizer=Optimizer("adam", 0.05))
        )
    assert result.starts[0, 0] == 0
    assert result.first_gradients[:, 0].tolist()[0] == 0
    assert result.woken.ravel().tolist() == [True, False]
    # The mean of a white image less .8, and plus .1.
    np.testing.assert_allclose(result.scores.ravel(), [0.2, 1.1], atol=1e-4)


def rectified(kind: str) -> keras.Model:
    """A convolution, a ReLU of one kind, a weighted sum; some images silence channel 0."""
    makers = {
        "fused": lambda x: layers.Conv2D(3, 3, activation="relu", name="conv")(x),
        "relu6": lambda x: layers.Conv2D(3, 3, activation="relu6", name="conv")(x),
        "layer": lambda x: layers.ReLU(6.0)(layers.Conv2D(3, 3, name="conv")(x)),
        "activation": lambda x: layers.Activation("relu")(layers.Conv2D(3, 3, name="conv")(x)),
        "operation": lambda x: keras.ops.relu(layers.Conv2D(3, 3, name="conv")(x)),
    }
    image = keras.Input((6, 6, 1))
    return keras.Model(image, layers.Conv2D(2, 1, name="sum")(makers[kind](image)))


def slopes(cut: Cut, images: np.ndarray, chosen: np.ndarray | None = None) -> dict:
    """Values at "sum" and the gradient of minus their sum, as the engine descends."""

    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = cut.read(inputs, None if chosen is None else tf.constant(chosen))[Tap("sum")]
            loss = -tf.reduce_sum(values)
        return values, tape.gradient(loss, inputs)

    signature = [tf.TensorSpec(images.shape, tf.float32)]  # the engine's batches have one size
    traced = tf.function(run, input_signature=signature, autograph=False)
    values, gradient = traced.get_concrete_function()(tf.constant(images))
    return {"values": values.numpy(), "gradient": gradient.numpy()}


@pytest.mark.parametrize("kind", ["fused", "relu6", "layer", "activation", "operation"])
def test_redirected_gradients_reach_silent_images_only(kind):
    model = rectified(kind)
    kernel, bias = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([np.abs(kernel), bias - 0.1])
    weights, offset = model.get_layer("sum").get_weights()
    model.get_layer("sum").set_weights([np.abs(weights), offset])
    images = np.random.default_rng(0).random((3, 6, 6, 1), np.float32)
    images[1] = 0  # every ReLU is silent here
    with unchanged(model):
        true = slopes(Cut(model, [Tap("sum")]), images)
        let = slopes(Cut(model, [Tap("sum")], redirect=True), images)
        barred = slopes(Cut(model, [Tap("sum")], redirect=True), images, np.zeros(3, bool))
    np.testing.assert_array_equal(let["values"], true["values"])
    np.testing.assert_array_equal(let["gradient"][[0, 2]], true["gradient"][[0, 2]])
    assert (true["gradient"][1] == 0).all()
    assert (let["gradient"][1] < 0).all()  # brighter is better, for a positive kernel
    np.testing.assert_array_equal(barred["gradient"], true["gradient"])
