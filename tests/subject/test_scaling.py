"""Which scaling is used: the declared one, the model's own, or a guess that is said to be one."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from reportgen.config import AuditConfig
from reportgen.errors import ConfigurationError
from reportgen.subject.inputs import read_input, scales_inside
from reportgen.subject.live import with_inputs
from reportgen.subject.model_file.building.operations import TensorFlowFunction
from reportgen.subject.preprocessing import NAMES
from reportgen.subject.probe import Probe
from reportgen.subject.scaling import choose_scaling
from reportgen.subject.subject import LiveInput, open_subject


def network(first):
    """``first`` before a convolution and a head."""
    keras.utils.set_random_seed(1)
    start = keras.Input((8, 8, 3))
    h = layers.Conv2D(3, 3, name="conv")(first(start))
    return keras.Model(start, layers.Dense(2, name="head")(layers.Flatten()(h)))


def calls_of(model):
    return Probe(model, (8, 8, 3)).calls


# Scaling inside of the model.


def nested():
    rescaling = layers.Rescaling(1 / 255, name="scale")
    return keras.Sequential([keras.Input((8, 8, 3)), rescaling], name="inner")


def augmented(x):
    x = layers.RandomRotation(0.1)(layers.RandomFlip()(x))
    return layers.Rescaling(1 / 255, name="scale")(x)


def tensorflow(name, *arguments):
    made = {"function": name, "arguments": [{"tensor": 0}, *arguments], "keywords": {}}
    return TensorFlowFunction(**made, name="scale")


PREPROCESS = keras.applications
INSIDE = {  # what stands before the convolution: the class of what scales
    "a layer": (layers.Rescaling(1 / 255), "Rescaling"),
    "statistics": (layers.Normalization(mean=1.0, variance=4.0), "Normalization"),
    "a division": (lambda x: x / 255.0, "TrueDivide"),
    "a division by whole numbers": (lambda x: x / 255, "TrueDivide"),
    "a product": (lambda x: x * (1 / 255), "Multiply"),
    "a difference, divided": (lambda x: (x - 127.5) / 127.5, "Subtract"),
    "an operation": (lambda x: ops.divide(x, 255.0), "Divide"),
    "a number first": (lambda x: 1.0 - x, "Subtract"),
    "an array": (lambda x: x * np.array([1, 2, 3], "float32"), "Multiply"),
    "a nested model": (lambda x: nested()(x), "Rescaling"),
    "a pipeline": (
        layers.Pipeline([layers.RandomFlip(), layers.Rescaling(1 / 255)]),
        "Pipeline",
    ),
    "behind augmentation": (augmented, "Rescaling"),
    "behind resizing": (lambda x: layers.Resizing(8, 8)(x) / 255.0, "TrueDivide"),
    "as ResNet has it": (lambda x: PREPROCESS.resnet.preprocess_input(x), "Add"),
    "as MobileNet has it": (lambda x: PREPROCESS.mobilenet.preprocess_input(x), "TrueDivide"),
    "of Keras 2": (tensorflow("math.truediv", 255.0), "TensorFlowFunction"),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_a_model_that_scales_its_input(kind):
    first, class_name = INSIDE[kind]
    calls = calls_of(network(first))
    found = scales_inside(calls)
    (call,) = (one for one in calls if one.address == found)
    assert call.class_name == class_name
    assert calls.index(call) < [one.address for one in calls].index("conv")


NOT_INSIDE = {
    "nothing": lambda x: x,
    "a gate": lambda x: layers.Multiply()([x, x]),
    "a product with itself": lambda x: x * x,
    "less its own mean": lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True),
    "augmentation": lambda x: layers.RandomFlip()(x),
    "behind a kernel": lambda x: layers.Conv2D(3, 3)(x) / 255.0,
    "a layer behind a kernel": lambda x: layers.Rescaling(1 / 255)(layers.Conv2D(3, 3)(x)),
    "a comparison": lambda x: ops.cast(ops.greater(x, 0.5), "float32"),
    "another function of Keras 2": tensorflow("nn.relu"),
}


@pytest.mark.parametrize("kind", NOT_INSIDE)
def test_a_model_that_does_not(kind):
    assert scales_inside(calls_of(network(NOT_INSIDE[kind]))) is None


class Subclassed(keras.Model):
    def __init__(self, by):
        super().__init__()
        self.by, self.conv = by, layers.Conv2D(2, 3, name="conv")

    def call(self, x):
        return self.conv(x / self.by if self.by else x)


@pytest.mark.parametrize(("by", "known"), [(255.0, "conv"), (None, None)])
def test_arithmetic_in_the_code_of_a_subclassed_model(by, known):
    model = with_inputs(Subclassed(by), np.zeros((1, 8, 8, 3), np.float32))
    found = scales_inside(calls_of(model))
    assert (found and found.split("/")[-1]) == known


# The choice.


@pytest.fixture(scope="module")
def plain():
    model = network(lambda x: x)
    return read_input(model, None, from_images=False), Probe(model, (8, 8, 3))


@pytest.fixture(scope="module")
def scaling():
    model = network(layers.Rescaling(1 / 255, name="scale"))
    return read_input(model, None, from_images=False), Probe(model, (8, 8, 3))


def pixels(low, high, dtype, shape=(4, 8, 8, 3)):
    """Samples that reach from ``low`` to ``high``, both included."""
    found = np.random.default_rng(0).uniform(low, high, shape)
    found.flat[:2] = low, high
    return found.astype(dtype)


GUESSED = {
    "images": (pixels(0, 255, "uint8"), "unit", "the usual one for 8-bit images"),
    "dark images": (pixels(0, 20, "uint8"), "unit", "the usual one for 8-bit images"),
    "images as floats": (pixels(0, 255, "float32"), "unit", "pixels from 0 to 255"),
    "images as whole numbers": (pixels(0, 255, "int64"), "unit", "pixels from 0 to 255"),
    "no samples": (np.zeros((0, 8, 8, 3), "uint8"), "unit", "the usual one for 8-bit images"),
    "fractions": (pixels(0, 1, "float32"), "none", "from 0 to 1 already"),
    "dark fractions": (pixels(0, 0.25, "float64"), "none", "from 0 to 0.25 already"),
    "black and white": (pixels(0, 1, "uint8"), "none", "from 0 to 1 already"),
    "both signs": (pixels(-1, 1, "float32"), "none", "from -1 to 1, and are taken as they are"),
    "counts": (pixels(0, 16, "float32"), "none", "from 0 to 16, and are taken as they are"),
    "whole counts": (pixels(0, 16, "int64"), "none", "from 0 to 16, and are taken as they are"),
    "less the mean": (pixels(-120, 130, "float32"), "none", "from -120 to 130"),
    "sixteen bits": (pixels(0, 65535, "uint16"), "none", "and are taken as they are"),
}
BY_HAND = {"unit": lambda x: x / 255, "none": lambda x: x}


@pytest.mark.parametrize("kind", GUESSED)
def test_the_range_of_the_samples_suggests_a_scaling(kind, plain):
    found, name, why = GUESSED[kind]
    scaling = choose_scaling(None, *plain, found)
    assert scaling.words.startswith(f"{name} (")
    (note,) = scaling.notes
    assert note.startswith(f"Input scaling was not declared. {name} was assumed: ")
    assert why in note
    assert scaling.assumed == note
    given = found.astype(np.float32)
    np.testing.assert_allclose(scaling.function(given), BY_HAND[name](given), rtol=1e-6)


def test_what_the_model_does_itself_is_no_assumption(scaling):
    for found in (pixels(0, 255, "uint8"), pixels(0, 1, "float32")):
        chosen = choose_scaling(None, *scaling, found)
        assert chosen.words == "none (pixels as they are)"
        assert chosen.assumed == ""
        (note,) = chosen.notes
        assert note.endswith("none was assumed: the model scales its input itself (layer scale).")


def test_tokens_and_vectors_are_taken_as_they_are():
    start = keras.Input((6,), dtype="int32")
    h = layers.Flatten()(layers.Embedding(9, 4, name="tokens")(start))
    models = {
        "numbers of tokens (layer tokens)": keras.Model(start, layers.Dense(2)(h)),
        "no images": keras.Sequential([keras.Input((6,)), layers.Dense(2)]),
    }
    for why, model in models.items():
        spec = read_input(model, None, from_images=False)
        chosen = choose_scaling(None, spec, Probe(model, (6,)), pixels(0, 8, "int64", (5, 6)))
        assert (chosen.words, chosen.assumed) == ("none (pixels as they are)", "")
        assert why in chosen.notes[0]


def test_images_as_rows_are_still_8_bit_images():
    model = keras.Sequential([keras.Input((64,)), layers.Dense(2)])
    spec = read_input(model, None, from_images=False)
    chosen = choose_scaling(None, spec, Probe(model, (64,)), pixels(0, 255, "uint8", (5, 64)))
    assert chosen.words.startswith("unit (")
    assert chosen.assumed


def test_numbers_are_no_8_bit_images_because_there_are_none():
    """Without samples nothing suggests a scaling but what the model takes."""
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    spec = read_input(model, None, from_images=False)
    chosen = choose_scaling(None, spec, Probe(model, (6,)), np.zeros((0, 6), np.uint8))
    assert (chosen.words, chosen.assumed) == ("none (pixels as they are)", "")


def halved(x):
    return x / 2


@pytest.mark.parametrize("asked", [*NAMES, halved])
def test_what_was_stated_is_taken_and_no_assumption(asked, plain):
    chosen = choose_scaling(asked, *plain, pixels(0, 255, "uint8"))
    assert (chosen.notes, chosen.assumed) == ((), "")
    assert chosen.words.startswith(asked if isinstance(asked, str) else f"{__name__}:halved (")


OF_PIXELS = ("unit", "symmetric", "imagenet-caffe", "imagenet-torch")


@pytest.mark.parametrize("kind", ["fractions", "dark fractions", "both signs"])
@pytest.mark.parametrize("asked", OF_PIXELS)
def test_fractions_are_not_scaled_twice(asked, kind, plain):
    found = GUESSED[kind][0]
    with pytest.raises(ConfigurationError) as caught:
        choose_scaling(asked, *plain, found)
    assert str(caught.value) == (
        f"preprocessing: {asked} is for pixels from 0 to 255, and the samples are fractions up to "
        f"{found.max():.3g}: they would be scaled twice. Say --preprocessing none if they are as "
        "the model takes them, or give the pixels themselves."
    )


@pytest.mark.parametrize("asked", ["none", "standardize", halved])
def test_what_is_not_made_for_pixels_takes_fractions(asked, plain):
    chosen = choose_scaling(asked, *plain, pixels(0, 1, "float32"))
    assert (chosen.notes, chosen.assumed) == ((), "")


@pytest.mark.parametrize(
    "found",
    [
        pixels(0, 1, "uint8"),
        pixels(0, 1, "int64"),
        np.zeros((2, 8, 8, 3), np.float32),
        pixels(0, 1.5, "float32"),
        np.zeros((0, 8, 8, 3), np.float32),
    ],
)
@pytest.mark.parametrize("asked", OF_PIXELS)
def test_what_may_be_pixels_is_scaled(asked, found, plain):
    assert choose_scaling(asked, *plain, found).words.startswith(f"{asked} (")


@pytest.mark.parametrize("asked", OF_PIXELS)
def test_scaling_on_top_of_the_models_own_is_noted(asked, scaling):
    chosen = choose_scaling(asked, *scaling, pixels(0, 255, "uint8"))
    assert chosen.notes == (
        f"The model scales its input itself (layer scale), and {asked} was asked for on top of it. "
        "If that is not meant, say --preprocessing none.",
    )
    assert chosen.assumed == ""


@pytest.mark.parametrize("asked", ["none", "standardize", halved])
def test_other_scaling_beside_the_models_own_needs_no_note(asked, scaling):
    assert choose_scaling(asked, *scaling, pixels(0, 255, "uint8")).notes == ()


@pytest.mark.parametrize(
    ("first", "asked", "assumed"),
    [
        (lambda x: x, None, True),
        (lambda x: x, "unit", False),
        (layers.Rescaling(1 / 255), None, False),
    ],
)
def test_the_card_says_what_was_assumed(first, asked, assumed):
    config = AuditConfig(preprocessing=asked)
    subject = open_subject(config, LiveInput(network(first), pixels(0, 255, "uint8")))
    card = subject.card
    assert card.assumed == ((subject.scaling.assumed,) if assumed else ())
    assert card.preprocessing.endswith(", assumed") is assumed
    assert set(subject.scaling.notes) <= set(card.notes)
    assert bool(subject.scaling.notes) is (asked is None)
